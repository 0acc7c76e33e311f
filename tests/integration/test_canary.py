"""Planted secrets, searched for afterwards in every file, argument list, log, event and answer.

The server gets them as a Hub would give them; a package of the test's own looks at what its build, and each
Python of the environment, can see; an index asks for a password.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import os
import stat
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

from jupyter_hpcenv.managers import index

from ..serving import Server

TOKENS = {
    "JUPYTER_TOKEN": "canary1-token-of-the-server",
    "JUPYTERHUB_API_TOKEN": "canary2-token-of-the-hub",
    "AWS_SECRET_ACCESS_KEY": "canary3-key-of-a-cloud",
    "SLURM_JWT": "canary4-token-of-the-batch-system",
}
PASSWORD = "canary5-password-of-the-index"
VARIABLE = "canary6-value-of-a-variable"
EVERY = [*TOKENS.values(), PASSWORD, VARIABLE]

DUMP = """import json, os
folder = os.path.join(os.environ["HOME"], "dumps")
with open(os.path.join(folder, "{what}-" + str(os.getpid())), "w") as file:
    json.dump([dict(os.environ), open("/proc/self/cmdline", errors="replace").read()], file)
"""
BACKEND = """import os, pathlib, zipfile
exec({build!r})
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "canary-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("canary.pth", "import canary_dump" + chr(10))
        wheel.writestr("canary_dump.py", {start!r})
        facts = "canary-1.0.dist-info/"
        wheel.writestr(facts + "METADATA", "Metadata-Version: 2.1\\nName: canary\\nVersion: 1.0\\n")
        wheel.writestr(facts + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(facts + "RECORD", "")
    return name
"""


def sdist() -> bytes:
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "PKG-INFO": "Metadata-Version: 2.1\nName: canary\nVersion: 1.0\n",
        "backend.py": BACKEND.format(build=DUMP.format(what="build"), start=DUMP.format(what="start")),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            facts = tarfile.TarInfo(f"canary-1.0/{name}")
            facts.size = len(text.encode())
            archive.addfile(facts, io.BytesIO(text.encode()))
    return packed.getvalue()


class Index(http.server.BaseHTTPRequestHandler):
    """Has our package for who knows the password, and sends everybody to the usual index for the others."""

    archive = sdist()
    usual = os.environ.get("PIP_INDEX_URL") or index.default()
    given = 0

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        wanted = "Basic " + base64.b64encode(f"user:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != wanted:
            self._answer(401, b"", **{"WWW-Authenticate": 'Basic realm="simple"'})
            return
        name = self.path.strip("/").rpartition("/")[2]
        if name == "canary":
            digest = hashlib.sha256(self.archive).hexdigest()
            link = f'<a href="/files/canary-1.0.tar.gz#sha256={digest}">canary-1.0.tar.gz</a>'
            self._answer(200, link.encode(), **{"Content-Type": "text/html"})
        elif name == "canary-1.0.tar.gz":
            type(self).given += 1
            self._answer(200, self.archive)
        elif name == "canary-absent":
            self._answer(404, b"")
        else:
            self._answer(302, b"", Location=f"{self.usual.rstrip('/')}/{name}/")

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def guarded() -> Iterator[http.server.ThreadingHTTPServer]:
    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


class Watch:
    """Reads the argument lists of all new processes, over and over, and keeps those with a canary in them."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.looks = 0
        self._others = set(os.listdir("/proc"))  # what was there before the test is none of its processes
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(0.03):
            self.looks += 1
            there = set(os.listdir("/proc"))
            self._others &= there
            for pid in filter(str.isdigit, there - self._others):
                try:
                    said = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
                except OSError:
                    continue
                if any(canary in said for canary in EVERY):
                    self.seen.add(said)


class Events:
    """Listens to the server's events until it is told to stop."""

    def __init__(self, server: Server) -> None:
        address = f"{server.url.replace('http', 'ws')}/api/events/subscribe"
        self._channel = websocket.create_connection(address, header=[f"Authorization: token {server.token}"])
        self.told: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while message := self._channel.recv():
                self.told.append(str(message))
        except (OSError, websocket.WebSocketException):
            return

    def stop(self) -> None:
        self._channel.shutdown()
        self._thread.join(10)


def holding(folder: Path, canary: str) -> set[Path]:
    """Return the files below *folder* that have the canary in them, or in their names."""
    found = set()
    for path in folder.rglob("*"):
        if canary in path.name:
            found.add(path)
        if stat.S_ISREG(path.lstat().st_mode) and canary.encode() in path.read_bytes():
            found.add(path)
    return found


def looked_into(server: Server, *more: str) -> dict[str, bytes]:
    """Return every answer that a GET gives, by its address."""
    addresses = ["site", "environments", "operations", "trash", "kernels", *more]
    addresses += [
        f"operations/{operation['id']}{part}"
        for operation in server.ask("GET", "operations").body
        for part in ("", "/log?offset=0")
    ]
    for row in server.ask("GET", "environments").body:
        addresses += [f"environments/{row['id']}{part}" for part in ("", "/packages", "/activation")]
    return {address: server.raw("GET", f"hpcenv/{address}")[1] for address in addresses}


def test_secrets_are_found_nowhere_they_should_not_be(home: Path, guarded: http.server.ThreadingHTTPServer) -> None:
    (home / "dumps").mkdir()
    url = f"http://user:{PASSWORD}@127.0.0.1:{guarded.server_port}/simple/"
    watch = Watch()
    server = Server(home, variables={**TOKENS, "PIP_INDEX_URL": url}, token=TOKENS["JUPYTER_TOKEN"])
    events = Events(server)
    answers: dict[str, bytes] = {}
    try:
        with watch:
            made = server.created("held", packages=["canary"], variables={"MY_API_KEY": VARIABLE}, installer="pip")
            for request in ({"packages": ["canary==9"]}, {"packages": ["canary-absent"]}):
                refused = server.ask("POST", "environments", {"name": "failed", **request})
                if refused.status == 202:
                    assert server.ended(refused.body["id"])["state"] == "failed"
                answers[f"POST {request}"] = json.dumps(refused.body).encode()
            guarded.shutdown()
            guarded.server_close()
            unreachable = server.ask("POST", "environments", {"name": "failed", "packages": ["canary"]})
            assert unreachable.code == "index_unreachable"
            answers["POST without an index"] = json.dumps(unreachable.body).encode()
            identifier = made["id"]
            assert server.ask("PATCH", f"environments/{identifier}", {"display_name": "Held"}).status == 200
            edited = {name for name, variables, _ in dumps(home) if "HPCENV_OPERATION" not in variables}
            assert edited  # the server has proven the kernel again
            answers.update(looked_into(server))
            started = server.raw("POST", "api/kernels", {"name": "hpcenv-home.held"})
            assert started[0] == 201, started
            answers["api/kernelspecs"] = server.raw("GET", "api/kernelspecs")[1]
            while all("HPCENV_OPERATION" in each or name in edited for name, each, _ in dumps(home)):
                time.sleep(0.05)  # until the kernel that a person started has come up
    finally:
        events.stop()
        server.stop()
    prefix, data = Path(made["prefix"]), home / ".local" / "share" / "jupyter"

    assert Index.given == 1
    assert watch.looks > 20
    assert watch.seen == set()
    assert len(events.told) > 3
    assert [each for each in events.told if any(canary in each for canary in EVERY)] == []

    # The server's own tokens: nowhere. A kernel that a person starts gets what Jupyter Server gives it, so it may
    # use the Hub, as upstream means it; builds and the proof of the kernel get none of it.
    own = [name for name, _, _ in dumps(home)]
    assert {name.partition("-")[0] for name in own} == {"build", "start"}
    proofs = [each for _, each, _ in dumps(home) if "HPCENV_OPERATION" in each and each.get("MY_API_KEY") == VARIABLE]
    assert proofs
    for canary in TOKENS.values():
        assert not {path for path in holding(home, canary) if path.parent.name != "dumps"}
        assert [address for address, answer in answers.items() if canary.encode() in answer] == []
    for name, variables, arguments in dumps(home):
        seen = json.dumps([variables, arguments])
        assert not [canary for canary in EVERY if canary in arguments], name
        if "HPCENV_OPERATION" in variables or name in edited:
            assert not [canary for canary in TOKENS.values() if canary in seen], name

    # The password of an index: its installer needs it, and so does what it starts; it is written nowhere.
    assert not {path for path in holding(home, PASSWORD) if path.parent.name != "dumps"}
    assert [address for address, answer in answers.items() if PASSWORD.encode() in answer] == []
    for name, variables, _ in dumps(home):
        assert {each for each, value in variables.items() if PASSWORD in value} <= {"PIP_INDEX_URL"}, name

    # A variable that a person asked for is theirs: it lies in the record, the launch script and the scripts for
    # shells, which must be readable to whoever may use the environment, and else only in what this user alone can read.
    operation = data / "hpcenv" / "operations" / made["operation"] / "operation.json"
    copy = data / "hpcenv" / "environments" / f"{made['id']}.json"
    copy = copy if copy.exists() else next(path for path in (data / "hpcenv").rglob(f"{made['id']}.json"))
    names = ("environment.json", "launch", "activate.sh", "activate.csh", "activate.fish")
    expected = {*(prefix / ".hpcenv" / name for name in names), operation, copy}
    assert {path for path in holding(home, VARIABLE) if path.parent.name != "dumps"} == expected
    for path in (operation, copy):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(prefix.parent.stat().st_mode) == 0o700  # nobody else gets as far as the record
    shown = {address for address, answer in answers.items() if VARIABLE.encode() in answer}
    here = f"environments/{made['id']}"
    assert shown == {here, f"{here}/activation", f"operations/{made['operation']}", "operations"}


def dumps(home: Path) -> list[tuple[str, dict[str, Any], str]]:
    """Return (what, variables, argument list) of each program that the package was loaded in."""
    found = []
    for path in sorted((home / "dumps").iterdir()):
        try:
            variables, arguments = json.loads(path.read_text())
        except ValueError:
            continue  # it is being written
        found.append((path.name, variables, arguments))
    return found
