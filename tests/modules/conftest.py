"""A tree of modules, a clean environment and a real module system for each test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_hpcenv.modules import ModuleSystem, system
from jupyter_hpcenv.site import Site

from . import trees
from .systems import need

REAL_PYTHON = str(Path(sys.base_prefix) / "bin" / "python3")

#: What differs between any two shells, or is the module system's own.
OWN = ("_", "SHLVL", "PWD", "OLDPWD", "LS_COLORS")


class World:
    """A machine with one module system and the nasty tree."""

    def __init__(self, kind: str, root: Path, home: Path) -> None:
        self.kind = kind
        self.root = root
        self.home = home
        self.init = need(kind)
        self.path = (trees.write_lmod if kind == "lmod" else trees.write_tcl)(root, REAL_PYTHON)
        share = str(Path(self.init).parent.parent)
        self.environ = {"PATH": "/usr/bin:/bin", "HOME": str(home), "MODULEPATH": self.path, "MODULESHOME": share}

    def site(self, **traits: object) -> Site:
        return Site(module_system=self.kind, **traits)

    def system(self, environ: dict[str, str] | None = None, **traits: object) -> ModuleSystem:
        return system(self.site(**traits), self.environ if environ is None else environ)

    def interactive(self, *commands: str, environ: dict[str, str] | None = None) -> dict[str, str]:
        """Return the environment that a person's shell has after these commands."""
        script = "\n".join([f". {self.init}", *commands, f"env -0 >{self.root}/typed"])
        env = self.environ if environ is None else environ
        subprocess.run(["bash", "--norc", "-c", script], env=env, capture_output=True, check=False, timeout=60)
        entries = (self.root / "typed").read_text().split("\0")
        found = dict(entry.split("=", 1) for entry in entries if "=" in entry)
        return {name: value for name, value in found.items() if not name.startswith("BASH_FUNC_") and name not in OWN}


@pytest.fixture(params=["lmod", "tcl"])
def world(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> World:
    return World(request.param, tmp_path, home)


@pytest.fixture
def lmod(tmp_path: Path, home: Path) -> World:
    return World("lmod", tmp_path, home)


@pytest.fixture
def tcl(tmp_path: Path, home: Path) -> World:
    return World("tcl", tmp_path, home)


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, whoever starts a program fails."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
