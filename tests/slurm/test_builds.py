"""Operations whose workers are jobs of a real Slurm: sent, followed, cancelled, lost, found and started again."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from traitlets.config import Config

from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.batch import slurm as slurm_module
from jupyter_hpcenv.batch.slurm import Slurm as System
from jupyter_hpcenv.errors import BatchRefused, BatchUnavailable, InvalidRequest
from jupyter_hpcenv.models import FINISHED, BatchRequest, CreateRequest, Operation
from jupyter_hpcenv.operations import queue

from ..docs import printed
from ..serving import CHECKOUT, Server
from .cluster import Slurm

BACKEND = """
import os, pathlib, time, zipfile

HERE = pathlib.Path(__file__).parent


def build_wheel(folder, config_settings=None, metadata_directory=None):
    (HERE / "begun").touch()
    until = time.monotonic() + 120
    while not (HERE / "go").exists() and time.monotonic() < until:
        time.sleep(0.05)
    name = "slow-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as made:
        made.writestr("slow.py", "")
        made.writestr("slow-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: slow\\nVersion: 1\\n")
        made.writestr("slow-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        made.writestr("slow-1.dist-info/RECORD", "")
    return name
"""


class Slow:
    """A package whose build lasts until it is let go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "backend.py").write_text(BACKEND)
        told = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        (folder / "pyproject.toml").write_text(told + '[project]\nname = "slow"\nversion = "1"\n')

    @property
    def requirement(self) -> str:
        """What a request asks for."""
        return f"slow @ {self.folder.as_uri()}"

    def begun(self) -> bool:
        """Tell whether its build is under way."""
        return (self.folder / "begun").exists()

    def again(self) -> None:
        """Forget that it began."""
        (self.folder / "begun").unlink()

    def go(self) -> None:
        """Let it end."""
        (self.folder / "go").touch()


@pytest.fixture
def slow(tmp_path: Path) -> Slow:
    return Slow(tmp_path / "slow")


@pytest.fixture
def admission(slurm: Slurm) -> Iterator[Admission]:
    yield Admission(Config({"Site": {"batch_interval": 1, "cancel_patience": 15}}))
    until(lambda: not slurm.jobs())


def until(question: Callable[[], object]) -> None:
    """Wait for something; the test's own timeout bounds it."""
    while not question():
        time.sleep(0.2)


def request(name: str, *packages: str, partition: str = "zen5", **on: Any) -> CreateRequest:
    return CreateRequest(name=name, packages=list(packages), kernel=False, on=BatchRequest(partition=partition, **on))


def ended(admission: Admission, operation: Operation) -> Operation:
    """Follow as a server does, and return the operation as it ended."""
    while True:
        admission.reconcile()
        now = admission.operations.get(operation.id)
        if now.state in FINISHED:
            return now
        time.sleep(0.2)


def start_now(slurm: Slurm, job: str) -> None:
    """Start a job that was queued again, before the two minutes that Slurm waits.

    Not in the second of its end: Slurm's credentials for that one are revoked, and count whole seconds.
    """
    time.sleep(2.5)
    slurm.says("scontrol", "update", f"JobId={job}", "StartTime=now")


def nothing_is_left(admission: Admission, operation: Operation) -> None:
    """Neither prefix nor claim nor record; and the same request is taken now."""
    assert not Path(operation.environment.prefix).exists()
    assert not list((Path(operation.environment.prefix).parent / ".hpcenv" / "claims").iterdir())
    assert [row.name for row in admission.catalog.environments() if row.origin == "own"] == []


