"""Carry out one operation: ``python -m jupyter_hpcenv.worker FOLDER``.

Started in a session of its own by `operations`, so that it outlives the server; joins operations and
lifecycle. It ends through ``os._exit``, because some libraries crash at the interpreter's exit.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from traitlets import TraitError
from traitlets.config import Config

from . import claims, policy, typed
from .batch import load_batch_system
from .catalog import Records, history
from .errors import Busy, Cancelled, HpcenvError, Interrupted
from .files import remove_tree
from .lifecycle import builds, create, exact, packages, rebuild, share, undo
from .lifecycle.ground import clear_ground
from .managers import load_managers
from .managers.contract import Choice, Manager
from .models import CreateRequest, LineKind, LogLine, Progress, Record, Step, Ticket
from .operations.folder import Folder, seconds_since
from .operations.queue import fetched, note_fetched
from .operations.store import Operations, Own
from .process import left_folders, stop_marked, thread_caps
from .site import Site, audit

HEARTBEAT = 15.0
PLANS = ("plan", "plan_change")  # verbs that only say what another would do
CHANGES = ("change", "plan_change", "repair", "share", "unshare")  # verbs for what is there already
_LATE = 1.0  # seconds that a signal may come after a failure that it is the cause of
_SAVE_EVERY = 0.25  # seconds between writes of the status for figures alone


class Report:
    """Tell the operation's folder what happens; `check` raises once somebody asked to stop."""

    def __init__(self, own: Own) -> None:
        self._own = own
        self._began = time.monotonic()
        self._offset = seconds_since(own.ticket.submitted)
        self._step_began = self._began
        self._saved = 0.0
        self._looked = 0.0
        self.signalled: int | None = None
        self.lost = False
        """Set by the heartbeat once somebody else owns the operation."""

    def step(self, name: str) -> None:
        """Begin a step; earlier ones are done."""
        status, found = self._own.status, False
        for step in status.steps:
            if step.name == name:
                found = True
                if step.state != "running":
                    step.state = "running"
                    self.line("step", step.title)
            elif not found and step.state in ("todo", "running"):
                self._end(step)
        status.progress = None
        self._step_began = time.monotonic()
        self._save()

    def _end(self, step: Step) -> None:
        if step.state == "running":
            step.seconds = round(time.monotonic() - self._step_began, 3)
        step.state = "done"

    def end(self) -> None:
        """End the running step, when all is done."""
        for step in self._own.status.steps:
            if step.state == "running":
                self._end(step)

    def detail(self, text: str) -> None:
        """Say something short about the running step."""
        for step in self._own.status.steps:
            if step.state == "running":
                step.detail = text
        self._save_soon()

    def line(self, kind: LineKind, text: str) -> None:
        """Append to the log; an operation's log has lines of text, never control characters."""
        at = round(self._offset + time.monotonic() - self._began, 3)
        clean = "".join(c for c in text.expandtabs(4) if c.isprintable())
        self._own.append(LogLine(at=at, kind=kind, text=clean))

    def progress(self, progress: Progress | None) -> None:
        """Replace the figures of the running step."""
        self._own.status.progress = progress
        self._save_soon()

    def _save_soon(self) -> None:
        if time.monotonic() - self._saved > _SAVE_EVERY:
            self._save()

    def _save(self) -> None:
        self._saved = time.monotonic()
        self._own.save()

    def check(self) -> None:
        """Raise `Cancelled` for a flag, `Interrupted` for a signal without one (a batch system's end)."""
        now = time.monotonic()
        if self.signalled is None and now - self._looked < 0.2:
            return
        self._looked = now
        if self._own.folder.cancelling:
            raise Cancelled("It was cancelled; nothing was left behind.")
        if self.lost or not self._own.folder.path.exists():
            raise Interrupted("Another process has taken this operation over, or removed it.")
        if self.signalled is not None:
            raise Interrupted(
                f"The worker was told to stop by {signal.Signals(self.signalled).name}; nothing was left behind.",
                hints=["Ask for it again; what was downloaded is still in the cache."],
            )


