"""Who asks conda for what a module of the site has is told: packages of channels are built for any computer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_hpcenv.admission.modules import Modules
from jupyter_hpcenv.formats import matchspecs
from jupyter_hpcenv.site import Site

from ..cli.conftest import Cli
from ..modules import systems, trees

MODULE = "SciPy-bundle/2023.07"


@pytest.fixture
def cli(
    tmp_path: Path,
    channel: Path,
    cache: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Cli:
    """A user of Lmod, in whose tree numpy 1.25.1 is an extension of SciPy-bundle; the test is one, too."""
    init = systems.need("lmod")
    folder = trees.write_lmod(tmp_path / "tree", os.path.realpath(sys.executable))
    cli = Cli(tmp_path / "home", tmp_path_factory.mktemp("uv"))
    cli.home.mkdir()
    (cli.home / ".condarc").write_text(f"channels:\n  - file://{channel}\npkgs_dirs:\n  - {cache}\n")
    shell = ["bash", "-c", f". {init}; export MODULEPATH={folder}; env -0"]
    said = subprocess.run(shell, env=cli.env, capture_output=True, check=True, timeout=60).stdout.decode()
    cli.env.update(entry.split("=", 1) for entry in said.split("\0") if entry and not entry.startswith("BASH_FUNC_"))
    for name, value in cli.env.items():
        if name.startswith(("LMOD_", "MODULE")):
            monkeypatch.setenv(name, value)
    return cli


@pytest.mark.usefixtures("cli")
@pytest.mark.parametrize(
    "spec",
    [
        *("numpy", "NumPy", "numpy=2", "numpy>=1.26,<3", "numpy==2.1.0=py311_0", "numpy 2.*"),
        *("conda-forge::numpy", "conda-forge/linux-64::numpy=2", 'numpy[version=">=2"]'),
    ],
)
def test_however_it_is_asked_for(spec: str) -> None:
    (said,) = Modules(Site()).built_for_this([matchspecs.parse(spec)])
    assert said.startswith(f"The package numpy of conda channels is a generic binary; the module {MODULE}")
    assert "has numpy 1.25.1, built for this machine" in said
    assert "create the environment with --manager venv --module gcc/12 --module openmpi/4.1 --module SciPy" in said


@pytest.mark.usefixtures("cli")
def test_what_the_site_says_of_modules_counts_too() -> None:
    """Modules in Tcl have no list of extensions, and packages that are no Python's are in none."""
    asked = Modules(Site(module_hints={"GROMACS": "GROMACS/2024", "mpi.h": "OpenMPI"}))
    (said,) = asked.built_for_this(["bioconda::gromacs 2024.*", "hpc-tiny", "python 3.12.*"])
    assert "The package gromacs of conda channels is a generic binary; the module GROMACS/2024 has one" in said
    assert said.endswith("--manager venv --module GROMACS/2024.")


def test_nobody_waits_for_a_list_of_modules_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODULEPATH", raising=False)
    assert Modules(Site(module_hints={"numpy": "SciPy-bundle"})).built_for_this(["numpy"]) == []


def test_it_stands_in_the_plan_and_in_the_log(cli: Cli) -> None:
    file = cli.home / "environment.yml"
    file.write_text("dependencies: [numpy>=1, hpc-tiny]\n")
    arguments = ("mine", "--manager", "conda", "--no-kernel", "--file", str(file))
    loaded = [word for module in ("gcc/12", "openmpi/4.1", MODULE) for word in ("--module", module)]
    plan = cli.data_of("create", *arguments, *loaded, "--dry-run")
    assert [text for text in plan["warnings"] if f"the module {MODULE}" in text]  # it does not help that it is loaded
    done = cli("create", "mine", "numpy", "--manager", "conda", "--no-kernel")
    assert done.returncode == 0, done.stderr
    assert "generic binary" in done.stdout + done.stderr
    done = cli("install", "mine", "numpy", "--dry-run")
    assert "generic binary" in done.stdout + done.stderr
