"""The figures are described where people read of them; no time is taken here."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / "benchmarks" / "figures"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The package, which is no part of what is installed."""
    monkeypatch.syspath_prepend(str(CHECKOUT))
    before = set(sys.modules)
    yield importlib.import_module("benchmarks.figures")
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "benchmarks":
            del sys.modules[name]


def test_every_module_is_taken(benchmarks: ModuleType) -> None:
    assert sorted(figure.__name__.rpartition(".")[2] for figure in benchmarks.FIGURES) == NAMES
    names = [figure.NAME for figure in benchmarks.FIGURES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("module", NAMES)
def test_a_figure_says_what_it_is_and_is_documented(benchmarks: ModuleType, module: str) -> None:
    figure = importlib.import_module(f"benchmarks.figures.{module}")
    assert figure.__doc__
    assert figure.NAME
    assert figure.GOAL
    assert len(figure.REFERENCE) > 10
    assert callable(figure.measure)
    text = (CHECKOUT / "docs" / "explanation" / "performance.md").read_text(encoding="utf-8")
    assert f"`{figure.NAME}`" in text
    assert figure.GOAL in text


def test_a_goal_that_is_missed_is_shown_as_missed(benchmarks: ModuleType) -> None:
    from benchmarks.measure import Row
    from benchmarks.report import table

    rows = [
        Row(figure="a", what="fast", ours=0.5, reference=1.0, goal="≤ 1 ×", met=True, notes=["why"]),
        Row(figure="b", what="slow", ours=0.002, reference=0.001, unit="ms", goal="≤ 1 ×", met=False),
        Row(figure="c", what="counted", ours=3, unit=""),
    ]
    lines = table(rows).splitlines()
    assert lines[1].split() == ["fast", "0.50", "s", "1.00", "s", "0.50", "≤", "1", "×", "yes"]
    assert lines[2] == "    why"
    assert lines[3].split() == ["slow", "2.0", "ms", "1.0", "ms", "2.00", "≤", "1", "×", "NO"]
    assert lines[4].split() == ["counted", "3.00", "—", "—", "—", "—"]
