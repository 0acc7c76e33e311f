"""The verb about the site's modules: list, search, who provides a package, what is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .output import table
from .session import Session, with_session

if TYPE_CHECKING:
    from ..modules import Available


@click.command()
@click.argument("query", required=False, default="", metavar="[QUERY]")
@click.option("--loaded", is_flag=True, help="Only what is loaded in this shell.")
@click.option("--collections", is_flag=True, help="Saved collections instead of modules.")
@click.option("--provides", metavar="PACKAGE", default="", help="Only modules that have this Python package.")
@with_session
def modules(session: Session, query: str, loaded: bool, collections: bool, provides: str) -> None:
    """List the site's modules.

    With QUERY, only those whose name or description has it. A module that needs others first says which.
    """
    if sum(map(bool, (query, loaded, collections, provides))) > 1:
        raise click.UsageError("QUERY, --loaded, --collections and --provides exclude each other.")
    asked = session.admission.modules
    if loaded or collections:
        names = asked.loaded() if loaded else asked.collections()
        if not names:
            session.output.say("No module is loaded in this shell." if loaded else "No collection is saved.")
        session.output.result(names, names)
    elif provides:
        found = asked.provides(provides)
        if not found:
            session.output.say(f"No module says that it has {provides}.")
        rows = [(each.module, each.package, each.version, _chain(each.prerequisites)) for each in found]
        session.output.result(found, table(("MODULE", "PACKAGE", "VERSION", "LOAD FIRST"), rows) if found else [])
    else:
        listed = asked.search(query)
        if not listed:
            session.output.say("No module matches." if query else "There are no modules here.")
        session.output.result(listed, table(("MODULE", "", "LOAD FIRST", "WHAT"), _rows(listed)) if listed else [])


def _rows(found: list[Available]) -> list[tuple[str, ...]]:
    return [
        (
            each.name,
            "default" if each.default else "",
            _chain(each.prerequisites),
            each.description.splitlines()[0][:60] if each.description else "",
        )
        for each in found
    ]


def _chain(chains: list[list[str]]) -> str:
    """Return the ways to a module: ``gcc/12 openmpi/4.1``; the first two of several."""
    shown = " or ".join(" ".join(chain) for chain in chains[:2])
    return f"{shown} …" if len(chains) > 2 else shown


COMMANDS = (modules,)
