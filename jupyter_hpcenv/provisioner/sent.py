"""A kernel's job that does not end with this process; beside `process.Bound`, whose methods it has."""

from __future__ import annotations

import signal
import time

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

    def look(self, job: Job | None) -> None:
        """Take note of what the queue shows: a node that failed can not tell how the kernel ended."""
        if job is not None and job.state in JOB_LIVES:
            self._seen = time.monotonic()
        elif job is not None or time.monotonic() - self._seen > UNSEEN:
            self._code = 1 if self.poll() is None else self._code

    def said(self) -> list[str]:
        """Return the last lines that the job wrote."""
        return self._folder.said()

    def signal(self, number: signal.Signals) -> None:
        """Do nothing: the batch system ends the job, by its name."""
