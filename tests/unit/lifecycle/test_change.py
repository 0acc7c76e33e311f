"""What is proven again, and what is not."""

from __future__ import annotations

import pytest

from jupyter_hpcenv.lifecycle.change import matters, patched
from jupyter_hpcenv.models import EnvironmentPatch, EnvironmentState, Platform, Record

RECORD = Record(
    id="0" * 32,
    name="climate",
    location="home",
    prefix="/p",
    manager="venv",
    creator="uv",
    installer="uv",
    python="3.12.1",
    python_path="/usr/bin/python3",
    variables={"A": "1"},
    display_name="Climate",
    platform=Platform(cluster="c", os="o", arch="a"),
    owner="me",
    created="",
    changed="",
    operation="",
)


@pytest.mark.parametrize(
    ("patch", "state", "proven"),
    [
        (EnvironmentPatch(display_name="Weather"), "ready", True),
        (EnvironmentPatch(display_name="Weather"), "python_gone", False),
        (EnvironmentPatch(display_name="Weather"), "module_missing", False),
        (EnvironmentPatch(display_name="Climate"), "ready", False),
        (EnvironmentPatch(variables={"A": "2"}), "ready", True),
        (EnvironmentPatch(variables={"A": "2"}), "python_gone", True),
        (EnvironmentPatch(variables={"A": "1"}), "ready", False),
        (EnvironmentPatch(display_name="Weather", variables={"A": None}), "module_missing", True),
    ],
)
def test_what_could_keep_a_kernel_from_starting_or_names_it_is_proven(
    patch: EnvironmentPatch, state: EnvironmentState, proven: bool
) -> None:
    assert matters(RECORD, patched(RECORD, patch), state) is proven
