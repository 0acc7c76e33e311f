"""Create and change conda environments with rattler, one transaction at a time; called in the worker.

Solving, fetching and linking go on in a process of their own (`transaction`). What real conda has to find afterwards,
requests in the records and the history, is written here. A new prefix that could not be finished is the caller's to
remove. A change of an existing one fetches all packages before it touches anything, and can then not be stopped any
more; if it is killed nevertheless, the next one finishes it first (`recover`).
"""

from __future__ import annotations

import contextlib
import grp
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from ...errors import BuildFailed, HpcenvError, InvalidRequest, PathTooLong, Refused
from ...files import explain
from ...models import LineKind, PinnedPackage, Progress, Reporter
from ...names import PREFIX_LIMIT
from ...process import working_folder
from . import cache, history, journal, records, requests
from .credentials import auth_hint, holds_secret, shown
from .inspection import Coming, Item, places
from .installed import Installed, explicit, load, name_of, platform_of, read
from .plan import VERIFY, Plan, Planned, Source, compare, planned
from .running import Answer, Request, Transaction
from .scripts import run_scripts

__all__ = [
    "change",
    "create",
    "explicit",
    "install_pinned",
    "installed",
    "lock",
    "plan",
    "plan_pinned",
    "recover",
    "unfinished",
]

_COMMAND = "jupyter-hpcenv"


# -- making environments ----------------------------------------------------


def create(source: Source, specs: Sequence[str], prefix: Path, report: Reporter) -> list[Installed]:
    """Fill *prefix*, which may exist but holds no packages, with *specs* and what they need; return all of it.

    Raises what `problems.explain` makes of a failure, and whatever ``report.check`` raises; nothing writes in the
    prefix any more by then.
    """
    source = _ready(source, prefix, report)
    _check_specs(specs)
    with Transaction(source) as transaction:
        answer = transaction.ask(
            Request(do=["solve", "fetch", "judge", "link"], asked=list(specs), prefix=str(prefix)), report
        )
    _say_relaxed(answer, report)
    return _finish(source, prefix, report, [], journal.Journal(command=_command("create", specs), wanted=list(specs)))


def install_pinned(
    source: Source,
    pinned: Sequence[PinnedPackage],
    prefix: Path,
    report: Reporter,
    requested: Sequence[str] = (),
) -> list[Installed]:
    """Let *prefix* hold exactly these packages; nothing is solved, and no channel's index is asked.

    *requested* are the match specs that somebody asked with, if that is known; else all packages count as asked for
    by name that no other one needs. A prefix that holds other packages loses them.
    """
    _check_pinned(pinned)
    source = _ready(source, prefix, report)
    recover(source, prefix, report)
    before = read(prefix)
    with Transaction(source) as transaction:
        request = Request(
            do=["pinned", "fetch", "judge"], pinned=list(pinned), installed=_paths(before), prefix=str(prefix)
        )
        answer = transaction.ask(request, report)
        wanted = list(requested) or _tops(transaction.records)
        done = journal.Journal(
            command=_command("install", ["--file"]), wanted=wanted, gone=_gone(prefix, before, wanted)
        )
        outcome = compare(before, _planned(answer))
        return _apply(source, transaction, prefix, report, before, outcome, transaction.records, done)


def _tops(paths: Iterable[str]) -> list[str]:
    """Return the names of the packages that no other one of the records needs."""
    every = [load(Path(path)) for path in paths]
    needed = {name for each in every for name in each.needs if name != each.name}
    return sorted(each.name for each in every if each.name not in needed or each.name == "python")


def _gone(prefix: Path, before: Sequence[Installed], wanted: Sequence[str]) -> list[str]:
    return sorted(history.requests(prefix, before).keys() - {name_of(spec) for spec in wanted})


