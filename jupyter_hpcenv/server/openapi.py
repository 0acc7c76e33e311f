"""Describe the REST interface as OpenAPI 3.1, from the models and the table of routes.

``python -m jupyter_hpcenv.server.openapi`` writes the document that the package carries and serves.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from .. import models
from ..managers import contract
from . import shapes
from .handlers.openapi import DOCUMENT
from .routes import ROUTES, Route

_REFERENCE = "#/components/schemas/{name}"
_KINDS = {bool: {"type": "integer", "enum": [0, 1]}, int: {"type": "integer", "minimum": 0}, str: {"type": "string"}}
_WORDS = {
    202: "Accepted; it goes on in the background.",
    204: "Done.",
    200: "The answer.",
}


def document() -> dict[str, Any]:
    """Return the whole document."""
    kinds = [kind for route in ROUTES for kind in (answer_of(route), route.body) if kind is not None]
    whole = [*kinds, shapes.Error]
    schemas, components = msgspec.json.schema_components(whole, ref_template=_REFERENCE)
    of_kind = {str(kind): schema for kind, schema in zip(whole, schemas, strict=True)}
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(f"/{route.path}", {})[route.method.lower()] = _described(route, of_kind)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jupyter_hpcenv",
            "version": "1",
            "description": "Environments for Jupyter on shared machines. Every error has the body “Error”.",
        },
        "servers": [{"url": "hpcenv", "description": "Below the base URL of the Jupyter server."}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "“token …”, or a browser's cookie with an XSRF token.",
                }
            },
        },
    }


def answer_of(route: Route) -> Any:
    """Return the type of what a route answers; shapes that are costly to import are named by text."""
    if not isinstance(route.answer, str):
        return route.answer
    many = re.fullmatch(r"list\[(\w+)\]", route.answer)
    name = many[1] if many else route.answer
    kind = getattr(shapes, name, None) or getattr(contract, name, None) or getattr(models, name)
    return list[kind] if many else kind  # type: ignore[valid-type]  # made from the table, for msgspec alone


def _described(route: Route, of_kind: dict[str, dict[str, Any]]) -> dict[str, Any]:
    kind = answer_of(route)
    good: dict[str, Any] = {"description": _WORDS[route.status]}
    if kind is not None:
        good["content"] = {"application/json": {"schema": of_kind[str(kind)]}}
    if kind is models.EnvironmentDetail:
        good["headers"] = {"ETag": {"schema": {"type": "string"}, "description": "The revision."}}
    if route.status == 202:
        good.setdefault("headers", {})["Location"] = {"schema": {"type": "string"}}
    described: dict[str, Any] = {
        "summary": route.summary,
        "operationId": operation_id(route),
        "x-action": route.action,
        "parameters": _parameters(route),
        "responses": {
            str(route.status): good,
            "default": {
                "description": "What went wrong, and what to do about it.",
                "content": {"application/json": {"schema": of_kind[str(shapes.Error)]}},
            },
        },
    }
    if route.body is not None:
        described["requestBody"] = {
            "required": any(field.required for field in msgspec.structs.fields(route.body)),
            "content": {"application/json": {"schema": of_kind[str(route.body)]}},
        }
    return described


def operation_id(route: Route) -> str:
    """Return a name for a route that generators of clients can use, for example ``get_operations_log``."""
    words = [part.strip("{}") for part in re.split(r"[/.]", route.path)]
    return "_".join([route.method.lower(), *words])


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]
    for query in route.query:
        schema = _KINDS[query.kind]
        found.append({"name": query.name, "in": "query", "description": query.meaning, "schema": schema})
    for name, meaning in route.headers:
        found.append({"name": name, "in": "header", "description": meaning, "schema": {"type": "string"}})
    return found


def text() -> str:
    """Return the document as the file holds it."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=1).decode() + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(text(), encoding="utf-8")
