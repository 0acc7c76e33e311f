"""Measure how large environments are, and keep what was measured while nothing changes.

A large environment has a hundred thousand files, so no list waits for this: it is done in a thread that steps back
behind all others, and given up where a disk takes too long. Folders are opened one below the other without following
links, and nothing is looked at that is mounted in a prefix.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from .. import typed
from ..errors import BrokenRecord, HpcenvError, LocationUnavailable
from ..files import DEEPEST, make_private, read_regular, unreadable, write_json
from ..models import Environment, Size, utc_now
from ..names import is_environment_id
from ..patience import Patience, Slow
from ..site import Site

#: Bytes of a block as stat counts them, whatever the filesystem's own blocks are (stat(2)).
BLOCK = 512

#: Folders whose time changes when packages come or go.
_TELLING = ("", ".hpcenv", "bin", "conda-meta", "lib")


class Weight(msgspec.Struct, kw_only=True):
    """What lies in a folder. What is shared is the same file elsewhere, such as a cache; it is counted once here."""

    bytes: int = 0
    files: int = 0
    shared_bytes: int = 0
    shared_files: int = 0


class _Kept(msgspec.Struct, kw_only=True):
    """What lies on disk: the size, and how the environment stood when it was measured."""

    stamp: list[str]
    size: Size


class Sizes:
    """The sizes of one user's environments; safe to use from threads."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._patience = Patience(float(site.size_patience))

    def known(self, row: Environment) -> Size:
        """Return the size of *row* as it was measured, or one that says that it is not known, or not any more."""
        kept = self._kept(row.id)
        if kept is None:
            return _unknown(row)
        same = row.state == "missing" or kept.stamp == stamp_of(row.prefix)
        return msgspec.structs.replace(
            kept.size, name=row.name, location=row.location, outdated=not same, message=_why(row)
        )

    def measure(self, row: Environment, check: Callable[[], None] = lambda: None) -> Size:
        """Measure *row* now and keep that; raises `LocationUnavailable` where the disk takes too long.

        *check* is called between folders, and may raise.
        """
        stamp = stamp_of(row.prefix)

        def weighed() -> Weight:
            step_back()
            until = time.monotonic() + self._site.size_patience

            def between() -> None:
                check()
                if time.monotonic() > until:
                    raise Slow(row.name)

            return weigh(Path(row.prefix), between)

        try:
            weight = self._patience.ask(f"size {row.prefix}", weighed)
        except Slow:
            raise LocationUnavailable(
                f"{row.name} could not be measured within {self._site.size_patience} s.",
                hints=["Try again when its filesystem is less busy.", "Staff can raise c.Site.size_patience."],
            ) from None
        size = Size(
            environment=row.id,
            name=row.name,
            location=row.location,
            measured=utc_now(),
            **{field: getattr(weight, field) for field in Weight.__struct_fields__},
        )
        with contextlib.suppress(HpcenvError):  # on a full disk it is measured again next time
            write_json(self._path(row.id), _Kept(stamp=stamp, size=size))
        return size

    def forget(self, known: set[str]) -> int:
        """Remove what is kept of environments that are not among *known* ids; return how many went."""
        gone = 0
        for path in self._folder.glob("*.json"):
            if path.stem not in known and is_environment_id(path.stem):
                with contextlib.suppress(OSError):
                    path.unlink()
                    gone += 1
        return gone

    @property
    def _folder(self) -> Path:
        return make_private(self._site.data_dir / "sizes")

    def _path(self, identifier: str) -> Path:
        return self._folder / f"{identifier}.json"

    def _kept(self, identifier: str) -> _Kept | None:
        with contextlib.suppress(OSError, BrokenRecord, msgspec.DecodeError):
            return typed.of_json(read_regular(self._path(identifier)), _Kept)
        return None


def _unknown(row: Environment) -> Size:
    return Size(environment=row.id, name=row.name, location=row.location, outdated=True, message=_why(row))


def _why(row: Environment) -> str:
    return row.message if row.state in ("missing", "slow") else ""


def stamp_of(prefix: str) -> list[str]:
    """Return how the folders stand whose time changes when packages or the record do."""
    root = Path(prefix)
    places = [root / name for name in _TELLING]
    with contextlib.suppress(OSError):
        places += sorted(root.glob("lib/python3.*/site-packages"))
    found = []
    for place in places:
        with contextlib.suppress(OSError):
            facts = place.stat()
            found.append(f"{place.relative_to(root)} {facts.st_ino} {facts.st_mtime_ns}")
    return found


def step_back() -> None:
    """Let this thread run only where nobody else wants to; Linux has a priority for each thread (nice(2))."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def weigh(folder: Path, check: Callable[[], None] = lambda: None) -> Weight:
    """Return what lies below *folder*, in bytes that are allocated; raises `LocationUnavailable`.

    A file with more names than were met counts as shared; what else may share blocks (a copy on write) is not seen.
    """
    links: dict[int, list[int]] = {}
    weight = Weight()
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            facts = os.fstat(handle)
            weight.bytes += facts.st_blocks * BLOCK
            weight.files += 1
            _weigh(handle, facts.st_dev, weight, links, check)
        finally:
            os.close(handle)
    except OSError as error:
        raise unreadable(error, folder) from error
    for met, names, size in links.values():
        if met < names:
            weight.shared_bytes += size
            weight.shared_files += 1
        else:
            weight.bytes += size
            weight.files += 1
    return weight


def _weigh(
    handle: int, device: int, weight: Weight, links: dict[int, list[int]], check: Callable[[], None], depth: int = 1
) -> None:
    check()
    if depth > DEEPEST:
        raise OSError(errno.ENAMETOOLONG, f"more than {DEEPEST} folders lie in each other")
    for name in os.listdir(handle):
        try:
            facts = os.stat(name, dir_fd=handle, follow_symlinks=False)
        except (FileNotFoundError, PermissionError):
            continue  # gone while we looked, or in a folder that can be listed and not entered
        if facts.st_dev != device:
            continue
        if stat.S_ISDIR(facts.st_mode):
            weight.bytes += facts.st_blocks * BLOCK
            weight.files += 1
            _below(handle, name, facts, weight, links, check, depth)
        elif facts.st_nlink > 1:
            links.setdefault(facts.st_ino, [0, facts.st_nlink, facts.st_blocks * BLOCK])[0] += 1
        else:
            weight.bytes += facts.st_blocks * BLOCK
            weight.files += 1


def _below(
    handle: int,
    name: str,
    facts: os.stat_result,
    weight: Weight,
    links: dict[int, list[int]],
    check: Callable[[], None],
    depth: int,
) -> None:
    try:
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # gone, or replaced, or closed to us
    except OSError as error:
        if error.errno == errno.ELOOP:  # it is a link by now
            return
        raise
    try:
        if os.path.samestat(os.fstat(below), facts):
            _weigh(below, facts.st_dev, weight, links, check, depth + 1)
    finally:
        os.close(below)
