"""A program that carries out verbs in forked children, so that each can be traced, stopped or killed.

Speaks lines of JSON: ``{"do": verb, …}`` forks a child that waits and answers ``{"pid": …}``; ``{"go": true}``
lets it go; ``{"wait": true}`` waits for it and answers ``{"status": …, "outcome": …}``. What is imported is
imported once, so that a point costs milliseconds, and the trace of a child has nothing but the verb in it.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import invariant
import rounds
import skeleton
from traitlets.config import Config

from jupyter_hpcenv import claims, files, kernels, worker
from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.errors import HpcenvError, NameTaken
from jupyter_hpcenv.lifecycle import share as sharing
from jupyter_hpcenv.models import FINISHED, CreateRequest, EnvironmentPatch, KernelPatch, ShareRequest
from jupyter_hpcenv.models import Changes as PackageChanges
from jupyter_hpcenv.operations import store
from jupyter_hpcenv.patience import Patience
from jupyter_hpcenv.process import MARKER, stop_marked
from jupyter_hpcenv.server.watch_operations import OperationsPoller
from jupyter_hpcenv.site import locations
from jupyter_hpcenv.site.locations import all_locations

NAME = "it"
KERNEL = f"hpcenv-home.{NAME}"
INSTALL = PackageChanges(install=["six"])
PATCH = EnvironmentPatch(display_name="Other", variables={"COLOUR": "blue"})


def become(uid: int) -> None:
    """Go on as another user, whom permissions bind."""
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


def request(name: str = NAME, **more: Any) -> CreateRequest:
    return CreateRequest(name=name, **{"manager": "skeleton", **more})


# -- verbs ------------------------------------------------------------------


def submit(admission: Admission, key: str = "", **more: Any) -> Any:
    return admission.submit("create", request(**more), key).id


def work(admission: Admission, operation: str = "", **_: Any) -> Any:
    """Be the worker of that operation, or of the one that waits for one."""
    folder = next(
        folder
        for folder in admission.operations.folders()
        if folder.id == operation or (not operation and folder.status().state == "pending")
    )
    os.environ[MARKER] = folder.id
    code = worker.main(str(folder.path))
    error = admission.operations.get(folder.id).error
    if code and error:
        return {"failed": error["code"], "message": error["message"]}
    return {"code": code}


def create(admission: Admission, **more: Any) -> Any:
    """Submit, and be the worker at once."""
    done = work(admission, submit(admission, **more))
    if done.get("code") != 0:
        raise AssertionError(f"create: {done}")
    return done


def patch(admission: Admission, name: str = NAME, title: str = "", **_: Any) -> Any:
    return admission.patch(name, EnvironmentPatch(display_name=title) if title else PATCH).revision


def change(admission: Admission, **_: Any) -> Any:
    """Hand in a change of packages, and be the worker at once."""
    done = work(admission, admission.change_packages(NAME, INSTALL).id)
    if done.get("failed") and done["failed"] in ("error", "interrupted"):
        raise AssertionError(f"change: {done}")
    return done


def share(admission: Admission, **_: Any) -> Any:
    """Share with a group, and be the worker at once; files of it have other names, as those in a cache."""
    prefix = Path(admission.catalog.find(NAME).prefix)
    vars(sharing)["check_reachable"] = lambda record, sharing: None  # the folders of tests are private
    for name in ("pyvenv.cfg", "lib/by-a-child"):
        with contextlib.suppress(FileExistsError):
            os.link(prefix / name, Path.home() / f"cached-{name.replace('/', '-')}")
    return work(admission, admission.share(NAME, ShareRequest(group="1")).id)


def unshare(admission: Admission, **_: Any) -> Any:
    return work(admission, admission.unshare(NAME).id)


def move(admission: Admission, **_: Any) -> Any:
    """Move to the other location, and be the worker at once."""
    return work(admission, admission.move(NAME, "scratch").id)


def vanish(admission: Admission, python: bool = False, **_: Any) -> Any:
    """Let the environment, or with *python* the Python that it was built on, be gone."""
    row = admission.catalog.find(NAME)
    if not python:
        return shutil.rmtree(row.prefix)
    record = admission.catalog.record(row.id)
    record.python_path = "/no/such/python3"
    admission.catalog.records.write(record)
    return admission.catalog.records.write_copy(record)


def rebuild(admission: Admission, **_: Any) -> Any:
    return work(admission, admission.rebuild(NAME).id)


def places(admission: Admission, **_: Any) -> Any:
    """Return where each environment of that name is: listed, and in the trash."""
    rows = [row for row in admission.catalog.environments() if row.name == NAME]
    items = [item for item in admission.catalog.trash() if item.name == NAME]
    return {
        "rows": [(row.id, row.location, row.state) for row in rows],
        "trash": [item.id for item in items],
        "taken": [row.prefix for row in rows if any(item.id == row.id for item in items)],
    }


def mend(admission: Admission, **_: Any) -> Any:
    """Look, as a server does, and be the worker of each repair that this begins."""
    done = admission.reconcile()
    for folder in admission.operations.folders():
        if folder.status().state == "pending" and folder.ticket().verb == "repair":
            done.append(str(work(admission, folder.id)))
    return done


def submit_change(admission: Admission, **_: Any) -> Any:
    """Hand in a change of the conda environment: packages come, change and go."""
    changes = PackageChanges(install=["hpc-a=2.0", "hpc-c"], remove=["hpc-b"])
    return admission.change_packages(NAME, changes).id


def hunt(admission: Admission, do: str, at: str, delay: float, **more: Any) -> Any:
    """Hand something in, and kill its worker and all that it started so many seconds after a step has begun."""
    folder = admission.operations.folder(VERBS[do](admission, **more))
    until = time.monotonic() + 120
    while (status := folder.status()).state not in FINISHED and time.monotonic() < until:
        if any(step.name == at and step.state != "todo" for step in status.steps):
            time.sleep(delay)
            break
        time.sleep(0.001)
    stop_marked(folder.id)
    return {"state": folder.status().state}


def unpublish(admission: Admission, **_: Any) -> Any:
    return admission.unpublish(NAME, KERNEL)


def publish(admission: Admission, **_: Any) -> Any:
    return admission.publish(NAME, KERNEL, KernelPatch(display_name="Again")).path


def delete(admission: Admission, **_: Any) -> Any:
    return admission.delete(NAME, force=True).path


def delete_now(admission: Admission, **_: Any) -> Any:
    return admission.delete(NAME, now=True, force=True).path


def delete_other(admission: Admission, **_: Any) -> Any:
    return admission.delete("other", force=True).path


def create_if_missing(admission: Admission, **_: Any) -> Any:
    if NAME not in {row.name for row in admission.catalog.environments()}:
        create(admission)


def serve(admission: Admission, dies: bool = False, **_: Any) -> Any:
    """Be a server: submit, and look as its pollers do until the worker, a process of its own, has finished."""
    fork_workers()
    identifier = submit(admission)
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)
    look = server_of(admission)
    while admission.operations.get(identifier).state not in FINISHED:
        look()
        time.sleep(0.005)
    look()
    return identifier


def both(admission: Admission, **_: Any) -> Any:
    """Be server and worker in one process, so that one signal ends both at the same moment."""
    failed: list[str] = []
    finished = threading.Event()

    def serve_meanwhile() -> None:
        try:
            desk = Admission(admission.config)
            look = server_of(desk)
            desk.patch("other", PATCH)
            look()
            desk.delete("other", force=True)
            look()
            desk.restore("other")
            while not finished.wait(0.005):
                look()
        except BaseException:
            failed.append(traceback.format_exc())

    server = threading.Thread(target=serve_meanwhile)
    server.start()
    try:
        done = work(admission)
    finally:
        finished.set()
        server.join()
    assert not failed, failed
    return done


def server_of(admission: Admission) -> Callable[[], Any]:
    """Return what looks once at operations, as a real server does; its first look closes what died before."""
    poller = OperationsPoller(lambda: admission, lambda *_: None, {}, lambda: None, logging.getLogger("hpcenv-faults"))

    def look() -> None:
        poller.look()
        admission.catalog.environments()

    return look


def restore(admission: Admission, **_: Any) -> Any:
    return admission.restore(NAME).prefix


def empty(admission: Admission, **_: Any) -> Any:
    admission.empty()
    return admission.sweep()


def sweep(admission: Admission, **_: Any) -> Any:
    return admission.sweep()


def reconcile(admission: Admission, **_: Any) -> Any:
    return admission.reconcile()


def listing(admission: Admission, **_: Any) -> Any:
    """List all that can be listed; nothing of it may raise."""
    log = [admission.operations.log(each.id).complete for each in admission.operations.list()]
    return {
        "environments": [(row.name, row.state) for row in admission.catalog.environments()],
        "kernels": [kernel["name"] for kernel in admission.kernels()],
        "trash": [item.name for item in admission.catalog.trash()],
        "operations": [(each.environment.name, each.state) for each in admission.operations.list()],
        "logs": log,
        "locations": [place["name"] for place in admission.facts()["locations"]],
    }


# -- judging ----------------------------------------------------------------


def judge(admission: Admission, after: str = "", **_: Any) -> Any:
    """Let somebody look (reconcile), and return what is wrong: with the state, then with the same request again."""
    _settle(admission)
    mend(admission)
    found = invariant.violations(Admission(admission.config))
    before = len(invariant.litter(admission))
    if after == "look":
        return {"violations": found, "litter": before}
    try:
        _again(after, admission.config)
    except Exception as error:
        found.append(f"again: {type(error).__name__}: {error}")
        if not isinstance(error, HpcenvError):
            found.append(traceback.format_exc(limit=-4))
    later = invariant.violations(Admission(admission.config), start=False)
    found += [f"after it was asked again: {each}" for each in later]
    return {"violations": found, "litter": before}


def _settle(admission: Admission) -> None:
    """Wait for a worker that lives; one that never wrote a word counts as a minute old."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        waiting = False
        for folder in admission.operations.folders():
            status = folder.status()
            if status.process is None and status.state not in FINISHED:
                if not _spawned(folder.id):
                    age(folder)
                waiting = waiting or _spawned(folder.id)
            elif status.state not in FINISHED and admission.operations.get(folder.id).state not in FINISHED:
                waiting = True
        if not waiting:
            return
        time.sleep(0.01)


