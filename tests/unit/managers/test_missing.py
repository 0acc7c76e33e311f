"""A failed build names what it missed, and the site's table says which module has it."""

from __future__ import annotations

import pytest

from jupyter_hpcenv.errors import BuildFailed, IndexUnreachable
from jupyter_hpcenv.managers.failures import failure
from jupyter_hpcenv.managers.missing import Missing, find, modules_for

TABLE = {"mpi.h": "OpenMPI", "hdf5.h": "HDF5", "hdf5": "HDF5", "gfortran": "GCC", "gcc": "GCC", "MPI": "OpenMPI"}

SAID = [
    ("src/lib-mpi/config.h:12:10: fatal error: mpi.h: No such file or directory", "the header mpi.h", "OpenMPI"),
    ("x.c:1:10: fatal error: 'hdf5/serial/hdf5.h' file not found", "the header hdf5/serial/hdf5.h", "HDF5"),
    ("/usr/bin/ld: cannot find -lhdf5: No such file or directory", "the library hdf5", "HDF5"),
    ("ImportError: libhdf5.so.103: cannot open shared object file: No such file", "the library hdf5", "HDF5"),
    ("unable to execute 'gcc': No such file or directory", "the program gcc", "GCC"),
    ("error: command 'x86_64-linux-gnu-gcc-12' failed: No such file or directory", "the program", "GCC"),
    ("error: command '/opt/bin/gcc' failed: No such file or directory", "the program /opt/bin/gcc", "GCC"),
    ("error: Could not find a Fortran compiler", "the compiler for Fortran", "GCC"),
    ("../meson.build:1:0: ERROR: Unknown compiler(s): [['gcc'], ['clang']]", "the compiler gcc", "GCC"),
    ("  No CMAKE_CXX_COMPILER could be found.", "the compiler for C++", "GCC"),
    ("/bin/sh: 1: mpicc: not found", "the program mpicc", ""),
    ("setup.sh: line 3: mpicc: command not found", "the program mpicc", ""),
    ("FileNotFoundError: [Errno 2] No such file or directory: 'nc-config'", "the program nc-config", ""),
    ("Package hdf5 was not found in the pkg-config search path.", "the library hdf5", "HDF5"),
    ("Package 'hdf5', required by 'virtual:world', not found", "the library hdf5", "HDF5"),
    ('  Could NOT find MPI (missing: MPI_C_FOUND) (Required is at least version "3")', "the library MPI", "OpenMPI"),
    ('../meson.build:9:7: ERROR: Dependency "hdf5" not found, tried pkgconfig and cmake', "the library hdf5", "HDF5"),
    ("ModuleNotFoundError: No module named 'Cython.Build'", "the Python package Cython", ""),
    ("pip._vendor.pyproject_hooks._impl.BackendUnavailable: Cannot import 'hatchling.build'", "hatchling", ""),
]


@pytest.mark.parametrize(
    ("line", "words", "module"), SAID, ids=[words + str(n) for n, (_, words, _) in enumerate(SAID)]
)
def test_a_failed_build_names_what_is_missing_and_who_has_it(line: str, words: str, module: str) -> None:
    lines = ["  error: subprocess-exited-with-error", f"      {line}", "ERROR: Failed building wheel for mpi4py"]
    error = failure("pip", lines, TABLE)
    assert type(error) is BuildFailed
    assert "The package mpi4py" in error.message
    assert f"{words}" in error.message
    assert error.message.endswith(" is missing.")
    assert line.strip() in error.reason
    told = [hint for hint in error.hints if hint.startswith(f"Load the module {module}, which has ")]
    assert bool(told) is bool(module)
    assert all(f"--module {module}" in hint for hint in told)
    without = failure("pip", lines)
    assert without.message == error.message
    assert not any("which has" in hint for hint in without.hints)


def test_what_did_not_end_the_build_is_not_named() -> None:
    """A configure script looks for many things; the last one that it missed is what counts."""
    lines = [
        "-- Could NOT find OpenMP (missing: OpenMP_C_FOUND)",
        "x.c:1:1: fatal error: mpi.h: No such file or directory",
    ]
    assert find(lines) == Missing(kind="header", name="mpi.h")


@pytest.mark.parametrize(
    "line",
    [
        "FileNotFoundError: [Errno 2] No such file or directory: 'README.md'",
        "FileNotFoundError: [Errno 2] No such file or directory: '/tmp/build/VERSION'",
        "Checking for program 'gcc' : not found",
        "checking for mpi.h... no",
        "error: command '/usr/bin/gcc' failed with exit code 1",
    ],
)
def test_what_merely_sounds_like_it_is_not_named(line: str) -> None:
    assert find([line]) is None


def test_a_failure_that_is_no_build_names_nothing() -> None:
    lines = ["warning: No module named 'x'", "error: Failed to fetch: `http://127.0.0.1:1/x/`"]
    assert type(failure("uv", lines, TABLE)) is IndexUnreachable


def test_the_table_takes_any_spelling_and_several_names() -> None:
    assert modules_for(Missing(kind="library", name="fftw3"), {"libfftw3.so": "FFTW"}) == ["FFTW"]
    assert modules_for(Missing(kind="Python package", name="numpy"), {"NumPy": "SciPy-bundle"}) == ["SciPy-bundle"]
    assert modules_for(Missing(kind="header", name="a/mpi.h"), {"a/mpi.h": "A", "mpi.h": "B"}) == ["A", "B"]
    assert modules_for(Missing(kind="header", name="mpi.h"), {}) == []


def test_without_isolation_the_way_back_is_told() -> None:
    """What a build needs can not be fetched there: either a module has it, or packages are built in isolation."""
    error = failure("pip", ["pip._vendor.x.BackendUnavailable: Cannot import 'flit_core.buildapi'"], TABLE)
    assert type(error) is BuildFailed
    assert "flit_core" in error.message
    assert any("no_build_isolation" in hint for hint in error.hints)
