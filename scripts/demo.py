"""Carry a real notebook cell from a request to its answer, through Jupyter Server's own doors."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import websocket

CHECKOUT = Path(__file__).resolve().parent.parent
STATE = CHECKOUT / ".demo"
NAME = "demo"
PACKAGES = ["numpy", "pandas"]
INSTALL = "jupyter_hpcenv and JupyterLab installed in .venv"
CELL = """\
import sys
import pandas as pd
table = pd.DataFrame({"node": ["a", "a", "b"], "hours": [2, 3, 5]})
print(table.groupby("node")["hours"].sum().to_dict(), sys.prefix)
"""
EXPECTED = "{'a': 5, 'b': 5}"


class Clock:
    """Print what is done and how long it took."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.tell(title, time.monotonic() - began)

    def tell(self, title: str, seconds: float) -> None:
        self.steps[title] = seconds
        print(f"{seconds:7.2f} s  {title}", flush=True)


class Server:
    """A JupyterLab of our own, in an empty HOME, on 127.0.0.1."""

    def __init__(self, home: Path, *, headless: bool) -> None:
        self.home = home
        self.token = secrets.token_hex(24)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        (home / "notebooks").mkdir(exist_ok=True)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY_", "XDG_"))}
        env |= {"HOME": str(home), "JUPYTER_TOKEN": self.token, "PATH": f"{Path(sys.executable).parent}:{env['PATH']}"}
        self.log = home / "server.log"
        command = [sys.executable, "-m", "jupyter", "lab" if not headless else "server", "--no-browser", "--allow-root"]
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": home / "notebooks",
        }
        command += [f"--{name}={value}" for name, value in options.items()]
        with self.log.open("w") as output:
            self.process = subprocess.Popen(command, env=env, stdout=output, stderr=output)
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                self.call("GET", "api/status")
                return
            time.sleep(0.1)
        self.stop()
        raise SystemExit(f"Jupyter Server did not start:\n{self.log.read_text()[-3000:]}")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path} was answered {error.code}: {error.read().decode()}") from None
        return json.loads(text) if text else None

    def execute(self, kernel: str, code: str) -> tuple[str, str]:
        """Run a cell over the websocket; return (status, text that it printed)."""
        channel = websocket.create_connection(
            f"{self.url.replace('http', 'ws')}/api/kernels/{kernel}/channels",
            header=[f"Authorization: token {self.token}"],
            timeout=120,
        )
        try:
            identifier = uuid.uuid4().hex
            header = {"msg_id": identifier, "msg_type": "execute_request", "username": "", "session": "", "date": ""}
            header["version"] = "5.3"
            content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
            message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
            channel.send(json.dumps({**message, "channel": "shell", "buffers": []}))
            printed, status = "", ""
            idle = False
            while not (status and idle):
                answer = json.loads(channel.recv())
                if answer.get("parent_header", {}).get("msg_id") != identifier:
                    continue
                kind, said = answer["msg_type"], answer["content"]
                if kind == "stream":
                    printed += said["text"]
                elif kind == "error":
                    printed += f"{said['ename']}: {said['evalue']}"
                elif kind == "execute_reply":
                    status = said["status"]
                elif kind == "status":
                    idle = said["execution_state"] == "idle"
            return status, printed
        finally:
            channel.close()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def follow(server: Server, operation: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Print the operation's steps as they come; return how it ended and its log."""
    offset, lines = 0, []
    while True:
        part = server.call("GET", f"hpcenv/operations/{operation['id']}/log?offset={offset}")
        offset = part["offset"]
        for line in part["lines"]:
            lines.append(line["text"])
            if line["kind"] != "output":
                print(f"{'':10}{line['at']:6.2f}  {line['text']}", flush=True)
        if part["complete"]:
            return server.call("GET", f"hpcenv/operations/{operation['id']}"), lines
        time.sleep(0.1)


def fetched(lines: list[str]) -> int:
    """Return how many packages the installer had to fetch, by its own words."""
    prepared = [match[1] for line in lines if (match := re.match(r"Prepared (\d+) package", line))]
    return sum(map(int, prepared)) if prepared else sum(line.lstrip().startswith("Downloading ") for line in lines)


def compare(clock: Clock, lines: list[str]) -> None:
    """Say how this run compares with the first one of this checkout, and why."""
    path = STATE / "first.json"
    total, install, downloads = sum(clock.steps.values()), clock.steps[INSTALL], fetched(lines)
    if not path.exists():
        path.write_text(json.dumps({"total": total, "install": install, "downloads": downloads}))
        print(
            f"\nAll of it took {total:.1f} s. It fetched {downloads} packages for the environment; the next run finds"
        )
        print("them in the package cache (.cache), and jupyter_hpcenv in .venv.")
        return
    first = json.loads(path.read_text())
    print(f"\nAll of it took {total:.1f} s; the first run of this checkout took {first['total']:.1f} s.")
    print(f"Why: jupyter_hpcenv was installed in .venv ({first['install']:.1f} s then, {install:.1f} s now), and")
    print(f"{first['downloads']} packages were fetched for the environment then, {downloads} now: the cache has them.")


def open_lab(server: Server, kernel: dict[str, Any]) -> None:
    """Write a notebook on the new kernel and open JupyterLab on it, until Ctrl-C."""
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": CELL, "id": "demo"}
    spec = {"name": kernel["name"], "display_name": kernel["display_name"], "language": "python"}
    notebook = {"cells": [cell], "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    (server.home / "notebooks" / "demo.ipynb").write_text(json.dumps(notebook))
    address = f"{server.url}/lab/tree/demo.ipynb?token={server.token}"
    print(f"\nJupyterLab with the panel “Environments”: {address}\nCtrl-C ends it.", flush=True)
    webbrowser.open(address)
    with contextlib.suppress(KeyboardInterrupt):
        server.process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--headless", action="store_true", help="print the proof and exit; open no JupyterLab")
    options = parser.parse_args()
    STATE.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="home-", dir=STATE))
    clock = Clock()
    clock.tell(INSTALL, float(os.environ.get("HPCENV_DEMO_INSTALL", "0")))
    server = None
    try:
        with clock.step("Jupyter Server started in an empty HOME"):
            server = Server(home, headless=options.headless)
        with clock.step("environment created and its kernel proven"):
            operation = server.call("POST", "hpcenv/environments", {"name": NAME, "packages": PACKAGES})
            operation, lines = follow(server, operation)
        if operation["state"] != "succeeded":
            print(json.dumps(operation["error"], indent=1))
            return 1
        (environment,) = server.call("GET", f"hpcenv/environments?name={NAME}")
        kernel = environment["kernels"][0]
        with clock.step(f"kernel “{kernel['display_name']}” started through Jupyter Server"):
            started = server.call("POST", "api/kernels", {"name": kernel["name"]})
        with clock.step("a cell computed with pandas in it"):
            status, printed = server.execute(started["id"], CELL)
        server.call("DELETE", f"api/kernels/{started['id']}")
        print(f"\nThe cell printed: {printed.strip()}")
        proven = status == "ok" and EXPECTED in printed and environment["prefix"] in printed
        if not proven:
            print(f"That is not what it should print: {EXPECTED} {environment['prefix']}")
            return 1
        compare(clock, lines)
        if not options.headless:
            open_lab(server, kernel)
        return 0
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
