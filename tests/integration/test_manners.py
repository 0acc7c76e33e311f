"""How a build behaves on a crowded machine: few processes, no locks, a worker that was stopped, what a kill leaves."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from traitlets.config import Config

from jupyter_hpcenv import claims
from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.errors import HpcenvError, NameTaken
from jupyter_hpcenv.lifecycle import delete
from jupyter_hpcenv.lifecycle.ground import break_ground
from jupyter_hpcenv.models import CreateRequest, EnvironmentPatch, Operation, Process
from jupyter_hpcenv.names import new_operation_id
from jupyter_hpcenv.process import is_alive, kill

from ..conftest import require
from ..installed import for_everybody
from ..serving import KEPT, Server

SOMEBODY = 43_011

#: What a login node looks like to the programs of a build: many processors, of which a user may use few.
MANY = "import os; os.sched_getaffinity = lambda pid: set(range(96))\n"


def variables(home: Path, python: str, **more: str) -> dict[str, str]:
    """Return the surroundings of the command line for a user of that home."""
    kept = {name: os.environ[name] for name in (*KEPT, "PIP_CACHE_DIR") if name in os.environ}
    path = f"{Path(python).parent}:{os.defpath}"
    return {
        **kept,
        "HOME": str(home),
        "PATH": path,
        "PIP_CONFIG_FILE": os.devnull,
        "JUPYTER_PLATFORM_DIRS": "0",
        **more,
    }


def create(around: Sequence[str], python: str, env: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    argv = [*around, python, "-m", "jupyter_hpcenv.cli", "create", "it", *options]
    return subprocess.run(argv, env=env, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True)


# -- few processes ----------------------------------------------------------


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own."""
    found = shutil.which("setpriv") is not None and shutil.which("prlimit") is not None
    require("setpriv and prlimit, as root,", found and os.geteuid() == 0)
    folder = Path(tempfile.mkdtemp(prefix="manners-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_a_real_build_passes_where_a_user_may_have_64_processes(ground: Path) -> None:
    """Threads count as well, and only those of this uid: root's are not limited."""
    python = for_everybody(ground)
    (packages,) = (ground / "venv").glob("lib/python*/site-packages")
    (packages / "many.pth").write_text(MANY)
    home = ground / "home"
    home.mkdir()
    os.chown(home, SOMEBODY, SOMEBODY)
    person = ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups", "--"]
    around = [*person, "prlimit", "--nproc=64", "--"]
    done = create(around, python, variables(home, python, LOGNAME="somebody"))
    assert done.returncode == 0, done.stderr
    assert "Kernel     hpcenv-home.it" in done.stdout
    assert "Filled by  uv" in done.stdout


# -- no locks ---------------------------------------------------------------

REFUSALS = ["ENOLCK", "EBADF", "ENOSYS"]


def without_locks(refusal: str, trace: Path) -> list[str]:
    """Return what lets every flock of a program and of all that it starts fail."""
    require("strace", shutil.which("strace") is not None)
    options = ["-f", "-q", "--seccomp-bpf", "-o", str(trace), "-e", "trace=flock"]
    return ["strace", *options, "-e", f"inject=flock:error={refusal}"]


def test_a_real_build_passes_where_files_can_not_be_locked(home: Path, tmp_path: Path) -> None:
    env = variables(home, sys.executable)
    done = create(without_locks(REFUSALS[0], tmp_path / "trace"), sys.executable, env)
    assert done.returncode == 0, done.stderr
    assert "INJECTED" in (tmp_path / "trace").read_text()
    assert "Kernel     hpcenv-home.it" in done.stdout
    assert "Filled by  pip" in done.stdout


@pytest.mark.parametrize("refusal", REFUSALS)
def test_each_way_to_refuse_a_lock_is_a_reason_for_pip(refusal: str, home: Path, tmp_path: Path) -> None:
    """What a filesystem says decides that; how a build with pip goes on is the same for all."""
    around, env = without_locks(refusal, tmp_path / "trace"), variables(home, sys.executable)
    asked = (
        "import os; from jupyter_hpcenv.managers.installers import cache_takes_locks as takes; print(takes(os.environ))"
    )
    done = subprocess.run([*around, sys.executable, "-c", asked], env=env, capture_output=True, text=True, cwd="/")
    assert (done.stdout, done.stderr) == ("False\n", "")
    assert "INJECTED" in (tmp_path / "trace").read_text()


@pytest.mark.parametrize("refusal", REFUSALS)
def test_who_asks_for_uv_there_is_told_what_to_do(refusal: str, home: Path, tmp_path: Path) -> None:
    env = variables(home, sys.executable, UV_CACHE_DIR=str(tmp_path / "uv"))
    done = create(without_locks(refusal, tmp_path / "trace"), sys.executable, env, "--installer", "uv")
    assert done.returncode != 0
    assert "the filesystem of its cache refuses to lock files" in done.stderr
    assert "Choose pip, which needs no locks" in done.stderr
    environments = home / ".local" / "share" / "jupyter" / "hpcenv" / "environments"
    assert [path.name for path in environments.iterdir() if not path.name.startswith(".")] == []


# -- a worker that was stopped ----------------------------------------------


Stop = Callable[[Admission, str], Process]


@pytest.fixture
def stop() -> Iterator[Stop]:
    """Stop the worker of an operation that has begun to build, as SIGSTOP or a debugger does; return who it is."""
    met: list[Process] = []

    def stopped(admission: Admission, identifier: str) -> Process:
        folder = admission.operations.folder(identifier)
        while (status := folder.status()).process is None or status.steps[0].state == "todo":
            assert not status.finished, status
            time.sleep(0.01)
        met.append(status.process)
        os.kill(status.process.pid, signal.SIGSTOP)
        while "State:\tT" not in Path(f"/proc/{status.process.pid}/status").read_text():
            time.sleep(0.001)
        assert not folder.status().finished
        return status.process

    yield stopped
    for each in met:
        kill(each)


def nothing_is_left(operation: Operation) -> None:
    prefix = Path(operation.environment.prefix)
    assert not [path for path in prefix.parent.iterdir() if path.name not in (".hpcenv", f".trash-{os.geteuid()}")]
    claims.look(prefix.parent, operation.environment.name)


def test_a_stopped_worker_is_woken_to_be_cancelled(admission: Admission, stop: Stop) -> None:
    """It cleans up itself: nobody else looks here."""
    operation = admission.submit("create", CreateRequest(name="it", packages=["numpy"]))
    stop(admission, operation.id)
    admission.operations.cancel(operation.id)
    folder = admission.operations.folder(operation.id)
    while not (status := folder.status()).finished:
        time.sleep(0.05)
    assert status.state == "cancelled"
    assert status.error is not None
    assert status.error["message"] == "It was cancelled; nothing was left behind."
    nothing_is_left(operation)


@contextlib.contextmanager
def kept_stopped(process: Process) -> Iterator[None]:
    """Stop a process again and again: whoever wakes it must not give it the time to do what it is woken for."""
    over = threading.Event()

    def again() -> None:
        while not over.wait(0.001) and is_alive(process):
            os.kill(process.pid, signal.SIGSTOP)

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


#: A server looks every five seconds whether the worker of an operation that tells nothing is alive.
IMPATIENT = "from jupyter_hpcenv.server import watch_operations\nwatch_operations.REREAD = 0.5\n"


def test_a_worker_that_does_not_obey_is_killed_and_the_server_cleans_up(home: Path, tmp_path: Path, stop: Stop) -> None:
    settings = home / ".jupyter" / "jupyter_hpcenv_config.py"
    settings.parent.mkdir()
    settings.write_text("c.Site.cancel_patience = 1\n")
    (tmp_path / "sitecustomize.py").write_text(IMPATIENT)
    server = Server(home, variables={"PYTHONPATH": str(tmp_path)})
    try:
        identifier = server.ask("POST", "environments", {"name": "it", "packages": ["numpy"]}).body["id"]
        admission = Admission()
        process = stop(admission, identifier)
        with kept_stopped(process):
            assert server.ask("POST", f"operations/{identifier}/cancel").body["cancelling"]
            done = server.ended(identifier)
    finally:
        server.stop()
    assert done["state"] == "cancelled"
    assert is_alive(process) is False
    nothing_is_left(admission.operations.get(identifier))


# -- what a kill leaves -----------------------------------------------------


def test_the_next_worker_removes_what_a_killed_one_left_in_the_temporary_folder(
    admission: Admission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: Callable[[Operation], Operation]
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    script = "import os, signal\nfrom jupyter_hpcenv import process\nprocess.start(['sleep', '0'], env={})\n"
    killed = subprocess.run([sys.executable, "-c", f"{script}os.kill(os.getpid(), signal.SIGKILL)"])
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.glob("hpcenv-*")
    foreign = tmp_path / "hpcenv-of-somebody-else"
    foreign.mkdir()
    moment = time.time() - 90_000
    for path in (left, foreign):
        os.utime(path, (moment, moment))
    done = finished(admission.submit("create", CreateRequest(name="it", kernel=False)))
    assert done.state == "succeeded", done.error
    assert [path.name for path in tmp_path.glob("hpcenv-*")] == [foreign.name]


# -- told before a build, or while it goes ----------------------------------


def test_a_broken_template_of_the_site_is_told_before_anything_is_built(
    home: Path, finished: Callable[[Operation], Operation]
) -> None:
    folder = home / "templates"
    folder.mkdir(mode=0o755)
    good = finished(Admission().submit("create", CreateRequest(name="before", kernel=False)))
    assert good.state == "succeeded"
    (folder / "launch.sh.j2").write_text("#!/bin/sh\nexec {{ perfix | sh }}/bin/python\n")
    admission = Admission(Config({"Site": {"template_dirs": [str(folder)]}}))
    with pytest.raises(HpcenvError, match="perfix") as caught:
        admission.submit("create", CreateRequest(name="it", kernel=False))
    assert str(folder / "launch.sh.j2") in caught.value.message
    assert [each.environment.name for each in admission.operations.list()] == ["before"]
    claims.look(Path(good.environment.prefix).parent, "it")
    with pytest.raises(HpcenvError, match="perfix"):
        admission.patch("before", EnvironmentPatch(display_name="After"))
    assert admission.catalog.find("before").display_name != "After"


def test_a_variable_that_looks_like_a_secret_is_warned_of_by_name(home: Path) -> None:
    env = variables(home, sys.executable)
    done = create([], sys.executable, env, "--no-kernel", "--var", "HF_TOKEN=hunter2", "--var", "COLOUR=blue")
    assert done.returncode == 0, done.stderr
    assert "Warning: HF_TOKEN looks like a secret." in done.stderr
    assert "let HF_TOKEN_FILE name that file" in done.stderr
    assert "COLOUR" not in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
    operations = home / ".local" / "share" / "jupyter" / "hpcenv" / "operations"
    (log,) = operations.glob("*/log.jsonl")
    assert "HF_TOKEN looks like a secret" in log.read_text()
    assert "hunter2" not in log.read_text()


# -- an empty folder in the way ---------------------------------------------


def test_nothing_is_restored_over_an_empty_folder_that_has_just_appeared(
    admission: Admission, finished: Callable[[Operation], Operation]
) -> None:
    """A plain rename would replace it; who made it would find somebody else's files there."""
    operation = finished(admission.submit("create", CreateRequest(name="it", kernel=False)))
    prefix = Path(operation.environment.prefix)
    item = admission.delete("it")
    with pytest.raises(NameTaken):
        delete.restore(admission.catalog, item, prefix.mkdir)
    assert list(prefix.iterdir()) == []
    assert [each.id for each in admission.catalog.trash()] == [item.id]
    prefix.rmdir()
    assert admission.restore("it").state == "ready"


def test_nothing_is_begun_in_an_empty_folder_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    with pytest.raises(NameTaken):
        break_ground(tmp_path / "it", new_operation_id())
    assert [path.name for path in tmp_path.rglob("*")] == ["it"]
