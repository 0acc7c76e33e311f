"""Read presets: requests that staff prepared, with parameters that fill their structures and never any text.

A preset is YAML, read strictly. Its ``request`` holds the fields of a create request but no name. Where a value stands,
``{from: PARAMETER}`` may stand instead, and takes that value whole; with ``choose`` it takes what is given there for
it. What fills a place in a list and is itself a list takes the place of its items. No text is ever put together, so a
value can not become more than the value that it is.
"""

from __future__ import annotations

import difflib
import re
from typing import Any

import msgspec

from .. import typed
from ..errors import InvalidRequest
from ..models import CreateRequest
from .plain_text import clean, shown
from .strict_yaml import Node, load

LONGEST = 200_000
_KEYS = ("version", "title", "description", "order", "file", "parameters", "request")
_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?")
_PARAMETER = re.compile(r"[a-z][a-z0-9_]{0,39}")
_WORDS = ("title", "description")
_TYPES = ("string", "boolean", "integer", "number")
_NUMBERS = ("minimum", "maximum")

#: What a preset can not say: it is the user's own, or would reach beyond a request.
_NOT_SAID = ("name", "prefix", "clone_of", "file", "requirements")


class Preset(msgspec.Struct, kw_only=True):
    """One preset, as it was read."""

    name: str
    title: str
    description: str = ""
    order: int = 100
    """Smaller ones come first."""
    file: str = ""
    """A file beside it that says what the environment holds, by its relative path."""
    parameters: dict[str, dict[str, Any]] = {}
    """By name, the JSON Schema of its value."""
    request: dict[str, Any] = {}

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of all parameters together, as an object."""
        return {
            "type": "object",
            "properties": self.parameters,
            "required": [name for name, each in self.parameters.items() if "default" not in each],
            "additionalProperties": False,
        }

    def fill(self, given: dict[str, Any], text: str = "") -> CreateRequest:
        """Return the request for parameters that are *given*, its name left open; *text* is that of its file.

        Raises `InvalidRequest` for what the schema does not allow, and for a preset that makes no request of it.
        """
        values = {name: each["default"] for name, each in self.parameters.items() if "default" in each} | given
        _check(self, values)
        filled = {**_filled(self.request, values, "request"), "name": "", "file": text}
        try:
            return typed.of_value(filled, CreateRequest, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidRequest(
                f"The preset {self.name} makes no request of these parameters: {error}.",
                hints=["Tell the site's staff."],
            ) from error


def is_name(name: str) -> bool:
    """Tell whether a preset can be called *name*."""
    return _NAME.fullmatch(name) is not None


def read(name: str, text: str) -> Preset:
    """Return the preset in *text*; raises `InvalidRequest` with the line and what is wrong there."""
    if not is_name(name):
        raise InvalidRequest(
            f"A preset can not be called {shown(name)}.",
            hints=["Use small letters, digits, - and _, as in dask-mpi.yaml."],
        )
    root = load(clean(text, limit=LONGEST))
    entries = root.entries("A preset")
    _known(root, _KEYS)
    if root.field("version") != "1":
        entries["version"].refuse("This is not version 1 of presets.", "Write “version: 1”.")
    parameters = _parameters(entries["parameters"]) if "parameters" in entries else {}
    request = entries.get("request", Node(root.line, {}))
    _known(request, [field for field in CreateRequest.__struct_fields__ if field not in _NOT_SAID])
    order = root.optional("order") or "100"
    if not re.fullmatch(r"\d{1,6}", order):
        entries["order"].refuse("“order” must be a number.", "Give one such as 10.")
    return Preset(
        name=name,
        title=root.field("title"),
        description=root.optional("description"),
        order=int(order),
        file=_beside(entries["file"]) if "file" in entries else "",
        parameters=parameters,
        request={key: _plain(node, parameters) for key, node in request.entries("“request”").items()},
    )


def _beside(node: Node) -> str:
    path = node.text("“file”")
    if path.startswith("/") or ".." in path.split("/"):
        node.refuse("“file” leads away from the preset.", "Put the file beside the preset, and give its relative path.")
    return path


def _known(node: Node, keys: list[str] | tuple[str, ...]) -> None:
    for key, each in node.entries("This").items():
        if key not in keys:
            near = difflib.get_close_matches(key, keys, 1)
            hint = f"Did you mean “{near[0]}”?" if near else f"Known: {', '.join(keys)}."
            each.refuse(f"There is no “{shown(key)}” here.", hint)


def _parameters(node: Node) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, each in node.entries("“parameters”").items():
        if not _PARAMETER.fullmatch(name):
            each.refuse(f"A parameter can not be called {shown(name)}.", "Use small letters, digits and _.")
        _known(each, ("type", "enum", "default", *_WORDS, *_NUMBERS))
        kind = each.optional("type") or "string"
        if kind not in _TYPES:
            each.refuse(f"A parameter is no {shown(kind)}.", f"Types: {', '.join(_TYPES)}.")
        schema: dict[str, Any] = {"type": kind}
        entries = each.entries("A parameter")
        schema |= {word: each.field(word) for word in _WORDS if word in entries}
        if "enum" in entries:
            schema["enum"] = [_typed(one, kind) for one in entries["enum"].items("“enum”")]
        schema |= {word: _typed(entries[word], "number") for word in _NUMBERS if word in entries}
        if "default" in entries:
            schema["default"] = _typed(entries["default"], kind)
        found[name] = schema
    return found


def _typed(node: Node, kind: str) -> Any:
    """Return a scalar as the type that its parameter says; in the file all of them are text."""
    text = node.text("A value")
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind == "integer" and re.fullmatch(r"-?\d{1,15}", text):
        return int(text)
    if kind == "number" and re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", text):
        return float(text)
    if kind != "string":
        node.refuse(
            f"{shown(text)} is no {kind}.", "Write “true” or “false”." if kind == "boolean" else "Write a number."
        )
    return text


class From(msgspec.Struct, frozen=True, kw_only=True):
    """A place that a parameter fills."""

    parameter: str
    choose: dict[str, Any] | None = None


def _plain(node: Node, parameters: dict[str, dict[str, Any]]) -> Any:
    """Return what stands in a request, its open places as `From`."""
    if isinstance(node.value, dict) and "from" in node.value and set(node.value) <= {"from", "choose"}:
        name = node.field("from")
        if name not in parameters:
            node.refuse(f"There is no parameter {shown(name)}.", f"Parameters: {', '.join(parameters) or 'none'}.")
        chosen = node.value.get("choose")
        choose: dict[str, Any] | None = None
        if chosen is not None:
            choose = {key: _plain(each, parameters) for key, each in chosen.entries("“choose”").items()}
        if choose is not None and "enum" not in parameters[name] and parameters[name]["type"] != "boolean":
            node.refuse(f"“choose” needs all values of {name}.", "Give the parameter an “enum”, or make it a boolean.")
        missing = [] if choose is None else sorted(set(_words(parameters[name])) - set(choose))
        if missing:
            node.refuse(f"“choose” says nothing for {', '.join(missing)}.", "Say what stands there for each value.")
        return From(parameter=name, choose=choose or None)
    if isinstance(node.value, dict):
        return {key: _plain(each, parameters) for key, each in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(each, parameters) for each in node.value]
    return node.text("A value") if node.value is not None else None


def _words(schema: dict[str, Any]) -> list[str]:
    return [_word(value) for value in schema.get("enum", [True, False])]


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _filled(value: Any, values: dict[str, Any], where: str) -> Any:
    if isinstance(value, From):
        found = values[value.parameter]
        return found if value.choose is None else _filled(value.choose[_word(found)], values, where)
    if isinstance(value, dict):
        return {key: _filled(each, values, f"{where}.{key}") for key, each in value.items()}
    if not isinstance(value, list):
        return value
    items: list[Any] = []
    for each in value:
        one = _filled(each, values, where)
        if isinstance(each, From) and (one is None or isinstance(one, list)):
            items += one or []  # takes the place of its items; nothing leaves it out
        else:
            items.append(one)
    return items


def _check(preset: Preset, values: dict[str, Any]) -> None:
    """Raise `InvalidRequest` for the first parameter that is not as its schema says."""
    from jsonschema import Draft202012Validator  # it takes a while to import

    for error in Draft202012Validator(preset.schema()).iter_errors(values):
        place = ".".join(str(each) for each in error.absolute_path)
        raise InvalidRequest(
            f"The parameter{f' {place}' if place else 's'} of {preset.name} can not be this: {shown(error.message)}.",
            hints=[f"Parameters: {', '.join(preset.parameters) or 'none'}."],
        )
