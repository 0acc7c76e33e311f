"""What changes on the disk becomes an event, once, whoever changed it; and the loops that look can not be killed."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import yaml
from jupyter_events import EventLogger
from traitlets.config import Config

from jupyter_hpcenv.models import Progress, Status, Step, Target, Ticket, utc_now
from jupyter_hpcenv.operations import Operations
from jupyter_hpcenv.operations.folder import Folder
from jupyter_hpcenv.process import identity
from jupyter_hpcenv.server import poller as poller_module
from jupyter_hpcenv.server import watch_operations
from jupyter_hpcenv.server.app import EVENT_SCHEMAS
from jupyter_hpcenv.server.poller import Poller
from jupyter_hpcenv.server.watch_environments import Seen, differences
from jupyter_hpcenv.server.watch_operations import OperationsPoller
from jupyter_hpcenv.server.watcher import FIRST_SWEEP, Sweeper, Watcher
from jupyter_hpcenv.site import Site

from .conftest import ID, OPERATION, detail

LOG = logging.getLogger("test")


# -- the loop ----------------------------------------------------------------


class Scripted(Poller):
    """Does at each look what its script says next."""

    def __init__(self, script: list[Exception | float]) -> None:
        super().__init__("scripted", LOG)
        self.script = script
        self.looks = 0
        self.turn = threading.Semaphore(0)

    def look(self) -> float:
        self.looks += 1
        done = self.script.pop(0) if self.script else 1_000.0
        self.turn.release()
        if isinstance(done, Exception):
            raise done
        return done


@pytest.fixture
def stopping() -> Iterator[list[Poller]]:
    started: list[Poller] = []
    yield started
    for poller in started:
        poller.stop()


def test_same_failure_is_logged_once(stopping: list[Poller], caplog: pytest.LogCaptureFixture) -> None:
    poller = Scripted([ValueError("a"), ValueError("a"), ValueError("b"), 1_000.0, ValueError("b"), 1_000.0])
    stopping.append(poller)
    with caplog.at_level(logging.WARNING):
        poller.start()
        for _ in range(6):
            assert poller.turn.acquire(timeout=20)
            poller.wake()
        assert poller.turn.acquire(timeout=20)
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"hpcenv: scripted: ValueError: {text}" for text in "abb"]


def test_failure_is_not_retried_at_once() -> None:
    poller = Scripted([OSError("gone")])
    assert poller._look_once() == poller_module.AFTER_FAILURE


def test_stop_ends_the_thread() -> None:
    poller = Scripted([1_000.0])
    poller.start()
    assert poller.looked.wait(20)
    poller.stop(timeout=20)
    assert not poller._thread.is_alive()


def test_stop_before_start() -> None:
    Scripted([]).stop()


# -- operations ----------------------------------------------------------------


class World:
    """Operations on a real disk, and a poller whose looks the test calls itself."""

    def __init__(self) -> None:
        self.site = Site(config=Config())
        self.operations = Operations(self.site)
        self.told: list[dict[str, Any]] = []
        self.activity: dict[str, datetime] = {}
        self.finished = 0
        self.reconciled = 0
        self.poller = OperationsPoller(
            lambda: SimpleNamespace(operations=self.operations, reconcile=self.reconcile),  # type: ignore[arg-type,return-value]
            self.tell,
            self.activity,
            self.finish,
            LOG,
        )

    def tell(self, schema: str, data: dict[str, Any]) -> None:
        assert schema == watch_operations.SCHEMA
        self.told.append(data)

    def finish(self) -> None:
        self.finished += 1

    def reconcile(self) -> list[str]:
        self.reconciled += 1
        return []

    def look(self) -> list[dict[str, Any]]:
        """Look once and return what was told at that."""
        self.told.clear()
        self.pause = self.poller.look()
        return list(self.told)

    def put(self, status: Status, identifier: str = OPERATION) -> Folder:
        place = self.operations.root / identifier
        place.mkdir(exist_ok=True)
        ticket = msgspec.convert(
            {
                "id": identifier,
                "verb": "create",
                "target": Target(id=ID, name="climate", location="home", prefix="/nowhere/climate"),
                "root": "/nowhere",
                "request": {"name": "climate", "variables": {"TOKEN": "canary"}},
                "config": {},
                "work": {},
                "steps": [],
                "submitted": utc_now(),
                "user": "me",
                "host": socket.gethostname(),
            },
            Ticket,
        )
        (place / "operation.json").write_bytes(msgspec.json.encode(ticket))
        folder = Folder(place)
        folder.write_status(status)
        return folder


@pytest.fixture
def world() -> World:
    return World()


def running(step: int, **more: Any) -> Status:
    steps = [Step(name=name, title=name.title()) for name in ("prefix", "resolve", "install")]
    for number, each in enumerate(steps, 1):
        each.state = "done" if number < step else "running" if number == step else "todo"
    return Status(state="running", process=identity(), steps=steps, **more)


def test_each_change_of_state_or_step_is_told_once(world: World) -> None:
    assert world.look() == []
    assert world.pause == watch_operations.IDLE
    folder = world.put(running(1))
    [first] = world.look()
    assert first == {
        "operation": OPERATION,
        "verb": "create",
        "state": "running",
        "cancelling": False,
        "step": 1,
        "steps": 3,
        "environment_id": ID,
        "name": "climate",
        "location": "home",
        "waiting": "",
    }
    assert world.pause == watch_operations.ACTIVE
    assert world.look() == []
    folder.write_status(running(1, progress=Progress(packages_done=3)))
    assert world.look() == [], "progress within a step is no event"
    folder.write_status(running(2))
    assert [event["step"] for event in world.look()] == [2]
    folder.ask_to_cancel()
    assert [event["cancelling"] for event in world.look()] == [True]
    folder.write_status(Status(state="cancelled", steps=running(2).steps, finished=utc_now()))
    assert [event["state"] for event in world.look()] == ["cancelled"]
    assert world.finished == 1
    assert world.look() == []
    assert world.pause == watch_operations.IDLE


def test_what_was_there_before_the_server_is_not_told_until_it_changes(world: World) -> None:
    folder = world.put(running(1))
    world.put(Status(state="succeeded", finished=utc_now()), "20251121-081502-7f3a9c1e")
    assert world.look() == []
    folder.write_status(running(2))
    assert [event["step"] for event in world.look()] == [2]


def test_operation_that_began_and_ended_between_two_looks(world: World) -> None:
    world.look()
    world.put(Status(state="failed", finished=utc_now()))
    assert [event["state"] for event in world.look()] == ["failed"]


def test_event_holds_nothing_of_the_request(world: World) -> None:
    world.look()
    world.put(running(1))
    assert "canary" not in str(world.look())


def test_running_operation_keeps_the_server_awake(world: World) -> None:
    folder = world.put(running(1))
    world.look()
    first = world.activity["hpcenv"]
    assert first.tzinfo is not None, "Jupyter Server compares it with its own times"
    world.look()
    assert world.activity["hpcenv"] > first
    folder.write_status(Status(state="succeeded", finished=utc_now()))
    world.look()
    last = world.activity["hpcenv"]
    world.look()
    assert world.activity["hpcenv"] == last


def test_operation_of_another_host_keeps_nothing_awake(world: World) -> None:
    status = running(1)
    assert status.process is not None
    status.process.host = "login2.example"
    world.put(status)
    world.look()
    world.look()
    assert world.activity == {}


def test_dead_worker_is_noticed_without_any_change_on_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    status = running(1)
    assert status.process is not None
    status.process.start -= 1  # that very process is no more
    world.put(running(1))
    world.look()
    before = world.reconciled
    monkeypatch.setattr(watch_operations, "REREAD", 0.0)
    place = world.operations.root / OPERATION / "status.json"
    facts = place.stat()
    place.write_bytes(
        place.read_bytes().replace(b'"start": %d' % (status.process.start + 1), b'"start": %d' % status.process.start)
    )
    os.utime(place, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert [event["state"] for event in world.look()] == ["interrupted"]
    assert world.reconciled == before + 1


def test_damaged_operation_hides_nothing(world: World) -> None:
    world.look()
    damaged = world.put(running(1), "20261121-000000-00000000")
    (damaged.path / "operation.json").write_text("{")
    world.put(running(1))
    assert [event["operation"] for event in world.look()] == [OPERATION]


def test_forgotten_operation(world: World) -> None:
    folder = world.put(running(1))
    world.look()
    for path in folder.path.iterdir():
        path.unlink()
    folder.path.rmdir()
    assert world.look() == []
    assert world.pause == watch_operations.IDLE


# -- environments --------------------------------------------------------------


def test_differences() -> None:
    row, other = detail(), detail(id="f" * 32, name="ocean", kernels=[])
    changed = detail(display_name="Climate of the north")
    there, trashed = {ID: ("climate", "home")}, Seen({}, {ID: ("climate", "home")})
    nothing, one = Seen({}, {}), Seen({ID: row}, {})

    def actions(before: Seen, after: Seen) -> list[tuple[str, str]]:
        return [(name, action) for _, name, _, action in differences(before, after)]

    assert actions(one, one) == []
    assert actions(nothing, one) == [("climate", "created")]
    assert actions(one, Seen({ID: changed}, {})) == [("climate", "changed")]
    assert actions(one, trashed) == [("climate", "deleted")]
    assert actions(one, nothing) == [("climate", "removed")]
    assert actions(trashed, one) == [("climate", "restored")]
    assert actions(trashed, nothing) == [("climate", "removed")]
    assert actions(Seen({ID: row}, there), Seen({ID: row}, {})) == [], "an older copy in the trash is no environment"
    assert actions(one, Seen({ID: row, other.id: other}, {})) == [("ocean", "created")]


# -- all of it -----------------------------------------------------------------


def test_sweeper_waits_at_first() -> None:
    swept: list[int] = []
    sweeper = Sweeper(lambda: SimpleNamespace(sweep=lambda: swept.append(1)), LOG)  # type: ignore[arg-type,return-value]
    assert sweeper.look() == FIRST_SWEEP
    assert swept == []
    sweeper.look()
    assert swept == [1]


async def test_listener_that_raises_and_loop_that_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    def emit(schema: str, data: dict[str, Any]) -> None:
        raise ValueError("a site's own sink")

    def no_desk() -> Any:
        raise OSError("no desk in this test")

    watcher = Watcher(open_desk=no_desk, emit=emit, activity={}, log=LOG)
    watcher._tell("x", {})  # before the start: nobody can listen
    watcher._loop = asyncio.get_running_loop()
    with caplog.at_level(logging.WARNING):
        watcher._tell("x", {})
        await asyncio.sleep(0)
    assert "a site's own sink" in caplog.text
    closed = asyncio.new_event_loop()
    closed.close()
    watcher._loop = closed
    watcher._tell("x", {})


@pytest.mark.parametrize("name", ["operation", "environment"])
def test_schema(name: str) -> None:
    path = EVENT_SCHEMAS / f"{name}.yaml"
    EventLogger().register_event_schema(path)
    schema = yaml.safe_load(path.read_text())
    assert schema["$id"] == f"https://events.jupyter-hpcenv.org/{name}/v1"
    assert set(schema["required"]) == set(schema["properties"])
    assert schema["additionalProperties"] is False
    assert all("description" in each for each in schema["properties"].values())


def test_no_other_schema() -> None:
    assert {path.name for path in Path(EVENT_SCHEMAS).iterdir()} == {
        "operation.yaml",
        "environment.yaml",
        "kernel.yaml",
    }