def _spawned(identifier: str) -> bool:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if identifier.encode() in Path(f"/proc/{entry}/cmdline").read_bytes():
                    return True
            except OSError:
                continue
    return False


def age(folder: Any) -> None:
    """Make an operation as old as the hills, as far as the file server knows."""
    for name in ("operation.json", "status.json"):
        with contextlib.suppress(FileNotFoundError):
            os.utime(folder.path / name, (0, 0))


def _again(after: str, config: Config) -> None:
    admission = Admission(config if after.startswith("conda") else None)  # which says where the channels are
    there = any(row.name == NAME for row in admission.catalog.environments())
    trashed = any(item.name == NAME for item in admission.catalog.trash())
    if after in ("patch", "publish"):
        {"patch": patch, "publish": publish}[after](admission)
        assert after != "patch" or Admission().catalog.find(NAME).variables == {"COLOUR": "blue"}
    elif after == "change":
        if not admission.catalog.find(NAME).packages:
            assert change(admission) == {"code": 0}
        assert Admission().catalog.find(NAME).packages == ["six"]
    elif after == "conda":
        if not there:
            options = {"packages": ["hpc-a", "hpc-b"], "manager": "conda", "kernel": False}
            create(admission, **options)
    elif after == "conda_change":
        if not any("hpc-c" in text for text in admission.catalog.find(NAME).packages):
            assert work(admission, submit_change(admission)) == {"code": 0}
        held = {text for text in admission.catalog.find(NAME).packages if text.startswith("hpc-")}
        assert held == {"hpc-a 2.0.*", "hpc-c"}, held
    elif after == "unpublish":
        if admission.catalog.find(NAME).kernels:
            unpublish(admission)
    elif after == "restore":
        if not there:
            restore(admission)
    elif after in ("delete", "delete_now") and (there or trashed):
        if not there:
            restore(admission)
        {"delete": delete, "delete_now": delete_now}[after](admission)
        if after == "delete":
            restore(Admission())
            return
        admission.sweep()
        create(Admission())
    elif after == "empty":
        empty(admission)
        _nothing_in_the_trash(admission)
        create(Admission())
    else:
        if after == "both" and any(item.name == "other" for item in admission.catalog.trash()):
            admission.restore("other")
        if there:
            try:
                create(admission)
            except NameTaken:
                delete_now(admission)
                admission.sweep()
                _nothing_in_the_trash(admission)
            else:
                raise AssertionError("the name was given twice")
        create(Admission())


