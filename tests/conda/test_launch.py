"""The launch script of a conda environment: what conda's activation sets, whatever the scripts of packages do."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv import kernels
from jupyter_hpcenv.errors import HpcenvError
from jupyter_hpcenv.kernels import render_launch
from jupyter_hpcenv.models import Record
from jupyter_hpcenv.names import STEERING
from jupyter_hpcenv.site import Site
from jupyter_hpcenv.site.conda_prefix import RUNNER, may_set, read_activation

from ..activation.test_hostile import value as hostile
from ..kernels.conftest import make_tree
from ..kernels.launching import Tree, carrying, uncached
from ..kernels.test_life import wait_until
from .prefixes import SAYS, make, make_prefix, package_variables, script, state

PATH = "/usr/local/bin:/usr/bin:/bin"
SHELLS = [["/bin/sh"], ["dash"], ["bash", "--posix"], ["bash"]]
GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def site(home: Path) -> Site:
    return Site(cluster="testcluster", module_timeout=20)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return make_prefix(tmp_path / "envs" / "it's $x")


@pytest.fixture(params=["lmod", "tcl"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    return make_tree(request.param, tmp_path / "tree")


def start(
    launch: Path, around: dict[str, str] | None = None, *arguments: str, shell: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*shell, str(launch), *(arguments or ("-c", SAYS))],
        env={"PATH": PATH, **(around or {})},
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        cwd="/",
        timeout=60,
    )


def environ(launch: Path, around: dict[str, str] | None = None, shell: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the environment of what the launch script starts, which must be the very process of the script."""
    process = subprocess.Popen(
        [*shell, str(launch), "-c", SAYS], env={"PATH": PATH, **(around or {})}, stdout=subprocess.PIPE, cwd="/"
    )
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    found, pid, _ = json.loads(output)
    assert pid == process.pid, "the launch script must end in exec"
    return dict(found)


def write(prefix: Path, site: Site, **changes: Any) -> Path:
    return kernels.write_launch(make(prefix, **changes), site)


# -- what is set ------------------------------------------------------------


def golden_prefix(tmp_path: Path) -> Path:
    """Make a prefix of which all is known beforehand but its path."""
    prefix = make_prefix(tmp_path / "climate")
    script(prefix, "proj.sh", 'export PROJ_DATA="$CONDA_PREFIX/share/proj"\n')
    state(prefix, {"CHOSEN": "it's $x"})
    return prefix


def test_text_is_the_golden_one(tmp_path: Path) -> None:
    activation = read_activation(golden_prefix(tmp_path))
    place = str(tmp_path / "climate")
    text = render_launch(make(place, variables={"OMP_NUM_THREADS": "8"}), {"SITE": "1"}, activation=activation)
    assert text.replace(place, "/scratch/user/envs/climate") == (GOLDEN / "launch.conda.sh").read_text()


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_environment_is_conda_s(shell: list[str], prefix: Path, site: Site) -> None:
    around = {
        "HOME": "/nowhere",
        "CONDA_PREFIX": "/base/envs/b",
        "CONDA_DEFAULT_ENV": "b",
        "CONDA_PROMPT_MODIFIER": "(b) ",
        "CONDA_SHLVL": "3",
        "CONDA_PREFIX_1": "/base",
        "CONDA_PREFIX_2": "/base/envs/a",
        "CONDA_STACKED_3": "true",
        "CONDA_EXE": "/base/bin/conda",
        "CONDA_PYTHON_EXE": "/base/bin/python",
        "_CE_M": "",
        "_CE_CONDA": "",
        "VIRTUAL_ENV": "/venv",
        "PYTHONPATH": "/other",
    }
    found = environ(write(prefix, site, variables={"OWN": "o"}), around, tuple(shell))
    made_by_shells = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}
    assert {name: text for name, text in found.items() if name not in made_by_shells} == {
        "HOME": "/nowhere",
        "PATH": f"{prefix}/bin:{PATH}",
        "CONDA_PREFIX": str(prefix),
        "CONDA_DEFAULT_ENV": "it's $x",
        "CONDA_PROMPT_MODIFIER": "(it's $x) ",
        "CONDA_SHLVL": "1",
        "PYTHONNOUSERSITE": "1",
        "OWN": "o",
        # they name a program and no environment: “conda” goes on working in the kernel, on this environment
        "CONDA_EXE": "/base/bin/conda",
        "CONDA_PYTHON_EXE": "/base/bin/python",
        "_CE_M": "",
        "_CE_CONDA": "",
    }


