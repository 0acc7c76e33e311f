"""Environments whose prefix or Python is gone come back with id, kernels and versions, or it is said what differs."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from traitlets.config import Config

from jupyter_hpcenv import claims
from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.catalog import lockfiles
from jupyter_hpcenv.errors import Busy, DoesNotFit, HpcenvError, PythonNotFound, Refused, WrongState
from jupyter_hpcenv.lifecycle import rebuild as verb
from jupyter_hpcenv.models import (
    FINISHED,
    Changes,
    CreateRequest,
    EnvironmentDetail,
    EnvironmentPatch,
    Operation,
    RebuildRequest,
)

from ..layering.profiles import wheel


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels in two versions, and one that needs another."""
    folder = tmp_path_factory.mktemp("shelf")
    wheel(folder, "hpcdemo", "1.0")
    wheel(folder, "hpcdemo", "2.0")
    wheel(folder, "hpcneeds", "1.0", "hpcdemo")
    return folder


class Desk:
    """An admission with two locations, whose operations are waited for."""

    def __init__(self, wheels: Path, tmp_path: Path, **site: Any) -> None:
        self.wheels = wheels
        self.scratch = tmp_path / "scratch"
        self.scratch.mkdir(exist_ok=True)
        locations = {"home": "{data_dir}/environments", "scratch": str(self.scratch)}
        self.admission = Admission(
            Config(
                {
                    "VenvManager": {"find_links": [str(wheels)], "probe_index": False},
                    "Site": {"locations": locations, "quota": "none", **site},
                }
            )
        )

    def create(self, name: str, *packages: str, **request: Any) -> EnvironmentDetail:
        asked = CreateRequest(name=name, packages=list(packages), **{"installer": "uv", "kernel": False, **request})
        self.succeeded(self.admission.submit("create", asked))
        return self.admission.catalog.find(name)

    def ended(self, operation: Operation) -> Operation:
        while (now := self.admission.operations.get(operation.id)).state not in FINISHED:
            time.sleep(0.02)
        return now

    def succeeded(self, operation: Operation) -> Operation:
        done = self.ended(operation)
        assert done.state == "succeeded", (done.error, self.said(done))
        return done

    def said(self, operation: Operation) -> list[str]:
        return [line.text for line in self.admission.operations.log(operation.id).lines]

    def versions(self, name: str) -> dict[str, str]:
        return {each.name: each.version for each in self.admission.packages(name)}

    def row(self, name: str) -> EnvironmentDetail:
        return self.admission.catalog.find(name)


@pytest.fixture
def desk(shelf: Path, tmp_path: Path) -> Desk:
    return Desk(shelf, tmp_path)


def kernels_of(desk: Desk) -> list[str]:
    return sorted(each["name"] for each in desk.admission.kernels() if each["state"] == "ready")


def test_a_purged_environment_comes_back_the_same(desk: Desk) -> None:
    before = desk.create("a", "hpcneeds", "hpcdemo<2", kernel=True, display_name="Mine", variables={"SEEN": "1"})
    there = desk.versions("a")
    shutil.rmtree(before.prefix)
    assert desk.row("a").state == "missing"
    done = desk.succeeded(desk.admission.rebuild("a"))
    after = desk.row("a")
    assert (after.id, after.state, after.revision) == (before.id, "ready", before.revision + 1)
    assert desk.versions("a") == there
    assert there["hpcdemo"] == "1.0"
    assert done.result is not None
    assert done.result["differences"] == []
    assert (after.display_name, after.variables, after.packages) == ("Mine", {"SEEN": "1"}, before.packages)
    assert (after.kernels, after.created) == (before.kernels, before.created)
    assert kernels_of(desk) == [before.kernels[0].name]
    assert after.preflight is not None
    assert after.preflight.kind == "kernel"


def test_the_versions_are_those_of_the_last_change_and_not_of_today(desk: Desk) -> None:
    row = desk.create("a", "hpcdemo<2")
    desk.succeeded(desk.admission.change_packages("a", Changes(install=["hpcneeds"])))
    desk.admission.patch("a", msgspec.convert({"display_name": "Other"}, type=_patch()))
    shutil.rmtree(row.prefix)
    desk.succeeded(desk.admission.rebuild("a"))
    assert {name: number for name, number in desk.versions("a").items() if name.startswith("hpc")} == {
        "hpcdemo": "1.0",
        "hpcneeds": "1.0",
    }
    assert desk.row("a").packages == ["hpcdemo<2", "hpcneeds"]
    assert desk.row("a").display_name == "Other"


def _patch() -> Any:
    from jupyter_hpcenv.models import EnvironmentPatch

    return EnvironmentPatch