def change(
    source: Source,
    prefix: Path,
    report: Reporter,
    *,
    install: Sequence[str] = (),
    update: Sequence[str] = (),
    update_all: bool = False,
    remove: Sequence[str] = (),
) -> Plan:
    """Install, update and remove packages of *prefix* in one transaction; return what it did.

    Earlier requests hold on, except those for what is installed or removed now. Raises as `create` does, before
    anything changed; only a failure while files are linked is put back afterwards.
    """
    if not (install or update or update_all or remove):
        raise InvalidRequest("Nothing is to be changed.", hints=["Say what to install, update or remove."])
    _check_specs([*install, *update, *remove])
    source = _ready(source, prefix, report)
    recover(source, prefix, report)
    before, wish = _wish(prefix, install=install, update=update, update_all=update_all, remove=remove)
    with Transaction(source) as transaction:
        answer, outcome, after = _solved(transaction, prefix, before, wish, report, fetch=True)
        _say_relaxed(answer, report)
        for note in outcome.notes:
            report.line("output", note)
        verbs = ["install"] * bool(install) + ["update"] * bool(update or update_all) + ["remove"] * bool(remove)
        words = [*install, *update, *(["--all"] if update_all else []), *remove]
        done = journal.Journal(command=_command("+".join(verbs), words), wanted=outcome.requested, gone=wish.taken_back)
        _apply(source, transaction, prefix, report, before, outcome, after, done)
    return outcome


def plan(
    source: Source,
    specs: Sequence[str] = (),
    prefix: Path | None = None,
    report: Reporter | None = None,
    *,
    install: Sequence[str] = (),
    update: Sequence[str] = (),
    update_all: bool = False,
    remove: Sequence[str] = (),
) -> Plan:
    """Return what `create` would do with *specs*, or `change` with *prefix*; only the cache's index is written."""
    install = [*specs, *install]
    _check(source)
    _check_specs([*install, *update, *remove])
    before: list[Installed] = []
    wish = requests.Wish(asked=list(install))
    if prefix is not None:
        before, wish = _wish(prefix, install=install, update=update, update_all=update_all, remove=remove)
    with Transaction(source) as transaction:
        outcome = _solved(transaction, prefix, before, wish, report or _Silent(), fetch=False)[1]
    if prefix is not None and unfinished(prefix):
        outcome.notes.append("An earlier change was killed in the middle. It is finished first, so more may change.")
    return outcome


def plan_pinned(source: Source, pinned: Sequence[PinnedPackage]) -> Plan:
    """Return what `install_pinned` would put into an empty prefix; nobody is asked, so sizes are not known."""
    _check(source)
    _check_pinned(pinned)
    found = {}
    for each in pinned:
        channel, _, name = each.url.rsplit("/", 2)
        stem = unquote(name).removesuffix(".conda").removesuffix(".tar.bz2")
        package, number, build = stem.rsplit("-", 2)
        files = cache.count_files(Path(source.cache), stem)
        found[package] = Planned(
            name=package,
            version=number,
            build=build,
            channel=channel,
            url=each.url,
            cached=files is not None,
            files=files,
        )
    return compare([], found)


# -- looking at environments ------------------------------------------------


def installed(prefix: Path) -> list[Installed]:
    """Return the packages in *prefix*, and how they were asked for; reads files alone."""
    packages = read(prefix)
    asked = history.requests(prefix, packages)
    return [msgspec.structs.replace(each, requested=asked.get(each.name, [""])[0]) for each in packages]


def lock(prefix: Path, channels: Sequence[str]) -> str:
    """Return the packages of *prefix* as the text of rattler's lockfile (pixi reads it, too)."""
    paths = [each.record for each in read(prefix)]
    folder = working_folder()
    with Transaction(Source(channels=list(channels), cache=folder), folder) as transaction:
        return transaction.ask(Request(do=["read", "lock"], records=paths), _Silent()).lock


def unfinished(prefix: Path) -> bool:
    """Tell whether a change of *prefix* was killed in the middle; `recover` finishes it."""
    return journal.path_of(prefix).exists()


