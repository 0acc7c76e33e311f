"""One kernel for several kinds of computers: on each partition of a real Slurm it is the build that was made for it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from traitlets.config import Config

from jupyter_hpcenv import kernels
from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.catalog.records import RECORD
from jupyter_hpcenv.errors import InvalidRequest, WrongState
from jupyter_hpcenv.models import FINISHED, Changes, CreateRequest, Operation, Record
from jupyter_hpcenv.site.target import for_others

from ..cli.conftest import Cli
from ..docs import printed
from ..layering.profiles import wheel
from .cluster import Slurm
from .test_builds import Slow

PREFIX = "import sys; print(sys.prefix)"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels in two versions."""
    folder = tmp_path_factory.mktemp("shelf")
    wheel(folder, "hpcdemo", "1.0")
    wheel(folder, "hpcdemo", "2.0")
    wheel(folder, "hpcmore", "1.0")
    return folder


class Desk:
    """An admission that is asked on one kind of computer after the other."""

    def __init__(self, wheels: Path, monkeypatch: pytest.MonkeyPatch, **site: Any) -> None:
        self._monkeypatch = monkeypatch
        self.config = Config(
            {"VenvManager": {"find_links": [str(wheels)], "probe_index": False}, "Site": {"quota": "none", **site}}
        )
        self.be("zen4")

    def be(self, target: str) -> Admission:
        """Be on a computer that the site calls *target*, and return the desk there."""
        self._monkeypatch.setenv("VSC_ARCH_LOCAL", target)
        self.admission = Admission(self.config)
        return self.admission

    def create(self, name: str, *packages: str, **request: Any) -> Record:
        asked = CreateRequest(name=name, packages=list(packages), **{"installer": "uv", "kernel": False, **request})
        self.succeeded(self.admission.submit("create", asked))
        return self.record(name)

    def ended(self, operation: Operation) -> Operation:
        while (now := self.admission.operations.get(operation.id)).state not in FINISHED:
            time.sleep(0.02)
        return now

    def succeeded(self, operation: Operation) -> Operation:
        done = self.ended(operation)
        said = [line.text for line in self.admission.operations.log(operation.id).lines]
        assert done.state == "succeeded", (done.error, said)
        return done

    def record(self, name: str) -> Record:
        return self.admission.catalog.record(self.admission.catalog.find(name).id)


