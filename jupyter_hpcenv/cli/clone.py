"""``clone``: make an environment again, from exactly what is in it."""

from __future__ import annotations

import os

import click

from .session import Session, with_session


@click.command()
@click.argument("source")
@click.argument("name")
@click.option("--location", default="", metavar="LOCATION", help="Where it goes; see “locations”.")
@click.option("--prefix", default="", metavar="PATH", help="The whole path of the prefix, instead of a location.")
@click.option(
    "--python", default="", metavar="PYTHON", help="Another Python; what was asked for is then looked for anew."
)
@click.option("--var", "variables", metavar="NAME=VALUE", multiple=True, help="Variable of its kernel; repeatable.")
@click.option("--display-name", default="", metavar="TEXT", help="What Jupyter shows; default: the name.")
@click.option("--no-kernel", is_flag=True, help="Make no kernel.")
@with_session
def clone(
    session: Session,
    source: str,
    name: str,
    location: str,
    prefix: str,
    python: str,
    variables: tuple[str, ...],
    display_name: str,
    no_kernel: bool,
) -> int:
    """Make an environment again under another name.

    SOURCE is the id, NAME or LOCATION/NAME of any environment that you can read, also a colleague's or one that another
    tool made; NAME is what the clone will be called. It gets exactly the packages of SOURCE, its modules, and a kernel
    of its own; variables come along from your own environments alone.
    """
    from ..models import CreateRequest
    from .create import build
    from .inputs import variable

    request = CreateRequest(
        name=name,
        clone_of=source,
        location=location,
        prefix=os.path.abspath(os.path.expanduser(prefix)) if prefix else "",  # noqa: PTH100, PTH111
        python=os.path.abspath(os.path.expanduser(python)) if os.sep in python else python,  # noqa: PTH100, PTH111
        variables=dict(variable(text) for text in variables),
        display_name=display_name,
        kernel=not no_kernel,
    )
    return build(session, request)


COMMANDS = (clone,)
