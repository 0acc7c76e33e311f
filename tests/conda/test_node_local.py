"""Jobs that make a conda environment anew on the disk of their node, by whichever of conda's programs is there.

The program is played by a few lines that link the packages of the list which they are given; all else is real.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_hpcenv.managers.conda.installed import read
from jupyter_hpcenv.managers.packages import list_packages

from ..cli.conftest import Cli
from .driving import tree

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
PLACE = "# Your command comes here"

PROGRAM = """\
#!{python}
import os, sys
sys.path.insert(0, {checkout!r})
from pathlib import Path
from jupyter_hpcenv.formats import explicit
from jupyter_hpcenv.managers.conda import engine
from tests.conda.driving import Notes, source
verb, yes, quiet, _, prefix, _, file = sys.argv[1:]
assert sys.argv[1:] == ["create", "--yes", "--quiet", "--prefix", prefix, "--file", file]
assert os.environ["CONDA_REGISTER_ENVS"] == os.environ["CONDA_SHORTCUTS"] == "false"
Path({log!r}).write_text({name!r})
pinned = explicit.read(Path(file).read_text()).pinned
engine.install_pinned(source("", Path({cache!r}), copy=True), pinned, Path(prefix), Notes())
"""

TELL = """\
import json, os, sys, iniconfig
names = ("CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_SHLVL", "PATH", "HPC_HOOK", "MY_DATA", "VIRTUAL_ENV", "COLOUR")
told = {name: os.environ.get(name) for name in names}
print(json.dumps({**told, "prefix": sys.prefix, "iniconfig": iniconfig.__file__}))
"""


class Node:
    """A computer with a disk of its own, where a job runs."""

    def __init__(self, folder: Path, cli: Cli, cache: Path) -> None:
        self.cli, self.cache, self.log = cli, cache, folder / "log"
        self.disk, self.programs = folder / "disk of the node", folder / "programs"
        self.disk.mkdir()
        self.programs.mkdir()

    def add(self, name: str) -> None:
        words = {"python": sys.executable, "checkout": str(Path(__file__).parents[2]), "cache": str(self.cache)}
        path = self.programs / name
        path.write_text(PROGRAM.format(**words, log=str(self.log), name=name))
        path.chmod(0o755)

    def run(self, text: str, command: str) -> subprocess.CompletedProcess[str]:
        """Run the script with *command* in the place for one; nothing is left on the disk, whatever happens."""
        assert text.count(PLACE) == 1
        script = self.disk.parent / "job"
        script.write_text(text.replace(PLACE, f"{command}\n{PLACE}"))
        env = {**self.cli.env, "PATH": f"{self.programs}:/usr/bin:/bin", "SLURM_TMPDIR": str(self.disk)}
        env |= {"PYTHONPATH": "/nowhere", "VIRTUAL_ENV": "/somewhere", "PIP_REQUIRE_VIRTUALENV": "1"}
        done = subprocess.run(["bash", str(script)], env=env, capture_output=True, text=True, timeout=240)
        assert list(self.disk.iterdir()) == []
        return done


@pytest.fixture
def node(tmp_path: Path, cli: Cli, cache: Path) -> Node:
    return Node(tmp_path, cli, cache)


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, channel: Path, cache: Path) -> Cli:
    """A user with an environment that conda and pip filled, whose packages do something when it is activated."""
    user = Cli(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("uv"))
    (user.home / ".condarc").write_text(f"channels:\n  - file://{channel}\npkgs_dirs:\n  - {cache}\n")
    (user.home / "environment.yml").write_text(
        f"dependencies: [python={MINOR}, hpc-hooks, hpc-prefix, pip: [iniconfig==2.0.0]]\n"
        "variables: {MY_DATA: /data/it's mine}\n"
    )
    made = ("create", "mine", "--manager", "conda", "--file", str(user.home / "environment.yml"), "--no-kernel")
    user.data_of(*made, "--var", "COLOUR=blue")
    return user


def printed(cli: Cli, dialect: str = "sbatch") -> str:
    return str(cli.data_of("activation", "mine", "--dialect", dialect, "--node-local")["text"])


def test_the_job_has_the_same_packages_on_its_own_disk(cli: Cli, node: Node, cache: Path) -> None:
    made = Path(cli.data_of("show", "mine")["prefix"])
    before = tree(made)
    (node.disk.parent / "tell.py").write_text(TELL)
    for name in ("conda", "mamba", "micromamba"):
        node.add(name)
    kept = node.disk.parent / "kept"
    done = node.run(printed(cli), f'python {node.disk.parent}/tell.py; cp -a "$CONDA_PREFIX" {kept}')
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    copy = told["prefix"]
    assert Path(copy).is_relative_to(node.disk)
    assert (told["CONDA_PREFIX"], told["CONDA_DEFAULT_ENV"], told["CONDA_SHLVL"]) == (copy, copy, "1")
    assert told["PATH"].split(":")[0] == f"{copy}/bin"
    assert told["iniconfig"].startswith(copy)
    assert (told["MY_DATA"], told["COLOUR"], told["VIRTUAL_ENV"]) == ("/data/it's mine", "blue", None)
    assert told["HPC_HOOK"] == f"set by {copy}"
    assert str(made) not in done.stdout
    assert {(each.url, each.md5) for each in read(kept)} == {(each.url, each.md5) for each in read(made)}
    assert {(p.name, p.version) for p in list_packages(kept)} == {(p.name, p.version) for p in list_packages(made)}
    assert node.log.read_text() == "micromamba"
    assert tree(made) == before


@pytest.mark.parametrize("name", ["mamba", "conda"])
def test_any_program_of_condas_will_do(cli: Cli, node: Node, name: str) -> None:
    node.add(name)
    done = node.run(printed(cli, "pbs"), "python -c 'import sys; print(sys.prefix)'")
    assert (done.returncode, node.log.read_text()) == (0, name), done.stderr
    assert done.stdout.startswith(str(node.disk))


def test_a_node_without_any_is_told_so(cli: Cli, node: Node) -> None:
    done = node.run(printed(cli), "echo went on")
    assert (done.returncode, done.stdout) == (96, "")
    assert "it needs micromamba, mamba or conda on PATH: load the module that brings one" in done.stderr
    assert "without --node-local uses the environment where it is" in done.stderr


def test_what_a_program_says_when_it_fails_is_heard(cli: Cli, node: Node) -> None:
    program = node.programs / "mamba"
    program.write_text("#!/bin/sh\necho no network; exit 3\n")
    program.chmod(0o755)
    done = node.run(printed(cli), "echo went on")
    assert (done.returncode, done.stdout) == (96, "")
    assert "no network" in done.stderr
    assert f"{program} could not make it, and what was said above tells why" in done.stderr


def test_what_no_list_can_name_is_refused_and_so_is_what_would_be_a_command(cli: Cli) -> None:
    prefix = Path(cli.data_of("show", "mine")["prefix"])
    (record,) = (prefix / "conda-meta").glob("hpc-hooks-*.json")
    text = record.read_text()
    about = json.loads(text)
    try:
        for url, said in (
            ("", "Of hpc-hooks it is not known where they came from"),
            ("https://me:secret@example.org/c/noarch/a-1-0.conda", "is not the URL of a conda package"),
            ("https://example.org/c/noarch/a-1-0.conda\nHPCENV_END\ntouch /tmp/x", "is not the URL of a conda package"),
        ):
            record.unlink()
            record.write_text(json.dumps({**about, "url": url}))
            error = cli.error_of("activation", "mine", "--dialect", "sbatch", "--node-local")
            assert said in error["message"]
            assert "secret" not in json.dumps(error)
    finally:
        record.write_text(text)
        os.utime(record)


def test_what_pip_put_over_a_package_of_condas_is_in_its_list(cli: Cli) -> None:
    prefix = Path(cli.data_of("show", "mine")["prefix"])
    assert "\niniconfig==2.0.0\nHPCENV_END\n" in printed(cli)
    folder = prefix / f"lib/python{MINOR}/site-packages/hpc_prefix-9.9.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: hpc-prefix\nVersion: 9.9\n")
    (folder / "INSTALLER").write_text("pip\n")
    try:
        assert "\nhpc-prefix==9.9\niniconfig==2.0.0\nHPCENV_END\n" in printed(cli)
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
