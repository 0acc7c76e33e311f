"""A clone has exactly what its source has, whoever made that; of what is somebody's own only one's own comes along."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.managers.conda.installed import read
from jupyter_hpcenv.managers.packages import list_packages

from ..cli.conftest import Cli
from ..conda.conftest import cache as conda_cache  # noqa: F401
from ..conda.conftest import channel, channels  # noqa: F401
from ..conftest import require

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
STRANGER = 43_001


def give(prefix: Path) -> None:
    """Let a stranger own what lies there; what a cache holds by the same inode is copied first."""
    for path in [prefix, *prefix.rglob("*")]:
        if path.is_file() and not path.is_symlink() and path.stat().st_nlink > 1:
            aside = path.with_name(f"{path.name}.own")
            shutil.copy2(path, aside)
            aside.replace(path)
        os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


@pytest.fixture(scope="module")
def uv_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uv-cache")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, uv_cache: Path) -> Cli:
    """A user who has a virtual environment with an old six, a project of her own, and variables."""
    cli = Cli(tmp_path_factory.mktemp("source"), uv_cache)
    cli.env["UV_CACHE_DIR"] = os.environ.get("HPCENV_TEST_PLAIN_CACHE", cli.env["UV_CACHE_DIR"])
    project = cli.home / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools>=64"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "mine"\nversion = "1"\n[tool.setuptools]\npy-modules = []\n'
    )
    (cli.home / "requirements.txt").write_text("six==1.16.0\nidna>=3\n-e ./project\n")
    more = ["--var", "DATA=/data", "--var", "MY_TOKEN=hidden", "--display-name", "The source"]
    made = cli.data_of("create", "first", "--file", "requirements.txt", "--installer", "uv", *more)
    links = {path.lstat().st_nlink for path in Path(made["prefix"]).glob("lib/python3.*/**/*.pyc")}
    assert links == {1}, "what is compiled is its own: a clone has it from there, and not from the cache"
    return cli


def versions(prefix: str) -> dict[str, tuple[str, str]]:
    return {each.name: (each.version, each.source) for each in list_packages(Path(prefix)) if each.name != "pip"}


def builds(prefix: str) -> set[tuple[str, str, str]]:
    return {(each.name, each.version, each.build) for each in read(Path(prefix))}


def compiled(prefix: str, other: str) -> int:
    """Return how many compiled files are the same ones in both."""
    inodes = [{path.stat().st_ino for path in Path(each).glob("lib/python3.*/**/*.pyc")} for each in (prefix, other)]
    return len(inodes[0] & inodes[1])


def log_of(cli: Cli, name: str) -> str:
    operations = cli.data_of("operations")
    last = next(each for each in operations if each["environment"]["name"] == name)
    return cli("log", last["id"]).stdout


def test_a_clone_of_ones_own_has_all_of_it(source: Cli) -> None:
    """Packages though newer ones are there, the project, variables, the same Python; a kernel of its own."""
    first, made = source.data_of("show", "first"), source.data_of("clone", "first", "second", "--var", "DATA=/other")
    assert versions(made["prefix"]) == versions(first["prefix"])
    assert made["packages"] == first["packages"]
    assert (made["python"], made["python_path"]) == (first["python"], first["python_path"])
    assert made["variables"] == {"DATA": "/other", "MY_TOKEN": "hidden"}
    assert made["preflight"]["kind"] == "kernel"
    assert made["display_name"] == f"second (Python {MINOR})"
    assert {each["name"] for each in made["kernels"]}.isdisjoint(each["name"] for each in first["kernels"])
    assert compiled(made["prefix"], first["prefix"]) > 100
    assert made["operation"] == source.data_of("operations")[0]["id"]


def test_with_another_python_what_was_asked_for_is_looked_for(source: Cli) -> None:
    there = [each["version"] for each in source.data_of("pythons")]
    home = os.environ.get("HPCENV_TEST_PYENV", "")
    other = next(iter(sorted(Path(home).glob("versions/3.12.*/bin/python3"))), None) if home else None
    require("a Python of another minor version", other is not None)
    assert there
    made = source.data_of("clone", "first", "other", "--python", str(other), "--no-kernel")
    assert made["python"].startswith("3.12.")
    assert versions(made["prefix"])["six"][0] == "1.16.0"
    assert "what was asked for is looked for anew" in log_of(source, "other")
    assert "The exact versions" not in log_of(source, "first")


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"packages": ["six"]}, "“packages” can not be asked for"),
        ({"file": "{}"}, "“file” can not be asked for"),
        ({"modules": ["gcc"]}, "“modules” can not be asked for"),
        ({"clone_of": "nothing"}, "no environment 'nothing'"),
        ({"name": "first"}, "You have an environment first"),
    ],
)
def test_what_a_clone_can_not_be_asked_for(source: Cli, monkeypatch: Any, request_: dict[str, Any], says: str) -> None:
    from jupyter_hpcenv.admission import Admission
    from jupyter_hpcenv.errors import HpcenvError
    from jupyter_hpcenv.models import CreateRequest

    monkeypatch.setenv("HOME", str(source.home))
    with pytest.raises(HpcenvError, match=says) as caught:
        Admission().submit("create", CreateRequest(**{"name": "x", "clone_of": "first", **request_}))
    assert caught.value.hints


def test_the_same_key_is_the_same_clone(source: Cli, monkeypatch: Any) -> None:
    """The ticket keeps what was asked for, not what it became: else a second try would seem to be another request."""
    from jupyter_hpcenv.admission import Admission
    from jupyter_hpcenv.models import FINISHED, CreateRequest

    monkeypatch.setenv("HOME", str(source.home))
    monkeypatch.setenv("UV_CACHE_DIR", source.env["UV_CACHE_DIR"])
    desk = Admission()
    request = CreateRequest(name="keyed", clone_of="first", kernel=False)
    operation = desk.submit("create", request, "one-key")
    assert desk.submit("create", request, "one-key").id == operation.id
    assert operation.request["clone_of"] == "first"
    while desk.operations.get(operation.id).state not in FINISHED:
        time.sleep(0.05)
    assert desk.operations.get(operation.id).state == "succeeded"


def test_a_clone_of_a_colleagues_takes_no_variables(source: Cli) -> None:
    """What she made is read, its packages are taken; variables, and what she builds with, stay hers."""
    require("root, who can give files away,", os.geteuid() == 0)
    hers = Path(source.data_of("clone", "first", "hers", "--no-kernel")["prefix"])
    record = hers / ".hpcenv" / "environment.json"
    plain = json.loads(record.read_text())
    record.write_text(json.dumps({**plain, "id": "f" * 32, "build_variables": {"MPICC": "/home/her/mpicc"}}))
    give(hers)
    row = next(each for each in source.data_of("list") if each["prefix"] == str(hers))
    assert row["origin"] == "shared"
    made = source.data_of("clone", row["id"], "mine", "--no-kernel")
    assert (made["variables"], made["build_variables"], made["origin"]) == ({}, {}, "own")
    assert versions(made["prefix"]).items() >= {"six": ("1.16.0", "index")}.items()
    assert "are not taken over" in log_of(source, "mine")
    assert compiled(made["prefix"], str(hers)) == 0  # code of hers would run as it is, whatever its source says


def test_a_hostile_record_of_a_colleague_gives_no_option(source: Cli) -> None:
    """Requests in it are parsed, and what can not be parsed is not taken."""
    require("root, who can give files away,", os.geteuid() == 0)
    hers = Path(source.data_of("clone", "first", "evil", "--no-kernel")["prefix"])
    record = hers / ".hpcenv" / "environment.json"
    plain = json.loads(record.read_text())
    asked = [
        "six==1.16.0",
        "--index-url=http://127.0.0.1:9",
        "x @ https://u:pw@example.org/x",
        "-r /etc/passwd",
        "toml",
    ]
    record.write_text(json.dumps({**plain, "id": "e" * 32, "packages": asked}))
    give(hers)
    row = next(each for each in source.data_of("list") if each["prefix"] == str(hers))
    made = source.data_of("clone", row["id"], "harmless", "--no-kernel")
    assert made["packages"][0] == "six==1.16.0"
    assert not [text for text in made["packages"] if text.startswith("--") or "://" in text or "passwd" in text]
    assert "toml" not in made["packages"]  # it is not in the environment, whatever the record says
    assert "toml" not in versions(made["prefix"])


def test_a_clone_of_another_tools_virtual_environment(source: Cli) -> None:
    """Nobody wrote down what was asked for: all that is there counts as that."""
    prefix = source.home / ".virtualenvs" / "foreign"
    uv = ["uv", "pip", "install", "--quiet", "--python", str(prefix / "bin/python")]
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, str(prefix)], env=source.env, check=True)
    subprocess.run([*uv, "six==1.16.0", "idna==3.10"], env=source.env, check=True)
    made = source.data_of("clone", "foreign", "taken", "--no-kernel")
    assert versions(made["prefix"]) == {"six": ("1.16.0", "index"), "idna": ("3.10", "index")}
    assert made["packages"] == ["idna==3.10", "six==1.16.0"]
    assert made["origin"] == "own"


# -- conda ------------------------------------------------------------------


@pytest.fixture
def forge(home: Path, channel: Path, conda_cache: Path, uv_cache: Path) -> Cli:  # noqa: F811
    (home / ".condarc").write_text(f"channels:\n  - file://{channel}\npkgs_dirs:\n  - {conda_cache}\n")
    return Cli(home, uv_cache)


def test_a_clone_of_a_conda_environment_is_linked_from_the_cache(forge: Cli) -> None:
    """The very builds though the channels have newer ones; not a byte is copied; what was asked for holds on."""
    first = forge.data_of("create", "first", "hpc-tiny=1.0", "--manager", "conda", "--python", MINOR)
    forge.data_of("install", "first", "pip: iniconfig==2.0.0")
    first = forge.data_of("show", "first")
    made = forge.data_of("clone", "first", "second")
    steps = {step["name"]: step["state"] for step in forge.data_of("operations")[0]["steps"]}
    assert steps == dict.fromkeys(("solve", "download", "link", "pip", "prove", "publish"), "done")
    assert "iniconfig" in versions(made["prefix"])
    assert builds(made["prefix"]) == builds(first["prefix"])
    assert sorted(made["packages"]) == sorted(first["packages"])
    assert made["preflight"]["kind"] == "kernel"
    library = next(Path(first["prefix"]).glob("lib/python3.*/os.py")).relative_to(first["prefix"])
    assert (Path(made["prefix"]) / library).stat().st_ino == (Path(first["prefix"]) / library).stat().st_ino
    assert "hpc-tiny stays at 1.0" in " ".join(forge.data_of("update", "second", "hpc-tiny")["plan"]["notes"])
    error = forge.error_of("clone", "first", "third", "--python", "3.9")
    assert error["code"] in ("package_not_found", "requirements_conflict")
    assert "looked for anew" in log_of(forge, "third")


def test_a_clone_of_another_tools_conda_environment(forge: Cli) -> None:
    made = forge.data_of("create", "first", "hpc-tiny=1.0", "--manager", "conda", "--no-kernel")
    folder = forge.home / ".conda" / "envs"
    folder.mkdir(parents=True, exist_ok=True)
    (Path(made["prefix"]) / ".hpcenv" / "environment.json").unlink()
    Path(made["prefix"]).rename(folder / "foreign")
    again = forge.data_of("clone", "foreign", "taken", "--no-kernel")
    assert builds(again["prefix"]) == {("hpc-tiny", "1.0", "0")}
