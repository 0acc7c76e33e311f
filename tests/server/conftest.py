"""A Jupyter server with the extension; a stand-in for the desk, for tests of the handlers alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from jupyter_server.auth import Authorizer
from jupyter_server.serverapp import ServerApp

# by import, not as a plugin: its autouse fixtures then hold in this folder alone
from pytest_jupyter.jupyter_server import *  # noqa: F403
from tornado.httpclient import HTTPResponse

from jupyter_hpcenv.admission.modules import ModuleCheck
from jupyter_hpcenv.admission.undoing import Undo
from jupyter_hpcenv.admission.using import Activation
from jupyter_hpcenv.doctor import Finding
from jupyter_hpcenv.lifecycle.health import Health
from jupyter_hpcenv.managers.contract import Hit
from jupyter_hpcenv.models import (
    BatchFacts,
    Cache,
    CleanedCache,
    CreateRequest,
    Environment,
    EnvironmentDetail,
    Event,
    Kernel,
    KernelProfile,
    LogLine,
    LogPart,
    Operation,
    Size,
    Step,
    Target,
    TrashItem,
)
from jupyter_hpcenv.server.app import HpcenvApp

ID = "0123456789abcdef0123456789abcdef"
OPERATION = "20261121-081502-7f3a9c1e"
KERNEL = "hpcenv-home.climate"
SOME_REQUEST = {"name": "climate"}

Ask = Callable[..., Awaitable[HTTPResponse]]


@pytest.fixture(autouse=True)
def jp_server_cleanup(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """As pytest-jupyter's, but a test without a server gets none to clean up."""
    yield
    if not ServerApp.initialized():
        return
    app = ServerApp.instance()
    jp_asyncio_loop.run_until_complete(app._cleanup())
    app.kernel_manager.context.destroy()
    ServerApp.clear_instance()


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    """What jupyter-config/server-config/jupyter_hpcenv.json says."""
    return {"ServerApp": {"jpserver_extensions": {"jupyter_hpcenv": True}}}


def detail(**changes: Any) -> EnvironmentDetail:
    values: dict[str, Any] = {
        "id": ID,
        "name": "climate",
        "location": "home",
        "prefix": "/nowhere/climate",
        "manager": "venv",
        "installer": "uv",
        "python": "3.11.2",
        "state": "ready",
        "origin": "own",
        "kernels": [Kernel(name=KERNEL, display_name="Climate", path=f"/kernels/{KERNEL}")],
        "revision": 3,
    }
    return EnvironmentDetail(**{**values, **changes})


def operation(**changes: Any) -> Operation:
    values: dict[str, Any] = {
        "id": OPERATION,
        "verb": "create",
        "state": "running",
        "cancelling": False,
        "environment": Target(id=ID, name="climate", location="home", prefix="/nowhere/climate"),
        "request": dict(SOME_REQUEST),
        "submitted": "2026-11-21T08:15:02.000Z",
        "started": "2026-11-21T08:15:03.000Z",
        "finished": "",
        "user": "me",
        "host": "here",
        "step": 1,
        "steps": [Step(name="prefix", title="Create the prefix", state="running")],
        "progress": None,
        "error": None,
        "result": None,
        "log_size": 0,
    }
    return Operation(**{**values, **changes})


def item() -> TrashItem:
    return TrashItem(
        id=ID,
        name="climate",
        location="home",
        prefix="/nowhere/climate",
        path="/nowhere/.trash-1/climate",
        python="3.11.2",
        deleted="2026-11-21T08:15:02Z",
        expires="2026-11-28T08:15:02Z",
    )


