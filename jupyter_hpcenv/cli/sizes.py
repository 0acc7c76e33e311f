"""The verb about room: sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .output import moment, size, table
from .session import Session, with_session

if TYPE_CHECKING:
    from ..models import Location, Size


@click.command()
@click.argument("references", nargs=-1, metavar="[ENVIRONMENT]...")
@with_session
def sizes(session: Session, references: tuple[str, ...]) -> None:
    """Show how large environments are, and what is left where they lie.

    What has not changed since it was measured is not measured again. SHARED is what caches of packages or other
    environments hold as well: deleting the environment does not free it. ENVIRONMENT is its id, NAME or LOCATION/NAME;
    without any, all of yours.
    """
    admission = session.admission
    found = admission.sizes(references, wait=True)
    found.sort(key=lambda each: -(each.bytes or 0))
    places = admission.locations()
    if not found:
        session.output.say("There are no environments of yours.")
    lines = table(("NAME", "LOCATION", "SIZE", "FILES", "SHARED", "MEASURED"), [(_cells(each)) for each in found])
    below = ["", *table(("LOCATION", "FREE", "QUOTA", "FILES", "KEPT"), [_place(place) for place in places])]
    session.output.result(
        {"environments": found, "locations": places}, [*(lines if found else []), *(below if found else below[1:])]
    )


def _cells(each: Size) -> tuple[str, ...]:
    if each.bytes is None:
        return (each.name, each.location, "not known", "", "", each.message)
    when = moment(each.measured) + (", changed since" if each.outdated else "")
    return (each.name, each.location, size(each.bytes), f"{each.files:,}", size(each.shared_bytes), when)


def _place(place: Location) -> tuple[str, ...]:
    free = "" if place.free_bytes is None else size(place.free_bytes)
    return (place.name, free, quota(place), files(place), kept(place))


def quota(place: Location) -> str:
    """Return what is used of a location's quota, or why that is not known."""
    if place.used_bytes is not None and place.quota_bytes is not None:
        return f"{size(place.used_bytes)} of {size(place.quota_bytes)}"
    return place.quota_message or "none known"


def files(place: Location) -> str:
    """Return what is used of the files that may be."""
    if place.used_files is not None and place.quota_files is not None:
        return f"{place.used_files:,} of {place.quota_files:,}"
    return "" if place.free_files is None else f"{place.free_files:,} free"


def kept(place: Location) -> str:
    """Return how long files are kept at a location, as far as the site says so."""
    by = f" by {place.purge_by}" if place.purge_by else ""
    purged = (
        f"purged after {place.purge_days} day{'' if place.purge_days == 1 else 's'}{by}" if place.purge_days else ""
    )
    backup = {True: "backed up", False: "not backed up", None: ""}[place.backed_up]
    return ", ".join(filter(None, [purged, backup]))


COMMANDS = (sizes,)
