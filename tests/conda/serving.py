"""Serve channels over loopback HTTP, write down what is asked, and misbehave where a test says so.

Files go out with an ETag and a date, and 304 answers carry both: a client that keeps what it fetched can then trust
it, which it can not with the standard library's file server.
"""

from __future__ import annotations

import base64
import email.utils
import fnmatch
import hashlib
import http.server
import ssl
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, NamedTuple
from urllib.parse import unquote, urlsplit

CHUNK = 16384


class Asked(NamedTuple):
    """One request and the status that answered it; names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    status: int


@dataclass(frozen=True)
class Status:
    """Answer with a status, such as 403, 404, 429 or 500."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True)
class Redirect:
    """Send elsewhere."""

    to: str


@dataclass(frozen=True)
class Hang:
    """Accept the request and say nothing; or stop after so many bytes of the body, and keep the connection."""

    after: int | None = None


@dataclass(frozen=True)
class Cut:
    """Promise the whole body, end the connection after so many bytes."""

    after: int


@dataclass(frozen=True)
class Slow:
    """Send so many bytes of the body a second."""

    rate: int


@dataclass(frozen=True)
class Garble:
    """Send a body of the right length with one byte wrong in the middle: only its hash tells."""


@dataclass(frozen=True)
class Replace:
    """Send other bytes."""

    body: bytes


