"""Find packages by a part of their name in the index of the channels; what the cache has is not fetched again."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from ...errors import HpcenvError
from ...files import make_private
from ...models import LineKind, Progress
from ..contract import Hit
from ..searching import check_word
from .credentials import shown
from .plan import Source
from .running import Found


class _Patient:
    """Report to nobody, and end what takes too long."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._seconds = seconds

    def step(self, name: str) -> None:
        """Do nothing."""

    def detail(self, text: str) -> None:
        """Do nothing."""

    def line(self, kind: LineKind, text: str) -> None:
        """Do nothing."""

    def progress(self, progress: Progress | None) -> None:
        """Do nothing."""

    def check(self) -> None:
        """Raise when the time is over."""
        if time.monotonic() > self._until:
            raise _LateError(f"The channels did not answer within {self._seconds:g} s.")


class _LateError(HpcenvError):
    """The time is over."""


def search(source: Source, query: str, limit: int, patience: float) -> list[Hit]:
    """Return what the channels have; one that could not be asked is a hit with a note, and no version."""
    word = check_word(query).lower()
    where = f"channel {', '.join(shown(url) for url in source.channels)}"
    try:
        make_private(Path(source.cache))
        from . import engine

        once = msgspec.structs.replace(source, retries=0)  # who is looking waits
        found = engine.search(once, word, limit, _Patient(patience))
    except HpcenvError as error:
        return [Hit(name=word, source=where, note=f"It could not be asked: {error.message}")]
    if not found:
        return [Hit(name=word, source=where, note="No name of a package there has that in it.")]
    return [_hit(each) for each in found][:limit]


def _hit(each: Found) -> Hit:
    return Hit(
        name=each.name,
        version=each.version,
        versions=each.versions,
        source=f"channel {shown(each.channel)}",
        size=each.size,
        note=f"{each.builds} builds; the newest is {each.build}." if each.builds > 1 else f"Its build is {each.build}.",
    )
