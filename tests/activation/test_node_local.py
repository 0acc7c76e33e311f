"""Jobs that make an environment anew on their node: real environments, the usual index, real modules, hostile words."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.activation import DIALECTS, JOBS, render_activation
from jupyter_hpcenv.errors import HpcenvError, InvalidRequest
from jupyter_hpcenv.managers.packages import list_packages
from jupyter_hpcenv.models import Rebuild
from jupyter_hpcenv.site import Site

from ..cli.conftest import SLOW_BACKEND, Cli
from ..layering.profiles import wheel
from ..modules import systems, trees
from .conftest import make, run
from .test_hostile import PAYLOADS, value
from .test_text import GOLDEN, SET, VARIABLES

PLACE = "# Your command comes here"
REBUILD = Rebuild(
    python="/opt/python's/bin/python3",
    system_site_packages=True,
    installer="uv",
    lock=["numpy==2.1.3", "own @ git+https://example.org/own.git@" + 40 * "0"],
    options=["--no-index", "--find-links", "/opt/it's wheels"],
    variables={"MPICC": "mpicc -O2"},
    dropped=["PIP_TARGET", "UV_PYTHON"],
)
#: What a job tells of the environment that it runs in.
TELL = """\
import json, os, pathlib, sys
listed = sorted(path.name for path in pathlib.Path(sys.prefix).glob("lib/python3*/site-packages/*.dist-info"))
words = {name: os.environ.get(name) for name in ("VIRTUAL_ENV", "PATH", "COLOUR", "MPICC", "LOADEDMODULES", "CC")}
mode = os.stat(pathlib.Path(sys.prefix).parent).st_mode & 0o777
below = "include-system-site-packages = true" in pathlib.Path(sys.prefix, "pyvenv.cfg").read_text()
told = {"prefix": sys.prefix, "version": sys.version, "listed": listed, "mode": mode, "below": below}
print(json.dumps({**told, **words}))
"""


class Job:
    """A script as it was printed, with a command in the place for one, and the disk of its node."""

    def __init__(self, text: str, cli: Cli, folder: Path) -> None:
        self.cli, self.folder, self.disk = cli, folder, folder / "disk of the node"
        self.disk.mkdir(exist_ok=True)
        (folder / "tell.py").write_text(TELL)
        assert text.count(PLACE) == 1
        self.script = folder / "job"
        self.script.write_text(text.replace(PLACE, f"python '{folder / 'tell.py'}'\n{PLACE}"))

    def run(self, **more: str) -> subprocess.CompletedProcess[str]:
        env = {**self.cli.env, "SLURM_TMPDIR": str(self.disk), **more}
        done = subprocess.run(
            ["bash", str(self.script)], env=env, cwd=self.folder, capture_output=True, text=True, timeout=240
        )
        assert list(self.disk.iterdir()) == []  # whatever happened, nothing is left
        return done

    def told(self, **more: str) -> dict[str, Any]:
        done = self.run(**more)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def refused(self, **more: str) -> str:
        """Run it, see that it ends before the command and says what to do, and return what it said."""
        done = self.run(**more)
        assert (done.returncode, done.stdout) == (96, ""), done.stderr
        assert "without --node-local uses the environment where it is" in done.stderr
        return done.stderr


def printed(cli: Cli, name: str, *arguments: str) -> str:
    return str(cli.data_of("activation", name, "--dialect", "sbatch", "--node-local", *arguments)["text"])


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A user who has two environments, of which uv filled the one and pip the other."""
    user = Cli(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("cache"))
    for installer in ("uv", "pip"):
        user.data_of("create", installer, "--no-kernel", "--installer", installer, "--var", "COLOUR=blue", "packaging")
    return user


@pytest.mark.parametrize("dialect", JOBS)
def test_text_is_the_golden_one(dialect: str, site: Site) -> None:
    record = make("/scratch/user/it's climate", modules=SET, variables=VARIABLES)
    text = render_activation(dialect, record, site, rebuild=REBUILD)
    golden = GOLDEN / "activate-node-local.sbatch"
    if dialect == "pbs":
        assert text.partition("\n\n")[2].partition("\n")[2] == golden.read_text().partition("\n\n")[2]
    else:
        assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("installer", ["uv", "pip"])
