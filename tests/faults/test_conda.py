"""SIGKILL of worker and rattler at once, while packages are downloaded, linked and unlinked: the same invariant."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ..conda.channel import build, fill, index, tiny
from ..conda.cpython import home as movable
from ..conda.serving import ChannelServer
from ..conftest import require
from .conftest import Verdict

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
MANY = 400  # files of a package, so that there are moments among them


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URLs of a channel of packages with many files, and of the one with Python, over loopback HTTP."""
    require("a CPython of this minor version that can be moved (Debian's own can not)", movable() is not None)
    own = tmp_path_factory.mktemp("many") / "channel"

    def package(name: str, version: str) -> Any:
        same = {f"lib/{name}/{number}": f"{version} {number}" for number in range(MANY)}
        return tiny(name, version, files={**same, f"lib/{name}/only-{version}": ""})

    fill(own, [package(name, version) for name in ("hpc-a", "hpc-b", "hpc-c") for version in ("1.0", "2.0")])
    index(own)
    with ChannelServer({"many": own, "main": build() / "main"}) as server:
        yield f"{server.url('many')} {server.url('main')}"


def config(lane: Any, channel: str) -> dict[str, Any]:
    cache = lane.home / "packages"
    return {"CondaManager": {"default_channels": channel.split(), "package_cache": str(cache)}}


#: Steps and the seconds after their beginning at which all is killed. Downloads of a cold cache take about a second,
#: linking a tenth.
MOMENTS = [
    *(("solve", seconds) for seconds in (0.0, 0.3)),
    *(("download", seconds) for seconds in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7)),
    *(("link", seconds) for seconds in (0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.25)),
    ("prove", 0.05),
]


def killed(channel: str, state: str, verb: str, options: dict[str, Any], after: str) -> Callable[[Any, Any], Any]:
    """Return what begins *verb*, kills its worker and all that it started at a moment, and judges what is left."""

    def at(lane: Any, moment: tuple[str, float]) -> Any:
        lane.back(state)
        said = config(lane, channel)
        step, seconds = moment
        ended = lane.do("hunt", config=said, spawn=True, options={"do": verb, **options, "at": step, "delay": seconds})
        found = lane.do("judge", config=said, options={"after": after})
        verdict = Verdict(**found)
        verdict.missed = ended["state"] == "succeeded"  # it was over before
        return verdict

    return at


def test_a_build_killed(rig: Any, channel: str) -> None:
    """Nothing of it stays, and the next one succeeds with the cache that was left."""
    options = {"packages": ["hpc-a", "hpc-b", f"python={MINOR}"], "manager": "conda", "kernel": False}
    for lane in rig.lanes:
        lane.back("empty")
        lane.keep("before conda")
    at = killed(channel, "before conda", "submit", options, "conda")
    rig.sweep("conda create", "SIGKILL of worker and rattler", MOMENTS, at)


def test_a_change_killed(rig: Any, channel: str) -> None:
    """Packages come, change and go; afterwards it is as before, and the same change succeeds."""
    options = {"packages": ["hpc-a=1.0", "hpc-b=1.0", f"python={MINOR}"], "manager": "conda", "kernel": False}
    for lane in rig.lanes:
        lane.back("empty")
        lane.do("create", config=config(lane, channel), options=options)
        lane.keep("conda")
    at = killed(channel, "conda", "submit_change", {}, "conda_change")
    rig.sweep("conda change", "SIGKILL of worker and rattler", MOMENTS, at)
