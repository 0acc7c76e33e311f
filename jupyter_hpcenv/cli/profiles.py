"""The verb about what kernels may run in: profiles."""

from __future__ import annotations

import click

from .output import table
from .session import Session, with_session


@click.command()
@with_session
def profiles(session: Session) -> None:
    """List what kernels may run in besides the server's own computer: jobs, with resources that staff chose."""
    found = session.admission.profiles()
    if not found:
        session.output.say("The site has no profiles: kernels run beside the server.")
    cells = []
    for each in found:
        asked = each.request
        words = [
            asked.partition,
            asked.constraint,
            f"{asked.cpus} processors" if asked.cpus else "",
            asked.memory,
            f"GPU {asked.gpus}" if asked.gpus else "",
            f"time {asked.time}" if asked.time else "",
            f"ends when idle for {each.idle_minutes} min" if each.idle_minutes else "",
            f"goes on for {each.keep_minutes} min without a server" if each.keep_minutes else "",
        ]
        cells.append((each.name, each.display_name, ", ".join(filter(None, words)), each.description))
    session.output.result(found, table(("NAME", "TITLE", "RESOURCES", "WHAT"), cells) if found else [])


COMMANDS = (profiles,)
