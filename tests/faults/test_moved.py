"""SIGKILL while an environment moves or is built again: the old one or the new one is whole, and never both half."""

from __future__ import annotations

from typing import Any

import pytest

CONFIG = {"Site": {"locations": {"home": "{data_dir}/environments", "scratch": "$HOME/scratch"}, "quota": "none"}}
POINTS = 18


def spread(number: int) -> range:
    return range(1, number + 1, max(1, number // POINTS))


def test_killed_while_it_moves(rig: Any) -> None:
    ends = set()
    number = rig.changes("move", "ready", config=CONFIG)

    def at(lane: Any, number: int) -> Any:
        lane.back("ready")
        lane.ended("move", kill=number, config=CONFIG)
        wrong = list(lane.do("judge", config=CONFIG, options={"after": "look"})["violations"])
        found = lane.do("places", config=CONFIG)
        if [state for _, _, state in found["rows"]] != ["ready"] or found["taken"]:
            wrong.append(f"it is not in one place: {found}")
        else:
            ((identifier, location, _),) = found["rows"]
            ends.add(location)
            if len(found["trash"]) != (location == "scratch"):
                wrong.append(f"it is in {location}, and the trash has {found['trash']}")
            if location == "home" and lane.do("move", config=CONFIG) != {"code": 0}:
                wrong.append("it can not be moved again")
            after = lane.do("places", config=CONFIG)["rows"]
            if after != [[identifier, "scratch", "ready"]]:
                wrong.append(f"moved again it is {after}")
        return rig.verdict(wrong)

    rig.sweep("move", "SIGKILL inside", spread(number), at)
    assert ends == {"home", "scratch"}, "kills came before the commit and after it"


@pytest.mark.parametrize("python", [False, True], ids=["missing", "python_gone"])
def test_killed_while_it_is_built_again(rig: Any, python: bool) -> None:
    state, before = f"gone {python}", "python_gone" if python else "missing"
    for lane in rig.lanes:
        lane.back("ready")
        lane.do("vanish", config=CONFIG, options={"python": python})
        lane.keep(state)
    ends = set()
    number = rig.changes("rebuild", state, config=CONFIG)

    def at(lane: Any, number: int) -> Any:
        lane.back(state)
        lane.ended("rebuild", kill=number, config=CONFIG)
        wrong = list(lane.do("judge", config=CONFIG, options={"after": "look"})["violations"])
        wrong = [each for each in wrong if f"it is {before}: " not in each and "has no prefix" not in each]
        found = lane.do("places", config=CONFIG)
        states = [each for _, _, each in found["rows"]]
        ends.update(states)
        if states not in ([before], ["ready"]) or found["taken"]:
            wrong.append(f"it is not in one place: {found}")
        elif len(found["trash"]) != (python and states == ["ready"]):
            wrong.append(f"it is {states}, and the trash has {found['trash']}")
        elif states == [before] and lane.do("rebuild", config=CONFIG) != {"code": 0}:
            wrong.append("it can not be built again")
        wrong += lane.do("judge", config=CONFIG, options={"after": "look"})["violations"]
        return rig.verdict(wrong)

    rig.sweep("rebuild", f"SIGKILL inside ({before})", spread(number), at)
    assert ends == {before, "ready"}, "kills came before the commit and after it"
