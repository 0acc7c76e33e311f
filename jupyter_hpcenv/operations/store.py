"""Submit, list, follow and cancel operations; what a worker needs to own one.

An operation's folder appears whole (it is made aside and renamed), so nobody sees half a ticket.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import secrets
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..errors import BrokenRecord, Cancelled, HpcenvError, Interrupted, NotFound, WrongState
from ..files import (
    Watch,
    explain,
    is_silent,
    make_private,
    read_regular,
    remove_tree,
    server_time,
    sync_folder,
    unreadable,
    write_json,
    write_once,
)
from ..models import FINISHED, LogLine, LogPart, Operation, Status, Ticket, utc_now
from ..names import is_operation_id
from ..process import MARKER, environment, identity, kill, reap_workers, spawn_worker, terminate, wake
from ..site import Site
from . import liveness
from .folder import Folder, seconds_since
from .queue import Queue, ended, fetched, job_of, seen, waiting

__all__ = ["Operations", "Own"]

#: Bytes of output that a log keeps; steps and errors are written beyond it.
LOG_LIMIT = 20_000_000

_watch = Watch()


class Operations:
    """The operations of one user; methods block on the filesystem."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @property
    def queue(self) -> Queue:
        """The jobs of those operations that the batch system carries out."""
        return Queue(self._site, self.root)

    @property
    def root(self) -> Path:
        """The folder that holds an operation a folder."""
        return make_private(self._site.data_dir / "operations")

    # -- submitting -----------------------------------------------------

    def known(self, key: str) -> str | None:
        """Return the operation that was submitted with this idempotency key, or None."""
        place = make_private(self._site.data_dir / "keys") / hashlib.sha256(key.encode()).hexdigest()
        with contextlib.suppress(FileNotFoundError):
            known = read_regular(place, 1_000).decode(errors="replace")
            if is_operation_id(known) and (self.root / known).is_dir():
                return known
        return None

    def remember(self, key: str, operation: str) -> str | None:
        """Bind an idempotency key to *operation*; return the operation that has it already, or None."""
        place = make_private(self._site.data_dir / "keys") / hashlib.sha256(key.encode()).hexdigest()
        for _ in range(2):
            if write_once(place, operation.encode()):
                return None
            known = self.known(key)
            if known is not None:
                return known
            place.unlink(missing_ok=True)  # its operation failed to start, or was forgotten
        return None

    def forget_keys(self, older: float) -> int:
        """Remove idempotency keys whose operation is not there any more; return how many went."""
        folder, forgotten = make_private(self._site.data_dir / "keys"), 0
        now = server_time(folder)
        for place in folder.iterdir():
            with contextlib.suppress(BrokenRecord, OSError):
                known = read_regular(place, 1_000).decode(errors="replace")
                there = is_operation_id(known) and (self.root / known).is_dir()
                if not there and now is not None and now - place.stat().st_mtime > older:
                    place.unlink()
                    forgotten += 1
        return forgotten

    def submit(self, ticket: Ticket) -> Operation:
        """Write the operation's folder and start its worker; the claim must be held already."""
        root = self.root
        aside = root / f".new-{secrets.token_hex(6)}"
        try:
            aside.mkdir(mode=0o700)
            write_json(aside / "operation.json", ticket)
            write_json(aside / "status.json", Status(steps=ticket.steps))
            os.rename(aside, root / ticket.id)  # noqa: PTH104
            sync_folder(root)
        except BaseException as error:
            for made in (aside, root / ticket.id):
                shutil.rmtree(made, ignore_errors=True)
            if isinstance(error, OSError):
                raise explain(error, root) from error
            raise
        folder = Folder(root / ticket.id)
        try:
            self._start(folder, ticket)
        except BaseException:
            remove_tree(folder.path)
            raise
        return self._shown(folder)

    def send(self, folder: Folder, ticket: Ticket) -> None:
        """Send the job of an operation for which a worker here has fetched what it needs; raises `BatchRefused`."""
        self._start(folder, ticket)

    def _start(self, folder: Folder, ticket: Ticket) -> None:
        safe_path = ["-P"] if sys.version_info >= (3, 11) else []
        what_it_is = self._site.target_variables  # of this computer; a job finds those of its own
        env = environment(
            [*self._site.passthrough, *(what_it_is if ticket.batch is None else [])],
            {"JUPYTER_DATA_DIR": str(self._site.data_dir.parent), MARKER: folder.id},
        )
        argv = [sys.executable, *safe_path, "-m", "jupyter_hpcenv.worker", str(folder.path)]
        if ticket.batch is not None and not (ticket.fetch and fetched(folder) is None):
            self.queue.send(folder, ticket, argv, {k: v for k, v in env.items() if k not in what_it_is})
            return
        before = self._site.build_command if self._site.build_where == "command" else []
        spawn_worker([*before, *argv], env=env, log=folder.path / "worker.out")

    # -- reading --------------------------------------------------------

    def folders(self) -> Sequence[Folder]:
        """Return all operations' folders, newest first; also collects ended workers of this process."""
        reap_workers()
        root = self.root
        try:
            names = [name for name in os.listdir(root) if is_operation_id(name)]  # noqa: PTH208
        except OSError as error:  # that none is there would be a lie
            raise unreadable(error, root) from error
        return [Folder(root / name) for name in sorted(names, reverse=True)]

    def list(self) -> Sequence[Operation]:
        """Return all operations, newest first; a damaged one does not hide the others.

        Raises `LocationUnavailable` where one can not be read now: a list without it would say that it is gone.
        """
        found = []
        for folder in self.folders():
            try:
                found.append(self._shown(folder))
            except (BrokenRecord, FileNotFoundError, NotFound) as error:  # forgotten while we look
                if is_silent(error):
                    raise
        return found

    def get(self, identifier: str) -> Operation:
        """Return one operation; raises `NotFound`."""
        return self._shown(self.folder(identifier))

    def folder(self, identifier: str) -> Folder:
        """Return the folder of an operation; raises `NotFound`."""
        path = self.root / identifier
        try:
            there = is_operation_id(identifier) and path.is_dir()
        except OSError as error:
            raise unreadable(error, path) from error
        if not there:
            raise NotFound(f"There is no operation {identifier!r}.", hints=["List the operations to see what exists."])
        return Folder(path)

    def log(self, identifier: str, offset: int = 0) -> LogPart:
        """Return the log from byte *offset* on."""
        return self.folder(identifier).log(max(0, offset))

    def _shown(self, folder: Folder) -> Operation:
        try:
            ticket = folder.ticket()
        except FileNotFoundError:
            raise NotFound(f"There is no operation {folder.id!r} any more.") from None
        status = folder.status()
        state, error = status.state, status.error
        if liveness.is_dead(folder, status, ticket):
            state = "interrupted"
            error = error or gone(folder, status).body()
        job = seen(job_of(folder, ticket), state)
        number = sum(step.state != "todo" for step in status.steps)
        return Operation(
            id=ticket.id,
            verb=ticket.verb,
            state=state,
            cancelling=state not in FINISHED and folder.cancelling,
            environment=ticket.target,
            request=ticket.request,
            submitted=ticket.submitted,
            started=status.started,
            finished=status.finished,
            user=ticket.user,
            host=status.process.host if status.process else ticket.host,
            step=number,
            steps=status.steps or ticket.steps,
            progress=status.progress,
            error=error,
            result=status.result,
            log_size=folder.log_size(),
            job=job,
            waiting=waiting(job) if job is not None and state == "pending" else "",
        )

    # -- changing -------------------------------------------------------

    def cancel(self, identifier: str) -> Operation:
        """Ask an operation to stop: a flag, and a signal where the process can be reached."""
        folder = self.folder(identifier)
        status = folder.status()
        if status.state in FINISHED:
            raise WrongState(
                f"Operation {identifier} is {status.state} already.", hints=["There is nothing left to cancel."]
            )
        folder.ask_to_cancel()
        if status.process is not None and not status.closing:
            terminate(status.process)
            wake(status.process)
        self.queue.cancel(folder, status)
        return self._shown(folder)

    def look_at_queue(self) -> bool:
        """Bring the jobs of unfinished operations up to date, where it is time; tell whether the queue was asked."""
        return self.queue.look(self.folders())

    def insist(self, identifier: str) -> bool:
        """Kill the worker of an operation that was cancelled longer ago than the site is patient; tell whether it went.

        Called by who follows operations, on the worker's host alone; `reconcile` then closes what it left. A worker
        that is stopped, or hangs in a plug-in that asks nobody, would else be “cancelling” for ever.
        """
        folder = self.folder(identifier)
        status = folder.status()
        if status.state in FINISHED or status.closing or not folder.cancelling:
            return False
        if self.queue.insist(folder):
            return True
        if status.process is None:
            return False
        return _watch.silence(folder.cancel_path) > self._site.cancel_patience and kill(status.process)

    def forget(self, identifier: str) -> None:
        """Remove a finished operation and its log."""
        folder = self.folder(identifier)
        if self._shown(folder).state not in FINISHED:
            raise WrongState(f"Operation {identifier} is still running.", hints=["Cancel it first."])
        aside = self.root / f".new-{secrets.token_hex(6)}"
        try:
            os.rename(folder.path, aside)  # noqa: PTH104  of two who forget it at once, one has it
        except FileNotFoundError:
            raise NotFound(
                f"There is no operation {identifier!r} any more.", hints=["List the operations to see what exists."]
            ) from None
        remove_tree(aside)

    def forget_old(self) -> int:
        """Remove finished operations older than the site keeps them; return how many."""
        old = 0
        for folder in self.folders():
            with contextlib.suppress(BrokenRecord, OSError):
                status = folder.status()
                if status.finished and seconds_since(status.finished) > self._site.operation_days * 86_400:
                    remove_tree(folder.path)
                    old += 1
        return old

    def unfinished_dead(self) -> Sequence[tuple[Folder, Ticket]]:
        """Return operations whose worker is gone and that nobody has closed yet."""
        found = []
        folders = self.folders()
        self.queue.look(folders)
        for folder in folders:
            with contextlib.suppress(BrokenRecord, FileNotFoundError):
                status = folder.status()
                if status.state not in FINISHED:
                    self.insist(folder.id)
                    ticket = folder.ticket()
                    if liveness.is_dead(folder, status, ticket):
                        found.append((folder, ticket))
        return found


