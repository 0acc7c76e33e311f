"""What is not ours, or is somebody's by now, survives everything that we do beside it."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_hpcenv import claims
from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.catalog.records import revised
from jupyter_hpcenv.errors import Busy, NameTaken, Refused
from jupyter_hpcenv.lifecycle.ground import MARK, break_ground, clear_ground, clear_leftovers
from jupyter_hpcenv.models import FINISHED, CreateRequest, Operation, Record
from jupyter_hpcenv.names import new_operation_id
from jupyter_hpcenv.server.watch_environments import EnvironmentsPoller

Wait = Callable[[Operation], Operation]


def nothing() -> None:
    """A guard that lets everything pass."""


def made(admission: Admission, wait: Wait, name: str, **request: Any) -> Operation:
    operation = wait(admission.submit("create", CreateRequest(name=name, kernel=False, **request)))
    assert operation.state == "succeeded", operation.error
    return operation


def test_only_what_an_operation_began_is_cleared(tmp_path: Path) -> None:
    mine, other = new_operation_id(), new_operation_id()
    break_ground(tmp_path / "a", mine)
    clear_ground(tmp_path / "a", other, nothing)
    assert (tmp_path / "a" / MARK).read_text() == mine
    clear_ground(tmp_path / "a", mine, nothing)
    assert os.listdir(tmp_path) == []
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.txt").write_text("precious")
    clear_ground(tmp_path / "theirs", mine, nothing)
    with pytest.raises(NameTaken):
        break_ground(tmp_path / "theirs", mine)
    assert os.listdir(tmp_path) == ["theirs"]
    assert (tmp_path / "theirs" / "thesis.txt").read_text() == "precious"


def test_leftovers_of_finished_operations_go_and_those_of_running_ones_stay(tmp_path: Path) -> None:
    done, running = new_operation_id(), new_operation_id()
    break_ground(tmp_path / "old", done)
    break_ground(tmp_path / "new", running)
    (tmp_path / f".hpcenv-gone-{done}").mkdir()
    (tmp_path / f".hpcenv-new-{running}").mkdir()
    (tmp_path / "theirs").mkdir()
    assert clear_leftovers(tmp_path, {done}) == 2
    assert sorted(os.listdir(tmp_path)) == [f".hpcenv-new-{running}", "new", "theirs"]


def test_a_folder_put_there_while_the_worker_sleeps_survives(admission: Admission, finished: Wait) -> None:
    operation = admission.submit("create", CreateRequest(name="race", kernel=False))
    folder = admission.operations.folder(operation.id)
    while (process := folder.status().process) is None:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGSTOP)
    prefix = Path(operation.environment.prefix)
    early = not prefix.exists()
    if early:
        prefix.mkdir()
        (prefix / "thesis.txt").write_text("precious")
    os.kill(process.pid, signal.SIGCONT)
    done = finished(operation)
    if early:
        assert done.error is not None
        assert done.error["code"] == "name_taken"
        assert (prefix / "thesis.txt").read_text() == "precious"


def test_a_folder_put_in_place_of_a_dead_build_survives(admission: Admission) -> None:
    operation = admission.submit("create", CreateRequest(name="thesis", packages=["numpy"]))
    prefix = Path(operation.environment.prefix)
    while not (prefix / "bin").exists():
        time.sleep(0.01)
    process = admission.operations.folder(operation.id).status().process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    while admission.operations.get(operation.id).state not in FINISHED:
        time.sleep(0.02)
    shutil.rmtree(prefix, ignore_errors=True)
    prefix.mkdir(exist_ok=True)
    (prefix / "thesis.txt").write_text("precious")
    admission.reconcile()
    assert (prefix / "thesis.txt").read_text() == "precious"
    assert admission.operations.get(operation.id).state == "interrupted"


def test_two_names_can_not_build_one_prefix(admission: Admission, finished: Wait) -> None:
    root = Path(admission.facts()["locations"][0]["root"])
    both = []
    for name in ("one", "two"):
        try:
            both.append(admission.submit("create", CreateRequest(name=name, prefix=str(root / "x"), kernel=False)))
        except (NameTaken, Busy):
            continue
    ended = [finished(operation) for operation in both]
    assert [operation.state for operation in ended].count("succeeded") == 1
    (row,) = admission.catalog.environments()
    assert row.state == "ready"


def test_a_folder_for_each_python_is_used_listed_and_emptied(tmp_path: Path) -> None:
    root = tmp_path / "scratch"
    desk = Admission(Config({"Site": {"locations": {"scratch": f"{root}/{{python_version}}"}}}))
    operation = desk.submit("create", CreateRequest(name="a", kernel=False))
    while (done := desk.operations.get(operation.id)).state not in FINISHED:
        time.sleep(0.02)
    assert done.state == "succeeded", done.error
    row = desk.catalog.find("scratch/a")
    assert Path(row.prefix) == root / ".".join(row.python.split(".")[:2]) / "a"
    desk.catalog.records.forget(row.id)  # as for a colleague, who has no copy of the record
    assert desk.catalog.find("a").id == row.id
    item = desk.delete("a")
    assert desk.restore(item.id).prefix == row.prefix


def test_a_build_in_progress_is_busy_and_not_something_to_delete(admission: Admission, finished: Wait) -> None:
    operation = admission.submit("create", CreateRequest(name="a", kernel=False))
    prefix = Path(operation.environment.prefix)
    while not prefix.exists() and admission.operations.get(operation.id).state not in FINISHED:
        time.sleep(0.002)
    if admission.operations.get(operation.id).state not in FINISHED:
        with pytest.raises((Busy, NameTaken)) as caught:
            admission.submit("create", CreateRequest(name="a", kernel=False))
        assert "no environment of jupyter_hpcenv" not in caught.value.message
    finished(operation)


def test_restore_never_makes_two_of_one_name(admission: Admission, finished: Wait) -> None:
    made(admission, finished, "climate")
    item = admission.delete("climate")
    made(admission, finished, "Climate")
    with pytest.raises(NameTaken) as caught:
        admission.restore(item.id)
    assert caught.value.hints
    assert [row.name for row in admission.catalog.environments()] == ["Climate"]
    admission.delete("Climate")
    assert admission.restore(item.id).name == "climate"


def test_an_occupied_kernel_name_is_known_at_once_and_never_blocks_a_delete(
    admission: Admission, finished: Wait
) -> None:
    folder = admission.site.kernels_dir / "hpcenv-home.dd"
    folder.mkdir(parents=True)
    with pytest.raises(NameTaken):
        admission.submit("create", CreateRequest(name="dd"))
    folder.rmdir()
    operation = finished(admission.submit("create", CreateRequest(name="dd")))
    assert operation.state == "succeeded", operation.error
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "kernel.json").write_text("{}")
    admission.delete("dd")
    assert (folder / "kernel.json").exists()
    assert admission.catalog.environments() == []


def test_two_equal_requests_at_once_are_one_operation(finished: Wait) -> None:
    with ThreadPoolExecutor(4) as pool:
        request = CreateRequest(name="twin", kernel=False)
        found = list(pool.map(lambda _: Admission().submit("create", request, "one-key"), range(4)))
    assert len({operation.id for operation in found}) == 1
    finished(found[0])


def test_a_link_in_place_of_the_claims_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "kernels"
    target.mkdir()
    root = tmp_path / "location"
    root.mkdir()
    (root / ".hpcenv").symlink_to(target)
    with pytest.raises(Refused):
        claims.take(root, "a", "holder", "create", "me")
    assert os.listdir(target) == []


def test_a_stray_of_a_cancelled_build_is_stopped(admission: Admission, finished: Wait, tmp_path: Path) -> None:
    """A build backend leaves a process behind that has left its group and writes into the prefix."""
    project = tmp_path / "stray"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "stray"\nversion = "1"\n[build-system]\nrequires = []\nbuild-backend = "backend"\n'
        'backend-path = ["."]\n'
    )
    (project / "backend.py").write_text(BACKEND.format(pid=tmp_path / "pid"))
    operation = admission.submit("create", CreateRequest(name="stray", packages=[f"stray @ file://{project}"]))
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert admission.operations.get(operation.id).state not in FINISHED
        time.sleep(0.05)
    admission.operations.cancel(operation.id)
    assert finished(operation).state == "cancelled"
    stat = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX":
        time.sleep(0.05)
    assert not Path(operation.environment.prefix).exists()


BACKEND = """
import os, time

