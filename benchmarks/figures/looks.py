"""Looking at an environment: its packages, and what is wrong with it; beside the programs that people would ask."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_hpcenv.models import CreateRequest

from ..measure import Row, in_turns, median, seconds
from ..world import World, finished, run

NAME = "looks"
GOAL = "300 packages ≤ 30 ms, check ≤ 300 ms"
REFERENCE = "“pip list” and “pip check” of the same environment, which start a Python"
PACKAGES = 300
LIST, CHECK = 0.030, 0.300


def measure(world: World) -> list[Row]:
    """List and check one environment in turns with pip; metadata beyond the real packages are synthetic."""
    name = world.name()
    finished(world.admission, world.admission.submit("create", CreateRequest(name=name)))
    prefix = Path(world.admission.catalog.find(name).prefix)
    _fill(prefix)
    desk, pip = world.admission, [f"{prefix}/bin/python", "-m", "pip", "--disable-pip-version-check"]
    number = len(desk.packages(name))
    listed, theirs = in_turns(
        lambda: seconds(lambda: desk.packages(name)), lambda: seconds(lambda: run([*pip, "list"])), world.samples(9, 5)
    )
    checked, pips = in_turns(
        lambda: seconds(lambda: desk.examine(name)), lambda: seconds(lambda: run([*pip, "check"])), world.samples(9, 5)
    )
    return [
        _row(f"packages of {number}", listed, theirs, LIST),
        _row("check of one environment", checked, pips, CHECK),
    ]


def _row(what: str, ours: list[float], reference: list[float], limit: float) -> Row:
    return Row(
        figure=NAME,
        what=what,
        ours=median(ours),
        reference=median(reference),
        goal=f"≤ {limit * 1000:.0f} ms",
        met=median(ours) <= limit,
        unit="ms",
        samples={"ours": ours, "reference": reference},
    )


def _fill(prefix: Path) -> None:
    """Add metadata as long as those of real packages, until there are enough."""
    site = next(prefix.glob("lib/python3.*/site-packages"))
    there = len(list(site.glob("*.dist-info")))
    for number in range(PACKAGES - there):
        folder = site / f"bench_{number}-1.{number}.dist-info"
        folder.mkdir()
        text = f"Metadata-Version: 2.1\nName: bench-{number}\nVersion: 1.{number}\nRequires-Dist: ipykernel>=1\n\n"
        (folder / "METADATA").write_text(text + "A long description.\n" * 300)
        (folder / "INSTALLER").write_text("uv\n")
        (folder / "RECORD").write_text("".join(f"bench_{number}/{each}.py,,\n" for each in range(20)))
    os.sync()
