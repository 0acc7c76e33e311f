"""A kernel that outlives its server: the user's next one finds it, its memory and its notebook."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..serving import Server
from .cluster import Slurm
from .nodes import NAME, configure, emptied, publish
from .test_kernels_served import says

pytestmark = pytest.mark.timeout(120)

Serve = Callable[..., Server]
NOTEBOOK = {"path": "Untitled.ipynb", "name": "Untitled.ipynb", "type": "notebook", "kernel": {"name": NAME}}
KEPT = {"partition": "zen5", "memory": "800M", "keep_minutes": 5}


@pytest.fixture
def serve(slurm: Slurm, home: Path, kernel_prefix: Path) -> Iterator[Serve]:
    """Start servers of one user, one after the other or beside each other; in the end no job is left."""
    servers: list[Server] = []

    def begin(text: str = "", **more: Any) -> Server:
        configure(home, text, small={**KEPT, **more})
        publish(kernel_prefix, "small")
        servers.append(Server(home, variables=slurm.variables, token="one and the same"))
        return servers[-1]

    yield begin
    for server in servers:
        if server.process.poll() is None:
            for each in asked(server, "api/kernels"):
                server.raw("DELETE", f"api/kernels/{each['id']}")
            server.stop()
    emptied(slurm)
    assert list((home / ".local/share/jupyter/hpcenv/kernels").glob("hpcenv-*")) == []


def asked(server: Server, path: str) -> Any:
    status, text = server.raw("GET", path)
    assert status == 200, text
    return json.loads(text)


def opened(server: Server, name: str = "Untitled.ipynb") -> dict[str, Any]:
    """Open a notebook as JupyterLab does, and return its session."""
    status, text = server.raw("POST", "api/sessions", {**NOTEBOOK, "path": f"work/{name}", "name": name})
    assert status == 201, (text, server.log.read_text()[-3000:])
    return dict(json.loads(text))


def noted(home: Path, name: str) -> None:
    """Wait until the server has written down that the notebook is called so."""
    kernels = home / ".local/share/jupyter/hpcenv/kernels"
    while not any(name in each.read_text() for each in kernels.glob("*/sessions.json")):
        time.sleep(0.1)


def found(server: Server, kernel: str) -> dict[str, Any]:
    """Wait until a server has a kernel's session, and return it."""
    while not (sessions := [each for each in asked(server, "api/sessions") if each["kernel"]["id"] == kernel]):
        assert server.process.poll() is None
        time.sleep(0.1)
    return dict(sessions[0])


def test_the_next_server_has_the_kernel_its_memory_and_its_notebook(serve: Serve, slurm: Slurm, home: Path) -> None:
    (home / "work").mkdir()
    server = serve()
    session = opened(server)
    kernel = session["kernel"]["id"]
    assert says(server, kernel, "import os; kept = 6 * 7; print(os.environ['SLURMD_NODENAME'])") == "zen5-1"
    (job,) = slurm.jobs()
    status, _ = server.raw("PATCH", f"api/sessions/{session['id']}", {"path": "work/real.ipynb", "name": "real.ipynb"})
    assert status == 200
    noted(home, "real.ipynb")
    server.process.kill()
    server.process.wait()
    again = serve()
    assert found(again, kernel)["path"] == "work/real.ipynb"
    while asked(again, f"api/kernels/{kernel}")["execution_state"] != "idle":  # though nobody has asked it anything
        time.sleep(0.1)
    assert says(again, kernel, "print(kept)") == "42"
    assert slurm.jobs() == [job]
    assert again.raw("POST", f"api/kernels/{kernel}/interrupt")[0] == 204
    assert again.raw("POST", f"api/kernels/{kernel}/restart")[0] == 200
    assert says(again, kernel, "print('kept' in globals())") == "False"
    (other,) = slurm.jobs()
    assert other != job
    assert again.raw("DELETE", f"api/kernels/{kernel}")[0] == 204
    emptied(slurm)


def test_a_server_that_is_stopped_leaves_it_to_the_next_one(serve: Serve, slurm: Slurm, home: Path) -> None:
    """What runs goes on: a cell that was begun with one server has written its file when the next one asks."""
    server = serve()
    kernel = opened(server)["kernel"]["id"]
    assert says(server, kernel, "print(1)") == "1"
    says(server, kernel, f"import threading, time; later = lambda: (time.sleep(4), open('{home}/late', 'w').close())")
    says(server, kernel, "threading.Thread(target=later).start()")
    server.stop()
    assert len(slurm.jobs()) == 1
    while not (home / "late").exists():
        time.sleep(0.1)
    again = serve()
    assert found(again, kernel)["path"] == "work/Untitled.ipynb"
    assert says(again, kernel, "print(later is not None)") == "True"


def test_one_of_two_servers_takes_it_over(serve: Serve, slurm: Slurm) -> None:
    first = serve()
    kernel = opened(first)["kernel"]["id"]
    second = serve()
    first.process.kill()
    first.process.wait()
    third = serve()
    both = [second, third]
    while not (having := [server for server in both if asked(server, "api/kernels")]):
        time.sleep(0.1)
    assert says(having[0], kernel, "print(6 * 7)") == "42"
    assert len(having) == 1
    assert len(slurm.jobs()) == 1


def test_what_ended_meanwhile_is_swept_and_no_new_job_is_queued(serve: Serve, slurm: Slurm, home: Path) -> None:
    server = serve()
    kernel = opened(server)["kernel"]["id"]
    says(server, kernel, "import os, threading; threading.Timer(1, lambda: os._exit(3)).start()")
    server.process.kill()
    server.process.wait()
    emptied(slurm)
    folder = home / ".local/share/jupyter/hpcenv/kernels"
    assert [json.loads(each.read_text()) for each in folder.glob("*/ended.json")] == [{"code": 3}]
    again = serve()
    while list(folder.glob("hpcenv-*")):
        time.sleep(0.1)
    assert asked(again, "api/kernels") == []
    assert slurm.jobs() == []


def test_a_job_that_is_cancelled_is_told_as_one_beside_the_server_is(serve: Serve, slurm: Slurm) -> None:
    server = serve()
    kernel = opened(server)["kernel"]["id"]
    assert says(server, kernel, "print(1)") == "1"
    slurm.says("scancel", slurm.jobs()[0])
    while server.raw("GET", f"api/kernels/{kernel}")[0] == 200:
        time.sleep(0.2)
    emptied(slurm)
    assert "The job of this kernel was cancelled. Start the kernel again for a new job" in server.log.read_text()


def test_what_slurm_refuses_and_what_waits_too_long_leave_nothing(serve: Serve, slurm: Slurm) -> None:
    server = serve(partition="nope")
    status, text = server.raw("POST", "api/sessions", NOTEBOOK)
    assert (status, "Invalid partition name specified" in text.decode()) == (500, True), text
    assert slurm.jobs() == []
    server.stop()
    late = serve("c.Site.kernel_patience = 4", options={"begin": "now+1hour"})
    status, text = late.raw("POST", "api/sessions", NOTEBOOK)
    assert (status, "within 4 seconds: job" in text.decode()) == (500, True), text
    assert slurm.jobs() == []
