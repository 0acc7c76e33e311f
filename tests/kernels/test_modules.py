"""What a launch script with modules gives: what a person gets who loads them by hand, whatever modules do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jupyter_hpcenv.errors import HpcenvError, InvalidRequest
from jupyter_hpcenv.kernels import render_launch
from jupyter_hpcenv.models import ModuleSet
from jupyter_hpcenv.site import Site

from ..modules import trees
from . import launching
from .launching import PATH, Tree, environ, interactive, record_of, run, uncached, without_ours, write

CHAINS = {"lmod": (*trees.CHAIN, "SciPy-bundle/2023.07"), "tcl": ("gcc/12", "openmpi/4.1", "SciPy-bundle/2023.07")}
SERVER = ("gcc/13", "needs/3.0-chatty", "shfun/1.0")


def loaded(found: dict[str, str]) -> list[str]:
    return found.get("LOADEDMODULES", "").split(":")


@pytest.mark.parametrize("around", ["env -i", "plain", "server"])
def test_kernel_gets_what_a_module_load_by_hand_gives(around: str, tree: Tree, bare: Path) -> None:
    start: dict[str, str] = {} if around == "env -i" else {"PATH": PATH, "HOME": str(tree.root), "MY": "o'wn $x"}
    if around == "server":
        start = interactive(tree, SERVER, start)
        assert "gcc/13" in loaded(start)
    load = CHAINS[tree.system]
    launch = write(bare, uncached(tree, load))
    found = environ(launch, start)
    assert set(load) <= set(loaded(found))
    assert "gcc/13" not in loaded(found)
    if around == "env -i":  # bash has a PATH of its own then, and the launch script says it aloud
        start["PATH"] = subprocess.check_output(["bash", "-c", "printf %s $PATH"], env={}, text=True)
    expected = interactive(tree, load, start, purge=around == "server")
    assert without_ours(found, bare) == expected


def test_strange_values_and_functions_arrive_whole(tree: Tree, bare: Path) -> None:
    load = ["weird/1.0", "shfun/1.0"]
    found = environ(write(bare, uncached(tree, load)), {"PATH": PATH})
    assert without_ours(found, bare) == interactive(tree, load, {})
    assert found["W_SPACE"] == "a b  c"
    assert found["W_QUOTE"] == 'it\'s "q" `bt` $HOME \\back'
    assert found["W_UTF8"] == "Zürich µ"
    assert found["W_SEMI"] == "a;b&c|d>e<f(g)"
    assert found["FROM_SH"] == "sourced ok"


def test_order_is_modules_activation_variables_and_references_are_filled_in(tree: Tree, bare: Path) -> None:
    variables = {"CC": "mine", "OMP_NUM_THREADS": "${SLURM_CPUS_PER_TASK:-3}", "LITERAL": "${HOME} $(id)"}
    launch = write(bare, uncached(tree, ["gcc/12"]), Site(variables={"CC": "site", "SITE": "1"}), variables=variables)
    found = environ(launch, {"PATH": PATH})
    assert (found["CC"], found["SITE"], found["OMP_NUM_THREADS"]) == ("mine", "1", "3")
    assert found["LITERAL"] == "${HOME} $(id)"
    assert found["PATH"].startswith(f"{bare}/bin:{tree.root}/sw/gcc/bin:")
    assert environ(launch, {"PATH": PATH, "SLURM_CPUS_PER_TASK": "8"})["OMP_NUM_THREADS"] == "8"


def test_pythonpath_of_modules_stays_and_a_persons_own_goes(tree: Tree, bare: Path) -> None:
    around = {"PATH": PATH, "PYTHONPATH": "/mine", "PYTHONHOME": "/mine", "PYTHONSTARTUP": "/mine"}
    found = environ(write(bare, uncached(tree, CHAINS[tree.system])), around)
    assert found["PYTHONPATH"] == f"{tree.root}/sw/scipy/pylib"
    assert not {"PYTHONHOME", "PYTHONSTARTUP"} & set(found)
    assert "PYTHONPATH" not in environ(write(bare, uncached(tree, ["gcc/12"])), around)
    done = run(
        write(bare, uncached(tree, CHAINS[tree.system])), around, "-c", "import sitepkg; print(sitepkg.__file__)"
    )
    assert done.stdout.strip() == f"{tree.root}/sw/scipy/pylib/sitepkg/__init__.py"


def test_sites_own_lines_run_before_modules_and_after_all(tree: Tree, bare: Path, tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir(mode=0o755)
    (folder / "launch_prologue.sh.j2").write_text('export EARLY="${CC:-none}" CLUSTER={{ cluster | sh }}')
    (folder / "launch_epilogue.sh.j2").write_text('export LATE="$CC $OWN"\n')
    site = Site(template_dirs=[str(folder)], cluster="the cluster")
    for modules, early, late in ((uncached(tree, ["gcc/12"]), "none", "gcc-12 own"), (None, "none", " own")):
        found = environ(write(bare, modules, site, variables={"OWN": "own"}), {"PATH": PATH})
        assert (found["EARLY"], found["LATE"]) == (early, late)


def test_sites_template_that_would_leave_modules_out_is_refused(lmod: Tree, bare: Path, tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir(mode=0o755)
    (folder / "launch.sh.j2").write_text('#!/bin/sh\nexec {{ prefix | sh }}/bin/python "$@"\n')
    render_launch(record_of(bare, None), {}, [str(folder)])
    with pytest.raises(HpcenvError, match="does not load modules"):
        render_launch(record_of(bare, uncached(lmod, ["gcc/12"])), {}, [str(folder)])


def test_steering_of_shells_does_not_reach_the_launch(tree: Tree, bare: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.sh"
    hostile.write_text("export HOSTILE=1\n")
    functions = dict.fromkeys(("BASH_FUNC_export%%", "BASH_FUNC_hash%%"), "() { builtin export HOSTILE=2; }")
    around = {"PATH": PATH, "BASH_ENV": str(hostile), "ENV": str(hostile), **functions}
    launch = write(bare, uncached(tree, ["bashenv/1.0"]))
    found = environ(launch, around)
    assert found["BASHENV_LOADED"] == "1"
    assert "HOSTILE" not in found
    answer = run(launch, around, "-c", "import subprocess; print(subprocess.check_output(['bash', '-c', 'env']))")
    assert "BASHENV_LOADED=1" in answer.stdout, answer.stderr  # without “builtin” above, that bash would never end
    assert "POISONED" not in answer.stdout


def test_what_modules_print_goes_to_standard_error(tree: Tree, bare: Path) -> None:
    done = run(write(bare, uncached(tree, ["needs/3.0-chatty"])), {"PATH": PATH}, "-c", "print('answer')")
    assert (done.returncode, done.stdout) == (0, "answer\n")
    assert "please cite us" in done.stderr


# -- what fails -------------------------------------------------------------


@pytest.mark.parametrize(
    ("load", "reason", "words"),
    [
        (["gcc/12", "nosuch/1.0"], "modules", "nosuch/1.0"),
        (["gcc/12", "broken/1.0"], "modules", "licence server unreachable"),
        (["broken/3.0"], "modules", "Not loaded: broken/3.0"),
        (["gcc/12", "broken/5.0-exit"], "modules_ended", "A module ended the shell"),
        (["needs/4.0-depmissing"], "modules", "Not loaded: needs/4.0-depmissing"),
    ],
)
def test_failure_is_said_in_the_module_systems_words(
    load: list[str], reason: str, words: str, tree: Tree, bare: Path
) -> None:
    done = run(write(bare, uncached(tree, load)), {"PATH": PATH})
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert f"can not start: {reason}." in done.stderr


def test_what_was_left_half_written_is_not_used(lmod: Tree, bare: Path) -> None:
    launch = write(bare, uncached(lmod, ["gcc/12"]))
    (bare / ".hpcenv" / "load.bash").write_text('echo "export HALF=1" >"$2"\n')
    done = run(launch, {"PATH": PATH})
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize("module", ["hang/1.0", "hang/2.0-shell"])
def test_module_that_hangs_is_given_up_and_leaves_nothing(module: str, tree: Tree, bare: Path, tmp_path: Path) -> None:
    mark = {"PATH": PATH, "TMPDIR": str(tmp_path / "t"), "HPCENV_TEST_MARK": str(tmp_path)}
    (tmp_path / "t").mkdir()
    done = run(write(bare, uncached(tree, [module]), Site(module_timeout=1)), mark)
    assert done.returncode == 1
    assert "can not start: modules_late." in done.stderr
    assert not list((tmp_path / "t").iterdir())
    assert launching.carrying(f"HPCENV_TEST_MARK={tmp_path}") == []


def test_no_module_system_is_its_own_reason(lmod: Tree, bare: Path) -> None:
    modules = uncached(lmod, ["gcc/12"])
    modules.init = "/nowhere/init/bash"
    done = run(write(bare, modules), {"PATH": PATH})
    assert done.returncode == 1
    assert "/nowhere/init/bash is not there" in done.stderr
    assert "can not start: no_module_system." in done.stderr


def test_temporary_files_are_gone_after_success_too_and_a_bad_tmpdir_is_no_obstacle(
    lmod: Tree, bare: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "t"
    folder.mkdir()
    launch = write(bare, uncached(lmod, ["gcc/12"]))
    assert environ(launch, {"PATH": PATH, "TMPDIR": str(folder)})["CC"] == "gcc-12"
    assert not list(folder.iterdir())
    assert environ(launch, {"PATH": PATH, "TMPDIR": str(tmp_path / "none")})["CC"] == "gcc-12"


HOSTILE = ["$(touch {0})", "`touch {0}`", "'; touch {0}; '", "-x", "a b", "*", "${{IFS}}", "é\\", "!x"]


def test_hostile_names_are_only_names(lmod: Tree, bare: Path, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    names = [name.format(planted) for name in HOSTILE]
    modules = ModuleSet(
        system="lmod",
        init=lmod.init,
        load=names,
        modulepath=[*names, lmod.path],
        purge=names[0],
        watch=names,
        state="x",
    )
    done = run(write(bare, modules), {"PATH": PATH, "HPCENV_CACHE": str(tmp_path / "cache")})
    assert done.returncode == 1
    assert not planted.exists()
    modules.load = ["a\nb"]
    with pytest.raises(InvalidRequest):
        render_launch(record_of(bare, modules), {})


# -- without a prefix -------------------------------------------------------


def test_modules_alone_give_the_python(tree: Tree, tmp_path: Path) -> None:
    folder = tmp_path / "it's only modules"
    folder.mkdir()
    launch = write(folder, uncached(tree, ["Python/3.11.7"]), manager="modules")
    found = environ(launch, {"PATH": PATH, "VIRTUAL_ENV": "/other", "PYTHONPATH": "/mine", "PYTHONHOME": "/mine"})
    assert not {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"} & set(found)
    assert found.pop("PYTHONNOUSERSITE") == "1"
    assert found == interactive(tree, ["Python/3.11.7"], {})
    done = run(launch, {"PATH": PATH}, "-c", "import sys; print(sys.executable)")
    assert Path(done.stdout.strip()).parent == Path(found["EBROOTPYTHON"]) / "bin"
    assert [path.name for path in folder.iterdir()] == [".hpcenv"]


def test_modules_without_a_python_are_a_reason(lmod: Tree, tmp_path: Path) -> None:
    empty = tmp_path / "programs"
    empty.mkdir()
    needed = (
        "bash",
        "env",
        "mktemp",
        "tail",
        "timeout",
        "rm",
        "stat",
        "readlink",
        "lua5.3",
        "ps",
        "sed",
        "tr",
        "basename",
    )
    for program in needed:
        for folder in PATH.split(":"):
            if (Path(folder) / program).exists():
                (empty / program).symlink_to(Path(folder) / program)
                break
    launch = write(tmp_path, uncached(lmod, ["gcc/12"]), manager="modules")
    done = run(launch, {"PATH": str(empty)})
    assert done.returncode == 1
    assert "can not start: no_python." in done.stderr