@pytest.fixture
def desk(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(shelf, monkeypatch)


def started(record: Record, target: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the launch script where the site calls the computer *target*."""
    env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "VSC_ARCH_LOCAL": target, **variables}
    argv = [f"{record.prefix}/.hpcenv/launch", *(arguments or ("-c", PREFIX))]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


def inner(record: Record, target: str) -> str:
    return f"{record.prefix}/.hpcenv/builds/{target}"


def test_one_tile_gives_the_right_prefix_under_both_partitions(
    slurm: Slurm, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build for zen5 is a job there; the kernelspec that Jupyter shows once is started on both."""
    site = {"targets": {"zen5": {"partition": "zen5"}}, "batch_interval": 1, "passthrough": ["VSC_*", "HPCENV_SEEN"]}
    desk = Desk(shelf, monkeypatch, **site)
    monkeypatch.setenv("HPCENV_SEEN", "here")
    record = desk.create("both", "hpcdemo", kernel=True, targets=["zen5", "zen4"])
    assert (record.target, record.builds, record.platform.target) == ("zen4", {}, "zen4")
    operation = desk.admission.build("both", "zen5")
    sent = desk.admission.operations.folder(operation.id).path
    exported = "\n".join(path.read_text(errors="replace") for path in sent.rglob("*") if path.is_file())
    assert "export HPCENV_SEEN='here'" in exported
    assert "export VSC_ARCH_LOCAL" not in exported, "what this computer is, is not what the job's is"
    while desk.admission.operations.get(operation.id).state not in FINISHED:
        desk.admission.reconcile()
        time.sleep(0.2)
    done = desk.succeeded(operation)
    assert done.job is not None
    assert done.job.partition == "zen5"
    record = desk.record("both")
    assert record.builds["zen5"].platform.target == "zen5"
    assert record.builds["zen5"].preflight is not None
    assert record.builds["zen5"].preflight.kind == "kernel"
    (kernel,) = [each for each in desk.admission.kernels() if each["environment"] == record.id]
    spec = json.loads((Path(kernel["path"]) / "kernel.json").read_text())

    def on(partition: str, target: str) -> subprocess.CompletedProcess[str]:
        exported = f"--export=PATH,HOME,VSC_ARCH_LOCAL={target}"
        argv = ["srun", f"--partition={partition}", exported, spec["argv"][0], "-c", PREFIX]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    assert on("zen4", "zen4").stdout.strip() == record.prefix
    assert on("zen5", "zen5").stdout.strip() == inner(record, "zen5")
    nowhere = on("zen5", "zen3")
    assert nowhere.returncode != 0
    assert "This computer is zen3" in nowhere.stderr
    assert "has builds for zen4, zen5." in nowhere.stderr
    assert "jupyter hpcenv build home/both --target zen3" in nowhere.stderr


def test_a_build_of_older_packages_does_not_start_until_it_is_built_anew(desk: Desk) -> None:
    desk.create("a", "hpcdemo<2", targets=["zen4"])
    desk.be("zen5")
    desk.succeeded(desk.admission.build("a"))
    old = desk.record("a")
    version = ("-c", "from importlib.metadata import version; print(version('hpcdemo'))")
    assert started(old, "zen5", *version).stdout.strip() == "1.0"
    desk.be("zen4")
    desk.succeeded(desk.admission.change_packages("a", Changes(install=["hpcdemo==2.0"])))
    stale = desk.record("a")
    assert stale.builds["zen5"].edition != stale.edition
    assert started(stale, "zen4", *version).stdout.strip() == "2.0"
    desk.be("zen5")
    assert {each.code for each in desk.admission.examine("a")} >= {"build_stale"}
    with pytest.raises(WrongState, match="for computers that are zen4, and this one is zen5"):
        desk.admission.change_packages("a", Changes(install=["hpcmore"]))
    refused = started(stale, "zen5", *version)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "build_stale" in refused.stderr
    desk.be("zen5")
    desk.succeeded(desk.admission.build("a"))
    new = desk.record("a")
    assert started(new, "zen5", *version).stdout.strip() == "2.0"
    assert new.builds["zen5"].edition == new.edition
    assert new.builds["zen5"].prefix != old.builds["zen5"].prefix
    assert not Path(old.builds["zen5"].prefix).exists()
    assert [str(each) for each in Path(inner(new, "")).iterdir()] == [new.builds["zen5"].prefix]


def test_a_build_has_the_same_versions_and_variables_and_goes_where_the_environment_goes(desk: Desk) -> None:
    record = desk.create("a", "hpcdemo<2", "hpcmore", targets=["zen4"], variables={"SEEN": "it's"})
    desk.be("zen5")
    done = desk.succeeded(desk.admission.build("a"))
    assert done.result is not None
    assert done.result["differences"] == []
    seen = ("-c", "import os; print(os.environ['SEEN'])")
    assert started(desk.record("a"), "zen5", *seen).stdout.strip() == "it's"
    patch = msgspec.convert({"variables": {"SEEN": "other"}}, type=_patch())
    desk.admission.patch("a", patch)
    assert started(desk.record("a"), "zen5", *seen).stdout.strip() == "other"
    with pytest.raises(WrongState, match="itself is the build for zen4"):
        desk.be("zen4").build("a")
    desk.admission.delete("a")
    assert not Path(record.prefix).exists()
    desk.admission.restore("a")
    assert started(desk.record("a"), "zen5").stdout.strip() == inner(record, "zen5")
    desk.admission.delete("a", now=True)
    desk.admission.sweep()
    assert [each.name for each in Path(record.prefix).parent.iterdir() if "a" in each.name.split("@")] == []


def _patch() -> Any:
    from jupyter_hpcenv.models import EnvironmentPatch

    return EnvironmentPatch


def test_what_a_colleague_uses_is_the_build_that_was_looked_at(desk: Desk, tmp_path: Path) -> None:
    record = desk.create("a", targets=["zen4"])
    desk.be("zen5")
    desk.succeeded(desk.admission.build("a"))
    own = for_others(desk.record("a"), "zen5")
    assert own is not None
    launch = kernels.write_start(own, desk.admission.site, tmp_path)
    env = {"PATH": os.environ["PATH"], "VSC_ARCH_LOCAL": "zen5"}
    done = subprocess.run([str(launch), "-c", PREFIX], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == inner(record, "zen5")
    env["VSC_ARCH_LOCAL"] = "zen4"
    done = subprocess.run([str(launch), "-c", PREFIX], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, "build_missing" in done.stderr) == (1, True)


def test_built_again_it_has_one_build_and_the_others_follow(desk: Desk) -> None:
    record = desk.create("a", "hpcdemo<2", targets=["zen4"])
    desk.be("zen5")
    desk.succeeded(desk.admission.build("a", "zen5"))
    shutil.rmtree(record.prefix)
    desk.be("zen4")
    desk.succeeded(desk.admission.rebuild("a"))
    again = desk.record("a")
    assert (again.target, again.targets, again.builds) == ("zen4", ["zen4", "zen5"], {})
    assert started(again, "zen4").stdout.strip() == record.prefix
    assert "build_missing" in started(again, "zen5").stderr
    desk.be("zen5")
    operation = desk.admission.build_left("a")
    assert operation is not None, "what was built once was of the prefix that is gone"
    desk.succeeded(operation)
    assert started(again, "zen5").stdout.strip() == inner(record, "zen5")


def test_a_build_that_is_gone_says_so_and_the_others_start(desk: Desk) -> None:
    record = desk.create("a", targets=["zen4"])
    desk.be("zen5")
    desk.succeeded(desk.admission.build("a"))
    Path(inner(record, "zen5"), "bin", "python").unlink()
    gone = started(record, "zen5")
    assert gone.returncode == 1
    assert "build_python_gone" in gone.stderr
    broken = msgspec.structs.replace(desk.record("a"), python_path="/nowhere/python3")
    desk.admission.catalog.records.write(broken)
    assert desk.admission.catalog.find("a").state == "ready", "here its other build is used"
    assert desk.be("zen4").catalog.find("a").state == "python_gone"
    desk.admission.catalog.records.write(msgspec.structs.replace(broken, python_path=record.python_path))
    assert {each.code for each in desk.be("zen3").examine("a")} >= {"build_missing"}
    assert started(record, "zen4").stdout.strip() == record.prefix


def test_a_killed_build_leaves_all_as_it_was(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL in the middle: the record is not touched, its folder is removed, and the next build succeeds."""
    package = Slow(tmp_path / "slow")
    package.go()
    record = desk.create("a", package.requirement, targets=["zen4"])
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "another-cache"))
    package.again()
    (package.folder / "go").unlink()
    before = Path(record.prefix, RECORD).read_bytes()
    desk.be("zen5")
    operation = desk.admission.build("a")
    while not package.begun():
        time.sleep(0.05)
    status = desk.admission.operations.folder(operation.id).status()
    assert status.process is not None
    os.kill(status.process.pid, signal.SIGKILL)
    while desk.ended(operation).state != "interrupted":
        desk.admission.reconcile()
    desk.admission.reconcile()
    assert Path(record.prefix, RECORD).read_bytes() == before
    assert list(Path(inner(record, "")).iterdir()) == []
    assert started(record, "zen4").stdout.strip() == record.prefix
    package.go()
    desk.succeeded(desk.admission.build("a"))
    assert started(record, "zen5").stdout.strip() == inner(record, "zen5")


def test_what_nobody_could_build_from_here_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidRequest, match="does not say where builds for zen5 run"):
        desk.create("a", targets=["zen4", "zen5"])
    with pytest.raises(InvalidRequest, match="can not be a target"):
        desk.create("a", targets=["../zen4"])
    desk.create("a")
    with pytest.raises(InvalidRequest, match="does not say where builds for zen5 run"):
        desk.admission.build("a", "zen5")


def test_builds_that_were_asked_for_are_begun_by_whoever_looks_and_once(desk: Desk) -> None:
    desk.create("a", targets=["zen4"])
    record = msgspec.structs.replace(desk.record("a"), targets=["zen4", "zen5"])
    desk.admission.catalog.records.write(record)
    desk.be("zen5")  # where that can be built without a batch system
    desk.admission.catalog.environments()
    desk.admission.reconcile()
    desk.admission.reconcile()
    (begun,) = [each for each in desk.admission.operations.list() if each.verb == "build"]
    assert begun.request == {"target": "zen5"}
    desk.succeeded(begun)
    assert desk.record("a").builds.keys() == {"zen5"}
    assert desk.admission.build_left("a") is None
    failing = msgspec.structs.replace(desk.record("a"), targets=["zen4", "zen6"], packages=["hpcnothing==9"])
    desk.admission.catalog.records.write(failing)
    desk.be("zen6")
    desk.admission.catalog.environments()
    for _ in range(2):
        desk.admission.reconcile()
        built = [each for each in desk.admission.operations.list() if each.verb == "build"]
        assert [desk.ended(each).state for each in built] == ["failed", "succeeded"]
    assert desk.admission.build_left("a") is None
    desk.admission.drop_build("a", "zen5")
    assert not Path(inner(record, "zen5")).exists()
    desk.admission.reconcile()
    assert len([each for each in desk.admission.operations.list() if each.verb == "build"]) == 2
    gone = started(record, "zen5")
    assert "build_missing" in gone.stderr
    with pytest.raises(WrongState, match="itself is the build for zen4"):
        desk.admission.drop_build("a", "zen4")


def test_a_worker_that_dies_after_its_commit_is_finished_by_whoever_looks(desk: Desk) -> None:
    """The record names the build, and the launch script knows nothing of it yet: that is put right."""
    record = desk.create("a")
    before = desk.record("a")
    desk.be("zen5")
    operation = desk.succeeded(desk.admission.build("a"))
    after = desk.record("a")
    launch = Path(record.prefix, ".hpcenv", "launch")
    wanted = launch.read_bytes()
    # as the crash leaves things: an operation without an end, faces and copy of the revision before
    folder = desk.admission.operations.folder(operation.id).path
    (folder / "final.json").unlink()
    status = json.loads((folder / "status.json").read_text())
    (folder / "status.json").write_text(json.dumps({**status, "state": "running", "finished": "", "result": None}))
    launch.write_bytes(b"")
    desk.admission.catalog.records.write_copy(before)
    desk.be("zen4")
    assert desk.admission.operations.get(operation.id).state == "interrupted"
    desk.admission.reconcile()
    desk.admission.catalog.environments()
    desk.admission.reconcile()
    assert desk.admission.operations.get(operation.id).state == "succeeded"
    assert launch.read_bytes() == wanted
    assert started(after, "zen5").stdout.strip() == inner(record, "zen5")


@pytest.mark.parametrize("asked", [True, False])
def test_a_missing_build_is_begun_at_a_start_where_the_site_wants_that(
    shelf: Path, monkeypatch: pytest.MonkeyPatch, asked: bool, home: Path
) -> None:
    desk = Desk(shelf, monkeypatch, build_missing=asked)
    record = desk.create("a", targets=["zen4"])
    folder = home / "stub"
    folder.mkdir()
    (folder / "explain.py").write_text("import os, sys; print(sys.argv[1], os.environ.get('HPCENV_WORDS', ''))")
    variables = {"HPCENV_EXPLAINER": sys.executable, "HPCENV_FOLDER": str(folder)}
    first = started(record, "zen5", **variables)
    assert first.stdout.split()[0] == "build_missing"
    again = started(record, "zen5", **variables)
    begun = [each for each in desk.admission.operations.list() if each.verb == "build"]
    assert [each.request["target"] for each in begun] == ["zen5"] * asked
    for operation in begun:
        assert operation.id in first.stdout
        assert any(words in again.stdout for words in ("is being changed", operation.id, "a build for")), again.stdout
        desk.ended(operation)
        built = started(record, "zen5", **variables)
        assert built.stdout.strip() == inner(record, "zen5")
        stub = ["build", "--no-wait", "--if-missing", "--target", "zen5", "a"]
        late = subprocess.run([sys.executable, "-m", "jupyter_hpcenv.cli", *stub], capture_output=True, text=True)
        assert late.stdout == "There is a build for this kind of computer by now. Restart the kernel.\n", late.stderr
    afterwards = [each for each in desk.admission.operations.list() if each.verb == "build"]
    assert [each.id for each in afterwards] == [each.id for each in begun]


def test_the_page_as_printed(home: Path, shelf: Path, tmp_path: Path) -> None:
    """Each block of commands is typed on one kind of computer, the second one on another."""
    wheel(shelf, "xarray", "9999.1")
    user = Cli(home, tmp_path / "uv")
    user.env["UV_FIND_LINKS"], user.env["UV_OFFLINE"] = str(shelf), "1"
    text = (printed.DOCS / "how-to" / "users" / "architectures.md").read_text()
    text = text.replace("create climate", "create climate --no-kernel --installer uv")
    blocks = re.findall(r"^```console\n.*?^```", text, re.MULTILINE | re.DOTALL)
    said = ""
    for target, block in zip(("zen4", "zen5"), blocks, strict=True):
        for command in printed.commands(block):
            env = {**user.env, "VSC_ARCH_LOCAL": target}
            done = subprocess.run(command, shell=True, env=env, cwd=home, capture_output=True, text=True)
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            said += done.stdout
    assert "zen4" in said
    assert "climate has a build for zen5 now." in said
    record = json.loads(user("show", "climate", "--json").stdout)["data"]
    assert (record["target"], list(record["builds"])) == ("zen4", ["zen5"])
