"""The start of a kernel in a job of Slurm, beside the same kernel without one; the cluster is this machine."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from jupyter_hpcenv.kernels.kernelspec import PROVISIONER
from tests.slurm.cluster import TWO, Slurm, missing

from ..kernel import published, seconds_to_first_reply
from ..measure import Row, in_turns, median
from ..world import World

NAME = "kernel-job"
GOAL = "≤ 1.3 ×"
REFERENCE = "the same kernelspec without a profile, started by the same jupyter_client"
LIMIT = 1.3


def measure(world: World) -> list[Row]:
    """Start the kernel of one environment in turns in a job of an idle partition and beside this program."""
    if absent := missing():
        raise RuntimeError(f"This figure needs Slurm; missing are {', '.join(absent)}.")
    local, job = (published(Path(world.environment.kernels[0].path)) for _ in range(2))
    job.metadata["kernel_provisioner"] = {"provisioner_name": PROVISIONER, "config": {"profile": "bench"}}
    config = Path.home() / ".jupyter" / "jupyter_hpcenv_config.json"
    config.parent.mkdir(exist_ok=True)
    config.write_text(json.dumps({"Site": {"kernel_profiles": {"bench": {"partition": "zen5"}}}}))
    with tempfile.TemporaryDirectory(prefix="hpcenv-slurm-") as base:
        slurm = Slurm(Path(base), TWO)
        os.environ |= slurm.variables
        try:
            for spec in (local, job):
                seconds_to_first_reply(spec)
            ours, reference = in_turns(
                lambda: seconds_to_first_reply(job), lambda: seconds_to_first_reply(local), world.samples(20, 6)
            )
        finally:
            slurm.stop()
            config.unlink()
            del os.environ["SLURM_CONF"]
    row = Row(
        figure=NAME,
        what="kernel start in a job",
        ours=median(ours),
        reference=median(reference),
        goal=GOAL,
        met=median(ours) <= LIMIT * median(reference),
        samples={"ours": ours, "reference": reference},
    )
    return [row]
