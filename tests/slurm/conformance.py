"""What any batch system must do that jupyter_hpcenv is to speak to: a suite for those who write another one.

Derive a class from `Conformance` in a test of your own, give it the fixture ``system`` (and ``partition``, ``slow`` a
request that has to wait), and run it where the batch system really is; see test_conformance.py, which does so for
Slurm. Everything here is said by jupyter_hpcenv/batch/contract.py.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_hpcenv.batch import BatchSystem
from jupyter_hpcenv.batch.contract import PREFIX
from jupyter_hpcenv.errors import BatchRefused
from jupyter_hpcenv.models import JOB_LIVES, BatchRequest, Job


def until(question: Callable[[], object]) -> None:
    """Wait for something; the test's own timeout bounds it."""
    while not question():
        time.sleep(0.2)


class Conformance:
    """The contract, a test for each of its sentences."""

    @pytest.fixture
    def system(self) -> BatchSystem:
        """The batch system; to be given."""
        raise NotImplementedError

    @pytest.fixture
    def asked(self) -> BatchRequest:
        """A request that is carried out at once."""
        return BatchRequest()

    @pytest.fixture
    def later(self) -> BatchRequest:
        """A request that waits in the queue."""
        raise NotImplementedError

    @pytest.fixture
    def wrong(self) -> BatchRequest:
        """A request that is refused."""
        return BatchRequest(partition="there-is-no-such-partition")

    @pytest.fixture(autouse=True)
    def empty(self, system: BatchSystem, name: str) -> object:
        """Leave nothing in the queue."""
        yield
        system.cancel(name, kill=True)
        until(lambda: not [job for job in system.jobs() if job.name == name and job.state in JOB_LIVES])

    @pytest.fixture
    def name(self, request: pytest.FixtureRequest) -> str:
        """A name that no other job has."""
        return f"{PREFIX}{request.node.name[:30]}-{os.getpid()}-{time.monotonic_ns()}"

    def script(self, folder: Path, text: str) -> Path:
        """Write a program."""
        place = folder / "job 100%.sh"
        place.write_text(f"#!/bin/sh\n{text}\n")
        place.chmod(0o700)
        return place

    def only(self, system: BatchSystem, name: str) -> Job:
        """Return the one job of that name."""
        (job,) = [job for job in system.jobs() if job.name == name]
        return job

    def test_it_is_there(self, system: BatchSystem) -> None:
        assert system.is_there()
        assert system.name

    def test_a_job_runs_and_its_end_is_told(
        self, system: BatchSystem, asked: BatchRequest, name: str, tmp_path: Path
    ) -> None:
        output = tmp_path / "out 100%"
        output.write_text("before\n")
        identifier = system.submit(self.script(tmp_path, "echo said; echo wrong >&2"), name, asked, output)
        until(lambda: self.only(system, name).state == "completed")
        assert self.only(system, name).id == identifier
        until(lambda: sorted(output.read_text().split()) == ["before", "said", "wrong"])

    def test_a_program_that_fails_is_told_as_failed(
        self, system: BatchSystem, asked: BatchRequest, name: str, tmp_path: Path
    ) -> None:
        system.submit(self.script(tmp_path, "exit 3"), name, asked, tmp_path / "out")
        until(lambda: self.only(system, name).state == "failed")

    def test_it_gets_none_of_our_variables(
        self, system: BatchSystem, asked: BatchRequest, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CANARY_SECRET", "canary-of-conformance")
        output = tmp_path / "out"
        system.submit(self.script(tmp_path, "/usr/bin/env; echo DONE"), name, asked, output)
        until(lambda: output.exists() and "DONE" in output.read_text())
        assert "canary-of-conformance" not in output.read_text()

    def test_one_that_waits_says_why_and_where_it_stands(
        self, system: BatchSystem, later: BatchRequest, name: str, tmp_path: Path
    ) -> None:
        system.submit(self.script(tmp_path, "true"), name, later, tmp_path / "out")
        until(lambda: self.only(system, name).reason)
        job = self.only(system, name)
        assert job.state == "pending"
        place = system.position(job)
        assert place is None or 1 <= place[0] <= place[1]

    def test_it_is_cancelled_while_it_waits(
        self, system: BatchSystem, later: BatchRequest, name: str, tmp_path: Path
    ) -> None:
        system.submit(self.script(tmp_path, "true"), name, later, tmp_path / "out")
        system.cancel(name)
        until(lambda: self.only(system, name).state == "cancelled")

    def test_one_that_is_cancelled_gets_a_signal_and_some_seconds(
        self, system: BatchSystem, asked: BatchRequest, name: str, tmp_path: Path
    ) -> None:
        output = tmp_path / "out"
        text = "trap 'echo told; exit 0' TERM; echo begun; while :; do sleep 0.1; done"
        system.submit(self.script(tmp_path, text), name, asked, output)
        until(lambda: output.exists() and "begun" in output.read_text())
        assert self.only(system, name).state == "running"
        system.cancel(name)
        until(lambda: self.only(system, name).state not in JOB_LIVES)
        until(lambda: "told" in output.read_text())

    def test_what_ignores_signals_is_killed(
        self, system: BatchSystem, asked: BatchRequest, name: str, tmp_path: Path
    ) -> None:
        output = tmp_path / "out"
        system.submit(self.script(tmp_path, "trap '' TERM INT; echo begun; sleep 300"), name, asked, output)
        until(lambda: output.exists() and "begun" in output.read_text())
        system.cancel(name, kill=True)
        until(lambda: self.only(system, name).state not in JOB_LIVES)

    def test_to_cancel_what_is_not_there_is_fine(self, system: BatchSystem, name: str) -> None:
        system.cancel(name)

    def test_what_can_not_be_is_refused_with_its_words(
        self, system: BatchSystem, wrong: BatchRequest, name: str, tmp_path: Path
    ) -> None:
        with pytest.raises(BatchRefused) as raised:
            system.submit(self.script(tmp_path, "true"), name, wrong, tmp_path / "out")
        assert raised.value.reason
        assert raised.value.hints
        assert [job for job in system.jobs() if job.name == name] == []

    def test_a_program_beside_us_runs_in_a_job_and_passes_its_status(
        self, system: BatchSystem, asked: BatchRequest, name: str
    ) -> None:
        done = subprocess.run(system.beside(["/bin/sh", "-c", "echo here; exit 7"], name, asked), capture_output=True)
        assert (done.returncode, done.stdout) == (7, b"here\n")

    def test_to_kill_the_program_beside_us_ends_the_job(
        self, system: BatchSystem, asked: BatchRequest, name: str
    ) -> None:
        child = subprocess.Popen(system.beside(["sleep", "300"], name, asked))
        try:
            until(lambda: [job for job in system.jobs() if job.name == name and job.state == "running"])
        finally:
            child.kill()
            child.wait()
        until(lambda: self.only(system, name).state not in JOB_LIVES)

    def test_a_first_start_is_no_restart(self, system: BatchSystem) -> None:
        assert not system.is_restart({})

    def test_the_cluster_has_a_name(self, system: BatchSystem) -> None:
        assert system.cluster()

    def test_partitions_are_told(self, system: BatchSystem) -> None:
        found = system.partitions()
        assert found
        assert len({each.name for each in found}) == len(found)
