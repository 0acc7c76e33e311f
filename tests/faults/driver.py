"""A program that carries out verbs in forked children, so that each can be traced, stopped or killed.

Speaks lines of JSON: ``{"do": verb, …}`` forks a child that waits and answers ``{"pid": …}``; ``{"go": true}``
lets it go; ``{"wait": true}`` waits for it and answers ``{"status": …, "outcome": …}``. What is imported is
imported once, so that a point costs milliseconds, and the trace of a child has nothing but the verb in it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import invariant
import msgspec
import skeleton
from traitlets.config import Config

from jupyter_hpcenv import claims, worker
from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.errors import HpcenvError, NameTaken
from jupyter_hpcenv.models import FINISHED, CreateRequest, EnvironmentPatch, KernelPatch
from jupyter_hpcenv.operations import store
from jupyter_hpcenv.process import MARKER

NAME = "it"
KERNEL = f"hpcenv-home.{NAME}"
PATCH = EnvironmentPatch(display_name="Other", variables={"COLOUR": "blue"})


def request(name: str = NAME, **more: Any) -> CreateRequest:
    return CreateRequest(name=name, **{"manager": "skeleton", **more})


# -- verbs ------------------------------------------------------------------


def submit(admission: Admission, **more: Any) -> Any:
    return admission.submit("create", request(**more)).id


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


def patch(admission: Admission, **_: Any) -> Any:
    return admission.patch(NAME, PATCH).revision


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
    admission.reconcile()
    found = invariant.violations(Admission(admission.config))
    before = len(invariant.litter(admission))
    if after == "look":
        return {"violations": found, "litter": before}
    try:
        _again(after)
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


def age(folder: Any, moment: str = "2020-01-01T00:00:00.000Z") -> None:
    """Make an operation as old as the hills, as far as its ticket is concerned."""
    ticket = folder.ticket()
    ticket.submitted = moment
    (folder.path / "operation.json").write_bytes(msgspec.json.encode(ticket))


def _again(after: str) -> None:
    admission = Admission()
    there = any(row.name == NAME for row in admission.catalog.environments())
    trashed = any(item.name == NAME for item in admission.catalog.trash())
    if after in ("patch", "publish"):
        {"patch": patch, "publish": publish}[after](admission)
        assert after != "patch" or Admission().catalog.find(NAME).variables == {"COLOUR": "blue"}
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


def age_tickets(admission: Admission, **_: Any) -> Any:
    for folder in admission.operations.folders():
        age(folder)
    return None


def cut(admission: Admission, which: str, step: int = 1, **_: Any) -> Any:
    """Cut a file at each *step*-th byte; whatever it is, listing and reconciling go on and the others are shown."""
    path = cuttable(admission, which)
    whole, wrong, count = path.read_bytes(), [], 0
    for length in range(0, len(whole), step):
        path.write_bytes(whole[:length])
        count += 1
        try:
            desk = Admission()
            rows = {row.name: row.state for row in desk.catalog.environments()}
            if rows.get("other") != "ready":
                wrong.append(f"{which} cut at {length}: {rows}")
            desk.operations.list()
            desk.catalog.trash()
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


def cuttable(admission: Admission, which: str) -> Path:
    row = next(row for row in admission.catalog.environments() if row.name == NAME)
    (folder,) = [each for each in admission.operations.folders() if each.ticket().target.name == NAME]
    root = Path(row.prefix).parent
    if which == "claim":
        claims.take(root, NAME, folder.id, "create", "me")
    return {
        "record": Path(row.prefix) / ".hpcenv" / "environment.json",
        "copy": admission.site.data_dir / "environments" / f"{row.id}.json",
        "ticket": folder.path / "operation.json",
        "status": folder.path / "status.json",
        "log": folder.log_path,
        "kernelspec": admission.site.kernels_dir / KERNEL / "kernel.json",
        "claim": claims.path_of(root, NAME),
    }[which]


VERBS: dict[str, Callable[..., Any]] = {
    verb.__name__: verb
    for verb in (
        *(submit, work, create, patch, unpublish, publish, delete, delete_now, restore, empty, reconcile),
        *(sweep, cut, delete_other, create_if_missing, listing, judge, age_all, age_tickets, state),
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
        if command.get("lose"):
            lose_answer(command["lose"])
        if command.get("spawn"):
            spawn_this_worker()
        else:
            defer_worker()
        options = command.get("options", {})
        admission = Admission(Config(command.get("config", {})))
        outcome: dict[str, Any] = {"value": invariant.as_json(VERBS[command["do"]](admission, **options))}
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


def main() -> None:
    skeleton.install()
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
