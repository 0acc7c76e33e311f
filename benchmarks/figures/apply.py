"""A manifest of 100 environments: the first run, and one that finds all of them as they should be."""

from __future__ import annotations

import os
import sys

from ..measure import Row, in_turns, median, seconds
from ..world import World, run

NAME = "apply"
GOAL = "second run ≤ 2 s"
REFERENCE = "jupyter hpcenv list of the same environments, which reads each record too and compares nothing"
MANY, LIMIT = 100, 2.0

#: The command as it is, but for its refusal of root: these environments are nobody's, and packages they have none.
_COMMAND = (
    "import sys; from jupyter_hpcenv.admission import applying; applying.refuse_root = lambda: None; "
    "from jupyter_hpcenv.cli import main; sys.exit(main(sys.argv[1:]))"
)


def measure(world: World) -> list[Row]:
    """Build them for real, half of them as releases, and then run it again and again."""
    manifest = world.home / "hundred.yaml"
    soft, kernels = world.home / "soft", world.home / "everybody"
    for folder in (soft, kernels):
        folder.mkdir()
    entries = [f"- {{name: e{n:03}, kernel: false{', release: 2026.11' if n % 2 else ''}}}" for n in range(MANY)]
    manifest.write_text("\n".join(["version: 1", "defaults: {location: site}", "environments:", *entries, ""]))
    with world.other_data("hundred"):
        config = world.home / "hundred.py"
        config.write_text(f"c.Site.locations = {{'site': {str(soft)!r}}}\nc.Manifest.kernels_dir = {str(kernels)!r}\n")
        apply = [sys.executable, "-c", _COMMAND, "apply", str(manifest), "--config", str(config)]
        listing = [sys.executable, "-m", "jupyter_hpcenv.cli", "list", "--config", str(config)]
        first = seconds(lambda: run([*apply, "-D", f"Manifest.parallel={len(os.sched_getaffinity(0))}"]))
        mine, other = in_turns(
            lambda: seconds(lambda: run(apply)), lambda: seconds(lambda: run(listing)), world.samples(11, 5)
        )
        said = run(apply)
        if f"{MANY} as they should be" not in said:
            raise RuntimeError(said)
    return [
        Row(
            figure=NAME,
            what=f"manifest of {MANY}, all there",
            ours=median(mine),
            reference=median(other),
            goal=GOAL,
            met=median(mine) <= LIMIT,
            notes=[f"quickest {min(mine):.2f} s; the first run, which built them: {first:.0f} s"],
            samples={"ours": mine, "reference": other, "first": [first]},
        )
    ]
