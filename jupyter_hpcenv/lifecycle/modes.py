"""Set who may read a prefix, and keep the way back: file by file, through descriptors, never through a link.

An inode that has more than one name is never touched: a cache of packages, or somebody's own file, may be the other
one. It is replaced by a copy first.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..errors import InvalidRequest, Refused
from ..files import DEEPEST, TEMPORARY
from ..models import Sharing

OURS = ".hpcenv"

#: What colleagues read of ours. All else there is private: notes of changes, ways back, temporary files.
_SHOWN = (
    *("environment.json", "launch", "load.bash", "conda.bash", "activate.sh", "activate.csh", "activate.fish"),
    *("target.sh", "own.sh", "own.csh", "own.fish", "own.tcl", "builds"),  # of one with several builds
)

_CHUNK = 1 << 20
_NO_GROUP = 0xFFFFFFFF  # what Linux calls “no change”, and all beyond


class Kept(msgspec.Struct, array_like=True, frozen=True):
    """How a file or folder was before."""

    mode: int
    gid: int


class Entry(NamedTuple):
    """A file or folder of a prefix, held so that nobody can put another one in its place."""

    path: str
    """Below the prefix; empty for the prefix itself."""
    parent: int
    name: str
    handle: int
    facts: os.stat_result

    @property
    def kept(self) -> Kept:
        """How it is now."""
        return Kept(stat.S_IMODE(self.facts.st_mode), self.facts.st_gid)


def gid_of(sharing: Sharing) -> int | None:
    """Return the number of the group that an environment is shared with, None for everybody; raises `InvalidRequest`.

    Only a group of one's own can be given to files.
    """
    if not sharing.group:
        return None
    try:
        number = sharing.group.isascii() and sharing.group.isdigit()
        gid = int(sharing.group[:20]) if number else grp.getgrnam(sharing.group).gr_gid
        if gid >= _NO_GROUP:
            raise KeyError(gid)
    except (KeyError, ValueError):
        raise InvalidRequest(f"There is no group {sharing.group!r}.", hints=[_own_groups()]) from None
    if os.geteuid() != 0 and gid not in {os.getegid(), *os.getgroups()}:
        raise Refused(f"You are not a member of the group {sharing.group}.", hints=[_own_groups()])
    return gid


def _own_groups() -> str:
    names = []
    for gid in sorted({os.getegid(), *os.getgroups()}):
        try:
            names.append(grp.getgrgid(gid).gr_name)
        except KeyError:
            names.append(str(gid))
    return f"Your groups: {', '.join(names)}."


def wanted(kept: Kept, sharing: Sharing | None, gid: int | None, *, folder: bool) -> Kept:
    """Return how a file or folder is to be: readable, and executable where its owner may, for whom it is shared with.

    Nobody but the owner may write it, and no program gets the rights of its owner or group.
    """
    own = kept.mode & 0o700
    if sharing is None:
        return Kept(own, os.getegid())
    readable = own & 0o500
    if gid is None:
        return Kept(own | readable >> 3 | readable >> 6, kept.gid)
    return Kept(own | readable >> 3 | (stat.S_ISGID if folder else 0), gid)


def survey(prefix: Path) -> dict[str, Kept]:
    """Return how all that can be shared of a prefix is now; raises `Refused` for what is not the user's own."""
    return {entry.path: entry.kept for entry in _entries(prefix)}


def separate(prefix: Path, check: Callable[[], None]) -> int:
    """Give each file that has other names elsewhere an inode of its own; return how many did."""
    count = 0
    for entry in _entries(prefix):
        if _is_linked(entry):
            check()
            _copy(entry)
            count += 1
    return count


def give(prefix: Path, sharing: Sharing | None, check: Callable[[], None]) -> None:
    """Let those whom *sharing* names read the prefix, None: nobody but its owner.

    What is right already stays untouched. To open, the prefix itself comes last; to close, first: so nobody ever
    finds it half open.
    """
    gid = gid_of(sharing) if sharing else None

    def settle(entry: Entry) -> None:
        check()
        target = wanted(entry.kept, sharing, gid, folder=stat.S_ISDIR(entry.facts.st_mode))
        if entry.kept != target:
            _set(_copy(entry) if _is_linked(entry) else entry, target)

    if sharing is None:
        _set_top(prefix, settle)
    for entry in _entries(prefix):
        settle(entry)


def put_back(prefix: Path, before: dict[str, Kept]) -> None:
    """Set modes and groups as they were, and remove copies that were not finished."""
    for entry in _entries(prefix, litter=True):
        if entry.name.startswith(TEMPORARY) and entry.path:
            os.unlink(entry.name, dir_fd=entry.parent)
        elif (kept := before.get(entry.path)) is not None and kept != entry.kept and not _is_linked(entry):
            _set(entry, kept)


