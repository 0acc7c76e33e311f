"""Tell the server's event bus what becomes of operations and environments, whoever changed them.

What this server and what the command line did are seen in the same way, on the disk: so there is one source of
events, and nothing is told twice. Every look costs some stats; files are read when a stat says that they changed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, MutableMapping
from datetime import datetime
from logging import Logger, LoggerAdapter
from typing import TYPE_CHECKING, Any

from .poller import Poller
from .watch_environments import EnvironmentsPoller
from .watch_operations import OperationsPoller

if TYPE_CHECKING:
    from ..admission import Admission

Desk = Callable[[], "Admission"]
Tell = Callable[[str, dict[str, Any]], object]

#: Seconds between removals of what the trash has kept long enough.
SWEEP = 1_800.0
FIRST_SWEEP = 60.0


class Watcher:
    """The threads that look; the extension starts, wakes and stops them."""

    def __init__(
        self,
        *,
        open_desk: Desk,
        emit: Tell,
        activity: MutableMapping[str, datetime],
        log: Logger | LoggerAdapter[Any],
    ) -> None:
        self._emit = emit
        self._log = log
        self._loop: asyncio.AbstractEventLoop | None = None
        self.environments = EnvironmentsPoller(open_desk, self._tell, log)
        self.operations = OperationsPoller(open_desk, self._tell, activity, self.environments.wake, log)
        self.sweeper = Sweeper(open_desk, log)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to look; events are emitted on *loop*."""
        self._loop = loop
        for poller in self._pollers:
            poller.start()

    def look(self, *, sweep: bool = False) -> None:
        """Look now."""
        self.environments.wake()
        self.operations.wake()
        if sweep:
            self.sweeper.wake()

    def stop(self) -> None:
        """End all loops; blocks for some seconds at most."""
        for poller in self._pollers:
            poller.stop()

    @property
    def _pollers(self) -> tuple[Poller, ...]:
        return (self.environments, self.operations, self.sweeper)

    def _tell(self, schema: str, data: dict[str, Any]) -> None:
        """Emit an event on the server's loop, from one of our threads."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                self._loop.call_soon_threadsafe(self._emitted, schema, data)

    def _emitted(self, schema: str, data: dict[str, Any]) -> None:
        try:
            self._emit(schema, data)
        except Exception as error:  # noqa: BLE001  a site's own event handler may raise anything
            self._log.warning("hpcenv: an event was not taken: %s", error)


class Sweeper(Poller):
    """Removes what the trash has kept long enough, now and then, and at once what was emptied."""

    def __init__(self, open_desk: Desk, log: Logger | LoggerAdapter[Any]) -> None:
        super().__init__("sweeper of the trash", log)
        self._open_desk = open_desk
        self._first = True

    def look(self) -> float:
        """Remove what may go; the first look, at the start of the server, only waits."""
        if self._first:
            self._first = False
            return FIRST_SWEEP
        self._open_desk().sweep()
        return SWEEP
