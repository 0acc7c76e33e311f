"""Lmod: found, listed with chains, families and extensions, and asked only when something changed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jupyter_hpcenv.errors import ModuleFailed, NoModuleSystem
from jupyter_hpcenv.modules import Available, ModuleSystem, system
from jupyter_hpcenv.site import Site

from . import trees
from .conftest import World
from .systems import LMOD


def listed(found: ModuleSystem) -> dict[str, Available]:
    return {module.name: module for module in found.available()}


def test_it_is_found_by_its_variables_and_without_them(lmod: World) -> None:
    shown = system(Site(), {**lmod.environ, "LMOD_CMD": f"{LMOD}/libexec/lmod"})
    assert (shown.name, shown.init) == ("lmod", f"{LMOD}/init/bash")
    assert shown.version == lmod.interactive()["LMOD_VERSION"]
    assert system(Site(module_system="lmod"), lmod.environ).init == f"{LMOD}/init/bash"
    assert system(Site(module_system="lmod", module_init=lmod.init), {}).init == lmod.init


@pytest.mark.usefixtures("nothing_starts")
def test_finding_it_starts_nothing(lmod: World) -> None:
    found = lmod.system(lmod.environ)
    assert found.name == "lmod"
    assert found.version
    assert found.loaded() == []
    assert found.collections() == []


def test_what_is_not_there_is_said(lmod: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_hpcenv.modules.find._LMOD_PLACES", ())
    monkeypatch.setattr("jupyter_hpcenv.modules.find._TCL_PLACES", ())
    monkeypatch.setattr("jupyter_hpcenv.modules.find._PROFILES", lmod.root)
    with pytest.raises(NoModuleSystem, match="was not found on this machine"):
        system(Site(module_system="lmod"), {"MODULESHOME": str(lmod.root)})
    assert system(Site(), {}).name == "none"


def test_all_is_listed_with_chains_families_and_extensions(lmod: World) -> None:
    modules = listed(lmod.system())
    assert modules["gcc/12"].default
    assert not modules["gcc/13"].default
    assert modules["gcc/12"].description == "GNU compilers"
    assert modules["gcc/12"].family == "compiler"
    assert modules["gcc/12"].prerequisites == []
    assert modules["openmpi/4.1"].prerequisites == [["gcc/12"], ["gcc/13"], ["intel/2023"]]
    assert modules["FFTW/3.3.10"].prerequisites == [["gcc/12", "openmpi/4.1"]]
    assert modules["SciPy-bundle/2023.07"].extensions == ["numpy/1.25.1", "scipy/1.11.1", "pandas/2.0.3"]
    assert modules["site/1.0"].properties == ["sticky"]
    assert [name for name in ("dversion", "dmodulerc", "dlua", "dlink") if not modules[f"{name}/2.0"].default] == []


def test_who_has_numpy(lmod: World) -> None:
    told = [(each.module, each.version, each.prerequisites) for each in lmod.system().provides("numpy")]
    assert told == [
        ("SciPy-bundle/2023.07-core", "1.25.1", []),
        ("SciPy-bundle/2023.07", "1.25.1", [["gcc/12", "openmpi/4.1"]]),
    ]


def test_the_list_does_not_depend_on_what_is_loaded(lmod: World) -> None:
    servers = lmod.interactive("module load gcc/13 openmpi")
    assert servers["MODULEPATH"] != lmod.path
    busy, idle = lmod.system(servers), lmod.system()
    assert busy.path() == idle.path() == lmod.path
    assert busy.available() == idle.available()


def test_3000_modules_are_asked_for_once(lmod: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = trees.big(lmod.root, 3000)
    environ = {**lmod.environ, "MODULEPATH": folder}
    first = lmod.system(environ).available()
    assert len(first) == 3000
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
        assert lmod.system(environ).available() == first
    Path(folder, "app7/4.0.lua").write_text('setenv("APP7", "4.0")\n')
    assert "app7/4.0" in listed(lmod.system(environ))


def test_another_default_is_seen(lmod: World) -> None:
    assert listed(lmod.system())["gcc/12"].default
    Path(lmod.path, "gcc/.version").unlink()
    assert listed(lmod.system())["gcc/13"].default
    rc = lmod.root / "rc.lua"
    rc.write_text('module_version("gcc/12", "default")\n')
    environ = {**lmod.environ, "LMOD_MODULERCFILE": str(rc)}
    modules = listed(lmod.system(environ))
    assert [modules[name].default for name in ("gcc/12", "gcc/13")] == [True, False]
    (lmod.home / ".modulerc").write_text("#%Module\n# module-version gcc/12 default\nmodule-version gcc/13 default\n")
    assert listed(lmod.system(environ))["gcc/13"].default
    assert lmod.system(environ).capture(["gcc"]).modules.load == ["gcc/13"]


def test_a_module_behind_others_that_comes_is_seen(lmod: World) -> None:
    assert "new/1.0" not in listed(lmod.system())
    folder = lmod.root / "lmod/Compiler/gcc/12/new"
    folder.mkdir()
    (folder / "1.0.lua").write_text('setenv("NEW", "1")\n')
    assert listed(lmod.system())["new/1.0"].prerequisites == [["gcc/12"]]


def test_listing_writes_nothing_into_the_home_but_our_own(lmod: World) -> None:
    before = set(os.listdir(lmod.home))
    lmod.system().available()
    assert set(os.listdir(lmod.home)) - before <= {".local"}


def test_a_modulefile_that_hangs_the_list_is_told(lmod: World) -> None:
    (Path(lmod.path) / "slow").mkdir()
    (Path(lmod.path) / "slow/1.0.lua").write_text('subprocess("sleep 3600")\n')
    with pytest.raises(ModuleFailed, match="did not list its modules within 1 seconds"):
        lmod.system(module_timeout=1).available()


def test_an_empty_folder_and_none_have_no_modules(lmod: World) -> None:
    (lmod.root / "empty").mkdir()
    assert lmod.system({**lmod.environ, "MODULEPATH": str(lmod.root / "empty")}).available() == []
    assert lmod.system({**lmod.environ, "MODULEPATH": str(lmod.root / "nosuch")}).available() == []


def test_collections_of_this_system_only(lmod: World) -> None:
    lmod.interactive("module load gcc", "module save one", "export LMOD_SYSTEM_NAME=here", "module save two")
    assert lmod.system().collections() == ["one"]
    assert lmod.system({**lmod.environ, "LMOD_SYSTEM_NAME": "here"}).collections() == ["two"]
