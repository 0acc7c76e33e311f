"""A change of a conda environment is undone: the very archives come back, what pip installed, and the requests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jupyter_hpcenv.managers.conda.changing import requested
from jupyter_hpcenv.managers.conda.installed import read
from jupyter_hpcenv.managers.packages import list_packages

from ..cli.conftest import Cli

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def cli(home: Path, tmp_path_factory: pytest.TempPathFactory, channel: Path, cache: Path) -> Cli:
    (home / ".condarc").write_text(f"channels:\n  - file://{channel}\npkgs_dirs:\n  - {cache}\n")
    return Cli(home, tmp_path_factory.mktemp("uv"))


def state(prefix: str) -> tuple[set[str], dict[str, str], list[str]]:
    by_pip = {each.name: each.version for each in list_packages(Path(prefix), not_by="conda")}
    return {each.url for each in read(Path(prefix))}, by_pip, sorted(requested(Path(prefix)))


def test_the_very_archives_come_back_with_what_pip_installed(cli: Cli) -> None:
    arguments = ["hpc-tiny=1.0", "pip", "--python", MINOR, "--manager", "conda", "--no-kernel"]
    prefix = cli.data_of("create", "a", *arguments)["prefix"]
    cli.data_of("install", "a", "pip: iniconfig==2.0.0")
    before, asked = state(prefix), cli.data_of("show", "a")["packages"]
    cli.data_of("install", "a", "hpc-tiny=2.0", "hpc-linked", "pip: iniconfig==1.1.1")
    after = state(prefix)
    assert after[1]["iniconfig"] == "1.1.1"
    found = cli.data_of("undo", "a", "--dry-run")
    assert found["what"] == "change"
    assert sorted(each["name"] for each in found["plan"]["change"]) == ["hpc-tiny", "iniconfig"]
    assert state(prefix) == after
    done = cli.data_of("undo", "a")
    assert sorted(each["name"] for each in done["plan"]["change"]) == ["hpc-tiny", "iniconfig"]
    assert "hpc-linked" in [each["name"] for each in done["plan"]["remove"]]
    assert state(prefix) == before
    assert cli.data_of("show", "a")["packages"] == asked
    cli.data_of("undo", "a", "--yes")
    assert state(prefix) == after


def test_an_archive_that_is_gone_leaves_all_as_it_is(cli: Cli, cache: Path) -> None:
    prefix = cli.data_of("create", "a", "hpc-tiny=1.0", "--manager", "conda", "--no-kernel")["prefix"]
    cli.data_of("install", "a", "hpc-tiny=2.0")
    there = state(prefix)
    kept = next((cli.home / ".local/share").rglob("undo/*.json"))
    text = kept.read_text()
    kept.write_text(text.replace("hpc-tiny-1.0-", "hpc-tiny-0.9-"))
    error = cli.error_of("undo", "a")
    assert error["code"] in ("package_not_found", "build_failed", "invalid_request")
    assert state(prefix) == there
