"""Real environments, built once and shared by the tests of this folder."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.models import FINISHED, Operation


@pytest.fixture
def admission() -> Admission:
    return Admission()


@pytest.fixture
def finished(admission: Admission) -> Callable[[Operation], Operation]:
    """Wait until an operation is finished; the test's own timeout bounds it."""

    def wait(operation: Operation) -> Operation:
        while (now := admission.operations.get(operation.id)).state not in FINISHED:
            time.sleep(0.1)
        return now

    return wait