class StandIn:
    """Answers what handlers ask of the desk, notes what it was asked, raises what it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.error: BaseException | None = None
        self.detail = detail()
        self._rows: tuple[Environment, ...] = ()
        self.catalog = self
        self.operations = self
        self.modules = self

    def _note(self, *what: Any) -> None:
        self.asked.append(what)
        if self.error is not None:
            raise self.error

    def facts(self) -> dict[str, Any]:
        self._note("facts")
        return {"version": "0"}

    def batch(self) -> BatchFacts:
        self._note("batch")
        return BatchFacts(system="slurm")

    def profiles(self) -> list[KernelProfile]:
        self._note("profiles")
        return [KernelProfile(name="small")]

    def fill_preset(self, name: str, parameters: dict[str, Any]) -> CreateRequest:
        self._note("fill_preset", name, parameters)
        return CreateRequest(name="")

    def rows(self) -> tuple[Environment, ...]:
        self._note("rows")
        if self._rows != (self.detail,):
            self._rows = (self.detail,)
        return self._rows

    def environments(self, location: str = "", name: str = "", query: str = "") -> list[Environment]:
        self._note("environments", location, name, query)
        return [self.detail]

    def find(self, reference: str) -> EnvironmentDetail:
        self._note("find", reference)
        return self.detail

    def rebuild(self, reference: str, asked: Any = None, idempotency_key: str = "") -> Operation:
        self._note("rebuild", reference, asked, idempotency_key)
        return operation(verb="rebuild")

    def build(self, reference: str, target: str = "", idempotency_key: str = "") -> Operation:
        self._note("build", reference, target, idempotency_key)
        return operation(verb="build")

    def drop_build(self, reference: str, target: str) -> EnvironmentDetail:
        self._note("drop_build", reference, target)
        return self.detail

    def move(self, reference: str, location: str, idempotency_key: str = "") -> Operation:
        self._note("move", reference, location, idempotency_key)
        return operation(verb="move")

    def search(self, query: str, environment: str = "", manager: str = "", limit: int = 20) -> list[Hit]:
        self._note("search", query, environment, manager, limit)
        return [Hit(name="numpy", version="2.0", versions=3, source="index https://index.example/simple/")]

    def undoable(self, reference: str) -> Undo:
        self._note("undoable", reference)
        return Undo(what="", sentence="There is nothing to undo.")

    def undo(self, reference: str, request: Any = None, idempotency_key: str = "") -> Operation:
        self._note("undo", reference, request, idempotency_key)
        return operation(verb="change")

    def share(self, reference: str, request: Any, idempotency_key: str = "") -> Operation:
        self._note("share", reference, request, idempotency_key)
        return operation(verb="share")

    def unshare(self, reference: str, idempotency_key: str = "") -> Operation:
        self._note("unshare", reference, idempotency_key)
        return operation(verb="unshare")

    def use(self, reference: str, request: Any) -> EnvironmentDetail:
        self._note("use", reference, request)
        return self.detail

    def unuse(self, reference: str) -> None:
        self._note("unuse", reference)

    def adopt(self, request: Any) -> EnvironmentDetail:
        self._note("adopt", request)
        return self.detail

    def health(self, reference: str, *, hashes: bool = False) -> Health:
        self._note("health", reference, hashes)
        return Health(environment=ID, healthy=True, hashed=hashes, files=1, counts={}, problems=[])

    def examine(self, reference: str = "") -> list[Finding]:
        self._note("examine", reference)
        return [Finding(code="conda_init", message="m", breaks="b", severity="risk", advice="a")]

    def history(self, reference: str) -> list[Event]:
        self._note("history", reference)
        return [Event(at="2026-11-21T08:15:02.000Z", user="me", host="here", verb="create")]

    def sizes(self, references: Any = (), *, wait: bool = False) -> list[Size]:
        self._note("sizes", *references)
        return [Size(environment=ID, name="climate", location="home", measuring=True, outdated=True)]

    def caches(self, *, wait: bool = False) -> list[Cache]:
        self._note("caches")
        return [Cache(name="uv", path="/nowhere/uv", measuring=True)]

    def clean_caches(self, asked: Any) -> list[CleanedCache]:
        self._note("clean_caches", asked)
        return [CleanedCache(name="uv", path="/nowhere/uv", done=False, reason="It is in use.")]

    def submit(self, verb: str, request: Any, idempotency_key: str = "") -> Operation:
        self._note("submit", verb, request, idempotency_key)
        return operation()

    def plan(self, request: Any) -> Operation:
        self._note("plan", request)
        return operation()

    def change_packages(self, reference: str, changes: Any, idempotency_key: str = "") -> Operation:
        self._note("change_packages", reference, changes, idempotency_key)
        return operation()

    def export(self, reference: str, form: str = "") -> Any:
        self._note("export", reference, form)
        return {"format": form or "requirements.txt", "text": "numpy\n", "notes": []}

    def repair(self, reference: str) -> Operation:
        self._note("repair", reference)
        return operation()

    def patch(self, reference: str, patch: Any, if_match: int | None = None) -> EnvironmentDetail:
        self._note("patch", reference, patch, if_match)
        return detail(revision=4)

    def delete(self, reference: str, *, now: bool = False, force: bool = False) -> TrashItem:
        self._note("delete", reference, now, force)
        return item()

    def refresh(self, reference: str) -> EnvironmentDetail:
        self._note("refresh", reference)
        return self.detail

    def activation(self, reference: str, dialect: str = "", *, several: bool = False) -> Activation:
        self._note("activation", reference, dialect, several)
        return Activation(dialect=dialect or "sh", command=". /nowhere/climate/bin/activate")

    def install_activation(self, reference: str, dialect: str) -> Activation:
        self._note("install_activation", reference, dialect)
        return Activation(dialect=dialect, command="module load hpcenv/climate")

    def listing(self, query: str, provides: str, limit: int) -> dict[str, Any]:
        self._note("listing", query, provides, limit)
        return {"system": "none", "version": "", "total": 0, "modules": []}

    def at_hand(self) -> dict[str, Any]:
        self._note("at_hand")
        return {"system": "none", "loaded": [], "collections": []}

    def check(self, asked: Any, collection: str = "") -> ModuleCheck:
        self._note("check", asked, collection)
        return ModuleCheck(load=["gcc/12"], loaded=["gcc/12"], messages=[], python="", brings_packages=False)

    def packages(self, reference: str, *, inherited: bool = False) -> list[dict[str, str]]:
        self._note("packages", reference)
        return [{"name": "ipykernel", "version": "7", "source": "index"}]

    def publish(self, reference: str, kernel: str, patch: Any) -> Kernel:
        self._note("publish", reference, kernel, patch)
        return Kernel(name=kernel, display_name=patch.display_name)

    def unpublish(self, reference: str, kernel: str) -> None:
        self._note("unpublish", reference, kernel)

    def kernels(self) -> list[dict[str, str]]:
        self._note("kernels")
        return []

    def trash(self) -> list[TrashItem]:
        self._note("trash")
        return [item()]

    def restore(self, reference: str) -> EnvironmentDetail:
        self._note("restore", reference)
        return self.detail

    def empty(self, reference: str | None = None) -> list[TrashItem]:
        self._note("empty", reference)
        return [item()]

    def list(self) -> list[Operation]:
        self._note("list")
        return [operation()]

    def get(self, identifier: str) -> Operation:
        self._note("get", identifier)
        return operation()

    def log(self, identifier: str, offset: int = 0) -> LogPart:
        self._note("log", identifier, offset)
        return LogPart(lines=[LogLine(at=0.1, kind="step", text="Resolve")], offset=offset + 10, complete=False)

    def cancel(self, identifier: str) -> Operation:
        self._note("cancel", identifier)
        return operation(cancelling=True)

    def forget(self, identifier: str) -> None:
        self._note("forget", identifier)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing looks around in the background."""
    monkeypatch.setattr("jupyter_hpcenv.server.watcher.Watcher.start", lambda self, loop: None)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, quiet: None) -> StandIn:
    """The stand-in, in the place of the desk."""
    stand_in = StandIn()
    monkeypatch.setattr(HpcenvApp, "open_desk", lambda self: stand_in)
    return stand_in


