"""The suite of jupyter_kernel_test against a kernel that runs in a job."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..integration import test_kernel_life
from .cluster import Slurm
from .nodes import NAME, configure, emptied, publish

pytestmark = pytest.mark.filterwarnings("default")  # jupyter_client warns of its own


@pytest.fixture(scope="module", autouse=True)
def surroundings(cluster: Slurm, kernel_prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the class starts its kernel in: it is set up before any fixture of a single test."""
    home = tmp_path_factory.mktemp("class-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "0")
        patch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin")
        patch.setenv("SLURM_CONF", cluster.variables["SLURM_CONF"])
        configure(home, small={"partition": "zen5"})
        publish(kernel_prefix, "small")
        yield
    emptied(cluster)


class TestProtocolInAJob(test_kernel_life.TestProtocol):
    """The same expectations as of a kernel beside the server."""

    kernel_name = NAME
