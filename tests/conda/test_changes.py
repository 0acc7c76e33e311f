"""Install, update and remove in a conda environment by the command line: in one transaction, proven, taken back."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.lifecycle.packages import BEFORE, NOTE
from jupyter_hpcenv.managers.conda.history import asked_for
from jupyter_hpcenv.managers.conda.history import read as read_history
from jupyter_hpcenv.managers.conda.installed import read

from ..cli.conftest import Cli
from .channel import fill, index, tiny

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(scope="session")
def breaking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel with a package after which no Python of the environment starts any more."""
    channel = tmp_path_factory.mktemp("breaking") / "channel"
    script = {f"lib/python{MINOR}/site-packages/hpc_breaks.pth": "import os; os._exit(3)\n"}
    fill(channel, [tiny("hpc-breaks", files=script)])
    index(channel)
    return channel


@pytest.fixture
def cli(home: Path, tmp_path_factory: pytest.TempPathFactory, channel: Path, breaking: Path, cache: Path) -> Cli:
    text = f"channels:\n  - file://{channel}\n  - file://{breaking}\npkgs_dirs:\n  - {cache}\n"
    (home / ".condarc").write_text(text)
    return Cli(home, tmp_path_factory.mktemp("uv"))


def versions(prefix: str | Path) -> dict[str, str]:
    return {each.name: each.version for each in read(Path(prefix))}


def names(plan: dict[str, Any]) -> tuple[list[str], list[str], list[str]]:
    coming = [f"{each['name']} {each['version']}" for each in plan["install"]]
    changing = [f"{each['name']} {each['old']['version']} {each['new']['version']}" for each in plan["change"]]
    return coming, changing, [each["name"] for each in plan["remove"]]


def state(prefix: Path) -> tuple[dict[str, str], dict[str, str]]:
    return versions(prefix), asked_for(read_history(prefix))


def nothing_left(prefix: Path) -> None:
    assert not [name for name in os.listdir(prefix / ".hpcenv") if name.startswith(("before", "change"))]


def test_install_update_remove_and_what_conda_reads_of_it(cli: Cli) -> None:
    made = cli.data_of("create", "a", "hpc-tiny=1.0", "--manager", "conda", "--no-kernel")
    prefix = Path(made["prefix"])
    planned = cli.data_of("install", "a", "hpc-exports", "--dry-run")
    assert versions(prefix) == {"hpc-tiny": "1.0"}
    done = cli.data_of("install", "a", "hpc-exports")["plan"]
    assert names(done) == names(planned) == (["hpc-exports 1.0"], [], [])
    assert asked_for(read_history(prefix)) == {"hpc-tiny": "hpc-tiny 1.0.*", "hpc-exports": "hpc-exports"}

    assert [note for note in cli.data_of("update", "a", "--all")["plan"]["notes"] if "hpc-tiny stays at 1.0" in note]
    held = cli.data_of("update", "a", "hpc-tiny")["plan"]
    assert names(held) == ([], [], [])
    assert "stays at 1.0" in held["notes"][0]
    assert names(cli.data_of("install", "a", "hpc-tiny>1.0,<2")["plan"]) == ([], ["hpc-tiny 1.0 1.1"], [])
    assert names(cli.data_of("remove", "a", "hpc-exports")["plan"]) == ([], [], ["hpc-exports"])
    shown = cli.data_of("show", "a")
    assert shown["packages"] == ["hpc-tiny >1.0,<2"]
    assert asked_for(read_history(prefix)) == {"hpc-tiny": "hpc-tiny >1.0,<2"}
    assert shown["state"] == "ready"
    nothing_left(prefix)


