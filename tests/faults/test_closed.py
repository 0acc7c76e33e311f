"""Permissions that go away midway, for a user who is not root: the message is clear, and all else goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..conftest import require

UID = 43_001


class Ground:
    """A home and a second location that belong to a numeric user, with an environment in each."""

    def __init__(self, lane: Any, folder: Path) -> None:
        self.lane, self.second = lane, folder / "second"
        self.second.mkdir()
        self.data = lane.home / ".local/share/jupyter/hpcenv"
        self.config = {"Site": {"locations": {"home": "{data_dir}/environments", "second": str(self.second)}}}
        lane.do("create", config=self.config, options={"name": "other"})
        lane.do("create", config=self.config, options={"location": "second"})
        subprocess.run(["chown", "-R", f"{UID}:{UID}", str(folder)], check=True)

    def say(self, verb: str, **options: Any) -> dict[str, Any]:
        """Carry out a verb as that user and return the outcome."""
        outcome: dict[str, Any] = self.lane.ended(verb, config=self.config, uid=UID, options=options)["outcome"]
        assert "crash" not in outcome, outcome["crash"]
        return outcome

    def states(self) -> dict[str, str]:
        return dict(self.say("listing")["value"]["environments"])


@pytest.fixture
def ground(rig: Any) -> Iterator[Ground]:
    require("root, to become another user,", os.geteuid() == 0)
    folder = Path(tempfile.mkdtemp(prefix="hpcenv-closed-"))
    folder.chmod(0o755)
    lane = type(rig.lanes[0])(folder)
    try:
        yield Ground(lane, folder)
    finally:
        lane.close()
        shutil.rmtree(folder)


def refused(outcome: dict[str, Any], path: Path) -> None:
    """Assert that an outcome is an error that names the path and says what to do."""
    assert "error" in outcome, outcome
    assert str(path) in " ".join([outcome["message"], *outcome["hints"]]), outcome
    assert outcome["hints"], outcome


@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_a_location_that_is_closed(ground: Ground, mode: int) -> None:
    usual = {"it": "python_gone", "other": "python_gone"}  # whose Python lies where only root may look
    assert ground.states() in (usual, {"it": "ready", "other": "ready"})
    ground.second.chmod(mode)
    states = ground.states()
    assert states.keys() == usual.keys()
    assert "missing" not in states.values()
    if mode == 0:
        assert states["it"] == "slow"
    refused(ground.say("delete"), ground.second)
    refused(ground.say("submit", name="fresh", location="second"), ground.second)
    assert "value" in ground.say("patch", name="other", title="A")
    ground.second.chmod(0o755)
    assert "value" in ground.say("reconcile")
    assert "value" in ground.say("patch", title="B")
    assert "value" in ground.say("delete")
    assert ground.states().keys() == {"other"}


@pytest.mark.parametrize(
    ("part", "verb", "options"),
    [("operations", "submit", {"name": "fresh", "location": "second"}), ("environments", "patch", {"title": "A"})],
)
def test_a_data_folder_that_can_not_be_written(ground: Ground, part: str, verb: str, options: dict[str, str]) -> None:
    folder = ground.data / part
    before = ground.states()
    folder.chmod(0o500)
    assert ground.states() == before
    refused(ground.say(verb, **options), ground.data)
    folder.chmod(0o700)
    assert "value" in ground.say("reconcile")
    violations = ground.say("state")["value"]["violations"]
    assert [each for each in violations if "claim" in each or "copy" in each or "kernel" in each] == []
    assert "value" in ground.say(verb, **options)


def test_a_data_folder_that_can_not_be_read(ground: Ground) -> None:
    """That there is nothing would be a lie."""
    ground.data.chmod(0)
    refused(ground.say("listing"), ground.data)
    ground.data.chmod(0o700)
    assert ground.states().keys() == {"it", "other"}
