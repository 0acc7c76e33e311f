"""What a figure is made of: samples taken in turns, their medians, and a row that says whether a goal is met."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec


class Row(msgspec.Struct, kw_only=True):
    """One line of the table; ``reference`` is None where nothing can be compared."""

    figure: str
    what: str
    ours: float
    reference: float | None = None
    unit: str = "s"
    goal: str = ""
    met: bool | None = None
    notes: list[str] = []
    samples: dict[str, list[float]] = {}

    @property
    def ratio(self) -> float | None:
        return self.ours / self.reference if self.reference else None


def seconds(function: Callable[[], Any]) -> float:
    """Return how long *function* takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def in_turns(ours: Callable[[], float], reference: Callable[[], float], pairs: int) -> tuple[list[float], list[float]]:
    """Return samples of both, taken A B, B A, A B …, so that a busy machine is unfair to neither."""
    mine: list[float] = []
    other: list[float] = []
    for number in range(pairs):
        order = ((ours, mine), (reference, other)) if number % 2 == 0 else ((reference, other), (ours, mine))
        for take, samples in order:
            samples.append(take())
    return mine, other


def median(samples: Sequence[float]) -> float:
    return statistics.median(samples)


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the value below which *share* of the samples lie."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def added(mine: Sequence[float], other: Sequence[float]) -> float:
    """Return by how much ours is slower, as the median of the differences of pairs."""
    return median([one - two for one, two in zip(mine, other, strict=True)])