def test_prefix_outside_of_envs_is_called_by_its_path(tmp_path: Path, site: Site) -> None:
    prefix = make_prefix(tmp_path / "elsewhere" / "climate")
    assert environ(write(prefix, site))["CONDA_DEFAULT_ENV"] == str(prefix)


def test_without_anything_to_run_no_program_is_started(prefix: Path, site: Site) -> None:
    """As a venv's: plain sh, and nothing but Python. Folders that a package left empty change nothing."""
    launch = write(prefix, site)
    assert launch.read_text().startswith("#!/bin/sh\n")
    for folder in ("activate.d", "env_vars.d"):
        (prefix / "etc/conda" / folder).mkdir(parents=True)
    assert environ(launch, {"PATH": "/nowhere"})["PATH"] == f"{prefix}/bin:/nowhere"


ORDER = ["export A=1", "export A=$A$B$PKG; export B=b", "export A=$A,$OWN,$CONDA_PREFIX,${PATH%%:*}"]


def test_order_is_conda_s_and_the_record_s_variables_win(prefix: Path, site: Site) -> None:
    for name, text in zip(("B.sh", "_a.sh", "a.sh"), ORDER, strict=True):
        script(prefix, name, f"{text}\n")
    script(prefix, "no.fish", "exit 1\n")
    package_variables(prefix, "z.json", {"pkg": "z", "B": "p"})
    package_variables(prefix, "a.json", {"PKG": "a", "OWN": "a package's", "GONE": "g"})
    state(prefix, {"B": "s", "GONE": "***unset***", "OWN": "conda's"})
    found = environ(write(prefix, site, variables={"OWN": "the record's"}))
    assert found["A"] == f"1sz,conda's,{prefix},{prefix}/bin"
    assert (found["B"], found["PKG"], found["OWN"]) == ("b", "z", "the record's")
    assert "GONE" not in found


# -- known beforehand, or run ------------------------------------------------


def cut(prefix: Path) -> None:
    """Let what runs scripts fail, so that only what is known beforehand can start."""
    (prefix / ".hpcenv" / RUNNER.name).write_text("exit 93\n")


PLAIN = """#!/bin/bash
# Where its data is

export PROJ_DATA="$CONDA_PREFIX/share/proj"
  export LIST=${CONDA_PREFIX}/a:"b c":'$d `e`' # a remark
export CPL_ZIP_ENCODING=UTF-8;
export EMPTY=
"""


def test_what_only_exports_is_not_run(prefix: Path, site: Site) -> None:
    script(prefix, "plain.sh", PLAIN)
    state(prefix, {"CHOSEN": "it's $x"})
    package_variables(prefix, "p.json", {"PKG": "p"})
    launch = write(prefix, site)
    names = ("PROJ_DATA", "LIST", "CPL_ZIP_ENCODING", "EMPTY", "CHOSEN", "PKG")
    known = environ(launch)
    script(prefix, "later.sh", ":\n")  # now they are run
    ran = environ(launch)
    assert {name: known[name] for name in names} == {name: ran[name] for name in names}
    assert known["LIST"] == f"{prefix}/a:b c:$d `e`"
    (prefix / "etc/conda/activate.d/later.sh").unlink()
    cut(prefix)
    assert environ(launch) == known


CHANGES = {
    "another script": lambda prefix: script(prefix, "new.sh", "export NEW=1\n"),
    "another text, as long and of the same date": lambda prefix: _same_date(prefix),
    "another name": lambda prefix: (prefix / "etc/conda/activate.d/a.sh").rename(prefix / "etc/conda/activate.d/b.sh"),
    "variables of conda": lambda prefix: state(prefix, {"A": "changed"}),
    "variables of a package": lambda prefix: package_variables(prefix, "p.json", {"P": "1"}),
    "what is no file": lambda prefix: os.mkfifo(prefix / "etc/conda/activate.d/fifo.sh"),
}


def _same_date(prefix: Path) -> None:
    path = prefix / "etc/conda/activate.d/a.sh"
    facts = path.stat()
    path.write_text("export A=2\n")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.mark.parametrize("change", CHANGES)
