"""Look after a kernel's job while it runs: on a thread, because a notebook's converter has no loop that always runs."""

from __future__ import annotations

import datetime
import threading
import time
from typing import TYPE_CHECKING

from ..batch import BatchSystem
from ..errors import HpcenvError
from ..lifecycle.job_folder import JobFolder
from ..models import KernelProfile
from ..site import Site

if TYPE_CHECKING:
    from .batch import BatchProvisioner

#: Seconds after which the queue is asked again when the job's time is up, because staff may change it.
_AGAIN = 300.0


class Watch:
    """Warns of the end of a job's time, and ends a job whose kernel is not used."""

    def __init__(
        self, kernel: BatchProvisioner, folder: JobFolder, system: BatchSystem, profile: KernelProfile, site: Site
    ) -> None:
        self._kernel, self._folder, self._system = kernel, folder, system
        self._idle, self._warning, self._interval = (
            60 * profile.idle_minutes,
            60 * site.kernel_warning,
            site.batch_interval,
        )
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"hpcenv-watch-{folder.name}", daemon=True)

    def start(self) -> None:
        """Begin, once the kernel listens."""
        self._thread.start()

    def stop(self) -> None:
        """End; from any thread, also before the start."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._watch()
                return
            except Exception as error:  # noqa: BLE001  without beats the node would end a kernel that is used
                self._kernel.log.warning("%s: %s: %s", self._folder.name, type(error).__name__, error)

    def _watch(self) -> None:
        ask = time.monotonic() if self._warning else float("inf")
        while not self._ended.wait(self._interval):
            if not self._folder.beat():
                self._kernel.let_go("Another server of yours has this kernel now.")
                return
            self._kernel.look()
            idle = self._kernel.idle_seconds() if self._idle else None
            if idle is not None and idle > self._idle:
                self._kernel.tell("idle", f"Nothing was executed for {self._idle // 60} minutes, so the job is ended.")
                self._end()
                return
            if time.monotonic() >= ask:
                left = self._left()
                if left is None or left > self._warning:
                    ask = time.monotonic() + (self._interval if left is None else min(left - self._warning, _AGAIN))
                else:
                    minutes = max(1, round(left / 60))
                    words = f"{minutes} minute{'s' if minutes > 1 else ''}"
                    self._kernel.tell("ending", f"The job of this kernel ends in {words}: save what you need.")
                    ask = float("inf")

    def _left(self) -> float | None:
        """Return the seconds until the job's time is up, where the queue tells."""
        try:
            found = [job for job in self._system.jobs() if job.name == self._folder.name and job.ends]
        except HpcenvError:
            return None
        if not found:
            return None
        ends = datetime.datetime.strptime(found[-1].ends, "%Y-%m-%dT%H:%M:%S%z")
        return (ends - datetime.datetime.now(datetime.timezone.utc)).total_seconds()

    def _end(self) -> None:
        for _ in range(3):
            try:
                self._system.cancel(self._folder.name)
                return
            except HpcenvError:
                if self._ended.wait(self._interval):
                    return
