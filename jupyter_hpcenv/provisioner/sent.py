"""A kernel's job that does not end with this process; beside `process.Bound`, whose methods it has."""

from __future__ import annotations

import signal
import time

from ..batch import BatchSystem
from ..lifecycle.job_folder import JobFolder
from ..models import JOB_LIVES, Job

#: Seconds in which a job that was queued must be seen in the queue, before it counts as gone.
UNSEEN = 60.0


class Sent:
    """A job that was queued by itself; its folder tells how the kernel ended, and where it can not, the queue does."""

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder
        self._seen = time.monotonic()
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return the exit status of the kernel, or None while it runs or waits; reads a file."""
        if self._code is None:
            self._code = self._folder.ended()
        return self._code

    def ask(self, system: BatchSystem) -> Job | None:
        """Ask the queue, and take note of it: a node that failed can not tell how the kernel ended."""
        begun = self._folder.begun()  # first: it may begin while the queue answers
        job = next((job for job in reversed(system.jobs()) if job.name == self._folder.name), None)
        self.look(job, begun)
        return job

    def look(self, job: Job | None, begun: bool) -> None:
        """Take note of what the queue has shown; a kernel that had *begun* and waits again has lost its memory."""
        lost = begun and job is not None and (job.state == "pending" or job.restarts > 0)
        if job is not None and job.state in JOB_LIVES and not lost:
            self._seen = time.monotonic()
        elif job is not None or time.monotonic() - self._seen > UNSEEN:
            self._code = 1 if self.poll() is None else self._code

    def said(self) -> list[str]:
        """Return the last lines that the job wrote."""
        return self._folder.said()

    def signal(self, number: signal.Signals) -> None:
        """Do nothing: the batch system ends the job, by its name."""
