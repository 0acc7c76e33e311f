"""The figures, one a file, in the order in which they are taken.

Each module has a NAME for the command line, says what its GOAL and its REFERENCE are, and measures.
"""

from __future__ import annotations

from typing import Protocol

from ..measure import Row
from ..world import World
from . import (
    apply,
    cache,
    clone,
    conda,
    create,
    help_text,
    kernel_job,
    kernel_start,
    lag,
    launch,
    listing,
    looks,
    many,
    server_start,
)


class Figure(Protocol):
    """What a module of this folder holds."""

    NAME: str
    GOAL: str
    REFERENCE: str

    def measure(self, world: World) -> list[Row]:
        """Take the figure."""


#: The modules, as the protocol says.
FIGURES: tuple[Figure, ...] = (
    create,
    conda,
    clone,
    looks,
    kernel_start,
    kernel_job,
    launch,
    cache,
    listing,
    many,
    lag,
    server_start,
    help_text,
    apply,
)  # type: ignore[assignment]
