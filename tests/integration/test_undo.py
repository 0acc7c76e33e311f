"""What was done last is undone: exactly the packages before come back, or the whole environment from the trash."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import msgspec
import pytest

from jupyter_hpcenv.catalog import earlier as kept
from jupyter_hpcenv.errors import NotFound, WrongState
from jupyter_hpcenv.models import Changes, EnvironmentPatch, UndoRequest

from ..layering.profiles import wheel
from .test_rebuild import Desk, kill_at, shelf

__all__ = ["shelf"]


@pytest.fixture
def desk(shelf: Path, tmp_path: Path) -> Desk:
    return Desk(shelf, tmp_path)


def change(desk: Desk, **changes: list[str] | bool) -> None:
    desk.succeeded(desk.admission.change_packages("a", msgspec.convert(changes, Changes)))


def undo(desk: Desk) -> dict[str, list[str]]:
    plan = (desk.succeeded(desk.admission.undo("a")).result or {})["plan"]
    return {
        "came": [each["name"] for each in plan["install"]],
        "changed": [f"{each['name']} {each['old']['version']} {each['new']['version']}" for each in plan["change"]],
        "went": [each["name"] for each in plan["remove"]],
    }


def test_each_kind_of_change_is_taken_back_and_so_is_that(desk: Desk) -> None:
    before = desk.create("a", "hpcdemo<2")
    first = desk.versions("a")
    change(desk, install=["hpcdemo==2.0", "hpcneeds"])
    second = desk.versions("a")
    desk.admission.patch("a", EnvironmentPatch(display_name="Other"))  # changes no package
    found = desk.admission.undoable("a")
    assert (found.what, found.user, found.at < found.until) == ("change", before.owner, True)
    assert isinstance(found.plan, dict)
    assert [each["name"] for each in found.plan["remove"]] == ["hpcneeds"]
    assert undo(desk) == {"came": [], "changed": ["hpcdemo 2.0 1.0"], "went": ["hpcneeds"]}
    row = desk.row("a")
    assert (desk.versions("a"), row.packages, row.state) == (first, ["hpcdemo<2"], "ready")
    assert row.display_name == "Other"
    assert undo(desk) == {"came": ["hpcneeds"], "changed": ["hpcdemo 1.0 2.0"], "went": []}
    assert (desk.versions("a"), desk.row("a").packages) == (second, ["hpcdemo==2.0", "hpcneeds"])
    change(desk, remove=["hpcneeds"])
    assert undo(desk)["came"] == ["hpcneeds"]
    assert desk.versions("a") == second
    assert [event.verb for event in desk.admission.history("a")][-2:] == ["change", "undo"]
    assert len(list((desk.admission.site.data_dir / "undo").iterdir())) == 1, "one for each environment is enough"


def test_a_change_that_failed_is_none_that_could_be_undone(desk: Desk) -> None:
    desk.create("a", "hpcdemo<2")
    assert desk.admission.undoable("a").what == ""
    with pytest.raises(WrongState, match="were changed"):
        desk.admission.undo("a")
    change(desk, install=["hpcneeds"])
    desk.ended(desk.admission.change_packages("a", Changes(install=["hpcnothing"])))
    kill_at(desk, desk.admission.change_packages("a", Changes(install=["hpcdemo==2.0"])), "install")
    assert "put right" in desk.admission.undoable("a").sentence
    desk.admission.reconcile()
    for operation in desk.admission.operations.list():
        desk.ended(operation)
    assert undo(desk)["went"] == ["hpcneeds"]


def test_a_deletion_is_undone_by_name_and_by_id(desk: Desk) -> None:
    row = desk.create("a", "hpcdemo<2", kernel=True)
    desk.admission.delete("a")
    found = desk.admission.undoable("a")
    assert (found.what, found.plan) == ("delete", msgspec.UNSET)
    assert row.prefix in found.sentence
    done = desk.admission.undo(row.id)
    assert (done.state, done.verb, done.environment.id) == ("succeeded", "restore", row.id)
    assert desk.row("a").state == "ready"
    change(desk, install=["hpcneeds"])
    assert undo(desk)["went"] == ["hpcneeds"]
    proof = desk.row("a").preflight
    assert proof is not None
    assert proof.kind == "kernel"
    with pytest.raises(NotFound, match="trash"):
        desk.admission.undo("nobody")


def test_what_another_tool_did_since_is_not_lost(desk: Desk) -> None:
    row = desk.create("a", "hpcdemo<2")
    change(desk, install=["hpcneeds"])
    for path in Path(row.prefix).glob("lib/python3*/site-packages/hpcdemo-*"):
        path.rename(path.with_name("hpcdemo-3.0.dist-info"))
    for path in Path(row.prefix).glob("lib/python3*/site-packages/hpcdemo-*/METADATA"):
        text = path.read_text().replace("Version: 1.0", "Version: 3.0")
        path.unlink()  # it may be a link into a cache
        path.write_text(text)
    assert "another tool" in desk.admission.undoable("a").sentence
    with pytest.raises(WrongState, match="another tool since: hpcdemo"):
        desk.admission.undo("a")
    assert desk.versions("a")["hpcdemo"] == "3.0"


def test_what_can_not_be_had_any_more_leaves_all_as_it_is(shelf: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for name, version in (("hpcdemo", "1.0"), ("hpcdemo", "2.0")):
        wheel(own, name, version)
    desk = Desk(own, tmp_path)
    desk.create("a", "hpcdemo<2")
    change(desk, install=["hpcdemo==2.0"])
    there = desk.versions("a")
    next(own.glob("hpcdemo-1.0*")).unlink()
    desk.admission = Desk(own, tmp_path).admission
    failed = desk.ended(desk.admission.undo("a"))
    assert failed.state == "failed"
    assert desk.versions("a") == there
    assert desk.admission.undoable("a").what == "change", "it can be tried again"


#: A build backend within a project: nothing has to be fetched for it.
BACKEND = """
import zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{folder}/mine-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("mine-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: mine\\nVersion: 1\\n")
        wheel.writestr("mine-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("mine-1.dist-info/RECORD", "".join(f"{name},,\\n" for name in wheel.namelist()))
    return "mine-1-py3-none-any.whl"
build_wheel = build_editable
"""


def test_a_project_of_ones_own_comes_back_or_it_is_said_that_it_can_not(desk: Desk, tmp_path: Path) -> None:
    project = tmp_path / "mine"
    project.mkdir()
    (project / "backend.py").write_text(BACKEND)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "mine"\nversion = "1"\n'
    )
    desk.create("a", "hpcdemo<2", f"-e {project}")
    change(desk, remove=["mine"])
    assert undo(desk)["came"] == ["mine"]
    sources = {each.name: each.source for each in desk.admission.packages("a")}
    assert sources["mine"] == f"editable {project.as_uri()}"
    change(desk, remove=["mine"])
    shutil.rmtree(project)
    found = desk.admission.undoable("a")
    assert isinstance(found.plan, dict)
    assert any("mine 1 was from editable file:" in note for note in found.plan["notes"])
    done = desk.succeeded(desk.admission.undo("a"))
    assert any("not to be had again" in line for line in desk.said(done))
    assert "mine" not in desk.versions("a")


def test_it_is_kept_as_long_as_the_trash_keeps(desk: Desk) -> None:
    row = desk.create("a", "hpcdemo<2")
    change(desk, install=["hpcneeds"])
    site = desk.admission.site
    found = kept.read(row.id, "", site)
    assert found is not None
    old = msgspec.structs.replace(found, at="2020-01-01T00:00:00.000Z")
    kept.write(old, site)
    assert "not kept any more" in desk.admission.undoable("a").sentence
    with pytest.raises(WrongState):
        desk.admission.undo("a")
    assert kept.forget_old(site, time.time() + 8 * 86_400, 7 * 86_400) == 1
    assert kept.read(row.id, "", site) is None
    kept.write(found, site)
    assert (kept.folder(site) / f"{row.id}-{found.operation}.json").stat().st_mode & 0o077 == 0
    desk.admission.delete("a", now=True)
    desk.admission.sweep()
    assert kept.read(row.id, "", site) is None


def test_the_same_key_undoes_once_and_a_dry_run_nothing(desk: Desk) -> None:
    desk.create("a", "hpcdemo<2")
    change(desk, install=["hpcneeds"])
    planned = desk.succeeded(desk.admission.undo("a", UndoRequest(dry_run=True)))
    assert [each["name"] for each in (planned.result or {})["remove"]] == ["hpcneeds"]
    assert "hpcneeds" in desk.versions("a")
    first = desk.succeeded(desk.admission.undo("a", idempotency_key="k"))
    assert desk.admission.undo("a", idempotency_key="k").id == first.id
    assert "hpcneeds" not in desk.versions("a")


def test_killed_in_the_middle_it_is_as_before_and_can_be_tried_again(desk: Desk) -> None:
    row = desk.create("a", "hpcdemo<2")
    change(desk, install=["hpcdemo==2.0", "hpcneeds"])
    there, record = desk.versions("a"), (Path(row.prefix) / ".hpcenv" / "environment.json").read_bytes()
    kill_at(desk, desk.admission.undo("a"), "install")
    desk.admission.reconcile()
    for operation in desk.admission.operations.list():
        desk.ended(operation)
    assert desk.versions("a") == there
    assert (Path(row.prefix) / ".hpcenv" / "environment.json").read_bytes() == record
    assert undo(desk)["went"] == ["hpcneeds"]


def test_what_changed_nothing_does_not_count(desk: Desk) -> None:
    """An update that finds nothing newer leaves the change before it to be undone."""
    desk.create("a", "hpcdemo<2")
    change(desk, install=["hpcneeds"])
    change(desk, update=["hpcdemo"])
    assert undo(desk)["went"] == ["hpcneeds"]