@pytest.mark.parametrize("there", [True, False], ids=["uv is on PATH", "uv is not on PATH"])
def test_job_has_the_same_packages_on_its_own_disk(installer: str, there: bool, cli: Cli, tmp_path: Path) -> None:
    made = cli.data_of("show", installer)
    job = Job(printed(cli, installer), cli, tmp_path)
    told = job.told() if there else job.told(PATH="/usr/bin:/bin")
    assert Path(told["prefix"]).is_relative_to(job.disk)
    assert (told["VIRTUAL_ENV"], told["PATH"].split(":")[0]) == (told["prefix"], f"{told['prefix']}/bin")
    assert (told["COLOUR"], told["mode"], told["below"]) == ("blue", 0o700, False)
    assert told["version"].startswith(made["python"])
    own = {path.name for path in Path(made["prefix"]).glob("lib/python3*/site-packages/*.dist-info")}
    assert set(told["listed"]) == {name for name in own if not name.startswith("pip-")}
    assert any(name.startswith("packaging-") for name in told["listed"])


def test_nothing_in_the_folder_of_the_job_is_run_or_read(cli: Cli, tmp_path: Path) -> None:
    """Programs that are started with -m look there first, and uv reads the settings that lie there."""
    for name in ("venv", "pip", "runpy", "random", "site", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'a').write({name!r})\n")
    (tmp_path / "uv.toml").write_text("no-index = true\n")
    for installer in ("uv", "pip"):
        job = Job(printed(cli, installer), cli, tmp_path)
        job.script.write_text(job.script.read_text().replace("\npython ", "\npython -P "))
        assert job.told()["prefix"].startswith(str(job.disk))
    assert not (tmp_path / "pwned").exists()


def test_what_would_lead_an_installer_astray_is_not_obeyed(cli: Cli, tmp_path: Path) -> None:
    astray = str(tmp_path / "astray")
    job = Job(printed(cli, "pip"), cli, tmp_path)
    told = job.told(PIP_TARGET=astray, PIP_USER="1", PIP_REQUIRE_VIRTUALENV="1", PIP_PREFIX=astray, PIP_DRY_RUN="1")
    assert any(name.startswith("packaging-") for name in told["listed"])
    job = Job(printed(cli, "uv"), cli, tmp_path)
    told = job.told(UV_SYSTEM_PYTHON="1", UV_PYTHON="/usr/bin/python3", UV_PROJECT_ENVIRONMENT=astray)
    assert any(name.startswith("packaging-") for name in told["listed"])
    assert not Path(astray).exists()


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_without_network_a_wheelhouse_will_do(installer: str, cli: Cli, tmp_path: Path) -> None:
    """It stands in the site's settings, in the user's, or in the environment of the job."""
    (version,) = (p.version for p in list_packages(Path(cli.data_of("show", installer)["prefix"])) if p.name != "pip")
    wheels = str(tmp_path / "it's wheels")
    wheel(Path(wheels), "packaging", version)
    settings = ("-D", f"VenvManager.find_links={[wheels]!r}", "-D", "VenvManager.no_index=True")
    dead = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    dead |= {"no_proxy": "", "NO_PROXY": "", "UV_CACHE_DIR": str(tmp_path / "cache"), "PIP_NO_CACHE_DIR": "1"}
    dead |= {"UV_HTTP_RETRIES": "0", "PIP_RETRIES": "0", "PIP_DEFAULT_TIMEOUT": "5"}
    job = Job(printed(cli, installer, *settings), cli, tmp_path)
    assert job.told(**dead)["listed"] == [f"packaging-{version}.dist-info"]
    alone = Job(printed(cli, installer), cli, tmp_path)
    assert "packaging" in alone.refused(**dead)
    if installer == "uv":  # its cache will do, if the node sees it
        near = {name: value for name, value in dead.items() if name != "UV_CACHE_DIR"}
        assert alone.told(**near, UV_OFFLINE="1")["listed"] == [f"packaging-{version}.dist-info"]
    else:
        given = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": Path(wheels).as_uri()}
        assert alone.told(**dead, **given)["listed"] == [f"packaging-{version}.dist-info"]