def test_a_server_in_a_job_on_zen4_builds_on_zen5_and_its_end_ends_no_build(
    slurm: Slurm, home: Path, slow: Slow
) -> None:
    """The server's own job is killed in the middle of the build, as the batch system does; another one follows it."""
    variables = {**slurm.variables, "PATH": f"{CHECKOUT}/.venv/bin:{os.environ['PATH']}"}
    around = ["srun", "--partition=zen4", "--job-name=server", "--kill-on-bad-exit=1"]
    first = Server(home, around=around, variables=variables)
    try:
        body = {"name": "there", "packages": [slow.requirement], "on": {"partition": "zen5", "time": "30"}}
        accepted = first.ask("POST", "environments", body)
        assert accepted.status == 202, accepted
        assert accepted.body["job"]["name"] == f"hpcenv-{accepted.body['id']}"
        until(slow.begun)
    finally:
        slurm.says("scancel", "--full", "--signal=KILL", "--name=server")
        first.process.wait()
    second = Server(home, variables=variables)
    try:
        until(lambda: second.ask("GET", f"operations/{accepted.body['id']}").body["state"] == "running")
        slow.go()
        done = second.ended(accepted.body["id"])
        assert done["state"] == "succeeded", done
        assert slurm.says("scontrol", "show", "job", done["job"]["id"]).count("NodeList=zen5-1") == 1
        (row,) = second.ask("GET", "environments").body
        detail = second.ask("GET", f"environments/{row['id']}").body
        assert (detail["state"], detail["preflight"]["kind"]) == ("ready", "kernel")
        assert [each["name"] for each in second.ask("GET", "targets").body["partitions"]] == ["zen4", "zen5"]
    finally:
        second.stop()
    until(lambda: not slurm.jobs())


def test_a_job_that_waits_says_why_and_can_be_cancelled(admission: Admission, slurm: Slurm) -> None:
    slurm.says("scontrol", "update", "PartitionName=zen5", "State=DOWN")
    try:
        operation = admission.submit("create", request("waits"))
        until(lambda: admission.reconcile() or (admission.operations.get(operation.id).job or 0).reason)  # type: ignore[union-attr]
        waiting = admission.operations.get(operation.id)
        assert waiting.job is not None
        assert (waiting.state, waiting.job.state, waiting.job.reason) == ("pending", "pending", "PartitionDown")
        admission.operations.cancel(operation.id)
        assert ended(admission, operation).state == "cancelled"
        assert slurm.jobs() == []
        nothing_is_left(admission, operation)
    finally:
        slurm.says("scontrol", "update", "PartitionName=zen5", "State=UP")


def test_a_job_that_runs_can_be_cancelled(admission: Admission, slow: Slow) -> None:
    operation = admission.submit("create", request("runs", slow.requirement))
    until(slow.begun)
    admission.operations.cancel(operation.id)
    assert ended(admission, operation).state == "cancelled"
    nothing_is_left(admission, operation)


def test_scancel_is_told_and_nothing_is_left(admission: Admission, slurm: Slurm, slow: Slow) -> None:
    operation = admission.submit("create", request("scancelled", slow.requirement))
    until(slow.begun)
    assert operation.job is not None
    slurm.says("scancel", f"--name={operation.job.name}")
    done = ended(admission, operation)
    assert done.state == "interrupted"
    assert "was cancelled in the batch system" in (done.error or {})["message"]
    nothing_is_left(admission, operation)


def test_the_end_of_its_time_is_told_with_what_to_do(admission: Admission, slurm: Slurm, slow: Slow) -> None:
    operation = admission.submit("create", request("late", slow.requirement, time="30"))
    until(slow.begun)
    job = admission.operations.get(operation.id).job
    assert job is not None
    slurm.says("scontrol", "update", f"JobId={job.id}", "EndTime=now+3")
    done = ended(admission, operation)
    assert done.state == "interrupted"
    error = done.error or {}
    print(done.job, admission.operations.log(operation.id).lines[-3:])
    assert "The time of job" in error["message"]
    assert "--time" in error["hints"][0]
    nothing_is_left(admission, operation)


def test_a_node_that_fails_has_its_build_begun_again(admission: Admission, slurm: Slurm, slow: Slow) -> None:
    operation = admission.submit("create", request("node", slow.requirement))
    until(slow.begun)
    slow.again()
    slurm.says("scontrol", "update", "NodeName=zen5-1", "State=DOWN", "Reason=test")
    try:
        until(lambda: admission.reconcile() or admission.operations.get(operation.id).job.restarts)  # type: ignore[union-attr]
    finally:
        slurm.says("scontrol", "update", "NodeName=zen5-1", "State=RESUME")
    now = admission.operations.get(operation.id)
    assert now.job is not None
    assert now.state not in FINISHED, now
    start_now(slurm, now.job.id)
    slow.go()
    done = ended(admission, operation)
    assert done.state == "succeeded", done
    assert done.job is not None
    assert done.job.restarts == 1


