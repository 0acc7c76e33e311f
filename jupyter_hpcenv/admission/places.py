"""Say how much room there is and how much environments take; refuse beforehand what can not fit."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ..catalog import Catalog
from ..catalog.sizes import Sizes
from ..errors import DoesNotFit, HpcenvError
from ..models import Environment, Location, Size
from ..site import Site
from ..site.locations import all_locations, describe, facts_at
from ..site.quotas import room, with_quotas


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What something will take; None: not known."""

    bytes: int | None = None
    files: int | None = None


def least(site: Site) -> Need:
    """Return what must be free for an environment of which nothing is known."""
    return Need(bytes=site.least_bytes, files=site.least_files)


def need_of(size: Size, site: Site) -> Need:
    """Return what building an environment of a known size takes; links to caches may not be had again."""
    smallest = least(site)
    if size.bytes is None or size.files is None:
        return smallest
    return Need(bytes=size.bytes + size.shared_bytes, files=size.files + size.shared_files)


def check_fits(site: Site, location: str, prefix: Path, need: Need, what: str) -> None:
    """Raise `DoesNotFit` with the figures and the locations that have room; what is not known stops nobody."""
    if location in site.locations:
        (here,) = with_quotas(site, [describe(site, location)])
        here.root = here.root or str(prefix.parent)
    else:
        here = facts_at(location, prefix.parent)
    short = _short(here, need)
    if not short:
        return
    others = [place for place in all_locations(site) if place.name != location and place.state == "ready"]
    fitting = [place for place in with_quotas(site, others) if not _short(place, need)]
    named = ", ".join(f"{place.name} ({_left(place)})" for place in fitting)
    raise DoesNotFit(
        f"{what} does not fit into {here.root}: {short}.",
        hints=[
            *([f"These locations have room: {named}."] if fitting else []),
            "Empty the trash, or delete what you no longer need: “jupyter hpcenv sizes” shows the largest first.",
        ],
    )


def _short(place: Location, need: Need) -> str:
    """Return what is missing, with the figures; empty if it fits, or that can not be told."""
    free_bytes, free_files = room(place)
    if need.bytes is not None and free_bytes is not None and free_bytes < need.bytes:
        return f"it needs {_amount(need.bytes)}, and {_amount(free_bytes)} are left{_by(place, 'bytes')}"
    if need.files is not None and free_files is not None and free_files < need.files:
        return f"it needs {need.files:,} files, and {free_files:,} are left{_by(place, 'files')}"
    return ""


def _by(place: Location, what: str) -> str:
    limit, used, free = (getattr(place, f"{word}_{what}") for word in ("quota", "used", "free"))
    by_quota = limit is not None and used is not None and (free is None or limit - used < free)
    return " of the quota" if by_quota else ""


def _left(place: Location) -> str:
    free_bytes, _ = room(place)
    return "its room is not known" if free_bytes is None else f"{_amount(free_bytes)} left"


def _amount(count: int) -> str:
    value, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:,.0f} {units[0]}" if units[0] == "bytes" else f"{value:,.1f} {units[0]}"


class Sizing:
    """The sizes of environments for who asks: at once as far as they are known, measured behind everybody's back."""

    def __init__(self, catalog: Catalog) -> None:
        self._sizes = Sizes(catalog.site)
        self._guard = threading.Lock()
        self._waiting: dict[str, Environment] = {}
        self._failed: dict[str, str] = {}
        self._thread: threading.Thread | None = None

    def of(self, rows: Sequence[Environment], *, wait: bool) -> list[Size]:
        """Return the sizes of *rows*; with *wait* each is measured where that is needed, else begun in a thread."""
        found = [self._sizes.known(row) for row in rows]
        stale = {row.id: row for row, size in zip(rows, found, strict=True) if size.outdated and _can_be(row)}
        if not stale:
            return found
        if wait:
            return [self._measured(stale[size.environment]) if size.environment in stale else size for size in found]
        self._begin(stale)
        return [
            msgspec.structs.replace(size, measuring=True, message=self._failed.get(size.environment, size.message))
            if size.environment in stale
            else size
            for size in found
        ]

    def known(self, row: Environment) -> Size:
        """Return the size of *row* as far as it is known; nothing is measured."""
        return self._sizes.known(row)

    def forget(self, known: set[str]) -> None:
        """Remove what is kept of environments that are gone for good: their ids are not among *known*."""
        self._sizes.forget(known)

    def _measured(self, row: Environment) -> Size:
        try:
            return self._sizes.measure(row)
        except HpcenvError as error:
            return msgspec.structs.replace(self._sizes.known(row), message=error.message)

    def _begin(self, rows: dict[str, Environment]) -> None:
        with self._guard:
            self._waiting.update(rows)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="hpcenv-sizes", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            with self._guard:
                if not self._waiting:
                    self._thread = None
                    return
                identifier, row = self._waiting.popitem()
            size = None
            with contextlib.suppress(OSError):  # what can not be kept now is measured again for who asks next
                size = self._measured(row)
            with self._guard:
                self._failed.pop(identifier, None)
                if size is not None and size.outdated and size.message:
                    self._failed[identifier] = size.message


def _can_be(row: Environment) -> bool:
    return row.state not in ("missing", "slow")