def test_change_by_another_conda_is_seen_at_the_next_start(change: str, prefix: Path, site: Site) -> None:
    script(prefix, "a.sh", "export A=1\n")
    state(prefix, {"B": "1"})
    launch = write(prefix, site)
    assert environ(launch)["A"] == "1"
    CHANGES[change](prefix)
    found = environ(launch)
    assert found["A"] == ("2" if "same date" in change else "1")
    assert found.get("NEW") == ("1" if change == "another script" else None)
    assert found.get("P") == ("1" if change == "variables of a package" else None)
    assert found.get("B") == (None if change == "variables of conda" else "1")
    cut(prefix)
    assert start(launch).returncode == 1


def test_environment_that_loses_its_scripts_needs_nothing_more(prefix: Path, site: Site) -> None:
    path = script(prefix, "a.sh", "export A=$(echo 1)\n")
    launch = write(prefix, site)
    assert environ(launch)["A"] == "1"
    path.unlink()
    cut(prefix)
    assert "A" not in environ(launch)


NOT_PLAIN = [
    "export A=$HOME",
    "export A=$(id)",
    "export A=`id`",
    'export A="$CONDA_PREFIXED"',
    "export A=~/x",
    "export A=a b",
    "export PATH=$CONDA_PREFIX/x:$PATH",
    "export CONDA_PREFIX=/x",
    "export A=1\r",
    'export A="\\$x"',
    "export A='\nexport B='",
    "A=1",
    "source other",
    "if true; then export A=1; fi",
    "export A=1; touch x",
    "export A=1 &",
    "export A=[a-z]*",
    "export A={a,b}",
    "set -e",
    "export BASH_ENV=/x",
]


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_what_does_more_is_never_taken_for_known(text: str, prefix: Path) -> None:
    script(prefix, "a.sh", f"{text}\n")
    found = read_activation(prefix)
    assert found.active == ["a.sh"]
    assert not found.settled


# -- scripts that can do anything -------------------------------------------

GOES_ON = {
    "it fails": ("export A=1\nfalse\n", "ended with status 1"),
    "it can not be read": ("if then fi(\n", "syntax error"),
    "it prints": ("echo out; echo err >&2; export A=1\n", "out\nerr"),
    "it reads": ("read line; export A=1$line\n", ""),
    "it is strict": ("set -euxo pipefail\nexport A=1\nset -C -f\nIFS=:\ntrap 'echo bye' EXIT\n", "export A=1"),
    "it goes elsewhere": ("cd /tmp; umask 777; export A=1; exec >/dev/null 2>&1\n", ""),
    "it hides the shell": ("alias export=false; unset BASH; export A=1; shopt -s nullglob failglob\n", ""),
}


@pytest.mark.parametrize("shell", [("dash",), ("bash",)], ids=" ".join)
@pytest.mark.parametrize("kind", GOES_ON)
def test_script_that_is_odd_is_told_and_the_kernel_starts(
    kind: str, shell: tuple[str, ...], prefix: Path, site: Site
) -> None:
    text, words = GOES_ON[kind]
    script(prefix, "a.sh", text)
    script(prefix, "b.sh", "export NEXT=$CONDA_PREFIX:${NOT_SET}; false || export B=1\n")
    done = start(write(prefix, site), shell=shell)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)[0]  # not a word of a script before it
    assert (found["NEXT"], found["B"]) == (f"{prefix}:", "1")
    assert found.get("A") == (None if kind == "it can not be read" else "1")
    assert words in done.stderr


ENDS = ["exit 0\n", "exit 3\n", "set -e\nfalse\n", "exec true\n", "kill -9 $$\n", "set -n\n", "kill $$; sleep 5\n"]


@pytest.mark.parametrize("shell", [("dash",), ("bash",)], ids=" ".join)
@pytest.mark.parametrize("text", ENDS)
def test_script_that_ends_the_shell_is_named(text: str, shell: tuple[str, ...], prefix: Path, site: Site) -> None:
    script(prefix, "a.sh", "echo first words\n")
    script(prefix, "the end.sh", text)
    done = start(write(prefix, site), shell=shell)
    assert (done.returncode, done.stdout) == (1, "")
    assert "first words" in done.stderr
    assert "The script was etc/conda/activate.d/the end.sh" in done.stderr
    assert "can not start: activation_ended." in done.stderr


