"""Register prefixes in ``~/.conda/environments.txt``, where conda, mamba and editors look for environments.

conda does not lock that file. So one line is added in one write, and to take one off the file is replaced whole, and
looked afterwards whether somebody added to the old one meanwhile. Among ourselves we lock, where the filesystem can.
What goes wrong here is a warning, never a failure.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ...errors import HpcenvError
from ...files import write_atomic

_LARGEST = 16_000_000  # bytes
_TRIES = 20
_PATIENCE = 2.0  # seconds for a lock that somebody has


def register(prefix: Path) -> str:
    """Tell conda's list of environments of *prefix*; return why that did not work, or nothing."""
    line = os.path.normpath(prefix)
    if not line.isprintable():
        return "The prefix has characters that conda's list of environments can not hold."
    return _until_done(lambda path: _added(path, line))


def unregister(prefix: Path) -> str:
    """Take *prefix* off conda's list of environments; return why that did not work, or nothing."""
    line = os.path.normpath(prefix)
    return _until_done(lambda path: _removed(path, line))


def _until_done(attempt: Callable[[Path], bool]) -> str:
    try:
        path = Path(os.path.realpath(Path("~/.conda/environments.txt").expanduser()))  # staff advise links for it
        for _ in range(_TRIES):
            if attempt(path):
                return ""
    except (OSError, HpcenvError, RuntimeError) as error:
        words = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        return f"conda's list of environments could not be written: {words.rstrip('.')}."
    return "conda's list of environments could not be written: others write it all the time."


def _added(path: Path, line: str) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    with _current(path, os.O_CREAT) as descriptor:
        if os.fsencode(line) not in map(bytes.strip, _read(descriptor).splitlines()):
            _append(descriptor, line)
        return _is_current(path, descriptor)  # who does not lock may have replaced the file meanwhile


def _removed(path: Path, line: str) -> bool:
    try:
        with _current(path) as descriptor:
            facts, before = os.fstat(descriptor), _read(descriptor)
            kept = [each for each in before.splitlines(keepends=True) if each.strip() != os.fsencode(line)]
            if b"".join(kept) == before:
                return _is_current(path, descriptor)

            def guard() -> None:
                if not _is_current(path, descriptor) or os.fstat(descriptor).st_size != len(before):
                    raise _Moved

            write_atomic(path, b"".join(kept), facts.st_mode & 0o777, guard)
            late = _read(descriptor)[len(before) :].splitlines()  # by somebody who does not lock
    except FileNotFoundError:
        return True
    except _Moved:
        return False
    return all(_added(path, os.fsdecode(each.strip())) for each in late if each.strip())


class _Moved(Exception):
    """Somebody else wrote the file meanwhile."""


@contextlib.contextmanager
def _current(path: Path, create: int = 0) -> Iterator[int]:
    """Open the file and take its lock, as far as there are locks; who had it may have put another file there."""
    for tries_left in reversed(range(_TRIES)):
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK | create
        descriptor = os.open(path, flags, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is not a regular file")
            _lock(descriptor)
            if _is_current(path, descriptor) or not tries_left:
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        except OSError:
            return  # no locks here
        else:
            return


def _is_current(path: Path, descriptor: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


def _read(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    if size > _LARGEST:
        raise OSError(errno.EFBIG, "the file is too large")
    return os.pread(descriptor, size, 0)


def _append(descriptor: int, line: str) -> None:
    before = _read(descriptor)
    start = "" if not before or before.endswith(b"\n") else "\n"
    os.write(descriptor, os.fsencode(f"{start}{line}\n"))