@dataclass(frozen=True)
class Basic:
    """Answer 401 to whoever does not give this name and password."""

    user: str
    password: str

    @property
    def wanted(self) -> str:
        """The header that lets in."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    asks: ClassVar[str] = 'Basic realm="channel"'


@dataclass(frozen=True)
class Bearer:
    """Answer 401 to whoever does not give this token."""

    token: str

    @property
    def wanted(self) -> str:
        """The header that lets in."""
        return f"Bearer {self.token}"

    asks: ClassVar[str] = 'Bearer realm="channel"'


Misbehaviour = Status | Redirect | Hang | Cut | Slow | Garble | Replace | Basic | Bearer


@dataclass
class _Rule:
    pattern: str
    how: Misbehaviour
    times: int | None


class ChannelServer:
    """An HTTP server on a free port of 127.0.0.1; what hangs is let go when it is closed."""

    def __init__(self, channels: Mapping[str, Path]) -> None:
        self.channels = dict(channels)
        self.asked: list[Asked] = []
        self.lasts = ""
        """What answers say of how long they may be kept; empty: they are to be asked for again."""
        self.closing = threading.Event()
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.root = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> ChannelServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def url(self, channel: str = "main") -> str:
        """Return the address of a channel."""
        return f"{self.root}/{channel}"

    def encrypt(self, folder: Path) -> Path:
        """Speak TLS from now on; return the certificate of who vouches for it, which is made in *folder*."""
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
        for words in (
            "req -x509 -newkey rsa:2048 -nodes -keyout authority.key -out authority.pem -subj /CN=authority "
            "-addext basicConstraints=critical,CA:TRUE",
            "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server",
            "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -out server.pem "
            "-extfile names",
        ):
            subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.root = self.root.replace("http:", "https:")
        return folder / "authority.pem"

    def misbehave(self, pattern: str, how: Misbehaviour, *, times: int | None = None) -> None:
        """Treat paths that match (as file names do, ``*`` goes over slashes) so, *times* often or until `behave`.

        What is asked for last counts first, and a request that satisfies `Basic` or `Bearer` goes on to older rules.
        """
        with self._lock:
            self._rules.insert(0, _Rule(pattern, how, times))

    def behave(self) -> None:
        """Forget all misbehaviour and what was asked so far."""
        with self._lock:
            self._rules.clear()
            self.asked.clear()
            self.lasts = ""

    def paths(self, pattern: str = "*") -> list[str]:
        """Return the paths that were asked for and match, in order."""
        return [each.path for each in self.asked if fnmatch.fnmatchcase(each.path, pattern)]

    def treatment(self, path: str, authorization: str) -> Misbehaviour | None:
        """Return how to treat a request, and use it up."""
        with self._lock:
            for rule in self._rules:
                if rule.times == 0 or not fnmatch.fnmatchcase(path, rule.pattern):
                    continue
                if isinstance(rule.how, Basic | Bearer) and authorization == rule.how.wanted:
                    continue
                if rule.times is not None:
                    rule.times -= 1
                return rule.how
        return None

    def find(self, path: str) -> Path | None:
        """Return the file of a path, if it is one below a channel."""
        name, _, rest = path.lstrip("/").partition("/")
        if name not in self.channels or ".." in rest.split("/"):
            return None
        file = self.channels[name] / rest
        return file if file.is_file() else None


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    owner: ChannelServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is part of the tests."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """`ChannelServer.asked` has it all."""

    def send_response(self, code: int, message: str | None = None) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.owner.asked.append(Asked(self.command, self.path, headers, code))
        super().send_response(code, message)

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        how = self.server.owner.treatment(path, self.headers.get("Authorization", ""))
        if isinstance(how, Basic | Bearer):
            self._refuse(401, {"WWW-Authenticate": how.asks})
        elif isinstance(how, Status):
            self._refuse(how.status, dict(how.headers), how.body)
        elif isinstance(how, Redirect):
            self._refuse(302, {"Location": how.to})
        elif isinstance(how, Hang) and how.after is None:
            self._note_silence()
            self._wait_for_end()
        elif (file := self.server.owner.find(path)) is None:
            self._refuse(404)
        else:
            self._send(file, how)

    def _refuse(self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send(self, file: Path, how: Misbehaviour | None) -> None:
        data = how.body if isinstance(how, Replace) else file.read_bytes()
        validators = {
            "ETag": f'"{hashlib.sha256(data).hexdigest()[:32]}"',
            "Last-Modified": email.utils.formatdate(file.stat().st_mtime, usegmt=True),
            "Cache-Control": self.server.owner.lasts or "no-cache",
        }
        if isinstance(how, Garble):
            middle = len(data) // 2
            data = data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]
        elif self._known(validators):
            self.send_response(304)
            self._headers(validators)
            return
        total, (first, last) = len(data), self._range(len(data))
        partial = (first, last) != (0, total)
        self.send_response(206 if partial else 200)
        if partial:
            validators["Content-Range"] = f"bytes {first}-{last - 1}/{total}"
        self._headers({**validators, "Accept-Ranges": "bytes", "Content-Length": str(last - first)})
        if self.command != "HEAD":
            self._body(data[first:last], how)

    def _headers(self, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _known(self, validators: Mapping[str, str]) -> bool:
        """Tell whether the client has the file; a tag counts more than a date."""
        if tags := self.headers.get("If-None-Match"):
            return validators["ETag"] in [each.strip().removeprefix("W/") for each in tags.split(",")]
        return self.headers.get("If-Modified-Since") == validators["Last-Modified"]

    def _range(self, total: int) -> tuple[int, int]:
        """Return the bytes that are wanted: from the first to before the last."""
        kind, _, wanted = self.headers.get("Range", "").partition("=")
        first, dash, last = wanted.partition("-")
        if kind != "bytes" or not dash or "," in wanted:
            return 0, total
        if not first:
            return max(0, total - int(last)), total
        return min(int(first), total), min(int(last) + 1, total) if last else total

    def _body(self, data: bytes, how: Misbehaviour | None) -> None:
        if isinstance(how, Cut | Hang):
            self.wfile.write(data[: how.after])
            self.wfile.flush()
            self.close_connection = True
            if isinstance(how, Hang):
                self._wait_for_end()
            return
        if not isinstance(how, Slow):
            self.wfile.write(data)
            return
        step = min(CHUNK, max(1, how.rate // 20))
        for start in range(0, len(data), step):
            self.wfile.write(data[start : start + step])
            if self.server.owner.closing.wait(step / how.rate):
                self.close_connection = True
                return

    def _note_silence(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.owner.asked.append(Asked(self.command, self.path, headers, 0))
        self.close_connection = True

    def _wait_for_end(self) -> None:
        self.server.owner.closing.wait()
