"""The second start of a kernel through our kernelspec: what launch scripts add to ipykernel's own start."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ..kernel import plain, published, seconds_to_first_reply
from ..measure import Row, added, in_turns, median, seconds
from ..world import World

NAME = "kernel-start"
GOAL = "+ ≤ 10 ms"
REFERENCE = "the same environment's Python with -m ipykernel_launcher, started by the same jupyter_client"
LIMIT = 0.010


def measure(world: World) -> list[Row]:
    """Start the kernel of one environment in turns through our kernelspec and without it."""
    environment = world.environment
    folder = Path(environment.kernels[0].path)
    spec, bare = published(folder), plain(Path(environment.prefix))
    seconds_to_first_reply(bare)
    ours, reference = in_turns(
        lambda: seconds_to_first_reply(spec), lambda: seconds_to_first_reply(bare), world.samples(20, 8)
    )
    more = added(ours, reference)
    scripts = _scripts(folder, Path(environment.prefix), world.samples(60, 30))
    row = Row(
        figure=NAME,
        what="second kernel start",
        ours=median(ours),
        reference=median(reference),
        unit="ms",
        goal=GOAL,
        met=more <= LIMIT,
        notes=[
            f"added, median of the pairs: {more * 1_000:+.1f} ms",
            f"the launch scripts alone, with “python -c pass”: {scripts * 1_000:+.1f} ms",
        ],
        samples={"ours": ours, "reference": reference},
    )
    return [row]


def _scripts(folder: Path, prefix: Path, pairs: int) -> float:
    """Return what the scripts add to a Python that does nothing: the same cost, with less noise around it."""

    def start(*argv: str) -> float:
        return seconds(lambda: subprocess.run([*argv, "-I", "-S", "-c", "pass"], check=True))

    return added(*in_turns(lambda: start(str(folder / "launch")), lambda: start(f"{prefix}/bin/python"), pairs))
