"""The verbs about operations: operations, log, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .output import moment, table
from .session import Session, with_session

if TYPE_CHECKING:
    from ..models import LogLine


@click.command()
@with_session
def operations(session: Session) -> None:
    """List operations, newest first."""
    session.admission.operations.look_at_queue()
    found = session.admission.operations.list()
    if not found:
        session.output.say("No operations yet.")
    head = ("ID", "VERB", "ENVIRONMENT", "STATE", "STEP", "SUBMITTED", "")
    cells = [
        (
            each.id,
            each.verb,
            f"{each.environment.location}/{each.environment.name}",
            "cancelling" if each.cancelling else each.state,
            f"{each.step}/{len(each.steps)}",
            moment(each.submitted),
            each.waiting,
        )
        for each in found
    ]
    session.output.result(found, table(head, cells) if found else [])


@click.command()
@click.argument("identifier", metavar="OPERATION")
@click.option("--follow", is_flag=True, help="Wait for more until the operation is finished.")
@with_session
def log(session: Session, identifier: str, follow: bool) -> None:
    """Print the log of an operation.

    With --follow --json, each line is a JSON object of its own.
    """
    from .follow import lines

    source = lines(session.admission.operations, identifier, wait=follow)
    if not follow:
        found = list(source)
        session.output.result({"id": identifier, "lines": found}, map(_shown, found))
        return
    for line in source:
        if session.output.as_json:
            session.output.document({"at": line.at, "kind": line.kind, "text": line.text})
        else:
            session.output.result(line, [_shown(line)])


def _shown(line: LogLine) -> str:
    if line.kind == "output":
        return line.text
    return f"== {line.text}" if line.kind == "step" else f"{line.kind.capitalize()}: {line.text}"


@click.command()
@click.argument("identifier", metavar="OPERATION")
@with_session
def cancel(session: Session, identifier: str) -> None:
    """Ask an operation to stop.

    What it built so far is removed; “log --follow” shows when that is done.
    """
    admission = session.admission
    admission.reconcile()
    operation = admission.operations.cancel(identifier)
    session.output.result(operation, [f"{operation.environment.name} is being cancelled."])


COMMANDS = (operations, log, cancel)