def recover(source: Source, prefix: Path, report: Reporter) -> bool:
    """Finish a change that was killed in the middle, or take it back; return whether there was one.

    Raises `BuildFailed` where neither works.
    """
    done = journal.read(prefix)
    if done is None:
        return False
    report.line("warning", "An earlier change of the environment was killed in the middle; it is finished first.")
    with Transaction(source) as transaction:
        before = [load(Path(path)) for path in journal.records(prefix, "before")]
        try:
            _link(transaction, prefix, journal.records(prefix, "after"), report)
        except HpcenvError as error:
            report.line("warning", f"It can not be finished ({error.message.rstrip('.')}); it is taken back.")
            _back(transaction, prefix, report, error)
            return True
    _finish(source, prefix, report, before, done)
    return True


# -- the steps of a change --------------------------------------------------


def _wish(
    prefix: Path,
    *,
    install: Sequence[str],
    update: Sequence[str],
    update_all: bool,
    remove: Sequence[str],
) -> tuple[list[Installed], requests.Wish]:
    before = read(prefix)
    if not (prefix / "conda-meta").is_dir():
        raise InvalidRequest(f"{prefix} is no conda environment.", hints=["Create one there first."])
    earlier = history.requests(prefix, before)
    return before, requests.decide(
        before, earlier, install=install, update=update, update_all=update_all, remove=remove
    )


def _solved(
    transaction: Transaction,
    prefix: Path | None,
    before: Sequence[Installed],
    wish: requests.Wish,
    report: Reporter,
    *,
    fetch: bool,
) -> tuple[Answer, Plan, list[str]]:
    """Return what the engine answered, the plan, and the paths of the records that are to be there afterwards."""
    paths = _paths(before)
    if not wish.solve:
        report.step("solve")
        stay = [each for each in before if each.name not in wish.gone]
        outcome = compare(before, {each.name: planned(each) for each in stay})
        outcome.requested = [specs[0] for specs in wish.kept.values()]
        return Answer(), outcome, [each.record for each in stay]
    request = Request(
        do=["solve", "fetch", "judge"] if fetch else ["solve"],
        asked=wish.asked,
        kept=wish.kept,
        roots=wish.roots,
        first=wish.first,
        constraints=wish.constraints,
        locked=[paths[name] for name in wish.locked],
        installed=paths,
        prefix=str(prefix or ""),
    )
    answer = transaction.ask(request, report)
    outcome = compare(before, _planned(answer))
    outcome.requested = [*answer.kept.values(), *wish.asked]
    outcome.notes = _notes(before, wish, answer)
    return answer, outcome, transaction.records


def _notes(before: Sequence[Installed], wish: requests.Wish, answer: Answer) -> list[str]:
    """Say of packages that were to be updated why they stay, and which requests could not be held to."""
    now = {each.name: each for each in answer.records}
    notes = []
    for old in before:
        held, new = answer.kept.get(old.name, ""), now.get(old.name)
        if old.name in wish.first and new is not None and new.version == old.version and held not in ("", old.name):
            notes.append(
                f"{old.name} stays at {old.version}, because “{held}” was asked for; install “{old.name}” to lift that."
            )
    for name, specs in wish.kept.items():
        if answer.kept.get(name, specs[0]) == name != specs[0]:
            notes.append(f"“{specs[0]}” was asked for, which does not hold any more; it now counts as “{name}”.")
    return notes


def _planned(answer: Answer) -> dict[str, Planned]:
    return {
        each.name: Planned(
            name=each.name,
            version=each.version,
            build=each.build,
            channel=shown(each.channel.rstrip("/").removesuffix(f"/{each.subdir}")),
            url=each.url,
            bytes=each.size or 0,
            cached=each.cached,
            files=each.files,
        )
        for each in answer.records
    }


def _apply(
    source: Source,
    transaction: Transaction,
    prefix: Path,
    report: Reporter,
    before: Sequence[Installed],
    outcome: Plan,
    after: Sequence[str],
    done: journal.Journal,
) -> list[Installed]:
    """Bring *prefix* from *before* to the records *after*; it ends as one of the two."""
    if outcome.empty:
        report.step("link")
        return _finish(source, prefix, report, before, done)
    going = {each.name for each in outcome.remove} | {each.name for each in outcome.change}
    leaving = [each for each in before if each.name in going]
    run_scripts(prefix, leaving, "pre-unlink", report, allowed=source.link_scripts)
    report.check()
    done.foreign = _foreign(prefix, transaction.packages, before, after)
    if done.foreign:
        some = ", ".join(done.foreign[:5]) + (", …" if len(done.foreign) > 5 else "")
        report.line("warning", f"Packages replace files that lay there and belong to no conda package: {some}.")
    journal.begin(prefix, done, [each.record for each in before], after)
    try:
        _link(transaction, prefix, after, report)
    except HpcenvError as error:
        _back(transaction, prefix, report, error)
        raise
    return _finish(source, prefix, report, before, done)


