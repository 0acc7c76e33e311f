"""The road through a real server, a real worker and a real package index: nothing here is a stand-in."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.admission import Admission

from .conftest import Ask, check_error, told

OPERATION_EVENT = "https://events.jupyter-hpcenv.org/operation/v1"
ENVIRONMENT_EVENT = "https://events.jupyter-hpcenv.org/environment/v1"
STEPS = ["prefix", "resolve", "download", "install", "prove", "publish"]
LONG = 240.0

pytestmark = pytest.mark.timeout(600)


class Road:
    """A server, a way to ask it, and the events that it emitted."""

    def __init__(self, ask: Ask, fetch: Any, app: Any) -> None:
        self.ask = ask
        self.fetch = fetch
        self.app = app
        self.extension = app.web_app.settings["hpcenv"]
        self.events: list[tuple[str, dict[str, Any]]] = []
        app.event_logger.add_listener(listener=self._listen)

    async def _listen(self, logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        self.events.append((schema_id, data))

    def actions(self) -> list[str]:
        return [data["action"] for schema, data in self.events if schema == ENVIRONMENT_EVENT]

    def states(self) -> list[tuple[str, int]]:
        return [(data["state"], data["step"]) for schema, data in self.events if schema == OPERATION_EVENT]

    async def ready(self) -> None:
        """Wait until the watchers know what was there before."""
        await until(self.extension.watcher.environments.looked.is_set)
        await until(self.extension.watcher.operations.looked.is_set)

    async def create(self, **request: Any) -> dict[str, Any]:
        response = await self.ask("POST", "environments", body=request, request_timeout=60)
        assert response.code == 202, response.body
        operation: dict[str, Any] = told(response)
        return operation

    async def follow(self, identifier: str) -> dict[str, Any]:
        """Poll an operation as a panel does, until it is over."""
        deadline = time.monotonic() + LONG
        while time.monotonic() < deadline:
            operation: dict[str, Any] = told(await self.ask("GET", f"operations/{identifier}?no_track_activity=1"))
            if operation["state"] not in ("pending", "running"):
                return operation
            await asyncio.sleep(0.1)
        raise AssertionError(f"still {operation['state']}: {operation}")

    async def log(self, identifier: str) -> list[dict[str, Any]]:
        """Read a log part by part, as a follower does."""
        lines: list[dict[str, Any]] = []
        offset = 0
        while True:
            part = told(await self.ask("GET", f"operations/{identifier}/log?offset={offset}"))
            lines += part["lines"]
            assert part["offset"] >= offset
            if part["complete"]:
                return lines
            assert part["offset"] > offset or not part["lines"]
            offset = part["offset"]


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)


@pytest.fixture
def road(ask: Ask, jp_fetch: Any, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch) -> Road:
    monkeypatch.delenv("PYTHONPATH", raising=False)  # pytest-jupyter sets it, and kernels must not find our packages
    return Road(ask, jp_fetch, jp_serverapp)


async def test_road(road: Road, jp_base_url: str) -> None:
    ask = road.ask
    await road.ready()
    started = time.monotonic()

    # create, twice with one key
    key = {"Idempotency-Key": "one-click"}
    request = {"name": "climate", "display_name": "Climate", "variables": {"REGION": "north"}}
    first = await ask("POST", "environments", body=request, headers=key, request_timeout=60)
    assert first.code == 202, first.body
    operation = told(first)
    assert first.headers["Location"] == f"{jp_base_url}hpcenv/operations/{operation['id']}"
    again = await ask("POST", "environments", body=request, headers=key)
    assert told(again)["id"] == operation["id"]
    other = await ask("POST", "environments", body={**request, "name": "ocean"}, headers=key)
    check_error(other, 409, "wrong_state")
    check_error(await ask("POST", "environments", body=request), 409, "busy")

    # follow
    done = await road.follow(operation["id"])
    assert done["state"] == "succeeded", (done["error"], await road.log(operation["id"]))
    assert [step["name"] for step in done["steps"]] == STEPS
    assert {step["state"] for step in done["steps"]} == {"done"}
    await until(lambda: "created" in road.actions())
    await until(lambda: ("succeeded", 6) in road.states())
    steps = [step for _, step in road.states()]
    assert steps == sorted(steps)
    assert len(road.states()) == len(set(road.states())), "no state is told twice"
    assert (await ask("GET", f"operations/{operation['id']}")).code == 200
    lines = await road.log(operation["id"])
    assert [line["kind"] for line in lines].count("step") == len(STEPS)
    ahead = told(await ask("GET", f"operations/{operation['id']}/log?offset=99999999"))
    assert ahead["lines"] == []
    assert road.app.web_app.settings["last_activity_times"]["hpcenv"] is not None
    print(f"created in {time.monotonic() - started:.1f} s")

    # read
    identifier = done["environment"]["id"]
    [row] = told(await ask("GET", "environments?name=climate"))
    assert (row["id"], row["state"], row["display_name"]) == (identifier, "ready", "Climate")
    shown = await ask("GET", f"environments/{identifier}")
    etag = shown.headers["ETag"]
    assert told(shown)["variables"] == {"REGION": "north"}
    assert "ipykernel" in {package["name"] for package in told(await ask("GET", f"environments/{identifier}/packages"))}
    activation = told(await ask("GET", f"environments/{identifier}/activation?dialect=fish"))
    assert activation["command"].endswith("activate.fish'")
    check_error(await ask("GET", f"environments/{identifier}/activation?dialect=rc"), 400, "invalid_request")
    kernel = row["kernels"][0]["name"]
    [published] = told(await ask("GET", "kernels"))
    assert (published["name"], published["environment"], published["state"]) == (kernel, identifier, "ready")
    check_error(await ask("DELETE", f"operations/{'0' * 8}-000000-{'0' * 8}"), 404, "not_found")
    check_error(await ask("POST", f"operations/{operation['id']}/cancel"), 409, "wrong_state")

    # change
    changed = await ask(
        "PATCH", f"environments/{identifier}", body={"display_name": "Weather"}, headers={"If-Match": etag}
    )
    assert told(changed)["display_name"] == "Weather"
    assert changed.headers["ETag"] != etag
    stale = await ask("PATCH", f"environments/{identifier}", body={"display_name": "X"}, headers={"If-Match": etag})
    check_error(stale, 412, "precondition_failed")
    bad = await ask("PATCH", f"environments/{identifier}", body={"variables": {"LD_PRELOAD": "/tmp/x.so"}})
    check_error(bad, 400, "invalid_variable")
    await until(lambda: "changed" in road.actions())
    assert (await ask("DELETE", f"environments/{identifier}/kernels/{kernel}")).code == 204
    assert told(await ask("GET", "kernels")) == []
    put = await ask("PUT", f"environments/{identifier}/kernels/{kernel}", body={"display_name": "Weather again"})
    assert told(put)["display_name"] == "Weather again", put.body
    check_error(await ask("PUT", f"environments/{identifier}/kernels/hpcenv-home.other"), 404, "not_found")

    # use: a notebook's session in this very server
    body = {"path": "north/a.ipynb", "type": "notebook", "name": "a", "kernel": {"name": kernel}}
    session = told(await road.fetch("api", "sessions", method="POST", body=json.dumps(body), request_timeout=60))
    assert session["kernel"]["name"] == kernel

    # delete
    busy = check_error(await ask("DELETE", f"environments/{identifier}"), 409, "kernel_running")
    assert "north/a.ipynb" in busy["message"]
    item = told(await ask("DELETE", f"environments/{identifier}?force=1", request_timeout=60))
    assert item["id"] == identifier
    assert told(await road.fetch("api", "sessions")) == []
    assert told(await road.fetch("api", "kernels")) == []
    assert kernel not in told(await road.fetch("api", "kernelspecs"))["kernelspecs"]
    check_error(await ask("GET", f"environments/{identifier}"), 404, "not_found")
    await until(lambda: "deleted" in road.actions())

    # restore, then for good
    assert [each["id"] for each in told(await ask("GET", "trash"))] == [identifier]
    restored = await ask("POST", f"trash/{identifier}/restore")
    assert told(restored)["state"] == "ready", restored.body
    assert kernel in told(await road.fetch("api", "kernelspecs"))["kernelspecs"]
    await until(lambda: "restored" in road.actions())
    check_error(await ask("POST", f"trash/{identifier}/restore"), 404, "not_found")
    path = Path(told(await ask("DELETE", f"environments/{identifier}"))["path"])
    await until(lambda: road.actions().count("deleted") == 2)
    assert (await ask("DELETE", f"trash/{identifier}")).code == 204
    assert told(await ask("GET", "trash")) == []
    await until(lambda: "removed" in road.actions())
    await until(lambda: not list(path.parent.iterdir()))
    assert (await ask("DELETE", f"operations/{operation['id']}")).code == 204
    assert told(await ask("GET", "operations")) == []


async def test_cancel(road: Road) -> None:
    """A build that is cancelled says so, and leaves no prefix, no record and no kernelspec."""
    await road.ready()
    operation = await road.create(name="gone", packages=["numpy"])
    asked = await road.ask("POST", f"operations/{operation['id']}/cancel")
    assert asked.code == 202
    assert told(asked)["cancelling"] or told(asked)["state"] == "cancelled"
    done = await road.follow(operation["id"])
    assert done["state"] == "cancelled", done
    assert not Path(done["environment"]["prefix"]).exists()
    assert told(await road.ask("GET", "environments?location=home")) == []
    await until(lambda: road.states() and road.states()[-1][0] == "cancelled")


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server looks at what others may have changed five times a second instead of every two seconds."""
    monkeypatch.setattr("jupyter_hpcenv.server.watch_environments.INTERVAL", 0.2)
    monkeypatch.setattr("jupyter_hpcenv.server.watch_operations.IDLE", 0.2)


