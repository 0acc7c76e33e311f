from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from jupyter_hpcenv import process
from jupyter_hpcenv.errors import BuildFailed, Cancelled

ENV = {"PATH": os.defpath}


def sh(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def test_lines_of_both_streams_arrive_and_the_status_is_kept() -> None:
    lines: list[str] = []
    done = process.run(sh("echo one; echo two >&2; printf 'a\\rb\\n'; exit 3"), env=ENV, on_line=lines.append)
    assert lines == ["one", "two", "a", "b"]
    assert (done.returncode, done.ok, done.tail) == (3, False, lines)


def test_a_last_line_without_an_end_is_kept() -> None:
    assert process.run(sh("printf unended"), env=ENV).tail == ["unended"]


def test_the_working_folder_is_fresh_and_private_and_goes_away() -> None:
    done = process.run(sh("pwd; stat -c %a .; ls -A | wc -l"), env=ENV)
    folder, mode, entries = done.tail
    assert (mode, entries) == ("700", "0")
    assert not Path(folder).exists()


def test_standard_input_is_empty() -> None:
    assert process.run(sh("cat; echo end"), env=ENV).tail == ["end"]


def test_a_missing_program_is_an_error_of_ours() -> None:
    with pytest.raises(BuildFailed, match="could not be started"):
        process.run(["/no/such/program"], env=ENV)


def test_check_stops_the_program_and_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"trap '' INT TERM; sleep 100 & echo $! $$ > {pids}; wait; sleep 100"
    began = time.monotonic()

    def check() -> None:
        if pids.exists() and pids.read_text().strip():
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        process.run(sh(script), env=ENV, check=check)
    assert time.monotonic() - began < 60
    for pid in pids.read_text().split():
        assert not Path(f"/proc/{pid}/cwd").exists() or process._start_time(int(pid)) is None


def test_a_timeout_is_an_error() -> None:
    with pytest.raises(BuildFailed, match="too long"):
        process.run(sh("sleep 100"), env=ENV, timeout=0.3)


def test_a_grandchild_that_keeps_the_pipe_does_not_hold_us() -> None:
    done = process.run([sys.executable, "-c", DOUBLE_FORK], env=ENV)
    assert done.ok
    pid = int(done.tail[0])
    os.kill(pid, 9)


DOUBLE_FORK = """
import os, time
pid = os.fork()
if pid == 0:
    os.setsid()
    time.sleep(100)
print(pid, flush=True)
os._exit(0)
"""


def test_environment_is_an_allow_list() -> None:
    source = {
        "HOME": "/h",
        "https_proxy": "p",
        "LC_ALL": "C",
        "JUPYTERHUB_API_TOKEN": "secret",
        "JPY_API_TOKEN": "secret",
        "AWS_SECRET": "secret",
        "PYTHONPATH": "/x",
        "SITE_LICENCE": "l",
    }
    env = process.environment(["SITE_*"], {"EXTRA": "1"}, source)
    assert env == {
        "HOME": "/h",
        "https_proxy": "p",
        "LC_ALL": "C",
        "SITE_LICENCE": "l",
        "EXTRA": "1",
        "PATH": os.defpath,
    }


def test_identity_tells_a_process_from_another_with_its_pid() -> None:
    child = process.start(sh("sleep 100"), env=ENV)
    try:
        who = process.identity(child.pid)
        assert process.is_alive(who) is True
        who.start += 1
        assert process.is_alive(who) is False
        who.host = "elsewhere"
        assert process.is_alive(who) is None
    finally:
        child.stop()


def test_a_child_is_stopped_and_its_output_kept_until_then() -> None:
    child = process.start(sh("echo hello; echo there >&2; exec sleep 100"), env=ENV)
    while "there" not in child.output():
        time.sleep(0.01)
    assert child.output() == "hello\nthere\n"
    who = process.identity(child.pid)
    assert child.stop() != 0
    assert process.is_alive(who) is False


def test_marked_strays_are_found_by_their_environment() -> None:
    child = process.start(sh("exec sleep 100"), env={**ENV, process.MARKER: "20260101-000000-0000beef"})
    other = process.start(sh("exec sleep 100"), env=ENV)
    try:
        while b"sleep" not in Path(f"/proc/{child.pid}/cmdline").read_bytes():
            time.sleep(0.01)
        assert process.stop_marked("20260101-000000-0000beef") == 1
        assert other.poll() is None
    finally:
        child.stop()
        other.stop()


def test_threads_are_capped_by_affinity_and_process_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process.os, "sched_getaffinity", lambda pid: set(range(64)))
    monkeypatch.setattr(process.resource, "getrlimit", lambda which: (-1, -1))
    assert process.thread_caps({})["RAYON_NUM_THREADS"] == "64"
    assert process.thread_caps({})["UV_CONCURRENT_DOWNLOADS"] == "50"  # the network's matter, not the processors'
    monkeypatch.setattr(process.resource, "getrlimit", lambda which: (64, 64))
    caps = process.thread_caps({"MAX_JOBS": "7"})
    assert set(caps.values()) == {"2"}
    assert "MAX_JOBS" not in caps
    monkeypatch.setattr(process.resource, "getrlimit", lambda which: (10, 10))
    assert process.thread_caps({})["UV_CONCURRENT_BUILDS"] == "1"


