"""Bring back the packages that a conda environment held before a change: conda's by their addresses, then pip's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...models import BY_PIP, Changes, Earlier, Reporter
from .. import undoing
from ..contract import Package
from . import changing, installed, pip_part
from .engines import Engine
from .plan import Plan, Source, compare, planned


def way(earlier: Earlier, by_pip: Sequence[Package]) -> undoing.Way:
    """Return how to get pip's packages back."""
    condas = {name for name, source in earlier.sources.items() if source.startswith("conda ")}
    return undoing.way(earlier, undoing.there(by_pip), condas)


def changes(found: undoing.Way) -> Changes:
    """Return the same as a change tells it; what conda does is not among it."""
    told = found.changes
    return Changes(
        install=[f"{BY_PIP}{line}" for line in told.install], remove=[f"{BY_PIP}{name}" for name in told.remove]
    )


def differs(earlier: Earlier, prefix: Path) -> bool:
    """Tell whether conda's packages, or what was asked for, are others than they were."""
    there = {each.url for each in installed.read(prefix)}
    if {each.url for each in earlier.contents.pinned} != there:
        return True
    return sorted(earlier.contents.asked) != sorted(changing.requested(prefix))


def plan(engine: Engine, source: Source, earlier: Earlier, by_pip: Sequence[Package], prefix: Path) -> dict[str, Any]:
    """Return what `undo` would do; an index is not asked, so what has to be fetched has no size."""
    exact = engine.plan_pinned(source, earlier.contents.pinned)
    found = compare(installed.read(prefix), {each.name: each for each in exact.install})
    told = changing.told(found, [], [])
    if any(not each.cached for each in (*found.install, *(each.new for each in found.change))):
        told["download_bytes"] = None
    of_pip = undoing.plan(way(earlier, by_pip), undoing.there(by_pip))
    for what in ("install", "change", "remove", "notes"):
        told[what] = [*told[what], *of_pip[what]]
    return told


def undo(
    engine: Engine,
    source: Source,
    earlier: Earlier,
    by_pip: Callable[[], Sequence[Package]],
    prefix: Path,
    env: Mapping[str, str],
    report: Reporter,
) -> dict[str, Any]:
    """Link exactly what was there, then let pip do its part; return what conda's part did."""
    before, done = installed.read(prefix), Plan()
    if differs(earlier, prefix):
        after = engine.install_pinned(source, earlier.contents.pinned, prefix, report, earlier.contents.asked)
        done = compare(before, {each.name: planned(each) for each in after})
    back = way(earlier, by_pip())  # conda's part may have taken some of pip's away
    for sentence in back.lost:
        report.line("warning", sentence)
    if gone := [*back.again, *back.remove]:
        pip_part.remove(gone, prefix, env, report)
    if lines := list(back.install.values()):
        pip_part.install(lines, prefix, env, report, alone=True)
    return changing.told(done, [], [])