def submitted_again(admission: Admission, key: str, **_: Any) -> Any:
    """Hand in the same request with the same key twice more, and return what is wrong with the answers."""
    answers = [submit(Admission(admission.config), key) for _ in range(2)]
    there = [each.id for each in admission.operations.list() if each.environment.name == NAME]
    wrong = [] if answers[0] == answers[1] else [f"one key, two operations: {answers}"]
    return wrong if there == answers[:1] else [*wrong, f"operations of one key: {there}, answered: {answers}"]


def _nothing_in_the_trash(admission: Admission) -> None:
    for _, folder in admission.catalog.trash_folders():
        left = os.listdir(folder) if folder.exists() else []
        assert not left, f"the trash still has {left}"


def age_all(admission: Admission, seconds: float = 200.0, **_: Any) -> Any:
    """Let all heartbeats be *seconds* old."""
    moment = time.time() - seconds
    for folder in admission.operations.folders():
        if folder.status().state not in FINISHED:
            os.utime(folder.path / "status.json", (moment, moment))
            place = claims.path_of(Path(folder.ticket().root), folder.ticket().target.name)
            if place.exists():
                os.utime(place, (moment, moment))
    return None


def _rows(admission: Admission) -> list[Any]:
    return [row for row in admission.catalog.environments() if row.state == "ready"]