@pytest.mark.parametrize("text", ["sleep 600\n", "trap '' TERM\nwhile :; do :; done\n", "cat <>fifo\n"])
def test_script_that_hangs_is_given_up_and_leaves_nothing(text: str, prefix: Path, tmp_path: Path, home: Path) -> None:
    script(prefix, "slow.sh", f"cd '{tmp_path}' && mkfifo fifo 2>/dev/null\n{text}")
    launch = write(prefix, Site(module_timeout=1))
    aside = tmp_path / "t"
    aside.mkdir()
    done = start(launch, {"TMPDIR": str(aside), "HPCENV_TEST_MARK": str(tmp_path)})
    assert done.returncode == 1
    assert "The script was etc/conda/activate.d/slow.sh" in done.stderr
    assert "can not start: activation_late." in done.stderr
    assert not list(aside.iterdir())
    assert carrying(f"HPCENV_TEST_MARK={tmp_path}") == []


def test_what_can_not_be_run_at_all_is_a_reason(prefix: Path, site: Site) -> None:
    script(prefix, "a.sh", "export A=$(echo 1)\n")
    launch = write(prefix, site)
    (prefix / ".hpcenv" / RUNNER.name).unlink()
    done = start(launch)
    assert done.returncode == 1
    assert "can not start: activation." in done.stderr
    for words in ('echo "export A=1" >"$1"\n', 'echo "# complete" >"$1"; exit 1\n'):
        (prefix / ".hpcenv" / RUNNER.name).write_text(words)
        assert start(launch).returncode == 1, "half of it is not used"


def test_temporary_files_are_gone_and_a_bad_tmpdir_is_no_obstacle(prefix: Path, site: Site, tmp_path: Path) -> None:
    script(prefix, "a.sh", "export A=$(echo 1)\n")
    launch = write(prefix, site)
    (tmp_path / "t").mkdir()
    for folder in ("t", "none"):
        assert environ(launch, {"TMPDIR": str(tmp_path / folder)})["A"] == "1"
    assert not list((tmp_path / "t").iterdir())


def test_steering_of_shells_does_not_reach_it(prefix: Path, site: Site, tmp_path: Path) -> None:
    (tmp_path / "hostile.sh").write_text("export HOSTILE=1\n")
    script(prefix, "a.sh", "export BASH_ENV=/x ENV=/x; export A=$(bash -c 'echo $HOSTILE.')\n")
    around = {"BASH_ENV": str(tmp_path / "hostile.sh"), "BASH_FUNC_export%%": "() { HOSTILE=2; }"}
    found = environ(write(prefix, site), around, ("dash",))
    assert found["A"] == "."
    assert "HOSTILE" not in found


# -- modules ----------------------------------------------------------------


def test_activation_comes_after_the_modules_whose_variables_stay(tree: Tree, prefix: Path, site: Site) -> None:
    script(prefix, "a.sh", "export SAW=$CC LD_LIBRARY_PATH=$CONDA_PREFIX/lib:$LD_LIBRARY_PATH\n")
    state(prefix, {"KEPT": "k"})
    record = {"modules": uncached(tree, ["gcc/12"]), "variables": {"OWN": "$CC"}}
    found = environ(write(prefix, site, **record), {"VIRTUAL_ENV": "/venv"})
    assert (found["CC"], found["SAW"], found["KEPT"], found["OWN"]) == ("gcc-12", "gcc-12", "k", "$CC")
    assert found["LOADEDMODULES"] == "gcc/12"
    assert found["PATH"].startswith(f"{prefix}/bin:{tree.root}/sw/gcc/bin:")
    assert found["CONDA_PREFIX"] == str(prefix)
    assert not {"VIRTUAL_ENV", "HPCENV_EXPLAINER"} & set(found)
    script(prefix, "b.sh", "exit 3\n")
    done = start(prefix / ".hpcenv/launch")
    assert (done.returncode, "b.sh, the status 3" in done.stderr) == (1, True)
    assert "can not start: activation_ended." in done.stderr


OURS = '"${hpcenv_program:-$CONDA_PREFIX/bin/python}"'