def test_what_changed_last_is_what_comes_back(desk: Desk) -> None:
    row = desk.create("a", "hpcdemo<2")
    desk.succeeded(desk.admission.change_packages("a", Changes(install=["hpcdemo==2.0"])))
    desk.succeeded(desk.admission.change_packages("a", Changes(install=["hpcdemo"])))
    kept = lockfiles.read(row.id, desk.admission.site)
    assert kept is not None
    assert kept.versions["hpcdemo"] == "2.0"
    shutil.rmtree(row.prefix)
    desk.succeeded(desk.admission.rebuild("a"))
    assert desk.versions("a")["hpcdemo"] == "2.0"


def test_a_lockfile_that_lags_does_not_go_against_what_was_asked_for(desk: Desk) -> None:
    """A worker that died right after its change did not write it: the request is younger and counts."""
    row = desk.create("a", "hpcdemo<2", "hpcneeds")
    early = lockfiles.read(row.id, desk.admission.site)
    assert early is not None
    desk.succeeded(desk.admission.change_packages("a", Changes(install=["hpcdemo==2.0"])))
    lockfiles.write(early, desk.admission.site)
    shutil.rmtree(row.prefix)
    desk.succeeded(desk.admission.rebuild("a"))
    assert desk.versions("a")["hpcdemo"] == "2.0"


def test_lockfiles_that_are_missing_are_written_by_who_sweeps(desk: Desk) -> None:
    row = desk.create("a", "hpcdemo<2")
    lockfiles.forget(row.id, desk.admission.site)
    desk.admission.sweep()
    kept = lockfiles.read(row.id, desk.admission.site)
    assert kept is not None
    assert kept.revision == desk.row("a").revision
    desk.admission.delete("a", now=True)
    desk.admission.sweep()
    assert lockfiles.read(row.id, desk.admission.site) is None


def test_without_pins_it_would_be_another_version(desk: Desk) -> None:
    """“hpcdemo” alone was asked for when 1.0 was all there was: the exact version comes back, not today's."""
    row = desk.create("a", "hpcneeds", "hpcdemo==1.0")
    desk.succeeded(desk.admission.change_packages("a", Changes(install=["hpcdemo"])))
    assert desk.versions("a")["hpcdemo"] == "1.0"
    shutil.rmtree(row.prefix)
    desk.succeeded(desk.admission.rebuild("a"))
    assert desk.versions("a")["hpcdemo"] == "1.0"


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_version_that_is_gone_is_replaced_and_told(installer: str, desk: Desk, tmp_path: Path, shelf: Path) -> None:
    wheels = tmp_path / "wheels"
    shutil.copytree(shelf, wheels)
    wheel(wheels, "hpcdemo", "3.0")
    own = Desk(wheels, tmp_path)
    row = own.create("a", "hpcneeds", "six==1.16.0", installer=installer)
    own.succeeded(own.admission.change_packages("a", Changes(install=["six"])))  # any will do from now on
    assert (own.versions("a")["hpcdemo"], own.versions("a")["six"]) == ("3.0", "1.16.0")
    next(wheels.glob("hpcdemo-3.0*")).unlink()
    shutil.rmtree(row.prefix)
    done = own.succeeded(own.admission.rebuild("a"))
    assert done.result is not None
    assert done.result["differences"] == ["hpcdemo was 3.0 and is 2.0 now."]
    assert own.versions("a")["six"] == "1.16.0", "what exists still is the same"


