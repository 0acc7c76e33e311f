"""Which points of a sweep are injected this time: a share that goes round with the commits, until all were.

What is tried must not depend on chance, so that who sees a failure sees it again: the round comes from the commit.
``HPCENV_FAULTS=all`` injects every point, ``HPCENV_FAULTS=2`` those of round 2.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

ROUNDS = 4
#: A sweep of fewer points is never shortened.
LEAST = 40


@functools.cache
def this_round() -> int | None:
    """Return the round of this run, from 0; nothing if all points are to be injected."""
    told = os.environ.get("HPCENV_FAULTS", "")
    if told == "all":
        return None
    number = int(told) - 1 if told else round_of(commit())
    assert 0 <= number < ROUNDS, f"HPCENV_FAULTS is “all”, or a number from 1 to {ROUNDS}"
    return number


def asked() -> str:
    """Return what ``HPCENV_FAULTS`` has to be where the round is the same one."""
    number = this_round()
    return "all" if number is None else str(number + 1)


def round_of(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % ROUNDS if name else 0


@functools.cache
def commit() -> str:
    """Return the commit that is checked out; nothing in what was unpacked from an archive."""
    checkout = Path(__file__).resolve().parents[2]
    if not (checkout / ".git").exists():
        return ""
    try:
        git = ["git", "-c", "safe.directory=*", "-C", str(checkout)]
        done = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def said() -> str:
    """Return the round in words."""
    number = this_round()
    return "all rounds" if number is None else f"round {number + 1} of {ROUNDS}"


def share(points: Sequence[T], kind: Callable[[T], Hashable] | None = None, least: int = LEAST) -> list[T]:
    """Return the points of this round."""
    number = this_round()
    return list(points) if number is None else share_of(points, number, kind, least)


def share_of(points: Sequence[T], number: int, kind: Callable[[Any], Hashable] | None, least: int = LEAST) -> list[T]:
    """Return the points of that round, in their order: evenly spread ones, the first, the last, and one of each kind.

    All rounds together have every point.
    """
    count, size = max(least, -(-len(points) // ROUNDS)), len(points)
    if size <= count:
        return list(points)
    chosen = {(turn * ROUNDS + number) * size // (count * ROUNDS) for turn in range(count)} | {0, size - 1}
    if kind is not None:
        there = {kind(points[place]) for place in chosen}
        for place, point in enumerate(points):
            if kind(point) not in there:
                there.add(kind(point))
                chosen.add(place)
    return [points[place] for place in sorted(chosen)]
