"""An environment with a kernel, published so that it runs in jobs, for the tests of this folder."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from jupyter_hpcenv import kernels
from jupyter_hpcenv.models import Kernel, Platform, Record
from jupyter_hpcenv.site import Site

from .cluster import Slurm

NAME = "hpcenv-home.node"
PATIENCE = 60


def publish(prefix: Path, profile: str, **changes: Any) -> Record:
    record = Record(
        id="0123456789abcdef0123456789abcdef",
        name="node",
        location="home",
        prefix=str(prefix),
        manager="venv",
        creator="uv",
        installer="uv",
        python=f"{sys.version_info[0]}.{sys.version_info[1]}",
        python_path=sys.executable,
        display_name="Node",
        kernels=[Kernel(name=NAME, display_name="Node")],
        kernelspec={**kernels.derive(prefix), **changes},
        platform=Platform(cluster="test", os="test", arch="test"),
        owner="ada",
        created="",
        changed="",
        operation="",
        profile=profile,
    )
    site = Site()
    kernels.write_launch(record, site)
    kernels.publish(record, record.kernels[0], site)
    return record


def configure(home: Path, text: str = "", **profiles: dict[str, Any]) -> None:
    folder = home / ".jupyter"
    folder.mkdir(exist_ok=True)
    lines = [f"c.Site.kernel_profiles = {profiles!r}", "c.Site.batch_interval = 1", text]
    (folder / "jupyter_hpcenv_config.py").write_text("\n".join(lines))


def emptied(slurm: Slurm) -> None:
    """Wait until the queue is empty; the test's own timeout bounds it."""
    while slurm.jobs():
        time.sleep(0.1)
