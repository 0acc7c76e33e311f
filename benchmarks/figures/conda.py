"""From submitting a conda request to a published kernel, beside rattler's own solve and installation."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from jupyter_hpcenv.models import CreateRequest
from tests.conda.channel import build as build_channel

from ..kernel import plain, seconds_to_first_reply
from ..measure import Row, in_turns, median
from ..world import World, finished, run
from .cache import count

NAME = "conda"
GOAL = "≤ 1.25 × with the kernel"
REFERENCE = "rattler's solve and install of the same packages in a process of its own, and one first kernel start"
LIMIT = 1.25

_MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
_SPECS = [f"python {_MINOR}.*", "ipykernel", "pip"]

#: What somebody would write who has nothing but py-rattler; ends as its users have to end it.
_RAW = """
import asyncio, os, sys
from pathlib import Path
from rattler import Client, Gateway, VirtualPackage, install, solve

async def main(channel, cache, prefix, *specs):
    gateway = Gateway(cache_dir=Path(cache) / "repodata")
    records = await solve([channel], list(specs), gateway=gateway, virtual_packages=VirtualPackage.detect())
    await install(records, prefix, cache_dir=Path(cache) / "pkgs", show_progress=False, client=Client())

asyncio.run(main(*sys.argv[1:]))
os._exit(0)
"""


def measure(world: World) -> list[Row]:
    """Build the same environment in turns through the desk and by rattler alone, from warm caches, at one priority."""
    channel = f"file://{build_channel() / 'main'}"
    proven: list[float] = []
    _ours(world, channel, []), _raw(world, channel)  # both fill a cache
    whole, raw = in_turns(lambda: _ours(world, channel, proven), lambda: _raw(world, channel), world.samples(7, 3))
    environments = [row for row in world.admission.catalog.environments() if row.manager == "conda"]
    files, size = count(Path(environments[-1].prefix), own=True)
    every, total = count(Path(environments[-1].prefix), own=False)
    return [
        _row("conda: create to proven kernel", proven[1:], raw),
        _row("conda: create to published kernel", whole, raw),
        Row(figure=NAME, what="conda: bytes of a further environment", ours=size, reference=total, unit="MB"),
        Row(figure=NAME, what="conda: files of a further environment", ours=files, reference=every, unit=""),
    ]


def _row(what: str, ours: list[float], raw: list[float]) -> Row:
    return Row(
        figure=NAME,
        what=what,
        ours=median(ours),
        reference=median(raw),
        goal=GOAL,
        met=median(ours) <= LIMIT * median(raw),
        samples={"ours": ours, "reference": raw},
    )


def _ours(world: World, channel: str, proven: list[float]) -> float:
    request = CreateRequest(name=world.name(), manager="conda", python=_MINOR, channels=[channel, "nodefaults"])
    began = time.perf_counter()
    done = finished(world.admission, world.admission.submit("create", request))
    whole = time.perf_counter() - began
    proof = world.admission.catalog.find(done.environment.id).preflight
    steps = {step.name: step.seconds or 0.0 for step in done.steps}
    proven.append(whole - steps["publish"] - (steps["prove"] - (proof.seconds if proof else 0.0)))
    return whole


def _raw(world: World, channel: str) -> float:
    prefix, cache = world.home / "raw" / world.name(), world.home / "raw-cache"
    began = time.perf_counter()
    run([*world.polite, sys.executable, "-c", _RAW, channel, str(cache), str(prefix), *_SPECS])
    made = time.perf_counter() - began
    return made + seconds_to_first_reply(plain(prefix, world.polite))
