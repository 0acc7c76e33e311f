"""What the tests of this folder share: the package, installed for everybody once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..crowd.test_users import reachable
from ..installed import for_everybody


@pytest.fixture(scope="session")
def python() -> Iterator[str]:
    """A Python that has jupyter_hpcenv and that every user can run."""
    with reachable("hpcenv-installed-") as folder:
        yield for_everybody(folder)
