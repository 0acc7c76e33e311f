"""Who looks after the job of a kernel warns in time, ends what is idle, and cleans up after servers that died."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.errors import BatchUnavailable
from jupyter_hpcenv.lifecycle import job_folder
from jupyter_hpcenv.lifecycle.job_folder import JobFolder, sweep
from jupyter_hpcenv.models import Job, KernelProfile
from jupyter_hpcenv.provisioner.watching import Watch
from jupyter_hpcenv.site import Site


class Queue:
    """A batch system with one job that ends in so many seconds."""

    def __init__(self, folder: JobFolder, left: float) -> None:
        ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=left)
        told = ends.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.known = [Job(system="slurm", name=folder.name, id="1", state="running", ends=told)]
        self.cancelled: list[str] = []

    def jobs(self) -> list[Job]:
        return self.known

    def cancel(self, name: str, *, kill: bool = False) -> None:
        self.cancelled.append(name)


class Kernel:
    """A kernel that was idle for so many seconds; what it is told ends the watch."""

    def __init__(self, idle: float | None = None) -> None:
        self.idle, self.told = idle, []
        self.watch: Any = None

    def idle_seconds(self) -> float | None:
        return self.idle

    def look(self) -> None:
        """Nothing: it ends with its server."""

    def tell(self, state: str, message: str) -> None:
        self.told.append((state, message))  # type: ignore[attr-defined]
        self.watch.stop()


def watched(kernel: Kernel, left: float, *, idle_minutes: int = 0, warning: int = 10) -> Queue:
    """Watch until something was told; the test's own timeout bounds it."""
    site = Site(batch_interval=1, kernel_warning=warning)
    folder = JobFolder(site)
    queue = Queue(folder, left)
    profile = KernelProfile(name="small", idle_minutes=idle_minutes)
    kernel.watch = Watch(kernel, folder, queue, profile, site)  # type: ignore[arg-type]
    kernel.watch._interval = 0.01
    kernel.watch._run()
    return queue


def test_the_end_of_the_time_is_told() -> None:
    kernel = Kernel()
    assert watched(kernel, 299).cancelled == []
    assert kernel.told == [("ending", "The job of this kernel ends in 5 minutes: save what you need.")]


def test_who_executes_nothing_for_long_loses_the_job() -> None:
    kernel = Kernel(idle=1801)
    assert len(watched(kernel, 9_999, idle_minutes=30).cancelled) == 1
    assert kernel.told == [("idle", "Nothing was executed for 30 minutes, so the job is ended.")]


@pytest.mark.parametrize("idle", [None, 1799])
def test_who_runs_something_or_did_lately_keeps_it(idle: float | None) -> None:
    kernel = Kernel(idle=idle)
    assert watched(kernel, 299, idle_minutes=30).cancelled == []
    assert [state for state, _ in kernel.told] == ["ending"]


# -- what servers left ---------------------------------------------------------


DEAD = """
from jupyter_hpcenv.lifecycle.job_folder import JobFolder
from jupyter_hpcenv.site import Site
folder = JobFolder(Site())
folder.prepare(["true"], {}, "/", {}, "")
print(folder.name)
"""


@pytest.fixture
def cancelled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    class System:
        def cancel(self, name: str) -> None:
            if name == "hpcenv-kernel-unheard":
                raise BatchUnavailable("It does not answer.")
            names.append(name)

    monkeypatch.setattr(job_folder, "load_batch_system", lambda name: System())
    return names


def test_jobs_of_a_dead_server_are_cancelled_and_those_of_a_living_one_are_not(cancelled: list[str]) -> None:
    alive = JobFolder(Site())
    alive.prepare(["true"], {}, "/", {}, "")
    dead = subprocess.run([sys.executable, "-c", DEAD], capture_output=True, text=True, check=True).stdout.strip()
    assert sweep(Site()) == 1
    assert cancelled == [dead]
    assert [path.name for path in alive.path.parent.iterdir()] == [alive.name]


def test_a_server_elsewhere_is_gone_when_it_was_silent_for_long(cancelled: list[str]) -> None:
    there = JobFolder(Site())
    there._process.host = "elsewhere"
    there.prepare(["true"], {}, "/", {}, "")
    assert sweep(Site()) == 0
    long_ago = there.path.stat().st_mtime - 2 * job_folder.SILENCE
    os.utime(there.path / "server.json", (long_ago, long_ago))
    there.beat()
    assert sweep(Site()) == 0
    os.utime(there.path / "server.json", (long_ago, long_ago))
    assert sweep(Site()) == 1
    assert cancelled == [there.name]


def test_what_could_not_be_cancelled_is_kept_for_the_next_time(cancelled: list[str]) -> None:
    dead = Path(JobFolder(Site()).path)
    unheard = dead.with_name("hpcenv-kernel-unheard")
    dead.rename(unheard)
    long_ago = unheard.stat().st_mtime - 2 * job_folder.SILENCE
    os.utime(unheard, (long_ago, long_ago))
    with pytest.raises(BatchUnavailable):
        sweep(Site())
    assert unheard.exists()