def main(path: str) -> int:
    """Own the operation in *path*, carry it out, and return 0, or 1 when it did not succeed."""
    folder = Folder(Path(path))
    ticket = folder.ticket()
    root, name = Path(ticket.root), ticket.target.name
    again = ticket.batch is not None and load_batch_system(ticket.batch_system).is_restart(os.environ)
    try:
        before = folder.status()
        begins = before.state == "pending" or (again and before.state == "running" and not before.closing)
        if not begins or not (_plans(ticket) or claims.adopt(root, name, ticket.id)):
            sys.stderr.write(f"Nothing is left to do here: the operation is {before.state}.\n")
            return 1  # somebody has closed it already
        own = Own(folder, "running", again=again)
    except (Busy, Interrupted) as problem:
        sys.stderr.write(f"{problem.message}\n")
        return 1  # somebody closes it at this moment
    except HpcenvError as problem:  # not even the log can be written: whoever closes the operation repeats these words
        sys.stderr.write(f"{problem.message}\n")
        return 1
    report = Report(own)
    _clear_left_folders()
    os.environ.update(thread_caps())
    os.umask(os.umask(0o022) | 0o022)  # nobody else may write what runs as this user

    def on_signal(number: int, frame: FrameType | None) -> None:
        report.signalled = number

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)
    stopped = threading.Event()
    threading.Thread(target=_beat, args=(own, report, stopped), daemon=True).start()
    state, error, result = "failed", None, None
    try:
        if again:
            _clear_earlier(own, report)
        if ticket.fetch and fetched(folder) is None:
            _fetch(own, report, stopped)
            return 0
        result = _carry_out(own, report)
        report.end()
        state = "succeeded"
    except Cancelled as problem:
        state, error = "cancelled", problem.body()
    except Interrupted as problem:
        if _ends_with_its_job(own, report):
            return _put_back(own, report, stopped)
        state, error = "interrupted", problem.body()
    except HpcenvError as problem:
        if _ends_with_its_job(own, report):
            return _put_back(own, report, stopped)
        error = problem.body()
    except BaseException as problem:  # the operation must end with a reason, whatever it was
        traceback.print_exc()
        error = HpcenvError(
            f"The worker met an error that it does not know: {type(problem).__name__}: {problem}.",
            hints=["Show the log to the people who maintain jupyter_hpcenv."],
            reason=traceback.format_exc(limit=-3),
        ).body()
    finally:
        stopped.set()
    if error is not None:
        report.line("error", str(error["message"]))
    _tell_site(own, report, state, error)
    if not _plans(ticket):
        claims.release(root, name, ticket.id)  # first: who reads that it is finished may ask for the name at once
    with contextlib.suppress(Interrupted):  # somebody else finished it, and what they wrote stays
        own.finish(state, error, result)
    return 0 if state == "succeeded" else 1


def _fetch(own: Own, report: Report, stopped: threading.Event) -> None:
    """Fetch here what the job needs, whose node reaches no index; then send it."""
    ticket, config = own.ticket, Config(own.ticket.config)
    site = Site(config=config)
    work = typed.of_value(ticket.work, create.Work)
    request = work.effective or typed.of_value(ticket.request, CreateRequest)
    if ticket.asked:
        policy.enter(typed.of_value(ticket.asked, policy.Asked))
    report.step("fetch")
    manager = load_managers(config, site)[request.manager]
    note_fetched(own.folder, create.fetch(request, work, site, manager, own.folder.path, report))
    stopped.set()
    own.put_back()
    claims.adopt(Path(ticket.root), ticket.target.name, ticket.id, queued=True)
    Operations(site).send(own.folder, ticket)


