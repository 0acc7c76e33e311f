"""A kernel that outlives its server: who has it, and when it ends by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.lifecycle import job_folder
from jupyter_hpcenv.lifecycle.job_folder import JobFolder, KernelFacts, Session, sweep, waiting
from jupyter_hpcenv.models import Job
from jupyter_hpcenv.provisioner import node
from jupyter_hpcenv.provisioner.sent import Sent
from jupyter_hpcenv.site import Site

SLEEPER = ["sleep", "120"]


@pytest.fixture
def cancelled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    class System:
        def cancel(self, name: str) -> None:
            names.append(name)

    monkeypatch.setattr(job_folder, "load_batch_system", lambda name: System())
    return names


@pytest.fixture
def running(home: Path) -> Iterator[tuple[JobFolder, subprocess.Popen[str]]]:
    """A kernel of this server, beside which the node stays."""
    folder = prepared(keep=1.5)
    with subprocess.Popen(folder.program(), env={"PATH": os.defpath}, stderr=subprocess.PIPE, text=True) as process:
        while folder.connection() is None:
            time.sleep(0.02)
        yield folder, process
        process.kill()


def prepared(keep: float = 300, *, host: str = "") -> JobFolder:
    """Return the folder of a kernel; with *host* of a server on another computer."""
    folder = JobFolder(Site())
    if host:
        folder._process.host = host
    folder.prepare(SLEEPER, {}, "/", {"key": "secret"}, "", keep)
    folder.describe(KernelFacts(id="1-2", name="a kernel", keep=keep))
    return folder


def left(keep: float = 300, silent: float = 200) -> JobFolder:
    """Return the folder of a kernel that runs, and whose server was silent for so many seconds."""
    folder = prepared(keep, host="elsewhere")
    folder.connection_file.write_text("{}")
    then = time.time() - silent
    os.utime(folder.path / "server.json", (then, then))
    return folder


def test_it_ends_when_no_server_has_shown_itself(running: tuple[JobFolder, subprocess.Popen[str]]) -> None:
    folder, process = running
    assert process.stderr is not None
    assert "No server has asked for this kernel any more" in process.stderr.read()
    assert process.wait(30) == 1
    assert folder.ended() == -signal.SIGTERM


def test_it_goes_on_while_a_server_shows_itself(running: tuple[JobFolder, subprocess.Popen[str]]) -> None:
    folder, process = running
    until = time.monotonic() + 5
    while time.monotonic() < until:
        folder.beat()
        time.sleep(0.1)
    assert (process.poll(), folder.ended()) == (None, None)


def test_it_ends_with_its_folder(running: tuple[JobFolder, subprocess.Popen[str]]) -> None:
    folder, process = running
    folder.remove()
    assert process.wait(30) == 1
    assert not folder.path.exists()


def test_a_cancelled_job_ends_its_kernel_and_says_so(running: tuple[JobFolder, subprocess.Popen[str]]) -> None:
    folder, process = running
    process.terminate()
    assert process.wait(30) == 1
    assert folder.ended() == -signal.SIGTERM


def test_a_job_whose_server_is_long_gone_begins_nothing(home: Path) -> None:
    folder = left(silent=400)
    folder.connection_file.unlink()
    done = subprocess.run(folder.program(), env={"PATH": os.defpath}, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "The server that wanted this kernel is gone.\n")
    assert folder.connection() is None


def test_a_job_that_is_queued_again_begins_no_second_kernel(home: Path) -> None:
    folder = left()
    done = subprocess.run(folder.program(), env={"PATH": os.defpath}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "not begun a second time" in done.stderr


def test_what_a_kernel_writes_past_jupyter_does_not_fill_the_home(tmp_path: Path) -> None:
    said = tmp_path / "job.out"
    said.write_bytes(b"x" * 2_000_000)
    node.shorten(str(said))
    assert said.stat().st_size == 0
    said.write_text("short")
    node.shorten(str(said))
    assert said.read_text() == "short"


def test_one_server_takes_it_over_and_the_one_before_lets_go(home: Path, cancelled: list[str]) -> None:
    before = left()
    (found,) = waiting(Site())
    assert found.take_over(Site())
    assert found.is_mine
    assert not found.take_over(Site()), "its server lives: it is this one"
    assert waiting(Site()) == []
    assert before.beat() is False, "it has woken up"
    assert found.beat() is True
    assert sweep(Site()) == 0


def test_one_whose_server_may_live_is_left_alone(home: Path) -> None:
    left(silent=60)
    assert waiting(Site()) == []


@pytest.mark.parametrize("how", ["too long", "not begun", "ended"])
def test_what_nobody_can_take_over_is_swept(home: Path, cancelled: list[str], how: str) -> None:
    kept, gone = left(keep=9_999, silent=700), left(keep=9_999 if how != "too long" else 600, silent=700)
    if how == "not begun":
        gone.connection_file.unlink()
    if how == "ended":
        (gone.path / "ended.json").write_text('{"code": 0}')
    assert sweep(Site()) == 1
    assert cancelled == [gone.name]
    assert (kept.path.exists(), gone.path.exists()) == (True, False)
    assert [each.name for each in waiting(Site())] == [kept.name]


def test_a_record_that_is_damaged_is_swept_and_stops_nobody(home: Path, cancelled: list[str]) -> None:
    folder = left(silent=700)
    (folder.path / "kernel.json").write_text("{")
    (folder.path / "sessions.json").write_text("[3]")
    assert (folder.kernel(), folder.sessions()) == (None, [])
    assert sweep(Site()) == 1


def test_sessions_are_kept(home: Path) -> None:
    folder = prepared()
    sessions = [Session(path="a/b.ipynb", name="b.ipynb"), Session(path="c", type="console")]
    folder.note(sessions)
    assert folder.sessions() == sessions
    folder.remove()
    folder.note(sessions)
    assert not folder.path.exists()


def test_the_queue_tells_the_end_of_what_could_not_say_it(home: Path) -> None:
    folder = prepared()
    sent = Sent(folder)
    sent.look(None, begun=False)
    assert sent.poll() is None, "it may not be seen yet"
    sent.look(Job(system="slurm", name=folder.name, id="1", state="pending"), begun=False)
    sent.look(Job(system="slurm", name=folder.name, id="1", state="running"), begun=True)
    assert sent.poll() is None
    sent.look(Job(system="slurm", name=folder.name, id="1", state="node_fail"), begun=True)
    assert sent.poll() == 1
    said = Sent(folder)
    (folder.path / "ended.json").write_text(json.dumps({"code": 3}))
    said.look(Job(system="slurm", name=folder.name, id="1", state="completed"), begun=True)
    assert said.poll() == 3


@pytest.mark.parametrize("job", [{"state": "pending"}, {"state": "running", "restarts": 1}])
def test_one_that_was_queued_again_has_lost_its_memory(home: Path, job: Any) -> None:
    folder = prepared()
    sent = Sent(folder)
    sent.look(Job(system="slurm", name=folder.name, id="1", **job), begun=True)
    assert sent.poll() == 1
