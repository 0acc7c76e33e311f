"""mpi4py and parallel h5py from source against Debian's MPI, as modules of a centre; run on two ranks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..conftest import require
from . import profiles
from .conftest import PYTHON, Centre, environ, which

#: Where Debian keeps the HDF5 that was built with MPI.
HDF5 = next(Path("/usr/lib").glob("*/hdf5/openmpi"), Path("/nonexistent"))

RANKS = """
import json, sys
from mpi4py import MPI
world = MPI.COMM_WORLD
total = world.allreduce(world.rank + 1)
if world.rank == 0:
    library = MPI.Get_library_version()
    print(json.dumps({"size": world.size, "total": total, "library": library, "file": MPI.__file__}))
"""

PARALLEL = """
import json, sys
import h5py
from mpi4py import MPI
world = MPI.COMM_WORLD
with h5py.File(sys.argv[1], "w", driver="mpio", comm=world) as file:
    data = file.create_dataset("ranks", (world.size,), dtype="i")
    data[world.rank] = 10 + world.rank
world.Barrier()
if world.rank == 0:
    with h5py.File(sys.argv[1]) as file:
        print(json.dumps({"mpi": h5py.get_config().mpi, "ranks": [int(each) for each in file["ranks"]]}))
"""


@pytest.fixture
def at(tmp_path: Path, centre: Callable[..., Centre]) -> Centre:
    """A centre with MPI and an HDF5 that was built with it."""
    require("gcc", bool(which("gcc")))
    require("Open MPI", bool(which("mpicc.openmpi") and which("mpirun.openmpi")))
    require("HDF5 for Open MPI", (HDF5 / "include/hdf5.h").exists() or HDF5.exists())
    return centre(profiles.mpi(tmp_path / "site", PYTHON, HDF5), VenvManager={})


def on_two_ranks(at: Centre, made: dict[str, Any], code: str, *arguments: str) -> Any:
    """Run *code* through the launch script on two ranks, from a shell that has loaded nothing but MPI."""
    shell = environ(f". {at.init} && module load OpenMPI/4.1", at.shell)
    launch = f"{made['prefix']}/.hpcenv/launch"
    run = ["mpirun", "-n", "2", "--allow-run-as-root", "--oversubscribe", launch, "-c", code, *arguments]
    done = subprocess.run(["/usr/bin/env", *run], env=shell, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_mpi4py_is_built_against_the_modules_mpi(at: Centre, tmp_path: Path) -> None:
    mpicc = f"{tmp_path}/site/mpi/bin/mpicc"
    made = at.create(
        "ranks", "mpi4py", "--no-kernel", "--build-var", f"MPICC={mpicc}", "--build-var", "PIP_NO_BINARY=mpi4py"
    )
    assert made["build_variables"]["MPICC"] == mpicc
    found = on_two_ranks(at, made, RANKS)
    assert (found["size"], found["total"]) == (2, 3)
    assert "Open MPI" in found["library"]
    assert found["file"].startswith(made["prefix"])
