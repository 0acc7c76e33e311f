"""Operations whose workers are jobs of the batch system: send them, look at all of them with one question, end them.

Beside the ticket lies ``job.json``: the job as it was seen last, without an id while it is not known whether the batch
system has taken it. Jobs are known by their name, which holds the operation's id: one whose acceptance never reached
us is found again, and what was sent twice has one owner all the same (see `Own`).
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..batch import BatchSystem, load_batch_system
from ..batch.contract import PREFIX
from ..errors import BatchRefused, BatchUnavailable, BrokenRecord, HpcenvError, Interrupted
from ..files import Watch, decode, read_regular, write_atomic, write_json
from ..models import FINISHED, JOB_LIVES, Job, OperationState, Status, Ticket
from ..site import Site
from ..site.quoting import sh
from .folder import Folder

#: Seconds in which a job that was taken must be seen in the queue, before it counts as gone.
UNSEEN = 60.0

#: Seconds that one who sends a job may take; the batch system's own programs give up earlier.
SENDING = 60.0
#: Seconds that the last words of a worker may take to be seen after its job's end.
PATIENCE = 20.0

#: Reasons of our own, beside the batch system's.
_REFUSED, _GONE, _NOT_SENT, _UNKNOWN, _NO_ANSWER = "Refused", "NotInQueue", "NotSent", "Unknown", "NoAnswer"

#: Variables of the computer that asks; the node has its own.
_OF_THIS_COMPUTER = ("TMPDIR", "XDG_RUNTIME_DIR")

_watch = Watch()


def job_of(folder: Folder, ticket: Ticket) -> Job | None:
    """Return the job of an operation as it was seen last, or None where its worker runs without one.

    What cannot be read is a job of which only the name is known; by that it is found again.
    """
    if ticket.batch is None or (ticket.fetch and fetched(folder) is None):
        return None
    with contextlib.suppress(FileNotFoundError, BrokenRecord):
        return decode(read_regular(folder.path / "job.json"), Job, str(folder.path))
    return Job(system=ticket.batch_system, name=name_of(ticket.id), reason=_UNKNOWN)


def seen(job: Job | None, state: OperationState) -> Job | None:
    """Return a job as its operation's *state* lets it be: the worker's own words are newer than the last look."""
    if (
        job is None
        or job.state not in JOB_LIVES
        or state == "pending"
        or (job.state, state) == ("suspended", "running")
    ):
        return job
    return msgspec.structs.replace(job, state="running" if state == "running" else "completed", reason="")


def is_over(folder: Folder, job: Job) -> bool:
    """Tell whether the job of an unfinished operation is over, and can not be about to say how it ended.

    A worker that came to its end has written so, but a file server may show that later than the batch system does.
    """
    if job.state in JOB_LIVES:
        return False
    late = PATIENCE if job.state in ("completed", "failed") and job.reason not in (_REFUSED, _GONE, _NOT_SENT) else 0.0
    return _watch.silence(folder.path / "job.json") >= late and folder.status().state not in FINISHED


def fetched(folder: Folder) -> dict[str, Any] | None:
    """Return what a worker here has decided anew, once what the job needs is fetched; None before that."""
    with contextlib.suppress(FileNotFoundError, BrokenRecord):
        return decode(read_regular(folder.path / "fetched.json", 5_000_000), dict[str, Any], str(folder.path))
    return None


def note_fetched(folder: Folder, choice: object) -> None:
    """Write down that what the job needs is there."""
    write_json(folder.path / "fetched.json", choice)


def name_of(identifier: str) -> str:
    """Return how the job of an operation is called."""
    return PREFIX + identifier


class Queue:
    """The jobs of one user's operations; each method may wait for the batch system, but for `has_ended`."""

    def __init__(self, site: Site, root: Path) -> None:
        self._site = site
        self._stamp = root / ".looked"

    @property
    def system(self) -> BatchSystem:
        """The site's batch system; raises `BatchUnavailable`."""
        return load_batch_system(self._site.batch_system)

    def send(self, folder: Folder, ticket: Ticket, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Queue the worker of *ticket*; raises `BatchRefused`, and `BatchUnavailable` where there is no batch system.

        One that does not answer now gets the job when it does: see `look`.
        """
        assert ticket.batch is not None
        system = self.system
        lines = [f"export {name}={sh(value)}" for name, value in env.items() if name not in _OF_THIS_COMPUTER]
        text = "\n".join(["#!/bin/sh", *lines, "exec " + " ".join(map(sh, argv)), ""])
        write_atomic(folder.path / "start", text.encode(), 0o700)
        # what Slurm keeps for itself is this file alone: where the variables lie, and none of them
        started = f"#!/bin/sh\nexec /bin/sh {sh(str(folder.path / 'start'))}\n"
        write_atomic(folder.path / "job.sh", started.encode(), 0o700)
        self._send(system, folder, ticket)

    def _send(self, system: BatchSystem, folder: Folder, ticket: Ticket) -> None:
        """Submit it, unless somebody else is about to: of two who do at once, one sends it."""
        turn = folder.path / "sending"
        if not _take_turn(turn):
            return
        try:
            self._submit(system, folder, ticket)
        finally:
            turn.unlink(missing_ok=True)

    def _submit(self, system: BatchSystem, folder: Folder, ticket: Ticket) -> None:
        job = Job(system=system.name, name=name_of(ticket.id), reason="Sent", submitted=int(time.time()))
        job.cluster = _cluster(system)
        write_json(folder.path / "job.json", job)
        assert ticket.batch is not None
        try:
            job.id = system.submit(folder.path / "job.sh", job.name, ticket.batch, folder.path / "worker.out")
            job.reason = ""
        except BatchUnavailable:  # it may have been taken; whoever looks next finds out
            job.reason = _NO_ANSWER
        write_json(folder.path / "job.json", job)
        if folder.cancelling or folder.status().state in FINISHED:  # in the meantime, when there was no job to end
            with contextlib.suppress(BatchUnavailable, BatchRefused):
                system.cancel(job.name)

    def look(self, folders: Sequence[Folder], *, now: bool = False) -> bool:
        """Bring the jobs of unfinished operations up to date with one question; tell whether it was asked.

        Not asked where no job is under way, nor, but for *now*, within the site's interval since anybody's last look.
        """
        waiting = [(folder, job) for folder in folders if (job := _open(folder)) is not None]
        if not waiting or not (now or self._is_time()):
            return False
        try:
            system = self.system
            ours = _cluster(system)
            seen: dict[str, list[Job]] = {}
            for job in system.jobs():
                seen.setdefault(job.name, []).append(job)
        except (BatchUnavailable, BatchRefused):
            return True  # what was known stays, until it answers
        for folder, known in waiting:
            if not _is_ours(known, folder, ours):
                continue
            with contextlib.suppress(HpcenvError, OSError):
                self._compare(system, folder, known, seen.get(known.name, []))
        return True

    def _is_time(self) -> bool:
        """Tell whether the interval is over, and begin the next one; processes of this user share it."""
        if self._stamp.exists() and _watch.silence(self._stamp) < self._site.batch_interval:
            return False
        with contextlib.suppress(OSError):
            self._stamp.touch(0o600)
            os.utime(self._stamp)
        return True

    def _compare(self, system: BatchSystem, folder: Folder, known: Job, seen: Sequence[Job]) -> None:
        living = [job for job in seen if job.state in JOB_LIVES]
        if not seen and not known.id and _is_under_way(folder, known):
            return
        if folder.cancelling and (living or not known.id):
            self._end(system, folder, known)
            if not living:
                write_json(folder.path / "job.json", msgspec.structs.replace(known, state="cancelled"))
                return
        if living or seen:
            best = max(living or seen, key=lambda job: int(job.id) if job.id.isdigit() else 0)
            if msgspec.structs.replace(best, cluster=known.cluster) != known:
                write_json(folder.path / "job.json", msgspec.structs.replace(best, cluster=known.cluster))
        elif not known.id:
            self._send_again(system, folder, known)
        elif known.state in JOB_LIVES and _watch.silence(folder.path / "job.json") > UNSEEN:
            gone = msgspec.structs.replace(known, state="failed", reason=_GONE)
            write_json(folder.path / "job.json", gone)

    def _send_again(self, system: BatchSystem, folder: Folder, known: Job) -> None:
        if not (folder.path / "job.sh").exists():  # who submitted it was killed before there was anything to send
            write_json(folder.path / "job.json", msgspec.structs.replace(known, state="failed", reason=_NOT_SENT))
            return
        try:
            self._send(system, folder, folder.ticket())
        except BatchRefused as error:
            with contextlib.suppress(OSError):
                (folder.path / "worker.out").write_text(error.message + "\n")
            write_json(folder.path / "job.json", msgspec.structs.replace(known, state="failed", reason=_REFUSED))

    def cancel(self, folder: Folder, status: Status) -> None:
        """End the job of an operation that is being cancelled; a worker that runs sees its flag and cleans up first."""
        job = job_of(folder, folder.ticket())
        if job is None or job.state not in JOB_LIVES or (status.state == "running" and not status.closing):
            return
        with contextlib.suppress(BatchUnavailable, BatchRefused):  # each later look tries it again
            system = self.system
            if _is_ours(job, folder, _cluster(system)):
                system.cancel(job.name)
                self.look([folder], now=True)

    def insist(self, folder: Folder) -> bool:
        """Kill the job of an operation that was cancelled longer ago than the site is patient."""
        job = job_of(folder, folder.ticket())
        if job is None or job.state not in JOB_LIVES:
            return False
        if _watch.silence(folder.cancel_path) <= self._site.cancel_patience:
            return False
        with contextlib.suppress(BatchUnavailable, BatchRefused):
            system = self.system
            if _is_ours(job, folder, _cluster(system)):
                system.cancel(job.name, kill=True)
                return self.look([folder], now=True)
        return False

    def _end(self, system: BatchSystem, folder: Folder, known: Job) -> None:
        if folder.status().state == "pending" or _watch.silence(folder.cancel_path) > self._site.cancel_patience:
            system.cancel(known.name)


def _is_ours(job: Job, folder: Folder, cluster: str) -> bool:
    """Tell whether a job is in this cluster's queue: that it is missing in another one proves nothing.

    Where its cluster could not be told when it was sent, or can not be told now, the host that sent it looks for it.
    """
    if job.cluster and cluster:
        return job.cluster == cluster
    with contextlib.suppress(BrokenRecord, OSError):
        return folder.ticket().host == socket.gethostname()
    return False


def _open(folder: Folder) -> Job | None:
    """Return the job of an operation that is not finished, if it may still do something."""
    with contextlib.suppress(BrokenRecord, OSError):
        if folder.status().state in FINISHED:
            return None
        job = job_of(folder, folder.ticket())
        return job if job is not None and job.state in JOB_LIVES else None
    return None


def _cluster(system: BatchSystem) -> str:
    """Return which cluster this is, or an empty text where that can not be told now."""
    with contextlib.suppress(BatchUnavailable, BatchRefused):
        return system.cluster()
    return ""


def _take_turn(turn: Path) -> bool:
    """Tell whether this process may send the job; another one that may was at it within `SENDING` seconds."""
    for _ in range(2):
        with contextlib.suppress(FileExistsError):
            os.close(os.open(turn, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            return True
        if _watch.silence(turn) <= SENDING:
            return False
        turn.unlink(missing_ok=True)  # of somebody who was killed
    return False


def _is_under_way(folder: Folder, job: Job) -> bool:
    """Tell whether somebody may be sending a job at this moment that is not in the queue yet."""
    turn = folder.path / "sending"
    if turn.exists():
        return _watch.silence(turn) <= SENDING
    return job.reason == _UNKNOWN and _watch.silence(folder.path / "operation.json") <= SENDING


def ended(job: Job, ticket: Ticket, running: str) -> Interrupted:
    """Return the error that says how a job ended before its operation did."""
    if job.reason == _NOT_SENT:
        return Interrupted("Who asked for it was killed before the job was sent.", hints=["Ask for it again."])
    where = f" on {job.nodes}" if job.nodes else ""
    step = f" at “{running}”" if running else " before the build began"
    asked = ticket.batch.time if ticket.batch else ""
    asked += " min" if asked.isdigit() else ""
    what = {
        "timeout": f"The time of job {job.id} was up{f' ({asked})' if asked else ''}{step}.",
        "cancelled": f"Job {job.id} was cancelled in the batch system{step}.",
        "node_fail": f"A node of job {job.id} failed{where}{step}.",
        "preempted": f"Job {job.id} had to give way to another one{step}.",
        "out_of_memory": f"Job {job.id} used more memory than it had asked for{where}{step}.",
    }.get(job.state, f"Job {job.id} ended{where}{step}.")
    hints = {
        "timeout": "Ask for it again with more time (--time); what was downloaded is still in the cache.",
        "out_of_memory": "Ask for it again with more memory (--memory).",
    }
    reason = "" if job.reason in ("", "None") else f"{job.system}: {job.reason}"
    return Interrupted(
        what,
        hints=[hints.get(job.state, "Ask for it again; what was downloaded is still in the cache.")],
        reason=reason,
    )


def waiting(job: Job) -> str:
    """Return for people what an operation waits for whose job has not begun."""
    if not job.id:
        return "The batch system does not answer; the job is sent when it does."
    reason = f": {REASONS.get(job.reason, job.reason)}" if job.reason else ""
    return f"Job {job.id} waits{f' in {job.partition}' if job.partition else ''}{reason}."


#: What the reasons mean that users meet most; others are shown as the batch system says them.
REASONS = {
    "Priority": "others come first (Priority)",
    "Resources": "no node is free (Resources)",
    "BeginTime": "it begins later (BeginTime)",
    "PartitionDown": "its partition is down (PartitionDown)",
    "PartitionInactive": "its partition is closed (PartitionInactive)",
    "PartitionTimeLimit": "it asks for more time than its partition gives (PartitionTimeLimit)",
    "ReqNodeNotAvail": "nodes that it needs are not available (ReqNodeNotAvail)",
    "JobHeldUser": "you hold it (JobHeldUser)",
    "JobHeldAdmin": "staff hold it (JobHeldAdmin)",
    "NodeDown": "a node is down (NodeDown)",
}