def test_a_worker_that_is_killed_with_its_node_is_begun_again(admission: Admission, slurm: Slurm, slow: Slow) -> None:
    """No signal that it could obey, and nobody on the node who could tell: what it left is removed by its successor."""
    operation = admission.submit("create", request("killed", slow.requirement))
    until(slow.begun)
    slow.again()
    status = admission.operations.folder(operation.id).status()
    assert status.process is not None
    worker = status.process.pid
    keeper = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    assert b"slurmstepd" in Path(f"/proc/{keeper}/cmdline").read_bytes()
    for pid in [keeper, worker, *_below(worker)]:
        os.kill(pid, 9)
    assert Path(operation.environment.prefix).is_dir()
    slurm.says("scontrol", "update", "NodeName=zen5-1", "State=DOWN", "Reason=test")
    try:
        until(lambda: admission.reconcile() or admission.operations.get(operation.id).job.restarts)  # type: ignore[union-attr]
    finally:
        slurm.says("scontrol", "update", "NodeName=zen5-1", "State=RESUME")
    job = admission.operations.get(operation.id).job
    assert job is not None
    start_now(slurm, job.id)
    slow.go()
    done = ended(admission, operation)
    lines = [line.text for line in admission.operations.log(operation.id).lines]
    assert done.state == "succeeded", (done.error, done.job, lines[-6:])
    assert any("what the earlier one left is removed first" in line for line in lines)


def _below(pid: int) -> list[int]:
    said = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split()
    return [each for child in map(int, said) for each in [child, *_below(child)]]


def test_a_controller_that_is_away_stops_nothing(admission: Admission, slurm: Slurm, slow: Slow) -> None:
    """What runs goes on; what is asked for meanwhile is sent once it is back, and once only."""
    running = admission.submit("create", request("running", slow.requirement))
    until(slow.begun)
    slurm.stop_controller()
    try:
        meanwhile = admission.submit("create", request("meanwhile"))
        assert meanwhile.job is not None
        assert meanwhile.job.id == ""
        admission.reconcile()
        assert admission.operations.get(running.id).state == "running"
        assert admission.operations.get(meanwhile.id).state == "pending"
        assert admission.batch().message
    finally:
        slurm.start_controller()
    slow.go()
    assert ended(admission, running).state == "succeeded"
    assert ended(admission, meanwhile).state == "succeeded"
    told = slurm.says("squeue", "--states=all", "-h", "-o", "%j", f"--name={meanwhile.job.name}")
    assert told.split() == [meanwhile.job.name]


