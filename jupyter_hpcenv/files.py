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
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from . import typed
from .errors import BrokenRecord, DiskFull, LocationUnavailable, NewerRecord, Refused
from .models import RECORD_VERSION

T = TypeVar("T")

FULL = (errno.ENOSPC, errno.EDQUOT)
_TEMPORARY = ".hpcenv-tmp-"
PROBE = ".tmp-"

DEEPEST = 200  # folders in each other; each takes a descriptor, of which a process may have 1,024
_WATCHED = 1_000  # files that a watch remembers; to forget them costs a later answer, never a wrong one

#: How the names of all our temporary files and folders begin.
TEMPORARY = (_TEMPORARY, PROBE, ".new-")

#: What a file server says that does not answer now: nothing is known of the file, good or bad.
SILENT = (errno.ESTALE, errno.EIO, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENOTCONN, errno.EREMOTEIO)


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


def write_once(path: Path, data: bytes, mode: int = 0o600) -> bool:
    """Put *data* at *path* unless something is there, in one step; tell whether this caller did it.

    Of many who try, one does. To look first and then rename could not promise that: who sleeps between the
    two would replace what another one wrote meanwhile. Raises like `write_atomic`.
    """
    temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(6)}")
    write_atomic(temporary, data, mode)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if temporary.stat().st_nlink == 2:  # NFS may have done it and lost the answer: look first
            return True
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK):
            raise explain(error, path) from error
        return _create_once(path, data, mode)  # a filesystem without hard links
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return True


def _create_once(path: Path, data: bytes, mode: int) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except FileExistsError:
        return False
    except OSError as error:
        raise explain(error, path) from error
    with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor
        file.write(data)
    return True


class Watch:
    """Tell how long files have been left alone, whatever the clocks of hosts say; safe to use from threads.

    A file's time is the file server's, so it is compared with that of a file made now. A time that lies ahead
    proves nothing; then it counts how long this process itself has seen the file unchanged.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[tuple[int, int], float]] = {}

    def silence(self, path: Path) -> float:
        """Return the seconds since *path* last changed; 0 where that can not be told."""
        try:
            facts = path.stat(follow_symlinks=False)
        except OSError:
            self._seen.pop(str(path), None)
            return 0.0
        stamp = (facts.st_mtime_ns, facts.st_ino)
        known = self._seen.get(str(path))
        if known is None or known[0] != stamp:
            if len(self._seen) > _WATCHED:
                self._seen.clear()
            known = self._seen[str(path)] = (stamp, time.monotonic())
        now = server_time(path.parent)
        return max(time.monotonic() - known[1], 0.0 if now is None else now - facts.st_mtime)


def server_time(folder: Path) -> float | None:
    """Return what time it is on the file server of *folder*, or None where no file can be made to ask it."""
    probe = folder / f"{PROBE}{secrets.token_hex(6)}"
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        return probe.stat(follow_symlinks=False).st_mtime
    except OSError:
        return None
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


def clear_temporary(folder: Path, older: float, *, everything: bool = False) -> int:
    """Remove this user's temporary files from *folder* that a crash left; return how many went.

    They are older than *older* seconds by the file server's clock, which no writer of ours takes. With
    *everything* the whole folder is for such files.
    """
    cleared = 0
    with contextlib.suppress(OSError):
        with os.scandir(folder) as entries:
            found = [
                (entry.path, facts.st_mtime)
                for entry in entries
                if (everything or entry.name.startswith(TEMPORARY))
                and (facts := entry.stat(follow_symlinks=False)).st_uid == os.geteuid()
            ]
        now = server_time(folder) if found else None
        for path, changed in found:
            if now is not None and now - changed > older:
                with contextlib.suppress(OSError):
                    remove_tree(Path(path))
                    cleared += 1
    return cleared


def unreadable(error: OSError, path: Path) -> LocationUnavailable:
    """Return the error of ours that says that nothing is known of what lies at *path*, instead of an empty list."""
    return LocationUnavailable(
        f"{path} can not be read now: {(error.strerror or str(error)).lower()}.",
        hints=["Try again in a moment.", "See whether its filesystem is mounted, and whether you may read it."],
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

    FileNotFoundError and NotADirectoryError pass; anything else that is odd is `BrokenRecord`. A handle that
    went stale, because another host replaced the file meanwhile, is opened once more.
    """
    try:
        return _read_regular(path, limit)
    except BrokenRecord as error:
        if not is_stale(error.__cause__):
            raise
        return _read_regular(path, limit)


