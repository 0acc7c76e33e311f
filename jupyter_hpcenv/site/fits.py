"""Tell whether something fits where it is to lie, by disk and quota, and where else it would."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from ..errors import DoesNotFit, HpcenvError
from ..models import Location
from . import Site
from .locations import all_locations, describe, facts_at, root_of
from .quotas import room, with_quotas


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What something will take; None: not known."""

    bytes: int | None = None
    files: int | None = None


EMPTY = "Empty the trash, or delete what you no longer need: “jupyter hpcenv sizes” shows the largest first."


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
    raise DoesNotFit(f"{what} does not fit into {here.root}: {short}.", hints=[*elsewhere(site, location, need), EMPTY])


def place_of(site: Site, prefix: Path) -> Location:
    """Return the location in which *prefix* lies, with its quota; else the folder above it."""
    for name in site.locations:
        with contextlib.suppress(HpcenvError):
            if prefix.is_relative_to(root_of(site, name)):
                return with_quotas(site, [describe(site, name)])[0]
    return facts_at("", prefix.parent)


def elsewhere(site: Site, location: str, need: Need) -> list[str]:
    """Return a sentence on the other locations that have room, or none."""
    others = [place for place in all_locations(site) if place.name != location and place.state == "ready"]
    fitting = [place for place in with_quotas(site, others) if not _short(place, need)]
    named = ", ".join(f"{place.name} ({_left(place)})" for place in fitting)
    return [f"These locations have room: {named}."] if named else []


def _short(place: Location, need: Need) -> str:
    """Return what is missing, with the figures; empty if it fits, or that can not be told."""
    free_bytes, free_files = room(place)
    if need.bytes is not None and free_bytes is not None and free_bytes < need.bytes:
        return f"it needs {amount(need.bytes)}, and {amount(free_bytes)} are left{_by(place, 'bytes')}"
    if need.files is not None and free_files is not None and free_files < need.files:
        return f"it needs {need.files:,} files, and {free_files:,} are left{_by(place, 'files')}"
    return ""


def _by(place: Location, what: str) -> str:
    limit, used, free = (getattr(place, f"{word}_{what}") for word in ("quota", "used", "free"))
    by_quota = limit is not None and used is not None and (free is None or limit - used < free)
    return " of the quota" if by_quota else ""


def _left(place: Location) -> str:
    free_bytes, _ = room(place)
    return "its room is not known" if free_bytes is None else f"{amount(free_bytes)} left"


def amount(count: int) -> str:
    """Return bytes as a person reads them."""
    value, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:,.0f} {units[0]}" if units[0] == "bytes" else f"{value:,.1f} {units[0]}"
