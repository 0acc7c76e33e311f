"""Install, update and remove in environments that are there: in place, proven, and taken back where it fails."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_hpcenv import kernels
from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.catalog import lockfiles
from jupyter_hpcenv.errors import Busy, InvalidRequest, PackageNotFound, Refused, RequirementsConflict, WrongState
from jupyter_hpcenv.lifecycle import packages as verb
from jupyter_hpcenv.models import FINISHED, Changes, CreateRequest, Operation

from ..layering.profiles import wheel


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels in two versions, one that needs another, and one that keeps ipykernel from starting."""
    folder = tmp_path_factory.mktemp("wheels")
    wheel(folder, "hpcdemo", "1.0")
    wheel(folder, "hpcdemo", "2.0")
    wheel(folder, "hpcneeds", "1.0", "hpcdemo<2")
    wheel(folder, "hpcwants", "1.0", "hpcdemo")
    wheel(folder, "hpcold", "1.0", "hpcshared<2")
    wheel(folder, "hpcnew", "1.0", "hpcshared>=2")
    wheel(folder, "hpcshared", "1.0")
    wheel(folder, "hpcshared", "2.0")
    wheel(folder, "comm", "99.0a1")  # a module without what ipykernel imports from it
    return folder


class Desk:
    """An admission whose operations are waited for."""

    def __init__(self, wheels: Path) -> None:
        self.wheels = wheels
        self.admission = Admission(Config({"VenvManager": {"find_links": [str(wheels)], "probe_index": False}}))

    def create(self, name: str, *packages: str, **request: Any) -> Path:
        asked = CreateRequest(name=name, packages=list(packages), **{"installer": "uv", **request})
        done = self.ended(self.admission.submit("create", asked))
        assert done.state == "succeeded", done.error
        return Path(self.admission.catalog.find(name).prefix)

    def change(self, name: str, **changes: Any) -> Operation:
        return self.ended(self.admission.change_packages(name, Changes(**changes)))

    def changed(self, name: str, **changes: Any) -> dict[str, Any]:
        done = self.change(name, **changes)
        assert done.state == "succeeded", (done.error, self.said(done))
        assert done.result is not None
        return done.result if changes.get("dry_run") else done.result["plan"]  # type: ignore[no-any-return]

    def ended(self, operation: Operation) -> Operation:
        while (now := self.admission.operations.get(operation.id)).state not in FINISHED:
            time.sleep(0.02)
        return now

    def said(self, operation: Operation) -> list[str]:
        return [line.text for line in self.admission.operations.log(operation.id).lines]

    def versions(self, name: str) -> dict[str, str]:
        return {each.name: each.version for each in self.admission.packages(name)}


@pytest.fixture
def desk(wheels: Path) -> Desk:
    return Desk(wheels)


def names(plan: dict[str, Any]) -> tuple[list[str], list[str], list[str]]:
    coming = [f"{each['name']} {each['version']}" for each in plan["install"]]
    changing = [f"{each['name']} {each['old']['version']} {each['new']['version']}" for each in plan["change"]]
    return coming, changing, [each["name"] for each in plan["remove"]]


def content(prefix: Path) -> dict[str, str]:
    """Return what each file and link of a prefix holds; what Python compiles beside them does not count."""
    found = {}
    for folder, _, files in os.walk(prefix):
        for name in files:
            path = Path(folder) / name
            if "__pycache__" not in path.parts and ".hpcenv" not in path.parts:
                held = os.readlink(path) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
                found[str(path.relative_to(prefix))] = f"{oct(path.lstat().st_mode)} {held}"
    return found


def lockfile(desk: Desk, name: str) -> bytes:
    """Return the exact packages as they are kept, byte for byte."""
    row = desk.admission.catalog.find(name)
    return (lockfiles.folder(desk.admission.site) / f"{row.id}.json").read_bytes()


def nothing_left(prefix: Path) -> None:
    assert not [name for name in os.listdir(prefix / ".hpcenv") if name.startswith(("before", "change"))]