def state(admission: Admission, **_: Any) -> Any:
    """Return what tests compare: who owns what."""
    return {
        "operations": {each.id: each.state for each in admission.operations.list()},
        "environments": {row.name: admission.catalog.record(row.id).operation for row in _rows(admission)},
        "violations": invariant.violations(admission),
    }


def freshen(admission: Admission, **_: Any) -> Any:
    """Let all operations have been submitted just now."""
    for folder in admission.operations.folders():
        os.utime(folder.path / "status.json")
    return None


def age_tickets(admission: Admission, **_: Any) -> Any:
    for folder in admission.operations.folders():
        age(folder)
    return None


def size(admission: Admission, which: str, **_: Any) -> Any:
    return cuttable(admission, which).stat().st_size


def cut(admission: Admission, which: str, lengths: list[int], **_: Any) -> Any:
    """Cut a file to each of those lengths; whatever it is, listing and reconciling go on and the others are shown."""
    path = cuttable(admission, which)
    whole, wrong, count = path.read_bytes(), [], 0
    desk = Admission()
    for length in lengths:
        aside = path.with_name(".cut")
        aside.write_bytes(whole[:length])
        aside.rename(path)  # what is kept in memory must see that it is another file
        count += 1
        try:
            rows = {row.name: row.state for row in desk.catalog.environments()}
            if rows.get("other") != "ready":
                wrong.append(f"{which} cut at {length}: {rows}")
            desk.operations.list()
            desk.catalog.trash()
            kernels.published(desk.site)
            if count % 8 == 1:
                desk.kernels()
                desk.reconcile()
            for folder in desk.operations.folders():
                with contextlib.suppress(HpcenvError):
                    folder.log(0)
        except Exception:
            wrong.append(f"{which} cut at {length}: {traceback.format_exc(limit=-3)}")
    path.write_bytes(whole)
    Admission().reconcile()
    return {"count": count, "wrong": wrong[:5], "violations": invariant.violations(Admission())}


