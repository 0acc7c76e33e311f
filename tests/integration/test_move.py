"""Environments that move: the same id, kernels and versions at another location, and the old one in the trash."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import msgspec
import pytest

from jupyter_hpcenv import claims, kernels
from jupyter_hpcenv.errors import Busy, KernelRunning, NameTaken, NotFound, WrongState

from .test_rebuild import Desk, kernels_of, kill_at, shelf

__all__ = ["shelf"]


@pytest.fixture
def desk(shelf: Path, tmp_path: Path) -> Desk:
    return Desk(shelf, tmp_path)


def test_an_environment_moves_with_its_kernel(desk: Desk) -> None:
    before = desk.create("a", "hpcneeds", "hpcdemo<2", kernel=True)
    desk.admission.install_activation("a", "bash")
    there = desk.versions("a")
    (item,) = before.kernels
    done = desk.succeeded(desk.admission.move("a", "scratch"))
    after = desk.row("a")
    assert (after.id, after.location, after.state) == (before.id, "scratch", "ready")
    assert after.prefix == str(desk.scratch / "a")
    assert desk.versions("a") == there
    assert done.result is not None
    assert done.result["differences"] == []
    assert kernels_of(desk) == [item.name], "notebooks name it"
    spec = msgspec.json.decode((Path(after.kernels[0].path) / "kernel.json").read_bytes())
    assert spec["metadata"]["hpcenv"]["prefix"] == after.prefix
    assert after.prefix in (Path(after.kernels[0].path) / "launch").read_text()
    assert [file.dialect for file in after.activation] == ["bash"]
    assert [Path(file.path).exists() for file in after.activation] == [True]
    (trashed,) = desk.admission.catalog.trash()
    assert not Path(before.prefix).exists()
    assert trashed.id != before.id

    back = desk.admission.restore(trashed.id)
    assert (back.id, back.location, back.state, back.kernels) == (trashed.id, "home", "ready", [])
    assert kernels_of(desk) == [item.name], "the kernel is the moved one's"
    assert desk.admission.catalog.find(before.id).location == "scratch"


def test_the_moved_one_can_be_deleted_restored_and_moved_back(desk: Desk) -> None:
    before = desk.create("a", "hpcdemo<2")
    desk.succeeded(desk.admission.move("a", "scratch"))
    desk.admission.delete("a")
    with pytest.raises(NotFound):
        desk.row("a")
    assert desk.admission.restore(before.id).location == "scratch"
    desk.succeeded(desk.admission.move("a", "home"))
    assert (desk.row("a").id, desk.row("a").prefix) == (before.id, before.prefix)
    assert desk.admission.empty()
    desk.admission.sweep()
    assert desk.row("a").id == before.id
    assert desk.admission.catalog.records.remembers(before.id)


def test_what_can_not_move_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.create("a", "hpcdemo<2")
    with pytest.raises(WrongState, match="already"):
        desk.admission.move("a", "home")
    with pytest.raises(NotFound):
        desk.admission.move("a", "nowhere")
    (desk.scratch / "a").mkdir()
    with pytest.raises(NameTaken):
        desk.admission.move("a", "scratch")
    (desk.scratch / "a").rmdir()
    root = Path(desk.row("a").prefix).parent
    with claims.held(root, "a", "change", "me"), pytest.raises(Busy):
        desk.admission.move("a", "scratch")
    monkeypatch.setattr(kernels, "running", lambda *_: [4711])
    with pytest.raises(KernelRunning, match="4711"):
        desk.admission.move("a", "scratch")
    assert desk.row("a").location == "home"
    assert os.listdir(desk.scratch) in ([], [".hpcenv"])


def test_where_it_fails_nothing_has_moved(desk: Desk, shelf: Path) -> None:
    before = desk.create("a", "hpcdemo<2")
    record = desk.admission.catalog.record("a")
    desk.admission.catalog.records.write(msgspec.structs.replace(record, packages=["hpcnothing"]))
    for path in Path(before.prefix).glob("lib/python3*/site-packages/hpcdemo-*/METADATA"):
        text = path.read_text().replace("Version: 1.0", "Version: 9.0")
        path.unlink()  # it may be a link into a cache
        path.write_text(text)
    done = desk.ended(desk.admission.move("a", "scratch"))
    assert done.state == "failed", "neither the exact versions nor what was asked for can be had"
    assert (desk.row("a").prefix, desk.row("a").state) == (before.prefix, "ready")
    assert not (desk.scratch / "a").exists()
    assert desk.admission.catalog.trash() == []
    for root in (desk.scratch, Path(before.prefix).parent):
        assert os.listdir(root / ".hpcenv" / "claims") == []


def test_nobody_else_changes_it_meanwhile(desk: Desk) -> None:
    desk.create("a", "hpcdemo<2")
    root = Path(desk.row("a").prefix).parent
    operation = desk.admission.move("a", "scratch")
    seen = False
    while (now := desk.admission.operations.get(operation.id)).state in ("pending", "running"):
        if any(step.name == "install" and step.state == "running" for step in now.steps):
            seen = seen or claims.taken(root, "a")
        time.sleep(0.005)
    assert now.state == "succeeded"
    assert seen, "there is a claim on what is moved away"
    assert not claims.taken(root, "a")


@pytest.mark.parametrize("step", ["install", "publish"])
def test_killed_in_the_middle_the_old_or_the_new_one_is_whole(step: str, desk: Desk) -> None:
    before = desk.create("a", "hpcdemo<2")
    kill_at(desk, desk.admission.move("a", "scratch"), step)
    row = desk.row("a")
    assert (row.id, row.state) == (before.id, "ready")
    if row.location == "home":
        assert not (desk.scratch / "a").exists()
        assert desk.admission.catalog.trash() == []
        desk.succeeded(desk.admission.move("a", "scratch"))
    else:
        assert not Path(before.prefix).exists()
    assert desk.versions("a")["hpcdemo"] == "1.0"
    assert [each.name for each in desk.admission.catalog.environments()] == ["a"]


def test_killed_between_the_new_record_and_the_end_it_is_finished(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker dies right after the commit: whoever looks next trashes the old one."""
    before = desk.create("a", "hpcdemo<2")
    operation = desk.admission.move("a", "scratch")
    record = desk.scratch / "a" / ".hpcenv" / "environment.json"
    folder = desk.admission.operations.root / operation.id
    while not record.exists():
        time.sleep(0.001)
    with contextlib.suppress(ProcessLookupError):
        os.kill(msgspec.json.decode((folder / "status.json").read_bytes())["process"]["pid"], signal.SIGKILL)
    desk.ended(operation)
    desk.admission.reconcile()
    rows = desk.admission.catalog.environments()
    assert [(row.id, row.location) for row in rows] == [(before.id, "scratch")]
    assert len(desk.admission.catalog.trash()) == 1
