"""What an environment sees without having it is listed apart, with whose it is; which of two is imported is said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_hpcenv.managers.inherited import with_inherited
from jupyter_hpcenv.managers.packages import list_packages

from ..cli.conftest import Cli
from ..layering.profiles import wheel
from ..modules import systems, trees

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


def packed(folder: Path, name: str, version: str) -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


@pytest.fixture
def cli(home: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A command line where a module brings numpy before, and scipy and hpcdemo behind one's own packages."""
    init = systems.need("lmod")
    path = trees.write_lmod(tmp_path, os.path.realpath(sys.executable))
    scipy = tmp_path / "sw/scipy"
    packed(scipy / f"lib/python{MINOR}/site-packages", "scipy", "1.11.1")
    packed(scipy / f"lib/python{MINOR}/site-packages", "hpcdemo", "0.5")
    cli = Cli(home, tmp_path_factory.mktemp("uv"))
    shell = {"HOME": str(home), "PATH": cli.env["PATH"], "MODULEPATH": path}
    said = subprocess.run(["bash", "-c", f". {init}; env -0"], env=shell, capture_output=True, text=True, check=True)
    cli.env.update(entry.split("=", 1) for entry in said.stdout.split("\0") if "=" in entry)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel(wheels, "hpcdemo", "1.0")
    cli.env["PIP_FIND_LINKS"], cli.env["PIP_NO_INDEX"] = str(wheels), "1"
    return cli


def test_own_and_inherited_are_apart_each_with_its_module(cli: Cli, tmp_path: Path) -> None:
    modules = [word for name in ("gcc/12", "openmpi/4.1", "SciPy-bundle") for word in ("--module", name)]
    made = cli.data_of("create", "a", "hpcdemo==1.0", *modules, "--no-kernel")
    found = {(each["name"], each["version"]): each for each in cli.data_of("packages", "a")}
    own = found["hpcdemo", "1.0"]
    assert (own["inherited"], own["source"]) == (False, "index")
    assert own["note"] == "Hides 0.5 of module SciPy-bundle/2023.07."
    hidden = found["hpcdemo", "0.5"]
    assert (hidden["inherited"], hidden["note"]) == (True, "Hidden by the environment’s own.")
    for name, version in (("numpy", "1.25.1"), ("scipy", "1.11.1")):
        each = found[name, version]
        assert (each["inherited"], each["source"]) == (True, "module SciPy-bundle/2023.07")
    below = {each["name"]: each["source"] for each in found.values() if each["source"] == "module Python/3.11.7"}
    there = {each.name for each in list_packages(Path(os.path.realpath(sys.executable)).parent.parent)}
    assert set(below) == there - {"numpy", "scipy", "hpcdemo"}
    mine = {each["name"] for each in cli.data_of("packages", "a", "--own")}
    assert {"hpcdemo", "pip"} <= mine <= {"hpcdemo", "pip", "setuptools"}
    rest = cli.data_of("packages", "a", "--inherited")
    assert len(rest) == len(found) - len(mine)
    assert all(each["inherited"] for each in rest)
    # what the environment's own Python says is imported
    script = "import importlib.metadata as m; print(m.version('hpcdemo'), m.version('numpy'))"
    env = {**cli.env, "PYTHONPATH": str(tmp_path / "sw/scipy/pylib")}
    said = subprocess.run([f"{made['prefix']}/bin/python", "-c", script], env=env, capture_output=True, text=True)
    assert said.stdout.split() == ["1.0", "1.25.1"]
    cli.data_of("create", "b", *modules, "--manager", "modules", "--no-kernel")
    assert {each["inherited"] for each in cli.data_of("packages", "b")} == {True}
    cli.data_of("create", "c", "hpcdemo", "--no-kernel", "--python", os.path.realpath(sys.executable))
    assert {each["inherited"] for each in cli.data_of("packages", "c")} == {False}


def test_a_folder_is_read_again_when_it_changes_and_only_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_hpcenv.managers import inherited
    from jupyter_hpcenv.models import Brought, ModuleSet, Platform, Record

    folder = tmp_path / "below"
    packed(folder, "one", "1")
    (folder / "old-2.egg-info").write_text("Metadata-Version: 1.0\nName: old\nVersion: 2\n")
    os.mkfifo(folder / "odd-1.egg-info")
    brings = [Brought(module="X/1", path=str(folder), kind="path")]
    record = Record(
        id="0" * 32, name="a", location="", prefix="/p", manager="venv", creator="", installer="uv", python="3.12.1",
        python_path="/nowhere", display_name="a", platform=Platform(cluster="", os="", arch=""), owner="", created="",
        changed="", operation="", modules=ModuleSet(system="lmod", brings=brings),
    )  # fmt: skip
    read, reads = inherited._read, []
    monkeypatch.setattr(inherited, "_read", lambda place: reads.append(place) or read(place))
    for _ in range(3):
        assert [(each.name, each.source) for each in with_inherited([], record)] == [
            ("old", "module X/1"),
            ("one", "module X/1"),
        ]
    assert len(reads) == 1
    packed(folder, "two", "1")
    os.utime(folder, ns=(0, 1))
    assert [each.name for each in with_inherited([], record)] == ["old", "one", "two"]
