"""One environment with ipykernel, and a tree of modules for each module system, made once for this folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from ..modules import trees
from ..modules.systems import need
from .launching import Tree

SYSTEMS = ("lmod", "tcl")


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with ipykernel; tests write launch scripts into it."""
    folder = tmp_path_factory.mktemp("kernels") / "it's an environment"
    uv = [find_uv_bin(), "--no-config", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, str(folder)], check=True, timeout=60)
    target = ["--python", str(folder / "bin" / "python")]
    subprocess.run([*uv, "pip", "install", *target, "ipykernel"], check=True, timeout=300)
    return folder


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment without any package, which starts fast."""
    folder = tmp_path_factory.mktemp("bare") / "it's bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    return folder


@pytest.fixture(params=SYSTEMS)
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    """A module system with a tree that the test may change."""
    return make_tree(request.param, tmp_path)


@pytest.fixture
def lmod(tmp_path: Path) -> Tree:
    return make_tree("lmod", tmp_path)


def make_tree(system: str, root: Path) -> Tree:
    write = trees.write_lmod if system == "lmod" else trees.write_tcl
    return Tree(system, need(system), write(root, sys.executable), root)
