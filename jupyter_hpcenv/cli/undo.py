"""The verb that takes the last act back: undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .output import moment
from .packages import followed
from .session import Session, with_session

if TYPE_CHECKING:
    from ..admission.undoing import Undo


@click.command()
@click.argument("reference", metavar="ENVIRONMENT")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_session
def undo(session: Session, reference: str, dry_run: bool, yes: bool) -> int:
    """Undo what was done last to an environment.

    One that was deleted comes back from the trash. Else its packages become exactly those that were there before the
    last install, update, remove or undo; the kernel is proven afterwards. On a terminal you are asked first.
    ENVIRONMENT is its id, NAME or LOCATION/NAME.
    """
    from ..errors import WrongState
    from .planned import lines

    admission = session.admission
    admission.reconcile()
    found = admission.undoable(reference)
    if not found.what:
        raise WrongState(found.sentence, hints=["“jupyter hpcenv history” tells what was done."])
    if dry_run:
        session.output.result(found, _told(found, "Nothing was changed."))
        return 0
    if not yes and not session.output.as_json and _somebody_there():
        for line in _told(found, "Nothing was changed yet."):
            session.output.say(line)
        click.confirm("Undo it?", abort=True, err=True)
    operation = followed(session, lambda: admission.undo(reference)) if found.what == "change" else None
    if operation is None:
        item = admission.undo(reference).environment
        session.output.result(admission.catalog.find(item.id), [f"{item.name} is back."])
        return 0
    plan, end = (operation.result or {}).get("plan"), f"Undid the last change of {operation.environment.name}."
    session.output.result(operation.result, lines(plan, end) if plan else [end])
    return 0


def _somebody_there() -> bool:
    """Tell whether there is somebody to ask."""
    import sys

    return sys.stdin.isatty() and sys.stderr.isatty()


def _told(found: Undo, end: str) -> list[str]:
    from .planned import lines

    kept = f"It can be undone until {moment(found.until)}."
    return [found.sentence, *(lines(found.plan, end) if isinstance(found.plan, dict) else [end]), kept]


COMMANDS = (undo,)
