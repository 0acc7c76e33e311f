"""Create and change conda environments with rattler, one transaction at a time; called in the worker.

Solving, fetching and linking go on in a process of their own (`transaction`). What real conda has to find afterwards,
requests in the records and the history, is written here. A new prefix that could not be finished is the caller's to
remove. A change of an existing one fetches all packages before it touches anything, and can then not be stopped any
more; if it is killed nevertheless, the next one finishes it first (`recover`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote

import msgspec

from ...errors import InvalidRequest
from ...models import LineKind, PinnedPackage, Progress, Reporter
from ...process import working_folder
from . import cache, history, journal, requests
from .applying import apply, finish, paths_of, recover, unfinished
from .credentials import shown
from .installed import META, Installed, explicit, load, name_of, read
from .plan import Plan, Planned, Source, compare, planned
from .ready import check_pinned, check_source, check_specs, make_ready
from .running import Answer, Found, Request, Transaction, Verb

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
    "search",
    "unfinished",
]

_COMMAND = "jupyter-hpcenv"
_NOTED = 5  # packages that a note names one by one


# -- making environments ----------------------------------------------------


def create(source: Source, specs: Sequence[str], prefix: Path, report: Reporter) -> list[Installed]:
    """Fill *prefix* with *specs* and what they need, and with nothing else; return all of it.

    Raises what `problems.explain` makes of a failure, and whatever ``report.check`` raises; nothing writes in the
    prefix any more by then.
    """
    make_ready(source, prefix, report)
    check_specs(specs)
    with Transaction(source) as transaction:
        answer = transaction.ask(
            Request(do=["solve", "fetch", "judge", "link"], asked=list(specs), prefix=str(prefix)), report
        )
    _say(answer, report)
    return finish(source, prefix, report, [], journal.Journal(command=_command("create", specs), wanted=list(specs)))


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
    check_pinned(pinned)
    make_ready(source, prefix, report)
    recover(source, prefix, report)
    before = read(prefix)
    do: list[Verb] = ["pinned", "fetch", "judge"]
    with Transaction(source) as transaction:
        request = Request(
            do=do if before else [*do, "link"],  # what is new can be stopped, and is thrown away then
            pinned=list(pinned),
            installed=paths_of(before),
            prefix=str(prefix),
        )
        answer = transaction.ask(request, report)
        wanted = list(requested) or _tops(transaction.records)
        done = journal.Journal(
            command=_command("install", ["--file"]), wanted=wanted, gone=_gone(prefix, before, wanted)
        )
        if not before:
            return finish(source, prefix, report, before, done)
        outcome = compare(before, _planned(answer))
        return apply(source, transaction, prefix, report, before, outcome, transaction.records, done)


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
    check_specs([*install, *update, *remove])
    _check_environment(prefix)
    make_ready(source, prefix, report)
    recover(source, prefix, report)
    before, wish = _wish(prefix, install=install, update=update, update_all=update_all, remove=remove)
    with Transaction(source) as transaction:
        answer, outcome, after = _solved(transaction, prefix, before, wish, report, fetch=True)
        _say(answer, report)
        for note in outcome.notes:
            report.line("output", note)
        verbs = ["install"] * bool(install) + ["update"] * bool(update or update_all) + ["remove"] * bool(remove)
        words = [*install, *update, *(["--all"] if update_all else []), *remove]
        done = journal.Journal(command=_command("+".join(verbs), words), wanted=outcome.requested, gone=wish.taken_back)
        apply(source, transaction, prefix, report, before, outcome, after, done)
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
    check_source(source)
    check_specs([*install, *update, *remove])
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
    check_source(source)
    check_pinned(pinned)
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


def search(source: Source, query: str, limit: int, report: Reporter) -> list[Found]:
    """Return what the channels have of names with *query* in them; raises as `create` does, and what *report* does."""
    check_source(source)
    with Transaction(source) as transaction:
        return transaction.ask(Request(do=["search"], query=query, limit=limit), report).found


# -- the steps of a change --------------------------------------------------


def _check_environment(prefix: Path) -> None:
    if not (prefix / META).is_dir():
        raise InvalidRequest(f"{prefix} is no conda environment.", hints=["Create one there first."])


def _wish(
    prefix: Path,
    *,
    install: Sequence[str],
    update: Sequence[str],
    update_all: bool,
    remove: Sequence[str],
) -> tuple[list[Installed], requests.Wish]:
    _check_environment(prefix)
    before = read(prefix)
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
    paths = paths_of(before)
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
    outcome.virtual = answer.virtual
    return answer, outcome, transaction.records


def _notes(before: Sequence[Installed], wish: requests.Wish, answer: Answer) -> list[str]:
    """Say of packages that were to be updated why they stay, and which requests could not be held to."""
    now = {each.name: each for each in answer.records}
    notes = []
    every = not (wish.first or wish.locked)
    for old in before:
        held, new = answer.kept.get(old.name, ""), now.get(old.name)
        if (
            (every or old.name in wish.first)
            and new is not None
            and new.version == old.version
            and held not in ("", old.name)
        ):
            notes.append(
                f"{old.name} stays at {old.version}, because “{held}” was asked for; install “{old.name}” to lift that."
            )
    if len(notes) > _NOTED:
        listed = ", ".join([spec for name, spec in answer.kept.items() if spec != name][:_NOTED])
        notes = [
            f"{len(notes)} packages stay as they were asked for: {listed}, …; install one by its name to lift that."
        ]
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


def _command(verb: str, words: Sequence[str]) -> list[str]:
    return [_COMMAND, verb, *words]


def _say(answer: Answer, report: Reporter) -> None:
    if answer.relaxed:
        report.line(
            "warning",
            "With the order of the channels there was no solution, so packages come from any of them "
            "(channel_priority is flexible).",
        )


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
