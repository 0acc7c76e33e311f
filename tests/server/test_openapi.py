"""The document that the package carries is the one that the models and the table make, and answers keep to it."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from jupyter_hpcenv.server import openapi, shapes
from jupyter_hpcenv.server.handlers.openapi import DOCUMENT
from jupyter_hpcenv.server.routes import ROUTES, patterns

from .conftest import ID, Ask, StandIn, told


def test_file_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == openapi.text(), "run: python -m jupyter_hpcenv.server.openapi"


def test_every_route_is_there() -> None:
    paths = json.loads(DOCUMENT.read_text(encoding="utf-8"))["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described == {(route.method, f"/{route.path}") for route in ROUTES}
    names = [each["operationId"] for methods in paths.values() for each in methods.values()]
    assert len(set(names)) == len(names)


def test_every_reference_leads_somewhere() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    known = {f"#/components/schemas/{name}" for name in json.loads(text)["components"]["schemas"]}
    assert set(re.findall(r'"\$ref": "([^"]+)"', text)) <= known
    assert "hpcenv." not in "".join(known), "names of schemas are short"


def test_one_handler_an_address() -> None:
    handlers: dict[str, set[Any]] = {}
    for route in ROUTES:
        handlers.setdefault(route.path, set()).add(route.handler)
    assert all(len(found) == 1 for found in handlers.values())
    assert len(patterns()) == len(handlers) + 1
    assert re.fullmatch(patterns()[-1][0], "hpcenv/anything/else")
    assert not any(re.fullmatch(pattern, "hpcenvironment") for pattern, _ in patterns())


def test_named_answers_are_types() -> None:
    for route in ROUTES:
        assert not isinstance(openapi.answer_of(route), str)


async def test_served(desk: StandIn, ask: Ask) -> None:
    response = await ask("GET", "openapi.json")
    assert response.headers["Content-Type"] == "application/json"
    assert told(response) == openapi.document()


@pytest.mark.parametrize(("path", "shape"), [("site", shapes.SiteFacts), ("kernels", list[shapes.PublishedKernel])])
async def test_real_answers_have_the_shapes(ask: Ask, path: str, shape: Any) -> None:
    msgspec.convert(told(await ask("GET", path)), shape, strict=True)


async def test_real_error_has_the_shape(ask: Ask) -> None:
    msgspec.convert(told(await ask("GET", f"environments/{ID}")), shapes.Error, strict=True)
