"""Bring an existing prefix from the packages that it holds to others, so that it ends as one of the two.

Nothing of this can be stopped. What fails is put back; what is killed the next change finishes, by the journal.
"""

from __future__ import annotations

import contextlib
import grp
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...errors import BuildFailed, HpcenvError
from ...files import explain
from ...models import Reporter
from . import cache, history, journal, records
from .inspection import Coming, Item, places
from .installed import Installed, load, read
from .plan import Plan, Source
from .running import Request, Transaction
from .scripts import run_scripts


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
            _back(source, transaction, prefix, report, error)
            return True
    finish(source, prefix, report, before, done)
    return True


def apply(
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
        return finish(source, prefix, report, before, done)
    going = {each.name for each in outcome.remove} | {each.name for each in outcome.change}
    leaving = [each for each in before if each.name in going]
    run_scripts(prefix, leaving, "pre-unlink", report, allowed=source.link_scripts)
    report.check()
    done.foreign = _foreign(prefix, transaction.packages, before, after)
    if done.foreign:
        some = ", ".join(done.foreign[:5]) + (", …" if len(done.foreign) > 5 else "")
        report.line("warning", f"Packages replace files that lay there and belong to no conda package: {some}.")
        _set_aside(prefix, done.foreign, source.set_aside)
    journal.begin(prefix, done, [each.record for each in before], after)
    try:
        _link(transaction, prefix, after, report)
    except HpcenvError as error:
        _back(source, transaction, prefix, report, error)
        raise
    return finish(source, prefix, report, before, done)


def _set_aside(prefix: Path, places: Iterable[str], folder: str) -> None:
    """Keep what packages replace, by links or copies, so that it can be put back."""
    for place in places if folder else ():
        kept, there = Path(folder) / place, prefix / place
        try:
            if there.is_dir() and not there.is_symlink():
                continue  # packages go into it, and replace none of it
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.unlink(missing_ok=True)
            shutil.copy2(there, kept, follow_symlinks=False)
        except OSError as error:
            raise explain(error, there) from error


def put_aside_back(prefix: Path, folder: Path) -> None:
    """Put back what packages replaced; called when these are gone again. May be killed and called again."""
    for top, _, names in os.walk(folder):
        for name in names:
            kept = Path(top) / name
            there = prefix / kept.relative_to(folder)
            try:
                there.parent.mkdir(parents=True, exist_ok=True)
                kept.rename(there)
            except OSError as error:
                raise explain(error, there) from error


def _link(transaction: Transaction, prefix: Path, after: Sequence[str], report: Reporter) -> None:
    paths = paths_of(read(prefix))
    request = Request(
        do=["read", "fetch", "judge", "link"], records=list(after), installed=paths, prefix=str(prefix), steadfast=True
    )
    transaction.ask(request, report, check=False)


def _back(source: Source, transaction: Transaction, prefix: Path, report: Reporter, error: HpcenvError) -> None:
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
    if source.set_aside:
        put_aside_back(prefix, Path(source.set_aside))
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


def finish(
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
    _sweep(source, report)
    return present


def _sweep(source: Source, report: Reporter) -> None:
    """Remove what killed transactions left in the cache; no reason for this one to fail."""
    with contextlib.suppress(OSError):
        if gone := cache.sweep_cache(Path(source.cache), cache.LEFT, cache.AT_ONCE):
            what = "a download" if gone == 1 else f"{gone} downloads"
            report.line("output", f"Removed from the package cache what was left of {what} that had been killed.")


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


def paths_of(packages: Iterable[Installed]) -> dict[str, str]:
    """Return the path of its record for each package."""
    return {each.name: each.record for each in packages}
