"""Install, update and remove packages of an environment: in place, with a way back that is kept until all is proven.

A note in the prefix says that a change has begun and how to go back. What fails is taken back at once; what was
killed, a repair takes back, or finishes where the record was written already. Then the note goes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from .. import kernels
from ..catalog import Records
from ..catalog.records import RECORD, revised
from ..errors import Cancelled, HpcenvError, Interrupted, PreflightFailed
from ..files import decode, explain, read_regular, remove_tree, write_json
from ..managers.contract import Choice, Manager, Outcome, Surroundings
from ..models import Changes, Earlier, Record, Reporter, Step, utc_now
from ..process import stop_marked
from ..site import Site
from . import change, share
from .faces import bring_in_step
from .surroundings import captured_again, surroundings

NOTE = Path(".hpcenv") / "change.json"
BEFORE = Path(".hpcenv") / "before"
_GONE = Path(".hpcenv") / "before.gone"

AS_BEFORE = "Everything is as it was before."

#: How often a repair that is killed is begun again unasked.
TRIES = 3
_TOLD = 5  # packages of one request


class Note(msgspec.Struct, kw_only=True):
    """What lies in a prefix while its packages are changed."""

    operation: str
    choice: Choice
    tries: int = 0
    """Repairs that have begun."""


class Work(msgspec.Struct, kw_only=True):
    """What admission decided, as it travels in the ticket."""

    choice: Choice
    changes: Changes
    """In canonical form."""
    earlier: Earlier | None = None
    """What is to be there again; None: `changes` says what is to be done."""


def told(changes: Changes) -> str:
    """Return what was asked for in a few words, for the history."""
    asked = [("install", changes.install), ("update", changes.update), ("remove", changes.remove)]
    words = [f"{verb} {', '.join(lines[:_TOLD])}{', …' * (len(lines) > _TOLD)}" for verb, lines in asked if lines]
    return "; ".join([*words, *(["update all"] if changes.update_all else [])])


def steps(manager: Manager, record: Record) -> list[Step]:
    """Return the steps that a change will report."""
    proof = "Prove the kernel" if record.kernelspec else "Prove the environment"
    prove = Step(name="prove", title=proof)
    return [*_loading(record), *manager.change_steps(), prove, Step(name="publish", title="Publish")]


def plan_steps(manager: Manager, record: Record) -> list[Step]:
    """Return the steps that a plan of a change will report."""
    return [*_loading(record), *manager.change_steps()[:1]]


def repair_steps() -> list[Step]:
    """Return the steps that a repair will report."""
    return [Step(name="back", title="Put back what a change left"), Step(name="publish", title="Publish")]


def _loading(record: Record) -> list[Step]:
    return [Step(name="modules", title="Load modules")] if record.modules else []


def note_of(prefix: Path) -> Note | None:
    """Return what is noted of a change of *prefix* that has not come to its end, or None; raises `BrokenRecord`."""
    try:
        return decode(read_regular(prefix / NOTE), Note, str(prefix / NOTE))
    except (FileNotFoundError, NotADirectoryError):
        return None


def plan(work: Work, record: Record, site: Site, manager: Manager, report: Reporter) -> dict[str, object]:
    """Return what a change would do; the prefix stays as it is."""
    if work.earlier is not None:
        return manager.plan_undo(record, work.earlier)
    return manager.plan_change(record, work.choice, work.changes, report, _around(record, site, report))


def change_packages(
    work: Work,
    record: Record,
    operation: str,
    site: Site,
    manager: Manager,
    report: Reporter,
    guard: Callable[[], None],
) -> tuple[Record, Outcome]:
    """Change the packages of an environment and return its record as it is then, and what was done.

    Where anything fails before the new record is written, the prefix is as before. *guard* raises when another
    process has taken the operation over, which then takes back what was begun.
    """
    prefix = Path(record.prefix)
    if note_of(prefix) is not None:
        report.line("warning", "An earlier change was killed in the middle; it is put right first.")
        record = repair(record, site, manager, report, guard)
    around = _around(record, site, report)
    if record.kernelspec:
        kernels.warm()
    guard()
    _begin(prefix, Note(operation=operation, choice=work.choice))
    try:
        manager.keep(record, work.changes, prefix / BEFORE)
        if work.earlier is None:
            outcome = manager.change(record, work.choice, work.changes, prefix / BEFORE, report, around)
        else:
            outcome = manager.undo(record, work.choice, work.earlier, prefix / BEFORE, report, around)
        after = _recorded(record, outcome, operation, around)
        share.open_again(after, report)
        report.step("prove")
        after = _proven(after, site, report)
        report.step("publish")
        report.check()
        kernels.rehearse_launch(after, site)
        Records(site).write(after, guard)
    except BaseException as error:
        with contextlib.suppress(Interrupted):  # whoever took over takes it back
            stop_marked(operation)  # what was started and left behind would go on writing
            guard()
            if _operation(prefix) != operation:
                _back(record, work.choice, manager, report, error)
        if isinstance(error, OSError):
            raise explain(error, prefix) from error
        raise
    bring_in_step(after, Records(site), site, guard)
    settle(prefix)
    _tell_builds(record, after, report)
    return after, outcome


def repair(record: Record, site: Site, manager: Manager, report: Reporter, guard: Callable[[], None]) -> Record:
    """Bring an environment whose change was killed to one of its two ends, and return its record."""
    prefix = Path(record.prefix)
    note = note_of(prefix)
    if note is not None:
        guard()
        _begin(prefix, msgspec.structs.replace(note, tries=note.tries + 1))
        if record.operation != note.operation:
            manager.back(record, note.choice, prefix / BEFORE, report)
    bring_in_step(record, Records(site), site, guard)
    settle(prefix)
    return record


def settle(prefix: Path) -> None:
    """Forget the way back, and that there was a change; what can not be removed just now is in nobody's way."""
    try:
        with contextlib.suppress(OSError):
            _remove(prefix / _GONE)
        with contextlib.suppress(FileNotFoundError):
            aside = prefix / _GONE
            while os.path.lexists(aside):  # a file server may hold what a program has open
                aside = aside.with_name(f"{aside.name}-")
            (prefix / BEFORE).rename(aside)  # in one step: half of it is no way back
        (prefix / NOTE).unlink(missing_ok=True)
    except OSError as error:
        raise explain(error, prefix) from error
    for beside in sorted(prefix.glob(f"{BEFORE}.*")):  # and what a manager was killed at
        with contextlib.suppress(OSError):
            _remove(beside)


