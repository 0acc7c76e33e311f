"""The verbs about what the site offers: pythons, locations."""

from __future__ import annotations

import click

from .output import size, table
from .session import Session, with_session
from .sizes import kept, quota


@click.command()
@with_session
def pythons(session: Session) -> None:
    """List Pythons to build on, best first; those that the site's policy forbids come last."""
    found = session.admission.facts()["pythons"]
    if not found:
        session.output.say("No Python was found.")
    head = ("VERSION", "PATH", "WHAT", "")
    cells = [
        (
            each["version"],
            each["path"],
            each["label"],
            "forbidden by policy" if each["forbidden"] else "default" if each["default"] else "",
        )
        for each in found
    ]
    session.output.result(found, table(head, cells) if found else [])


@click.command()
@with_session
def locations(session: Session) -> None:
    """List places for environments."""
    found = session.admission.locations()
    head = ("NAME", "STATE", "FREE", "QUOTA", "KEPT", "ROOT", "WHAT", "")
    cells = [
        (
            each.name,
            each.state,
            "" if each.free_bytes is None else size(each.free_bytes),
            quota(each),
            kept(each),
            each.root,
            each.message or each.description,
            ", ".join(filter(None, ["default" if each.default else "", "for sharing" if each.sharing else ""])),
        )
        for each in found
    ]
    session.output.result(found, table(head, cells) if found else [])


COMMANDS = (pythons, locations)
