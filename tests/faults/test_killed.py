"""SIGKILL before each changing system call of each verb: every environment is whole or gone, nothing is stuck."""

from __future__ import annotations

from typing import Any

import pytest

VERBS = [
    ("submit", "empty"),
    ("work", "submitted"),
    ("patch", "ready"),
    ("change", "ready"),
    ("unpublish", "ready"),
    ("publish", "unpublished"),
    ("delete", "ready"),
    ("delete_now", "ready"),
    ("restore", "trashed"),
    ("empty", "trashed"),
]


@pytest.mark.parametrize(("verb", "state"), VERBS, ids=[verb for verb, _ in VERBS])
def test_killed_before_each_changing_call(rig: Any, verb: str, state: str) -> None:
    points = rig.points(verb, state)
    rig.sweep(verb, "SIGKILL", points[:: 2 if verb == "change" else 1], rig.kill(verb, state))


@pytest.mark.parametrize("part", [0.45, 0.6, 0.8])
def test_who_takes_back_a_change_that_was_killed_is_killed_too(rig: Any, part: float) -> None:
    """Before, while and after files are changed; a second repair ends what the first began."""
    state = f"changing, {part}"
    number = int(rig.changes("change", "ready") * part)
    for lane in rig.lanes:
        lane.back("ready")
        lane.ended("change", kill=number)
        lane.do("age_tickets")
        lane.keep(state)
        assert any(lane.home.glob("**/.hpcenv/change.json"))
    points = range(1, rig.changes("mend", state) + 1, 2)
    rig.sweep("mend", f"SIGKILL (change, {part})", points, rig.kill_inside("mend", state, "change"))


@pytest.mark.parametrize(("verb", "made"), [("work", ["submit"]), ("delete_now", ["create"]), ("sweep", ["create"])])
def test_killed_outside_all_locations(rig: Any, verb: str, made: list[str]) -> None:
    """Only the copy of its record leads to such an environment, and to what is left of it."""
    state = f"elsewhere, {verb}"
    for lane in rig.lanes:
        lane.back("empty")
        (lane.home / "mine").mkdir()
        for step in made:
            lane.do(step, config=outside(lane), options={"prefix": str(lane.home / "mine" / "it")})
        if verb == "sweep":
            lane.do("delete_now", config=outside(lane))
        lane.do("age_tickets")
        lane.keep(state)

    def at(lane: Any, point: Any) -> Any:
        lane.back(state)
        injection = f"inject={point.call}:signal=KILL:when={point.number}"
        lane.traced(verb, "-e", f"trace={point.call}", "-e", injection, config=outside(lane))
        found = lane.do("judge", config=outside(lane), options={"after": "look"})["violations"]
        listed = [name for name, _ in lane.do("listing", config=outside(lane))["environments"]]
        if not listed:
            lane.do("empty", config=outside(lane))
            found += [f"{left} stays for ever" for left in (lane.home / "mine").glob("**/pyvenv.cfg")]
        elif not (lane.home / "mine" / "it" / ".hpcenv" / "environment.json").exists():
            found.append(f"{listed} is listed and not there")
        return rig.verdict(found)

    rig.lanes[0].back(state)
    points = rig.lanes[0].points(verb, config=outside(rig.lanes[0]))
    rig.sweep(f"{verb} (elsewhere)", "SIGKILL", points[:: 4 if verb == "work" else 1], at)


def outside(lane: Any) -> dict[str, Any]:
    return {"Site": {"prefix_patterns": [f"{lane.home}/mine/*"]}}
