"""List and create where there are 10, 100, 1,000 and 10,000 environments already."""

from __future__ import annotations

import time

from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.models import CreateRequest

from ..measure import Row, median, seconds
from ..synthetic import populate
from ..world import World, finished

NAME = "many"
GOAL = "none; it is reported"
REFERENCE = "the same with 10 environments"
SIZES = (10, 100, 1_000, 10_000)


def measure(world: World) -> list[Row]:
    """Fill one data folder step by step, and list and create at each step."""
    lists: list[Row] = []
    creates: list[Row] = []
    with world.other_data("many") as admission:
        there = 0
        for size in SIZES[: world.samples(4, 3)]:
            populate(admission, there, size)
            there = size
            lists.append(_list(admission, size, lists[0].ours if lists else None))
            creates.append(_create(world, admission, size, creates[0].ours if creates else None))
    return [*lists, *creates]


def _list(admission: Admission, size: int, first: float | None) -> Row:
    cold = seconds(Admission().catalog.environments)
    admission.catalog.environments()
    warm = [seconds(admission.catalog.environments) for _ in range(7)]
    return Row(
        figure=NAME,
        what=f"list of {size:,}",
        ours=median(warm),
        reference=first,
        unit="ms",
        notes=[f"the first list of a process: {cold * 1_000:.0f} ms"],
        samples={"ours": warm},
    )


def _create(world: World, admission: Admission, size: int, first: float | None) -> Row:
    submits, wholes = [], []
    for _ in range(world.samples(2, 1)):
        began = time.perf_counter()
        operation = admission.submit("create", CreateRequest(name=world.name()))
        submits.append(time.perf_counter() - began)
        finished(admission, operation)
        wholes.append(time.perf_counter() - began)
    return Row(
        figure=NAME,
        what=f"create beside {size:,}",
        ours=min(wholes),
        reference=first,
        notes=[f"of this, submit: {min(submits):.2f} s"],
        samples={"ours": wholes, "submit": submits},
    )
