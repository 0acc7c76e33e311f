"""Build what an environment is on another kind of computer: one record, one kernel, several prefixes.

Further prefixes lie inside the first one, below ``.hpcenv/builds``, so that whatever is done to the environment is done
to them, too. They are built where they stay, like any prefix; what commits one is the environment's own record.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from .. import kernels
from ..catalog import Records
from ..catalog.records import revised
from ..files import remove_tree
from ..managers.contract import Manager
from ..models import Build, Record, Reporter, Target, utc_now
from ..site import Site
from . import rebuild, share
from .faces import bring_in_step
from .ground import clear_ground

FOLDER = Path(".hpcenv") / "builds"


class Work(msgspec.Struct, kw_only=True):
    """What admission decided, as it travels in the ticket."""

    target: str
    prefix: str
    main: str
    """What its own prefix is for."""
    again: rebuild.Work
    """The request, and the packages, as a rebuild takes them; its own target is the same one."""


def place_of(record: Record, target: str, operation: str) -> Path:
    """Return where a build is to lie: under its target's name, or beside an older one that is in use until then."""
    folder = Path(record.prefix) / FOLDER
    known = record.builds.get(target)
    return folder / (target if known is None or Path(known.prefix).name != target else f"{target}.{operation[-8:]}")


def build(
    work: Work,
    target: Target,
    operation: str,
    site: Site,
    manager: Manager,
    report: Reporter,
    guard: Callable[[], None],
) -> tuple[Record, list[str]]:
    """Build for one more target, or anew; return the environment's record and what differs from its own packages.

    Called by the worker. Where that fails, all is as before. *guard* raises when another process has taken the
    operation over.
    """
    records = Records(site)
    sweep(records.read(target.prefix)[0], guard)
    inner = msgspec.structs.replace(target, prefix=work.prefix)
    after: list[Record] = []

    def commit(built: Record) -> None:
        record = with_build(records.read(target.prefix)[0], built, work, operation)
        guard()
        kernels.rehearse_launch(record, site)
        records.write(record, guard)
        after.append(record)

    built = rebuild.built(work.again, inner, operation, site, manager, report, guard, commit)
    record = after[-1]
    share.open_again(record, report)
    bring_in_step(record, records, site, guard)
    sweep(record, guard)
    differences = rebuild.compared(
        work.again.versions, {each.name: each.version for each in manager.list_packages(Path(built.prefix))}
    )
    for sentence in differences:
        report.line("warning", sentence)
    return record, differences


def with_build(record: Record, built: Record, work: Work, operation: str) -> Record:
    """Return *record* with the build that was made; it has several from then on."""
    new = Build(
        target=work.target,
        prefix=built.prefix,
        python=built.python,
        python_path=built.python_path,
        creator=built.creator,
        installer=built.installer,
        tools=built.tools,
        modules=built.modules,
        kernelspec=built.kernelspec,
        platform=built.platform,
        on=built.on,
        created=utc_now(),
        operation=operation,
        preflight=built.preflight,
        edition=record.edition,
    )
    asked = list(dict.fromkeys([*(record.targets or [work.main]), work.target]))
    return revised(
        record, target=work.main, targets=asked, builds={**record.builds, work.target: new}, changed=utc_now()
    )


def without_build(record: Record, target: str) -> Record:
    """Return *record* without a build; its folder goes with the next sweep."""
    left = {name: each for name, each in record.builds.items() if name != target}
    return revised(record, builds=left, targets=[each for each in record.targets if each != target], changed=utc_now())


def committed(record: Record, operation: str) -> bool:
    """Tell whether an operation's build is one of the record's."""
    return any(each.operation == operation for each in record.builds.values())


def clear(work: Work, operation: str, guard: Callable[[], None]) -> None:
    """Remove what a build left that was killed before its commit."""
    clear_ground(Path(work.prefix), operation, guard)


def sweep(record: Record, guard: Callable[[], None]) -> None:
    """Remove folders of builds that the record does not name (any more), but where kernels run; holds the claim."""
    kept = {each.prefix for each in record.builds.values()}
    folder = Path(record.prefix) / FOLDER
    left = [each for each in folder.iterdir() if str(each) not in kept] if folder.is_dir() else []
    for each in left:
        if not kernels.running(each):
            guard()
            with contextlib.suppress(OSError):  # somebody has a file of it open, or it is not ours: next time
                remove_tree(each)
