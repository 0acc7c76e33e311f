from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_hpcenv import process
from jupyter_hpcenv.errors import NotFound, WrongState
from jupyter_hpcenv.models import LogLine, Status, Step, Target, Ticket, utc_now
from jupyter_hpcenv.names import new_environment_id, new_operation_id
from jupyter_hpcenv.operations import Operations, Own
from jupyter_hpcenv.operations.folder import Folder
from jupyter_hpcenv.site import Site


@pytest.fixture
def operations() -> Operations:
    return Operations(Site())


def place(operations: Operations, status: Status | None = None, **changes: Any) -> Folder:
    """Put an operation on disk without a worker."""
    values: dict[str, Any] = {
        "id": new_operation_id(),
        "verb": "create",
        "target": Target(id=new_environment_id(), name="a", location="home", prefix="/nowhere/a"),
        "root": "/nowhere",
        "request": {"name": "a"},
        "config": {},
        "steps": [Step(name="prefix", title="Create the prefix")],
        "submitted": utc_now(),
        "user": "me",
        "host": "here",
    }
    ticket = Ticket(**{**values, **changes})
    folder = Folder(operations.root / ticket.id)
    folder.path.mkdir()
    (folder.path / "operation.json").write_bytes(msgspec.json.encode(ticket))
    if status is not None:
        folder.write_status(status)
    return folder


def test_a_pending_operation_is_shown_and_listed(operations: Operations) -> None:
    folder = place(operations)
    shown = operations.get(folder.id)
    assert (shown.state, shown.step, shown.log_size) == ("pending", 0, 0)
    assert [each.id for each in operations.list()] == [folder.id]


@pytest.mark.parametrize("identifier", ["", "nothing", "../../etc", "20260101-000000-deadbeef"])
def test_what_is_no_operation_is_not_found(operations: Operations, identifier: str) -> None:
    with pytest.raises(NotFound):
        operations.get(identifier)


def test_a_damaged_operation_hides_no_other(operations: Operations) -> None:
    good, bad = place(operations), place(operations)
    (bad.path / "operation.json").write_text("{")
    assert [each.id for each in operations.list()] == [good.id]


def test_a_log_is_read_by_offset_in_whole_lines(operations: Operations) -> None:
    folder = place(operations)
    own = Own(folder, "running")
    own.append(LogLine(at=0.1, kind="step", text="one"))
    first = operations.log(folder.id)
    assert [line.text for line in first.lines] == ["one"]
    with folder.log_path.open("ab") as stream:
        stream.write(b'{"at": 0.2, "kind": "output", "te')
    again = operations.log(folder.id, first.offset)
    assert (again.lines, again.offset, again.complete) == ([], first.offset, False)
    with folder.log_path.open("ab") as stream:
        stream.write(b'xt": "two"}\n')
    own.finish("succeeded")
    last = operations.log(folder.id, first.offset)
    assert [line.text for line in last.lines] == ["two"]
    assert last.complete


def test_a_dead_worker_makes_the_operation_interrupted(operations: Operations) -> None:
    who = process.identity()
    who.start -= 1
    steps = [Step(name="download", title="Download", state="running")]
    folder = place(operations, Status(state="running", process=who, steps=steps))
    (folder.path / "worker.out").write_text("Killed\n")
    shown = operations.get(folder.id)
    assert shown.state == "interrupted"
    assert shown.error is not None
    assert "Download" in shown.error["message"]
    assert shown.error["reason"] == "Killed"
    assert [each.id for each, _ in operations.unfinished_dead()] == [folder.id]


def test_elsewhere_only_silence_counts(operations: Operations) -> None:
    who = process.identity()
    who.host = "another-node"
    folder = place(operations, Status(state="running", process=who))
    assert operations.get(folder.id).state == "running"
    old = (folder.path / "status.json").stat().st_mtime - 200
    os.utime(folder.path / "status.json", (old, old))
    assert operations.get(folder.id).state == "interrupted"


def test_who_was_taken_over_knows(operations: Operations) -> None:
    folder = place(operations)
    first = Own(folder, "running")
    assert first.still()
    second = Own(folder)
    assert second.still()
    assert not first.still()


def test_cancelling_sets_the_flag_and_a_finished_one_can_not_be(operations: Operations) -> None:
    folder = place(operations)
    assert operations.cancel(folder.id).cancelling
    assert operations.cancel(folder.id).cancelling
    Own(folder, "running").finish("cancelled")
    with pytest.raises(WrongState):
        operations.cancel(folder.id)
    assert not operations.get(folder.id).cancelling