def running(status: Status) -> str:
    """Return the title of the step that is under way; empty before the first one."""
    return next((step.title for step in status.steps if step.state == "running"), "")


def gone(folder: Folder, status: Status) -> HpcenvError:
    """Return the error that says that a worker went away, with its last words."""
    at = running(status)
    ticket = folder.ticket()
    if (job := job_of(folder, ticket)) is not None and job.reason != "Refused":
        if folder.cancelling:
            return Cancelled("It was cancelled; nothing was left behind.")
        return ended(job, ticket, at or status.reached)
    return Interrupted(
        "The worker went away before it was done" + (f", at “{at}”." if at else "."),
        hints=["Ask for it again; what was downloaded is still in the cache."],
        reason=folder.words_of_the_worker(),
    )


class Own:
    """An operation as its owner sees it: the worker, or whoever closes it after the worker's death.

    Owning is one atomic write of a status with a fresh fencing id; an earlier owner that wakes up finds
    another id there (`still`) and must not publish. A worker begins with the state “running”; raises
    `Interrupted` for who came too late. *again* is for the worker of a job that was queued anew, after its node failed
    under the earlier one.
    """

    def __init__(self, folder: Folder, state: str = "", *, again: bool = False) -> None:
        self.folder = folder
        self.ticket = folder.ticket()
        self.status = folder.status()
        if again and self.status.state == "running" and not self.status.closing:
            self._anew()
        if state == "running" and self.status.state != "pending":
            raise Interrupted("Another process has closed this operation.")
        before, self.status.owner = self.status.owner, secrets.token_hex(8)
        self.status.process, self.status.closing = identity(), state != "running"
        self.status.steps = self.status.steps or self.ticket.steps
        if state == "running":
            self.status.state = "running"
            self.status.started = utc_now()
        folder.write_status(self.status, functools.partial(self._check, before))
        self._logged, self._full = folder.log_size(), False
        try:
            self._log = os.open(folder.log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise explain(error, folder.log_path) from error

    def _anew(self) -> None:
        self.status.state, self.status.steps, self.status.progress = "pending", [], None

    def put_back(self) -> None:
        """Let the operation wait once more: whether its job is over or queued anew is the batch system's to say."""
        self.status.reached = running(self.status)
        self._anew()
        self.status.process, self.status.steps = None, self.ticket.steps
        self.save()

    def still(self) -> bool:
        """Tell whether this is the owner yet."""
        return self.folder.status().owner == self.status.owner

    def save(self) -> None:
        """Write the status as it is in memory; raises `Interrupted` for who is not the owner any more."""
        self._check(self.status.owner)
        self.folder.write_status(self.status, functools.partial(self._check, self.status.owner))

    def _check(self, owner: str) -> None:
        if self.folder.status().owner != owner:
            raise Interrupted("Another process has taken this operation over, or removed it.")

    def append(self, line: LogLine) -> None:
        """Append a line to the log; a full disk loses the line, never the operation."""
        data = msgspec.json.encode(line) + b"\n"
        if self._logged + len(data) > LOG_LIMIT and line.kind in ("output", "warning"):
            if not self._full:
                self._full = True
                said = LogLine(at=line.at, kind="warning", text="The log is full: further output is left out.")
                self._write(msgspec.json.encode(said) + b"\n")
            return
        self._write(data)

    def _write(self, data: bytes) -> None:
        self._logged += len(data)
        with contextlib.suppress(OSError):
            os.write(self._log, data)

    def finish(self, state: str, error: dict[str, Any] | None = None, result: dict[str, Any] | None = None) -> None:
        """Write the last status; nothing is written after it. Raises `Interrupted` if somebody else has."""
        self.status.state = state  # type: ignore[assignment]
        self.status.finished = utc_now()
        self.status.error, self.status.result = error, result
        self.status.progress = None
        for step in self.status.steps:
            if step.state == "running":
                step.state = "done" if state == "succeeded" else "failed"
        self._check(self.status.owner)
        if not self.folder.write_final(self.status):
            raise Interrupted("Another process has finished this operation.")
        with contextlib.suppress(OSError, HpcenvError):  # who follows sees by its stat that something changed
            self.folder.write_status(self.status)
