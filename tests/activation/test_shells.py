"""Scripts in the real shells: activate, import, and put back byte for byte."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jupyter_hpcenv.activation import render_activation
from jupyter_hpcenv.models import ModuleSet, Record
from jupyter_hpcenv.site import Site

from .conftest import DIALECT, SHELLS, Modules, make, make_prefix, run, snapshot

VARIABLES = {"OMP_NUM_THREADS": "${SLURM_CPUS_PER_TASK:-1}", "TITLE": '100% "it\'s" `id` $(id) [x] {y\\', "EMPTY": ""}
MINOR = "{}.{}".format(*sys.version_info)


def written(shell: str, record: Record, site: Site, folder: Path, *, several: bool = False) -> Path:
    path = folder / f"activate-{record.name}"
    path.write_text(render_activation(DIALECT.get(shell, "bash"), record, site, several=several), encoding="utf-8")
    return path


def source(shell: str, path: Path) -> str:
    return f"{'source' if shell in DIALECT else '.'} {path}\n"


SHOW = "python -c 'import sys, only_in_climate; print(sys.prefix)'\nenv printenv TITLE OMP_NUM_THREADS VIRTUAL_ENV\n"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("around", [{}, {"TITLE": "old", "VIRTUAL_ENV": "/old", "PYTHONHOME": "", "EMPTY": "x"}])
def test_activate_and_deactivate(shell: str, around: dict[str, str], site: Site, prefix: Path, tmp_path: Path) -> None:
    path = written(shell, make(prefix, python=f"{MINOR}.0", variables=VARIABLES), site, tmp_path)
    script = f"env -0 > before\n{source(shell, path)}env -0 > during\n{SHOW}deactivate\nenv -0 > after\n"
    done = run(shell, script, tmp_path, around)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [str(prefix), VARIABLES["TITLE"], "1", str(prefix)]
    during = snapshot(tmp_path / "during")
    assert during["PATH"] == f"{prefix}/bin:/usr/bin:/bin"
    assert during["PYTHONNOUSERSITE"] == "1"
    assert during["EMPTY"] == ""
    assert "PYTHONHOME" not in during
    assert "PYTHONPATH" not in during
    assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")


@pytest.mark.parametrize("shell", SHELLS)
def test_variables_of_the_scheduler_are_filled_in(shell: str, site: Site, prefix: Path, tmp_path: Path) -> None:
    values = {"A": "n=${SLURM_CPUS_PER_TASK:-1}!", "B": "${PBS_NCPUS}", "C": "${SLURM_EMPTY:-2}", "D": "${HOME}"}
    path = written(shell, make(prefix, variables=values), site, tmp_path)
    done = run(
        shell,
        source(shell, path) + "env printenv A B C D\n",
        tmp_path,
        {"SLURM_CPUS_PER_TASK": "a b'$(id)`\"*", "SLURM_EMPTY": ""},
    )
    assert done.stdout.split("\n") == ["n=a b'$(id)`\"*!", "", "2", "${HOME}", ""], done.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_path_changed_meanwhile_stays_changed(shell: str, site: Site, prefix: Path, tmp_path: Path) -> None:
    change = 'setenv PATH "/new:${PATH}:/last"' if shell == "tcsh" else "export PATH=/new:$PATH:/last"
    change = "set -gx PATH /new $PATH /last" if shell == "fish" else change
    path = written(shell, make(prefix), site, tmp_path)
    done = run(shell, f"{source(shell, path)}{change}\ndeactivate\nprintenv PATH\n", tmp_path)
    assert (done.stdout, done.stderr) == ("/new:/usr/bin:/bin:/last\n", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_missing_prefix_is_refused_with_a_reason(shell: str, site: Site, tmp_path: Path) -> None:
    path = written(shell, make(tmp_path / "gone"), site, tmp_path)
    done = run(shell, f"env -0 > before\n{source(shell, path)}env -0 > after\n", tmp_path)
    assert "is not there" in done.stdout + done.stderr
    assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")


@pytest.mark.parametrize("shell", SHELLS)
def test_second_one_takes_the_place_of_the_first(shell: str, site: Site, prefix: Path, tmp_path: Path) -> None:
    first = written(shell, make(prefix, variables={"ONE": "1"}), site, tmp_path)
    other = make_prefix(tmp_path / "ocean")
    second = written(shell, make(other, name="ocean", variables={"TWO": "2"}), site, tmp_path)
    script = source(shell, first) + source(shell, second)
    done = run(shell, f"env -0 > before\n{script}env -0 > during\ndeactivate\nenv -0 > after\n", tmp_path)
    assert done.stderr == ""
    during = snapshot(tmp_path / "during")
    assert during["PATH"] == f"{other}/bin:/usr/bin:/bin"
    assert during["TWO"] == "2"
    assert "ONE" not in during
    assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh", "fish"])
@pytest.mark.parametrize("changed", [False, True])
def test_several_at_once(shell: str, changed: bool, site: Site, prefix: Path, tmp_path: Path) -> None:
    first = written(shell, make(prefix, python=f"{MINOR}.0"), site, tmp_path, several=True)
    record = make(make_prefix(tmp_path / "ocean"), name="ocean", python=f"{MINOR}.0")
    second = written(shell, record, site, tmp_path, several=True)
    show = "python -c 'import only_in_climate, only_in_ocean; print(1)'\n"
    between = ("set -gx PATH /new $PATH\n" if shell == "fish" else "export PATH=/new:$PATH\n") if changed else ""
    done = run(
        shell,
        f"env -0 > before\n{source(shell, first)}{between}{source(shell, second)}{show}deactivate\nenv -0 > after\n",
        tmp_path,
        {"PYTHONPATH": "/old"},
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
    before = snapshot(tmp_path / "before")
    assert snapshot(tmp_path / "after") == {**before, "PATH": f"{'/new:' if changed else ''}{before['PATH']}"}


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh", "fish"])
def test_several_with_other_pythons_are_refused(shell: str, site: Site, prefix: Path, tmp_path: Path) -> None:
    first = written(shell, make(prefix, python="3.11.7"), site, tmp_path, several=True)
    second = written(shell, make(prefix, name="ocean", python="3.12.1"), site, tmp_path, several=True)
    done = run(
        shell, f"{source(shell, first)}env -0 > before\n{source(shell, second)}env -0 > after\ndeactivate\n", tmp_path
    )
    assert "ocean has Python 3.12" in done.stderr
    assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh"])
def test_strict_shells_and_prompts(shell: str, site: Site, prefix: Path, tmp_path: Path) -> None:
    path = written(shell, make(prefix, variables=VARIABLES), site, tmp_path)
    script = f'PS1=\'$ \'\nTITLE=own\n{source(shell, path)}echo "$PS1"\nset -- a b\ndeactivate\necho "$PS1$TITLE$2"\n'
    done = run(shell, script + "printenv TITLE || echo not exported\n", tmp_path, options=("-eu",))
    assert (done.stdout, done.stderr) == ("(climate) $ \n$ ownb\nnot exported\n", "")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("ready", [False, True], ids=["no module command", "module command"])
def test_modules_are_loaded_and_go_again(
    shell: str, ready: bool, modules: Modules, site: Site, prefix: Path, tmp_path: Path
) -> None:
    record = make(prefix, modules=modules.set("gcc/12", "openmpi/4.1"), variables={"MPI_HOME": "ours"})
    path = written(shell, record, site, tmp_path)
    init = source(shell, Path(modules.init).parent / {"dash": "sh"}.get(shell, shell)) if ready else ""
    start = f"{init}module use {modules.folder}\nmodule load bulk1/1.0\n" if ready else ""
    later = "module load bulk2/1.0\n" if ready else ""
    gone = "module unload bulk2/1.0\n" if ready else ""
    script = f"{start}env -0 > before\n{source(shell, path)}env -0 > during\n{later}deactivate\n{gone}env -0 > after\n"
    done = run(shell, script, tmp_path)
    during = snapshot(tmp_path / "during")
    assert {"gcc/12", "openmpi/4.1"} <= set(during["LOADEDMODULES"].split(":")), done.stderr
    assert during["CC"] == "gcc-12"
    assert during["MPI_HOME"] == "ours"
    assert during["PATH"].startswith(f"{prefix}/bin:")
    before, after = snapshot(tmp_path / "before"), snapshot(tmp_path / "after")
    assert after == before, done.stderr
    assert ready == ("LOADEDMODULES" in before)


@pytest.mark.parametrize("shell", SHELLS)
def test_module_that_is_there_already_stays(
    shell: str, modules: Modules, site: Site, prefix: Path, tmp_path: Path
) -> None:
    path = written(shell, make(prefix, modules=modules.set("gcc/12", "openmpi/4.1")), site, tmp_path)
    init = source(shell, Path(modules.init).parent / {"dash": "sh"}.get(shell, shell))
    start = f"{init}module use {modules.folder}\nmodule load gcc/12\n"
    done = run(shell, f"{start}env -0 > before\n{source(shell, path)}deactivate\nenv -0 > after\n", tmp_path)
    before = snapshot(tmp_path / "before")
    assert before["LOADEDMODULES"] == "gcc/12", done.stderr
    assert snapshot(tmp_path / "after") == before


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("names", [("gcc/12", "nosuch/1"), ("broken/1.0",), ("intel/2023",)])
def test_modules_that_do_not_load_are_refused(
    shell: str, names: tuple[str, ...], modules: Modules, site: Site, prefix: Path, tmp_path: Path
) -> None:
    path = written(shell, make(prefix, modules=modules.set(*names)), site, tmp_path)
    init = source(shell, Path(modules.init).parent / {"dash": "sh"}.get(shell, shell))
    start = f"{init}module use {modules.folder}\nmodule load gcc/13\n"
    done = run(shell, f"{start}env -0 > before\n{source(shell, path)}env -0 > after\n", tmp_path)
    assert "climate is not activated" in done.stdout + done.stderr
    before, after = snapshot(tmp_path / "before"), snapshot(tmp_path / "after")
    assert before["LOADEDMODULES"] == "gcc/13"
    assert after == before


@pytest.mark.parametrize("shell", SHELLS)
def test_without_a_module_system_the_reason_is_told(shell: str, site: Site, prefix: Path, tmp_path: Path) -> None:
    modules = ModuleSet(system="lmod", init="/nowhere/init/bash", load=["gcc/12"])
    path = written(shell, make(prefix, modules=modules), site, tmp_path)
    done = run(shell, f"env -0 > before\n{source(shell, path)}env -0 > after\n", tmp_path)
    assert "there is no command “module”" in done.stdout + done.stderr
    assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")
