"""The verb about where builds may run: targets."""

from __future__ import annotations

import click

from .output import table
from .session import Session, with_session


@click.command()
@with_session
def targets(session: Session) -> None:
    """List the kinds of computers that “--target” can name, and the partitions that “create --on” can.

    A kind of computer is what the site's variables call it, or the release of the operating system and the level of the
    processor.
    """
    found = session.admission.batch()
    if found.message:
        session.output.say(found.message)
    head = ("PARTITION", "STATE", "NODES", "LONGEST", "FEATURES", "")
    cells = [
        (
            each.name,
            "up" if each.up else "down",
            str(each.nodes),
            each.longest,
            ", ".join(each.features),
            "default" if each.default else "",
        )
        for each in found.partitions
    ]
    kinds = [(name, said, "") for name, said in found.targets.items() if name != found.target]
    kinds.insert(0, (found.target, found.targets.get(found.target, ""), "this computer"))
    lines = table(("TARGET", "DESCRIPTION", ""), kinds)
    session.output.result(found, [*lines, *(["", *table(head, cells)] if cells else [])])


COMMANDS = (targets,)