def says(prefix: Path, code: str) -> str:
    done = subprocess.run([prefix / "bin/python", "-c", code], capture_output=True, text=True)
    return (done.stdout or done.stderr).strip().splitlines()[-1]


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_install_update_and_remove_by_each_installer(installer: str, desk: Desk) -> None:
    prefix = desk.create("a", "hpcdemo<2", installer=installer, kernel=False)
    wanted = {"install": ["hpcwants", "six"]}
    planned = desk.changed("a", **wanted, dry_run=True)
    assert "hpcwants" not in desk.versions("a")
    done = desk.changed("a", **wanted)
    assert names(done) == names(planned) == (["hpcwants 1.0", f"six {desk.versions('a')['six']}"], [], [])
    assert says(prefix, "import hpcwants; print(hpcwants.__version__)") == "1.0"
    assert desk.admission.catalog.find("a").packages == ["hpcdemo<2", "hpcwants", "six"]

    held = desk.changed("a", update=["hpcdemo"])
    assert names(held) == ([], [], [])
    assert "stays at 1.0: nothing newer was found that fits “hpcdemo<2”" in held["notes"][0]
    planned = desk.changed("a", install=["hpcdemo>=2"], remove=["six"], dry_run=True)
    done = desk.changed("a", install=["hpcdemo>=2"], remove=["six"])
    assert names(done) == names(planned) == ([], ["hpcdemo 1.0 2.0"], ["six"])
    detail = desk.admission.catalog.find("a")
    assert detail.packages == ["hpcwants", "hpcdemo>=2"]
    assert (detail.state, detail.preflight and detail.preflight.kind) == ("ready", "import")
    assert says(prefix, "import six").startswith("ModuleNotFoundError")
    nothing_left(prefix)


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_update_takes_the_newest_that_fits_what_was_asked_for(installer: str, desk: Desk) -> None:
    desk.create("a", "hpcdemo==1.0", "hpcwants", installer=installer, kernel=False)
    desk.changed("a", install=["hpcdemo"])  # lifts the request; what is there fits
    assert desk.versions("a")["hpcdemo"] == "1.0"
    assert names(desk.changed("a", update_all=True, dry_run=True))[1] == ["hpcdemo 1.0 2.0"]
    assert names(desk.changed("a", update=["hpcdemo"]))[1] == ["hpcdemo 1.0 2.0"]


def test_the_kernel_is_proven_and_sees_what_was_installed(desk: Desk) -> None:
    prefix = desk.create("a")
    before = desk.admission.catalog.find("a")
    done = desk.change("a", install=["hpcdemo"])
    after = desk.admission.catalog.find("a")
    assert [step.name for step in done.steps] == ["resolve", "download", "install", "prove", "publish"]
    assert {step.state for step in done.steps} == {"done"}
    assert after.preflight
    assert before.preflight
    assert after.preflight.at > before.preflight.at
    assert (after.revision, after.operation) == (before.revision + 1, done.id)
    assert says(prefix, "import hpcdemo; print(hpcdemo.__version__)") == "2.0"


def test_what_breaks_the_kernel_is_taken_back(desk: Desk) -> None:
    prefix = desk.create("a", "hpcdemo<2")
    before, record, exact = content(prefix), desk.admission.catalog.find("a"), lockfile(desk, "a")
    done = desk.change("a", install=["comm==99.0a1", "six"], remove=["hpcdemo"])
    assert (done.state, done.error and done.error["code"]) == ("failed", "preflight_failed")
    assert "Everything is as it was before." in desk.said(done)
    assert content(prefix) == before
    assert desk.admission.catalog.find("a") == record
    assert lockfile(desk, "a") == exact
    nothing_left(prefix)
    assert desk.change("a", install=["six"]).state == "succeeded"
    assert lockfile(desk, "a") != exact