def _set_top(prefix: Path, settle: Callable[[Entry], None]) -> None:
    parent = os.open(prefix.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _held(parent, prefix.name, "", None) as entry:
            if entry is not None:
                settle(entry)
    finally:
        os.close(parent)


def _is_linked(entry: Entry) -> bool:
    return stat.S_ISREG(entry.facts.st_mode) and entry.facts.st_nlink > 1


def _set(entry: Entry, kept: Kept) -> None:
    """Set group and mode of what is held; called with nothing that has another name."""
    name = f"/proc/self/fd/{entry.handle}"  # chmod by descriptor, also of what may not be opened for reading
    if not stat.S_ISDIR(entry.facts.st_mode) and os.stat(name).st_nlink > 1:  # noqa: PTH116
        raise Refused(
            f"{entry.path} has got another name in this moment, so its permissions are not changed.",
            hints=["See what makes links to files of the environment, then try again."],
        )
    if kept.gid != entry.facts.st_gid:
        os.chown(name, -1, kept.gid)
    os.chmod(name, kept.mode)  # noqa: PTH101  after chown, which may take bits away


def _copy(entry: Entry) -> Entry:
    """Replace a file by a copy of it that has the same mode and times; return that one, held by the same number."""
    temporary = f"{TEMPORARY[0]}{secrets.token_hex(6)}"
    source = os.open(entry.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=entry.parent)
    try:
        facts = os.fstat(source)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        copy = os.open(temporary, flags, 0o600, dir_fd=entry.parent)
        try:
            while part := os.read(source, _CHUNK):
                view = memoryview(part)
                while view:
                    view = view[os.write(copy, view) :]
            os.fchmod(copy, stat.S_IMODE(facts.st_mode) & 0o777)
            os.utime(copy, ns=(facts.st_atime_ns, facts.st_mtime_ns))  # compiled files go by the time
            os.fsync(copy)
        finally:
            os.close(copy)
        os.replace(temporary, entry.name, src_dir_fd=entry.parent, dst_dir_fd=entry.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=entry.parent)
        raise
    finally:
        os.close(source)
    held = os.open(entry.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=entry.parent)
    try:
        os.dup2(held, entry.handle, inheritable=False)
    finally:
        os.close(held)
    return entry._replace(facts=os.fstat(entry.handle))


def _entries(prefix: Path, *, litter: bool = False) -> Iterator[Entry]:
    """Yield files and folders of a prefix, a folder after what is in it, the prefix last; links are left out.

    What is mounted there, pipes and the like are left out, and so is what of ours is private.
    """
    parent = os.open(prefix.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _held(parent, prefix.name, "", None) as top:
            if top is None or not stat.S_ISDIR(top.facts.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(prefix))
            yield from _below(top, top.facts.st_dev, litter)
            yield top
    finally:
        os.close(parent)


def _below(folder: Entry, device: int, litter: bool, depth: int = 1) -> Iterator[Entry]:
    if depth > DEEPEST:
        raise OSError(errno.ENAMETOOLONG, f"more than {DEEPEST} folders lie in each other", folder.path)
    descriptor = os.open(folder.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder.parent)
    try:
        if not os.path.samestat(os.fstat(descriptor), folder.facts):
            raise OSError(errno.ESTALE, "another folder has taken its place", folder.path)
        for name in sorted(os.listdir(descriptor)):  # noqa: PTH208
            if name.startswith(TEMPORARY) and not litter:
                continue
            if folder.path == OURS and name not in _SHOWN and not name.startswith(TEMPORARY):
                continue
            path = f"{folder.path}/{name}" if folder.path else name
            with _held(descriptor, name, path, device) as entry:
                if entry is None:
                    continue
                if stat.S_ISDIR(entry.facts.st_mode):
                    yield from _below(entry, device, litter, depth + 1)
                yield entry
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _held(parent: int, name: str, path: str, device: int | None) -> Iterator[Entry | None]:
    """Hold a file or folder; None for a link, a pipe, or what lies on another device."""
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        facts = os.fstat(handle)
        elsewhere = device is not None and facts.st_dev != device
        if elsewhere or not (stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode)):
            yield None
        elif facts.st_uid != os.geteuid():
            raise Refused(
                f"{path or name} in it belongs to another user (uid {facts.st_uid}).",
                hints=["See what it is, and remove it or have its owner remove it."],
            )
        else:
            yield Entry(path, parent, name, handle, facts)
    finally:
        os.close(handle)