def test_modules_come_first(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The Python is a module's, and the environment sees what another one brings; only the rest is copied."""
    init = systems.need("lmod")
    folder = trees.write_lmod(tmp_path / "tree", os.path.realpath(sys.executable))
    cli = Cli(tmp_path / "home", tmp_path_factory.mktemp("cache"))
    cli.home.mkdir()
    shell = ["bash", "-c", f". {init}; export MODULEPATH={folder}; env -0"]
    said = subprocess.run(shell, env=cli.env, capture_output=True, check=True, timeout=60).stdout.decode()
    cli.env.update(entry.split("=", 1) for entry in said.split("\0") if entry and not entry.startswith("BASH_FUNC_"))
    chain = ("--module", "gcc/12", "--module", "openmpi/4.1", "--module", "SciPy-bundle")
    made = cli.data_of("create", "layered", "--no-kernel", *chain, "--build-var", "MPICC=mpicc -O2", "toolz")
    assert made["system_site_packages"]
    job = Job(printed(cli, "layered"), cli, tmp_path)
    bare = {name: cli.env[name] for name in cli.env if not name.startswith(("LMOD", "MODULE", "_", "LOADED"))}
    job.cli.env = bare
    see = "import sitepkg; print(sitepkg.__version__)"
    job.script.write_text(job.script.read_text().replace("\npython ", f"\npython -c '{see}' >seen\npython "))
    told = job.told()
    assert {"gcc/12", "openmpi/4.1", "SciPy-bundle/2023.07"} <= set(told["LOADEDMODULES"].split(":"))
    assert Path(told["prefix"]).is_relative_to(job.disk)
    own = {path.name for path in Path(made["prefix"]).glob("lib/python3*/site-packages/*.dist-info")}
    assert set(told["listed"]) == {name for name in own if not name.startswith("pip-")}
    assert any(name.startswith("toolz-") for name in own)
    assert not any(name.startswith("numpy-") for name in own)
    assert (told["MPICC"], told["below"]) == (None, True)  # the first is for builds alone
    assert (tmp_path / "seen").read_text() == "1.25.1\n"
    broken = job.script.read_text().replace("'openmpi/4.1'", "'openmpi/99'")
    job.script.write_text(broken)
    assert job.run().returncode == 93


class Changing(SimpleHTTPRequestHandler):
    """Serves files of a folder."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "shelf"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Changing, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_an_archive_that_has_changed_is_refused(
    installer: str, shelf: tuple[Path, str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Where a digest is known it is compared; the cache is another one, as on a node it may be."""
    folder, address = shelf
    cli = Cli(tmp_path / "home", tmp_path_factory.mktemp("cache"))
    cli.home.mkdir()
    cli.env.update(no_proxy="127.0.0.1", NO_PROXY="127.0.0.1", PIP_NO_CACHE_DIR="1")
    path = wheel(folder, "own", "1.0")
    url = f"own @ {address}/{path.name}"
    cli.data_of("create", "own", "--no-kernel", "--installer", installer, url)
    text = printed(cli, "own")
    if installer == "uv":  # it leaves no digest behind, so the list has none; one that somebody adds is obeyed
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert f"\n{url}\n" in text
        text = text.replace(f"\n{url}\n", f"\n{url}#sha256={digest}\n")
    assert f"\n{url}#sha256=" in text
    job = Job(text, cli, tmp_path)
    assert job.told(UV_CACHE_DIR=str(tmp_path / "first"))["listed"] == ["own-1.0.dist-info"]
    wheel(folder, "own", "1.0", "packaging")
    assert "hash" in job.refused(UV_CACHE_DIR=str(tmp_path / "second")).lower()


def test_what_lies_in_a_folder_of_ones_own_is_refused_by_name(cli: Cli) -> None:
    project = cli.home / "slow"
    project.mkdir()
    (project / "go").touch()  # its build need not wait for anything
    (project / "backend.py").write_text(SLOW_BACKEND)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "slow"\nversion = "1.0"\n'
    )
    (cli.home / "requirements.txt").write_text("-e ./slow\n")
    cli.data_of("create", "mine", "--no-kernel", "--file", "requirements.txt")
    error = cli.error_of("activation", "mine", "--dialect", "sbatch", "--node-local")
    assert error["code"] == "wrong_state"
    assert f"slow (editable: {project})" in error["message"]


def test_a_job_of_several_nodes_is_refused(cli: Cli, tmp_path: Path) -> None:
    job = Job(printed(cli, "uv"), cli, tmp_path)
    assert "the job has 2 nodes" in job.refused(SLURM_JOB_NUM_NODES="2")
    (tmp_path / "nodes").write_text("a\nb\na\n")
    assert "the job has 2 nodes" in job.refused(PBS_NODEFILE=str(tmp_path / "nodes"))
    (tmp_path / "nodes").write_text("a\na\n")
    assert job.told(SLURM_JOB_NUM_NODES="1", PBS_NODEFILE=str(tmp_path / "nodes"))["prefix"]


def test_a_place_that_does_not_do_is_refused(cli: Cli, tmp_path: Path) -> None:
    job = Job(printed(cli, "uv"), cli, tmp_path)
    (tmp_path / "a:b").mkdir()
    assert "colon" in job.refused(SLURM_TMPDIR=str(tmp_path / "a:b"))
    assert list((tmp_path / "a:b").iterdir()) == []
    assert "no place" in job.refused(SLURM_TMPDIR=str(tmp_path / "absent"))
    assert job.told(SLURM_TMPDIR="", TMPDIR=str(job.disk))["prefix"].startswith(str(job.disk))