def is_stale(error: BaseException | None) -> bool:
    """Tell whether a handle of NFS pointed to what is gone: to open again may help."""
    return isinstance(error, OSError) and error.errno == errno.ESTALE


def is_silent(error: BaseException) -> bool:
    """Tell whether *error*, or the `BrokenRecord` made of it, says only that the file server does not answer."""
    return any(isinstance(each, OSError) and each.errno in SILENT for each in (error, error.__cause__))


def _read_regular(path: Path, limit: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise _unread(path, error) from error
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
        raise _unread(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # what was read is read
            os.close(descriptor)


def _unread(path: Path, error: OSError) -> BrokenRecord:
    hints = ["Try again in a moment."] if is_silent(error) else ["See what it is, and whether you may read it."]
    return BrokenRecord(f"{path} can not be read: {(error.strerror or str(error)).lower()}.", hints=hints)


def decode(data: bytes, kind: type[T], what: str) -> T:
    """Return *data* as *kind*; raise `NewerRecord` for a later version, `BrokenRecord` for anything else."""
    try:
        version = typed.of_json(data, _Versioned).version
        if version > RECORD_VERSION:
            raise NewerRecord(
                f"{what} was written by a newer jupyter_hpcenv (version {version}; this one reads {RECORD_VERSION}).",
                hints=["Use the newer jupyter_hpcenv; this one leaves the file as it is."],
            )
        return typed.of_json(data, kind)
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


def rename_new(source: Path, target: Path) -> None:
    """Rename *source* to *target* where nothing is; FileExistsError if something is, be it an empty folder.

    A plain rename would replace an empty folder without a word. Where the filesystem has no better one, as NFS,
    it is looked first, and somebody may be faster in between.
    """
    facts = os.stat(source, follow_symlinks=False)  # noqa: PTH116
    try:
        _rename_no_replace(source, target)
    except OSError as error:
        if not _is_at(target, facts):  # NFS may have done it and lost the answer: look first
            raise FileExistsError(*error.args) if error.errno == errno.ENOTEMPTY else error from None


def _rename_no_replace(source: Path, target: Path) -> None:
    number = _renameat2(os.fsencode(source), os.fsencode(target))
    if number == 0:
        return
    if number not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        raise OSError(number, os.strerror(number), str(source), None, str(target))
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    os.rename(source, target)  # noqa: PTH104


def _renameat2(source: bytes, target: bytes) -> int:
    """Call renameat2 with RENAME_NOREPLACE; return 0, or the number of the error."""
    import ctypes  # not at the top: most commands rename nothing

    here, no_replace = -100, 1  # AT_FDCWD, RENAME_NOREPLACE
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # a C library without it
        return errno.ENOSYS
    return ctypes.get_errno() if call(here, source, here, target, no_replace) else 0


def publish_dir(source: Path, target: Path) -> None:
    """Put the ready folder *source* at *target*, replacing a folder there; both on one filesystem.

    A folder can not be renamed over one that is not empty, so the old one steps aside first; the
    gap is two renames long, and the caller rolls forward what a crash leaves in it.
    """
    aside = source.with_name(f"{_TEMPORARY}{secrets.token_hex(6)}")
    try:
        with contextlib.suppress(FileNotFoundError):
            os.rename(target, aside)  # noqa: PTH104
        rename_new(source, target)
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
        while _remove_some(folder, name, device, folder, 1):
            pass
    finally:
        os.close(folder)


def _remove_some(folder: int, name: str, device: int, top: int, depth: int) -> bool:
    """Remove what an open folder holds; tell whether something too deep was moved up into *top*, to be removed there.

    Each level takes a descriptor and a frame, and there may be thousands of levels.
    """
    moved = False
    facts = os.fstat(folder)
    if facts.st_dev != device:
        raise OSError(errno.EXDEV, "another filesystem is mounted there", name)
    if facts.st_mode & 0o700 != 0o700 and facts.st_uid == os.geteuid():
        os.fchmod(folder, 0o700)
    with os.scandir(folder) as entries:
        listed = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for entry_name, is_folder in listed:
        if not is_folder:
            os.unlink(entry_name, dir_fd=folder)
            continue
        below = _open_folder(folder, entry_name)
        try:
            if depth < DEEPEST:
                moved |= _remove_some(below, entry_name, device, top, depth + 1)
            else:
                os.fchmod(below, 0o700)  # a folder that moves is written to
        finally:
            os.close(below)
        if depth < DEEPEST:
            os.rmdir(entry_name, dir_fd=folder)
        else:
            os.rename(entry_name, f".deep-{secrets.token_hex(8)}", src_dir_fd=folder, dst_dir_fd=top)
            moved = True
    return moved


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
