"""The same with the real manager, a real kernel and the real installer: fewer points, because each costs seconds."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

POINTS = 8


@pytest.fixture(scope="module")
def submitted(rig: Any) -> str:
    """Keep a home in which a real create with a kernel waits for its worker."""
    for lane in rig.lanes:
        lane.back("empty")
        lane.do("create", options={"name": "other"})
        lane.do("submit", options={"manager": "venv"})
        lane.do("age_tickets")
        lane.keep("really submitted")
    return "really submitted"


def test_a_real_worker_killed(rig: Any, submitted: str) -> None:
    points = rig.points("work", submitted, real=True)
    assert len(points) > 8 * POINTS
    rig.sweep("work (real)", "SIGKILL", points[:: len(points) // POINTS], rig.kill("work", submitted, real=True))


def test_a_folder_that_can_not_be_changed_any_more(rig: Any) -> None:
    """Permissions go away midway; the immutable flag binds root as well, whom no mode would stop."""
    lane = rig.lanes[0]
    for state, verb in (("submitted", "work"), ("ready", "delete"), ("ready", "patch"), ("trashed", "restore")):
        lane.back(state)
        folder = lane.home / ".local/share/jupyter/hpcenv/environments"
        if subprocess.run(["chattr", "+i", str(folder)], capture_output=True).returncode:
            if os.environ.get("HPCENV_REQUIRE_REAL") == "1":
                pytest.fail("chattr +i does not work here, and HPCENV_REQUIRE_REAL=1 forbids to skip its test")
            pytest.skip("no immutable flag here")
        try:
            lane.begin(verb)
            lane.go()
            ended = lane.end()
        finally:
            subprocess.run(["chattr", "-i", str(folder)], check=True)
        assert rig.answer(ended) == []
        said = ended["outcome"].get("message") or ended["outcome"]["value"]["message"]
        assert str(folder) in said, said
        assert lane.do("judge", options={"after": verb})["violations"] == [], verb
