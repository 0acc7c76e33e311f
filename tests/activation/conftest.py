"""A record, its site, and the real shells and module systems that read what is generated; nothing is built here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.models import ModuleSet, Platform, Record
from jupyter_hpcenv.site import Site

from ..modules.systems import need
from ..modules.trees import write_lmod, write_tcl

#: What a module system keeps for itself; no program but the module command reads it.
BOOKKEEPING = ("_ModuleTable", "__LMOD_", "__MODULES_")

SHELLS = {
    "bash": ["bash", "--norc", "--noprofile"],
    "dash": ["dash"],
    "zsh": ["zsh", "-f"],
    "tcsh": ["tcsh", "-f"],
    "fish": ["fish", "--no-config"],
}
DIALECT = {"tcsh": "csh", "fish": "fish"}


def make(prefix: Path | str, **changes: Any) -> Record:
    values: dict[str, Any] = {
        "id": "0123456789abcdef0123456789abcdef",
        "name": "climate",
        "location": "home",
        "prefix": str(prefix),
        "manager": "venv",
        "creator": "uv",
        "installer": "uv",
        "python": "3.11.7",
        "python_path": sys.executable,
        "display_name": "Climate",
        "platform": Platform(cluster="testcluster", os="debian12", arch="x86_64"),
        "owner": "user",
        "created": "2026-11-21T08:00:00.000Z",
        "changed": "2026-11-21T08:00:00.000Z",
        "operation": "20261121-080000-0000abcd",
    }
    return Record(**{**values, **changes})


def make_prefix(folder: Path) -> Path:
    """Make a prefix whose Python is this one, with a small package of its own."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    minor = "{}.{}".format(*sys.version_info)
    (folder / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).parent}\nversion = {minor}.0\n")
    packages = folder / "lib" / f"python{minor}" / "site-packages"
    packages.mkdir(parents=True)
    (packages / f"only_in_{folder.name.split()[0]}.py").write_text("")
    return folder


@pytest.fixture
def site(home: Path) -> Site:
    return Site(cluster="testcluster")


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return make_prefix(tmp_path / "climate it's $x")


class Modules:
    """A module system with its nasty tree."""

    def __init__(self, system: str, root: Path) -> None:
        self.system = system
        self.init = need(system)
        self.folder = (write_lmod if system == "lmod" else write_tcl)(root, sys.executable)

    def set(self, *names: str, modulepath: list[str] | None = None) -> ModuleSet:
        folders = [self.folder] if modulepath is None else modulepath
        return ModuleSet(system=self.system, init=self.init, modulepath=folders, load=list(names))


@pytest.fixture(params=["lmod", "tcl"])
def modules(request: pytest.FixtureRequest, tmp_path: Path) -> Modules:
    return Modules(request.param, tmp_path / "tree")


def run(
    shell: str, script: str, folder: Path, environment: Mapping[str, str] | None = None, options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run *script* in the real shell, from an almost empty environment."""
    if shutil.which(SHELLS[shell][0]) is None:
        if os.environ.get("HPCENV_REQUIRE_REAL") == "1":
            pytest.fail(f"{shell} is missing, and HPCENV_REQUIRE_REAL=1 forbids to skip its tests")
        pytest.skip(f"{shell} is not installed")
    path = folder / "test-script"
    path.write_text(script, encoding="utf-8")
    values = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **(environment or {})}
    return subprocess.run(
        [*SHELLS[shell], *options, str(path)],
        env=values,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def snapshot(path: Path) -> dict[str, str]:
    """Return what ``env -0`` wrote, without the bookkeeping of module systems and of shells."""
    entries = dict(entry.split("=", 1) for entry in path.read_bytes().decode(errors="surrogateescape").split("\0")[:-1])
    if not entries.get("LOADEDMODULES"):
        entries.pop("LOADEDMODULES", None)  # Tcl Modules begins with an empty one and ends with none
    return {name: value for name, value in entries.items() if name != "_" and not name.startswith(BOOKKEEPING)}


Make = Callable[..., Record]
