"""`client.py` alone, without the package: whom it talks to, and whom it never gives its token."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import json
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import jupyter_hpcenv

SOURCE = Path(jupyter_hpcenv.__file__).with_name("client.py")
TOKEN = "canary-3f9a1c7e"
STRANGER = 47_001  # a uid that nobody has
ROOT = os.geteuid() == 0


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """Replace pytest-jupyter's: this process is no server, and the runtime files with its pid are ours."""


@pytest.fixture(scope="module")
def client() -> ModuleType:
    """The module, loaded from its file as a stranger would load a copy."""
    spec = importlib.util.spec_from_file_location("hpcenv_client_alone", SOURCE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Answers(BaseHTTPRequestHandler):
    """Record each request; answer as the server's ``plan`` says: {path: (status, headers, value)}."""

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.server.seen.append((self.command, self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        plan = self.server.plan  # type: ignore[attr-defined]
        status, headers, value = plan.get(self.path.partition("?")[0], (200, {}, []))
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _any  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        """Be quiet."""


class Site(HTTPServer):
    """A server of this user on loopback."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), Answers)
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.plan: dict[str, tuple[int, dict[str, str], Any]] = {}
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self.thread.start()

    def stop(self) -> None:
        """Close it."""
        self.shutdown()
        self.thread.join()
        self.server_close()

    @property
    def tokens(self) -> list[str | None]:
        """The Authorization header of each request."""
        return [headers.get("Authorization") for _, _, headers, _ in self.seen]


@pytest.fixture
def site() -> Iterator[Site]:
    """A server of this user."""
    server = Site()
    yield server
    server.stop()


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of runtime files; this process plays the server that started the kernel."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("JPY_PARENT_PID", str(os.getpid()))
    return tmp_path


def write(folder: Path, port: int, *, pid: int | None = None, mode: int = 0o600, **more: Any) -> Path:
    """Write a runtime file as Jupyter Server does."""
    pid = os.getpid() if pid is None else pid
    info = {
        "base_url": "/",
        "hostname": "localhost",
        "password": False,
        "pid": pid,
        "port": port,
        "root_dir": "/",
        "secure": False,
        "sock": "",
        "token": TOKEN,
        "url": f"http://localhost:{port}/",
        **more,
    }
    place = folder / f"jpserver-{pid}.json"
    place.write_text(json.dumps(info))
    place.chmod(mode)
    return place


def free_pid() -> int:
    """Return the pid of a process that is gone."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    return gone.pid


STRANGERS_SERVER = """
import os, socket, sys
where = (sys.argv[1], int(sys.argv[2]))
if where[0].startswith("/"):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(where[0])
    os.chmod(where[0], 0o777)
    listener.listen()
    print(0, flush=True)
else:
    listener = socket.create_server(where)
    print(listener.getsockname()[1], flush=True)
while True:
    link, _ = listener.accept()
    print(link.recv(65536), flush=True)
    link.close()
"""


@contextlib.contextmanager
def stranger(host: str = "127.0.0.1", port: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Let another user listen; yield the port and what arrives there. Needs root."""
    who = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]
    program = subprocess.Popen(
        [*who, sys.executable, "-I", "-S", "-c", STRANGERS_SERVER, host, str(port)],
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
    )
    assert program.stdout is not None
    arrived: list[str] = []
    try:
        number = int(program.stdout.readline())
        yield number, arrived
    finally:
        program.kill()
        arrived += program.stdout.read().splitlines()
        program.stdout.close()
        program.wait()


# -- standing alone -----------------------------------------------------------


def test_it_needs_the_standard_library_only(tmp_path: Path) -> None:
    copy = tmp_path / "client.py"
    copy.write_bytes(SOURCE.read_bytes())
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import client; print(client.Client)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(SOURCE.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or "jupyter_hpcenv"]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= set(sys.stdlib_module_names)


def test_older_pythons_can_read_it() -> None:
    ast.parse(SOURCE.read_text(), feature_version=(3, 8))


# -- finding the server --------------------------------------------------------


def test_the_server_of_the_kernel_is_found(client: ModuleType, site: Site, runtime: Path) -> None:
    write(runtime, site.server_port)
    write(runtime, 1, pid=1)
    found = client.Client()
    assert found.list("climate home") == []
    ((verb, path, headers, _),) = site.seen
    assert (verb, path) == ("GET", "/hpcenv/environments?query=climate+home")
    assert headers["Authorization"] == f"token {TOKEN}"
    assert headers["Host"] == f"127.0.0.1:{site.server_port}"


def test_the_only_server_is_found_without_a_kernel(
    client: ModuleType, site: Site, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JPY_PARENT_PID")
    write(runtime, 1, pid=free_pid())
    write(runtime, site.server_port, base_url="/user/ada/", url=f"http://localhost:{site.server_port}/user/ada/")
    assert client.Client().trash() == []
    assert site.seen[0][1] == "/user/ada/hpcenv/trash"

    other = subprocess.Popen(["sleep", "100"])
    try:
        write(runtime, site.server_port, pid=other.pid)
        with pytest.raises(client.HpcenvClientError) as caught:
            client.Client()
        assert caught.value.code == "ambiguous"
        assert TOKEN not in str(caught.value)
    finally:
        other.kill()
        other.wait()


def test_the_folder_of_runtime_files_is_jupyters(
    client: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_core.paths import jupyter_runtime_dir

    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert str(client._runtime_folder()) == jupyter_runtime_dir()
    for name in ("XDG_DATA_HOME", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
        assert str(client._runtime_folder()) == jupyter_runtime_dir()


def test_a_single_user_server_takes_the_hubs_token(
    client: ModuleType, site: Site, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "from-the-hub")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    write(runtime, site.server_port, token="")
    client.Client().list()
    write(runtime, site.server_port, token="", base_url="/user/ada/")
    client.Client().list()
    assert site.tokens == [None, "token from-the-hub"]  # a server that is not the hub's never gets it


def test_a_unix_socket_works(client: ModuleType, runtime: Path, tmp_path: Path) -> None:
    place = tmp_path / "s"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place))
    listener.listen()
    heard: list[bytes] = []

    def serve() -> None:
        link, _ = listener.accept()
        heard.append(link.recv(65_536))
        link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]")
        link.close()

    thread = threading.Thread(target=serve)
    thread.start()
    write(runtime, 0, sock=str(place), url="http+unix://%2Ftmp%2Fs/")
    assert client.Client().trash() == []
    thread.join()
    listener.close()
    assert TOKEN.encode() in heard[0]


def test_a_unix_socket_of_another_user_gets_nothing(
    client: ModuleType, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ROOT:
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o777)
            write(runtime, 0, sock=f"{folder}/s", url="http+unix://%2Fs/")
            with stranger(f"{folder}/s") as (_, arrived):
                assert f"uid {STRANGER}" in refused(client)
            assert "Authorization" not in "".join(arrived)
    else:  # only root can start a listener of somebody else; for the check it is the same if we are not ourselves
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(runtime / "s"))
        listener.listen()
        write(runtime, 0, sock=str(runtime / "s"), url="http+unix://%2Fs/")
        found = client.Client()
        me = os.geteuid()
        monkeypatch.setattr(client.os, "geteuid", lambda: me + 1)
        with pytest.raises(client.HpcenvClientError, match=f"uid {me}"):
            found.list()
        listener.close()


# -- attacks --------------------------------------------------------------------


def refused(client: ModuleType, site: Site | None = None) -> str:
    """Assert that a call is refused before anything is sent; return the message."""
    with pytest.raises(client.HpcenvClientError) as caught:
        client.Client().list()
    assert caught.value.code == "refused"
    assert caught.value.status == 0
    assert TOKEN not in str(caught.value) + repr(caught.value)
    assert site is None or site.seen == []
    return str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o660])
def test_a_file_that_others_reach_is_refused(client: ModuleType, site: Site, runtime: Path, mode: int) -> None:
    write(runtime, site.server_port, mode=mode)
    assert f"mode {mode:04o}" in refused(client, site)


def test_a_file_of_another_user_is_refused(
    client: ModuleType, site: Site, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write(runtime, site.server_port)
    if ROOT:
        os.chown(place, STRANGER, STRANGER)
    else:  # only root can give a file away; for the check it is the same if we are somebody else
        me = os.geteuid()
        monkeypatch.setattr(client.os, "geteuid", lambda: me + 1)
    assert "another user" in refused(client, site)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "damage", "list"])
def test_what_is_no_file_of_a_server_is_refused(client: ModuleType, site: Site, runtime: Path, kind: str) -> None:
    place = write(runtime, site.server_port)
    if kind == "link":
        place.rename(runtime / "elsewhere.json")
        place.symlink_to("elsewhere.json")
    else:
        place.unlink()
        if kind == "pipe":
            os.mkfifo(place, 0o600)
        elif kind == "folder":
            place.mkdir(0o700)
        else:
            place.write_text('{"token": "' if kind == "damage" else "[]")
            place.chmod(0o600)
    refused(client, site)


def test_a_dead_process_is_refused(
    client: ModuleType, site: Site, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = free_pid()
    monkeypatch.setenv("JPY_PARENT_PID", str(pid))
    write(runtime, site.server_port, pid=pid)
    assert "gone" in refused(client, site)


def test_a_zombie_is_refused(client: ModuleType, site: Site, runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    monkeypatch.setenv("JPY_PARENT_PID", str(ended.pid))
    write(runtime, site.server_port, pid=ended.pid)
    refused(client, site)
    ended.wait()


def test_a_process_of_another_user_is_refused(
    client: ModuleType, site: Site, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ROOT:
        with stranger():
            pids = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _uid(int(pid)) == STRANGER]
            monkeypatch.setenv("JPY_PARENT_PID", str(pids[0]))
            write(runtime, site.server_port, pid=pids[0])
            refused(client, site)
    else:  # process 1 is not ours, unless we are root
        monkeypatch.setenv("JPY_PARENT_PID", "1")
        write(runtime, site.server_port, pid=1)
        refused(client, site)


def _uid(pid: int) -> int:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}").stat().st_uid
    return -1


def test_a_file_that_speaks_of_another_process_is_refused(client: ModuleType, site: Site, runtime: Path) -> None:
    write(runtime, site.server_port, pid=os.getppid()).rename(runtime / f"jpserver-{os.getpid()}.json")
    refused(client, site)


def test_a_port_that_another_user_took_gets_nothing(
    client: ModuleType, site: Site, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ROOT:
        with stranger() as (port, arrived):
            write(runtime, port)
            assert f"uid {STRANGER}" in refused(client)
        assert arrived == []
    else:  # only root can start a listener of somebody else; for the check it is the same if we are not ourselves
        me = os.geteuid()
        monkeypatch.setattr(client.os, "geteuid", lambda: me + 1)
        with pytest.raises(client.HpcenvClientError, match=f"uid {me}"):
            client._own_address(site.server_port)


def test_the_same_port_on_another_address_gets_nothing(client: ModuleType, site: Site, runtime: Path) -> None:
    """“localhost” may lead to an address where somebody else listens; the server's own address is taken instead."""
    write(runtime, site.server_port, url=f"http://127.0.0.2:{site.server_port}/")
    if ROOT:
        with stranger("127.0.0.2", site.server_port) as (_, arrived):
            client.Client().list()
        assert arrived == []
    else:  # without a stranger, what remains to be seen is that the URL's host does not decide
        client.Client().list()
    assert site.tokens == [f"token {TOKEN}"]


def test_a_listener_of_another_user_counts_where_it_may_answer(
    client: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    me, other = os.geteuid(), os.geteuid() + 1

    def listen(*sockets: tuple[str, int]) -> None:
        rows = [
            client._Listener(socket.AF_INET6 if ":" in address else socket.AF_INET, address, uid, number)
            for number, (address, uid) in enumerate(sockets)
        ]
        monkeypatch.setattr(client, "_listeners", lambda port: rows)

    for mine, address in (("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1")):
        listen((mine, me))
        assert client._own_address(1)[0] == address
    listen(("10.1.2.3", me), ("127.0.0.1", other))
    assert client._own_address(1)[0] == "10.1.2.3"
    listen(("::ffff:127.0.0.1", me))
    assert client._own_address(1)[0] == "127.0.0.1"
    listen(("127.0.0.1", me), ("0.0.0.0", other))
    with pytest.raises(client.HpcenvClientError):
        client._own_address(1)
    listen(("127.0.0.1", me), ("::", other))
    with pytest.raises(client.HpcenvClientError):
        client._own_address(1)
    listen()
    with pytest.raises(client.HpcenvClientError):
        client._own_address(1)


def test_a_listener_that_changes_meanwhile_gets_nothing(
    client: ModuleType, site: Site, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(runtime, site.server_port)
    real, calls = client._listeners, []

    def changing(port: int) -> list[Any]:
        calls.append(port)
        return [each._replace(inode=each.inode + len(calls)) for each in real(port)]

    monkeypatch.setattr(client, "_listeners", changing)
    assert "in this moment" in refused(client, site)


def test_a_redirect_is_not_followed(client: ModuleType, site: Site, runtime: Path) -> None:
    trap = Site()
    try:
        for status in (301, 302, 303, 307, 308):
            target = f"http://127.0.0.1:{trap.server_port}/"
            site.plan["/hpcenv/environments"] = (status, {"Location": target}, {})
            write(runtime, site.server_port)
            with pytest.raises(client.HpcenvClientError) as caught:
                client.Client().list()
            assert (caught.value.code, caught.value.status) == ("redirected", status)
        assert trap.seen == []
    finally:
        trap.stop()


def test_the_token_is_in_the_header_and_nowhere_else(client: ModuleType, site: Site, runtime: Path) -> None:
    write(runtime, site.server_port)
    mine = client.Client()
    named = client.Client(f"http://127.0.0.1:{site.server_port}/?token={TOKEN}")
    site.plan["/hpcenv/environments"] = (500, {}, {"message": f"no {TOKEN}", "code": "error", "hints": [TOKEN]})
    for each in (mine, named):
        assert TOKEN not in repr(each)
        assert TOKEN not in repr(vars(each))
        with pytest.raises(TypeError):
            pickle.dumps(each)
        with pytest.raises(client.HpcenvClientError) as caught:
            each.list()
        assert TOKEN not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
    for _, path, headers, body in site.seen:
        assert TOKEN not in path
        assert TOKEN.encode() not in body
        assert [name for name, value in headers.items() if TOKEN in value] == ["Authorization"]


@pytest.mark.parametrize("url", ["ftp://x/", "http://", "http://user:pass@host/", "http://x:port/", "file:///etc"])
def test_what_is_no_url_of_a_server_is_refused(client: ModuleType, url: str) -> None:
    with pytest.raises(client.HpcenvClientError) as caught:
        client.Client(url, TOKEN)
    assert "pass" not in str(caught.value)


def test_no_server_is_said_so(client: ModuleType, runtime: Path) -> None:
    with pytest.raises(client.HpcenvClientError) as caught:
        client.Client()
    assert caught.value.code == "not_found"
    assert caught.value.hints


# -- answers ----------------------------------------------------------------------


def test_errors_keep_what_the_server_said(client: ModuleType, site: Site) -> None:
    here = client.Client(f"http://127.0.0.1:{site.server_port}/", TOKEN)
    body = {"message": "Taken.", "reason": "", "code": "name_taken", "hints": ["Choose another."]}
    site.plan["/hpcenv/environments"] = (409, {}, body)
    with pytest.raises(client.HpcenvClientError) as caught:
        here.create("x")
    error = caught.value
    assert (error.message, error.code, error.hints, error.status) == (
        "Taken.", "name_taken", ("Choose another.",), 409,
    )  # fmt: skip
    for status, value in ((403, {"message": "Forbidden"}), (404, b"<html>"), (200, b"<html>"), (200, {"a": 1})):
        site.plan["/hpcenv/environments"] = (status, {}, value)
        with pytest.raises(client.HpcenvClientError):
            here.list()


def test_a_lost_answer_is_asked_for_again_with_the_same_key(client: ModuleType) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        for answer in (b"", b'HTTP/1.1 202 Accepted\r\nContent-Length: 13\r\nConnection: close\r\n\r\n{"id": "one"}'):
            link, _ = listener.accept()
            heard.append(link.recv(65_536))
            link.sendall(answer)
            link.close()

    thread = threading.Thread(target=serve)
    thread.start()
    port = listener.getsockname()[1]
    assert client.Client(f"http://127.0.0.1:{port}/", "").create("x", wait=False) == {"id": "one"}
    thread.join()
    listener.close()
    keys = [line for request in heard for line in request.split(b"\r\n") if line.startswith(b"Idempotency-Key")]
    assert len(keys) == 2
    assert keys[0] == keys[1]


def test_names_become_ids(client: ModuleType, site: Site) -> None:
    rows = [
        {"id": "a" * 32, "name": "climate", "location": "home", "origin": "own"},
        {"id": "b" * 32, "name": "climate", "location": "scratch", "origin": "own"},
        {"id": "c" * 32, "name": "old", "location": "", "origin": "foreign"},
    ]
    site.plan["/hpcenv/environments"] = (200, {}, rows)
    for row in rows:
        site.plan[f"/hpcenv/environments/{row['id']}"] = (200, {}, row)
    here = client.Client(f"http://127.0.0.1:{site.server_port}/", TOKEN)
    assert here.show("home/climate")["id"] == "a" * 32
    assert here.show("old")["id"] == "c" * 32
    assert here.show("b" * 32)["location"] == "scratch"
    for reference, code in (("climate", "ambiguous"), ("absent", "not_found")):
        with pytest.raises(client.HpcenvClientError) as caught:
            here.show(reference)
        assert caught.value.code == code


def test_a_preset_fills_the_request_and_what_is_asked_for_besides_wins(client: ModuleType, site: Site) -> None:
    prepared = {"name": "", "python": "3.12", "packages": ["numpy"], "variables": {"A": "1"}, "kernel": True}
    site.plan["/hpcenv/presets/weather"] = (200, {}, prepared)
    site.plan["/hpcenv/environments"] = (202, {}, {"id": "one"})
    here = client.Client(f"http://127.0.0.1:{site.server_port}/", TOKEN)
    more = {"variables": {"B": "2"}, "python": "3.13"}
    here.create("cp", ["six", "numpy"], preset="weather", parameters={"year": "2026"}, wait=False, **more)
    filled, created = (json.loads(body) for _, _, _, body in site.seen)
    assert filled == {"parameters": {"year": "2026"}}
    assert created == {
        "name": "cp",
        "python": "3.13",
        "packages": ["numpy", "six"],
        "variables": {"A": "1", "B": "2"},
        "kernel": True,
    }
    with pytest.raises(TypeError, match="preset"):
        here.create("cp", parameters={"year": "2026"})


# -- a real server -------------------------------------------------------------------

STORY = """
import json, shutil, sys, time
sys.path.insert(0, sys.argv[1])
from client import Client, HpcenvClientError

client = Client()
lines = []
made = client.create("alone", kernel=False, on_line=lines.append)
assert made["state"] == "ready", made
assert [line["kind"] for line in lines].count("step") >= 3, lines
assert [row["id"] for row in client.list()] == [made["id"]]
assert client.show("home/alone") == client.show(made["id"])
try:
    client.create("alone", kernel=False)
except HpcenvClientError as error:
    assert (error.code, error.status) == ("name_taken", 409), error
else:
    raise AssertionError("it was made twice")
(operation,) = client.operations()
assert client.operation(operation["id"])["state"] == "succeeded"
assert client.log(operation["id"])["complete"]
try:
    client.cancel(operation["id"])
except HpcenvClientError as error:
    assert error.code == "wrong_state", error
assert client.kernels() == []
item = client.delete("alone")
assert client.list() == [] and [each["id"] for each in client.trash()] == [item["id"]]
assert client.restore("alone")["id"] == made["id"]
client.delete("alone")
assert client.undo("alone", dry_run=True)["what"] == "delete"
assert client.undo("alone")["environment"] == made["id"] == client.show("alone")["id"]
assert client.undo("alone", dry_run=True)["what"] == ""
try:
    client.undo("alone")
except HpcenvClientError as error:
    assert error.code == "wrong_state", error
client.change("alone", install=["six"])
assert [each["name"] for each in client.undo("alone", dry_run=True)["plan"]["remove"]] == ["six"]
assert [each["name"] for each in client.undo("alone", on_line=lines.append)["plan"]["remove"]] == ["six"]
assert [each["name"] for each in client.packages("alone")] == ["pip"]
assert all(each["version"] or each["note"] for each in client.search("six", environment="alone"))
client.delete("alone")
assert [each["id"] for each in client.empty()] == [made["id"]]
assert client.trash() == []
assert client.pythons() and client.locations()[0]["name"] == "home"
started = client.create("later", kernel=False, wait=False)
assert client.follow(started["id"])["state"] == "succeeded"
shutil.rmtree(client.show("later")["prefix"])
back = client.rebuild("later", on_line=lines.append)
assert (back["state"], back["differences"]) == ("ready", []), back
while (size := client.sizes()[0])["measuring"]:
    time.sleep(0.05)
assert size["environment"] == back["id"] and size["bytes"] > 0, size
while any(each["measuring"] for each in client.caches()):
    time.sleep(0.05)
names = [each["name"] for each in client.caches()]
assert names == ["uv", "pip", "conda"], names
(would,) = client.clean_caches("conda", dry_run=True)
assert (would["name"], would["done"]) == ("conda", False), would
try:
    client.clean_caches("nobody")
except HpcenvClientError as error:
    assert error.code == "not_found", error
try:
    client.move("later", "home")
except HpcenvClientError as error:
    assert error.code == "wrong_state", error
said = []
for verb in (
    lambda: client.share("later", everybody=True),
    lambda: client.unshare("later"),
    lambda: client.use("later"),
    lambda: client.unuse("later"),
    lambda: client.adopt("/"),
):
    try:
        verb()
    except HpcenvClientError as error:
        said.append(error.code)
assert said == ["refused", "wrong_state", "wrong_state", "not_found", "refused"], said
copy = client.clone("later", "copied")
assert (copy["state"], copy["packages"]) == ("ready", []), copy
assert json.loads(client.export("copied", "capsule.json"))["name"] == "copied"
print(json.dumps(sorted(name for name in sys.modules if name.startswith("jupyter"))))
"""


def test_every_verb_against_a_real_server(home: Path, tmp_path: Path) -> None:
    pytest.importorskip("jupyter_hpcenv.server.app")
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "client.py").write_bytes(SOURCE.read_bytes())
    runtime = home / ".local" / "share" / "jupyter" / "runtime"
    log = tmp_path / "server.log"
    argv = [
        sys.executable,
        "-m",
        "jupyter_server",
        "--no-browser",
        "--allow-root",
        "--port=0",
        f"--ServerApp.root_dir={home}",
    ]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*argv, "--ServerApp.jpserver_extensions={'jupyter_hpcenv': True}"], stdout=output, stderr=output, cwd=home
        )
    try:
        place = runtime / f"jpserver-{server.pid}.json"
        until = time.monotonic() + 60
        while not place.exists() and server.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        token = json.loads(place.read_text())["token"]
        env = {"HOME": str(home), "JPY_PARENT_PID": str(server.pid), "PATH": os.defpath}
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", STORY, str(alone)],
            env=env,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stderr + log.read_text()
        assert json.loads(done.stdout) == []
        assert token not in done.stdout + done.stderr
    finally:
        server.terminate()
        server.wait(30)
