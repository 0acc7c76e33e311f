"""The verb that says where a package can be had: search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .output import size, table
from .session import Session, with_session

if TYPE_CHECKING:
    from ..managers.contract import Hit


@click.command()
@click.argument("query", metavar="QUERY")
@click.option("--environment", metavar="ENVIRONMENT", default="", help="What this one could take, and has already.")
@click.option("--manager", metavar="MANAGER", default="", help="Only what venv, or conda, would find.")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="How many names at most.")
@with_session
def search(session: Session, query: str, environment: str, manager: str, limit: int) -> None:
    """Look where a package can be had.

    Conda's channels and folders of wheels are searched for names that have QUERY in them. Package indexes can only be
    asked for a whole name. Modules that bring it are named, too, and who could not be asked.
    """
    found = session.admission.search(query, environment, manager, limit)
    hits, others = [hit for hit in found if hit.version], [hit for hit in found if not hit.version]
    if not hits:
        session.output.say(f"Nobody who was asked has {query}.")
    lines = table(("PACKAGE", "NEWEST", "VERSIONS", "SIZE", "INSTALLED", "FROM", ""), map(_cells, hits)) if hits else []
    session.output.result(found, [*lines, *(f"{hit.source or hit.name}: {hit.note}" for hit in others)])


def _cells(hit: Hit) -> tuple[str, ...]:
    much = "" if hit.size is None else size(hit.size)
    return (hit.name, hit.version, str(hit.versions), much, hit.installed, hit.source, hit.note)


COMMANDS = (search,)