def instead(folder: Path, program: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a script of ours before one of Slurm's programs."""
    folder.mkdir(exist_ok=True)
    place = folder / program
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_an_answer_that_is_lost_makes_no_second_job(
    admission: Admission, slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
    instead(tmp_path / "bin", "sbatch", f'/usr/bin/sbatch "$@" >/dev/null; echo "{lost}" >&2; exit 1', monkeypatch)
    operation = admission.submit("create", request("lost"))
    assert operation.job is not None
    assert operation.job.id == ""
    done = ended(admission, operation)
    assert done.state == "succeeded"
    assert slurm.says("squeue", "--states=all", "-h", "-o", "%j", f"--name={operation.job.name}").split() == [
        operation.job.name
    ]


def test_while_one_sends_the_job_nobody_else_does_and_a_cancel_then_ends_it(
    admission: Admission, slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sbatch is slow, and another server looks, and cancels, before it has answered."""
    slurm.says("scontrol", "update", "PartitionName=zen5", "State=DOWN")
    wait = f'touch "{tmp_path}/asked"; while [ ! -e "{tmp_path}/on" ]; do sleep 0.1; done'
    instead(tmp_path / "bin", "sbatch", f'{wait}; exec /usr/bin/sbatch "$@"', monkeypatch)
    try:
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(admission.submit, "create", request("slow-to-send"))
            until((tmp_path / "asked").exists)
            (row,) = admission.operations.list()
            for _ in range(3):
                (admission.operations.root / ".looked").unlink(missing_ok=True)
                admission.reconcile()
            admission.operations.cancel(row.id)
            admission.reconcile()
            assert admission.operations.get(row.id).state == "pending", "nobody knows yet whether there is a job"
            (tmp_path / "on").touch()
            asking.result()
        done = ended(admission, row)
        assert (done.state, (done.error or {})["message"]) == (
            "cancelled",
            "It was cancelled; nothing was left behind.",
        )
        assert slurm.jobs() == []
        assert row.job is not None
        told = slurm.says("squeue", "--states=all", "-h", "-o", "%j", f"--name={row.job.name}").split()
        assert told == [row.job.name], "sent once"
        nothing_is_left(admission, row)
    finally:
        slurm.says("scontrol", "update", "PartitionName=zen5", "State=UP")


@pytest.mark.parametrize("content", [None, b"", b'{"id": 7'])
def test_a_job_whose_file_is_lost_is_found_by_its_name(
    admission: Admission, slurm: Slurm, slow: Slow, content: bytes | None
) -> None:
    operation = admission.submit("create", request("lost-file", slow.requirement))
    until(slow.begun)
    place = admission.operations.folder(operation.id).path / "job.json"
    place.unlink()
    if content is not None:
        place.write_bytes(content)
    (admission.operations.root / ".looked").unlink(missing_ok=True)
    admission.reconcile()
    job = admission.operations.get(operation.id).job
    assert job is not None
    assert job.id == slurm.jobs()[0]
    slow.go()
    assert ended(admission, operation).state == "succeeded"


def test_a_job_that_is_suspended_is_shown_so(admission: Admission, slurm: Slurm, slow: Slow) -> None:
    operation = admission.submit("create", request("suspended", slow.requirement))
    until(slow.begun)
    (job,) = slurm.jobs()
    slurm.says("scontrol", "suspend", job)
    until(lambda: admission.reconcile() or admission.operations.get(operation.id).job.state == "suspended")  # type: ignore[union-attr]
    slurm.says("scontrol", "resume", job)
    slow.go()
    assert ended(admission, operation).state == "succeeded"


def test_without_scontrol_there_is_no_batch_system(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in ("sbatch", "squeue", "scancel"):
        (tmp_path / program).symlink_to(f"/usr/bin/{program}")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BatchUnavailable, match="no batch system"):
        Admission().submit("create", request("half"))


def test_a_cluster_that_can_not_be_told_keeps_nobody_from_cancelling(
    admission: Admission, slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm_module, "_clusters", {})
    instead(tmp_path / "bin", "scontrol", "exit 1", monkeypatch)
    subprocess.run(["/usr/bin/scontrol", "update", "PartitionName=zen5", "State=DOWN"], check=True)
    try:
        operation = admission.submit("create", request("nameless"))
        admission.operations.cancel(operation.id)
        assert ended(admission, operation).state == "cancelled"
        assert slurm.jobs() == []
    finally:
        subprocess.run(["/usr/bin/scontrol", "update", "PartitionName=zen5", "State=UP"], check=True)


def test_two_hundred_in_the_queue_are_looked_at_with_one_question(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission = Admission(Config({"Site": {"batch_interval": 600}}))
    slurm.says("scontrol", "update", "PartitionName=zen5", "State=DOWN")
    stamp = admission.operations.root / ".looked"
    try:
        first = admission.submit("create", request("q0"))
        ticket = admission.operations.folder(first.id).ticket()
        for number in range(1, 200):
            ticket.id = f"{first.id[:-8]}{number:08x}"
            admission.operations.submit(ticket)
        count = tmp_path / "count"
        instead(tmp_path / "bin", "squeue", f'echo x >>"{count}"; exec /usr/bin/squeue "$@"', monkeypatch)
        looks = 0
        for _ in range(5):
            stamp.unlink(missing_ok=True)  # as when the interval is over
            looks += admission.operations.look_at_queue()
            assert not admission.operations.look_at_queue(), "not before the interval is over"
            rows = admission.operations.list()
        assert looks == 5
        assert len(count.read_text().split()) == 5
        jobs = [row.job for row in rows]
        assert len(jobs) == 200
        assert {job.reason for job in jobs if job} == {"PartitionDown"}
    finally:
        slurm.says("scancel", "--state=PENDING", "--partition=zen5")
        slurm.says("scontrol", "update", "PartitionName=zen5", "State=UP")
    stamp.unlink()
    admission.reconcile()
    assert {row.state for row in admission.operations.list()} == {"interrupted"}


def test_another_cluster_on_the_same_home_does_not_judge_a_job(
    admission: Admission, slurm: Slurm, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not know the job, and that is no sign of its end: the build goes on, and nothing of it is removed."""
    operation = admission.submit("create", request("far", slow.requirement))
    until(slow.begun)
    with monkeypatch.context() as there:
        there.setattr(System, "cluster", lambda self: "another")
        there.setattr(System, "jobs", lambda self: [])
        there.setattr(queue, "UNSEEN", -1.0)
        for _ in range(3):
            (admission.operations.root / ".looked").unlink(missing_ok=True)
            admission.reconcile()
        assert admission.operations.get(operation.id).state == "running"
        there.setattr(System, "cluster", lambda self: "test")
        (admission.operations.root / ".looked").unlink(missing_ok=True)
        admission.operations.look_at_queue()
        assert admission.operations.get(operation.id).state == "interrupted", "its own cluster's word counts"
        (admission.operations.folder(operation.id).path / "job.json").write_bytes(msgspec.json.encode(operation.job))
    slow.go()
    assert ended(admission, operation).state == "succeeded"


@pytest.mark.parametrize(
    ("on", "words", "advice"),
    [
        ({"partition": "nope"}, "Invalid partition name", "jupyter hpcenv targets"),
        ({"constraint": "haswell"}, "Invalid feature", "jupyter hpcenv targets"),
        ({"time": "3-0"}, "time limit", "--time"),
        ({"memory": "900G"}, "not available", "less memory"),
        ({"cpus": 400}, "More processors", "processors"),
    ],
)
def test_what_slurm_refuses_is_told_with_its_words(
    admission: Admission, on: dict[str, Any], words: str, advice: str
) -> None:
    with pytest.raises(BatchRefused) as raised:
        admission.submit("create", request("refused", **on))
    assert words in raised.value.message
    assert any(advice in hint for hint in raised.value.hints), raised.value.hints
    assert raised.value.http_status == 403
    assert admission.operations.list() == []


def test_words_that_would_be_options_are_none(admission: Admission) -> None:
    for on in ({"partition": "-wzen5-1"}, {"account": "a b"}, {"time": "1;2"}, {"constraint": "a\nb"}, {"cpus": -1}):
        with pytest.raises(InvalidRequest):
            admission.submit("create", request("words", **on))
    with pytest.raises(InvalidRequest):
        admission.submit("create", request("words", options={"wrap": "id"}))


def test_without_a_batch_system_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BatchUnavailable, match="no batch system"):
        Admission().submit("create", request("nowhere"))


def test_no_secret_and_no_setting_of_ours_reaches_slurm(
    admission: Admission, slurm: Slurm, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "canary-8c1f2e"
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", canary)
    monkeypatch.setenv("SOME_PASSWORD", canary)
    monkeypatch.setenv("SBATCH_PARTITION", "nope")
    monkeypatch.setenv("SBATCH_COMMENT", canary)
    monkeypatch.setenv("SLURM_JOB_NAME", canary)
    operation = admission.submit("create", request("secret", slow.requirement))
    until(slow.begun)
    status, found = admission.operations.folder(operation.id).status(), []
    assert status.process is not None
    for pid in [status.process.pid, *_below(status.process.pid)]:
        found.append(Path(f"/proc/{pid}/environ").read_bytes())
        found.append(Path(f"/proc/{pid}/cmdline").read_bytes())
    found += [path.read_bytes() for path in slurm.base.rglob("*") if path.is_file()]
    found += [path.read_bytes() for path in admission.operations.folder(operation.id).path.iterdir()]
    job = admission.operations.get(operation.id).job
    assert job is not None
    said = slurm.says("scontrol", "show", "job", "--details", job.id)
    assert "zen5" in said
    found += [said.encode(), slurm.says("scontrol", "write", "batch_script", job.id, "-").encode()]
    assert b"exec /bin/sh" in found[-1]
    assert [text for text in found if canary.encode() in text] == []
    slow.go()
    assert ended(admission, operation).state == "succeeded"


def test_a_change_is_made_where_the_environment_was_built(admission: Admission, slurm: Slurm) -> None:
    from jupyter_hpcenv.models import Changes

    created = ended(admission, admission.submit("create", request("changed")))
    assert created.state == "succeeded", created
    done = ended(admission, admission.change_packages("changed", Changes(install=["six"])))
    assert done.state == "succeeded", done
    assert done.job is not None
    assert done.job.partition == "zen5"


def test_a_site_can_make_every_build_a_job_or_run_it_by_a_command(slurm: Slurm) -> None:
    admission = Admission(
        Config({"Site": {"build_where": "sbatch", "batch": {"partition": "zen4"}, "batch_interval": 1}})
    )
    done = ended(admission, admission.submit("create", CreateRequest(name="usual", kernel=False)))
    assert done.state == "succeeded", done
    assert done.job is not None
    assert done.job.partition == "zen4"
    admission = Admission(Config({"Site": {"build_where": "command", "build_command": ["/usr/bin/env", "HPC_BY=us"]}}))
    operation = admission.submit("create", CreateRequest(name="command", kernel=False))
    assert operation.job is None
    assert ended(admission, operation).state == "succeeded"


def test_a_node_without_network_installs_what_was_fetched_here(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job's variables are such that nothing can be reached from it; a source archive is built there, too."""
    dead = "http://127.0.0.1:9"
    lines = [f"export {name}={dead}" for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY")]
    lines += [f"export PIP_INDEX_URL={dead}/simple UV_DEFAULT_INDEX={dead}/simple UV_CACHE_DIR={tmp_path}/cache"]
    lines += [f"export PIP_NO_CACHE_DIR=1 XDG_CACHE_HOME={tmp_path}/cache"]
    text = "\n".join(lines)
    script = f"""for last; do :; done
folder=$(dirname "$last")
exec_line=$(tail -n 1 "$folder/start")
{{ sed '$d' "$folder/start"; cat <<'END'
{text}
END
echo "$exec_line"; }} >"$folder/start.new" && cat "$folder/start.new" >"$folder/start"
exec /usr/bin/sbatch "$@" """
    instead(tmp_path / "bin", "sbatch", script, monkeypatch)
    admission = Admission(Config({"Site": {"batch_interval": 1, "batch_offline": True}}))
    sdist = Slow(tmp_path / "slow")
    sdist.go()
    wanted = request("offline", "six", sdist.requirement)
    wanted.kernel = True
    operation = admission.submit("create", wanted)
    assert operation.job is None, "it is sent once everything is here"
    done = ended(admission, operation)
    assert done.state == "succeeded", (done.error, admission.operations.log(operation.id).lines[-20:])
    assert done.job is not None
    assert done.job.partition == "zen5"
    assert [step.name for step in done.steps][:2] == ["fetch", "prefix"]
    names = {package.name for package in admission.packages(done.environment.id)}
    assert {"six", "slow", "ipykernel"} <= names
    assert (admission.operations.folder(operation.id).path / "start").read_text().count(dead) == 6


def test_the_page_as_printed(slurm: Slurm, home: Path) -> None:
    """docs/how-to/users/jobs.md"""
    text = (printed.DOCS / "how-to" / "users" / "jobs.md").read_text()
    listing, create = printed.commands(text)
    env = {**os.environ, "PATH": f"{CHECKOUT}/.venv/bin:{os.environ['PATH']}"}
    assert "zen5" in printed.run(listing, env, home)
    said = printed.run(f"{create} 2>&1", env, home)
    assert "flood is ready." in said
    assert re.search(r"^Job \d+ waits", said, re.MULTILINE)
    assert slurm.jobs() == []
