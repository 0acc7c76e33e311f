"""A real Jupyter server in a process of its own that measures how late its event loop is; and a client for it.

``python -m benchmarks.served PORT TOKEN FILE`` is the server: each line of FILE is a moment and a lag.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TICK = 0.005
_PATIENCE = 60.0


class Server:
    """A client with one connection that is kept open, as a browser's is."""

    def __init__(self, port: int, token: str, lags: Path, pid: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        self._headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
        self._lags = lags
        self._pid = pid

    def ask(self, method: str, path: str, body: Any = None) -> bytes:
        """Send a request, and return the body of an answer that must be good."""
        data = None if body is None else json.dumps(body).encode()
        self._connection.request(method, path, body=data, headers=self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]!r}")
        return text

    def processor_time(self) -> float:
        """Return the processor time of the server so far, in hundredths of a second."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def lags_between(self, begin: float, end: float) -> list[float]:
        """Return how late the server's loop was in a span of the machine's monotonic clock."""
        pairs = [line.split() for line in self._lags.read_text().splitlines()]
        return [float(pair[1]) for pair in pairs if len(pair) == 2 and begin <= float(pair[0]) <= end]


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """Run a server whose root is *folder*, with the extension, and end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, lags = secrets.token_hex(16), folder / "lags.txt"
    argv = [sys.executable, "-m", "benchmarks.served", str(port), token, str(lags)]
    with (folder / "server.log").open("wb") as log:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield _answering(child, port, token, lags)
        finally:
            child.terminate()
            child.wait(30)


def _answering(child: subprocess.Popen[bytes], port: int, token: str, lags: Path) -> Server:
    until = time.monotonic() + _PATIENCE
    while child.poll() is None and time.monotonic() < until:
        server = Server(port, token, lags, child.pid)
        with contextlib.suppress(OSError):
            server.ask("GET", "/hpcenv/environments")
            return server
        time.sleep(0.1)
    raise RuntimeError(f"The server did not start; see {lags.with_name('server.log')}.")


async def _probe(path: Path) -> None:
    with path.open("w", buffering=1 << 16) as file:
        while True:
            due = time.monotonic() + TICK
            await asyncio.sleep(TICK)
            now = time.monotonic()
            file.write(f"{now:.6f} {now - due:.6f}\n")
            if int(now) != int(now + TICK):
                file.flush()


def main(port: str, token: str, path: str) -> None:
    """Serve until a signal comes."""
    from jupyter_server.serverapp import ServerApp

    app = ServerApp()
    app.initialize(
        [
            *("--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"),
            *(f"--ServerApp.root_dir={Path(path).parent}", f"--IdentityProvider.token={token}"),
            '--ServerApp.jpserver_extensions={"jupyter_hpcenv": True}',
        ]
    )
    app.io_loop.add_callback(_probe, Path(path))
    app.start()


if __name__ == "__main__":
    main(*sys.argv[1:])
