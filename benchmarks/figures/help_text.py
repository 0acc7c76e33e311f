"""How long a person waits for ``jupyter hpcenv --help``, as in a shell prompt or a job script."""

from __future__ import annotations

import os
import sys

from ..measure import Row, in_turns, median, seconds
from ..world import World, run

NAME = "help"
GOAL = "≤ 3.5 ×"
REFERENCE = "jupyter's re-exec of an empty command: a jupyter-empty that is sh and ends at once"
LIMIT = 3.5


def measure(world: World) -> list[Row]:
    """Run both commands in turns."""
    folder = world.home / "bin"
    folder.mkdir()
    empty = folder / "jupyter-empty"
    empty.write_text("#!/bin/sh\nexit 0\n")
    empty.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}{os.pathsep}{before}"
    try:
        ours, reference = in_turns(
            lambda: seconds(lambda: run(["jupyter", "hpcenv", "--help"])),
            lambda: seconds(lambda: run(["jupyter", "empty"])),
            world.samples(20, 10),
        )
        own = median([seconds(lambda: run(["jupyter-hpcenv", "--help"])) for _ in range(7)])
        bare = median([seconds(lambda: run([sys.executable, "-c", "pass"])) for _ in range(7)])
    finally:
        os.environ["PATH"] = before
    row = Row(
        figure=NAME,
        what="jupyter hpcenv --help",
        ours=median(ours),
        reference=median(reference),
        unit="ms",
        goal=GOAL,
        met=median(ours) <= LIMIT * median(reference),
        notes=[f"jupyter-hpcenv --help alone: {own * 1_000:.0f} ms; an empty Python: {bare * 1_000:.0f} ms"],
        samples={"ours": ours, "reference": reference},
    )
    return [row]
