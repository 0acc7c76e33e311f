"""Build an environment again from what is kept of it: where it was, or at another location, where it moves to.

It keeps its id, kernels, variables and display name. The same versions are taken as far as they still exist; what is
another one by now is said. What was there before stays whole until the new one is proven and its record written, and
goes to the trash then.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from .. import activation, claims
from ..catalog import trash
from ..catalog.records import RECORD
from ..errors import BuildFailed, HpcenvError, PackageNotFound, PreflightFailed, RequirementsConflict
from ..files import decode, explain, read_regular, rename_new, sync_folder, write_json
from ..managers.changing import name_of
from ..managers.contract import Manager
from ..models import CreateRequest, Record, Reporter, Target
from ..site import Site
from ..site.config import username
from . import create
from .faces import publish_faces

VERBS = ("rebuild", "move")

#: How many versions that do not exist any more are given up one by one, before all are.
TRIES = 8

_BEAT = 15.0  # seconds between two signs of life for the claim on what is moved away
_NAMED = 10


class Work(msgspec.Struct, kw_only=True):
    """What admission decided, as it travels in the ticket."""

    request: CreateRequest
    """As if somebody asked for it anew."""
    before: Record
    asked: create.Work
    """What was asked for once, for what does not exist any more."""
    exact: create.Work | None = None
    """The exact packages, where they are kept."""
    versions: dict[str, str] = {}
    """What was in it, by name."""
    old_root: str = ""
    """The folder with the claim on what is moved away; empty: it is built again where it was."""
    aside: bool = False
    """Whether something of it is there still and goes to the trash first."""


def rebuild(
    work: Work,
    target: Target,
    operation: str,
    site: Site,
    manager: Manager,
    report: Reporter,
    guard: Callable[[], None],
) -> tuple[Record, list[str]]:
    """Build it, and return its record and what differs from before, a sentence each; called by the worker.

    Where that fails, all is as before. *guard* raises when another process has taken the operation over.
    """
    prefix = Path(target.prefix)
    with _claim_on_the_old(work, target, operation):
        if work.aside:
            set_aside(work.before, guard)
        try:
            record = built(work, target, operation, site, manager, report, guard)
        except BaseException as error:
            if _committed(prefix, operation):  # it is there, and only its kernel is not
                with contextlib.suppress(HpcenvError):
                    finish(work, decode(read_regular(prefix / RECORD), Record, str(prefix)), operation, site)
            elif work.aside:
                put_back(work.before.id, prefix)
            if isinstance(error, OSError):
                raise explain(error, prefix) from error
            raise
        guard()
        finish(work, record, operation, site)
        if work.old_root:
            manager.gone(Path(work.before.prefix))
    differences = compared(work.versions, {each.name: each.version for each in manager.list_packages(prefix)})
    for sentence in differences:
        report.line("warning", sentence)
    return record, differences


def built(
    work: Work,
    target: Target,
    operation: str,
    site: Site,
    manager: Manager,
    report: Reporter,
    guard: Callable[[], None],
    commit: Callable[[Record], None] | None = None,
) -> Record:
    """Build with the exact packages; what is found not to exist any more is given up, first one by one, then all.

    *commit* is as `create.create` takes it.
    """

    def build(of: create.Work) -> Record:
        return create.create(work.request, of, target, operation, site, manager, report, guard, work.before, commit)

    if work.exact is None:
        report.line("warning", "Its exact packages were not kept, so it is built from what was asked for.")
        return build(work.asked)
    now, failed = work.exact, None
    for _ in range(TRIES):
        try:
            return build(now)
        except PreflightFailed:
            raise
        except (PackageNotFound, RequirementsConflict, BuildFailed) as error:
            failed = error
        gone = missing_pins(now.requirements, f"{failed.message}\n{failed.reason}")
        if not gone:
            break
        named = ", ".join(gone)
        report.line("warning", f"{named} can not be had any more; another version is taken.")
        now = msgspec.structs.replace(now, requirements=without(now.requirements, gone, work.asked.requirements))
    report.line("warning", f"The same packages can not be had any more: {failed.message if failed else ''}")
    report.line("warning", "It is built from what was asked for.")
    return build(work.asked)


def missing_pins(lines: list[str], said: str) -> list[str]:
    """Return which pins an installer's words say that they are not to be had; none where it does not name any.

    Both installers write a pin as it was given, “six==1.0”; pip splits lines where it likes.
    """
    flat = " ".join(said.split())
    found = []
    for line in lines:
        name, _, version = line.partition("==")
        if not version or "@" in line:
            continue
        word = re.escape(name) + r"==" + re.escape(version) + r"(?![\w.])"
        lost = rf"no versions? of {word}|No matching distribution found for {word}|satisfies [“`']{word}"
        lost += rf"|satisfies the requirement {word}|Because {re.escape(name)} was not found"
        if re.search(lost, flat, re.IGNORECASE):
            found.append(line)
    return found


def without(lines: list[str], gone: list[str], asked: list[str]) -> list[str]:
    """Return *lines* with what was asked for in place of pins that are *gone*; others are left to the installer."""
    names = {name_of(line) for line in gone}
    return [*(line for line in lines if line not in gone), *(line for line in asked if name_of(line) in names)]


def compared(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return a sentence for each package that is another one than before."""
    then = {str(canonicalize_name(name)): version for name, version in before.items()}
    now = {str(canonicalize_name(name)): version for name, version in after.items()}
    if not then:
        return []
    found = []
    for name in sorted(then.keys() | now.keys()):
        if name not in now:
            found.append(f"{name} {then[name]} is not in it any more.")
        elif name not in then:
            found.append(f"{name} {now[name]} is new in it.")
        elif then[name] != now[name]:
            found.append(f"{name} was {then[name]} and is {now[name]} now.")
    return found


