"""Names are found in the channels' index by a part of them, by the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ..cli.conftest import Cli

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def cli(home: Path, tmp_path_factory: pytest.TempPathFactory, channel: Path, other_channel: Path, cache: Path) -> Cli:
    text = f"channels:\n  - file://{channel}\n  - file://{other_channel}\npkgs_dirs:\n  - {cache}\n"
    (home / ".condarc").write_text(text)
    return Cli(home, tmp_path_factory.mktemp("uv"))


def test_names_are_found_by_a_part_of_them_in_each_channel(cli: Cli, channel: Path, other_channel: Path) -> None:
    hits = cli.data_of("search", "Tiny", "--manager", "conda")
    assert {hit["name"] for hit in hits} >= {"hpc-tiny"}
    both = {hit["source"]: hit for hit in hits if hit["name"] == "hpc-tiny"}
    assert set(both) == {f"channel file://{channel}", f"channel file://{other_channel}"}
    first = both[f"channel file://{channel}"]
    assert (first["version"], first["versions"] > 1, first["size"] > 0) == ("2.0", True, True)
    assert first["installed"] == ""
    (none,) = cli.data_of("search", "nothing-like-it", "--manager", "conda")
    assert (none["version"], none["note"]) == ("", "No name of a package there has that in it.")


def test_in_an_environment_it_is_said_what_is_there_and_its_channels_are_asked(cli: Cli, channel: Path) -> None:
    arguments = ("hpc-tiny=1.0", "--manager", "conda", "--no-kernel", "--channel", f"file://{channel}")
    cli.data_of("create", "a", *arguments)
    hits = cli.data_of("search", "hpc-tiny", "--environment", "a", "--limit", "1")
    assert [(hit["source"], hit["installed"]) for hit in hits] == [(f"channel file://{channel}", "1.0")]
    assert cli.error_of("search", "hpc-tiny", "--environment", "a", "--manager", "venv")["code"] == "invalid_request"


def test_a_channel_that_can_not_be_asked_is_said(cli: Cli) -> None:
    (cli.home / ".condarc").write_text("channels:\n  - http://127.0.0.1:9/none\n")
    (hit,) = cli.data_of("search", "tiny", "--manager", "conda")
    assert hit["version"] == ""
    assert "could not be asked" in hit["note"]
