"""A Hub with its culler of idle servers: a build keeps its server, an open panel keeps none."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import websocket

from ..cli.conftest import SLOW_BACKEND
from .running import EVERYTHING, TIMEOUT, Hub, require_hub

#: What the panel asks for while it is open, with the parameter that labextension/src/request.ts adds to all of it.
POLLED = ("site", "environments", "operations", "trash")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    require_hub()
    running = Hub(tmp_path, cull=True)
    yield running
    running.stop()


@pytest.fixture
def project(hub: Hub) -> Iterator[Path]:
    """A project of the user “builder” whose build waits until the file “go” is there; it gets there at the end."""
    folder = hub.home("builder") / "slow"
    folder.mkdir()
    (folder / "backend.py").write_text(SLOW_BACKEND)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "slow"\nversion = "1.0"\n'
    )
    yield folder
    (folder / "go").touch()


class Panel:
    """What an open panel does: it holds the socket of events, and asks again and again."""

    def __init__(self, hub: Hub, user: str) -> None:
        self.asked = 0
        self._hub, self._user, self._token = hub, user, hub.token_for(user, *EVERYTHING)
        self._over = threading.Event()
        url = f"{hub.url.replace('http', 'ws')}/user/{user}/api/events/subscribe"
        self.events = websocket.create_connection(url, header=[f"Authorization: token {self._token}"], timeout=30)
        self._thread = threading.Thread(target=self._poll)
        self._thread.start()

    def _poll(self) -> None:
        while not self._over.wait(0.3):
            for path in POLLED:
                with contextlib.suppress(AssertionError):  # the Hub ended
                    address = f"user/{self._user}/hpcenv/{path}?no_track_activity=1"
                    if self._hub.ask("GET", address, token=self._token).status == 200:
                        self.asked += 1

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self.events.close()


def test_a_build_keeps_its_server_and_an_open_panel_keeps_none(hub: Hub, project: Path) -> None:
    """Nobody does anything on either server once the build has been asked for and the panel is open."""

    def build() -> str:
        hub.begin("builder")
        asked = {"name": "it", "packages": [f"-e {project}"], "kernel": False}
        token = hub.token_for("builder", *EVERYTHING)
        return str(hub.call("POST", "user/builder/hpcenv/environments", asked, token)["id"])

    def read() -> Panel:
        hub.begin("reader")
        return Panel(hub, "reader")

    with ThreadPoolExecutor(2) as pool:
        building, reading = pool.submit(build), pool.submit(read)
        operation, panel = building.result(), reading.result()
    status = hub.home("builder") / ".local/share/jupyter/hpcenv/operations" / operation / "status.json"
    try:
        hub.until((project / "started").exists)
        asked = time.monotonic()
        hub.until(lambda: not hub.server("reader"))
        assert panel.asked > 2 * len(POLLED)
    finally:
        panel.close()
    assert json.loads(status.read_text())["state"] == "running"
    # nobody had to do with the builder's since then; the culler and what it counts on look once a second
    hub.until(lambda: time.monotonic() - asked > TIMEOUT + 4 or not hub.server("builder"))
    assert hub.server("builder").get("ready"), hub.said()
    (project / "go").touch()
    hub.until(lambda: json.loads(status.read_text())["state"] == "succeeded")
    hub.until(lambda: not hub.server("builder"))  # now the culler may take it