# -- what was there before -------------------------------------------------------


def set_aside(before: Record, guard: Callable[[], None]) -> None:
    """Move what is left of an environment to the trash, from where `put_back` takes it."""
    prefix = Path(before.prefix)
    target = trash.make_folder(prefix) / trash.item_name(before.id, prefix)
    guard()
    try:
        os.rename(prefix, target)  # noqa: PTH104
        sync_folder(target.parent)
    except OSError as error:
        raise explain(error, prefix) from error


def put_back(identifier: str, prefix: Path) -> bool:
    """Put what was set aside where it was, unless something is there; return whether that was done."""
    item = _aside(identifier, prefix)
    if item is None or os.path.lexists(prefix):
        return False
    with contextlib.suppress(OSError):
        rename_new(item, prefix)
        sync_folder(prefix.parent)
        return True
    return False


def finish(work: Work, record: Record, operation: str, site: Site) -> None:
    """Let go of what was there before, now that there is a new one; may be killed and called again.

    In the trash it is an environment of its own, so that restoring it takes nothing from the new one.
    """
    before = work.before
    prefix = Path(before.prefix)
    retired = msgspec.structs.replace(before, id=_other_id(operation), kernels=[], activation=[])
    if work.old_root:
        there = _record_at(prefix)
        if there not in ("", before.id, _other_id(operation)) or (not there and os.path.lexists(prefix)):
            return  # somebody else's by now
        if before.activation:
            with contextlib.suppress(HpcenvError):  # what stays finds no environment and says so
                activation.uninstall(before, site)
        publish_faces(record, site)  # its kernels lead to the old one if the worker died right after the commit
        if not there:
            return  # it was missing, and is built elsewhere
        write_json(prefix / RECORD, retired, 0o644)
        target = trash.make_folder(prefix) / trash.item_name(retired.id, prefix)
        try:
            os.rename(prefix, target)  # noqa: PTH104
            sync_folder(target.parent)
        except OSError as error:
            raise explain(error, prefix) from error
    elif work.aside and (item := _aside(before.id, prefix)) is not None:
        with contextlib.suppress(HpcenvError, OSError):  # half of it is an item of the trash as well
            write_json(item / RECORD, retired, 0o644)
            item.rename(item.with_name(trash.item_name(retired.id, prefix)))


def _other_id(operation: str) -> str:
    """Return the id that what is let go of has from then on: the same one whoever finishes it."""
    return hashlib.sha256(operation.encode()).hexdigest()[:32]


def _aside(identifier: str, prefix: Path) -> Path | None:
    folder = trash.folder_beside(prefix)
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = [each for each in os.listdir(folder) if each.startswith(f"{identifier}@")]  # noqa: PTH208
    mine = [each for each in names if each.endswith(f"@{prefix.name}")]
    return folder / max(mine) if mine else None


def _record_at(prefix: Path) -> str:
    """Return the id in the record of a prefix; empty where there is none."""
    with contextlib.suppress(OSError, HpcenvError):
        return decode(read_regular(prefix / RECORD), Record, str(prefix)).id
    return ""


def _committed(prefix: Path, operation: str) -> bool:
    with contextlib.suppress(OSError, HpcenvError):
        return decode(read_regular(prefix / RECORD), Record, str(prefix)).operation == operation
    return False


@contextlib.contextmanager
def _claim_on_the_old(work: Work, target: Target, operation: str) -> Iterator[None]:
    """Hold the claim where an environment is moved from, and give signs of life meanwhile."""
    root = Path(work.old_root)
    if not work.old_root or not root.is_dir():
        yield
        return
    claims.take(root, target.name, operation, "move", username())
    stopped = threading.Event()

    def beat() -> None:
        while not stopped.wait(_BEAT):
            claims.renew(root, target.name, operation)

    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        stopped.set()
        claims.release(root, target.name, operation)