def unanswered(admission: Admission, error: str, stays: bool, **_: Any) -> Any:
    """Let each reading call of a listing fail; what is told then is true, or says that it can not be told."""
    count, of, wrong = 0, 0, []
    faults = Unanswered(str(Path.home()), getattr(errno, error), stays=stays)
    parts: dict[str, Callable[[Admission], Any]] = {
        "environments": lambda desk: {(row.name, row.state) for row in desk.catalog.environments()},
        "trash": lambda desk: [item.name for item in desk.catalog.trash()],
        "operations": lambda desk: [(each.id, each.state) for each in desk.operations.list()],
        "one operation": lambda desk: [desk.operations.get(each.id).state for each in truth_operations],
        "log": lambda desk: [len(desk.operations.log(each.id).lines) for each in truth_operations],
        "locations": lambda desk: [place.name for place in all_locations(desk.site)],
    }
    truth_operations = admission.operations.list()
    for part, ask in parts.items():
        whole = ask(Admission(admission.config))
        faults.aim(0)
        ask(Admission(admission.config))
        calls = faults.count
        of += calls
        for number in rounds.share(range(1, calls + 1), least=rounds.LEAST // len(parts)):
            desk = Admission(admission.config)
            faults.aim(number)
            try:
                told = ask(desk)
            except HpcenvError as problem:
                told = whole if problem.message and problem.hints else f"no words: {problem}"
            except Exception:
                told = traceback.format_exc(limit=-3)
            where = faults.where
            faults.aim(-1)
            count += 1
            if part == "environments" and isinstance(told, set):
                states, known = dict(told), dict(whole)
                new = {states[name] for name in states.keys() - known.keys()}  # it may lie in the trash, or not
                if states.keys() >= known.keys() and {*states.values()} <= {"ready", "slow"} and new <= {"slow"}:
                    told = whole
            if told != whole:
                wrong.append(f"{part}, {error} at {where}: {told}")
            elif ask(desk) != whole:
                wrong.append(f"{part}, {error} at {where}: what was told wrongly once is kept: {ask(desk)}")
    return {"count": count, "of": of, "wrong": wrong}


def follow(admission: Admission, error: str, **_: Any) -> Any:
    """Let each reading call of a server that follows an operation fail; it goes on following, to the end."""
    told: list[str] = []
    faults = Unanswered(str(Path.home()), getattr(errno, error), stays=False)
    wrong, count, calls = [], 0, 1
    pending = next(each for each in admission.operations.list() if each.state == "pending").id
    watchers = []
    while count < calls:
        count += 1
        states: list[str] = []
        poller = OperationsPoller(
            lambda: admission,
            lambda _, data, states=states: states.append(data["state"]),
            {},
            lambda: None,
            logging.getLogger("hpcenv-faults"),
        )
        poller.look()
        poller._active = {name: (stamp, -1e9) for name, (stamp, _) in poller._active.items()}  # read it again
        faults.aim(count)
        with contextlib.suppress(HpcenvError, OSError):  # a poller says so in its log, and looks again
            poller.look()
        calls = max(calls, faults.count)
        watchers.append((faults.where, poller, states))
        faults.aim(-1)
    work(admission, pending)
    for where, poller, states in watchers:
        poller.look()
        if "succeeded" not in states:
            wrong.append(f"{error} at {where}: the end was not told, only {states} {told}")
    return {"count": count, "wrong": wrong}


def cuttable(admission: Admission, which: str) -> Path:
    row = next(row for row in admission.catalog.environments() if row.name == NAME)
    (folder,) = [each for each in admission.operations.folders() if each.ticket().target.name == NAME]
    root = Path(row.prefix).parent
    if which == "status":
        (folder.path / "final.json").unlink()
    if which == "claim":
        claims.take(root, NAME, folder.id, "create", "me")
    return {
        "record": Path(row.prefix) / ".hpcenv" / "environment.json",
        "copy": admission.site.data_dir / "environments" / f"{row.id}.json",
        "ticket": folder.path / "operation.json",
        "status": folder.path / "status.json",
        "final": folder.path / "final.json",
        "log": folder.log_path,
        "kernelspec": admission.site.kernels_dir / KERNEL / "kernel.json",
        "claim": claims.path_of(root, NAME),
    }[which]


VERBS: dict[str, Callable[..., Any]] = {
    verb.__name__: verb
    for verb in (
        *(change, mend, submit_change, hunt, share, unshare, move, vanish, rebuild, places),
        *(submit, work, create, patch, unpublish, publish, delete, delete_now, restore, empty, reconcile),
        *(
            submitted_again,
            serve,
            both,
            sweep,
            size,
            cut,
            unanswered,
            follow,
            delete_other,
            create_if_missing,
            listing,
            judge,
            age_all,
            age_tickets,
            freshen,
            state,
        ),
    )
}


# -- faults inside the process ----------------------------------------------


def lose_answer(number: int) -> None:
    """Let the *number*-th rename or link be done and still report an error, as an NFS server may."""
    count = 0

    def lossy(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            result = real(*arguments, **options)
            count += 1
            if count == number:
                raise OSError(errno.EIO, "Input/output error (the answer was lost)", str(arguments[0]))
            return result

        return call

    for name in ("rename", "replace", "link"):
        setattr(os, name, lossy(getattr(os, name)))


CHANGES = (
    *(
        "mkdir",
        "rename",
        "replace",
        "link",
        "symlink",
        "unlink",
        "remove",
        "rmdir",
        "chmod",
        "fchmod",
        "utime",
        "chown",
    ),
    *("write", "fsync", "ftruncate", "truncate"),
)


MKDIR = os.mkdir


class Changes:
    """Count the changing calls of this process, and end it by SIGKILL before one of them."""

    def __init__(self, kill: int) -> None:
        self.count = 0
        self.end: list[int] = []
        self._asked: set[Path] = set()
        self._here = threading.local()
        self._kill, self._guard, self._mine = kill, threading.Lock(), os.getpid()
        for name in CHANGES:
            setattr(os, name, self._counted(getattr(os, name)))
        opened = os.open

        def open_counted(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
                self._step()
            return opened(path, flags, *arguments, **options)

        os.open = open_counted
        vars(files)["server_time"] = self._first_only(files.server_time)

    def _first_only(self, ask: Callable[[Path], float | None]) -> Callable[[Path], float | None]:
        """Count what asks a folder for its time once: it is asked again for as long as one waits for a worker."""

        def asked(folder: Path) -> float | None:
            self._here.again = folder in self._asked
            self._asked.add(folder)
            try:
                return ask(folder)
            finally:
                self._here.again = False

        return asked

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            # A folder that is there is made by who looks, over and over: that changes nothing, and how often it is
            # depends on how long the worker takes.
            if real is not MKDIR or options or not os.path.isdir(arguments[0]):
                self._step()
            return real(*arguments, **options)

        return call

    def _step(self) -> None:
        if os.getpid() != self._mine:
            return  # a forked worker
        if getattr(self._here, "again", False):
            return
        with self._guard:
            self.count += 1
            if self.count == self._kill:
                os.kill(os.getpid(), signal.SIGKILL)


READS = ("stat", "lstat", "open", "read", "pread", "fstat", "scandir", "listdir", "statvfs")


class Unanswered:
    """Let one reading call below a folder fail, and with *stays* every later one for the same path."""

    def __init__(self, below: str, error: int, *, stays: bool) -> None:
        self.count, self.where = 0, ""
        self._below, self._error, self._stays, self._number = below, error, stays, -1
        self._path = ""
        self._readlink = os.readlink
        for name in READS:
            setattr(os, name, self._failing(name, getattr(os, name)))

    def aim(self, number: int) -> None:
        """Fail at the *number*-th call from now on; 0 only counts, -1 does neither."""
        self.count, self.where, self._path, self._number = 0, "", "", number

    def _failing(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(what: Any = ".", *arguments: Any, **options: Any) -> Any:
            path = self._path_of(what, options.get("dir_fd")) if self._number >= 0 else ""
            writes = name == "open" and arguments and arguments[0] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if path.startswith(self._below) and not writes:
                self.count += 1
                if self.count == self._number:
                    self.where, self._path = f"{name} {path.removeprefix(self._below)}", path
                    raise OSError(self._error, os.strerror(self._error), path)
                if self._stays and path == self._path:
                    raise OSError(self._error, os.strerror(self._error), path)
            return real(what, *arguments, **options)

        return call

    def _path_of(self, what: Any, folder: int | None) -> str:
        if isinstance(what, int):
            return self._readlink(f"/proc/self/fd/{what}")
        text = os.fspath(what)
        text = os.fsdecode(text)
        return f"{self._readlink(f'/proc/self/fd/{folder}')}/{text}" if folder is not None else text


def fork_workers() -> None:
    """Start workers as forks in sessions of their own: real processes that have everything imported already."""

    def spawn(argv: list[str], *, env: Any, log: Path) -> int:
        pid = os.fork()
        if pid == 0:
            os.setsid()
            os.environ[MARKER] = env[MARKER]
            os._exit(worker.main(argv[-1]))
        return pid

    vars(store)["spawn_worker"] = spawn


def defer_worker() -> None:
    """Start no worker at submit: it is traced on its own."""
    vars(store)["spawn_worker"] = lambda argv, env, log: 0


def spawn_this_worker() -> None:
    """Start workers that know the skeleton."""
    real = store.spawn_worker

    def spawn(argv: list[str], *, env: Any, log: Path) -> int:
        return real([sys.executable, str(Path(__file__)), "worker", argv[-1]], env=env, log=log)

    vars(store)["spawn_worker"] = spawn


def carry_out(command: dict[str, Any], answer: int) -> None:
    """Do one verb in this (forked) process and write how it went; never returns."""
    try:
        if command.get("real"):
            skeleton.uninstall()
        if command.get("uid"):
            become(command["uid"])
        changes = Changes(command["kill"]) if "kill" in command else None
        if command.get("lose"):
            lose_answer(command["lose"])
        if command.get("spawn"):
            spawn_this_worker()
        else:
            defer_worker()
        options = command.get("options", {})
        admission = Admission(Config(command.get("config", {})))
        outcome: dict[str, Any] = {"value": invariant.as_json(VERBS[command["do"]](admission, **options))}
        if changes is not None:
            outcome["changes"] = changes.count
    except HpcenvError as error:
        outcome = {"error": error.code, "message": error.message, "hints": list(error.hints)}
    except BaseException:
        outcome = {"crash": traceback.format_exc()}
    if command.get("inside"):
        Admission().reconcile()
        outcome["stuck"] = invariant.own_claims(Admission())
    said = json.dumps(outcome).encode()
    try:
        os.write(answer, said)
    except OSError:  # the verb made fewer calls than in the run that counted them
        os.write(answer, said)
    os._exit(0)


def remember_starts() -> None:
    """Start the Python of each prefix once, and again when any byte of it differs."""
    real = vars(invariant)["_prefix_of"]
    vars(invariant)["_prefix_of"] = lambda launch: skeleton.remembered("started", launch, lambda: real(launch))


def warm_up() -> None:
    """Do everything once in a home that is thrown away, so that children find all modules and templates loaded."""
    before, home, umask, nice = dict(os.environ), tempfile.mkdtemp(), os.umask(0o022), os.nice
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    spawn = store.spawn_worker
    try:
        os.environ["HOME"] = home
        os.nice = lambda increment: 0
        defer_worker()
        create(Admission(), name="other")
        create(Admission())
        for after in ("patch", "change", "unpublish", "publish", "delete", "restore", "submit"):
            problems = judge(Admission(), after=after)["violations"]
            assert not problems, problems
        server_of(Admission())()
        listing(Admission())
    finally:
        os.nice = nice
        vars(store)["spawn_worker"] = spawn
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.umask(umask)
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(home, ignore_errors=True)


def be_patient() -> None:
    """Give filesystems a minute: that a busy machine is slow is no fault that was injected."""
    Patience.__init__.__defaults__ = (60.0,)
    vars(locations)["_patience"] = Patience()


def main() -> None:
    be_patient()
    skeleton.install()
    remember_starts()
    warm_up()
    gc.freeze()
    child, go, answer = 0, -1, -1
    for line in sys.stdin:
        command = json.loads(line)
        if "do" in command:
            waiting, go = os.pipe()
            answer, mine = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(go)
                os.close(answer)
                os.setsid()
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                os.read(waiting, 1)
                carry_out(command, mine)
            os.close(waiting)
            os.close(mine)
            reply: dict[str, Any] = {"pid": child}
        elif "go" in command:
            os.write(go, b"x")
            reply = {}
        else:
            parts = []
            while part := os.read(answer, 65_536):
                parts.append(part)
            _, status = os.waitpid(child, 0)
            os.close(go)
            os.close(answer)
            said = b"".join(parts)
            reply = {"status": status, "outcome": json.loads(said) if said else None}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        skeleton.install()
        sys.argv = [sys.argv[0], sys.argv[2]]
        worker.run()
    main()
