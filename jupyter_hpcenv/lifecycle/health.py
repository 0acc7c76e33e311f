"""Look whether an environment is as its installers left it. Nothing is started and nothing is changed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ..errors import WrongState
from ..managers import integrity
from ..managers.integrity import Problem
from ..models import Environment

#: How many problems of each kind are told one by one; the rest is counted.
TOLD = 200


class Health(msgspec.Struct, kw_only=True):
    """What was found of the files of an environment."""

    environment: str
    """Its id."""
    healthy: bool
    """Whether nothing is missing, changed or unreadable; what is strange may be somebody's wish."""
    hashed: bool
    """Whether all bytes were compared; else sizes."""
    files: int
    """How many were looked at."""
    counts: dict[str, int]
    """Of problems, by kind: missing, changed, unreadable, strange."""
    problems: list[Problem]
    """At most 200 of each kind."""


def of_files(row: Environment, *, hashes: bool) -> Health:
    """Compare the files of *row* with what was written down of them; raises `WrongState` where there are none."""
    if row.state in ("missing", "slow"):
        raise WrongState(
            f"{row.name} can not be looked at. {row.message}",
            hints=["Build it again: “jupyter hpcenv rebuild”."] if row.state == "missing" else ["Try again later."],
        )
    if row.manager == "modules":
        raise WrongState(
            f"{row.name} is made of modules alone, so it has no files of packages.",
            hints=["“jupyter hpcenv show” tells which of its modules have changed."],
        )
    found = integrity.verify(Path(row.prefix), hashes=hashes)
    counts: dict[str, int] = {}
    told = []
    for problem in found.problems:
        counts[problem.kind] = counts.get(problem.kind, 0) + 1
        if counts[problem.kind] <= TOLD:
            told.append(problem)
    return Health(
        environment=row.id,
        healthy=not set(counts) - {"strange"},
        hashed=hashes,
        files=found.files,
        counts=counts,
        problems=told,
    )