def test_what_can_not_be_is_refused_at_once(cli: Cli) -> None:
    cli.data_of("create", "a", "hpc-tiny=1.0", "--manager", "conda", "--no-kernel")
    assert cli.error_of("update", "a", "numpy")["code"] == "package_not_found"
    assert cli.error_of("remove", "a", "numpy")["code"] == "package_not_found"
    assert "nothing from a channel nonchan" in cli.error_of("install", "a", "nonchan::hpc-tiny")["message"]
    assert cli.error_of("install", "a", "numpy; rm")["code"] == "invalid_requirement"
    assert [each["verb"] for each in cli.data_of("operations")] == ["create"]


def test_the_kernel_is_proven_again_and_a_change_that_breaks_it_is_taken_back(cli: Cli) -> None:
    made = cli.data_of("create", "a", "hpc-tiny=1.0", "--manager", "conda", "--python", MINOR)
    prefix = Path(made["prefix"])
    cli.data_of("install", "a", "hpc-exports")
    shown, before = cli.data_of("show", "a"), state(prefix)
    assert shown["preflight"]["at"] > made["preflight"]["at"]
    assert cli.error_of("remove", "a", "ipykernel")["code"] == "requirements_conflict"
    error = cli.error_of("install", "a", "hpc-breaks", "hpc-tiny=2")
    assert error["code"] == "preflight_failed"
    assert state(prefix) == before
    assert cli.data_of("show", "a") == shown
    assert not list(prefix.glob("lib/*/site-packages/hpc_breaks.pth"))
    nothing_left(prefix)
    assert names(cli.data_of("install", "a", "hpc-tiny=2")["plan"])[1] == ["hpc-tiny 1.0 2.0"]


def test_kernels_of_other_languages_come_and_go_with_their_packages(cli: Cli) -> None:
    made = cli.data_of("create", "a", "--manager", "conda", "--python", MINOR)
    assert len(made["kernels"]) == 1
    cli.data_of("install", "a", "hpc-fake-r")
    published = [each["name"] for each in cli.data_of("kernels")]
    assert len(published) == 2
    cli.data_of("remove", "a", "hpc-fake-r")
    assert [each["name"] for each in cli.data_of("kernels")] == [made["kernels"][0]["name"]]


