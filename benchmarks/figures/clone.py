"""Cloning an environment, beside creating it anew from what was asked for."""

from __future__ import annotations

import sys
import time
from typing import Any

from jupyter_hpcenv.models import CreateRequest
from tests.conda.channel import build as build_channel

from ..measure import Row, in_turns, median
from ..world import World, finished

NAME = "clone"
GOAL = "≤ 0.5 × of recreate"
REFERENCE = "creating the same environment from the same requests, from warm caches, in the same run"
LIMIT = 0.5

_MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


def measure(world: World) -> list[Row]:
    """Clone and create in turns; the kernel is proven in both."""
    channels = [f"file://{build_channel() / 'main'}", "nodefaults"]
    conda = {"manager": "conda", "python": _MINOR, "packages": ["numpy"], "channels": channels}
    return [_row(world, "conda: clone", conda), _row(world, "venv: clone", {"packages": ["six", "idna"]})]


def _row(world: World, what: str, request: dict[str, Any]) -> Row:
    source = world.name()
    _made(world, CreateRequest(name=source, **request))
    ours, anew = in_turns(
        lambda: _made(world, CreateRequest(name=world.name(), clone_of=source)),
        lambda: _made(world, CreateRequest(name=world.name(), **request)),
        world.samples(5, 3),
    )
    return Row(
        figure=NAME,
        what=what,
        ours=median(ours),
        reference=median(anew),
        goal=GOAL,
        met=median(ours) <= LIMIT * median(anew),
        samples={"ours": ours, "reference": anew},
    )


def _made(world: World, request: CreateRequest) -> float:
    began = time.perf_counter()
    finished(world.admission, world.admission.submit("create", request))
    return time.perf_counter() - began
