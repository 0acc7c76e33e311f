"""One Slurm with two architectures for all tests here; each test leaves its queue empty."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from uv import find_uv_bin

from ..conftest import require
from .cluster import PROGRAMS, TWO, Slurm, missing


@pytest.fixture(scope="session")
def cluster() -> Iterator[Slurm]:
    """The daemons, for the whole run."""
    require(f"Slurm ({', '.join(missing()) or ', '.join(PROGRAMS)})", not missing())
    with tempfile.TemporaryDirectory(prefix="hpcenv-slurm-") as base:  # a short path: sockets allow 107 characters
        running = Slurm(Path(base), TWO)
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture
def slurm(cluster: Slurm, monkeypatch: pytest.MonkeyPatch) -> Slurm:
    """The cluster as this test's process and its children see it."""
    monkeypatch.setenv("SLURM_CONF", cluster.variables["SLURM_CONF"])
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin")
    return cluster


@pytest.fixture(scope="session")
def kernel_prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with ipykernel, for all tests of kernels."""
    place = tmp_path_factory.mktemp("kernels") / "it's one"
    uv = [find_uv_bin(), "--no-config", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, str(place)], check=True, timeout=60)
    target = ["--python", str(place / "bin" / "python")]
    subprocess.run([*uv, "pip", "install", *target, "ipykernel"], check=True, timeout=300)
    return place