def test_what_can_not_be_installed_leaves_all_as_it_is(desk: Desk) -> None:
    prefix = desk.create("a", "hpcneeds", kernel=False)
    before = content(prefix)
    done = desk.change("a", install=["hpcdemo>=2", "hpcneeds"])
    assert (done.state, done.error and done.error["code"]) == ("failed", "requirements_conflict")
    assert content(prefix) == before
    nothing_left(prefix)


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_what_others_need_is_held_to(installer: str, desk: Desk) -> None:
    """A plan says what would break what was asked for, a change is refused; what nobody asked for is looked at too."""
    prefix = desk.create("a", "hpcneeds", installer=installer, kernel=False)
    with pytest.raises(RequirementsConflict, match="hpcdemo can not be removed, because hpcneeds needs it"):
        desk.admission.change_packages("a", Changes(remove=["hpcdemo"]))
    for dry_run in (True, False):
        done = desk.change("a", install=["hpcdemo==2.0"], dry_run=dry_run)
        assert (done.state, done.error and done.error["code"]) == ("failed", "requirements_conflict")
    assert desk.versions("a")["hpcdemo"] == "1.0"

    python = [str(prefix / "bin/python"), "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*python, "--find-links", str(desk.wheels), "hpcold", "hpcshared<2"], check=True)
    done = desk.change("a", install=["hpcnew"])
    assert (done.state, done.error and done.error["code"]) == ("failed", "requirements_conflict")
    assert done.error
    assert "hpcold" in done.error["reason"]
    assert "hpcnew" not in desk.versions("a")
    assert desk.changed("a", install=["six"])


def test_what_can_not_be_is_refused_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.create("a", "six")
    admission = desk.admission
    with pytest.raises(PackageNotFound, match="hpcdemo is not installed"):
        admission.change_packages("a", Changes(update=["hpcdemo"]))
    with pytest.raises(RequirementsConflict, match="its kernel need"):
        admission.change_packages("a", Changes(remove=["ipykernel"]))
    with pytest.raises(RequirementsConflict, match="to be removed and to be installed"):
        admission.change_packages("a", Changes(remove=["six"], install=["SIX>1"]))
    shared = admission.catalog.find("a")
    with monkeypatch.context() as patch:
        row = type(shared)(**{name: getattr(shared, name) for name in shared.__struct_fields__} | {"origin": "shared"})
        patch.setattr(admission.catalog, "find", lambda _: row)
        with pytest.raises(Refused, match="not yours to change"):
            admission.change_packages("a", Changes(install=["six"]))
    assert [each.verb for each in admission.operations.list()] == ["create"]


def test_one_change_at_a_time_and_the_same_key_is_the_same_change(desk: Desk) -> None:
    desk.create("a", kernel=False)
    first = desk.admission.change_packages("a", Changes(install=["six"]), "key-1")
    again = desk.admission.change_packages("a", Changes(install=["six"]), "key-1")
    assert first.id == again.id
    if desk.admission.operations.get(first.id).state not in FINISHED:
        with pytest.raises(Busy, match="being changed"):
            desk.admission.change_packages("a", Changes(install=["idna"]))
    assert desk.ended(first).state == "succeeded"


def test_kernels_that_run_are_named(desk: Desk) -> None:
    desk.create("a", "six")
    manager = kernels_of(desk, "a")
    try:
        done = desk.change("a", remove=["six"])
        pid = manager.provisioner.process.pid
        assert any("1 kernel of a is running" in line and str(pid) in line for line in desk.said(done))
    finally:
        manager.shutdown_kernel(now=True)


def kernels_of(desk: Desk, name: str) -> Any:
    """Start the kernel of an environment as Jupyter does, wait until it runs, and return its manager."""
    from jupyter_client.manager import start_new_kernel

    kernel = desk.admission.catalog.find(name).kernels[0].name
    manager, client = start_new_kernel(kernel_name=kernel, startup_timeout=60)
    client.stop_channels()
    return manager


def until(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize("moment", ["begun", "kept", "installed"])
def test_a_change_that_is_killed_is_taken_back_unasked(moment: str, desk: Desk) -> None:
    """SIGKILL of worker and installer; who looks next has it put right, and the same change succeeds then."""
    prefix = desk.create("a", "hpcdemo<2")
    before, exact = content(prefix), lockfile(desk, "a")
    operation = desk.admission.change_packages("a", Changes(install=["hpcdemo>=2", "six"]))
    site = next((prefix / "lib").glob("python3.*")) / "site-packages"
    until({"begun": prefix / verb.NOTE, "kept": prefix / verb.BEFORE, "installed": site / "six.py"}[moment])
    process = desk.admission.operations.folder(operation.id).status().process
    assert process is not None
    os.killpg(process.pid, signal.SIGKILL)
    assert desk.ended(operation).state == "interrupted"
    desk.admission.reconcile()
    repair = desk.admission.operations.list()[0]
    assert (repair.verb, desk.ended(repair).state) == ("repair", "succeeded"), desk.said(repair)
    assert content(prefix) == before
    assert lockfile(desk, "a") == exact
    nothing_left(prefix)
    assert names(desk.changed("a", install=["hpcdemo>=2"]))[1] == ["hpcdemo 1.0 2.0"]


def test_a_change_that_was_killed_after_its_record_stands(desk: Desk) -> None:
    """Nothing is taken back then: what is written counts, and what leads back goes."""
    prefix = desk.create("a", kernel=False)
    done = desk.change("a", install=["six"])
    record = desk.admission.catalog.record(desk.admission.catalog.find("a").id)
    manager = desk.admission.managers["venv"]
    manager.keep(record, Changes(), prefix / verb.BEFORE)
    choice = manager.decide(record, Changes(install=["six"]))
    verb.write_note(prefix, verb.Note(operation=done.id, choice=choice))
    desk.admission.reconcile()
    assert desk.ended(desk.admission.operations.list()[0]).state == "succeeded"
    assert "six" in desk.versions("a")
    nothing_left(prefix)


def test_a_repair_that_dies_again_and_again_is_left_to_people(desk: Desk) -> None:
    prefix = desk.create("a", kernel=False)
    record = desk.admission.catalog.record(desk.admission.catalog.find("a").id)
    choice = desk.admission.managers["venv"].decide(record, Changes(install=["six"]))
    verb.write_note(prefix, verb.Note(operation="none", choice=choice, tries=verb.TRIES))
    desk.admission.reconcile()
    assert [each.verb for each in desk.admission.operations.list()] == ["create"]
    assert desk.ended(desk.admission.repair("a")).state == "succeeded"
    nothing_left(prefix)


def test_a_running_kernel_survives_a_change_that_is_taken_back(desk: Desk) -> None:
    desk.create("a", "hpcdemo<2")
    manager = kernels_of(desk, "a")
    try:
        assert desk.change("a", install=["comm==99.0a1"]).state == "failed"
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=30)
        answer = client.execute_interactive("import hpcdemo; assert hpcdemo.__version__ == '1.0'", timeout=30)
        assert answer["content"]["status"] == "ok"
        client.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)
    assert kernels.running(Path(desk.admission.catalog.find("a").prefix)) == []