def _link(transaction: Transaction, prefix: Path, after: Sequence[str], report: Reporter) -> None:
    paths = _paths(read(prefix))
    request = Request(
        do=["read", "fetch", "judge", "link"], records=list(after), installed=paths, prefix=str(prefix), steadfast=True
    )
    transaction.ask(request, report, check=False)


def _back(transaction: Transaction, prefix: Path, report: Reporter, error: HpcenvError) -> None:
    """Link again what was there before; raises `BuildFailed` if that does not work either."""
    try:
        _link(transaction, prefix, journal.records(prefix, "before"), report)
    except HpcenvError as second:
        raise BuildFailed(
            f"{error.message} What was there before could not be put back: {second.message}",
            hints=["Make room or mend what is named, then change the environment again: it is finished first."],
            reason=error.reason,
        ) from error
    records.settle(prefix)
    records.restore(prefix, journal.records(prefix, "before"))
    _tidy(prefix, transaction.packages)
    journal.end(prefix)
    report.line("output", "The environment is as it was before.")


def _tidy(prefix: Path, packages: Path) -> None:
    """Remove files of packages that were not linked to their end; what was there before, and whose it is, stays."""
    done = journal.read(prefix)
    foreign = set(done.foreign) if done is not None else set()
    owned = {path for each in read(prefix) for path in records.files(each)}
    for place in set(_places(packages, journal.records(prefix, "after"))) - owned - foreign:
        with contextlib.suppress(OSError):
            (prefix / place).unlink(missing_ok=True)
            for folder in Path(place).parents[:-1]:
                (prefix / folder).rmdir()  # as long as nothing is in it


def _places(packages: Path, after: Iterable[str]) -> list[str]:
    """Return where the files of the packages of these records lie."""
    wanted = [load(Path(path)) for path in after]
    python = next((each.version for each in wanted if each.name == "python"), "")
    items = [Item(file=each.url, name=each.name, version=each.version, build=each.build) for each in wanted]
    library = f"lib/python{'.'.join(python.split('.')[:2])}/site-packages"
    return places(packages, Coming(items=items, library=library))


def _foreign(prefix: Path, packages: Path, before: Iterable[Installed], after: Iterable[str]) -> list[str]:
    """Return what lies where packages will have files, and is of none of those that are installed."""
    there = [place for place in _places(packages, after) if os.path.lexists(prefix / place)]
    return sorted(set(there) - {path for each in before for path in records.files(each)})


def _finish(
    source: Source, prefix: Path, report: Reporter, before: Sequence[Installed], done: journal.Journal
) -> list[Installed]:
    """Do what rattler does not: modes, requests, history, dates; and scripts last, for they undo nothing."""
    known = {(each.record, each.url) for each in before}
    records.settle(prefix)
    records.mark(prefix, done.wanted)
    present = read(prefix)
    history.add(prefix, done.command, present, done.wanted, done.gone)
    new = [each for each in present if (each.record, each.url) not in known]
    if source.copy:
        for each in new:
            cache.freshen(prefix, records.files(each))
    journal.end(prefix)
    _say_group(prefix, report)
    run_scripts(prefix, new, "post-link", report, allowed=source.link_scripts)
    return installed(prefix)


# -- checks and words -------------------------------------------------------