def test_sites_template_that_would_not_activate_is_refused(prefix: Path, tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir(mode=0o755)
    (folder / "launch.sh.j2").write_text('#!/bin/sh\nexec {{ prefix | sh }}/bin/python "$@"\n')
    render_launch(make(prefix, manager="venv"), {}, [str(folder)])
    for end in ("", '{% include "launch_conda.sh.j2" %}\nexec {{ prefix | sh }}/bin/python "$@"\n'):
        (folder / "launch.sh.j2").write_text(f"#!/bin/sh\n{end or 'exec python'}")
        with pytest.raises(HpcenvError, match="does not activate conda environments"):
            render_launch(make(prefix), {}, [str(folder)])
    (folder / "launch.sh.j2").write_text(f"#!/bin/sh\n{end.replace('{{ prefix | sh }}/bin/python', OURS)}")
    render_launch(make(prefix), {}, [str(folder)])


# -- values are data ---------------------------------------------------------


def test_any_text_comes_through(prefix: Path, site: Site, tmp_path: Path) -> None:
    """Values of conda's files, in both forms that JSON knows, with line breaks and all: known, and read at a start."""
    rng = random.Random(20261123)
    texts = {f"V{number}": hostile(rng) for number in range(120)}
    texts |= {f"L{number}": f"{hostile(rng)}\n$(touch pwned)\t\x01\x7f{hostile(rng)}\n" for number in range(40)}
    texts |= {"SLASH": "\\/\b\f\r\n\t\"'", "ASTRAL": "😀𝄞 \u2028\ufeff\uffff", "LONG": "x'" * 1000, "NONE": ""}
    single = {name: text for name, text in texts.items() if name.startswith("V") and text.isprintable()}
    for number, chosen in enumerate((texts, texts, single)):
        state(prefix, chosen, ensure_ascii=number == 0, indent=number or None)
        launch = write(prefix, site)
        assert read_activation(prefix).settled is (chosen is single)
        if chosen is single:
            cut(prefix)
        found = environ(launch)
        assert {name: found.get(name) for name in chosen} == chosen
    assert not list(tmp_path.rglob("pwned"))


BROKEN = [
    "",
    "{",
    '{"env_vars": {"A": "1"}',
    '{"env_vars": {"A": "1"}} x',
    '{"env_vars": {"A": "1",}}',
    '{"env_vars": {"A": "\\x"}}',
    '{"env_vars": {"A": "a\nb"}}',
    '{"env_vars": {"A": tru}}',
    '{"env_vars": {"A": 01}}',
    '{"env_vars": {A: "1"}}',
    '{"env_vars": {"A": "1"}}}',
    '{"env_vars": {"A": "\\u12"}}',
    "[" * 100_000,
    '{"env_vars": {"A": "' + "x" * 70_000 + '"}}',
]
ODD = [
    "{}",
    "[]",
    "3",
    '"env_vars"',
    '{"env_vars": null}',
    '{"env_vars": ["A", "1"]}',
    '{"env_vars": "A"}',
    '{"x": {"env_vars": {"A": "1"}}, "y": [{"env_vars": {"A": "1"}}, true, -1.5e3, {}]}',
]


@pytest.mark.parametrize("text", [*BROKEN, *ODD], ids=lambda text: text[:30])
def test_state_that_is_odd_sets_nothing(text: str, prefix: Path, site: Site) -> None:
    (prefix / "conda-meta/state").write_text(text)
    script(prefix, "a.sh", "export STILL=$CONDA_PREFIX\n")
    done = start(write(prefix, site))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)[0]
    assert "A" not in found
    assert found["STILL"] == str(prefix)
    assert ("can not be read as JSON" in done.stderr) is (text in BROKEN)
    assert read_activation(prefix).variables == {}