def test_an_editable_project_comes_along(desk: Desk, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
        '[project]\nname = "mine"\nversion = "1"\n'
    )
    (project / "own.py").write_text(BACKEND)
    row = desk.create("a", f"-e {project}", "hpcdemo<2")
    shutil.rmtree(row.prefix)
    desk.succeeded(desk.admission.rebuild("a"))
    done = subprocess.run(
        [f"{row.prefix}/bin/python", "-c", "import mine_here; print(mine_here.__file__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(project / "mine_here.py")


BACKEND = """
import os, zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    here = os.path.dirname(os.path.abspath(__file__))
    open(os.path.join(here, "mine_here.py"), "w").close()
    name = "mine-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("mine.pth", here + chr(10))
        wheel.writestr("mine-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: mine\\nVersion: 1\\n")
        wheel.writestr("mine-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("mine-1.dist-info/RECORD", "mine.pth,,\\nmine-1.dist-info/METADATA,,\\n"
                       "mine-1.dist-info/WHEEL,,\\nmine-1.dist-info/RECORD,,\\n")
    return name

build_wheel = build_editable
"""


def without_python(desk: Desk, name: str, tmp_path: Path) -> EnvironmentDetail:
    """Make an environment on a Python that is then gone."""
    base = tmp_path / "python"
    here = next(each for each in desk.admission.facts()["pythons"] if each["default"])
    base.symlink_to(Path(here["real"]).parent.parent)
    row = desk.create(name, "hpcdemo<2", python=str(base / "bin" / Path(here["real"]).name))
    record = desk.admission.catalog.record(name)
    gone = msgspec.structs.replace(record, python_path=str(tmp_path / "gone" / "python3"))
    desk.admission.catalog.records.write(gone)
    desk.admission.catalog.records.write_copy(gone)
    assert desk.row(name).state == "python_gone"
    return row


def test_an_environment_whose_python_is_gone_is_built_on_the_nearest(desk: Desk, tmp_path: Path) -> None:
    row = without_python(desk, "a", tmp_path)
    (Path(row.prefix) / "notes.txt").write_text("mine")
    desk.succeeded(desk.admission.rebuild("a"))
    after = desk.row("a")
    assert (after.id, after.state, after.python) == (row.id, "ready", row.python)
    assert desk.versions("a")["hpcdemo"] == "1.0"
    (item,) = desk.admission.catalog.trash()
    assert item.id != row.id, "what is in the trash is another environment from now on"
    assert (Path(item.path) / "notes.txt").read_text() == "mine"


def test_where_it_fails_all_is_as_before(desk: Desk, tmp_path: Path) -> None:
    row = without_python(desk, "a", tmp_path)
    record = desk.admission.catalog.record("a")
    lockfiles.write(_impossible(desk, row), desk.admission.site)
    broken = msgspec.structs.replace(record, packages=["hpcnothing"])
    desk.admission.catalog.records.write(broken)
    done = desk.ended(desk.admission.rebuild("a"))
    assert done.state == "failed"
    assert desk.row("a").state == "python_gone"
    assert desk.versions("a")["hpcdemo"] == "1.0"
    assert desk.admission.catalog.trash() == []
    assert os.listdir(Path(row.prefix).parent / ".hpcenv" / "claims") == []


def _impossible(desk: Desk, row: EnvironmentDetail) -> lockfiles.Lockfile:
    kept = lockfiles.read(row.id, desk.admission.site)
    assert kept is not None
    return msgspec.structs.replace(kept, contents=msgspec.structs.replace(kept.contents, pip=["hpcnothing==1"]))


def test_what_can_not_be_built_again_is_refused(desk: Desk, tmp_path: Path) -> None:
    row = desk.create("a", "hpcdemo<2")
    with pytest.raises(WrongState, match="is there"):
        desk.admission.rebuild("a")
    shutil.rmtree(row.prefix)
    with pytest.raises(PythonNotFound):
        desk.admission.rebuild("a", RebuildRequest(python="3.99"))
    Path(row.prefix).mkdir()
    with pytest.raises(HpcenvError):
        desk.ended(desk.admission.rebuild("a"))
    assert os.listdir(row.prefix) == [], "what somebody put there stays"


def test_the_same_key_is_the_same_rebuild(desk: Desk) -> None:
    row = desk.create("a", "hpcdemo<2")
    shutil.rmtree(row.prefix)
    first = desk.admission.rebuild("a", idempotency_key="k")
    assert desk.admission.rebuild("a", idempotency_key="k").id == first.id
    desk.succeeded(first)
    with pytest.raises(WrongState, match="another request"):
        desk.admission.move("a", "scratch", idempotency_key="k")


def test_it_is_refused_where_it_will_not_fit(desk: Desk, shelf: Path, tmp_path: Path) -> None:
    row = desk.create("a", "hpcdemo<2")
    (size,) = desk.admission.sizes(["a"], wait=True)
    assert size.bytes
    shutil.rmtree(row.prefix)
    small = Desk(shelf, tmp_path, least_bytes=10**18)
    small.succeeded(small.admission.rebuild("a"))  # its size is known, so the least that others need does not count


# -- killed ----------------------------------------------------------------------


@pytest.mark.parametrize(("state", "step"), [("missing", "install"), ("python_gone", "prove")])
def test_killed_in_the_middle_it_is_as_before_and_can_be_built_again(
    state: str, step: str, desk: Desk, tmp_path: Path
) -> None:
    row = desk.create("a", "hpcdemo<2") if state == "missing" else without_python(desk, "a", tmp_path)
    if state == "missing":
        shutil.rmtree(row.prefix)
    kill_at(desk, desk.admission.rebuild("a"), step)
    assert desk.row("a").state in (state, "ready")
    if desk.row("a").state != "ready":
        desk.succeeded(desk.admission.rebuild("a"))
    assert desk.versions("a")["hpcdemo"] == "1.0"
    assert desk.row("a").id == row.id


def kill_at(desk: Desk, operation: Operation, step: str) -> None:
    """Kill the worker as soon as it says that it is at that step, or has passed it."""
    while True:
        now = desk.admission.operations.get(operation.id)
        states = {each.name: each.state for each in now.steps}
        if now.state in FINISHED:
            return
        if states.get(step) in ("running", "done"):
            break
        time.sleep(0.002)
    folder = desk.admission.operations.root / operation.id
    process = msgspec.json.decode((folder / "status.json").read_bytes())["process"]
    with contextlib.suppress(ProcessLookupError):
        os.kill(process["pid"], signal.SIGKILL)
    desk.ended(operation)
    desk.admission.reconcile()


def test_only_ones_own_is_built_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    row = desk.create("a", "hpcdemo<2")
    find = desk.admission.catalog.find
    monkeypatch.setattr(
        desk.admission.catalog, "find", lambda reference: msgspec.structs.replace(find(reference), origin="shared")
    )
    with pytest.raises(Refused):
        desk.admission.rebuild(row.id)
    with pytest.raises(Refused):
        desk.admission.move(row.id, "scratch")


def test_pins_are_found_in_what_installers_say() -> None:
    lines = ["six==1.0", "six-more==1.0", "idna @ https://example.org/idna.whl", "other==2.0.1"]
    uv = "Because there is no version of six==1.0 and you require six==1.0, we can conclude …"
    assert verb.missing_pins(lines, uv) == ["six==1.0"]
    assert verb.missing_pins(lines, "No matching distribution found for other==2.0.1") == ["other==2.0.1"]
    assert verb.missing_pins(lines, "No matching distribution found for other==2.0.10") == []
    assert verb.missing_pins(lines, "the disk is full") == []


def test_it_must_fit(desk: Desk, shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(DoesNotFit, match="it needs") as raised:
        Desk(shelf, tmp_path, least_bytes=10**18).create("b")
    assert raised.value.code == "does_not_fit"


def test_what_is_the_way_back_of_a_rebuild_can_not_be_emptied(desk: Desk) -> None:
    """While it is built again the old one lies in the trash, where somebody may want to make room."""
    before = desk.create("a", "hpcdemo<2")
    note = Path(before.prefix) / "precious"
    note.write_text("x")
    root = Path(before.prefix).parent
    record = desk.admission.catalog.record("a")
    claims.take(root, "a", "20261122-000000-aaaaaaaa", "rebuild", "me")
    verb.set_aside(record, lambda: None)
    assert desk.admission.empty() == []
    with pytest.raises(Busy):
        desk.admission.empty("a")
    desk.admission.site.trash_days = 0
    desk.admission.sweep()
    assert verb.put_back(before.id, Path(before.prefix))
    assert note.read_text() == "x"
    claims.release(root, "a", "20261122-000000-aaaaaaaa")
    desk.admission.delete("a")
    assert [item.id for item in desk.admission.empty()] == [before.id]


def test_what_is_left_of_one_that_is_missing_is_not_given_away(desk: Desk) -> None:
    """Whoever can not have it where it was is told how to have it elsewhere, never to delete what is left."""
    before = desk.create("a", "hpcdemo<2", location="scratch", kernel=True)
    shutil.rmtree(desk.scratch)
    assert desk.row("a").state == "missing"
    with pytest.raises(WrongState) as refused:
        desk.admission.patch("a", EnvironmentPatch(display_name="Other"))
    assert "rebuild a" in " ".join(refused.value.hints)
    assert "move a LOCATION" in " ".join(refused.value.hints)
    desk.succeeded(desk.admission.move("a", "home"))
    after = desk.row("a")
    assert (after.id, after.location, after.state) == (before.id, "home", "ready")
    assert desk.versions("a")["hpcdemo"] == "1.0"
    assert kernels_of(desk) == [before.kernels[0].name]
    desk.admission.reconcile()
    assert desk.admission.catalog.trash() == []


def test_nothing_moves_into_another_environment(desk: Desk, shelf: Path, tmp_path: Path) -> None:
    """Whoever deletes that one would delete what lies in it."""
    around = desk.create("around", location="scratch")
    inner = Path(around.prefix) / "inner"
    inner.mkdir()
    odd = Desk(shelf, tmp_path, locations={"scratch": str(desk.scratch), "nested": str(inner)})
    odd.create("a", location="scratch")
    with pytest.raises(Refused, match="inside another environment"):
        odd.admission.move("a", "nested")
    with pytest.raises(Refused, match="inside another environment"):
        odd.create("b", location="nested")


def test_what_is_not_as_it_was_installed_is_built_again(desk: Desk) -> None:
    """One byte, and neither size nor time tell of it."""
    before = desk.create("a", "six==1.16.0")
    with pytest.raises(WrongState):
        desk.admission.rebuild("a")
    file = next(Path(before.prefix).glob("lib/python3*/site-packages/six.py"))
    text, facts = file.read_bytes(), file.stat()
    file.unlink()  # it may be linked to a cache
    file.write_bytes(text.replace(b"1", b"7", 1))
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    desk.succeeded(desk.admission.rebuild("a"))
    assert file.read_bytes() == text
