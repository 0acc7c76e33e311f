"""What was done to an environment: history."""

from __future__ import annotations

import click

from .output import moment, table
from .session import Session, with_session


@click.command()
@click.argument("reference", metavar="ENVIRONMENT")
@with_session
def history(session: Session, reference: str) -> None:
    """Show what was done to an environment, by whom and when.

    Of packages, + came, ~ changed and - went. ENVIRONMENT is its id, NAME or LOCATION/NAME; it may be in the trash.
    """
    found = session.admission.history(reference)
    if not found:
        session.output.say("Nothing is known of what was done to it.")
    lines = table(("WHEN", "WHAT", "BY", "HOST", ""), [(moment(e.at), e.verb, e.user, e.host, e.detail) for e in found])
    shown = lines[:1]
    for event, line in zip(found, lines[1:], strict=True):
        shown += [line, *(f"  {each}" for each in event.packages)]
    session.output.result(found, shown if found else [])


COMMANDS = (history,)
