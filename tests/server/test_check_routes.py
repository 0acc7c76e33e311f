"""The check of the lint step finds what it is there to find."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.decorator import authorized as of_jupyter_server
from tornado import web

from jupyter_hpcenv.server.handlers.base import Handler, authorized
from jupyter_hpcenv.server.routes import ROUTES, Route


def load() -> ModuleType:
    path = Path(__file__).parents[2] / "scripts" / "check_routes.py"
    description = importlib.util.spec_from_file_location("check_routes", path)
    assert description is not None
    assert description.loader is not None
    module = importlib.util.module_from_spec(description)
    description.loader.exec_module(module)
    return module


check = load()


class Good(Handler):
    @web.authenticated
    @authorized("read")
    async def get(self) -> None: ...


class Open(Handler):
    async def get(self) -> None: ...


class Everybody(Handler):
    @allow_unauthenticated
    async def get(self) -> None: ...


class OnlyAuthenticated(Handler):
    @web.authenticated
    async def get(self) -> None: ...


class OnlyAuthorized(Handler):
    @authorized("read")
    async def get(self) -> None: ...


class WrongOrder(Handler):
    @authorized("read")
    @web.authenticated
    async def get(self) -> None: ...


class WrongAction(Handler):
    @web.authenticated
    @authorized("write")
    async def get(self) -> None: ...


class WrongResource(Handler):
    @web.authenticated
    @of_jupyter_server(action="read", resource="contents")
    async def get(self) -> None: ...


class Inherited(Good):
    pass


class Stranger(web.RequestHandler):
    @web.authenticated
    @authorized("read")
    async def get(self) -> None: ...


def faults(kind: Any) -> list[str]:
    found: list[str] = check.faults_of({kind}, [Route("GET", "x", "read", kind, "")])
    return found


def test_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main() == 0
    assert f"{len(ROUTES)} routes" in capsys.readouterr().out
    assert {route.handler for route in ROUTES} <= check.handlers()


def test_good() -> None:
    assert faults(Good) == []


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (Open, "web.authenticated"),
        (Everybody, "lets everybody in"),
        (OnlyAuthenticated, "not authorized"),
        (OnlyAuthorized, "web.authenticated"),
        (WrongOrder, "web.authenticated"),
        (WrongAction, "'write'"),
        (WrongResource, "'contents'"),
        (Inherited, "inherited"),
        (Stranger, "no Handler of ours"),
    ],
)
def test_bad(kind: Any, word: str) -> None:
    [fault] = faults(kind)
    assert word in fault
    assert kind.__qualname__ in fault


def test_table_and_classes_disagree() -> None:
    [missing] = check.faults_of({Good}, [])
    assert "not in the table" in missing

    class Empty(Handler): ...

    [invented] = check.faults_of({Empty}, [Route("PUT", "x", "write", Empty, "")])
    assert "does not exist" in invented
