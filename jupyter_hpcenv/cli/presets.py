"""The verbs about requests that staff prepared: presets."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import click

from .output import table
from .session import Session, with_session


@click.group()
def presets() -> None:
    """See and check the requests that the site's staff prepared; “create --preset” uses one."""


@presets.command("list")
@with_session
def list_(session: Session) -> None:
    """List the presets, and the parameters that each has."""
    found = session.admission.presets()
    if not found:
        session.output.say("The site has no presets.")
    cells = [
        (each.name, each.title, ", ".join(map(_parameter, each.parameters.get("properties", {}).items())), each.message)
        for each in found
    ]
    session.output.result(found, table(("NAME", "TITLE", "PARAMETERS", ""), cells) if found else [])


@presets.command()
@click.argument("name", metavar="PRESET")
@click.option("--set", "values", metavar="NAME=VALUE", multiple=True, help="Value of a parameter; repeatable.")
@with_session
def show(session: Session, name: str, values: tuple[str, ...]) -> None:
    """Show the request that a preset makes, as JSON."""
    from ..models import CreateRequest

    request = session.admission.fill_preset(name, given(session, name, values))
    empty = CreateRequest(name="")
    said = {
        field: getattr(request, field)
        for field in request.__struct_fields__
        if getattr(request, field) != getattr(empty, field)
    }
    session.output.result(said, json.dumps(said, indent=2, ensure_ascii=False).splitlines())


@presets.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@with_session
def check(session: Session, files: tuple[str, ...]) -> int:
    """Try each preset as far as that goes without building anything: as it is, and with each value of each parameter.

    The other parameters have their defaults then; not all combinations are tried.
    Modules, Python, packages, indexes and the site's policy are asked, as they are before a create. With FILEs only
    those are tried, wherever they lie.
    """
    found = session.admission.check_presets([Path(file).absolute() for file in files] or None)
    lines = []
    for each in found:
        chosen = ", ".join(f"{name}={json.dumps(value)}" for name, value in each.parameters.items())
        lines.append(f"{'ok   ' if not each.message else 'WRONG'}  {each.name}{f' ({chosen})' if chosen else ''}")
        lines += [f"       {text}" for text in ([each.message, *each.hints] if each.message else [])]
    if not found:
        session.output.say("The site has no presets.")
    session.output.result(found, lines)
    return 1 if any(each.message for each in found) else 0


def given(session: Session, name: str, values: tuple[str, ...]) -> dict[str, Any]:
    """Return ``NAME=VALUE`` as parameters of a preset, each of the type that its schema says."""
    from ..errors import InvalidRequest

    properties: dict[str, Any] = {}
    for each in session.admission.presets():
        if each.name == name:
            properties = each.parameters.get("properties", {})
    found: dict[str, Any] = {}
    for text in values:
        parameter, sign, value = text.partition("=")
        if not sign:
            raise InvalidRequest(f"{text} is no parameter.", hints=["Write NAME=VALUE."])
        found[parameter] = value
        if properties.get(parameter, {}).get("type", "string") != "string":
            with contextlib.suppress(ValueError):  # the schema says what it should be
                found[parameter] = json.loads(value)
    return found


def _parameter(item: tuple[str, dict[str, Any]]) -> str:
    name, schema = item
    if "enum" in schema:
        return f"{name}={'|'.join(json.dumps(value).strip(chr(34)) for value in schema['enum'])}"
    return f"{name}={'true|false' if schema.get('type') == 'boolean' else str(schema.get('type', '')).upper()}"


COMMANDS = (presets,)
