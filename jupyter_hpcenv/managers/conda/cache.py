"""Look after the package cache that environments share: what it allows, and what killed transactions left in it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from ... import typed
from ...files import remove_tree, server_time

#: rattler takes this file of the folder with the packages for a whole transaction.
LOCK = ".cache.lock"
PACKAGES = "pkgs"

LEFT = 86_400.0  # seconds; no transaction that lives leaves a folder of its own alone for so long
AT_ONCE = 10  # others wait for the lock meanwhile, and whoever sweeps wants to be done

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EBADF, errno.EOPNOTSUPP, errno.EINVAL)
_UNPACKING = re.compile(r"\..+-[^-]+-[^-]+\w{6}")  # of rattler and ourselves: a dot, the package, some letters
_TEMPORARY = re.compile(r"\.tmp\w+")  # of rattler, among the indexes


def make(cache: Path) -> None:
    """Make the folders of a cache, for who may use the folder above it."""
    (cache / PACKAGES).mkdir(parents=True, exist_ok=True)


def takes_locks(cache: Path) -> bool:
    """Tell whether the filesystem of *cache* can lock files, which rattler needs; some network filesystems refuse."""
    make(cache)
    with _lock(cache) as held:
        return held is not None


def is_busy(cache: Path) -> bool:
    """Tell whether another transaction uses *cache* now, so that one would have to wait for it."""
    with _lock(cache) as held:
        return held is False


@contextlib.contextmanager
def _lock(cache: Path) -> Iterator[bool | None]:
    """Take the lock of *cache* if it is free: True; False if another one has it, None where there is no locking."""
    descriptor = os.open(cache / PACKAGES / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            yield None
        else:
            yield True
    finally:
        os.close(descriptor)


def sweep_cache(cache: Path, older: float = LEFT, most: int | None = None) -> int:
    """Remove what killed transactions of this user left in *cache*, *most* of them at once; return how much went.

    These are half unpacked packages and half written indexes. They go only while nobody holds rattler's lock, and
    when they have been left alone for *older* seconds by the file server's clock: a lock of another host may not be
    seen here. Whole packages are never touched, for environments are linked to them.
    """
    folders = [(cache / PACKAGES, _UNPACKING), (cache / "repodata", _TEMPORARY)]
    found = [path for folder, pattern in folders for path in _left(folder, pattern, older)]
    if not found:
        return 0
    gone = 0
    with _lock(cache) as held:
        for path in found[:most] if held else []:
            with contextlib.suppress(OSError):
                remove_tree(path)
                gone += 1
    return gone


def _left(folder: Path, pattern: re.Pattern[str], older: float) -> list[Path]:
    """Return what in *folder* is named so, belongs to this user, and was left alone."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        named = [entry for entry in entries if pattern.fullmatch(entry.name)]
        mine = [Path(each.path) for each in named if each.stat(follow_symlinks=False).st_uid == os.geteuid()]
        now = server_time(folder) if mine else None
        return [path for path in mine if now is not None and now - _newest(path) > older]
    return []


def _newest(path: Path) -> float:
    """Return when something in *path* last changed; files that are unpacked keep old dates, but not as entries."""
    newest = path.stat(follow_symlinks=False).st_ctime
    for folder, below, names in os.walk(path):
        for name in [*below, *names]:
            with contextlib.suppress(OSError):
                newest = max(newest, Path(folder, name).stat(follow_symlinks=False).st_ctime)
    return newest


def takes_hardlinks(cache: Path, prefix: Path) -> bool:
    """Tell whether files in *cache* can be hardlinked into *prefix*, which exists: one filesystem, one quota."""
    name = f".hpcenv-tmp-{secrets.token_hex(6)}"
    here, there = cache / PACKAGES / name, prefix / name
    try:
        here.touch(0o600)
        os.link(here, there)
    except OSError:
        return False
    finally:
        for path in (here, there):
            with contextlib.suppress(OSError):
                path.unlink()
    return True


def count_files(cache: Path, stem: str) -> int | None:
    """Return how many files a package (NAME-VERSION-BUILD) in the cache has; None if it is not there."""
    try:
        paths = typed.of_json((cache / PACKAGES / stem / "info" / "paths.json").read_bytes(), _Paths)
    except (OSError, msgspec.DecodeError):
        return None
    return len(paths.paths)


class _Paths(msgspec.Struct):
    paths: list[msgspec.Raw] = []


def foreign_group(prefix: Path) -> int | None:
    """Return a group that files below *prefix* belong to though the folder itself is of another, or None.

    A file that is hardlinked from the cache keeps the group that it has there, and counts against that quota.
    """
    own, waiting = prefix.stat().st_gid, [str(prefix)]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif (group := entry.stat(follow_symlinks=False).st_gid) != own:
                    return group
    return None


def freshen(prefix: Path, names: Iterable[str]) -> None:
    """Give files below *prefix* the date of today, unless they are shared with others by a hardlink."""
    for name in names:
        path = prefix / name
        with contextlib.suppress(OSError):
            if path.stat(follow_symlinks=False).st_nlink == 1:
                os.utime(path, follow_symlinks=False)