@pytest.mark.parametrize(
    "moment", [NOTE, BEFORE, Path("conda-meta/.hpcenv-change"), Path("conda-meta/hpc-tiny-2.0-0.json")]
)
def test_a_change_that_is_killed_is_taken_back_unasked(moment: Path, cli: Cli) -> None:
    """SIGKILL of the worker and of the engine below it, before, while and after files are linked."""
    made = cli.data_of("create", "a", "hpc-tiny=1.0", "--manager", "conda", "--python", MINOR)
    prefix = Path(made["prefix"])
    before = state(prefix)
    program = cli.start("install", "a", "hpc-tiny=2", "hpc-exports", "numpy")
    end = time.monotonic() + 60
    while not (prefix / moment).exists():
        assert time.monotonic() < end
        assert program.poll() is None, program.communicate()
        time.sleep(0.001)
    operation = next(each for each in cli.data_of("operations") if each["verb"] == "change")
    status = cli.home / ".local/share/jupyter/hpcenv/operations" / operation["id"] / "status.json"
    pid = json.loads(status.read_text())["process"]["pid"]
    os.killpg(pid, signal.SIGKILL)
    program.communicate(timeout=60)
    deadline = time.monotonic() + 60
    while any(each["state"] in ("pending", "running") for each in cli.data_of("operations")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    verbs = {each["verb"]: each["state"] for each in cli.data_of("operations")}
    assert verbs == {"repair": "succeeded", "change": "interrupted", "create": "succeeded"}
    assert state(prefix) == before
    nothing_left(prefix)
    assert names(cli.data_of("install", "a", "hpc-tiny=2")["plan"])[1] == ["hpc-tiny 1.0 2.0"]


def test_packages_by_pip_come_change_go_and_are_taken_back(cli: Cli) -> None:
    """They are asked for as environment.yml has them, kept apart, and conda's own packages stay as they are."""
    made = cli.data_of("create", "a", "hpc-tiny=1.0", "pip", "--manager", "conda", "--python", MINOR)
    prefix = Path(made["prefix"])
    steered = {"PIP_REQUIRE_VIRTUALENV": "1", "PIP_USER": "1"}
    assert cli.data_of("install", "a", "pip: iniconfig==2.0.0", "--dry-run")["pip"] == ["iniconfig==2.0.0"]
    cli.data_of("install", "a", "pip: iniconfig==2.0.0", "hpc-exports", **steered)
    listed = {each["name"]: each for each in cli.data_of("packages", "a")}
    assert (listed["iniconfig"]["version"], listed["iniconfig"]["source"]) == ("2.0.0", "index")
    assert listed["hpc-exports"]["source"].startswith("conda ")
    packages = cli.data_of("show", "a")["packages"]
    assert packages == [f"python {MINOR}.*", "hpc-tiny 1.0.*", "pip", "hpc-exports", "pip: iniconfig==2.0.0"]

    before = state(prefix)
    error = cli.error_of("install", "a", "pip: iniconfig==2.1.0", "hpc-breaks")
    assert error["code"] == "build_failed"  # pip, which comes after conda's packages, can not start any more
    assert state(prefix) == before
    assert not list(prefix.glob("lib/*/site-packages/hpc_breaks.pth"))
    listed = {each["name"]: each["version"] for each in cli.data_of("packages", "a")}
    assert listed["iniconfig"] == "2.0.0"
    nothing_left(prefix)

    assert "pip: iniconfig" in cli.error_of("remove", "a", "iniconfig")["hints"][0]
    assert names(cli.data_of("update", "a", "pip: iniconfig")["plan"]) == ([], [], [])  # as it was asked for
    assert names(cli.data_of("install", "a", "pip: iniconfig>2")["plan"])[1][0].startswith("iniconfig 2.0.0 ")
    cli.data_of("remove", "a", "pip: iniconfig")
    assert "iniconfig" not in {each["name"] for each in cli.data_of("packages", "a")}
    assert cli.data_of("show", "a")["packages"] == packages[:-1]


def test_what_packages_replaced_comes_back(cli: Cli, channel: Path) -> None:
    """Files of the user's, and of pip's, that lie where a package has its own."""
    made = cli.data_of("create", "a", "--manager", "conda", "--python", MINOR)
    prefix = Path(made["prefix"])
    (prefix / "share/hpc-tiny").mkdir(parents=True)
    (prefix / "share/hpc-tiny/version").write_text("mine")
    (prefix / "results.csv").write_text("1,2,3")
    error = cli.error_of("install", "a", "hpc-breaks", "hpc-tiny=2")
    assert error["code"] == "preflight_failed"
    assert error["message"].endswith("Everything is as it was before.")
    assert (prefix / "share/hpc-tiny/version").read_text() == "mine"
    assert (prefix / "results.csv").read_text() == "1,2,3"
    assert not (prefix / "share/hpc-tiny/same").exists()
    nothing_left(prefix)


def test_python_comes_into_an_environment_that_had_none(cli: Cli) -> None:
    cli.data_of("create", "a", "hpc-tiny", "--manager", "conda", "--no-kernel")
    cli.data_of("install", "a", f"python={MINOR}")
    shown = cli.data_of("show", "a")
    assert (shown["state"], shown["python"][: len(MINOR)]) == ("ready", MINOR)
    assert shown["python_path"] == f"{shown['prefix']}/bin/python"


def test_channels_are_those_that_it_was_made_with(cli: Cli, channel: Path, other_channel: Path) -> None:
    """What is configured later has packages that the record, and who makes it again, would not know of."""
    cli.data_of("create", "a", "hpc-linked", "--manager", "conda", "--no-kernel")
    (cli.home / ".condarc").write_text(f"channels:\n  - file://{other_channel}\n  - file://{channel}\n")
    assert names(cli.data_of("install", "a", "hpc-tiny")["plan"])[0] == ["hpc-tiny 2.0"]
