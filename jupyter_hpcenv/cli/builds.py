"""The verb that builds an environment for another kind of computer."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import click

from .packages import followed
from .rebuild import told
from .session import Session, with_session

if TYPE_CHECKING:
    from ..models import Operation


@click.command()
@click.argument("reference", metavar="ENVIRONMENT")
@click.option("--target", default="", metavar="ARCH", help="For which kind of computer; default: this one.")
@click.option("--no-wait", is_flag=True, help="Only begin it; “jupyter hpcenv operations” tells how it goes.")
@click.option("--if-missing", is_flag=True, help="Do nothing where there is one with the packages of today.")
@click.option("--drop", is_flag=True, help="Remove the build for that kind of computer instead.")
@with_session
def build(session: Session, reference: str, target: str, no_wait: bool, if_missing: bool, drop: bool) -> int:
    """Build an environment for another kind of computer, or anew there after its packages have changed.

    Its kernel stays one: where it starts, the build for that kind of computer is chosen. A build has the same packages
    as far as they exist there; what differs is said. ENVIRONMENT is its id, NAME or LOCATION/NAME.
    """
    admission = session.admission
    if drop:
        if not target:
            raise click.UsageError("--drop needs --target: the kind of computer whose build is to go.")
        left = admission.drop_build(reference, target)
        session.output.result(left, [f"{left.name} has no build for {target} any more."])
        return 0
    if if_missing and (there := admission.built(reference, target)):
        words = "There is a build for this kind of computer by now. Restart the kernel."
        session.output.result(there, [words])
        return 0
    if no_wait:
        begun = admission.build(reference, target)
        session.output.result(begun, [f"Building {begun.environment.name}: operation {begun.id}."])
        return 0
    operation = followed(session, lambda: admission.build(reference, target))
    result = operation.result or {}
    end = f"{operation.environment.name} has a build for {result.get('target', target)} now."
    session.output.result(operation.result, told(operation, end))
    return 0


def follow_left(session: Session, reference: str) -> None:
    """Build an environment that was just made for the other kinds of computers that it was asked for, one by one."""
    from ..errors import Busy

    admission = session.admission
    while True:
        try:
            begun = admission.build_left(reference)
        except Busy:  # a server was faster
            begun = admission.build_left(reference)
        if begun is None:
            return
        session.output.say(f"Building {begun.environment.name} for {begun.request['target']}.")
        followed(session, functools.partial(_itself, begun))


def _itself(operation: Operation) -> Operation:
    return operation


COMMANDS = (build,)