def test_who_closes_an_operation_is_no_worker_and_gets_no_signal(operations: Operations) -> None:
    """A server closes what a dead worker left; another server that cancels just then must not end the first one."""
    folder = place(operations)
    code = "import sys, time\nfrom pathlib import Path\nfrom jupyter_hpcenv.operations import Own\n"
    code += "from jupyter_hpcenv.operations.folder import Folder\nown = Own(Folder(Path(sys.argv[1])))\n"
    code += "print('closing', flush=True)\ntime.sleep(60)\n"
    with subprocess.Popen([sys.executable, "-c", code, str(folder.path)], stdout=subprocess.PIPE, text=True) as closer:
        try:
            assert closer.stdout is not None
            assert closer.stdout.readline() == "closing\n"
            old = time.time() - 100_000
            operations.cancel(folder.id)
            os.utime(folder.cancel_path, (old, old))
            assert not operations.insist(folder.id)
            with pytest.raises(subprocess.TimeoutExpired):
                closer.wait(0.5)
        finally:
            closer.kill()


def test_only_finished_operations_are_forgotten(operations: Operations) -> None:
    folder = place(operations)
    with pytest.raises(WrongState):
        operations.forget(folder.id)
    Own(folder, "running").finish("failed", {"message": "m", "reason": "", "code": "c", "hints": []})
    operations.forget(folder.id)
    assert not folder.path.exists()


def test_of_many_who_forget_one_at_once_each_gets_an_answer_and_nothing_is_left(operations: Operations) -> None:
    """It is theirs or not there any more; a folder that is half removed would be neither."""
    barrier = threading.Barrier(4)

    def forget(identifier: str) -> bool:
        barrier.wait()
        try:
            operations.forget(identifier)
        except (NotFound, WrongState):
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        for _ in range(50):
            folder = place(operations)
            Own(folder, "running").finish("succeeded")
            for name in range(20):
                (folder.path / str(name)).touch()
            assert sum(pool.map(forget, [folder.id] * 4)) == 1
            assert list(operations.root.iterdir()) == []


def test_an_idempotency_key_names_one_operation(operations: Operations) -> None:
    folder = place(operations)
    assert operations.known("k") is None
    assert operations.remember("k", folder.id) is None
    assert operations.remember("k", new_operation_id()) == folder.id
    assert operations.known("k") == folder.id
    Own(folder, "running").finish("succeeded")
    operations.forget(folder.id)
    assert operations.known("k") is None


def test_log_lines_that_are_damaged_are_left_out(operations: Operations) -> None:
    folder = place(operations)
    folder.log_path.write_bytes(b'nonsense\n{"at": 1, "kind": "output", "text": "kept"}\n')
    assert [line.text for line in operations.log(folder.id).lines] == ["kept"]


def test_the_folder_is_private(operations: Operations) -> None:
    folder = place(operations, Status())
    assert operations.root.stat().st_mode & 0o077 == 0
    assert (folder.path / "status.json").stat().st_mode & 0o077 == 0
    assert Path(folder.path).is_relative_to(Path.home())


def test_a_log_is_capped_but_errors_are_still_written(operations: Operations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_hpcenv.operations.store.LOG_LIMIT", 1_000)
    folder = place(operations)
    own = Own(folder, "running")
    for _ in range(500):
        own.append(LogLine(at=0.0, kind="output", text="x" * 100))
    own.append(LogLine(at=1.0, kind="error", text="the reason"))
    lines = operations.log(folder.id).lines
    assert folder.log_size() < 2_000
    assert [line.kind for line in lines[-2:]] == ["warning", "error"]
    assert lines[-1].text == "the reason"


def test_a_worker_is_killed_when_it_was_asked_and_the_patience_is_over() -> None:
    operations = Operations(Site(cancel_patience=60))
    deaf = ["sh", "-c", "trap : TERM; echo; while :; do sleep 0.1; done"]
    worker = subprocess.Popen(deaf, stdout=subprocess.PIPE)
    try:
        assert worker.stdout is not None
        worker.stdout.readline()  # from here on it is deaf
        folder = place(operations, Status(state="running", process=process.identity(worker.pid)))
        assert not operations.insist(folder.id)
        assert operations.cancel(folder.id).cancelling
        assert not operations.insist(folder.id)
        assert worker.poll() is None
        old = folder.cancel_path.stat().st_mtime - 61
        os.utime(folder.cancel_path, (old, old))
        assert operations.insist(folder.id)
        assert worker.wait() == -signal.SIGKILL
        assert not operations.insist(folder.id)
    finally:
        worker.kill()
        worker.communicate()


def test_a_worker_elsewhere_is_not_killed(bystander: subprocess.Popen[bytes]) -> None:
    """Its pid means nothing here."""
    operations = Operations(Site(cancel_patience=1))
    who = process.identity(bystander.pid)
    who.host = "another-node"
    folder = place(operations, Status(state="running", process=who))
    folder.ask_to_cancel()
    os.utime(folder.cancel_path, (0, 0))
    assert not operations.insist(folder.id)
    assert bystander.poll() is None


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(["sleep", "300"])
    yield running
    running.kill()
    running.wait()
