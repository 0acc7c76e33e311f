"""Follow operations by the stats of their status files, and tell each change of state or step."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, MutableMapping
from datetime import datetime, timezone
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import HpcenvError
from ..files import is_silent
from ..models import FINISHED, Operation
from ..names import is_operation_id
from . import numbers
from .poller import Poller

if TYPE_CHECKING:
    from ..admission import Admission

SCHEMA = "https://events.jupyter-hpcenv.org/operation/v1"
ACTIVE, IDLE = 0.5, 2.0
#: Seconds after which a running operation is read even if its files did not change: its worker may be dead.
REREAD = 5.0

Stamp = tuple[int, int, int, int, bool]
_MISSING: Stamp = (0, 0, 0, 0, False)


class OperationsPoller(Poller):
    """Looks at this user's operations, those of the command line too."""

    def __init__(
        self,
        open_desk: Callable[[], Admission],
        tell: Callable[[str, dict[str, Any]], None],
        activity: MutableMapping[str, datetime],
        finished: Callable[[], None],
        log: Logger | LoggerAdapter[Any],
    ) -> None:
        super().__init__("follower of operations", log)
        self._open_desk = open_desk
        self._tell = tell
        self._activity = activity
        self._finished = finished
        self._over: set[str] = set()
        self._active: dict[str, tuple[Stamp, float]] = {}
        self._told: dict[str, dict[str, Any]] = {}
        self._begun = False

    def look(self) -> float:
        """Read what changed, tell it, and keep the server awake while something runs on this host."""
        desk = self._open_desk()
        if not self._begun:
            desk.reconcile()  # operations that died with an earlier server are closed before anybody lists them
        root = desk.operations.root
        there = {name for name in os.listdir(root) if is_operation_id(name)}  # noqa: PTH208  names are all we need
        self._over &= there
        for gone in self._active.keys() - there:
            del self._active[gone]
            self._told.pop(gone, None)
        desk.operations.look_at_queue()
        busy = False
        for identifier in sorted(there - self._over):
            busy |= self._follow(desk, root / identifier)
        self._begun = True
        if busy:
            self._activity["hpcenv"] = datetime.now(timezone.utc)  # or the Hub culls the server during a build
        return ACTIVE if self._active else IDLE

    def _follow(self, desk: Admission, folder: Path) -> bool:
        """Look at one unfinished operation; tell whether it runs on this host."""
        stamp = _stamp(folder)
        known = self._active.get(folder.name)
        if known is not None and known[0] == stamp and time.monotonic() - known[1] < REREAD:
            return self._told.get(folder.name, {}).get("host") == socket.gethostname()
        try:
            operation = desk.operations.get(folder.name)
            if operation.cancelling:
                desk.operations.insist(folder.name)
            if operation.state == "interrupted":
                desk.reconcile()  # its worker is dead: somebody must clean up, and whoever looks first does
                operation = desk.operations.get(folder.name)
        except (HpcenvError, OSError) as error:
            if is_silent(error):
                return known is not None  # the next look may find it
            self._over.add(folder.name)  # damaged or just forgotten: it hides nothing else
            self._active.pop(folder.name, None)
            return False
        self._compare(operation)
        if operation.state in FINISHED:
            if self._begun:
                numbers.count_operation(operation)
            self._over.add(operation.id)
            self._active.pop(operation.id, None)
            self._told.pop(operation.id, None)
            self._finished()
            return False
        self._active[operation.id] = (stamp, time.monotonic())
        return operation.job is None and operation.host == socket.gethostname()

    def _compare(self, operation: Operation) -> None:
        """Tell the operation if it stands otherwise than when it was told last.

        What was there when the server started is only remembered: who connects lists it.
        """
        now = {"host": "" if operation.job else operation.host, **summary(operation)}
        before = self._told.get(operation.id)
        self._told[operation.id] = now
        if before != now and self._begun:
            self._tell(SCHEMA, summary(operation))


def summary(operation: Operation) -> dict[str, Any]:
    """Return the data of an operation event; of the request it holds nothing but the name."""
    return {
        "operation": operation.id,
        "verb": operation.verb,
        "state": operation.state,
        "cancelling": operation.cancelling,
        "step": operation.step,
        "steps": len(operation.steps),
        "environment_id": operation.environment.id,
        "name": operation.environment.name,
        "location": operation.environment.location,
        "waiting": operation.waiting,
    }


def _stamp(folder: Path) -> Stamp:
    try:
        facts = (folder / "status.json").stat(follow_symlinks=False)
    except OSError:
        return _MISSING
    job = 0
    with contextlib.suppress(OSError):
        job = (folder / "job.json").stat(follow_symlinks=False).st_ino  # each look that found news replaced it
    return (facts.st_mtime_ns, facts.st_ino, facts.st_size, job, (folder / "cancel").exists())
