"""What may be kept between starts of a kernel is known by files and variables, and everything else is loaded anew."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jupyter_hpcenv.models import ModuleSet
from jupyter_hpcenv.modules import lua, of, snapshot, tclscript

from . import trees
from .conftest import World

PURE = ("gcc/12", "intel/2023", "Python/3.11.7", "bulk1/1.0", "reads/1.0", "site/1.0", "dversion/2.0", "bashenv/1.0")
FICKLE = (
    "weird/1.0",  # its line break makes both systems' shells complain
    "shfun/1.0",
    "needs/3.0-chatty",
    "executes/1.0",
    "reads/2.0-dynamic",
    "reads/3.0-file",
)


def stat(paths: list[str]) -> str:
    """Print it as the launch script does."""
    argv = ["stat", "-L", "-c", "%n|%s|%.9Y|%.9Z|%i|%f", "--", *paths]
    done = subprocess.run(argv, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False)
    return done.stdout.rstrip("\n")


@pytest.mark.parametrize("name", PURE)
def test_plain_modules_may_be_kept(world: World, name: str) -> None:
    assert world.system().capture([name]).modules.live == ""


def test_a_chain_may_be_kept(world: World) -> None:
    assert world.system().capture([*trees.CHAIN, "SciPy-bundle/2023.07"]).modules.live == ""


@pytest.mark.parametrize("name", FICKLE)
def test_others_are_loaded_anew(world: World, name: str) -> None:
    assert world.system().capture([name]).modules.live
    assert world.system().capture(["gcc/12", name]).modules.live


def test_what_is_read_and_extended_is_told(world: World) -> None:
    reads = world.system().capture(["reads/1.0", "gcc/12"]).modules.reads
    assert {trees.READ, "PATH", "LD_LIBRARY_PATH", "MODULEPATH", "LOADEDMODULES", "HOME"} <= set(reads)
    assert "CC" not in reads


def test_the_state_is_what_stat_prints(world: World) -> None:
    modules = world.system().capture([*trees.CHAIN, "SciPy-bundle/2023.07", "dlink"]).modules
    assert modules.state == stat(modules.watch) == snapshot(modules.watch)
    assert len(modules.state.splitlines()) > 8
    for module in next(iter(modules.loaded.values())):
        assert module.path in modules.watch
        assert f"\n{module.path}|" in f"\n{modules.state}"
    assert world.init in modules.watch


def test_times_are_printed_to_the_nanosecond(tmp_path: Path) -> None:
    for number, stamp in enumerate((0, 1, 999_999_999, 1_700_000_000_000_000_005, 1_000_000_000)):
        os.utime(tmp_path, ns=(stamp, stamp))
        file = tmp_path / f"a b{number}"
        file.touch()
        os.utime(file, ns=(stamp, stamp))
        paths = [str(file), str(tmp_path / "nosuch")]
        assert snapshot(paths) == stat(paths)


def changes(world: World) -> list[Path]:
    """Files whose coming changes what a name means, or may."""
    ending = ".lua" if world.kind == "lmod" else ""
    top = Path(world.path)
    return [
        top / f"gcc/12.5{ending}",
        top / "gcc/default",
        top / "gcc/.modulerc",
        top / ".modulerc",
        world.home / ".modulerc",
        world.root / f"first/gcc/12{ending}",
    ]


@pytest.mark.parametrize("number", range(6))
def test_whatever_may_change_the_outcome_changes_the_state(world: World, number: int) -> None:
    (world.root / "first").mkdir()
    environ = {**world.environ, "MODULEPATH": f"{world.root / 'first'}:{world.path}"}
    modules = world.system(environ).capture(["gcc/12"]).modules
    assert snapshot(modules.watch) == modules.state
    file = changes(world)[number]
    file.parent.mkdir(exist_ok=True)
    file.write_text("#%Module1.0\n")
    assert snapshot(modules.watch) != modules.state


def test_a_module_behind_others_is_watched_in_the_folders_that_they_add(lmod: World) -> None:
    modules = lmod.system().capture(["gcc/12", "openmpi/4.1"]).modules
    before = snapshot(modules.watch)
    (lmod.root / "lmod/MPI/gcc/12/openmpi/4.1/gcc").mkdir()
    assert snapshot(modules.watch) != before


def test_a_default_file_that_looks_around_is_not_trusted(world: World) -> None:
    (Path(world.path) / "gcc/.modulerc").write_text("#%Module1.0\nset now [clock seconds]\n")
    live = world.system().capture(["gcc/12"]).modules.live
    assert "gcc/.modulerc uses “clock”" in live


def test_the_site_s_own_start_file_is_not_trusted(world: World) -> None:
    init = world.root / "init.sh"
    init.write_text(f". {world.init}\n")
    modules = world.system(module_init=str(init)).capture(["gcc/12"]).modules
    assert isinstance(modules, ModuleSet)
    assert str(init) in modules.live


def test_the_site_s_own_hooks_are_not_trusted(lmod: World, tcl: World) -> None:
    package = lmod.root / "package"
    package.mkdir()
    (package / "SitePackage.lua").write_text('require("strict")\n-- nothing\n')
    environ = {**lmod.environ, "LMOD_PACKAGE_PATH": str(package)}
    assert lmod.system(environ).capture(["gcc/12"]).modules.live == ""
    (package / "SitePackage.lua").write_text('require("strict")\nlocal hook = require("Hook")\n')
    assert "SitePackage.lua" in lmod.system(environ).capture(["gcc/12"]).modules.live
    extra = tcl.root / "site.tcl"
    extra.write_text("# nothing\n")
    environ = {**tcl.environ, "MODULES_SITECONFIG": str(extra)}
    assert tcl.system(environ).capture(["gcc/12"]).modules.live == ""
    extra.write_text("proc hook {} {}\n")
    assert str(extra) in tcl.system(environ).capture(["gcc/12"]).modules.live


LUA_PURE = [
    'local root = "/opt/x"\nprepend_path("PATH", pathJoin(root, "bin"))\nsetenv{"A", root}',
    'if not ( isloaded("gcc/12") ) then\n  load("gcc/12")\nend\nwhatis([==[a ]] execute b]==])',
    'local home = os.getenv("HOME")\nsetenv("H", home or "")',
    'local home = os.getenv "HOME"',
    '-- execute{cmd="x"}\n--[[ io.popen() ]]\nsetenv("A", "execute")',
    'for i, name in ipairs({"a", "b"}) do setenv("X_" .. name, tostring(i)) end',
    'local function f(a, b) return a .. b end\nsetenv("A", f("x", "y"))',
    'version = myModuleVersion()\nsetenv("V", version:gsub("%.", ""))',
    'prepend_path{"PATH", "/x", delim=":", priority=10}',
    'if (mode() == "load") then LmodError("no") end',
]
LUA_FICKLE = [
    'execute{cmd="x", modeA={"load"}}',
    'setenv("A", capture("hostname"))',
    'setenv("A", os.date())',
    'local o = os\nsetenv("A", o.date())',
    'setenv("A", os["date"]())',
    'setenv("A", os.getenv("A" .. "B"))',
    'setenv("A", os.getenv(name))',
    "local get = os.getenv",
    'setenv("A", _G.os.date())',
    'setenv("A", _ENV["os"])',
    'local t = {execute = 1}\nexecute{cmd="x"}',
    'local f = function() local execute = 1 end\nexecute{cmd="x"}',
    "function setenv(a, b) end",
    "local prepend_path = capture",
    'try_load("x")',
    'if isAvail("x") then load("x") end',
    'if isFile("/x") then setenv("A", "1") end',
    'LmodMessage("cite us")',
    'print("x")',
    'io.stderr:write("x")',
    'setenv("A", math.random())',
    "for k, v in pairs({a = 1}) do setenv(k, v) end",
    'prepend_path("X" .. "Y", "z")',
    'prepend_path(name(), "z")',
    'setenv("A", "unfinished',
    'setenv("A", [[unfinished',
    'userInGroup("staff")',
    "inherit()",
    "goto continue",
]
TCL_PURE = [
    "set root /opt/x\nprepend-path PATH $root/bin\nsetenv A $root",
    "if { ![ is-loaded gcc/12 ] } {\n  module load gcc/12\n}",
    "setenv H $env(HOME)",
    "setenv H $::env(HOME)/x",
    'if {[info exists env(X)] && $env(X) ne ""} { setenv Y $env(X) } else { setenv Y none }',
    "proc ModulesHelp { } { puts stderr {some help} }\nmodule-whatis {x; exec y}",
    "# exec date\nsetenv A {exec date} ;# system x",
    "foreach n {a b} { setenv X_$n [string toupper $n] }",
    "setenv A [file join / a b]\nset v [module-info version]",
    "switch -- [module-info mode] { load { setenv A 1 } default { } }",
    "setenv A [getenv HOME]",
    "set i [expr {1 + 2}]\nprepend-path -d : PATH \\\n  /x",
]
TCL_FICKLE = [
    "exec date",
    "setenv A [exec date]",
    'setenv A "today is [clock seconds]"',
    "setenv A $env($name)",
    "setenv A $env(A[x])",
    "setenv A [getenv $name]",
    "set env(A) 1",
    "set e [array get env]",
    "foreach n [array names ::env] { setenv B $n }",
    "upvar #0 env e\nsetenv A $e(HOSTNAME)",
    "set c exec\n$c date",
    "[lindex {exec} 0] date",
    "eval {exec date}",
    "{*}{exec date}",
    "if {[exec hostname] eq {a}} { setenv A 1 }",
    "if {1} { exec x }",
    "if {0} { setenv A 1 } elseif {[file exists /x]} { setenv A 2 }",
    "if $condition { setenv A 1 }",
    'expr "$x"',
    "expr $x",
    "puts stderr hello",
    "system date",
    "source /x",
    "source-sh bash /x",
    "uname nodename",
    "setenv A [file exists /x]",
    "setenv A [module-info username]",
    "module try-load x",
    "proc f {} { exec x }\nf",
    "proc ModulesHelp {} {}\nproc setenv {a b} { exec x }",
    "switch x { x { exec y } }",
    "catch { exec x }",
    "while {[exec x]} { break }",
    "for {set i 0} {$i < [exec x]} {incr i} { }",
    "lsort -command {exec} {a b}",
    "set x {unfinished",
    'set x "unfinished',
    "prepend-path $name /x",
    "prereq gcc $other",
    "info hostname",
    "setenv A [append ${e}(HOSTNAME) {}]",
    "if {[info exists ${e}(HOSTNAME)]} { setenv A 1 }",
    "::exec date",
    "subst {[exec x]}",
    "rename setenv x",
    "setenv A ${env(HOSTNAME$x)}",
]


@pytest.mark.parametrize("text", LUA_PURE)
def test_lua_that_is_pure(text: str) -> None:
    assert lua.judge("x.lua", text).live == ""


@pytest.mark.parametrize("text", LUA_FICKLE)
def test_lua_that_is_not(text: str) -> None:
    assert lua.judge("x.lua", text).live
    assert lua.judge("x.lua", f'setenv("A", "1")\nlocal a = 1\n{text}\n').live


@pytest.mark.parametrize("text", TCL_PURE)
def test_tcl_that_is_pure(text: str) -> None:
    assert tclscript.judge("x", f"#%Module1.0\n{text}\n").live == ""


@pytest.mark.parametrize("text", TCL_FICKLE)
def test_tcl_that_is_not(text: str) -> None:
    assert tclscript.judge("x", f"#%Module1.0\n{text}\n").live


def test_variables_are_told_by_name() -> None:
    said = lua.judge("x.lua", 'setenv("A", os.getenv("B"))\nprepend_path("C", "/x")\npushenv("D", "1")\nunsetenv("E")')
    assert (said.reads, said.sets, said.extends) == ({"B"}, {"A", "C", "D", "E"}, {"C", "D"})
    said = tclscript.judge("x", "setenv A $env(B)\nappend-path -d , C /x\npushenv D [getenv F]\nprereq gcc intel")
    assert (said.reads, said.sets, said.extends) == ({"B", "F"}, {"A", "C", "D"}, {"C", "D"})
    assert said.names == {"gcc", "intel"}


def other_names(world: World) -> dict[str, str]:
    """Modulefiles whose outcome is decided by what nothing watches, and what they say."""
    top = Path(world.path)
    lua = world.kind == "lmod"
    ending = ".lua" if lua else ""
    head = "" if lua else "#%Module1.0\n"
    for version in ("4", "5"):
        (top / "ompi").mkdir(exist_ok=True)
        text = f'setenv("OMPI", "{version}")\n' if lua else f"setenv OMPI {version}\n"
        (top / f"ompi/{version}{ending}").write_text(head + text)
    (top / "mpialias").mkdir()
    (top / "mpialias/.modulerc").write_text("#%Module1.0\nmodule-alias mpialias ompi/4\n")
    load, unload = ('load("{}")\n', 'unload("{}")\n') if lua else ("module load {}\n", "module unload {}\n")
    texts = {
        "byalias/1": load.format("mpialias"),
        "andback/1": load.format("bulk1/1.0") + unload.format("bulk1/1.0"),
        "together/1": 'load("bulk" .. "1/1.0")\n' if lua else "set n bulk1/1.0\nmodule load $n\n",
    }
    for name, text in texts.items():
        (top / name).parent.mkdir()
        (top / f"{name}{ending}").write_text(head + text)
    return texts


@pytest.mark.parametrize("name", ["byalias/1", "andback/1", "together/1"])
def test_a_module_that_is_loaded_by_another_name_is_not_trusted(world: World, name: str) -> None:
    """An alias leads to another module tomorrow; what is loaded and unloaded again leaves no file to watch."""
    assert name in other_names(world)
    if (world.kind, name) == ("tcl", "andback/1"):
        return  # Environment Modules itself refuses to load it
    assert world.system().capture([name]).modules.live


def test_what_is_hidden_by_date_is_not_trusted(tcl: World) -> None:
    top = Path(tcl.path)
    (top / "dated").mkdir()
    for version in ("1", "2"):
        (top / "dated" / version).write_text(f"#%Module1.0\nsetenv DATED {version}\n")
    (top / "dated/.modulerc").write_text("#%Module1.0\nmodule-hide --hard --after 2999-01-01 dated/2\n")
    assert tcl.system().capture(["dated/2"]).modules.live


def test_a_file_of_the_same_size_and_date_is_another(world: World) -> None:
    """Builds that are to be repeatable date all files alike; a switched link shows another one."""
    ending = ".lua" if world.kind == "lmod" else ""
    for tree, version in (("A", "1"), ("B", "2")):
        file = world.root / f"g/{tree}/sw/1{ending}"
        file.parent.mkdir(parents=True)
        file.write_text(f'setenv("SWV", "{version}")\n' if ending else f"#%Module1.0\nsetenv SWV {version}\n")
        for path in (file, file.parent, file.parent.parent):
            os.utime(path, (1, 1))
    link = world.root / "g/now"
    link.symlink_to("A")
    environ = {**world.environ, "MODULEPATH": str(link)}
    modules = world.system(environ).capture(["sw/1"]).modules
    assert snapshot(modules.watch) == modules.state
    link.unlink()
    link.symlink_to("B")
    assert snapshot(modules.watch) != modules.state


def test_what_was_captured_is_found_from_a_session_with_other_folders(world: World, tmp_path: Path) -> None:
    """The launch script adds the captured folders, and so does who captures again."""
    (tmp_path / "elsewhere").mkdir()
    modules = world.system().capture(["gcc/12"]).modules
    environ = {**world.environ, "MODULEPATH": str(tmp_path / "elsewhere")}
    again = of(modules, world.site(), environ).capture(modules.load).modules
    assert again.load == ["gcc/12"]
