"""Lies about processes and clocks: a pid that somebody else got, and times that are a day off."""

from __future__ import annotations

import datetime
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from jupyter_hpcenv import claims
from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.errors import Interrupted
from jupyter_hpcenv.files import Watch
from jupyter_hpcenv.lifecycle.ground import MARK, break_ground
from jupyter_hpcenv.models import Status, Step, Target, Ticket, utc_now
from jupyter_hpcenv.names import new_environment_id, new_operation_id
from jupyter_hpcenv.operations.folder import Folder
from jupyter_hpcenv.operations.store import Own
from jupyter_hpcenv.process import MARKER, identity, is_marked

DAY = 86_400


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "300"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def admission() -> Admission:
    return Admission()


def running(admission: Admission, status: Status) -> Folder:
    """Put an operation and its claim on disk, as a worker of that status would have left them."""
    root = admission.site.data_dir / "environments"
    root.mkdir(exist_ok=True)
    target = Target(id=new_environment_id(), name="a", location="home", prefix=str(root / "a"))
    ticket = Ticket(
        id=new_operation_id(),
        verb="create",
        target=target,
        root=str(root),
        request={"name": "a"},
        config={},
        steps=[Step(name="prefix", title="Create the prefix")],
        submitted=utc_now(),
        user="me",
        host="here",
    )
    folder = Folder(admission.operations.root / ticket.id)
    folder.path.mkdir()
    (folder.path / "operation.json").write_bytes(msgspec.json.encode(ticket))
    folder.write_status(status)
    claims.take(root, "a", ticket.id, "create", "me")
    if status.process is not None:
        place = claims.path_of(root, "a")
        claim = claims.read(place)
        assert claim is not None
        place.write_bytes(msgspec.json.encode(msgspec.structs.replace(claim, process=status.process)))
    break_ground(root / "a", ticket.id)
    return folder


def test_a_pid_that_somebody_else_got_is_neither_alive_nor_killed(
    admission: Admission, bystander: subprocess.Popen[bytes]
) -> None:
    process = identity(bystander.pid)
    process.start -= 100
    folder = running(admission, Status(state="running", owner="x", process=process))
    admission.operations.cancel(folder.id)
    assert admission.reconcile() == ["create a: cancelled."]
    assert bystander.poll() is None
    assert not (admission.site.data_dir / "environments" / "a").exists()
    assert not claims.path_of(admission.site.data_dir / "environments", "a").exists()


def test_a_process_that_lives_is_never_taken_over_whatever_the_clocks_say(
    admission: Admission, bystander: subprocess.Popen[bytes]
) -> None:
    folder = running(admission, Status(state="running", owner="x", process=identity(bystander.pid)))
    place = claims.path_of(admission.site.data_dir / "environments", "a")
    for moment in (time.time() - DAY, time.time() + DAY):
        os.utime(folder.path / "status.json", (moment, moment))
        os.utime(place, (moment, moment))
        assert admission.reconcile() == []
        assert claims.taken(place.parents[2], "a")


@pytest.mark.parametrize(("offset", "closed"), [(-DAY, True), (-150, False), (DAY, False)])
def test_elsewhere_silence_counts_by_the_clock_of_the_file_server(
    admission: Admission, offset: float, closed: bool
) -> None:
    process = identity()
    process.host = "another-host"
    folder = running(admission, Status(state="running", owner="x", process=process))
    moment = time.time() + offset
    for path in (folder.path / "status.json", claims.path_of(admission.site.data_dir / "environments", "a")):
        os.utime(path, (moment, moment))
    assert bool(admission.reconcile()) is closed
    assert (admission.site.data_dir / "environments" / "a").exists() is not closed


