"""The verbs about what is not one's own alone: share, unshare, use, unuse, adopt."""

from __future__ import annotations

import click

from .session import Session, with_session

_REFERENCE = click.argument("reference", metavar="ENVIRONMENT")
_MODULEFILE = click.option("--modulefile", is_flag=True, help="Install a modulefile of one's own for it, too.")


@click.command()
@_REFERENCE
@click.option("--group", metavar="GROUP", default="", help="Share it with a group that you are a member of.")
@click.option("--everybody", is_flag=True, help="Share it with all who have an account here.")
@with_session
def share(session: Session, reference: str, group: str, everybody: bool) -> int:
    """Let colleagues use an environment; nobody but you can change it.

    Its files are separated from caches and compiled, made readable, and the kernel is proven again. It works in
    locations that the site has for sharing. ENVIRONMENT is its id, NAME or LOCATION/NAME.
    """
    from ..models import ShareRequest, Sharing
    from .packages import followed

    admission = session.admission
    request = ShareRequest(group=group, everybody=everybody)
    operation = followed(session, lambda: admission.share(reference, request))
    target = operation.environment
    whom = Sharing(group=group).whom
    session.output.result(
        operation.result,
        [
            f"{target.name} is shared with {whom}.",
            f"They use it with: jupyter hpcenv use {target.location}/{target.name}",
        ],
    )
    return 0


@click.command()
@_REFERENCE
@with_session
def unshare(session: Session, reference: str) -> int:
    """Close an environment to all but yourself.

    Kernels of colleagues that run go on as far as they have loaded what they need; new ones explain why they can not
    start. ENVIRONMENT is its id, NAME or LOCATION/NAME.
    """
    from .packages import followed

    admission = session.admission
    operation = followed(session, lambda: admission.unshare(reference))
    session.output.result(operation.result, [f"{operation.environment.name} is yours alone."])
    return 0


@click.command()
@_REFERENCE
@_MODULEFILE
@with_session
def use(session: Session, reference: str, modulefile: bool) -> None:
    """Use an environment that a colleague shares: get a kernel for it.

    It is looked at once whether anybody but its owner could change it; each start of the kernel looks whether that is
    still so. Use it again to follow changes of its variables or modules. ENVIRONMENT is its id, NAME or LOCATION/NAME.
    """
    from ..models import UseRequest
    from .environments import described

    found = session.admission.use(reference, UseRequest(modulefile=modulefile))
    session.output.say(f"{found.name} belongs to {found.owner or 'a colleague'}, who can change what it runs.")
    session.output.result(found, described(found))


@click.command()
@_REFERENCE
@with_session
def unuse(session: Session, reference: str) -> None:
    """Take the kernel of a colleague's environment away again.

    The environment is not touched. ENVIRONMENT is its id, NAME or LOCATION/NAME.
    """
    session.admission.unuse(reference)
    session.output.result(None, [f"You do not use {reference} any more; the environment itself was not touched."])


@click.command()
@click.argument("prefix")
@click.option("--kernel/--no-kernel", default=True, help="Publish a kernel, for which ipykernel must be in it.")
@_MODULEFILE
@with_session
def adopt(session: Session, prefix: str, kernel: bool, modulefile: bool) -> None:
    """Give an environment that another tool made a kernel.

    Nothing is ever written into PREFIX; “delete” of it only forgets that.
    """
    from pathlib import Path

    from ..models import AdoptRequest
    from .environments import described

    request = AdoptRequest(prefix=str(Path(prefix).expanduser().absolute()), kernel=kernel, modulefile=modulefile)
    found = session.admission.adopt(request)
    for warning in found.warnings:
        session.output.warn(warning)
    session.output.result(found, described(found))


COMMANDS = (share, unshare, use, unuse, adopt)