def test_what_is_exported_makes_the_same_again(desk: Desk) -> None:
    desk.create("a", "hpcdemo<2", "six", variables={"DATA": "/data"}, kernel=False)
    asked = desk.admission.export("a")
    assert asked.text == "hpcdemo<2\nsix\n"
    assert [note for note in asked.notes if "DATA" in note]
    full = desk.admission.export("a", "requirements-full.txt")
    assert full.text == f"hpcdemo==1.0\nsix=={desk.versions('a')['six']}\n"
    desk.create("b", requirements=full.text, kernel=False)
    assert desk.versions("b") == desk.versions("a")
    with pytest.raises(InvalidRequest, match="can not be written as pixi"):
        desk.admission.export("a", "pixi.lock")


def test_what_people_put_into_the_prefix_meanwhile_stays(desk: Desk) -> None:
    """A change is taken back; what lies beside the folders that installers fill is not its work."""
    prefix = desk.create("a", "hpcdemo<2", kernel=False)
    (prefix / "data").mkdir()
    (prefix / "data" / "old.csv").write_text("old")
    (prefix / "data").chmod(0o555)
    (prefix / ".entries.json").write_text("mine")
    (prefix / os.fsdecode(b"caf\xe9")).write_text("of another encoding")
    os.mkfifo(prefix / "bin" / "pipe")
    operation = desk.admission.change_packages("a", Changes(install=["hpcdemo==3"]))
    until(prefix / verb.BEFORE)
    (prefix / "results.csv").write_text("new")
    (prefix / "work").mkdir()
    (prefix / "work" / "w.txt").write_text("new")
    assert desk.ended(operation).state == "failed"
    assert (prefix / "results.csv").read_text() == (prefix / "work" / "w.txt").read_text() == "new"
    assert (prefix / "data" / "old.csv").read_text() == "old"
    assert (prefix / "data").stat().st_mode & 0o777 == 0o555
    assert (prefix / ".entries.json").read_text() == "mine"
    assert (prefix / os.fsdecode(b"caf\xe9")).exists()
    nothing_left(prefix)


def test_the_key_of_one_environment_is_none_of_another(desk: Desk) -> None:
    desk.create("a", kernel=False)
    desk.create("b", kernel=False)
    desk.ended(desk.admission.change_packages("a", Changes(install=["six"]), "one-key"))
    with pytest.raises(WrongState, match="used for another request"):
        desk.admission.change_packages("b", Changes(install=["six"]), "one-key")


def test_other_spellings_hold_to_what_was_asked_for(desk: Desk) -> None:
    desk.create("a", "HpcDemo<2", kernel=False)
    assert names(desk.changed("a", update=["HPCdemo"])) == ([], [], [])
    assert desk.admission.catalog.find("a").packages == ["HpcDemo<2"]
