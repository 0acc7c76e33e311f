"""A kernel in a job of a real Slurm lives and dies as Jupyter expects, and leaves the queue empty."""

from __future__ import annotations

import queue
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from jupyter_hpcenv.errors import KernelNotStarted
from jupyter_hpcenv.questions.queues import queues
from jupyter_hpcenv.site import Site

from .cluster import Slurm
from .nodes import NAME, PATIENCE, configure, emptied, publish

pytestmark = pytest.mark.filterwarnings("default")  # jupyter_client warns of its own


Start = Callable[..., tuple[KernelManager, BlockingKernelClient]]


@pytest.fixture
def start(slurm: Slurm, home: Path, kernel_prefix: Path) -> Iterator[Start]:
    """Start a kernel as a Jupyter Server does; the queue is empty at the end."""
    configure(home, small={"partition": "zen5", "memory": "800M"})
    started: list[tuple[KernelManager, BlockingKernelClient]] = []

    def begin(profile: str = "small", **changes: Any) -> tuple[KernelManager, BlockingKernelClient]:
        publish(kernel_prefix, profile, **changes)
        manager = KernelManager(kernel_name=NAME)
        manager.start_kernel()
        client = manager.client()
        started.append((manager, client))
        client.start_channels()
        client.wait_for_ready(timeout=PATIENCE)
        return manager, client

    yield begin
    for manager, client in started:
        client.stop_channels()
        if manager.has_kernel:
            manager.shutdown_kernel()
    emptied(slurm)


def said(client: BlockingKernelClient, code: str) -> str:
    """Return what a cell printed."""
    found: list[str] = []
    client.execute_interactive(
        code, timeout=PATIENCE, output_hook=lambda message: found.append(message["content"].get("text", ""))
    )
    return "".join(found).strip()


def test_a_kernel_runs_in_a_job(start: Start, slurm: Slurm, kernel_prefix: Path) -> None:
    manager, client = start()
    assert len(slurm.jobs()) == 1
    node, where = said(client, "import os, sys; print(os.environ['SLURMD_NODENAME'], sys.prefix)").split(" ", 1)
    assert (node, where) == ("zen5-1", str(kernel_prefix))
    manager.shutdown_kernel()
    emptied(slurm)


@pytest.mark.parametrize("code", ["import time; time.sleep(60)", "import subprocess; subprocess.run(['sleep', '60'])"])
def test_an_interrupt_reaches_what_runs(start: Start, code: str) -> None:
    manager, client = start()
    asked = client.execute(f"print('begun', flush=True)\n{code}")
    while client.get_iopub_msg(timeout=PATIENCE)["content"].get("text") != "begun\n":
        pass
    manager.interrupt_kernel()
    while (reply := client.get_shell_msg(timeout=PATIENCE))["parent_header"].get("msg_id") != asked:
        pass
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert said(client, "print(6 * 7)") == "42"
    assert manager.is_alive()


def test_a_restart_is_a_new_job_and_the_old_one_is_gone(start: Start, slurm: Slurm) -> None:
    manager, client = start()
    said(client, "kept = 1")
    before = slurm.jobs()
    manager.restart_kernel()
    client.stop_channels()
    again = manager.client()
    again.start_channels()
    again.wait_for_ready(timeout=PATIENCE)
    try:
        assert said(again, "print('kept' in globals())") == "False"
        assert len(slurm.jobs()) == 1
        assert slurm.jobs() != before
    finally:
        again.stop_channels()


def test_a_kernel_that_does_not_listen_is_killed(start: Start, slurm: Slurm) -> None:
    manager, client = start()
    client.execute("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")
    manager.shutdown_kernel(now=True)
    emptied(slurm)


def test_what_slurm_refuses_is_told(start: Start, home: Path, slurm: Slurm) -> None:
    configure(home, wrong={"partition": "nope"})
    with pytest.raises(
        KernelNotStarted,
        match=r"Slurm says “Invalid partition name specified”.*profile “wrong” asks for: choose another",
    ):
        start("wrong")
    assert not list((home / ".local/share/jupyter/hpcenv/kernels").iterdir())


def test_the_check_of_a_site_names_partitions_that_are_not_there(slurm: Slurm) -> None:
    there, wrong = {"partition": "zen5", "keep_minutes": 5}, {"partition": "zen55"}
    site = Site(kernel_profiles={"a": there, "b": wrong}, batch=wrong, targets={"zen5": wrong})
    told = [(each.code, each.message.partition(" asks")[0], each.advice) for each in queues(site)]
    advice = "Take one of zen4, zen5."
    assert told == [
        ("partition_unknown", "c.Site.batch", advice),
        ("partition_unknown", "c.Site.kernel_profiles['b']", advice),
        ("partition_unknown", "c.Site.targets['zen5']", advice),
    ]


def test_a_profile_that_the_site_has_not_is_told(start: Start) -> None:
    with pytest.raises(KernelNotStarted, match=r"has no profile “gone” for kernels. Choose one of: small"):
        start("gone")


def test_who_waits_too_long_is_told_why(start: Start, home: Path, slurm: Slurm) -> None:
    configure(home, "c.Site.kernel_patience = 5", late={"partition": "zen4", "options": {"begin": "now+1hour"}})
    with pytest.raises(
        KernelNotStarted,
        match=r"within 5 seconds: job \d+ is pending: it begins later \(BeginTime\), and number 1 of 1 that",
    ):
        start("late")
    assert slurm.jobs() == []


def test_a_kernel_that_can_not_encrypt_is_refused(start: Start, slurm: Slurm) -> None:
    with pytest.raises(KernelNotStarted, match=r"can not encrypt its connection.*Install ipykernel 7"):
        start(metadata={"debugger": True})
    assert slurm.jobs() == []


def test_the_connection_is_encrypted(start: Start) -> None:
    """A client with the key of the messages and without those of the encryption gets no answer."""
    manager, client = start()
    assert manager.curve_publickey
    known = dict(manager.get_connection_info())
    del known["curve_publickey"], known["curve_secretkey"]
    plain = BlockingKernelClient()
    plain.load_connection_info(known)  # type: ignore[arg-type]
    plain.start_channels()
    try:
        plain.kernel_info()
        with pytest.raises(queue.Empty):
            plain.get_shell_msg(timeout=2)
    finally:
        plain.stop_channels()
    assert said(client, "print(1)") == "1"


VICTIM = """
import time
from jupyter_client.manager import KernelManager
manager = KernelManager(kernel_name="hpcenv-home.node")
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=60)
print("ready", flush=True)
time.sleep(600)
"""


def test_a_killed_server_takes_its_job_along(start: Start, slurm: Slurm, kernel_prefix: Path) -> None:
    publish(kernel_prefix, "small")
    with subprocess.Popen([sys.executable, "-c", VICTIM], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        assert len(slurm.jobs()) == 1
        server.kill()
    emptied(slurm)
