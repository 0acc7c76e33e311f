"""The verbs that build an environment again: rebuild, move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .packages import followed
from .session import Session, with_session

if TYPE_CHECKING:
    from ..models import Operation


@click.command()
@click.argument("reference", metavar="ENVIRONMENT")
@click.option("--python", default="", metavar="PYTHON", help="Build on this one: a version such as 3.12, or a path.")
@with_session
def rebuild(session: Session, reference: str, python: str) -> int:
    """Build an environment again whose prefix, or whose Python, is gone.

    It is built from what your data folder keeps of it, with the same packages as far as they still exist; what differs
    is said. Its id, kernels and variables stay. ENVIRONMENT is its id, NAME or LOCATION/NAME.
    """
    from ..models import RebuildRequest

    admission = session.admission
    operation = followed(session, lambda: admission.rebuild(reference, RebuildRequest(python=python)))
    session.output.result(operation.result, told(operation, f"{operation.environment.name} is back."))
    return 0


@click.command()
@click.argument("reference", metavar="ENVIRONMENT")
@click.argument("location", metavar="LOCATION")
@with_session
def move(session: Session, reference: str, location: str) -> int:
    """Move an environment to another location.

    It is built there with the same packages and proven; its kernels keep their names. Then it goes to the trash where
    it was. ENVIRONMENT is its id, NAME or LOCATION/NAME.
    """
    admission = session.admission
    operation = followed(session, lambda: admission.move(reference, location))
    session.output.result(
        operation.result, told(operation, f"{operation.environment.name} is at {operation.environment.prefix} now.")
    )
    return 0


def told(operation: Operation, end: str) -> list[str]:
    """Return what is said at the end: what differs from before, a line each."""
    differences = (operation.result or {}).get("differences")
    if differences is None:  # its worker died after all was done, and what differs was not noted
        return [end]
    return [end, *(f"  {sentence}" for sentence in differences or ["All packages are the same."])]


COMMANDS = (rebuild, move)
