"""From submitting a request to an environment whose kernel has answered and is published."""

from __future__ import annotations

import time
from datetime import datetime
from unittest import mock

from jupyter_hpcenv.managers import index
from jupyter_hpcenv.models import CreateRequest

from ..kernel import plain, seconds_to_first_reply
from ..measure import Row, in_turns, median, seconds
from ..world import World, finished

NAME = "create"
GOAL = "≤ 1.25 ×"
REFERENCE = "uv venv, uv pip install pip ipykernel, and one first kernel start to its first execute reply"
LIMIT = 1.25

Parts = dict[str, list[float]]


def measure(world: World) -> list[Row]:
    """Build the same environment in turns through the desk and by hand, at one priority and with a warm cache."""
    parts: Parts = {}
    proven: list[float] = []
    whole, raw = in_turns(lambda: _ours(world, parts, proven), lambda: _raw(world, parts), world.samples(7, 3))
    notes = [f"{part}: {median(taken):.2f} s" for part, taken in parts.items()]
    return [_row("create to proven kernel", proven, raw, notes), _row("create to published kernel", whole, raw, [])]


def _row(what: str, ours: list[float], raw: list[float], notes: list[str]) -> Row:
    return Row(
        figure=NAME,
        what=what,
        ours=median(ours),
        reference=median(raw),
        goal=GOAL,
        met=median(ours) <= LIMIT * median(raw),
        notes=notes,
        samples={"ours": ours, "reference": raw},
    )


def _raw(world: World, parts: Parts) -> float:
    began = time.perf_counter()
    prefix = world.make_raw()
    made = time.perf_counter() - began
    start = seconds_to_first_reply(plain(prefix, world.polite))
    _note(parts, "by hand: prefix and packages", made)
    _note(parts, "by hand: kernel to its first reply", start)
    return made + start


def _ours(world: World, parts: Parts, proven: list[float]) -> float:
    asked: list[float] = []
    probe = index.probe

    def timed(*arguments: object) -> None:
        asked.append(seconds(lambda: probe(*arguments)))  # type: ignore[arg-type]

    began = time.perf_counter()
    with mock.patch.object(index, "probe", timed):
        operation = world.admission.submit("create", CreateRequest(name=world.name()))
    submitted = time.perf_counter() - began
    done = finished(world.admission, operation)
    whole = time.perf_counter() - began
    proof = world.admission.catalog.find(done.environment.id).preflight
    steps = {step.name: step.seconds or 0.0 for step in done.steps}
    waited = _moment(done.started) - _moment(done.submitted)
    answered = proof.seconds if proof else 0.0
    for part, taken in (
        ("submit, without the index", submitted - sum(asked)),
        ("submit, asking the index", sum(asked)),
        ("until the worker runs", waited),
        ("prefix and pip", steps["prefix"]),
        ("packages", steps["resolve"] + steps["download"] + steps["install"]),
        ("kernel to its first reply", answered),
        ("kernel's end", steps["prove"] - answered),
        ("record and kernelspec", steps["publish"]),
        ("the rest (configuration, launch script, status)", whole - submitted - waited - sum(steps.values())),
    ):
        _note(parts, f"ours: {part}", taken)
    proven.append(whole - steps["publish"] - (steps["prove"] - answered))
    return whole


def _moment(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _note(parts: Parts, part: str, taken: float) -> None:
    parts.setdefault(part, []).append(taken)
