"""The channels that all tests of conda share, served from disk and over loopback HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..conftest import require
from .channel import build
from .cpython import home as movable
from .serving import ChannelServer


@pytest.fixture(scope="session")
def channels() -> Path:
    """The folder of all channels: ``main``, ``other``, ``bioconda``. Nobody writes into it."""
    require("a CPython of this minor version that can be moved (Debian's own can not)", movable() is not None)
    return build()


@pytest.fixture(scope="session")
def channel(channels: Path) -> Path:
    """The channel that holds everything."""
    return channels / "main"


@pytest.fixture(scope="session")
def other_channel(channels: Path) -> Path:
    """A channel with a higher version of hpc-tiny than the main one has."""
    return channels / "other"


@pytest.fixture(scope="session")
def bioconda_channel(channels: Path) -> Path:
    """A channel that needs the main one beside it, and has a lower version of hpc-tiny."""
    return channels / "bioconda"


@pytest.fixture(scope="session")
def _server(channels: Path) -> Iterator[ChannelServer]:
    with ChannelServer({each.name: each for each in channels.iterdir()}) as server:
        yield server


@pytest.fixture
def channel_server(_server: ChannelServer) -> Iterator[ChannelServer]:
    """The channels over HTTP, well behaved until the test says otherwise; what was asked before is forgotten."""
    _server.behave()
    yield _server
    _server.behave()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package cache that fills as tests install; a test that needs a cold one makes its own."""
    return tmp_path_factory.mktemp("conda-cache")