@pytest.mark.parametrize("offset", [-DAY, DAY])
@pytest.mark.parametrize(("silence", "closed"), [(30, False), (90, True)])
def test_an_operation_that_nobody_began_is_closed_whatever_the_submitter_thought_it_was(
    admission: Admission, offset: float, silence: float, closed: bool
) -> None:
    """A minute after it was submitted, by the file server's clock."""
    folder = running(admission, Status())
    ticket = msgspec.structs.replace(folder.ticket(), host=socket.gethostname(), submitted=shifted(offset))
    (folder.path / "operation.json").write_bytes(msgspec.json.encode(ticket))
    moment = time.time() - silence
    os.utime(folder.path / "status.json", (moment, moment))
    assert bool(admission.reconcile()) is closed
    assert admission.operations.get(folder.id).state == ("interrupted" if closed else "pending")


def shifted(offset: float) -> str:
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_a_worker_that_takes_long_to_start_is_waited_for(admission: Admission) -> None:
    """Its process is there, with the operation's marker, however long the modules of Python take to load."""
    folder = running(admission, Status())
    ticket = msgspec.structs.replace(folder.ticket(), host=socket.gethostname())
    (folder.path / "operation.json").write_bytes(msgspec.json.encode(ticket))
    os.utime(folder.path / "status.json", (0, 0))
    worker = subprocess.Popen(["sleep", "300"], env={**os.environ, MARKER: folder.id})
    try:
        until_marked(folder.id)
        assert admission.reconcile() == []
        assert worker.poll() is None
    finally:
        worker.kill()
        worker.wait()
    assert admission.reconcile() == ["create a: interrupted."]


def until_marked(operation: str) -> None:
    while not is_marked(operation):  # between fork and exec it still has our variables
        time.sleep(0.001)


def test_a_clock_that_was_ahead_is_outwaited_by_who_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file's time lies a day ahead, so only the watch of who looks can tell that nothing happens."""
    path = tmp_path / "status.json"
    path.touch()
    ahead = time.time() + DAY
    os.utime(path, (ahead, ahead))
    watch, now = Watch(), time.monotonic()
    assert watch.silence(path) < 1
    monkeypatch.setattr(time, "monotonic", lambda: now + 200)
    assert watch.silence(path) >= 199
    os.utime(path, (ahead + 1, ahead + 1))
    assert watch.silence(path) < 1


def test_of_two_who_finish_an_operation_one_does(admission: Admission) -> None:
    """The worker slept between its look at the status and its write, and was taken over meanwhile."""
    folder = running(admission, Status())
    late = Own(folder, "running")
    looked = late._check
    late._check = lambda owner: None  # type: ignore[method-assign]  its look was before the other one came
    Own(folder).finish("interrupted")
    with pytest.raises(Interrupted):
        late.finish("failed")
    assert folder.status().state == "interrupted"
    late.folder.write_status(late.status)  # what it wrote on the way changes nothing any more
    assert folder.status().state == "interrupted"
    with pytest.raises(Interrupted):
        looked(late.status.owner)


def test_what_another_operation_builds_by_now_is_not_removed_for_a_dead_one(admission: Admission) -> None:
    """Its claim was taken over while nobody had closed it yet."""
    process = identity()
    process.start -= 100
    folder = running(admission, Status(state="running", owner="x", process=process))
    root = admission.site.data_dir / "environments"
    another = new_operation_id()
    claims.take(root, "a", another, "create", "me")
    (root / "a" / MARK).write_text(another)
    (root / "a" / "half-built").touch()
    assert admission.reconcile() == ["create a: interrupted."]
    assert (root / "a" / "half-built").exists()
    found = claims.read(claims.path_of(root, "a"))
    assert found is not None
    assert found.holder == another
    assert folder.status().state == "interrupted"


def test_a_clock_that_is_behind_purges_nothing(admission: Admission) -> None:
    root: Path = admission.site.data_dir / "environments"
    item = root / f".trash-{os.geteuid()}" / f"{new_environment_id()}@20991231T235959Z@a"
    item.mkdir(parents=True)
    (root / f".trash-{os.geteuid()}").chmod(0o700)
    status = Status(state="succeeded", finished="2099-12-31T23:59:59.000Z")
    folder = running(admission, status)
    admission.sweep()
    assert item.is_dir()
    assert folder.path.is_dir()
