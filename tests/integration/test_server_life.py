"""A real server process, killed and started again: builds go on, kernels do not stay behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from jupyter_hpcenv.kernels import running

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    """scripts/demo.py, whose server is the one that people meet first."""
    spec = importlib.util.spec_from_file_location("demo", CHECKOUT / "scripts" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def start(demo: ModuleType, home: Path) -> Iterator[Callable[[], Any]]:
    servers: list[Any] = []

    def begin() -> Any:
        servers.append(demo.Server(home, headless=True))
        return servers[-1]

    yield begin
    for server in servers:
        server.stop()


def until(question: Callable[[], Any]) -> Any:
    """Ask again until the answer is true; the test's own timeout bounds it."""
    while not (answer := question()):
        time.sleep(0.05)
    return answer


def created(server: Any, name: str, **request: Any) -> dict[str, Any]:
    operation = server.call("POST", "hpcenv/environments", {"name": name, **request})
    return ended(server, operation["id"])


def ended(server: Any, identifier: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        operation = server.call("GET", f"hpcenv/operations/{identifier}")
        return operation if operation["finished"] else None

    return until(look)


def test_a_build_outlives_its_server_and_no_kernel_outlives_the_next_one(start: Callable[[], Any]) -> None:
    """The one is killed while it builds, the other while a kernel of what was built runs."""
    first = start()
    operation = first.call("POST", "hpcenv/environments", {"name": "durable", "packages": ["numpy"]})
    first.process.kill()
    first.process.wait()
    second = start()
    done = ended(second, operation["id"])
    assert done["state"] == "succeeded", done["error"]
    log = second.call("GET", f"hpcenv/operations/{operation['id']}/log?offset=0")
    assert log["complete"]
    (row,) = second.call("GET", "hpcenv/environments")
    assert row["name"] == "durable"
    assert "hpcenv-home.durable" in second.call("GET", "api/kernelspecs")["kernelspecs"]

    kernel = second.call("POST", "api/kernels", {"name": row["kernels"][0]["name"]})
    assert second.execute(kernel["id"], "1")[0] == "ok"
    prefix = Path(row["prefix"])
    assert len(running(prefix)) == 1
    os.kill(second.process.pid, signal.SIGKILL)
    second.process.wait()
    until(lambda: not running(prefix))


def test_the_client_works_in_a_kernel_that_has_only_our_wheel(start: Callable[[], Any], tmp_path: Path) -> None:
    """The wheel is built from these sources (without the front end) and installed without what it needs."""
    wheels = tmp_path / "wheels"
    build = [sys.executable, "-m", "uv", "build", "--wheel", "--quiet", "--out-dir", str(wheels), str(CHECKOUT)]
    subprocess.run(build, check=True, env={**os.environ, "SKIP_JUPYTER_BUILDER": "1"})
    (wheel,) = wheels.glob("*.whl")
    server = start()
    assert created(server, "caller")["state"] == "succeeded"
    (row,) = server.call("GET", "hpcenv/environments")
    kernel = server.call("POST", "api/kernels", {"name": row["kernels"][0]["name"]})["id"]
    status, printed = server.execute(kernel, f"%pip install --quiet --no-deps --no-index {wheel}")
    assert status == "ok", printed
    status, printed = server.execute(kernel, CELL)
    assert status == "ok", printed
    assert printed.splitlines()[-5:] == ["['caller']", "ready", "['caller', 'made-here']", "['six']", "True"]


CELL = """
from importlib.util import find_spec
assert find_spec("msgspec") is None and find_spec("jupyter_server") is None
from jupyter_hpcenv.client import Client
client = Client()
print([row["name"] for row in client.list()])
print(client.create("made-here", kernel=False)["state"])
print(sorted(row["name"] for row in client.list()))
print([each["name"] for each in client.change("made-here", install=["six"])["install"]])
print("six" in [each["name"] for each in client.packages("made-here")])
"""
