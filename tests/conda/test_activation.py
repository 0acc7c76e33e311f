"""Activation files of conda environments in the real shells and module systems: what conda does, and all put back."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from jupyter_hpcenv import activation
from jupyter_hpcenv.activation import DIALECTS, facts_of, for_prefix, render_activation, render_facts
from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.models import ModuleSet, Record
from jupyter_hpcenv.site import Site
from jupyter_hpcenv.site.conda_prefix import Activation

from ..activation.conftest import DIALECT, SHELLS, Modules, run, snapshot
from ..activation.test_hostile import value
from .prefixes import VERSION, make, make_prefix, package_variables, script, state

GOLDEN = Path(__file__).parents[1] / "golden"
MINOR = "{}.{}".format(*sys.version_info)
ENDING = {"tcsh": "csh", "fish": "fish"}
VARIABLES = {"OMP_NUM_THREADS": "${SLURM_CPUS_PER_TASK:-1}", "OWN": "the record's"}


@pytest.fixture
def site(home: Path) -> Site:
    return Site(cluster="testcluster")


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return make_prefix(tmp_path / "envs" / "climate it's $x")


def export(shell: str, name: str, *words: str) -> str:
    """Return a line that exports texts, one after the other, and in them what the shell expands."""
    text = "".join(f'"{word}"' for word in words)
    return {"tcsh": f"setenv {name} {text}\n", "fish": f"set -gx {name} {text}\n"}.get(shell, f"export {name}={text}\n")


def forget(shell: str, name: str) -> str:
    return {"tcsh": f"unsetenv {name}\n", "fish": f"set -e {name}\n"}.get(shell, f"unset {name}\n")


def written(shell: str, record: Record, site: Site, folder: Path) -> Path:
    path = folder / f"activate-{record.name}"
    path.write_text(render_activation(DIALECT.get(shell, "bash"), record, site), encoding="utf-8")
    return path


def source(shell: str, path: Path) -> str:
    return f"{'source' if shell in DIALECT else '.'} {path}\n"


def put_scripts(shell: str, prefix: Path) -> None:
    """Write three scripts that are run in their order, and two that put back some of it in the other order."""
    end = ENDING.get(shell, "sh")
    # csh ends at a variable that is not set
    kept = "$KEPT" if (prefix / "conda-meta" / "state").exists() else ""
    script(prefix, f"10-first.{end}", export(shell, "ORDER", "1") + export(shell, "SEEN", "$CONDA_PREFIX", f"|{kept}"))
    script(prefix, f"9 last one.{end}" if shell != "tcsh" else f"9-last.{end}", export(shell, "ORDER", "$ORDER", "9"))
    script(prefix, f"Between.{end}", export(shell, "ORDER", "$ORDER", "B") + export(shell, "OWN", "a package's"))
    script(prefix, "other.ksh", "exit 3\n")
    paths = {"tcsh": 'setenv PATH "/added:$PATH"\n', "fish": "set -gx PATH /added $PATH\n"}
    script(prefix, f"zz-path.{end}", paths.get(shell, "export PATH=/added:$PATH\n") + forget(shell, "OLD"))
    script(prefix, f"a.{end}", export(shell, "UNDONE", "$UNDONE", "a"), "deactivate.d")
    script(prefix, f"b.{end}", export(shell, "UNDONE", "b"), "deactivate.d")
    note = f'env printenv UNDONE CONDA_PREFIX > "{prefix.parent.parent}/undone"\n'
    script(prefix, f"A.{end}", note, "deactivate.d")


AROUND = {
    "ORDER": "before",
    "CONDA_PREFIX": "/base",
    "CONDA_SHLVL": "1",
    "VIRTUAL_ENV": "/venv",
    "KEPT": "was",
    "OLD": "o' $x",
    "CONDA_EXE": "/base/bin/conda",
}


# -- the text ---------------------------------------------------------------


@pytest.mark.parametrize("dialect", [*DIALECTS, "hook.bash", "hook.sbatch"])
def test_text_is_the_golden_one(dialect: str, site: Site) -> None:
    does = Activation(
        variables={"CHOSEN": "it's $x", "LINES": "a\nb"},
        scripts=["gdal.sh", "proj.sh"],
        exports={"PROJ_DATA": "/scratch/user/envs/climate/share/proj"},
        active=["gdal.sh"],
        csh_names=["GDAL_DATA"],
    )
    modules = ModuleSet(system="lmod", init="/opt/lmod/init/bash", load=["gcc/12.3.0"])
    record = make("/scratch/user/envs/climate", variables=VARIABLES, modules=modules, python="3.12.1")
    facts = facts_of(record, site, hook=dialect.startswith("hook."))
    name = f"-{dialect}" if facts.hook else f".{dialect}"
    text = render_facts(dialect.removeprefix("hook."), msgspec.structs.replace(facts, activation=does))
    assert text == (GOLDEN / f"activate-conda{name}").read_text(encoding="utf-8")


# -- in the shells ----------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("around", [{}, AROUND], ids=["nothing", "another conda"])
def test_activate_as_conda_does_and_put_all_back(
    shell: str, around: dict[str, str], site: Site, prefix: Path, tmp_path: Path
) -> None:
    package_variables(prefix, "b.json", {"KEPT": "a package's", "GONE": "1", "PKG": "p"})
    state(prefix, {"KEPT": "it's `id` $(id)", "lower": "é", "GONE": "***unset***", "PATH": "/evil"})
    put_scripts(shell, prefix)
    path = written(shell, make(prefix, variables=VARIABLES), site, tmp_path)
    show = "python -c 'import sys; print(sys.version_info[0])'\n"
    done = run(
        shell,
        f"env -0 > before\n{source(shell, path)}env -0 > during\n{show}deactivate\nenv -0 > after\n",
        tmp_path,
        {**around, "UNDONE": ""},
    )
    assert (done.stdout, done.stderr) == ("3\n", "")
    during = snapshot(tmp_path / "during")
    expected = {
        "CONDA_PREFIX": str(prefix),
        "CONDA_DEFAULT_ENV": prefix.name,
        "CONDA_PROMPT_MODIFIER": f"({prefix.name}) ",
        "CONDA_SHLVL": "1",
        "PYTHONNOUSERSITE": "1",
        "KEPT": "it's `id` $(id)",
        "LOWER": "é",
        "PKG": "p",
        "SEEN": f"{prefix}|it's `id` $(id)",
        "ORDER": "19B",
        "OWN": "the record's",
        "OMP_NUM_THREADS": "1",
        "PATH": f"/added:{prefix}/bin:/usr/bin:/bin",
    }
    assert {name: during.get(name) for name in expected} == expected
    assert not {"VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "GONE", "OLD", "lower"} & set(during)
    assert during.get("CONDA_EXE") == around.get("CONDA_EXE")
    assert (tmp_path / "undone").read_text() == f"ba\n{prefix}\n", "the last one first, and before anything is undone"
    assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")


@pytest.mark.parametrize("shell", SHELLS)
def test_without_scripts_nothing_is_run_and_path_changed_meanwhile_stays(
    shell: str, site: Site, prefix: Path, tmp_path: Path
) -> None:
    change = 'setenv PATH "/new:${PATH}:/last"' if shell == "tcsh" else "export PATH=/new:$PATH:/last"
    change = "set -gx PATH /new $PATH /last" if shell == "fish" else change
    path = written(shell, make(prefix), site, tmp_path)
    done = run(shell, f"{source(shell, path)}{change}\ndeactivate\nenv | grep -E '^(PATH|CONDA)'\n", tmp_path)
    assert (done.stdout, done.stderr) == ("PATH=/new:/usr/bin:/bin:/last\n", "")


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh"])
def test_options_and_own_variables_of_the_shell_stay_as_they_are(
    shell: str, site: Site, prefix: Path, tmp_path: Path
) -> None:
    script(prefix, "strict.sh", "set -eu\nfalse || true\nSHELLS_OWN=theirs\nexport NEW=1\nset -- x y z\n")
    script(prefix, "sloppy.sh", 'export MORE="${NOT_SET_ANYWHERE}"\nset +e\nfalse\n')
    path = written(shell, make(prefix), site, tmp_path)
    body = f'set -- a b\n{source(shell, path)}echo "$2 $NEW.$MORE"\ncase $- in *%s*) echo option ;; esac\n'
    for options in ("-eu", ""):
        start = f"set {options}\n" if options else ""
        done = run(shell, start + body % "u" + "deactivate\nprintenv NEW MORE || echo none\n", tmp_path)
        assert done.stderr == ""
        assert done.stdout == "b 1.\n" + ("option\n" if options else "") + "none\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_missing_prefix_is_refused_and_nothing_is_run(shell: str, site: Site, prefix: Path, tmp_path: Path) -> None:
    put_scripts(shell, prefix)
    path = written(shell, make(prefix), site, tmp_path)
    (prefix / "bin" / "python").unlink()
    done = run(shell, f"env -0 > before\n{source(shell, path)}env -0 > after\n", tmp_path)
    assert "is not there" in done.stdout + done.stderr
    assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")


@pytest.mark.parametrize("shell", SHELLS)
def test_second_one_takes_the_place_of_the_first(shell: str, site: Site, prefix: Path, tmp_path: Path) -> None:
    put_scripts(shell, prefix)
    other = make_prefix(tmp_path / "ocean")
    end = ENDING.get(shell, "sh")
    script(other, f"o.{end}", export(shell, "OCEAN", "$CONDA_PREFIX"))
    first = written(shell, make(prefix), site, tmp_path)
    second = written(shell, make(other, name="ocean"), site, tmp_path)
    script_text = f"env -0 > before\n{source(shell, first)}{source(shell, second)}env -0 > during\ndeactivate\n"
    done = run(shell, f"{script_text}env -0 > after\n", tmp_path, {"UNDONE": ""})
    assert done.stderr == ""
    during = snapshot(tmp_path / "during")
    assert (during["OCEAN"], during["CONDA_PREFIX"]) == (str(other), str(other))
    assert during["CONDA_DEFAULT_ENV"] == str(other), "below no “envs”, conda shows the whole path"
    assert not {"SEEN", "ORDER", "OWN"} & set(during)
    assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")


@pytest.mark.parametrize("shell", SHELLS)
def test_modules_come_first_and_go_last(shell: str, modules: Modules, site: Site, prefix: Path, tmp_path: Path) -> None:
    script(prefix, f"a.{ENDING.get(shell, 'sh')}", export(shell, "SAW", "$CC"))
    path = written(shell, make(prefix, modules=modules.set("gcc/12")), site, tmp_path)
    done = run(shell, f"env -0 > before\n{source(shell, path)}env -0 > during\ndeactivate\nenv -0 > after\n", tmp_path)
    during = snapshot(tmp_path / "during")
    assert (during["SAW"], during["PATH"].split(":")[0]) == ("gcc-12", f"{prefix}/bin"), done.stderr
    assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")


@pytest.fixture(params=["lmod", "tcl"])
def modules(request: pytest.FixtureRequest, tmp_path: Path) -> Modules:
    return Modules(request.param, tmp_path / "tree")


@pytest.mark.parametrize("around", [{}, AROUND], ids=["nothing", "another conda"])
def test_modulefile_sets_what_is_known_and_names_what_it_can_not_run(
    around: dict[str, str], modules: Modules, site: Site, prefix: Path, tmp_path: Path
) -> None:
    script(prefix, "plain.sh", "# a package\n\nexport PLAIN=\"$CONDA_PREFIX/share:${CONDA_PREFIX}\"'/it' # so\n")
    script(prefix, "active.sh", "export ACTIVE=$(id)\n")
    state(prefix, {"KEPT": "it's `id` $(id) [x] {y\\", "LINES": "a\nb", "OWN": "conda's", "PLAIN": "conda's"})
    record = make(prefix, variables=VARIABLES, modules=modules.set("gcc/12"))
    activation.install(modules.system, record, site)
    name = activation.module_name(record)
    use = f". {modules.init}\nmodule use {modules.folder}\n{activation.use_line(modules.system, site)}\n"
    done = run(
        "bash",
        f"{use}env -0 > before\nmodule load {name}\nenv -0 > during\nmodule help {name}\n"
        f"module unload {name}\nenv -0 > after\n",
        tmp_path,
        around,
    )
    during = snapshot(tmp_path / "during")
    expected = {
        "CONDA_PREFIX": str(prefix),
        "CONDA_DEFAULT_ENV": prefix.name,
        "CONDA_SHLVL": "1",
        "CONDA_PROMPT_MODIFIER": f"({prefix.name}) ",
        "PLAIN": f"{prefix}/share:{prefix}/it",
        "KEPT": "it's `id` $(id) [x] {y\\",
        "OWN": "the record's",
        "CC": "gcc-12",
        "PYTHONNOUSERSITE": "1",
    }
    assert {key: during.get(key) for key in expected} == expected, done.stderr
    assert not {"VIRTUAL_ENV", "ACTIVE", "LINES"} & set(during)
    said = " ".join((done.stdout + done.stderr).split())
    assert "Not run by this module, because they do more than set variables: active.sh." in said
    assert "Not set by this module: LINES." in said
    assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")


@pytest.mark.parametrize("dialect", ["sbatch", "pbs"])
def test_batch_job_needs_no_conda(dialect: str, site: Site, prefix: Path, tmp_path: Path) -> None:
    state(prefix, {"KEPT": "k"})
    put_scripts("bash", prefix)
    place = "# Your command comes here"
    text = render_activation(dialect, make(prefix, variables=VARIABLES), site)
    assert "conda " not in "".join(line for line in text.splitlines() if not line.startswith("#"))
    done = run("bash", text.replace(place, f"env -0 > job\n{place}"), tmp_path, AROUND)
    job = snapshot(tmp_path / "job")
    assert (job["ORDER"], job["SEEN"], job["OWN"]) == ("19B", f"{prefix}|k", "the record's"), done.stderr
    assert job["CONDA_PREFIX"] == str(prefix)
    assert "VIRTUAL_ENV" not in job


# -- the user's own conda ---------------------------------------------------

#: There is no conda here: this does what its hook does, a function that sets a few variables.
CONDA = """#!/bin/sh
[ "$1 $2" = "shell.bash hook" ] || exit 2
cat <<'END'
conda() {
  case $1 in
  activate) [ -d "$2/conda-meta" ] && export CONDA_PREFIX="$2" BY_CONDA=yes PATH="$2/bin:$PATH" ;;
  deactivate) PATH=${PATH#*:} && unset CONDA_PREFIX BY_CONDA ;;
  esac
}
END
"""


@pytest.fixture
def fake_conda(tmp_path: Path) -> Path:
    program = tmp_path / "condabin" / "conda"
    program.parent.mkdir()
    program.write_text(CONDA)
    program.chmod(0o755)
    return program.parent


@pytest.mark.parametrize("dialect", ["sbatch", "pbs", "bash"])
def test_users_own_conda_can_activate_it(
    dialect: str, site: Site, prefix: Path, fake_conda: Path, tmp_path: Path
) -> None:
    script(prefix, "never.sh", "export TWICE=1\n")
    text = render_activation(dialect, make(prefix, variables={"OWN": "1"}), site, hook=True)
    (tmp_path / "file").write_text(text)
    around = {"PATH": f"{fake_conda}:/usr/bin:/bin"}
    undo = "deactivate\nenv -0 > after\n" if dialect == "bash" else ""
    done = run("bash", f"env -0 > before\n. ./file\nenv -0 > during\n{undo}", tmp_path, around)
    assert done.stderr == ""
    during = snapshot(tmp_path / "during")
    assert (during["CONDA_PREFIX"], during["BY_CONDA"], during["OWN"]) == (str(prefix), "yes", "1")
    assert during["PYTHONNOUSERSITE"] == "1"
    assert "TWICE" not in during, "that is conda's to run"
    if dialect == "bash":
        assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")


@pytest.mark.parametrize("dialect", ["sbatch", "bash"])
def test_conda_may_come_from_a_module(
    dialect: str, modules: Modules, site: Site, prefix: Path, fake_conda: Path, tmp_path: Path
) -> None:
    text = f'prepend_path("PATH", "{fake_conda}")\n'
    if modules.system == "tcl":
        text = f"#%Module1.0\nprepend-path PATH {fake_conda}\n"
    path = Path(modules.folder) / "conda" / ("1.0.lua" if modules.system == "lmod" else "1.0")
    path.parent.mkdir()
    path.write_text(text)
    for load, status in (("conda/1.0", 0), ("gcc/12", 92 if dialect == "sbatch" else 1)):
        record = make(prefix, modules=modules.set(load))
        (tmp_path / "file").write_text(render_activation(dialect, record, site, hook=True))
        done = run("bash", ". ./file; status=$?\nenv -0 > during\nexit $status\n", tmp_path)
        assert done.returncode == status, done.stderr
        if status:
            assert "There is no command “conda”, also after the modules" in done.stderr
            assert "print this file without --conda-hook" in done.stderr
        else:
            assert snapshot(tmp_path / "during")["BY_CONDA"] == "yes"


def test_conda_that_fails_is_told(site: Site, prefix: Path, fake_conda: Path, tmp_path: Path) -> None:
    (fake_conda / "conda").write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    for dialect, status in (("sbatch", 94), ("bash", 1)):
        (tmp_path / "file").write_text(render_activation(dialect, make(prefix), site, hook=True))
        script_text = "env -0 > before\n. ./file; s=$?\nunset -f conda\nenv -0 > after\nexit $s\n"
        done = run("bash", script_text, tmp_path, {"PATH": f"{fake_conda}:/usr/bin:/bin"})
        assert done.returncode == status
        assert "conda could not activate" in done.stderr
    assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")


def test_hook_is_refused_where_it_can_not_be(site: Site, prefix: Path) -> None:
    for dialect in ("csh", "fish", "lmod", "tcl"):
        with pytest.raises(InvalidRequest, match="can not be used"):
            render_activation(dialect, make(prefix), site, hook=True)
    with pytest.raises(InvalidRequest, match="one conda environment at a time"):
        facts_of(make(prefix), site, several=True, hook=True)
    with pytest.raises(InvalidRequest, match="one conda environment"):
        facts_of(make(prefix, manager="venv"), site, hook=True)


# -- any prefix -------------------------------------------------------------


def test_any_prefix_of_conda_can_be_used(site: Site, prefix: Path, tmp_path: Path) -> None:
    put_scripts("bash", prefix)
    facts = for_prefix(prefix, site)
    assert (facts.python, facts.manager) == (VERSION, "conda")
    (tmp_path / "file").write_text(render_facts("bash", facts))
    done = run("bash", '. ./file\npython -c "import sys; print(sys.version_info[0])"\necho $ORDER\n', tmp_path)
    assert done.stdout == "3\n19B\n", done.stderr
    assert for_prefix(prefix, site, several=True).packages == f"{prefix}/lib/python{MINOR}/site-packages"


@pytest.mark.parametrize("shell", SHELLS)
def test_environment_without_python_is_one(shell: str, site: Site, tmp_path: Path) -> None:
    prefix = make_prefix(tmp_path / "only r", python=False)
    (prefix / "bin" / "R").write_text("#!/bin/sh\necho this is R\n")
    (prefix / "bin" / "R").chmod(0o755)
    facts = for_prefix(prefix, site)
    assert facts.python == ""
    (tmp_path / "file").write_text(render_facts(DIALECT.get(shell, "bash"), facts))
    begin = f"env -0 > before\n{source(shell, tmp_path / 'file')}"
    done = run(shell, f"{begin}R\ndeactivate\nenv -0 > after\n", tmp_path)
    assert (done.stdout, done.stderr) == ("this is R\n", "")
    assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")
    prefix.rename(tmp_path / "gone")
    done = run(shell, begin, tmp_path)
    assert "is not there" in done.stdout + done.stderr
    with pytest.raises(InvalidRequest, match="no packages of a Python"):
        for_prefix(tmp_path / "gone", site, several=True)


def test_modulefiles_without_python(modules: Modules, site: Site, tmp_path: Path) -> None:
    prefix = make_prefix(tmp_path / "only", python=False)
    text = render_facts(modules.system, for_prefix(prefix, site))
    path = tmp_path / "files" / ("only.lua" if modules.system == "lmod" else "only")
    path.parent.mkdir()
    path.write_text(text)
    use = f". {modules.init}\nmodule use {path.parent}\nenv -0 > before\n"
    done = run("bash", f"{use}module load only\nprintenv CONDA_PREFIX\nmodule unload only\nenv -0 > after\n", tmp_path)
    assert done.stdout == f"{prefix}\n", done.stderr
    assert snapshot(tmp_path / "after") == snapshot(tmp_path / "before")
    prefix.rename(tmp_path / "gone")
    done = run("bash", f"{use}module load only; echo $?\n", tmp_path)
    assert done.stdout == "1\n"
    assert "is not there" in " ".join(done.stderr.split())


def test_command_prints_the_file_of_any_prefix(prefix: Path, tmp_path: Path, home: Path) -> None:
    put_scripts("bash", prefix)
    command = [sys.executable, "-m", "jupyter_hpcenv.cli", "activation", "--prefix", str(prefix)]
    env = {"PATH": os.environ["PATH"], "HOME": str(home)}
    plain = subprocess.run([*command, "--dialect", "bash"], env=env, capture_output=True, text=True, check=True)
    (tmp_path / "file").write_text(plain.stdout)
    assert run("bash", ". ./file\necho $ORDER\n", tmp_path).stdout == "19B\n"
    hooked = [*command, "--dialect", "sbatch", "--conda-hook", "--json"]
    answer = subprocess.run(hooked, env=env, capture_output=True, text=True, check=True)
    assert "conda shell.bash hook" in json.loads(answer.stdout)["data"]["text"]
    wrong = subprocess.run([*command, "--several", "--conda-hook"], env=env, capture_output=True, text=True)
    assert (wrong.returncode, "--conda-hook goes with" in wrong.stderr) == (2, True)


# -- hostile ----------------------------------------------------------------


@pytest.mark.parametrize("dialect", [*DIALECTS, "dash", "zsh"])
def test_hostile_values_stay_what_they_are_or_are_left_out(dialect: str, site: Site, tmp_path: Path) -> None:
    """Prefix and variables of conda's files are what they are; what can not be written is named and left out."""
    rng = random.Random(20261122)
    folder = value(rng).replace("/", "_").replace(":", "_")[:40] + ' it\'s "$(touch pwned)" !x \\ `id`'
    folder = folder.replace("😀", "ü")
    prefix = make_prefix(tmp_path / folder)
    variables = {f"V{number}": value(rng) for number in range(300)}
    lines = {f"L{number}": f"{value(rng)}\n$(touch pwned){value(rng)}" for number in range(20)}
    state(prefix, {**variables, **lines, "NUL": "a\0b", "a b": "x", "$(touch pwned)": "x", "IFS": "x", "N": 3})
    facts = for_prefix(prefix, site, name=value(rng))
    kind = "bash" if dialect in ("dash", "zsh") else dialect
    if dialect == "tcl":
        facts = for_prefix(prefix, site, name="plain")
    text = render_facts(kind, facts)
    assert all(name in text for name in lines), "named"
    path = tmp_path / "files" / ("h.lua" if dialect == "lmod" else "h")
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    shell = {"csh": "tcsh", "fish": "fish", "dash": "dash", "zsh": "zsh"}.get(dialect, "bash")
    begin, end = source(shell, path), "deactivate\n"
    if dialect in ("lmod", "tcl"):
        system = Modules(dialect, tmp_path / "tree")
        begin, end = f". {system.init}\nmodule use {path.parent}\nmodule load h\n", "module unload h\n"
    elif dialect in ("sbatch", "pbs"):
        end = ""
    done = run(shell, f"{begin}env -0 > out\n{end}env -0 > last\n", tmp_path, {"L0": "mine"})
    found = snapshot(tmp_path / "out")
    carried = {name for name in variables if name in found}
    assert {name: found[name] for name in carried} == {name: variables[name] for name in carried}, done.stderr[-2000:]
    assert len(carried) == 300 or (dialect == "tcl" and len(carried) > 200)
    assert (found["CONDA_PREFIX"], found["CONDA_DEFAULT_ENV"]) == (str(prefix), str(prefix))
    assert found["PATH"].split(":")[0] == f"{prefix}/bin"
    assert found["L0"] == "mine"
    assert not {"L1", "NUL", "a b", "IFS", "N"} & set(found)
    assert not list(tmp_path.rglob("pwned"))
    if end:
        assert not [name for name in snapshot(tmp_path / "last") if name.startswith(("V1", "CONDA"))]
