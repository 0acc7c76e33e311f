"""What does not fit is refused once the packages are chosen: nothing is fetched, and the other locations are named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_hpcenv.managers.conda.installed import read

from ..cli.conftest import Cli
from ..conftest import require
from .serving import ChannelServer

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def small(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A filesystem with little room for bytes, or files."""
    place = tmp_path / "small"
    place.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", f"{request.param},mode=0755", "tmpfs", str(place)]
    require("mount", subprocess.run(argv, capture_output=True).returncode == 0)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def cli(home: Path, tmp_path_factory: pytest.TempPathFactory, channel_server: ChannelServer, tmp_path: Path) -> Cli:
    (home / ".condarc").write_text(f"channels:\n  - {channel_server.url()}\n")
    config = home / ".jupyter" / "jupyter_hpcenv_config.py"
    config.parent.mkdir(exist_ok=True)
    (tmp_path / "large").mkdir()
    places = {"small": str(tmp_path / "small"), "large": str(tmp_path / "large")}
    config.write_text(
        f"c.Site.locations = {places}\nc.Site.quota = 'none'\nc.Site.least_bytes = 0\nc.Site.least_files = 0\n"
    )
    return Cli(home, tmp_path_factory.mktemp("uv"))


def fetched(server: ChannelServer) -> list[str]:
    return [*server.paths("*.conda"), *server.paths("*.tar.bz2")]


@pytest.mark.parametrize(
    ("small", "said"),
    [("size=4m", "at least"), ("size=500m,nr_inodes=60", "files")],
    indirect=["small"],
    ids=["bytes", "files"],
)
def test_a_create(cli: Cli, small: Path, said: str, channel_server: ChannelServer, tmp_path: Path) -> None:
    arguments = ("hpc-tiny=1.0", "--manager", "conda", "--python", MINOR)
    error = cli.error_of("create", "a", *arguments, "--location", "small")
    assert error["code"] == "does_not_fit", error
    assert said in error["message"]
    assert str(small) in error["message"]
    assert any("have room: large (" in hint for hint in error["hints"])
    assert fetched(channel_server) == []
    assert not (small / "a").exists()


@pytest.mark.parametrize("small", ["size=4m"], indirect=True)
def test_a_change(cli: Cli, small: Path, channel_server: ChannelServer) -> None:
    prefix = cli.data_of("create", "a", "hpc-tiny=1.0", "--manager", "conda", "--no-kernel", "--location", "small")[
        "prefix"
    ]
    before = {each.url for each in read(Path(prefix))}
    asked = fetched(channel_server)
    error = cli.error_of("install", "a", f"python={MINOR}")
    assert error["code"] == "does_not_fit", error
    assert fetched(channel_server) == asked
    assert {each.url for each in read(Path(prefix))} == before
    assert cli.data_of("show", "a")["state"] == "ready"
