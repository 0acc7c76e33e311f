from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from ...conftest import require
from .oracle import Oracle


@pytest.fixture(scope="session")
def rattler() -> Iterator[Oracle]:
    """Rattler in a process of its own."""
    require("py-rattler", importlib.util.find_spec("rattler") is not None)
    oracle = Oracle()
    yield oracle
    oracle.close()
