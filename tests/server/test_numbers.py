"""The figures on the metrics page: what they count, and that no word of a user's is among them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from prometheus_client import REGISTRY, generate_latest

from jupyter_hpcenv.models import Environment, Operation, Step, Target
from jupyter_hpcenv.server import numbers

from .conftest import ID, OPERATION


def operation(verb: str, state: Any, finished: str = "2026-11-22T10:00:30.000Z") -> Operation:
    return Operation(
        id=OPERATION,
        verb=verb,
        state=state,
        cancelling=False,
        environment=Target(id=ID, name="secret-project", location="home", prefix="/p"),
        request={},
        submitted="2026-11-22T10:00:00.000Z",
        started="",
        finished=finished,
        user="a",
        host="h",
        step=1,
        steps=[Step(name="x", title="x")],
        progress=None,
        error=None,
        result=None,
        log_size=0,
    )


def figure(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_operations_are_counted_by_verb_and_result() -> None:
    before = figure("hpcenv_operations_total", verb="create", result="failed")
    seconds = figure("hpcenv_operation_seconds_sum", verb="create")
    numbers.count_operation(operation("create", "failed"))
    assert figure("hpcenv_operations_total", verb="create", result="failed") == before + 1
    assert figure("hpcenv_operation_seconds_sum", verb="create") == seconds, "how long a failure took says nothing"
    numbers.count_operation(operation("create", "succeeded"))
    assert figure("hpcenv_operation_seconds_sum", verb="create") == pytest.approx(seconds + 30)


def test_a_time_that_is_none_is_left_out() -> None:
    before = figure("hpcenv_operation_seconds_count", verb="share")
    numbers.count_operation(operation("share", "succeeded", finished="yesterday"))
    assert figure("hpcenv_operation_seconds_count", verb="share") == before


def test_no_word_of_a_user_is_on_the_page() -> None:
    numbers.count_operation(operation("my-secret-verb", "succeeded"))
    page = generate_latest(REGISTRY).decode()
    assert "secret" not in page
    assert figure("hpcenv_operations_total", verb="other", result="succeeded") >= 1


def test_environments_are_shown_by_state() -> None:
    rows = [
        Environment(
            id=ID,
            name=name,
            location="",
            prefix="/p",
            manager="venv",
            installer="",
            python="",
            state=state,
            origin=kind,
        )
        for name, state, kind in (("a", "ready", "own"), ("b", "missing", "own"), ("c", "ready", "shared"))
    ]
    numbers.show_environments(rows)
    assert figure("hpcenv_environments", state="ready") == 1
    assert figure("hpcenv_environments", state="missing") == 1
    numbers.show_environments([])
    assert figure("hpcenv_environments", state="missing") == 0, "what is gone is not shown for ever"


def test_nothing_is_made_before_there_is_something_to_count() -> None:
    seen = "import sys; import jupyter_hpcenv.server.watcher; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", seen], check=False).returncode == 0
