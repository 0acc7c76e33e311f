"""A real Jupyter server process for tests, in a home of its own, asked as a script would ask it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

CHECKOUT = Path(__file__).resolve().parents[1]

#: What a machine's own set-up may tell programs about network and certificates; nothing else is inherited.
KEPT = [
    *("LANG", "PIP_CERT", "PIP_PROXY", "PIP_INDEX_URL", "PIP_TRUSTED_HOST"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
]


class Answer(NamedTuple):
    """What the server said; ``code`` is the error's, empty for what went well."""

    status: int
    body: Any
    code: str


class Server:
    """A Jupyter server on 127.0.0.1; *around* is a program that starts it, such as setpriv."""

    def __init__(
        self,
        home: Path,
        *,
        python: str = sys.executable,
        around: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        token: str = "",
        root: Path | None = None,
    ) -> None:
        self.home = home
        self.token = token or secrets.token_hex(24)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.env = {name: os.environ[name] for name in (*KEPT, "UV_CACHE_DIR") if name in os.environ}
        self.env |= {
            "HOME": str(home),
            "PATH": f"{Path(python).parent}:{os.defpath}",
            "PIP_CONFIG_FILE": os.devnull,
            "JUPYTER_PLATFORM_DIRS": "0",
            "JUPYTER_TOKEN": self.token,
            **(variables or {}),
        }
        options = {"ServerApp.ip": "127.0.0.1", "ServerApp.port": port, "ServerApp.port_retries": 0}
        options |= {"ServerApp.root_dir": root or home, "ServerApp.allow_root": True, "ServerApp.open_browser": False}
        arguments = [f"--{name}={value}" for name, value in options.items()]
        command = [*around, python, "-m", "jupyter", "server", *arguments]
        self.log = home / f"server-{port}.log"
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                command, env=self.env, cwd=home, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + 90
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(OSError):
                if self.ask("GET", "openapi.json").status == 200:
                    return
            time.sleep(0.1)
        self.stop()
        raise AssertionError(f"Jupyter Server did not start:\n{self.log.read_text()[-3000:]}")

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request below ``hpcenv/`` and return the answer, whatever its status."""
        status, text = self.raw(method, f"hpcenv/{path}", body, **headers)
        told = json.loads(text) if text else None
        return Answer(status, told, told["code"] if status >= 400 else "")

    def raw(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        """Send a request to the server and return status and bytes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            f"{self.url}/{path}",
            method=method,
            data=None if body is None and method not in ("POST", "PUT") else json.dumps(body or {}).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json", **named},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def ended(self, operation: str) -> dict[str, Any]:
        """Wait until an operation is finished and return it; the test's own timeout bounds it."""
        while not (now := self.ask("GET", f"operations/{operation}").body).get("finished"):
            assert "code" not in now, now
            time.sleep(0.15)
        return dict(now)

    def created(self, name: str, **request: Any) -> dict[str, Any]:
        """Create an environment and return it."""
        accepted = self.ask("POST", "environments", {"name": name, **request})
        assert accepted.status == 202, accepted
        done = self.ended(accepted.body["id"])
        assert done["state"] == "succeeded", done
        return dict(self.ask("GET", f"environments/{done['environment']['id']}").body)

    def stop(self) -> None:
        """End it, by force if it takes long."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Documented:
    """What docs/reference/rest.md promises: statuses of routes, and codes with theirs."""

    def __init__(self) -> None:
        text = (CHECKOUT / "docs" / "reference" / "rest.md").read_text()
        self.errors = {code: int(status) for code, status in re.findall(r"^\| `(\w+)` \| (\d+) \|", text, re.MULTILINE)}
        found = re.findall(r"^## (\w+) (\S+)\n(?:(?!## ).*\n)*?- answer: (\d+)", text, re.MULTILINE)
        self.good = {(method, path): int(status) for method, path, status in found}
        assert self.errors
        assert len(self.good) == text.count("\n- answer: ")

    def complaint(self, method: str, path: str, answer: Answer) -> str:
        """Return what is not as documented; *path* is the route's, with its words in braces."""
        if answer.code:
            wanted, flat = self.errors.get(answer.code), {"message", "reason", "code", "hints"}
            if set(answer.body) != flat or not answer.body["message"]:
                return f"{method} {path}: this is no error of ours: {answer}"
        else:
            wanted = self.good[method, path]
        return "" if answer.status == wanted else f"{method} {path} was answered {answer}; documented is {wanted}"
