"""A rig that breaks one verb at one system call at a time, and asks the one invariant afterwards.

strace attaches to the child that carries the verb out. Its counter is one for each system call and thread,
so a point is the name of a call and its number; the calls are first counted in a run that nothing disturbs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from . import rounds

T = TypeVar("T")

CHECKOUT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).with_name("driver.py")

CHANGING = (
    *("openat", "write", "pwrite64", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"),
    *("unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "chmod", "fchmod", "fchmodat", "fsync", "fdatasync"),
    *("utimensat", "ftruncate", "truncate"),
)
#: What builds with the real installers need of the surroundings; a PIP_CERT that uv is not told of would mean pip.
CACHES = (
    *("UV_CACHE_DIR", "PIP_CACHE_DIR", "PIP_CERT", "PIP_PROXY", "PIP_INDEX_URL", "PIP_TRUSTED_HOST"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)

_CALL = re.compile(r"(?:\d+ +)?(\w+)\((.*)")
_WRITES = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC")


def calls(names: Iterable[str]) -> str:
    """Return a set of system calls for strace; those that this machine does not have are passed over."""
    return ",".join(f"?{name}" for name in names)


@dataclass(frozen=True)
class Point:
    """The *number*-th time that a thread makes the system call *call*."""

    call: str
    number: int
    what: str = field(compare=False)

    def __str__(self) -> str:
        return f"{self.call} #{self.number}: {self.what}"


class Lane:
    """One home with a driver, whose state can be kept and put back; lanes run beside each other."""

    def __init__(self, folder: Path, around: Sequence[str] = (), home: Path | None = None) -> None:
        self.folder = folder
        self.home = home or folder / "home"
        folder.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(exist_ok=True)
        self.environment = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "JUPYTER_PLATFORM_DIRS": "0",
            "PIP_CONFIG_FILE": os.devnull,
            "TMPDIR": str(folder),
            "HPCENV_FAULTS": rounds.asked(),
            **{name: os.environ[name] for name in CACHES if name in os.environ},
        }
        self._driver = subprocess.Popen(
            [*around, sys.executable, str(DRIVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self.environment,
            cwd=folder,
            text=True,
        )

    def close(self) -> None:
        self._driver.kill() if self._driver.stdin is None else self._driver.stdin.close()
        self._driver.wait()
        if self._driver.stdout is not None:
            self._driver.stdout.close()

    def _say(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        self._driver.stdin.write(json.dumps(command) + "\n")
        self._driver.stdin.flush()
        answer: dict[str, Any] = json.loads(self._driver.stdout.readline())
        return answer

    # -- state ----------------------------------------------------------

    def keep(self, name: str) -> None:
        """Keep the home as it is under a name, links between its files and all."""
        subprocess.run(["cp", "-a", str(self.home), str(self.folder / name)], check=True)

    def back(self, name: str) -> None:
        """Put back what was kept."""
        shutil.rmtree(self.home)
        subprocess.run(["cp", "-a", str(self.folder / name), str(self.home)], check=True)

    # -- verbs ----------------------------------------------------------

    def begin(self, verb: str, **command: Any) -> int:
        """Fork a child for *verb* and return its pid; it waits for `go`."""
        pid: int = self._say({"do": verb, **command})["pid"]
        return pid

    def go(self) -> None:
        self._say({"go": True})

    def end(self) -> dict[str, Any]:
        return self._say({"wait": True})

    def do(self, verb: str, **command: Any) -> Any:
        """Carry out a verb that nothing disturbs, and return its value."""
        self.begin(verb, **command)
        self.go()
        ended = self.end()
        assert ended["outcome"] is not None, (verb, ended)
        assert "value" in ended["outcome"], (verb, ended["outcome"].get("crash", ended["outcome"]))
        return ended["outcome"]["value"]

    def ended(self, verb: str, **command: Any) -> dict[str, Any]:
        """Carry out a verb, whatever becomes of it, and return how it ended."""
        self.begin(verb, **command)
        self.go()
        return self.end()

    def traced(self, verb: str, *options: str, **command: Any) -> tuple[dict[str, Any], str]:
        """Carry out *verb* under strace with more *options*; return how it ended, and the trace."""
        with self.attached(verb, *options, **command) as trace:
            self.go()
            ended = self.end()
        return ended, trace.read_text(errors="replace")

    def attached(self, verb: str, *options: str, **command: Any) -> Attached:
        return Attached(self, self.begin(verb, **command), options)

    def points(self, verb: str, names: Sequence[str] = CHANGING, **command: Any) -> list[Point]:
        """Return the calls that change something below this home, in their order."""
        ended, trace = self.traced(verb, "-e", f"trace={calls(names)}", **command)
        assert ended["outcome"], (verb, ended)
        assert "value" in ended["outcome"], (verb, ended)
        return points_in(trace, str(self.home))


def kind_of(point: object) -> Hashable:
    """Return what a sweep has to try at least once: each call, with each error; numbers are all alike."""
    if isinstance(point, tuple):
        return tuple(kind_of(part) for part in point)
    return point.call if isinstance(point, Point) else point if isinstance(point, str) else ""


def points_in(trace: str, below: str) -> list[Point]:
    """Read the points from the text of a trace: calls that changed something in the folder *below*."""
    found, count = [], dict[str, int]()
    for line in trace.splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        call, rest = match[1], match[2]
        count[call] = count.get(call, 0) + 1
        reads = call == "openat" and not any(flag in rest for flag in _WRITES)
        if below not in rest or reads or ") = -1 E" in rest or "<pipe:" in rest:
            continue
        found.append(Point(call, count[call], rest.replace(below, "~")[:150]))
    return found


class Attached:
    """strace on one child, from before it begins until it has ended."""

    def __init__(self, lane: Lane, pid: int, options: Sequence[str]) -> None:
        self.pid = pid
        self.trace = lane.folder / "trace"
        self.trace.unlink(missing_ok=True)
        argv = ["strace", "-q", "-y", "-s", "100", "-o", str(self.trace), "-p", str(pid), *options]
        self._strace = subprocess.Popen(argv, stderr=subprocess.PIPE, env={"PATH": os.environ["PATH"]})
        while f"TracerPid:\t{self._strace.pid}" not in Path(f"/proc/{pid}/status").read_text():
            if self._strace.poll() is not None:
                raise AssertionError(self._strace.communicate()[1].decode())
            time.sleep(0.001)

    def __enter__(self) -> Path:
        return self.trace

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:  # one that was stopped would be waited for in vain
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self._strace.communicate()


# -- sweeping -----------------------------------------------------------------


@dataclass
class Tally:
    """How many points were injected, and of how many, by verb and fault; written for people to read."""

    points: dict[str, dict[str, int]] = field(default_factory=dict)
    litter: dict[str, int] = field(default_factory=dict)

    def add(self, verb: str, fault: str, injected: int, held: int, *, of: int = 0, litter: int = 0) -> None:
        """Count a sweep; *of* is how many points all rounds have, where this one has a share."""
        self.points[f"{verb}: {fault}"] = {"injected": injected, "held": held, "of": max(of, injected)}
        if litter:
            self.litter[f"{verb}: {fault}"] = litter
        print(f"{verb}: {fault}: {injected} of {max(of, injected)} points, the invariant held at {held}")

    def summary(self) -> dict[str, Any]:
        total = {key: sum(each[key] for each in self.points.values()) for key in ("injected", "held", "of")}
        return {"round": rounds.said(), "total": total, "points": self.points, "litter": self.litter}

    def write(self, path: Path) -> None:
        """Write it beside what other parts of the same tests have found, which run at the same time."""
        path.parent.mkdir(exist_ok=True)
        with path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            earlier = json.loads(file.read() or "{}")
            if earlier.get("round") == rounds.said() and earlier.get("commit") == rounds.commit():
                told = Tally({**earlier["points"], **self.points}, {**earlier["litter"], **self.litter})
            else:
                told = self
            file.truncate(0)
            file.write(json.dumps({"commit": rounds.commit(), **told.summary()}, indent=1) + "\n")


FOUND = CHECKOUT / "artefacts" / "faults.json"
COUNTED = pytest.StashKey[Tally]()


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Iterator[Tally]:
    counted = pytestconfig.stash[COUNTED] = Tally()
    yield counted
    counted.write(FOUND)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if COUNTED in config.stash:
        told = config.stash[COUNTED].summary()
        total, held = told["total"], told["total"]["held"]
        judged = "all held" if held == total["injected"] else f"{held:,} held"
        terminalreporter.write_line(
            f"faults: {total['injected']:,} of {total['of']:,} points injected, {told['round']}: {judged} ({FOUND})"
        )


#: States that verbs begin from, and how each is reached from an empty home.
STATES = {
    "empty": (),
    "submitted": (("create", {"name": "other"}), ("submit", {}), ("age_tickets", {})),
    "ready": (("create", {"name": "other"}), ("create", {})),
    "unpublished": (("create", {"name": "other"}), ("create", {}), ("unpublish", {})),
    "trashed": (("create", {"name": "other"}), ("create", {}), ("delete", {})),
}


class Rig:
    """Two lanes with the same states kept, and a sweep over points that uses both."""

    def __init__(self, folder: Path, tally: Tally) -> None:
        self.tally = tally
        self.lanes = [Lane(folder / name) for name in ("one", "two")]

    def prepare(self) -> None:
        """Reach and keep each state in each lane."""
        for lane in self.lanes:
            for state, verbs in STATES.items():
                shutil.rmtree(lane.home)
                lane.home.mkdir()
                for verb, options in verbs:
                    lane.do(verb, options=options)
                lane.keep(state)

    def close(self) -> None:
        for lane in self.lanes:
            lane.close()

    def points(self, verb: str, state: str, names: Sequence[str] = CHANGING, **command: Any) -> list[Point]:
        lane = self._warm(verb, state, **command)
        return lane.points(verb, names, **command)

    def _warm(self, verb: str, state: str, **command: Any) -> Lane:
        """Carry the verb out once, so that what the skeleton keeps of earlier answers does not count; return a lane."""
        lane = self.lanes[0]
        if not command.get("real"):
            lane.back(state)
            lane.ended(verb, **command)
        lane.back(state)
        return lane

    def sweep(self, verb: str, fault: str, points: Sequence[T], at: Callable[[Lane, T], Verdict]) -> None:
        """Try the points of this round, each on whichever lane is free; fail with all at which something was wrong."""
        free, of = list(self.lanes), len(points)
        points = rounds.share(points, kind_of)
        litter: set[str] = set()
        wrong, held, missed = [], 0, 0

        def one(point: T) -> Verdict:
            lane = free.pop()
            try:
                return at(lane, point)
            finally:
                free.append(lane)

        with ThreadPoolExecutor(len(self.lanes)) as pool:
            for point, verdict in zip(points, pool.map(one, points), strict=True):
                litter.update(str(point) for _ in range(min(1, verdict.litter)))
                if verdict.missed and not verdict.violations:
                    missed += 1
                elif verdict.violations:
                    wrong.append("\n    ".join([str(point), *verdict.violations]))
                else:
                    held += 1
        self.tally.add(verb, fault, len(points) - missed, held, of=of - missed, litter=len(litter))
        assert missed < max(1, len(points)) / 4 + 1, f"{verb}: {missed} of {len(points)} points were missed"
        assert held + len(wrong), f"{verb}: nothing was injected"
        assert not wrong, f"{verb}, {fault}: violated at {len(wrong)} of {len(points)} points\n" + "\n".join(wrong)

    # -- one point ------------------------------------------------------

    def kill(self, verb: str, state: str, **command: Any) -> Callable[[Lane, Point], Verdict]:
        """Return what kills *verb* before a point and judges what is left."""

        def at(lane: Lane, point: Point) -> Verdict:
            lane.back(state)
            injection = f"inject={point.call}:signal=KILL:when={point.number}"
            ended, _ = lane.traced(verb, "-e", f"trace={point.call}", "-e", injection, **command)
            verdict = Verdict(**lane.do("judge", options={"after": verb}))
            if not os.WIFSIGNALED(ended["status"]) or os.WTERMSIG(ended["status"]) != signal.SIGKILL:
                # A real build saves its figures by the clock, so that it makes now more calls and now fewer.
                verdict.missed = bool(command.get("real"))
                if not verdict.missed:
                    verdict.violations.append(f"it was not killed there: {ended}")
            return verdict

        return at

    def changes(self, verb: str, state: str, **command: Any) -> int:
        """Return how many changing calls *verb* makes, as the process itself counts them."""
        lane = self._warm(verb, state, **command)
        ended = lane.ended(verb, kill=0, **command)
        assert ended["outcome"], ended
        assert "value" in ended["outcome"], ended
        count: int = ended["outcome"]["changes"]
        return count

    def kill_inside(self, verb: str, state: str, after: str) -> Callable[[Lane, int], Verdict]:
        """Return what ends *verb* before its changing call of that number, threads and all, and judges what is left.

        What it forked goes on, and is waited for.
        """

        def at(lane: Lane, number: int) -> Verdict:
            lane.back(state)
            ended = lane.ended(verb, kill=number)
            verdict = Verdict(**lane.do("judge", options={"after": after}))
            if not os.WIFSIGNALED(ended["status"]):
                verdict.missed = True  # threads do not make the same number of calls each time
            return verdict

        return at

    def fail(self, verb: str, state: str, **command: Any) -> Callable[[Lane, tuple[str, Point]], Verdict]:
        """Return what lets one call of *verb* fail and judges the answer and what is left."""

        def at(lane: Lane, failing: tuple[str, Point]) -> Verdict:
            error, point = failing
            lane.back(state)
            injection = f"inject={point.call}:error={error}:when={point.number}"
            ended, trace = lane.traced(verb, "-e", f"trace={point.call}", "-e", injection, inside=True, **command)
            verdict = Verdict(**lane.do("judge", options={"after": verb}))
            if any("(INJECTED)" in line and str(lane.home) in line for line in trace.splitlines()):
                verdict.violations += self.answer(ended)
            else:
                verdict.missed = True  # another number of calls than when they were counted: not a file of ours
            return verdict

        return at

    def lose(self, verb: str, state: str) -> Callable[[Lane, int], Verdict]:
        """Return what lets a rename or link of *verb* be done and report an error."""

        def at(lane: Lane, number: int) -> Verdict:
            lane.back(state)
            lane.begin(verb, lose=number, inside=True)
            lane.go()
            ended = lane.end()
            verdict = Verdict(**lane.do("judge", options={"after": verb}))
            verdict.violations += self.answer(ended)
            return verdict

        return at

    @staticmethod
    def verdict(violations: list[str]) -> Verdict:
        return Verdict(violations)

    @staticmethod
    def answer(ended: dict[str, Any]) -> list[str]:
        """Return what is wrong with an answer: it is a result, or a documented error with words."""
        outcome = ended["outcome"] or {"crash": f"it ended with status {ended['status']}"}
        if outcome.get("stuck"):
            return list(outcome["stuck"])
        if "crash" in outcome:
            return [f"no documented answer: {outcome['crash']}"]
        if "error" in outcome and not (outcome["message"] and outcome["hints"]):
            return [f"an error without words: {outcome}"]
        failed = outcome.get("value") if isinstance(outcome.get("value"), dict) else None
        if failed and failed.get("failed") == "error":
            return [f"the worker did not know its error: {failed['message']}"]
        return []


@dataclass
class Verdict:
    """What was wrong at one point."""

    violations: list[str]
    litter: int = 0
    missed: bool = False


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory, tally: Tally) -> Iterator[Rig]:
    if shutil.which("strace") is None:
        if os.environ.get("HPCENV_REQUIRE_REAL") == "1":
            pytest.fail("strace is missing, and HPCENV_REQUIRE_REAL=1 forbids to skip its tests")
        pytest.skip("strace is not installed")
    folder = tmp_path_factory.mktemp("rig")
    # Where that can be mounted: states are put back in a fraction of the time, and every call is made all the same.
    mount = ["mount", "-t", "tmpfs", "-o", "size=2g,mode=0700", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True).returncode == 0
    built = Rig(folder, tally)
    try:
        built.prepare()
        yield built
    finally:
        built.close()
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)