def test_ended_workers_are_collected(tmp_path: Path) -> None:
    pid = process.spawn_worker(["/bin/true"], env=ENV, log=tmp_path / "log")
    while Path(f"/proc/{pid}").exists():
        process.reap_workers()
        time.sleep(0.01)
    process.reap_workers()


def test_nothing_that_was_written_before_the_end_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program writes and ends just after we looked and saw nothing, as on a busy machine."""
    looked = process.selectors.DefaultSelector.select

    def late(self: process.selectors.DefaultSelector, timeout: float | None = None) -> list[object]:
        ready = looked(self, 0)
        time.sleep(0.2)  # whatever happens between the look and the next line happens now
        return ready  # type: ignore[return-value]

    monkeypatch.setattr(process.selectors.DefaultSelector, "select", late)
    for _ in range(3):
        assert process.run(sh("sleep 0.1; echo written"), env=ENV).tail == ["written"]


LONG_AGO = time.time() - 90_000


def left_by(process_id: int, start: int, folder: Path) -> Path:
    """Return a working folder as that process would have left it two days ago."""
    here = process.identity()
    machine, boot = process._words(here)
    left = folder / f"hpcenv-{machine}-{boot}-{process_id}-{start}-abcdefgh"
    left.mkdir(mode=0o700)
    (left / "file").touch()
    os.utime(left, (LONG_AGO, LONG_AGO))
    return left


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_that_a_killed_program_left_is_found(temporary: Path) -> None:
    script = "from jupyter_hpcenv import process; print(process.working_folder())"
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "TMPDIR": str(temporary)}, capture_output=True, text=True
    )
    folder = Path(done.stdout.strip())
    assert folder.parent == temporary
    assert process.left_folders() == []  # it may be a minute old: somebody may just look at it
    os.utime(folder, (LONG_AGO, LONG_AGO))
    assert process.left_folders() == [folder]


def test_a_folder_of_a_process_that_lives_is_kept_however_old_it_is(temporary: Path) -> None:
    mine = Path(process.working_folder())
    os.utime(mine, (LONG_AGO, LONG_AGO))
    here = process.identity()
    reused = left_by(here.pid, here.start - 1, temporary)  # another process had this pid
    assert process.left_folders() == [reused]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_never_taken(temporary: Path) -> None:
    theirs = left_by(2**22 + 1, 1, temporary)
    assert process.left_folders() == [theirs]
    os.chown(theirs, 43_012, 43_012)
    assert process.left_folders() == []


def test_a_folder_of_another_host_and_what_only_resembles_one_are_kept(temporary: Path) -> None:
    _, boot = process._words(process.identity())
    for name in (f"hpcenv-{'0' * 8}-{boot}-1-1-abcdefgh", "hpcenv-abcdefgh", "hpcenv-users-abc", "other"):
        (temporary / name).mkdir()
        os.utime(temporary / name, (LONG_AGO, LONG_AGO))
    assert process.left_folders() == []


def test_a_folder_from_before_the_last_boot_is_found(temporary: Path) -> None:
    """Its process may seem to live: another one has its pid and, after the boot, even its start time."""
    here = process.identity()
    machine, _ = process._words(here)
    left = temporary / f"hpcenv-{machine}-{'0' * 8}-{here.pid}-{here.start}-abcdefgh"
    left.mkdir()
    os.utime(left, (LONG_AGO, LONG_AGO))
    assert process.left_folders() == [left]


BOUND = """
import sys, time
from jupyter_hpcenv.process import Bound
child = Bound(["/bin/sh", "-c", "echo $$; exec sleep 600"], {}, lambda line: print(line, flush=True))
time.sleep(600)
"""


def test_what_is_bound_to_a_process_ends_with_it_even_when_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", BOUND], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    while Path(f"/proc/{pid}").exists():  # the test's own timeout bounds it
        time.sleep(0.02)


def test_what_is_bound_tells_its_lines_and_its_end() -> None:
    lines: list[str] = []
    child = process.Bound(["/bin/sh", "-c", "echo one; echo two >&2; exit 3"], {}, lines.append)
    while child.poll() is None:
        time.sleep(0.02)
    assert child.said() == ["one", "two"]
    assert (child.poll(), lines) == (3, ["one", "two"])