def test_a_job_that_is_ended_takes_its_copy_along(cli: Cli, tmp_path: Path) -> None:
    job = Job(printed(cli, "uv"), cli, tmp_path)
    job.script.write_text(job.script.read_text() + "\necho ready\nsleep 600 & wait\n")
    env = {**cli.env, "SLURM_TMPDIR": str(job.disk)}
    child = subprocess.Popen(["bash", str(job.script)], env=env, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert child.stdout is not None
    for line in child.stdout:
        if line == "ready\n":
            break
    assert len(list(job.disk.iterdir())) == 1
    child.terminate()
    assert child.wait(60) != 0
    child.stdout.close()
    assert list(job.disk.iterdir()) == []


def test_only_jobs_can_ask_for_it(cli: Cli, site: Site) -> None:
    for dialect in set(DIALECTS) - set(JOBS):
        with pytest.raises(InvalidRequest, match="a disk of its own"):
            render_activation(dialect, make("/p"), site, rebuild=REBUILD)
        assert cli.error_of("activation", "uv", "--dialect", dialect, "--node-local")["code"] == "invalid_request"
    assert cli.error_of("activation", "uv", "--node-local")["code"] == "invalid_request"
    for more in (["--install"], ["--several"], ["--prefix", "/p"]):
        done = cli("activation", *([] if "--prefix" in more else ["uv"]), "--dialect", "pbs", "--node-local", *more)
        assert (done.returncode, "--node-local goes with" in done.stderr) == (2, True)


def test_a_template_of_the_site_that_makes_no_copy_is_refused(site: Site, tmp_path: Path) -> None:
    """Else the job would use the shared environment without a word."""
    folder = tmp_path / "templates"
    folder.mkdir(mode=0o755)
    (folder / "batch.sh.j2").write_text("export PATH={{ bin | sh }}:$PATH\n")
    site.template_dirs = [str(folder)]
    assert "PATH" in render_activation("sbatch", make("/p"), site)
    with pytest.raises(HpcenvError, match=r"batch\.sh\.j2 makes no copy"):
        render_activation("sbatch", make("/p"), site, rebuild=REBUILD)


#: Stands for Python and pip: notes what it is given.
STUB = """\
#!/bin/sh
case " $* " in
*" -m venv "*) mkdir -p "$hpcenv_seen" && printf '%s\\0' "$@" >"$hpcenv_seen/venv" ;;
*)
  printf '%s\\0' "$@" >"$hpcenv_seen/pip" && env -0 >"$hpcenv_seen/env"
  for last in "$@"; do :; done
  cat "$last" >"$hpcenv_seen/lock"
  ;;
esac
"""


@pytest.mark.parametrize("seed", range(5))
def test_hostile_values_stay_what_they_are(seed: int, site: Site, tmp_path: Path) -> None:
    """Whatever a manager says of an environment reaches the programs as it is, and runs nothing."""
    rng = random.Random(seed)
    texts = [*PAYLOADS, *(value(rng) for _ in range(400))]
    rng.shuffle(texts)
    python = tmp_path / (value(rng).replace("/", "_") + "p") / "python"
    prefix = tmp_path / (value(rng).replace("/", "_").replace(":", "_") + "x")
    for path in (python, prefix / "bin" / "python"):
        path.parent.mkdir(parents=True)
        path.write_text(STUB)
        path.chmod(0o755)
    rebuild = Rebuild(
        python=str(python),
        installer="pip",
        lock=[text for text in texts if text != "HPCENV_END"],
        options=texts,
        variables={f"V{number}": text for number, text in enumerate(texts)},
        dropped=["PIP_TARGET"],
    )
    script = render_activation("sbatch", make(prefix, name="n"), site, rebuild=rebuild)
    seen = tmp_path / "seen"
    done = run("bash", script + "env -0 > after\n", tmp_path, {"hpcenv_seen": str(seen), "TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    given = (seen / "pip").read_text().split("\0")[:-1]
    start = given.index("--no-deps") + 1
    assert given[start : start + len(texts)] == texts
    assert (seen / "lock").read_text().split("\n")[:-1] == rebuild.lock
    environ = dict(entry.split("=", 1) for entry in (seen / "env").read_text().split("\0")[:-1])
    assert {name: environ.get(name) for name in rebuild.variables} == rebuild.variables
    assert "V0=" not in (tmp_path / "after").read_text()
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\0b", "HPCENV_END", "\x1b[2J"])
@pytest.mark.parametrize("field", ["lock", "options", "variables", "python"])
def test_what_no_list_or_shell_can_carry_is_refused(field: str, text: str, site: Site) -> None:
    values: dict[str, Any] = {"lock": [text], "options": [text], "variables": {"V": text}, "python": text}
    rebuild = Rebuild(**{"python": "/p", "installer": "pip", "lock": [], field: values[field]})
    if text == "HPCENV_END" and field != "lock":
        return
    with pytest.raises(InvalidRequest):
        render_activation("sbatch", make("/p"), site, rebuild=rebuild)