def _clear_earlier(own: Own, report: Report) -> None:
    """Remove what an earlier worker of the same job left, whose node failed."""
    ticket = own.ticket
    report.line("warning", "The batch system started this job again; what the earlier one left is removed first.")

    def guard() -> None:
        if not own.still():
            raise Interrupted("Another process has taken this operation over.")

    stop_marked(ticket.id)
    if ticket.verb in ("create", *rebuild.VERBS) and Path(ticket.target.prefix).is_dir():
        clear_ground(Path(ticket.target.prefix), ticket.id, guard)


def _ends_with_its_job(own: Own, report: Report) -> bool:
    """Tell whether the batch system ends this job, which is then why something failed.

    It signals all of the job's processes one after the other: an installer may die of that before we hear it.
    """
    if own.ticket.batch is None or own.folder.cancelling:
        return False
    until = time.monotonic() + _LATE
    while report.signalled is None and time.monotonic() < until:
        time.sleep(0.05)
    return report.signalled is not None and own.still()


def _put_back(own: Own, report: Report, stopped: threading.Event) -> int:
    """End without a verdict: the batch system ends this job, and it alone knows whether it starts it again."""
    stopped.set()
    report.line("warning", "The batch system ends this job; nothing was left behind.")
    with contextlib.suppress(HpcenvError, OSError):
        own.put_back()
        if not _plans(own.ticket):
            claims.adopt(Path(own.ticket.root), own.ticket.target.name, own.ticket.id, queued=True)
    return 1


def _plans(ticket: Ticket) -> bool:
    """Tell whether an operation only says what another would do: then there is nothing to claim."""
    return ticket.verb in PLANS


def _tell_site(own: Own, report: Report, state: str, error: dict[str, Any] | None) -> None:
    """Write the line of the site's audit log, unless somebody else ends this; that it fails is only said."""
    ticket, code = own.ticket, str(error["code"]) if error else ""
    with contextlib.suppress(OSError, HpcenvError, TraitError):
        if own.still():
            site = Site(config=Config(ticket.config))
            if problem := audit.note(site, ticket.verb, ticket.target, state, error=code, operation=ticket.id):
                report.line("warning", problem)


def _carry_out(own: Own, report: Report) -> dict[str, Any]:
    """Do what the ticket says and return the operation's result."""
    ticket = own.ticket
    config = Config(ticket.config)
    site = Site(config=config)
    with contextlib.suppress(OSError):
        os.nice(site.nice)
    managers = load_managers(config, site)
    if ticket.asked:
        asked = typed.of_value(ticket.asked, policy.Asked)
        policy.enter(asked)
        policy.ask(ticket.verb, asked, ticket.user)

    def guard() -> None:
        if not own.still() or not claims.renew(Path(ticket.root), ticket.target.name, ticket.id):
            raise Interrupted("Another process has taken this operation over.")

    if ticket.verb in CHANGES:
        return _change(ticket, site, managers, report, guard)
    if ticket.verb in rebuild.VERBS:
        again = typed.of_value(ticket.work, rebuild.Work)
        manager = managers[again.request.manager]
        record, differences = rebuild.rebuild(again, ticket.target, ticket.id, site, manager, report, guard)
        exact.keep(record, manager, site, report)
        place = f"from {again.before.prefix} to {record.prefix}" if again.old_root else record.prefix
        history.note(site, record.id, ticket.verb, "; ".join([place, *differences]), operation=ticket.id)
        return {"environment": record.id, "prefix": record.prefix, "differences": differences}
    if ticket.verb == "build":
        return _build(ticket, site, managers, report, guard)
    work = typed.of_value(ticket.work, create.Work)
    if (choice := fetched(own.folder)) is not None:
        work.choice = typed.of_value(choice, Choice)
    request = work.effective or typed.of_value(ticket.request, CreateRequest)
    manager = managers[request.manager]
    if _plans(ticket):
        return create.plan(request, work, ticket.target, site, manager, report)
    record = create.create(request, work, ticket.target, ticket.id, site, manager, report, guard)
    exact.keep(record, manager, site, report)
    history.note(site, record.id, "create", record.prefix, operation=ticket.id)
    return {"environment": record.id, "prefix": record.prefix}


