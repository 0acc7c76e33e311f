"""Write, read, publish and remove files so that a crash leaves the old state or the new one.

Homes are on NFS and Lustre: a rename is the only commit, and nothing here needs flock. What another
user may have written is opened without following links and without blocking, and is capped in size.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from .errors import BrokenRecord, DiskFull, LocationUnavailable, NewerRecord, Refused
from .models import RECORD_VERSION

T = TypeVar("T")

FULL = (errno.ENOSPC, errno.EDQUOT)
_TEMPORARY = ".hpcenv-tmp-"


def write_atomic(path: Path, data: bytes, mode: int = 0o600, guard: Callable[[], None] | None = None) -> None:
    """Replace *path* by *data* in one step; after a crash the old bytes or the new ones are there.

    *guard* is called right before that step, when the new bytes lie beside *path* already, and may raise:
    who takes a folder over removes what lies there, so the step then fails for whom it was taken from.
    Raises `DiskFull` when bytes, files or quota are used up, `LocationUnavailable` for other refusals.
    """
    temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(6)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
            written = os.fstat(descriptor)
        finally:
            os.close(descriptor)  # NFS and quotas may report only here
        if guard is not None:
            guard()
        try:
            os.replace(temporary, path)  # noqa: PTH105
        except OSError:
            if not _is_at(path, written):  # NFS may have done it and lost the answer: look first
                raise
        sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise explain(error, path) from error
        raise


def _is_at(path: Path, facts: os.stat_result) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.stat(path, follow_symlinks=False), facts)  # noqa: PTH116
    return False


def write_json(path: Path, value: object, mode: int = 0o600, guard: Callable[[], None] | None = None) -> None:
    """Write *value* as indented JSON, atomically; people read these files."""
    write_atomic(path, msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n", mode, guard)


def explain(error: OSError, path: Path) -> DiskFull | LocationUnavailable:
    """Return the error of ours that says what an OSError means for *path*."""
    if error.errno in FULL:
        return DiskFull(
            f"Nothing more can be written to {path.parent}: {os.strerror(error.errno or 0).lower()}.",
            hints=[
                "Empty the trash, or delete environments that you no longer need.",
                "Choose a location with more room.",
            ],
        )
    return LocationUnavailable(
        f"{path} can not be written: {(error.strerror or str(error)).lower()}.",
        hints=["See whether the folder exists, is mounted, and belongs to you."],
    )


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, where the filesystem can (some network ones refuse)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


def read_regular(path: Path, limit: int = 1_000_000) -> bytes:
    """Return the bytes of a regular file of at most *limit* bytes; never follows a last link or blocks.

    FileNotFoundError and NotADirectoryError pass; anything else that is odd is `BrokenRecord`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise BrokenRecord(f"{path} can not be read: {(error.strerror or str(error)).lower()}.") from error
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise BrokenRecord(f"{path} is not a regular file.")
        if facts.st_size > limit:
            raise BrokenRecord(f"{path} has {facts.st_size} bytes; more than {limit} are not read.")
        parts = []
        left = limit + 1
        while left and (part := os.read(descriptor, min(left, 1 << 20))):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
    except OSError as error:
        raise BrokenRecord(f"{path} can not be read: {(error.strerror or str(error)).lower()}.") from error
    finally:
        with contextlib.suppress(OSError):  # what was read is read
            os.close(descriptor)


def decode(data: bytes, kind: type[T], what: str) -> T:
    """Return *data* as *kind*; raise `NewerRecord` for a later version, `BrokenRecord` for anything else."""
    try:
        version = msgspec.json.decode(data, type=_Versioned).version
        if version > RECORD_VERSION:
            raise NewerRecord(
                f"{what} was written by a newer jupyter_hpcenv (version {version}; this one reads {RECORD_VERSION}).",
                hints=["Use the newer jupyter_hpcenv; this one leaves the file as it is."],
            )
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BrokenRecord(f"{what} is damaged: {error}.") from error


class _Versioned(msgspec.Struct):
    version: int = RECORD_VERSION


def make_private(folder: Path) -> Path:
    """Create *folder* (and parents) for this user alone, or check that it is; return it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.stat()
        if facts.st_uid != os.geteuid():
            raise Refused(
                f"{folder} belongs to another user (uid {facts.st_uid}).",
                hints=["Remove or rename that folder, or set JUPYTER_DATA_DIR to one of your own."],
            )
        if facts.st_mode & 0o022:
            folder.chmod(0o700)
    except OSError as error:
        raise explain(error, folder) from error
    return folder


def publish_dir(source: Path, target: Path) -> None:
    """Put the ready folder *source* at *target*, replacing a folder there; both on one filesystem.

    A folder can not be renamed over one that is not empty, so the old one steps aside first; the
    gap is two renames long, and the caller rolls forward what a crash leaves in it.
    """
    aside = source.with_name(f"{_TEMPORARY}{secrets.token_hex(6)}")
    try:
        with contextlib.suppress(FileNotFoundError):
            os.rename(target, aside)  # noqa: PTH104
        os.rename(source, target)  # noqa: PTH104
        sync_folder(target.parent)
    except OSError as error:
        if aside.exists() and not target.exists():
            with contextlib.suppress(OSError):
                os.rename(aside, target)  # noqa: PTH104
        raise explain(error, target) from error
    with contextlib.suppress(FileNotFoundError):
        remove_tree(aside)


def remove_tree(
    path: Path, *, opened: Callable[[], None] | None = None, emptied: Callable[[], None] | None = None
) -> None:
    """Remove a folder and what is below it, or a single file; never follows a link, never leaves the device.

    Works by folder descriptors, so that nobody can swap a link in between (CVE-2023-6597 was that).
    A folder of ours without write permission is opened up first. *opened* is called once the folder is
    held (when it raises, nothing is removed), *emptied* before the empty folder itself goes. Raises
    OSError for what stays.
    """
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        facts = os.stat(path.name, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISDIR(facts.st_mode):
            _remove_below(parent, path.name, facts.st_dev, opened)
            if emptied is not None:
                emptied()
            os.rmdir(path.name, dir_fd=parent)
        else:
            os.unlink(path.name, dir_fd=parent)
    finally:
        os.close(parent)


def _remove_below(parent: int, name: str, device: int, opened: Callable[[], None] | None = None) -> None:
    folder = _open_folder(parent, name)
    try:
        if opened is not None:
            opened()
        facts = os.fstat(folder)
        if facts.st_dev != device:
            raise OSError(errno.EXDEV, "another filesystem is mounted there", name)
        if facts.st_mode & 0o700 != 0o700 and facts.st_uid == os.geteuid():
            os.fchmod(folder, 0o700)
        with os.scandir(folder) as entries:
            listed = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for entry_name, is_folder in listed:
            if is_folder:
                _remove_below(folder, entry_name, device)
                os.rmdir(entry_name, dir_fd=folder)
            else:
                os.unlink(entry_name, dir_fd=folder)
    finally:
        os.close(folder)


def _open_folder(parent: int, name: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=parent)
    except PermissionError:
        facts = os.stat(name, dir_fd=parent, follow_symlinks=False)
        handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            if facts.st_uid != os.geteuid() or os.fstat(handle).st_ino != facts.st_ino:
                raise
            Path(f"/proc/self/fd/{handle}").chmod(0o700)
        finally:
            os.close(handle)
        return os.open(name, flags, dir_fd=parent)