@pytest.mark.usefixtures("eager")
async def test_changes_from_elsewhere(road: Road) -> None:
    """What the command line does while the server runs is told as well: build, deletion, restoration, the end."""
    await road.ready()
    elsewhere = await asyncio.to_thread(Admission)
    from jupyter_hpcenv.models import CreateRequest

    operation = await asyncio.to_thread(elsewhere.submit, "create", CreateRequest(name="plain", kernel=False))
    done = await road.follow(operation.id)
    assert done["state"] == "succeeded", (done["error"], await road.log(operation.id))
    await until(lambda: road.actions() == ["created"])
    await until(lambda: ("succeeded", done["step"]) in road.states())
    identifier = done["environment"]["id"]
    await asyncio.to_thread(elsewhere.delete, identifier)
    await until(lambda: road.actions() == ["created", "deleted"])
    await asyncio.to_thread(elsewhere.restore, identifier)
    await until(lambda: road.actions() == ["created", "deleted", "restored"])
    await asyncio.to_thread(elsewhere.delete, identifier, now=True)
    await until(lambda: road.actions() == ["created", "deleted", "restored", "removed"])


async def test_event_socket(road: Road, jp_ws_fetch: Any) -> None:
    """What a panel receives, over the wire."""
    await road.ready()
    socket = await jp_ws_fetch("api", "events", "subscribe")
    try:
        operation = await road.create(name="gone")
        message = json.loads(await asyncio.wait_for(socket.read_message(), 30))
        assert message["schema_id"] == OPERATION_EVENT
        assert message["operation"] == operation["id"]
        assert message["state"] in ("pending", "running")
        await road.ask("POST", f"operations/{operation['id']}/cancel")
        await road.follow(operation["id"])
    finally:
        socket.close()


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"name": "base"}, 400, "invalid_name"),
        ({"name": "../x"}, 400, "invalid_name"),
        ({"name": "a", "python": "2.7"}, 400, "python_not_found"),
        ({"name": "a", "manager": "nix"}, 400, "manager_not_found"),
        ({"name": "a", "location": "moon"}, 404, "not_found"),
        ({"name": "a", "packages": ["--index-url=https://example.invalid"]}, 400, "invalid_requirement"),
        ({"name": "a", "requirements": "numpy\n-r other.txt\n"}, 400, "invalid_requirement"),
        ({"name": "a", "variables": {"LD_PRELOAD": "x"}}, 400, "invalid_variable"),
        ({"name": "a", "prefix": "/etc/x"}, 403, "refused"),
        ({"name": "a", "display_name": "two\nlines"}, 400, "invalid_name"),
    ],
)
async def test_refused_at_once(road: Road, request_: dict[str, Any], status: int, code: str) -> None:
    body = check_error(await road.ask("POST", "environments", body=request_), status, code)
    assert body["hints"], "a person is told what to do"
    assert told(await road.ask("GET", "operations")) == []