@pytest.fixture
def ask(jp_fetch: Any, jp_serverapp: Any) -> Ask:
    """Send a request below ``hpcenv/`` and return the response, whatever its status.

    A `body` that is no text is sent as JSON; requests that need a body get an empty object.
    """

    async def send(method: str, path: str, *, body: Any = None, headers: Any = None, **arguments: Any) -> HTTPResponse:
        sent = dict(headers or {})
        if method in ("POST", "PUT", "PATCH"):
            sent.setdefault("Content-Type", "application/json")
            body = {} if body is None else body
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        path, _, query = path.partition("?")
        params = dict(pair.split("=", 1) for pair in query.split("&")) if query else {}
        return await jp_fetch(
            "hpcenv",
            *path.split("/"),
            method=method,
            body=body,
            headers=sent,
            params=params,
            raise_error=False,
            allow_nonstandard_methods=True,
            follow_redirects=False,
            **arguments,
        )

    return send


def told(response: HTTPResponse) -> Any:
    """Return the parsed body of an answer."""
    return json.loads(response.body)


def check_error(response: HTTPResponse, status: int, code: str) -> dict[str, Any]:
    """Assert the contract of an error's body, and return it."""
    assert response.code == status, response.body
    assert response.headers["Content-Type"] == "application/json"
    body = told(response)
    assert set(body) == {"message", "reason", "code", "hints"}
    assert body["code"] == code
    assert isinstance(body["reason"], str)
    assert isinstance(body["hints"], list)
    assert all(isinstance(hint, str) for hint in body["hints"])
    assert body["message"]
    assert body["message"].endswith(".")
    assert "Traceback" not in response.body.decode()
    return body


class Rights(Authorizer):
    """Allows some actions on our resource, and notes what it is asked."""

    def __init__(self, *allowed: str) -> None:
        super().__init__()
        self.allowed = allowed
        self.asked: list[tuple[str, str]] = []

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        self.asked.append((action, resource))
        return action in self.allowed
