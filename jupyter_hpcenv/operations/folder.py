"""The files of one operation, and how each is read and written.

``operation.json`` (the ticket, written once) · ``status.json`` (replaced by the owner) · ``final.json`` (the
last status, written once, whoever owns it) · ``log.jsonl`` (appended by the worker) · ``cancel`` (its being
there is the flag) · ``worker.out`` (a crash's last words).
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from .. import typed
from ..errors import BrokenRecord
from ..files import decode, read_regular, unreadable, write_json, write_once
from ..models import FINISHED, LogLine, LogPart, Status, Ticket

_LOG_PART = 512 * 1024  # bytes of log in one answer


class Folder:
    """One operation on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def id(self) -> str:
        """The operation's id, which is the folder's name."""
        return self.path.name

    def ticket(self) -> Ticket:
        """Return what was submitted; raises FileNotFoundError, `BrokenRecord`."""
        return decode(read_regular(self.path / "operation.json", 5_000_000), Ticket, str(self.path))

    def status(self) -> Status:
        """Return how it stands; before the worker's first word that is “pending”.

        A final status is final: a worker that slept while it was taken over may still write another one.
        """
        with contextlib.suppress(FileNotFoundError, BrokenRecord):
            return decode(read_regular(self.path / "final.json"), Status, str(self.path))
        try:
            return decode(read_regular(self.path / "status.json"), Status, str(self.path))
        except FileNotFoundError:
            return Status()

    def write_status(self, status: Status, guard: Callable[[], None] | None = None) -> None:
        """Replace the status; only the owner may, so *guard* raises for anybody else."""
        write_json(self.path / "status.json", status, guard=guard)

    def write_final(self, status: Status) -> bool:
        """Write the last status, if nobody else has; tell whether it was this one."""
        return write_once(self.path / "final.json", msgspec.json.encode(status))

    def heartbeat(self) -> None:
        """Show that the worker lives, to hosts that can not see its process."""
        with contextlib.suppress(OSError):
            os.utime(self.path / "status.json")

    @property
    def cancelling(self) -> bool:
        """Tell whether somebody asked it to stop."""
        return self.cancel_path.exists()

    @property
    def cancel_path(self) -> Path:
        """Where the flag lies; its time is when it was set."""
        return self.path / "cancel"

    def ask_to_cancel(self) -> None:
        """Set the flag that the worker polls; a host that can not signal it can do this."""
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.cancel_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    @property
    def log_path(self) -> Path:
        """Where the log lies."""
        return self.path / "log.jsonl"

    def log_size(self) -> int:
        """Return the bytes of the log so far."""
        try:
            return self.log_path.stat().st_size
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise unreadable(error, self.log_path) from error

    def log(self, offset: int) -> LogPart:
        """Return whole lines from byte *offset* on, at most half a megabyte of them."""
        finished = self.status().state in FINISHED  # read first: no line follows the final status
        try:
            descriptor = os.open(self.log_path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return LogPart(lines=[], offset=0, complete=finished)
        except OSError as error:
            raise unreadable(error, self.log_path) from error
        try:
            size = os.fstat(descriptor).st_size
            begin = min(offset, size)
            data = os.pread(descriptor, _LOG_PART, begin)
        except OSError as error:
            raise unreadable(error, self.log_path) from error
        finally:
            os.close(descriptor)
        whole = data.rfind(b"\n") + 1
        lines = [line for raw in data[:whole].splitlines() if (line := _decoded(raw)) is not None]
        end = begin + whole
        return LogPart(lines=lines, offset=end, complete=finished and end >= size - (len(data) - whole))

    def words_of_the_worker(self) -> str:
        """Return what the worker printed outside its log: a traceback, or nothing."""
        with contextlib.suppress(OSError, BrokenRecord):
            return read_regular(self.path / "worker.out", 10_000_000)[-4_000:].decode(errors="replace").strip()
        return ""


def _decoded(raw: bytes) -> LogLine | None:
    with contextlib.suppress(msgspec.DecodeError):
        return typed.of_json(raw, LogLine)
    return None


def seconds_since(moment: str) -> float:
    """Return the seconds since an ISO time of ours."""
    then = datetime.datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return (datetime.datetime.now(datetime.timezone.utc) - then).total_seconds()
