"""Slurm keeps the contract of batch systems; and its JSON is read as older and newer ones write it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.batch import BatchSystem
from jupyter_hpcenv.batch.slurm import Slurm as System
from jupyter_hpcenv.errors import BatchUnavailable
from jupyter_hpcenv.models import BatchRequest

from .cluster import Slurm
from .conformance import Conformance, until


class TestSlurm(Conformance):
    """On two partitions; what waits waits for its time."""

    @pytest.fixture
    def system(self, slurm: Slurm) -> BatchSystem:
        return System()

    @pytest.fixture
    def asked(self) -> BatchRequest:
        return BatchRequest(partition="zen5", constraint="zen5", time="5", cpus=1, memory="50M")

    @pytest.fixture
    def later(self) -> BatchRequest:
        return BatchRequest(options={"begin": "now+1hour"})

    def test_variables_of_the_server_steer_nothing_and_stay_where_they_are(
        self, system: BatchSystem, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One would send the job elsewhere; the other is one that Slurm's own programs may need."""
        monkeypatch.setenv("SBATCH_PARTITION", "nope")
        monkeypatch.setenv("LD_LIBRARY_PATH", "/canary/of/libraries")
        output = tmp_path / "out"
        system.submit(self.script(tmp_path, "/usr/bin/env; echo DONE"), name, BatchRequest(), output)
        until(lambda: output.exists() and "DONE" in output.read_text())
        assert "canary" not in output.read_text()


OLD: dict[str, Any] = {"job_id": 7, "job_state": "PENDING", "state_reason": "Priority", "restart_cnt": 0}
NEW: dict[str, Any] = {
    "job_id": 7,
    "job_state": ["PENDING", "REQUEUED"],
    "state_reason": "BeginTime",
    "restart_cnt": 1,
    "submit_time": {"set": True, "infinite": False, "number": 1_700_000_000},
    "end_time": {"set": False, "infinite": True, "number": 0},
}


@pytest.mark.parametrize(
    ("found", "state", "restarts"),
    [
        (OLD, "pending", 0),
        (NEW, "pending", 1),
        ({**OLD, "job_state": "COMPLETING"}, "running", 0),
        ({**NEW, "job_state": ["CANCELLED", "COMPLETING"]}, "running", 1),
        ({**OLD, "job_state": "TIMEOUT"}, "timeout", 0),
        ({**NEW, "job_state": ["OUT_OF_MEMORY"]}, "out_of_memory", 1),
        ({**NEW, "job_state": ["NODE_FAIL"]}, "node_fail", 1),
        ({**NEW, "job_state": ["SOMETHING_NEW"]}, "failed", 1),
    ],
)
def test_json_of_older_and_newer_ones(
    found: dict[str, Any], state: str, restarts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [{**found, "name": "hpcenv-x", "user_id": os.getuid()}, {**found, "name": "other", "user_id": os.getuid()}]
    place = tmp_path / "squeue"
    place.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps({'jobs': jobs}, indent=1)}\nEND\n")
    place.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (job,) = System().jobs()
    assert (job.id, job.state, job.restarts) == ("7", state, restarts)


def test_an_answer_that_is_none_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "squeue"
    place.write_text("#!/bin/sh\necho nonsense\n")
    place.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(BatchUnavailable, match="something else than its JSON"):
        System().jobs()
