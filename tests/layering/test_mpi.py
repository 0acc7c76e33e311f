"""mpi4py and parallel h5py from source against Debian's MPI, as modules of a centre; run on two ranks."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jupyter_hpcenv.managers.prefixes import find_uv

from ..conftest import require
from . import profiles
from .conftest import PYTHON, Centre, arrive, environ, which

#: Where Debian keeps the HDF5 that was built with MPI.
HDF5 = next(Path("/usr/lib").glob("*/hdf5/openmpi"), Path("/nonexistent"))

#: Releases before 4 have their C with them; Cython would take half a minute to write that of a later one, and a
#: compiler as long to read it. They know no Python after 3.12.
MPI4PY = "mpi4py<4" if Path(PYTHON).name in ("python3.10", "python3.11", "python3.12") else "mpi4py"

RANKS = """
import json
from mpi4py import MPI
world = MPI.COMM_WORLD
total = world.allreduce(world.rank + 1)
if world.rank == 0:
    library = MPI.Get_library_version()
    print(json.dumps({"size": world.size, "total": total, "library": library, "file": MPI.__file__}))
"""

PARALLEL = """
import json, sys
import h5py, mpi4py, numpy
from mpi4py import MPI
world = MPI.COMM_WORLD
with h5py.File(sys.argv[1], "w", driver="mpio", comm=world) as file:
    data = file.create_dataset("ranks", (world.size,), dtype="i")
    data[world.rank] = 10 + world.rank
world.Barrier()
if world.rank == 0:
    with h5py.File(sys.argv[1]) as file:
        answer = {"mpi": h5py.get_config().mpi, "ranks": [int(each) for each in file["ranks"]]}
    print(json.dumps({**answer, **{each.__name__: each.__file__ for each in (h5py, mpi4py, numpy)}}))
"""


class Ranks(NamedTuple):
    """A centre with MPI, and an environment there with mpi4py."""

    at: Centre
    root: Path
    environment: dict[str, Any]

    @property
    def mpicc(self) -> str:
        return f"{self.root}/mpi/libexec/mpicc"


def build_variables(*given: str) -> list[str]:
    return [word for each in given for word in ("--build-var", each)]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Ranks:
    """mpi4py from source; release and flags are for speed alone."""
    require("gcc", bool(which("gcc")))
    require("Open MPI", bool(which("mpicc.openmpi") and which("mpirun.openmpi")))
    require("HDF5 for Open MPI", HDF5.exists())
    root = tmp_path_factory.mktemp("site")
    at = arrive(profiles.mpi(root, PYTHON, HDF5), tmp_path_factory.mktemp("home"), cache, VenvManager={})
    (root / "build.txt").write_text("setuptools<80\n")  # the last one that such releases know
    given = build_variables(
        *(f"MPICC={root}/mpi/libexec/mpicc", "PIP_NO_BINARY=mpi4py", "CFLAGS=-O0 -g0"),
        f"PIP_BUILD_CONSTRAINT={root}/build.txt",
    )
    return Ranks(at, root, at.create("ranks", MPI4PY, "--no-kernel", *given))


def on_two_ranks(at: Centre, made: dict[str, Any], code: str, *arguments: str) -> Any:
    """Run *code* through the launch script on two ranks, from a shell that has loaded nothing but MPI."""
    shell = environ(f". {at.init} && module load OpenMPI/4.1", at.shell)
    launch = f"{made['prefix']}/.hpcenv/launch"
    run = ["mpirun", "-n", "2", "--allow-run-as-root", "--oversubscribe", launch, "-c", code, *arguments]
    done = subprocess.run(["/usr/bin/env", *run], env=shell, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_mpi4py_is_built_against_the_modules_mpi(ranks: Ranks) -> None:
    """The build variables reach the compiler, which is MPI's."""
    made = ranks.environment
    assert made["build_variables"]["MPICC"] == ranks.mpicc
    assert made["installer"] == "pip"
    assert Path(f"{ranks.mpicc}.used").exists()
    found = on_two_ranks(ranks.at, made, RANKS)
    assert (found["size"], found["total"]) == (2, 3)
    assert "Open MPI" in found["library"]
    assert found["file"].startswith(made["prefix"])


def test_parallel_h5py_is_built_on_the_packages_of_modules(ranks: Ranks, tmp_path: Path) -> None:
    """Without isolation it is built against the numpy and mpi4py of the stack, and these stay the ones imported."""
    at, stack = ranks.at, ranks.root / "stack"
    target = ["--python", PYTHON, "--target", str(stack)]
    needed = ["numpy>=2", "Cython", "pkgconfig"]
    subprocess.run([find_uv(), "pip", "install", "--quiet", *target, *needed], check=True, timeout=240)
    for each in Path(ranks.environment["prefix"]).glob("lib/python3*/site-packages/mpi4py*"):
        shutil.copytree(each, stack / each.name)
    (at.cli.home / ".pydistutils.cfg").write_text("[build_ext]\nparallel = 2\n")
    given = build_variables(f"CC={ranks.mpicc}", "PIP_NO_BINARY=h5py", "CFLAGS=-O0 -g0")
    load = ("OpenMPI/4.1", "HDF5/1.10", "Python/3.11", "stack/1.0")
    made = at.cli.data_of(
        "create", "parallel", *(word for each in load for word in ("--module", each)), "h5py", "--no-kernel", *given
    )
    assert made["system_site_packages"] is True
    found = on_two_ranks(at, made, PARALLEL, str(tmp_path / "ranks.h5"))
    assert found["mpi"] is True
    assert found["ranks"] == [10, 11]
    assert found["h5py"].startswith(made["prefix"])
    assert found["numpy"].startswith(str(stack))
    assert found["mpi4py"].startswith(str(stack))
