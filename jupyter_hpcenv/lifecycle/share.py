"""Share an environment with a group or everybody, and take that back.

A note in the prefix says that it has begun and how every mode was. What fails is put back at once; what was killed,
a repair puts back, or finishes where the record was written already. The record is the commit, as for any change.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from .. import process
from ..catalog import Records
from ..catalog.records import RECORD, revised
from ..errors import Cancelled, HpcenvError, Interrupted, Refused
from ..files import decode, explain, read_regular, write_json
from ..models import Record, Reporter, Sharing, Step, utc_now
from ..names import secret_warnings
from ..site import Site
from ..trust import may_enter, walk
from . import change, modes
from .faces import bring_in_step

NOTE = Path(".hpcenv") / "share.json"

#: How often what was killed is put right unasked.
TRIES = 3

_NOTE_LIMIT = 100_000_000  # a line for each file


class Note(msgspec.Struct, kw_only=True):
    """What lies in a prefix while it is being shared, or not any more; read by its owner alone."""

    operation: str
    before: dict[str, modes.Kept]
    """By path, as `_written` has it."""
    tries: int = 0


class Work(msgspec.Struct, kw_only=True):
    """What admission decided, as it travels in the ticket."""

    sharing: Sharing | None
    """None: with nobody any more."""


def steps(sharing: Sharing | None) -> list[Step]:
    """Return the steps that sharing, or taking it back, will report."""
    opening = [
        Step(name="separate", title="Separate its files from caches"),
        Step(name="compile", title="Compile its Python files"),
        Step(name="open", title="Let others read it"),
        Step(name="prove", title="Prove that it works"),
    ]
    closing = [Step(name="open", title="Close it to others")]
    return [*(opening if sharing else closing), Step(name="publish", title="Publish")]


def note_of(prefix: Path) -> Note | None:
    """Return what is noted of a sharing that has not come to its end, or None; raises `BrokenRecord`."""
    try:
        return decode(read_regular(prefix / NOTE, _NOTE_LIMIT), Note, str(prefix / NOTE))
    except (FileNotFoundError, NotADirectoryError):
        return None


def check_reachable(record: Record, sharing: Sharing) -> None:
    """Raise `Refused` where those it would be shared with could not get to the prefix, or not run its Python."""
    gid = modes.gid_of(sharing)
    prefix = os.path.realpath(record.prefix)
    python = Path(record.prefix) / "bin" / "python"
    for target in (Path(record.prefix), *([python] if record.python and python.exists() else [])):
        for step in walk(target):
            inside = step.path == prefix or step.path.startswith(f"{prefix}/")
            if inside or os.path.islink(step.path) or may_enter(step.path, step.facts, gid):  # noqa: PTH114
                continue
            what = "run its Python" if target is python else "get to it"
            raise Refused(
                f"{record.name} can not be shared: {sharing.whom} could not {what} through {step.path}.",
                hints=[
                    "Create it with a Python that others can run, such as the site's own."
                    if target is python
                    else f"Let others through (chmod {'g' if sharing.group else 'o'}+x {step.path}), or use another "
                    "location.",
                ],
            )


def share(
    work: Work, record: Record, operation: str, site: Site, report: Reporter, guard: Callable[[], None]
) -> Record:
    """Share an environment as *work* says, or with nobody, and return its record as it is then.

    Called by the worker. Where anything fails before the new record is written, all is as before. *guard* raises
    when another process has taken the operation over, which then puts back what was begun.
    """
    prefix, sharing = Path(record.prefix), work.sharing
    put_right(record, guard)
    guard()
    try:
        before = {_written(path): kept for path, kept in modes.survey(prefix).items()}
        write_json(prefix / NOTE, Note(operation=operation, before=before))
        if sharing is not None:
            check_reachable(record, sharing)
            _open(record, sharing, site, report)
        else:
            report.step("open")
            modes.give(prefix, None, report.check)
        after = revised(record, shared=sharing, operation=operation, changed=utc_now())
        if sharing is not None:
            report.step("prove")
            after = change.proven(after, site) if after.python else after
        report.step("publish")
        report.check()
        Records(site).write(after, guard)
    except BaseException as error:
        with contextlib.suppress(Interrupted):  # whoever took over puts it back
            guard()
            _back(record, operation, report, error)
        if isinstance(error, OSError):
            raise explain(error, prefix) from error
        raise
    bring_in_step(after, Records(site), site, guard)
    _settle(prefix)
    return after


def open_again(record: Record, report: Reporter) -> None:
    """Let those with whom an environment is shared read what a change has brought; called before it is proven."""
    if record.shared is not None:
        try:
            modes.give(Path(record.prefix), record.shared, report.check)
        except OSError as error:
            raise explain(error, Path(record.prefix)) from error


def put_right(record: Record, guard: Callable[[], None]) -> None:
    """Put back, or finish, what was killed while sharing *record*; nothing happens where nothing was.

    The faces are for the caller to bring in step.
    """
    prefix = Path(record.prefix)
    note = note_of(prefix)
    if note is None:
        return
    guard()
    try:
        write_json(prefix / NOTE, msgspec.structs.replace(note, tries=note.tries + 1))
        if record.operation != note.operation:
            modes.put_back(prefix, {_read(path): kept for path, kept in note.before.items()})
    except OSError as error:
        raise explain(error, prefix) from error
    _settle(prefix)


def _open(record: Record, sharing: Sharing, site: Site, report: Reporter) -> None:
    prefix = Path(record.prefix)
    for warning in secret_warnings(record.variables):
        report.line("warning", warning)
    report.step("separate")
    count = modes.separate(prefix, report.check)
    report.detail(f"{count} file{'' if count == 1 else 's'}")
    report.step("compile")
    if record.python and record.manager != "modules":
        _compile(prefix, record, site, report)
    report.step("open")
    modes.give(prefix, sharing, report.check)


def _compile(prefix: Path, record: Record, site: Site, report: Reporter) -> None:
    """Compile what Python would compile at each start of somebody who may not write here."""
    minor = ".".join(record.python.split(".")[:2])
    folder = prefix / "lib" / f"python{minor}" / "site-packages"
    argv = [str(prefix / "bin" / "python"), "-I", "-m", "compileall", "-q", "-q", str(folder)]
    done = process.run(argv, env=process.environment(site.passthrough), check=report.check)
    if not done.ok:  # packages bring files that are for another Python, or templates
        report.line("output", "Some files are none of this Python's and were not compiled.")


def _back(record: Record, operation: str, report: Reporter, error: BaseException) -> None:
    """Put back what was begun; where that fails, the note stays for a repair."""
    prefix = Path(record.prefix)
    try:
        if _operation(prefix) == operation:
            return  # it was written, and only the answer was lost
        note = note_of(prefix)
        if note is not None and note.operation == operation:
            modes.put_back(prefix, {_read(path): kept for path, kept in note.before.items()})
            _settle(prefix)
    except (OSError, HpcenvError) as second:
        report.line("error", f"What was there before could not be put back: {second}")
        return
    report.line("output", "Everything is as it was before.")
    if isinstance(error, HpcenvError) and not isinstance(error, Cancelled):
        error.message += " Everything is as it was before."


def _operation(prefix: Path) -> str:
    with contextlib.suppress(OSError, HpcenvError):
        return decode(read_regular(prefix / RECORD), Record, str(prefix)).operation
    return ""


def _settle(prefix: Path) -> None:
    try:
        (prefix / NOTE).unlink(missing_ok=True)
    except OSError as error:
        raise explain(error, prefix) from error


def _written(path: str) -> str:
    """Return a path as JSON can carry it, whatever bytes it has."""
    return os.fsencode(path).decode("latin-1")


def _read(text: str) -> str:
    return os.fsdecode(text.encode("latin-1"))
