"""The verb for staff: report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from .output import moment, size, table
from .session import Session, with_session

if TYPE_CHECKING:
    from ..catalog.everybody import Seen


@click.command()
@click.option("--location", "locations", metavar="NAME", multiple=True, help="Only this location; repeatable.")
@click.option(
    "--folder",
    "folders",
    metavar="PATTERN",
    multiple=True,
    help="A folder of environments besides, where * stands for anything in a name; repeatable.",
)
@click.option("--module", metavar="MODULE", default="", help="Only what needs this module: gcc, gcc/12 or gcc/12.3.0.")
@click.option("--measure", is_flag=True, help="Measure each environment; takes minutes on a busy filesystem.")
@with_session
def report(session: Session, locations: tuple[str, ...], folders: tuple[str, ...], module: str, measure: bool) -> None:
    """Show the environments of everybody, for staff: whose they are, how large, with which Python and modules.

    Run it as root, or as somebody else who may read them: folders of others are often closed, and how many could not be
    read is told. In a location's root what differs between users ({username}, {group}, $USER) stands for all of them.
    What another variable is for others is not known: name their folders with --folder. Before a module is retired,
    --module says who still needs it, be it asked for by name or brought along by another one.
    """
    from ..catalog.everybody import needed, walk, weigh_all

    site = session.admission.site
    found = walk(site, locations, folders)
    shown = found.environments
    if module:
        for each in shown:
            each.needs = needed(each, module)
        shown = [each for each in shown if each.needs]
    weigh_all(shown, site, measure=measure)
    for place in found.places:
        if place.message:
            session.output.warn(f"{place.name}: {place.message}")
    if not shown:
        session.output.say(_nothing(module, whole=found.whole))
    lines = [*_table(shown, module), "", *_totals(shown)] if shown else []
    closed = sum(place.closed for place in found.places)
    session.output.result({"environments": shown, "places": found.places, "closed": closed, "module": module}, lines)


def _nothing(module: str, *, whole: bool) -> str:
    """Say that nothing was found; where not all was looked at, that proves nothing of the rest."""
    if whole:
        return f"No environment needs {module}." if module else "There are no environments."
    return f"None of those that could be read needs {module}." if module else "None could be read."


def _table(shown: Iterable[Seen], module: str) -> list[str]:
    head = ("OWNER", "LOCATION", "NAME", "PYTHON", "SIZE", "CHANGED", "USED", "NEEDS" if module else "MODULES")
    return table(head, [_cells(each, module) for each in shown])


def _cells(each: Seen, module: str) -> tuple[str, ...]:
    last = ", ".join(_how(each, name) for name in each.needs) if module else " ".join(each.modules)
    if each.state != "ready":
        last = f"{each.state}: {each.message}"
    room = "" if each.bytes is None else size(each.bytes)
    return (each.owner, each.location, each.name, each.python, room, moment(each.changed), each.used, last)


def _how(each: Seen, name: str) -> str:
    return name if name in each.modules else f"{name} (comes along)"


def _totals(shown: Iterable[Seen]) -> list[str]:
    by_owner: dict[str, list[Seen]] = {}
    for each in shown:
        by_owner.setdefault(each.owner, []).append(each)
    rows = []
    for owner, theirs in by_owner.items():
        known = [each.bytes for each in theirs if each.bytes is not None]
        room = size(sum(known)) if len(known) == len(theirs) else "not known"
        rows.append((owner, str(len(theirs)), room))
    return table(("OWNER", "ENVIRONMENTS", "SIZE"), rows)


COMMANDS = (report,)
