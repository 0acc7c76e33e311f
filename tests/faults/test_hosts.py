"""Two hosts on one home: the second is a PID and UTS namespace of its own, with the same boot id."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ELSEWHERE = ("unshare", "-pf", "--uts", "--mount-proc", "sh", "-c", 'hostname elsewhere; exec "$@"', "sh")


@pytest.fixture(scope="module")
def hosts(rig: Any) -> Iterator[dict[Path, Any]]:
    """For each lane a driver on another host that has the same home."""
    done = subprocess.run([*ELSEWHERE, "true"], capture_output=True) if shutil.which("unshare") else None
    if done is None or done.returncode:
        if os.environ.get("HPCENV_REQUIRE_REAL") == "1":
            pytest.fail("namespaces can not be made, and HPCENV_REQUIRE_REAL=1 forbids to skip their tests")
        pytest.skip("namespaces can not be made")
    made = {lane.folder: type(lane)(lane.folder / "elsewhere", ELSEWHERE, lane.home) for lane in rig.lanes}
    yield made
    for host in made.values():
        host.close()


@pytest.fixture
def beside(rig: Any) -> Iterator[Any]:
    """A second driver on this host that has the first lane's home."""
    lane = rig.lanes[0]
    made = type(lane)(lane.folder / "beside", (), lane.home)
    yield made
    made.close()


def until_stopped(trace: Path) -> bool:
    """Wait until strace saw the stop, or the end; tell whether it was the stop."""
    while True:
        text = trace.read_text(errors="replace") if trace.exists() else ""
        if "stopped by SIGSTOP" in text:
            return True
        if "+++ exited" in text or "+++ killed" in text:
            return False
        time.sleep(0.002)


def stop_at(point: Any) -> tuple[str, ...]:
    return ("-e", f"trace={point.call}", "-e", f"inject={point.call}:signal=STOP:when={point.number}")


def test_a_worker_that_was_taken_over_publishes_and_removes_nothing(rig: Any, hosts: dict[Path, Any]) -> None:
    """It stops after a call, another host takes over and builds anew, it wakes up."""

    def at(lane: Any, point: Any) -> Any:
        there = hosts[lane.folder]
        lane.back("submitted")
        attached = lane.attached("work", *stop_at(point))
        with attached as trace:
            lane.go()
            stopped = until_stopped(trace)
            there.do("age_all")
            there.do("reconcile")
            if "it" not in there.do("state")["environments"]:
                there.do("create")
            before = there.do("state")
            if stopped:
                os.kill(attached.pid, signal.SIGCONT)
            lane.end()
        after = there.do("state")
        wrong = [] if stopped else ["it was not stopped there"]
        for what in ("environments", "operations"):
            if before[what] != after[what]:
                wrong.append(f"{what} were {before[what]} and are {after[what]}")
        return rig.verdict([*wrong, *after["violations"]])

    rig.sweep("work", "SIGSTOP, take-over, SIGCONT", rig.points("work", "submitted")[::3], at)


def test_a_stopped_worker_on_its_own_host_is_never_taken_over(rig: Any, beside: Any) -> None:
    """Its process is there, so no silence proves that it is dead."""
    lane = rig.lanes[0]
    point = next(point for point in rig.points("work", "submitted") if point.call == "symlink")
    lane.back("submitted")
    attached = lane.attached("work", *stop_at(point))
    with attached as trace:
        lane.go()
        assert until_stopped(trace)
        beside.do("age_all", options={"seconds": 86_400})
        assert beside.do("reconcile") == []
        beside.begin("submit")
        beside.go()
        assert beside.end()["outcome"]["error"] in ("busy", "name_taken")
        os.kill(attached.pid, signal.SIGCONT)
        assert lane.end()["outcome"] == {"value": {"code": 0}}
    assert beside.do("state")["violations"] == []


def test_another_host_waits_for_three_minutes_of_silence(rig: Any, hosts: dict[Path, Any]) -> None:
    """The boot id is the same and a pid means nothing there: neither proves that the worker is dead."""
    lane = rig.lanes[0]
    there = hosts[lane.folder]
    point = next(point for point in rig.points("work", "submitted") if point.call == "symlink")
    lane.back("submitted")
    attached = lane.attached("work", "-e", f"trace={point.call}", "-e", f"inject={point.call}:signal=KILL:when=1")
    with attached:
        lane.go()
        lane.end()
    there.do("age_all", options={"seconds": 150})
    assert there.do("reconcile") == []
    there.do("age_all", options={"seconds": -86_400})  # a clock that was ahead: late, and never wrong
    assert there.do("reconcile") == []
    there.do("age_all", options={"seconds": 200})
    assert there.do("reconcile") == ["create it: interrupted."]
    assert there.do("state")["violations"] == []


def committed(home: Path) -> dict[str, bytes]:
    """Return the records in *home*, in prefixes and in the trash, as they are on disk."""
    return {str(path): path.read_bytes() for path in home.rglob(".hpcenv/environment.json")}


def silence(home: Path) -> None:
    """Let all claims below *home* be as old as if their holders had been silent for four minutes."""
    moment = time.time() - 240
    for folder in home.rglob(".hpcenv/claims"):
        for place in folder.iterdir():
            os.utime(place, (moment, moment))


@pytest.mark.parametrize(
    ("verb", "begins", "other"),
    [("patch", "ready", "delete"), ("delete", "ready", "patch"), ("restore", "trashed", "create")],
)
def test_a_change_at_once_that_was_taken_over_changes_nothing_more(
    rig: Any, hosts: dict[Path, Any], verb: str, begins: str, other: str
) -> None:
    """It stops after a call, another host finds its claim old and changes the same environment, it wakes up."""
    taken = []

    def at(lane: Any, point: Any) -> Any:
        there = hosts[lane.folder]
        lane.back(begins)
        attached = lane.attached(verb, *stop_at(point))
        with attached:
            lane.go()
            stopped = until_stopped(attached.trace)
            try:
                silence(lane.home)
                there.begin(other)
                there.go()
                theirs = there.end()
                before = committed(lane.home)
            finally:  # whatever went wrong: who is stopped keeps strace, and that the test
                if stopped:
                    os.kill(attached.pid, signal.SIGCONT)
            ours = lane.end()
        wrong = [*rig.answer(theirs), *rig.answer(ours)]
        if committed(lane.home) != before:
            wrong.append(f"it went on after it was taken over ({theirs['outcome']}, {ours['outcome']})")
        if "value" in theirs["outcome"]:
            taken.append(point)
        lane.do("reconcile")
        verdict = rig.verdict([*wrong, *there.do("state")["violations"]])
        verdict.missed = not stopped  # a change proves a kernel, whose starting makes now more calls and now fewer
        return verdict

    points = rig.points(verb, begins)
    claimed = next(n for n, each in enumerate(points) if each.call.startswith("link") and "/claims/" in each.what)
    rig.sweep(verb, f"SIGSTOP, {other} elsewhere, SIGCONT", points[claimed :: 2 if verb == "patch" else 1], at)
    assert taken, f"the other host never came to {other}"
