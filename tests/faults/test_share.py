"""SIGKILL while something is shared, or not any more: its modes are those from before, or all those that were meant."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

#: A location for sharing.
CONFIG = {"Site": {"locations": {"home": {"root": "{data_dir}/environments", "sharing": True}}}}
POINTS = 24


def prefix_of(lane: Any) -> Path:
    return Path(next(lane.home.glob("**/environments/it")))


def modes(prefix: Path) -> dict[str, tuple[int, int]]:
    """Return mode and group of all but links, of what is private, and of what Python compiled."""
    found = {}
    for path in (prefix, *prefix.rglob("*")):
        facts, name = path.lstat(), str(path.relative_to(prefix))
        if not stat.S_ISLNK(facts.st_mode) and "__pycache__" not in name and not name.startswith(".hpcenv/"):
            found[name] = (stat.S_IMODE(facts.st_mode), facts.st_gid)
    return found


@pytest.fixture(scope="module")
def shared(rig: Any) -> str:
    """The state in which it is shared."""
    for lane in rig.lanes:
        lane.back("ready")
        assert lane.do("share", config=CONFIG) == {"code": 0}
        lane.keep("shared")
    return "shared"


@pytest.mark.parametrize(("verb", "state"), [("share", "ready"), ("unshare", "shared")])
def test_killed_while_modes_are_changed(rig: Any, shared: str, verb: str, state: str) -> None:
    lane = rig.lanes[0]
    lane.back(state)
    before = modes(prefix_of(lane))
    number = rig.changes(verb, state, config=CONFIG)
    after = modes(prefix_of(lane))
    assert before != after
    assert not any(mode & 0o022 for mode, _ in after.values())
    ends = set()

    def at(lane: Any, number: int) -> Any:
        lane.back(state)
        cached = {path.name: path.read_bytes() for path in lane.home.glob("cached-*")}
        lane.ended(verb, kill=number, config=CONFIG)
        wrong = list(lane.do("judge", config=CONFIG, options={"after": "look"})["violations"])
        wrong = [
            each for each in wrong if "the mode that is changed" not in each
        ]  # a change sets what sharing sets too
        prefix = prefix_of(lane)
        told = json.loads((prefix / ".hpcenv" / "environment.json").read_text())["shared"]
        done = (told is not None) is (verb == "share")
        ends.add(done)
        if modes(prefix) != (after if done else before):
            found = set(modes(prefix).items()) ^ set((after if done else before).items())
            wrong.append(f"shared is {told}, and the modes are not so: {sorted(found)}")
        left = [path for path in (prefix / ".hpcenv").iterdir() if path.name == "share.json"]
        left += [path for path in prefix.glob("**/.hpcenv-tmp-*") if path.parent.name != ".hpcenv"]
        wrong += [f"{path} is left" for path in left]
        wrong += [
            f"{path} differs"
            for path in lane.home.glob("cached-*")
            if cached.get(path.name, b"") not in (b"", path.read_bytes())
        ]
        if not done and lane.do(verb, config=CONFIG) != {"code": 0}:
            wrong.append("it can not be done again")
        return rig.verdict(wrong)

    rig.sweep(verb, "SIGKILL inside", range(1, number + 1, max(1, number // POINTS)), at)
    assert ends == {True, False}, "kills came before the commit and after it"
