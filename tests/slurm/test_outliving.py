"""A kernel that outlives its server: the user's next one finds it, its memory and its notebook."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from ..serving import Server
from .cluster import Slurm
from .nodes import NAME, configure, emptied, publish
from .test_kernels_served import says

pytestmark = pytest.mark.timeout(120)

Serve = Callable[..., Server]

#: Extensions that these tests do not need, and whose start takes most of a server's.
OFF = ("jupyterlab", "notebook_shim", "jupyter_lsp", "jupyter_server_terminals")
FEW = f"c.ServerApp.jpserver_extensions = {dict.fromkeys(OFF, False)}\n"
NOTEBOOK = {"path": "Untitled.ipynb", "name": "Untitled.ipynb", "type": "notebook", "kernel": {"name": NAME}}
KEPT = {"partition": "zen5", "memory": "800M", "keep_minutes": 5}


@pytest.fixture
def serve(slurm: Slurm, home: Path, kernel_prefix: Path) -> Iterator[Serve]:
    """Start servers of one user, one after the other or beside each other; in the end no job is left."""
    servers: list[Server] = []

    def begin(text: str = "", root: Path | None = None, own: str = "", **more: Any) -> Server:
        configure(home, text, small={**KEPT, **more})
        (home / ".jupyter/jupyter_server_config.py").write_text(FEW + own)
        publish(kernel_prefix, "small")
        servers.append(Server(home, variables=slurm.variables, token="one and the same", root=root))
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


def begin(server: Server, kernel: str, code: str) -> None:
    """Run a cell without waiting for its end."""
    client = BlockingKernelClient(
        connection_file=str(server.home / ".local/share/jupyter/runtime" / f"kernel-{kernel}.json")
    )
    client.load_connection_file()
    client.start_channels(hb=False)
    client.wait_for_ready(timeout=60)
    client.execute(f"print('begun', flush=True)\n{code}")
    while client.get_iopub_msg(timeout=60)["content"].get("text") != "begun\n":
        pass
    client.stop_channels()


def _refused(server: Server) -> None:
    with contextlib.suppress(OSError):
        server.raw("POST", "api/kernels", {"name": NAME})


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


def test_what_is_busy_is_not_culled_when_it_was_taken_over(serve: Serve, home: Path) -> None:
    """Nobody asks the kernel anything; the server ends kernels that were idle for some seconds."""
    settings = "c.MappingKernelManager.cull_idle_timeout, c.MappingKernelManager.cull_interval = 4, 1\n"
    server = serve()
    kernel = opened(server)["kernel"]["id"]
    begin(server, kernel, f"import time; time.sleep(16); open('{home}/done', 'w').close()")
    server.process.kill()
    server.process.wait()
    again = serve(own=settings)
    found(again, kernel)
    while not (home / "done").exists():
        assert asked(again, f"api/kernels/{kernel}")["execution_state"] == "busy"
        time.sleep(0.3)
    while again.raw("GET", f"api/kernels/{kernel}")[0] == 200:  # and when it is idle it is
        time.sleep(0.3)


def test_what_hinders_the_next_server_ends_nothing(serve: Serve, slurm: Slurm, home: Path) -> None:
    server = serve()
    kernel = opened(server)["kernel"]["id"]
    says(server, kernel, "kept = 6 * 7")
    server.process.kill()
    server.process.wait()
    (folder,) = (home / ".local/share/jupyter/hpcenv/kernels").glob("hpcenv-*")
    runtime = home / ".local/share/jupyter/runtime" / f"kernel-{kernel}.json"
    runtime.unlink()
    runtime.mkdir()
    whole = (folder / "connection.json").read_text()
    (folder / "connection.json").write_text("{")
    again = serve()
    while "can not be used" not in again.log.read_text():
        time.sleep(0.1)
    assert len(slurm.jobs()) == 1
    (folder / "connection.json").write_text(whole)
    while "Is a directory" not in again.log.read_text():
        time.sleep(0.1)
    assert len(slurm.jobs()) == 1
    runtime.rmdir()
    found(again, kernel)
    assert says(again, kernel, "print(kept)") == "42"


def test_a_node_that_fails_is_told_and_no_new_job_is_queued(serve: Serve, slurm: Slurm) -> None:
    server = serve(partition="zen4")
    kernel = opened(server)["kernel"]["id"]
    node = says(server, kernel, "import os; print(os.environ['SLURMD_NODENAME'])")
    slurm.says("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    try:
        while server.raw("GET", f"api/kernels/{kernel}")[0] == 200:
            time.sleep(0.2)
        assert slurm.jobs() == []
        assert "The node of this kernel's job failed" in server.log.read_text()
    finally:
        slurm.says("scontrol", "update", f"nodename={node}", "state=resume")


def test_a_server_that_is_stopped_ends_what_waits(serve: Serve, slurm: Slurm) -> None:
    server = serve(options={"begin": "now+1hour"})
    waiting = threading.Thread(target=lambda: _refused(server), daemon=True)
    waiting.start()
    while not slurm.jobs():
        time.sleep(0.1)
    server.stop()
    emptied(slurm)
    waiting.join(60)


def test_of_two_restarts_at_once_one_job_stays(serve: Serve, slurm: Slurm) -> None:
    server = serve()
    kernel = opened(server)["kernel"]["id"]
    path = f"api/kernels/{kernel}/restart"
    restarts = [threading.Thread(target=lambda: server.raw("POST", path), daemon=True) for _ in range(2)]
    for each in restarts:
        each.start()
    for each in restarts:
        each.join(100)
    while len(slurm.jobs()) > 1:
        time.sleep(0.1)
    server.raw("DELETE", f"api/kernels/{kernel}")
    emptied(slurm)


def test_another_folder_has_other_notebooks(serve: Serve, home: Path) -> None:
    for name in ("a", "b"):
        (home / name / "work").mkdir(parents=True)
    server = serve(root=home / "a")
    kernel = opened(server)["kernel"]["id"]
    noted(home, "Untitled.ipynb")
    server.process.kill()
    server.process.wait()
    other = serve(root=home / "b")
    while not asked(other, "api/kernels"):
        time.sleep(0.1)
    assert asked(other, "api/sessions") == []
    other.stop()
    above = serve(root=home)
    assert found(above, kernel)["path"] == "a/work/Untitled.ipynb"


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