def _build(
    ticket: Ticket, site: Site, managers: dict[str, Manager], report: Report, guard: Callable[[], None]
) -> dict[str, Any]:
    """Build an environment that is there for another kind of computer."""
    work = typed.of_value(ticket.work, builds.Work)
    manager = managers[work.again.request.manager]
    record, differences = builds.build(work, ticket.target, ticket.id, site, manager, report, guard)
    history.note(site, record.id, "build", "; ".join([work.target, *differences]), operation=ticket.id)
    return {"environment": record.id, "prefix": work.prefix, "target": work.target, "differences": differences}


def _change(
    ticket: Ticket, site: Site, managers: dict[str, Manager], report: Report, guard: Callable[[], None]
) -> dict[str, Any]:
    """Change the packages of an environment that is there, plan that, or put right what a killed change left."""
    record, _ = Records(site).read(ticket.target.prefix)
    manager = managers[record.manager]
    if ticket.verb in ("share", "unshare"):
        sharing = typed.of_value(ticket.work, share.Work)
        record = _whole(record, site, manager, report, guard)
        record = share.share(sharing, record, ticket.id, site, report, guard)
        history.note(
            site, record.id, ticket.verb, f"with {record.shared.whom}" if record.shared else "", operation=ticket.id
        )
        return {"environment": record.id, "prefix": record.prefix}
    if not _plans(ticket):
        share.put_right(record, guard)
    if ticket.verb == "repair":
        report.step("back")
        record = packages.repair(record, site, manager, report, guard)
        return {"environment": record.id, "prefix": record.prefix}
    work = typed.of_value(ticket.work, packages.Work)
    if _plans(ticket):
        return packages.plan(work, record, site, manager, report)
    record = _whole(record, site, manager, report, guard)
    kept = undo.keep(record, manager, ticket.id, site, report)
    try:
        record, outcome = packages.change_packages(work, record, ticket.id, site, manager, report, guard)
    except BaseException:
        with contextlib.suppress(OSError, HpcenvError):  # what happened counts more
            if Records(site).read(ticket.target.prefix)[0].operation != ticket.id:
                undo.not_done(kept, site)
        raise
    undo.done(kept, record, manager, site)
    exact.keep(record, manager, site, report)
    verb, asked = ("change", packages.told(work.changes)) if work.earlier is None else ("undo", "")
    history.note(site, record.id, verb, asked, operation=ticket.id, plan=outcome.plan)
    return {"environment": record.id, "prefix": record.prefix, "plan": outcome.plan}


def _whole(record: Record, site: Site, manager: Manager, report: Report, guard: Callable[[], None]) -> Record:
    """Put right what an earlier change left that was killed, and return the record as it is then."""
    if packages.note_of(Path(record.prefix)) is None:
        return record
    report.line("warning", "An earlier change was killed in the middle; it is put right first.")
    return packages.repair(record, site, manager, report, guard)


def _clear_left_folders() -> None:
    """Remove what killed programs of this user left in the temporary folder; what resists is tried again next time."""
    for folder in left_folders():
        with contextlib.suppress(OSError):
            remove_tree(folder)


def _beat(own: Own, report: Report, stopped: threading.Event) -> None:
    ticket = own.ticket
    while not stopped.wait(HEARTBEAT):
        own.folder.heartbeat()
        with contextlib.suppress(OSError, HpcenvError):
            kept = _plans(ticket) or claims.renew(Path(ticket.root), ticket.target.name, ticket.id)
            report.lost = not own.still() or not kept


def run() -> None:
    """Run as a program; never returns."""
    arguments: list[Any] = sys.argv[1:]
    status = 2
    try:
        status = main(arguments[0])
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