def build_wheel(*args, **kwargs):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            open("{pid}", "w").write(str(os.getpid()))
            time.sleep(1000)
        os._exit(0)
    time.sleep(1000)
"""


class TestCaughtUp:
    """Who is killed between a record and its faces leaves a kernel as it was before; a list must not call it ready."""

    @staticmethod
    def killed(admission: Admission, wait: Wait) -> tuple[Record, Path]:
        """Leave an environment as an edit leaves it that was killed right after the record."""
        operation = made(admission, wait, "it")
        record = admission.catalog.record("it")
        changed = revised(record, variables={"COLOUR": "blue"})
        admission.catalog.records.write(changed)
        launch = Path(operation.environment.prefix) / ".hpcenv" / "launch"
        assert "COLOUR" not in launch.read_text()
        return changed, launch

    def test_a_list_brings_its_faces_in_step(self, admission: Admission, finished: Wait) -> None:
        record, launch = self.killed(admission, finished)
        desk = Admission()
        assert not desk.catch_up()  # nobody has looked yet
        assert [row.state for row in desk.catalog.environments()] == ["ready"]
        assert desk.catch_up()
        assert "COLOUR='blue'" in launch.read_text()
        assert desk.catalog.records.copies_by_id()[record.id].revision == record.revision
        assert not desk.catch_up()
        desk.catalog.environments()
        assert not desk.catch_up()

    @pytest.mark.parametrize("command", [["list"], ["show", "it"]])
    def test_the_command_line_does_so(self, command: list[str], admission: Admission, finished: Wait) -> None:
        _, launch = self.killed(admission, finished)
        argv = [sys.executable, "-m", "jupyter_hpcenv.cli", *command]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        assert "COLOUR='blue'" in launch.read_text()

    def test_a_server_does_so_while_it_runs(self, admission: Admission, finished: Wait) -> None:
        told: list[object] = []
        poller = EnvironmentsPoller(lambda: admission, lambda *what: told.append(what), logging.getLogger("test"))
        _, launch = self.killed(admission, finished)
        admission.catalog.rows()  # somebody lists
        poller.look()
        assert "COLOUR='blue'" in launch.read_text()

    def test_while_its_author_is_at_it_nobody_interferes_and_nobody_tries_for_ever(
        self, admission: Admission, finished: Wait
    ) -> None:
        record, launch = self.killed(admission, finished)
        before = launch.read_text()
        with claims.held(Path(record.prefix).parent, "it", "change", "me"):
            tried = 0
            admission.catalog.environments()
            while admission.catch_up():
                tried += 1
                assert tried < 100
        assert tried > 1
        assert launch.read_text() == before
        assert admission.reconcile()  # whoever changes something next looks again
        assert launch.read_text() != before
