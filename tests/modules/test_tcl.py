"""Environment Modules: found, listed, and asked only when something changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jupyter_hpcenv.errors import ModuleFailed
from jupyter_hpcenv.modules import Available, ModuleSystem, system
from jupyter_hpcenv.modules.tcl import _json
from jupyter_hpcenv.site import Site

from . import trees
from .conftest import World


def listed(found: ModuleSystem) -> dict[str, Available]:
    return {module.name: module for module in found.available()}


def test_it_is_found_by_its_variables_before_another_in_a_usual_place(tcl: World) -> None:
    typed = tcl.interactive()
    shown = system(Site(), typed)
    assert (shown.name, shown.init) == ("tcl", tcl.init)
    assert shown.version == "5.2.0"
    assert system(Site(module_system="tcl", module_init=tcl.init), {}).init == tcl.init


def test_variables_that_outlived_their_system_decide_nothing(tcl: World, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {**tcl.environ, "LMOD_CMD": "/nosuch/libexec/lmod", "LMOD_PKG": "/nosuch"}
    assert system(Site(module_init=tcl.init), environ).name == "tcl"
    monkeypatch.setattr("jupyter_hpcenv.modules.find._LMOD_PLACES", ())
    monkeypatch.setattr("jupyter_hpcenv.modules.find._PROFILES", tcl.root)
    assert system(Site(), environ).name == "tcl"


@pytest.mark.usefixtures("nothing_starts")
def test_finding_it_starts_nothing(tcl: World) -> None:
    found = tcl.system(tcl.environ)
    assert found.name == "tcl"
    assert found.version
    assert found.loaded() == []
    assert found.collections() == []


def test_all_is_listed_with_defaults_tags_and_descriptions(tcl: World) -> None:
    modules = listed(tcl.system())
    assert modules["gcc/12"].default
    assert not modules["gcc/13"].default
    assert modules["gcc/12"].description == "GNU compilers"
    assert modules["gcc/12"].prerequisites == []
    assert modules["site/1.0"].properties == ["sticky"]
    assert modules["bulk1/1.0"].default
    assert "broken/4.0-nomagic" not in modules


def test_who_has_numpy_where_modulefiles_say_so(tcl: World) -> None:
    top = Path(tcl.path)
    (top / "bundle").mkdir()
    (top / "bundle/1.0").write_text(
        "#%Module\nmodule-whatis {Description: Packages}\n"
        "module-whatis {Extensions: numpy-1.25.1, python-dateutil-2.8}\n"
    )
    (top / "bundle/2.0").write_text("#%Module\nextensions numpy/2.0 scipy/1.14\n")
    found = tcl.system()
    assert {each.module: each.version for each in found.provides("numpy")} == {
        "bundle/1.0": "1.25.1",
        "bundle/2.0": "2.0",
    }
    assert [each.module for each in found.provides("python_dateutil")] == ["bundle/1.0"]
    assert listed(found)["bundle/1.0"].description == "Packages"


def test_3000_modules_are_asked_for_once(tcl: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = trees.big(tcl.root, 3000, "tcl")
    environ = {**tcl.environ, "MODULEPATH": folder}
    first = tcl.system(environ).available()
    assert len(first) == 3000
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
        assert tcl.system(environ).available() == first
    Path(folder, "app7/4.0").write_text("#%Module\nsetenv APP7 4.0\n")
    assert "app7/4.0" in listed(tcl.system(environ))


def test_another_default_is_seen(tcl: World) -> None:
    assert listed(tcl.system())["gcc/12"].default
    Path(tcl.path, "gcc/.version").unlink()
    assert listed(tcl.system())["gcc/13"].default


def test_the_path_of_the_start_file_is_searched_where_the_session_has_none(tcl: World) -> None:
    found = tcl.system({"PATH": "/usr/bin:/bin", "HOME": str(tcl.home)}, module_init=tcl.init, module_path=[tcl.path])
    modules = listed(found)
    assert "gcc/12" in modules
    assert "null" in modules, "the system's own modules come by its start file"


def test_an_rc_file_that_hangs_the_list_is_told(tcl: World) -> None:
    (Path(tcl.path) / "slow").mkdir()
    (Path(tcl.path) / "slow/1.0").write_text("#%Module\n")
    (Path(tcl.path) / "slow/.modulerc").write_text("#%Module\nexec sleep 3600\n")
    with pytest.raises(ModuleFailed, match="did not list its modules within 1 seconds"):
        tcl.system(module_timeout=1).available()


def test_an_empty_folder_has_no_modules(tcl: World) -> None:
    (tcl.root / "empty").mkdir()
    assert tcl.system({**tcl.environ, "MODULEPATH": str(tcl.root / "empty")}).available() == []


def test_collections_of_this_target_only(tcl: World) -> None:
    tcl.interactive("module load gcc", "module save one", "export MODULES_COLLECTION_TARGET=here", "module save two")
    assert "one" in tcl.system().collections()
    assert tcl.system({**tcl.environ, "MODULES_COLLECTION_TARGET": "here"}).collections() == ["two"]


def test_noise_around_the_list_is_passed_over() -> None:
    assert _json('noise {\n{"/a": {}}\nmore\n') == {"/a": {}}
    with pytest.raises(ValueError, match="no JSON"):
        _json("something else\n")