def _remove(path: Path) -> None:
    if os.path.lexists(path):
        remove_tree(path)


def _begin(prefix: Path, note: Note) -> None:
    """Note that a change begins; a way back that an earlier one left is none for this one."""
    if not note.tries:
        settle(prefix)
    write_note(prefix, note)


def write_note(prefix: Path, note: Note) -> None:
    """Write down that a change has begun; raises `DiskFull` or `LocationUnavailable`."""
    try:
        write_json(prefix / NOTE, note)
    except OSError as error:
        raise explain(error, prefix) from error


def _back(record: Record, choice: Choice, manager: Manager, report: Reporter, error: BaseException) -> None:
    """Take back what was begun; where that fails, the note stays for a repair, and the error says so."""
    prefix = Path(record.prefix)
    try:
        manager.back(record, choice, prefix / BEFORE, report)
        settle(prefix)
    except HpcenvError as second:
        report.line("error", f"What was there before could not be put back: {second.message}")
        if isinstance(error, HpcenvError):
            error.message += " What was there before could not be put back."
            error.hints = (
                *error.hints,
                f"Mend what the log names, then run “jupyter hpcenv repair {record.name}”.",
                "Or create it again from what “jupyter hpcenv export” writes of it.",
            )
        return
    report.line("output", AS_BEFORE)
    if isinstance(error, HpcenvError) and not isinstance(error, Cancelled):
        error.message += f" {AS_BEFORE}"
        if isinstance(error, PreflightFailed):
            error.hints = ("What was to be changed breaks it: leave that out, or take another version.", *error.hints)


def _operation(prefix: Path) -> str:
    """Return which operation the record in a prefix comes from; an empty text where that can not be read."""
    with contextlib.suppress(OSError, HpcenvError):
        return decode(read_regular(prefix / RECORD), Record, str(prefix)).operation
    return ""


def _recorded(record: Record, outcome: Outcome, operation: str, around: Surroundings) -> Record:
    """Return the record of what is in the prefix now."""
    own_python = record.python_path if record.manager == "modules" else ""
    derived = kernels.derive(Path(record.prefix), own_python, around.environ) if record.kernelspec else {}
    changed = revised(
        record,
        packages=outcome.packages,
        tools={**record.tools, **outcome.tools},
        python=outcome.python,
        python_path=outcome.python_path,
        kernelspec=derived,
        operation=operation,
        edition=record.edition + (1 if _differs(outcome) else 0),
        changed=utc_now(),
    )
    return change.with_languages(changed)


def _differs(outcome: Outcome) -> bool:
    """Tell whether other packages are installed than before; that one is asked for now which was there is no change."""
    return any(outcome.plan.get(key) for key in ("install", "change", "remove", "pip"))


def _tell_builds(before: Record, after: Record, report: Reporter) -> None:
    """Say which builds for other kinds of computers do not have the packages of today any more."""
    if after.builds and after.edition != before.edition:
        first, name = next(iter(after.builds)), after.name
        report.line(
            "warning",
            f"What was built for {', '.join(after.builds)} has the packages of before, and does not start until it is "
            f"built again: “jupyter hpcenv build {name} --target {first}”.",
        )


def _proven(record: Record, site: Site, report: Reporter) -> Record:
    if not record.python:
        report.line("output", "There is no Python in it, so nothing was started.")
        return record
    proven = change.proven(record, site)
    if proven.preflight:
        what = "The kernel started and answered" if record.kernelspec else "Its Python started"
        report.line("output", f"{what} in {proven.preflight.seconds:.1f} s.")
    return proven


def _around(record: Record, site: Site, report: Reporter) -> Surroundings:
    """Load the environment's modules as they were captured, for what is built on top of them."""
    if record.modules is None:
        return Surroundings(build_variables=record.build_variables)
    report.step("modules")
    report.line("output", f"Loading {', '.join(record.modules.load)}.")
    return surroundings(captured_again(record.modules, site), record.build_variables)
