"""SIGKILL of the server, of server and worker at once, and of what puts right what a crash left."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


def test_the_server_alone_killed(rig: Any) -> None:
    """Its worker is a process of its own: what was begun is finished, and another server finds it."""
    points = range(1, rig.changes("serve", "empty") + 1)
    rig.sweep("serve", "SIGKILL of the server", points, rig.kill_inside("serve", "empty", "submit"))


def test_what_a_killed_server_had_begun_is_finished_by_its_worker(rig: Any) -> None:
    """The server dies as soon as it has started the worker, which goes on and publishes."""
    lane = rig.lanes[0]
    lane.back("empty")
    ended = lane.ended("serve", options={"dies": True})
    assert os.WIFSIGNALED(ended["status"])
    found = lane.do("listing")
    assert found["operations"] == [["it", "succeeded"]]
    assert ["it", "ready"] in found["environments"]


def test_server_and_worker_killed_at_once(rig: Any) -> None:
    """While one environment is built, the server changes, deletes and restores another one."""
    count = rig.changes("both", "submitted")
    rig.sweep(
        "both", "SIGKILL of server and worker", range(1, count + 1, 4), rig.kill_inside("both", "submitted", "both")
    )


#: Crashes that differ in what is left: the verb, its state, which part of its calls had been made, what is there
#: then, and the stride of the sweep: faces are written as after a change, of which all calls are tried.
CRASHES = {
    "a build just begun": ("work", "submitted", 0.2, {"operation", "prefix"}, 1),
    "a build half done": ("work", "submitted", 0.4, {"operation", "prefix"}, 2),
    "a build not proven": ("work", "submitted", 0.6, {"operation", "prefix", "launch"}, 2),
    "a record without faces": ("work", "submitted", 0.8, {"operation", "prefix", "launch", "record"}, 3),
    "an operation not finished": ("work", "submitted", 0.92, {"operation", "prefix", "launch", "record", "kernel"}, 1),
    "a change without faces": ("patch", "ready", 0.5, {"prefix", "launch", "record", "kernel", "older copy"}, 1),
    "a delete with its kernel": ("delete", "ready", 0.65, {"trash", "kernel"}, 1),
    "a restore without kernel": ("restore", "trashed", 0.5, {"prefix", "launch", "record"}, 1),
}


def left(home: Path) -> set[str]:
    """Return what is there of the environment, and whether its operation goes on as far as anybody knows."""
    data = home / ".local/share/jupyter/hpcenv"
    root, record = data / "environments", data / "environments/it/.hpcenv/environment.json"
    facts = json.loads(record.read_text()) if record.exists() else {"id": "none", "revision": 0}
    copy = root / f"{facts['id']}.json"
    found = {
        "operation": any(not (each / "final.json").exists() for each in (data / "operations").iterdir()),
        "prefix": (root / "it").exists(),
        "launch": (root / "it/.hpcenv/launch").exists(),
        "record": record.exists(),
        "older copy": copy.exists() and json.loads(copy.read_text())["revision"] < facts["revision"],
        "kernel": (data.parent / "kernels/hpcenv-home.it/kernel.json").exists(),
        "trash": any(root.glob(".trash-*/*@it")),
    }
    return {what for what, there in found.items() if there}


@pytest.mark.parametrize("crash", CRASHES)
def test_who_puts_right_what_a_crash_left_is_killed_too(rig: Any, crash: str) -> None:
    """A second one heals what the first began to heal."""
    verb, state, part, there, stride = CRASHES[crash]
    number = max(1, int(rig.changes(verb, state) * part))
    for lane in rig.lanes:
        lane.back(state)
        lane.ended(verb, kill=number)
        assert left(lane.home) == there
        lane.do("age_tickets")
        lane.keep(crash)
    count = rig.changes("reconcile", crash)
    rig.sweep(
        "reconcile",
        f"SIGKILL ({crash})",
        range(1, count + 1, stride),
        rig.kill_inside("reconcile", crash, {"work": "submit"}.get(verb, verb)),
    )
