"""``create``: submit a request and follow the operation to its end."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .session import Session, with_session

if TYPE_CHECKING:
    from ..models import CreateRequest, EnvironmentDetail

#: Characters of a requirements file; a longer one is another kind of file.
_LIMIT = 1_000_000


@click.command()
@click.argument("name")
@click.argument("packages", nargs=-1, metavar="[PACKAGE]...")
@click.option("--file", "file", metavar="FILE", default="", help="Requirements file; “-” reads standard input.")
@click.option("--manager", default="", metavar="MANAGER", help="Environment manager; default: venv.")
@click.option("--installer", default="", metavar="uv|pip", help="What installs packages.")
@click.option("--creator", default="", metavar="uv|venv|virtualenv", help="What makes the prefix.")
@click.option("--python", default="", metavar="PYTHON", help="A version such as 3.12, or a path; see “pythons”.")
@click.option("--location", default="", metavar="LOCATION", help="Where it goes; see “locations”.")
@click.option("--prefix", default="", metavar="PATH", help="The whole path of the prefix, instead of a location.")
@click.option("--system-site-packages", is_flag=True, help="Let it see the packages of its Python.")
@click.option("--var", "variables", metavar="NAME=VALUE", multiple=True, help="Variable of its kernel; repeatable.")
@click.option("--display-name", default="", metavar="TEXT", help="What Jupyter shows; default: the name.")
@click.option("--no-kernel", is_flag=True, help="Make no kernel.")
@click.option("--if-missing", is_flag=True, help="Do nothing if a usable environment of that name is there.")
@with_session
def create(
    session: Session,
    name: str,
    packages: tuple[str, ...],
    file: str,
    manager: str,
    installer: str,
    creator: str,
    python: str,
    location: str,
    prefix: str,
    system_site_packages: bool,
    variables: tuple[str, ...],
    display_name: str,
    no_kernel: bool,
    if_missing: bool,
) -> int:
    """Create an environment and its kernel.

    NAME is what it will be called; each PACKAGE is a requirement such as “numpy” or “pandas>=2”.

    The build goes on when the terminal is lost; Ctrl-C cancels it and removes what was built.
    """
    from ..models import CreateRequest

    request = CreateRequest(
        name=name,
        packages=list(packages),
        requirements=_requirements(file) if file else "",
        installer=installer,
        creator=creator,
        python=os.path.abspath(os.path.expanduser(python)) if os.sep in python else python,  # noqa: PTH100, PTH111
        location=location,
        prefix=os.path.abspath(os.path.expanduser(prefix)) if prefix else "",  # noqa: PTH100, PTH111
        system_site_packages=system_site_packages,
        variables=dict(_variable(text) for text in variables),
        display_name=display_name,
        kernel=not no_kernel,
    )
    if manager:
        request.manager = manager
    if if_missing:
        there = _existing(session, request)
        if there is not None:
            session.output.say(f"{there.name} is there already; nothing was changed.")
            _answer(session, there)
            return 0
    return _build(session, request)


def _build(session: Session, request: CreateRequest) -> int:
    from . import failure
    from .follow import Stop, follow
    from .progress import view_for

    admission = session.admission
    with Stop() as stop, view_for(session.output) as view:
        operation = admission.submit("create", request)
        operation = follow(admission.operations, operation, view, stop)
    if operation.state == "interrupted":
        admission.reconcile()
    if operation.state != "succeeded":
        raise failure.of(operation)
    _answer(session, admission.catalog.find(operation.environment.id))
    return 0


def _answer(session: Session, environment: EnvironmentDetail) -> None:
    from .environments import described

    session.output.result(environment, described(environment))


def _existing(session: Session, request: CreateRequest) -> EnvironmentDetail | None:
    """Return the environment that the request would make, if it is there; raises `WrongState` if it is unusable."""
    from ..errors import WrongState
    from ..site.locations import default_name

    catalog = session.admission.catalog
    prefix = os.path.realpath(request.prefix) if request.prefix else ""
    location = request.location or ("" if prefix else default_name(session.admission.site))
    for row in catalog.environments():
        if row.origin == "foreign" or (row.prefix != prefix if prefix else row.location != location):
            continue
        if row.name != request.name:
            continue
        if row.state != "ready":
            raise WrongState(
                f"{row.name} is there, but it can not be used. {row.message}",
                hints=[f"Delete it with “jupyter hpcenv delete {row.id}”, then create it again."],
            )
        return catalog.find(row.id)
    return None


def _variable(text: str) -> tuple[str, str]:
    from ..errors import InvalidVariable

    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidVariable(f"“{text}” sets no variable.", hints=["Write NAME=VALUE."])
    return name, value


def _requirements(file: str) -> str:
    """Return the text of a requirements file; its relative ``-e`` paths are made absolute, as pip reads them."""
    from ..errors import InvalidRequest

    try:
        if file == "-":
            data, folder = sys.stdin.buffer.read(_LIMIT + 1), Path.cwd()
        else:
            with Path(file).open("rb") as stream:
                data, folder = stream.read(_LIMIT + 1), Path(file).absolute().parent
        if len(data) > _LIMIT:
            raise InvalidRequest(f"{file} is too long for a requirements file.", hints=["Give the right file."])
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InvalidRequest(
            f"{file} can not be read: {(error.strerror or str(error)).lower()}.", hints=["Correct the path."]
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{file} is not UTF-8 text.", hints=["Save it as UTF-8."]) from error
    return re.sub(
        r"(?m)^(\s*(?:-e|--editable)(?:\s+|=))(\.{1,2}(?:/[^\s#]*)?)(?=\s|$)",
        lambda match: match[1] + os.path.normpath(folder / match[2]),
        text,
    )


COMMANDS = (create,)