def _ready(source: Source, prefix: Path, report: Reporter) -> Source:
    """Refuse what can not work, make the folders, and return the source as it can be used for *prefix*."""
    _check(source)
    length, folder = len(os.fsencode(prefix)), Path(source.cache)
    if length > PREFIX_LIMIT:
        raise PathTooLong(
            f"The prefix {prefix} has {length} bytes; packages have room for {PREFIX_LIMIT}.",
            hints=["Choose a shorter name, or a location with a shorter path."],
        )
    for path in (prefix, folder):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain(error, path) from error
    try:
        if not cache.takes_locks(folder):
            raise BuildFailed(
                f"The filesystem of the package cache refuses to lock files, so it can not be shared: {folder}.",
                hints=["Have the cache put on another filesystem, for example a local disk."],
            )
        if cache.is_busy(folder):
            report.line("output", "Another operation uses the package cache; this one goes on when that is done.")
    except OSError as error:
        raise explain(error, folder / cache.PACKAGES) from error
    if not source.copy and not cache.takes_hardlinks(folder, prefix):
        report.line(
            "warning",
            f"Packages are copied, because files of the cache can not be hardlinked from there: {folder}. That takes "
            "longer and more room; a cache on the same filesystem, under the same quota, would do better.",
        )
    return source


def _check(source: Source) -> None:
    for url in source.channels:
        if holds_secret(url):
            raise Refused(
                f"The channel {shown(url)} has credentials in its address; they would stand in every environment.",
                hints=[auth_hint(url)],
            )
    if source.ssl_verify not in VERIFY and not Path(source.ssl_verify).exists():
        raise InvalidRequest(
            f"ssl_verify names certificates that are not there: {source.ssl_verify}.",
            hints=["Name a file that exists, or say true."],
        )


def _check_specs(specs: Iterable[str]) -> None:
    for spec in specs:
        if holds_secret(spec.rpartition("::")[0]):
            raise Refused(
                f"A match spec has credentials in its channel: {shown(spec.rpartition('::')[0])}.",
                hints=[auth_hint(spec)],
            )


def _check_pinned(pinned: Iterable[PinnedPackage]) -> None:
    here = (platform_of([]), "noarch")
    for each in pinned:
        if holds_secret(each.url):
            raise Refused(f"{shown(each.url)} has credentials in its address.", hints=[auth_hint(each.url)])
        parts = unquote(urlsplit(each.url).path).split("/")
        name = parts[-1].removesuffix(".conda").removesuffix(".tar.bz2")
        if len(parts) < 3 or name == parts[-1] or name.count("-") < 2:
            raise InvalidRequest(
                f"{shown(each.url)} is not the address of a conda package.",
                hints=["They end in SUBDIR/NAME-VERSION-BUILD.conda or .tar.bz2."],
            )
        if parts[-2] not in here:
            raise InvalidRequest(
                f"{name} is for {parts[-2]}, and this computer is {here[0]}.",
                hints=["Take a list or lockfile that was made for this kind of computer."],
            )


def _command(verb: str, words: Sequence[str]) -> list[str]:
    return [_COMMAND, verb, *words]


def _paths(packages: Iterable[Installed]) -> dict[str, str]:
    return {each.name: each.record for each in packages}


def _say_relaxed(answer: Answer, report: Reporter) -> None:
    if answer.relaxed:
        report.line(
            "warning",
            "With the order of the channels there was no solution, so packages come from any of them "
            "(channel_priority is flexible).",
        )


def _say_group(prefix: Path, report: Reporter) -> None:
    group = cache.foreign_group(prefix)
    if group is not None:
        report.line(
            "warning",
            f"Files in the environment belong to group {_group(group)}, but its folder to "
            f"{_group(prefix.stat().st_gid)}: they are hardlinked from a cache of that group, and count against its "
            "quota. Use a cache below a folder of the right group with its setgid bit set, or have files copied.",
        )


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


class _Silent:
    """Report to nobody."""

    def step(self, name: str) -> None:
        """Do nothing."""

    def detail(self, text: str) -> None:
        """Do nothing."""

    def line(self, kind: LineKind, text: str) -> None:
        """Do nothing."""

    def progress(self, progress: Progress | None) -> None:
        """Do nothing."""

    def check(self) -> None:
        """Do nothing."""
