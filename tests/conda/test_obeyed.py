"""What conda's configuration says of downloads and links arrives in what is done, or is said not to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_hpcenv.managers.conda.command_jobs import Job
from jupyter_hpcenv.managers.conda.command_run import environment, write_files
from jupyter_hpcenv.managers.conda.find_command import Program
from jupyter_hpcenv.managers.conda.manager import CondaManager
from jupyter_hpcenv.managers.conda.plan import Source
from jupyter_hpcenv.managers.contract import Surroundings
from jupyter_hpcenv.models import CreateRequest
from jupyter_hpcenv.site import Site

from ..cli.conftest import Cli
from .serving import ChannelServer, Cut, Hang

SAID = {
    "remote_connect_timeout_secs": "2.5",
    "remote_read_timeout_secs": "7.2",
    "remote_max_retries": "1",
    "always_copy": "true",
    "allow_softlinks": "true",
    "proxy_servers": "{http: 'http://a.invalid:1', 'https://one.example': 'http://b.invalid:1'}",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any configuration, in which environments may be made."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def decided(home: Path, channel: str, said: dict[str, str], **traits: Any) -> tuple[Source, list[str]]:
    """Return what the engine is given when a condarc says that, and what a person is told."""
    lines = [f"{name}: {value}" for name, value in {"channels": f"[{channel}]", **said}.items()]
    (home / ".condarc").write_text("\n".join(lines))
    manager = CondaManager(site=Site(), config=Config({"CondaManager": {"probe_channels": False, **traits}}))
    choice = manager.check(CreateRequest(name="new", manager="conda"), ["hpc-tiny"], Surroundings())
    return manager._source(choice, home / "new"), choice.warnings


def test_all_arrives_or_is_named(home: Path) -> None:
    source, warnings = decided(home, "file:///channel", SAID)
    assert (source.patience, source.retries, source.copy, source.proxies["http"]) == (8, 1, True, "http://a.invalid:1")
    where = f"{home}/.condarc sets what jupyter_hpcenv does not honour: "
    names = ("allow_softlinks", "remote_connect_timeout_secs", "proxy_servers[https://one.example]")
    assert warnings == [f"{where}{name}." for name in names]


def test_nothing_is_said_of_what_nobody_set(home: Path) -> None:
    source, warnings = decided(home, "file:///channel", {"allow_softlinks": "false", "remote_read_timeout_secs": "0.1"})
    assert (source.patience, source.retries, source.copy, warnings) == (1, 3, False, [])


@pytest.mark.parametrize("name", ["conda", "mamba"])
def test_programs_are_told_what_they_understand(home: Path, name: str, tmp_path: Path) -> None:
    (home / "bin").mkdir()
    program = home / "bin" / name
    program.write_text(f"#!/bin/sh\necho {name} 26.7.1\n")
    program.chmod(0o755)
    source, warnings = decided(home, "file:///channel", SAID, engine="command", command=str(program))
    assert [text.rpartition(": ")[2] for text in warnings] == ["allow_softlinks."]
    dialect = "conda" if name == "conda" else "libmamba"
    found = Program(path=str(program), name=name, version="26.7.1", dialect=dialect)  # type: ignore[arg-type]
    write_files(found, source, Job(verb="install"), tmp_path, "apply")
    settings: dict[str, Any] = {
        key.removeprefix("CONDA_").lower(): value
        for key, value in environment(found, source, Job(verb="install"), "apply", {}).items()
    }
    if name == "mamba":
        settings = json.loads((tmp_path / "mambarc").read_text())
    assert float(settings["remote_connect_timeout_secs"]) == 2.5
    assert int(settings["remote_max_retries"]) == 1
    assert str(settings["always_copy"]).lower() == "true"
    assert str(settings["allow_softlinks"]).lower() == "false"
    if name == "conda":
        assert settings["remote_read_timeout_secs"] == "8"


# -- what is done -----------------------------------------------------------


@pytest.fixture
def cli(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    return Cli(home, tmp_path_factory.mktemp("uv"))


def configure(cli: Cli, channel: str, **said: str) -> None:
    lines = [f"{name}: {value}" for name, value in {"channels": f"[{channel}]", **said}.items()]
    (cli.home / ".condarc").write_text("\n".join(lines))


def test_files_are_copied_where_that_is_said(cli: Cli, channel: Path) -> None:
    for name, said in (("linked", "false"), ("copied", "true")):
        configure(cli, f"file://{channel}", always_copy=said)
        made = cli.data_of("create", name, "hpc-tiny", "--manager", "conda", "--no-kernel")
        (file,) = Path(made["prefix"], "share", "hpc-tiny").glob("version")
        assert (file.stat().st_nlink == 1) is (said == "true")


@pytest.mark.parametrize("retries", [0, 2])
def test_downloads_are_tried_as_often_as_is_said(cli: Cli, channel_server: ChannelServer, retries: int) -> None:
    configure(cli, channel_server.url(), remote_max_retries=str(retries))
    channel_server.misbehave("*.conda", Cut(300))
    error = cli.error_of("create", "never", "hpc-tiny", "--manager", "conda", "--no-kernel")
    assert "ended the connection in the middle" in error["message"]
    assert len(channel_server.paths("*.conda")) == retries + 1


def test_who_falls_silent_is_given_up_after_as_long_as_is_said(cli: Cli, channel_server: ChannelServer) -> None:
    """The test would take a minute otherwise, and its time is up before that."""
    configure(cli, channel_server.url(), remote_read_timeout_secs="1", remote_max_retries="0")
    channel_server.misbehave("*.conda", Hang(300))
    error = cli.error_of("create", "never", "hpc-tiny", "--manager", "conda", "--no-kernel")
    assert "stopped sending" in error["message"]
