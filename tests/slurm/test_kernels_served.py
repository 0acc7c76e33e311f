"""Kernels in jobs, started by a real Jupyter server through its own API, as JupyterLab starts them."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from ..cli.conftest import Cli
from ..docs import printed
from ..serving import Server
from .cluster import Slurm
from .nodes import NAME, PATIENCE, configure, emptied, publish

SECRETS = {
    "JUPYTERHUB_API_TOKEN": "canary-hub-4b1d",
    "AWS_SECRET_ACCESS_KEY": "canary-aws-77aa",
    "SOME_VARIABLE": "canary-some-19c2",
    "SBATCH_PARTITION": "nope",
}

#: Writes each event of the server as a line.
EVENTS = """
import logging
c.EventLogger.handlers = [logging.FileHandler({!r})]
"""

Serve = Callable[..., Server]


@pytest.fixture
def serve(slurm: Slurm, home: Path, kernel_prefix: Path) -> Iterator[Serve]:
    """Start a server in whose kernelspecs there is one that runs in jobs."""
    servers: list[Server] = []

    def begin(text: str = "", **profiles: dict[str, Any]) -> Server:
        configure(home, text, **(profiles or {"small": {"partition": "zen5", "memory": "800M"}}))
        (home / ".jupyter/jupyter_server_config.py").write_text(EVENTS.format(str(home / "events")))
        publish(kernel_prefix, "small")
        servers.append(Server(home, variables={**slurm.variables, **SECRETS}))
        return servers[-1]

    yield begin
    for server in servers:
        if server.process.poll() is None:
            server.stop()
    emptied(slurm)


def started(server: Server) -> str:
    status, text = server.raw("POST", "api/kernels", {"name": NAME})
    assert status == 201, (text, server.log.read_text()[-3000:])
    return str(json.loads(text)["id"])


def says(server: Server, kernel: str, code: str) -> str:
    """Return what a cell of the server's kernel prints."""
    client = BlockingKernelClient(
        connection_file=str(server.home / ".local/share/jupyter/runtime" / f"kernel-{kernel}.json")
    )
    client.load_connection_file()
    client.start_channels(hb=False)  # a beat may be late on a busy machine
    client.wait_for_ready(timeout=PATIENCE)
    found: list[str] = []
    client.execute_interactive(
        code, timeout=PATIENCE, output_hook=lambda message: found.append(message["content"].get("text", ""))
    )
    client.stop_channels()
    return "".join(found).strip()


def events(home: Path, state: str) -> list[dict[str, Any]]:
    """Return the events of a kernel's job of one kind so far."""
    lines = (json.loads(line) for line in (home / "events").read_text().splitlines())
    return [each for each in lines if "kernel/v1" in each["__schema__"] and each.get("state") == state]


def test_no_secret_of_the_server_reaches_the_job_or_slurm(serve: Serve, slurm: Slurm, home: Path) -> None:
    server = serve()
    kernel = started(server)
    seen = says(server, kernel, "import os; print(open(f'/proc/{os.getppid()}/environ').read(), dict(os.environ))")
    job = slurm.jobs()[0]
    seen += slurm.says("scontrol", "show", "-dd", "job", job) + slurm.says("squeue", "--json")
    assert "SLURM_JOB_ID" in seen
    for folder in ("state", "spool", "log"):
        seen += "".join(path.read_text(errors="replace") for path in (slurm.base / folder).rglob("*") if path.is_file())
    assert "hpcenv-kernel-" in seen
    folder = next((home / ".local/share/jupyter/hpcenv/kernels").iterdir())
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    for path in folder.iterdir():
        assert oct(path.stat().st_mode & 0o077) == "0o0"
        seen += path.read_text()
    key = json.loads((folder / "connection.json").read_text())["key"]
    assert "canary" not in seen
    assert server.token not in seen
    outside = slurm.says("scontrol", "show", "-dd", "job", job) + slurm.says("squeue", "--json")
    assert key not in outside
    server.stop()  # asked to end, it ends its kernels
    emptied(slurm)
    assert not folder.exists()


def test_when_its_time_is_up_the_user_is_told_and_no_new_job_is_queued(serve: Serve, slurm: Slurm, home: Path) -> None:
    server = serve(small={"partition": "zen5", "time": "30"})
    kernel = started(server)
    assert says(server, kernel, "print(6 * 7)") == "42"
    job = slurm.jobs()[0]
    subprocess.run(["scontrol", "update", f"jobid={job}", "EndTime=now+3"], check=True, env=slurm.env)
    while server.raw("GET", f"api/kernels/{kernel}")[0] == 200:
        time.sleep(0.2)
    assert slurm.jobs() == []
    (ended,) = events(home, "ended")
    assert ended["kernel_id"] == kernel
    assert "time of this kernel's job was up" in ended["message"]
    assert slurm.says("squeue", "-h", "--states=all", "-o", "%A").split()[-1] == job, "no other was queued"


def test_a_killed_server_leaves_nothing_that_runs_or_waits(
    serve: Serve, slurm: Slurm, home: Path, kernel_prefix: Path
) -> None:
    server = serve(small={"partition": "zen5"}, late={"partition": "zen4", "options": {"begin": "now+1hour"}})
    started(server)
    publish(kernel_prefix, "late")
    waiting = threading.Thread(target=lambda: _refused(server), daemon=True)
    waiting.start()
    while not events(home, "waiting"):
        time.sleep(0.1)
    assert len(slurm.jobs()) == 2
    assert "BeginTime" in events(home, "waiting")[0]["message"]
    server.process.kill()
    server.process.wait()
    emptied(slurm)
    waiting.join(PATIENCE)


def _refused(server: Server) -> None:
    with contextlib.suppress(OSError):
        server.raw("POST", "api/kernels", {"name": NAME})


def test_the_pages_as_printed(slurm: Slurm, home: Path) -> None:
    """The configuration, then the commands; the environment of the page has its kernel in a job in the end."""
    admins, users = ((printed.DOCS / "how-to" / who / "kernels-in-jobs.md").read_text() for who in ("admins", "users"))
    (home / ".jupyter").mkdir()
    (home / ".jupyter/jupyter_hpcenv_config.py").write_text(printed.blocks(admins, "python")[0])
    cli = Cli(home, home / "cache")
    cli.env |= slurm.variables
    (profiles,) = printed.commands(admins)
    _, create, *edits = printed.commands(users)
    assert "Four processors, two hours" in cli(*shlex.split(profiles)[2:]).stdout
    made = cli(*shlex.split(create.replace(" numpy", ""))[2:])
    assert made.returncode == 0, made.stderr
    found = [cli.data_of("show", "sim")["profile"]]
    for line in edits:
        assert cli(*shlex.split(line)[2:]).returncode == 0
        found.append(cli.data_of("show", "sim")["profile"])
    assert found == ["small", "other", ""]
    cli.data_of("edit", "sim", "--profile", "small")
    server = Server(home, variables=slurm.variables)
    try:
        status, text = server.raw("POST", "api/kernels", {"name": "hpcenv-home.sim"})
        assert status == 201, text
        node = says(server, json.loads(text)["id"], "import os; print(os.environ['SLURMD_NODENAME'])")
        assert node.startswith("zen4-")
    finally:
        server.stop()
    emptied(slurm)
