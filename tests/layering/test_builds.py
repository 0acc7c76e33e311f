"""Builds from source, really: against what modules bring, and what is said when something is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..conftest import require
from . import profiles
from .conftest import PYTHON, Centre, which

SETUP = """
from setuptools import Extension, setup
setup(name="hpcenv-tiny", version="1.0", ext_modules=[Extension("hpcenv_tiny", ["tiny.c"])])
"""

C = """
#include <Python.h>
%s
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "hpcenv_tiny", 0, -1, 0};
PyMODINIT_FUNC PyInit_hpcenv_tiny(void) { return PyModule_Create(&definition); }
"""


def project(folder: Path, include: str = "", backend: str = "setuptools") -> str:
    """Write a project with a module in C, and return the requirement that names it."""
    folder.mkdir()
    (folder / "setup.py").write_text(SETUP)
    (folder / "tiny.c").write_text(C % include)
    module = "setuptools.build_meta" if backend == "setuptools" else f"{backend}.api"
    (folder / "pyproject.toml").write_text(f'[build-system]\nrequires = ["{backend}"]\nbuild-backend = "{module}"\n')
    return f"hpcenv-tiny @ {folder.as_uri()}"


@pytest.fixture
def at(tmp_path: Path, kernel_prefix: Path, centre: Callable[..., Centre]) -> Centre:
    """A centre whose modules bring packages, so that builds are not isolated; there is no index."""
    require("gcc", bool(which("gcc")))
    site: dict[str, Any] = {"module_hints": {"mpi.h": "OpenMPI", "hpcenv_backend": "Build-tools"}}
    profile = profiles.easybuild(tmp_path / "site", PYTHON, kernel_prefix)
    return centre(profile, Site=site, VenvManager={"no_index": True})


def test_a_build_sees_setuptools_though_there_is_no_index(at: Centre, tmp_path: Path) -> None:
    made = at.create("built", project(tmp_path / "tiny"), "--no-kernel")
    assert made["preflight"]["kind"] == "import"
    assert list(Path(made["prefix"]).glob("lib/python3*/site-packages/hpcenv_tiny*.so"))


def test_a_failed_build_names_the_header_and_the_module_that_has_it(at: Centre, tmp_path: Path) -> None:
    requirement = project(tmp_path / "tiny", "#include <mpi.h>")
    load = [word for module in at.profile.load for word in ("--module", module)]
    error = at.cli.error_of("create", "never", *load, requirement, "--no-kernel")
    assert error["code"] == "build_failed"
    assert error["message"].endswith("the header mpi.h is missing.")
    assert error["hints"][0] == "Load the module OpenMPI, which has mpi.h (--module OpenMPI)."
    assert at.cli.data_of("list", "never") == []


def test_a_missing_backend_is_named(at: Centre, tmp_path: Path) -> None:
    requirement = project(tmp_path / "tiny", backend="hpcenv_backend")
    load = [word for module in at.profile.load for word in ("--module", module)]
    error = at.cli.error_of("create", "never", *load, requirement, "--no-kernel")
    assert error["code"] == "build_failed"
    assert error["message"].endswith("the Python package hpcenv_backend is missing.")
    assert "--module Build-tools" in error["hints"][0]