def test_names_are_checked_and_the_refused_ones_told(prefix: Path, site: Site) -> None:
    refused = ["IFS", "path", "BASH_ENV", "HOME", "HPCENV_X", "JPY_PARENT_PID", "CONDA_PREFIX", "a b", "1a", "", "é"]
    odd = {"NUMBER": 3, "NULL": None, "LIST": ["x"], "NUL": "a\0b", "HALF": "\ud800", "$(touch pwned)": "x"}
    fine = {"LD_LIBRARY_PATH": "/x", "PYTHONPATH": "/y", "lower": "l", "F": "\u00e9"}
    state(prefix, {**dict.fromkeys(refused, "x"), **odd, **fine})
    done = start(write(prefix, site), {"HOME": "/h"})
    found = json.loads(done.stdout)[0]
    assert {name: found[name] for name in ("LD_LIBRARY_PATH", "PYTHONPATH", "LOWER", "F")} == {
        "LD_LIBRARY_PATH": "/x",
        "PYTHONPATH": "/y",
        "LOWER": "l",
        "F": "é",
    }
    assert found["HOME"] == "/h"
    assert not {"IFS", "BASH_ENV", "HPCENV_X", "JPY_PARENT_PID", "NUMBER", "NULL", "LIST", "NUL", "HALF"} & set(found)
    assert done.stderr.count(" is not set: ") == len(refused) + len(odd)


def test_both_readers_have_the_same_names_for_forbidden() -> None:
    """One is Python's, for what is known beforehand, the other bash's, for what is read at a start."""
    words = STEERING.replace("(", "|").replace(")", "|").split("|")
    names = [word for word in words if word.isidentifier()] + ["BASH_X", "HPCENV_X", "JPY_X", "JUPYTERHUB_X"]
    names += ["LD_PRELOAD", "PYTHONPATH", "PYTHONHOME", "CONDA_SHLVL", "CONDA_EXE", "A", "_A", "SECONDS2", "1A", "A-B"]
    text = RUNNER.read_text()
    function = text[text.index("hpcenv_may_set() {") :].split("\n}\n")[0] + "\n}\n"
    body = 'for name in "$@"; do if hpcenv_may_set "$name"; then echo yes; else echo no; fi; done'
    done = subprocess.run(["bash", "-c", function + body, "-", *names], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["yes" if may_set(name) else "no" for name in names]
    assert {"yes", "no"} == set(done.stdout.split())


@pytest.mark.parametrize(
    "name", ['dou"ble', "$(touch pwned)", "`id`", "naïve-日本", "a\\b", "{{7*7}}", "a;b&c", "!x*?"]
)
def test_starts_in_any_prefix(name: str, tmp_path: Path, site: Site) -> None:
    prefix = make_prefix(tmp_path / "envs" / name)
    script(prefix, "plain.sh", 'export A="${CONDA_PREFIX}"\n')
    launch = write(prefix, site)
    assert environ(launch)["A"] == str(prefix)
    script(prefix, name.replace("/", "_") + ".sh", "export B=$CONDA_PREFIX\n")
    found = environ(launch)
    assert (found["A"], found["B"], found["CONDA_DEFAULT_ENV"]) == (str(prefix), str(prefix), name)
    assert not list(tmp_path.rglob("pwned"))


def test_records_of_before_are_read(prefix: Path) -> None:
    import msgspec

    old = msgspec.to_builtins(make(prefix))
    for kernel in old["kernels"]:
        del kernel["source"]
    assert msgspec.convert(old, Record).kernels[0].source == ""


ORPHAN = """
import os, subprocess, sys, time
env = {**os.environ, "JPY_PARENT_PID": str(os.getpid())}
subprocess.Popen([sys.argv[1], "-c", "import time; time.sleep(600)"], env=env)
time.sleep(600)
"""


def test_server_that_dies_during_activation_leaves_no_kernel(prefix: Path, site: Site, tmp_path: Path) -> None:
    """A kernel that starts after its server has died would not notice, and nobody would end it."""
    script(prefix, "slow.sh", f"cd '{tmp_path}' && touch begun && while [ ! -e dead ]; do sleep 0.05; done\n")
    launch = write(prefix, site)
    env = {"PATH": PATH, "HPCENV_TEST_MARK": str(tmp_path)}
    server = subprocess.Popen([sys.executable, "-c", ORPHAN, str(launch)], env=env, stderr=subprocess.DEVNULL)
    try:
        assert wait_until((tmp_path / "begun").exists)
        server.kill()
        server.wait()
        (tmp_path / "dead").touch()
        assert wait_until(lambda: carrying(f"HPCENV_TEST_MARK={tmp_path}") == [])
    finally:
        server.kill()
        server.wait()
        for pid in carrying(f"HPCENV_TEST_MARK={tmp_path}"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
