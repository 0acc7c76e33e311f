"""Loading is captured as a person's own shell would have it, and every way to fail is told apart."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from jupyter_hpcenv.errors import (
    HpcenvError,
    InvalidRequest,
    ModuleConflict,
    ModuleFailed,
    ModuleNotFound,
    NoModuleSystem,
)
from jupyter_hpcenv.modules import Captured, system, target
from jupyter_hpcenv.process import MARKER, is_marked
from jupyter_hpcenv.site import Site

from . import trees
from .conftest import REAL_PYTHON, World

#: Lmod's bookkeeping of when and how it was called, and what a shell of ours takes away on purpose.
BOOKKEEPING = ("_ModuleTable", "LMOD_LANG", "BASH_ENV")


def plain(environ: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith(BOOKKEEPING)}


def names(captured: Captured) -> list[str]:
    (loaded,) = captured.modules.loaded.values()
    return [module.name for module in loaded]


@pytest.mark.parametrize("asked", [[name] for name in (*trees.HARMLESS, "bashenv/1.0", "reads/1.0", "bulk3")])
def test_it_is_what_a_person_s_shell_gets(world: World, asked: list[str]) -> None:
    captured = world.system().capture(asked)
    assert plain(captured.environ) == plain(world.interactive(f"module load {' '.join(asked)}"))


def test_a_chain_is_what_a_person_s_shell_gets(world: World) -> None:
    asked = [*trees.CHAIN, "SciPy-bundle/2023.07"]
    captured = world.system().capture(asked)
    assert plain(captured.environ) == plain(world.interactive(f"module load {' '.join(asked)}"))
    assert captured.modules.load == asked
    assert "Python/3.11.7" in names(captured)
    assert captured.brings_packages
    assert captured.python == REAL_PYTHON
    assert captured.environ["PYTHONPATH"] == str(world.root / "sw/scipy/pylib")


def test_the_record_holds_full_names_files_and_digests(world: World) -> None:
    captured = world.system().capture(["gcc", "Python/3.11"])
    modules = captured.modules
    assert (modules.system, modules.init) == (world.kind, world.init)
    assert modules.version.startswith(("8.", "5."))
    assert modules.asked == ["gcc", "Python/3.11"]
    assert modules.load == ["gcc/12", "Python/3.11.7"]
    assert modules.modulepath == [world.path]
    assert list(modules.loaded) == [target(world.site())]
    for module in modules.loaded[target(world.site())]:
        assert module.digest == hashlib.sha256(Path(module.path).read_bytes()).hexdigest()
    assert not captured.brings_packages


def test_python_is_told_only_if_a_module_brought_it(world: World) -> None:
    assert world.system().capture(["gcc"]).python == ""
    assert world.system().capture(["Python"]).python == REAL_PYTHON


def test_default_versions_are_the_system_s_own(world: World) -> None:
    chosen = {"dversion": "dversion/2.0", "dmodulerc": "dmodulerc/2.0", "dlink": "dlink/default"}
    if world.kind == "lmod":
        chosen |= {"dlink": "dlink/2.0", "dlua": "dlua/2.0"}
    for name, full in chosen.items():
        assert world.system().capture([name]).modules.load == [full]
        assert world.interactive(f"module load {name}")["LOADEDMODULES"] == full


def test_from_an_empty_environment(world: World) -> None:
    bare = world.system({}, module_init=world.init, module_path=[world.path])
    captured = bare.capture(["gcc/12"])
    assert captured.environ["CC"] == "gcc-12"
    assert world.path in captured.modules.modulepath


def test_the_server_s_own_modules_leave_no_trace(world: World) -> None:
    mine = ["gcc/13", "openmpi/4.1", "bulk1"]
    servers = world.interactive(f"module load {' '.join(mine)}")
    assert "gcc/13" in servers["LOADEDMODULES"]
    clean = world.system().capture(["gcc/12", "Python"])
    busy = world.system(servers)
    assert busy.loaded() == ["gcc/13", "openmpi/4.1", "bulk1/1.0"]
    captured = busy.capture(["gcc/12", "Python"])
    assert captured.modules.modulepath == clean.modules.modulepath
    for name in ("LOADEDMODULES", "_LMFILES_", "PATH", "LD_LIBRARY_PATH", "CC", "MODULEPATH", "MPI_HOME", "BULK1"):
        assert captured.environ.get(name) == clean.environ.get(name), name


def test_folders_of_the_site_are_searched_with_the_server_s_modules_loaded(world: World) -> None:
    extra = world.root / "extra"
    (extra / "mine").mkdir(parents=True)
    if world.kind == "lmod":
        (extra / "mine/1.0.lua").write_text('setenv("MINE", "1")\n')
    else:
        (extra / "mine/1.0").write_text("#%Module1.0\nsetenv MINE 1\n")
    servers = world.interactive("module load gcc/13")
    captured = world.system(servers, module_path=[str(extra)]).capture(["mine", "gcc/12"])
    assert captured.environ["MINE"] == "1"
    assert captured.environ["CC"] == "gcc-12"
    assert captured.modules.modulepath == [world.path, str(extra)]


@pytest.mark.parametrize(
    ("policy", "stays"),
    [("default", ["site/1.0"]), ("purge", []), ("none", ["site/1.0", "bulk2/1.0"])],
)
def test_what_is_purged_is_the_site_s_policy(world: World, policy: str, stays: list[str]) -> None:
    servers = world.interactive("module load site/1.0 bulk2/1.0")
    captured = world.system(servers, module_purge=policy).capture(["gcc/12"])
    assert names(captured) == [*stays, "gcc/12"]
    assert captured.environ.get("SITE_LOADED") == ("1" if "site/1.0" in stays else None)
    assert captured.environ.get("BULK2") == ("v" if "bulk2/1.0" in stays else None)
    assert captured.modules.purge == policy
    other = world.system(servers).capture(["gcc/12"], purge=policy)
    assert names(other) == names(captured)


def test_secrets_and_steering_of_the_caller_do_not_reach_modules(world: World) -> None:
    environ = {**world.environ, "JUPYTERHUB_API_TOKEN": "hush", "PYTHONPATH": "/evil", "BASH_ENV": "/evil"}
    captured = world.system(environ).capture(["bashenv/1.0"])
    assert captured.environ["BASHENV_LOADED"] == "1"
    assert not {"JUPYTERHUB_API_TOKEN", "PYTHONPATH", "BASH_ENV", "POISONED"} & set(captured.environ)
    assert "hush" not in repr(captured)


def test_what_modules_say_is_kept_and_never_run(world: World) -> None:
    captured = world.system().capture(["needs/3.0-chatty"])
    assert captured.environ["N3"] == "1"
    assert "please cite us" in captured.modules.messages
    assert captured.modules.live


FAILURES = [
    (["nosuch/1"], ModuleNotFound, "nosuch/1"),
    (["gcc/12", "nosuch/1"], ModuleNotFound, "nosuch/1"),
    (["needs/4.0-depmissing"], ModuleNotFound, "nosuch/1, which needs/4.0-depmissing needs"),
    (["gcc/12", "needs/2.0-conflict"], ModuleConflict, "exclude each other"),
    (["gcc/12", "intel/2023"], ModuleConflict, "exclude each other"),
    (["gcc/12", "gcc/13"], ModuleConflict, "exclude each other"),
    (["broken/1.0"], ModuleFailed, "broken/1.0 could not be loaded"),
    (["broken/2.0"], ModuleFailed, "broken/2.0 could not be loaded"),
    (["broken/3.0"], ModuleFailed, "broken/3.0 could not be loaded"),
    ([trees.EXITING], ModuleFailed, "ended the shell"),
]


@pytest.mark.parametrize(("asked", "kind", "words"), FAILURES, ids=[" ".join(each[0]) for each in FAILURES])
def test_failures_are_told_apart(world: World, asked: list[str], kind: type[HpcenvError], words: str) -> None:
    with pytest.raises(kind) as caught:
        world.system().capture(asked)
    assert type(caught.value) is kind
    assert words in caught.value.message
    assert caught.value.hints
    assert trees.BROKEN.get(asked[0], "") in caught.value.reason


def test_near_names_are_offered(world: World) -> None:
    with pytest.raises(ModuleNotFound) as caught:
        world.system().capture(["SciPy-bundel"])
    assert caught.value.hints == ("Did you mean SciPy-bundle?",)
    with pytest.raises(ModuleNotFound) as caught:
        world.system().capture(["gcc/14"])
    assert caught.value.hints == ("Did you mean gcc/12 or gcc/13?",)


def test_a_missing_prerequisite_comes_with_the_chain(lmod: World) -> None:
    with pytest.raises(ModuleNotFound) as caught:
        lmod.system().capture(["FFTW"])
    assert caught.value.hints == ("Load gcc/12 and openmpi/4.1 first.",)
    with pytest.raises(ModuleNotFound) as caught:
        lmod.system().capture(["needs/1.0"])
    assert caught.value.hints == ("Load gcc and openmpi first.",)


def test_another_version_is_not_taken_for_one_behind_others(lmod: World) -> None:
    """Lmod would load 2023.07-core."""
    assert lmod.interactive("module load SciPy-bundle/2023.07")["LOADEDMODULES"].endswith("2023.07-core")
    with pytest.raises(ModuleNotFound, match="can not be loaded with what is loaded before it") as caught:
        lmod.system().capture(["SciPy-bundle/2023.07"])
    assert caught.value.hints == ("Load gcc/12 and openmpi/4.1 first.",)


def test_only_the_module_that_failed_is_blamed(world: World) -> None:
    with pytest.raises(ModuleFailed) as caught:
        world.system().capture(["bulk1", "broken/1.0", "bulk2"])
    assert caught.value.message.startswith("broken/1.0 could not be loaded")


def test_a_missing_prerequisite_where_the_system_does_not_load_it(tcl: World) -> None:
    with pytest.raises(ModuleNotFound) as caught:
        tcl.system({**tcl.environ, "MODULES_AUTO_HANDLING": "0"}).capture(["FFTW"])
    assert "FFTW" in caught.value.message
    assert "openmpi" in " ".join(caught.value.hints)


@pytest.mark.parametrize("name", [trees.HANGING, "hang/2.0-shell"])
def test_a_module_that_hangs_is_stopped_with_all_that_it_started(world: World, name: str) -> None:
    marker = f"hang-{world.kind}-{os.getpid()}"
    with pytest.raises(ModuleFailed, match="took longer than 1 seconds and was stopped"):
        world.system({**world.environ, MARKER: marker}).capture([name], timeout=1)
    assert not is_marked(marker)


@pytest.mark.parametrize(
    "name",
    [
        "-t",
        "--force",
        "",
        "a b",
        "a\nb",
        "a\0b",
        "a;b",
        "$(id)",
        "`id`",
        "a:b",
        "/etc/x",
        "../x",
        "a/../b",
        "é",
        "x" * 300,
    ],
)
@pytest.mark.usefixtures("nothing_starts")
def test_names_are_checked_before_anything_runs(world: World, name: str) -> None:
    with pytest.raises(InvalidRequest, match="can not name a module"):
        world.system().capture([name])


@pytest.mark.parametrize("name", ["-x", "a b", "a/b", "../x", "a;b"])
@pytest.mark.usefixtures("nothing_starts")
def test_collections_are_checked_before_anything_runs(world: World, name: str) -> None:
    with pytest.raises(InvalidRequest, match="can not name a collection"):
        world.system().capture([], collection=name)


def test_a_collection_is_restored(world: World) -> None:
    world.interactive("module load gcc/12 openmpi/4.1", "module save mine")
    found = world.system()
    assert found.collections() == ["mine"]
    captured = found.capture([], collection="mine")
    assert captured.modules.load == ["gcc/12", "openmpi/4.1"]
    assert captured.environ["MPI_HOME"] == str(world.root / "sw/openmpi")
    with pytest.raises(ModuleNotFound) as caught:
        found.capture([], collection="other")
    assert caught.value.hints == ("There are: mine.",)
    with pytest.raises(InvalidRequest):
        found.capture(["gcc"], collection="mine")


def test_no_folder_in_modulepath_is_said(lmod: World) -> None:
    environ = {name: value for name, value in lmod.environ.items() if name != "MODULEPATH"}
    with pytest.raises(ModuleNotFound, match="MODULEPATH names no folder"):
        lmod.system(environ, module_init=lmod.init).capture(["gcc"])


def test_a_folder_that_can_not_be_read_is_named(world: World) -> None:
    closed = trees.unreadable(world.root)
    # Root reads everything, so the question is asked as somebody else.
    message = _as_nobody(world, closed) if os.geteuid() == 0 else _told(world, closed)
    assert message == f"The module closed/1.0 was not found, and {closed} of MODULEPATH can not be read."


def _told(world: World, closed: str) -> str:
    found = world.system({**world.environ, "MODULEPATH": f"{world.path}:{closed}"})
    assert "gcc/12" in [module.name for module in found.available()]
    with pytest.raises(ModuleNotFound) as caught:
        found.capture(["closed/1.0"])
    return caught.value.message


def _as_nobody(world: World, closed: str) -> str:
    for folder in (world.root, *world.root.parents[:2], world.home):
        folder.chmod(0o755)
    os.chown(world.home, 65534, 65534)
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            os.write(into, _told(world, closed).encode())
        except BaseException as error:
            os.write(into, repr(error).encode())
        finally:
            os._exit(0)
    os.close(into)
    os.waitpid(child, 0)
    with os.fdopen(out) as told:
        return told.read()


def test_without_a_module_system(home: Path) -> None:
    none = system(Site(module_system="none"), {"HOME": str(home), "LOADEDMODULES": "gcc/12"})
    assert (none.name, none.available(), none.loaded(), none.collections()) == ("none", [], [], [])
    assert none.capture([]).modules.load == []
    with pytest.raises(NoModuleSystem, match="gcc can not be loaded") as caught:
        none.capture(["gcc"])
    assert caught.value.hints


def test_a_start_file_that_defines_nothing(world: World) -> None:
    init = world.root / "init.sh"
    init.write_text("echo I do nothing\n")
    with pytest.raises(NoModuleSystem) as caught:
        world.system(module_init=str(init)).capture(["gcc"])
    assert str(init) in caught.value.hints[0]


def test_what_drifted_is_told_without_starting_anything(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    found = world.system()
    modules = found.capture(["gcc/12", "Python", "bulk1"]).modules
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    assert found.check(modules) == []
    gcc, python, _ = (module.path for module in modules.loaded[target(world.site())])
    Path(gcc).write_text(Path(gcc).read_text() + "\n# changed\n")
    Path(python).unlink()
    assert [(each.module, each.kind) for each in found.check(modules)] == [
        ("gcc/12", "changed"),
        ("Python/3.11.7", "gone"),
    ]
