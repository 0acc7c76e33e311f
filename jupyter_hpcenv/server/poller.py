"""Look at something again and again in a thread of its own, until told to stop."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from logging import Logger, LoggerAdapter
from typing import Any

#: Seconds between looks after one that failed; a broken disk or configuration is not asked twice a second.
AFTER_FAILURE = 30.0


class Poller(ABC):
    """A loop that survives errors and ends soon after `stop`; subclasses say what a look is."""

    def __init__(self, name: str, log: Logger | LoggerAdapter[Any]) -> None:
        self._log = log
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._failure = ""
        # a daemon: a look that hangs on a dead filesystem must not keep the server from ending
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.looked = threading.Event()
        """Set once the first look is over; tests wait for it."""

    @abstractmethod
    def look(self) -> float:
        """Look once, and return the seconds until the next look."""

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def wake(self) -> None:
        """Look as soon as possible."""
        self._wake.set()

    def stop(self, timeout: float = 2.0) -> None:
        """End the loop; waits at most *timeout* seconds for a look that is under way."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    @property
    def stopping(self) -> bool:
        """Tell whether the loop is to end."""
        return self._stopping.is_set()

    def _run(self) -> None:
        while not self.stopping:
            pause = self._look_once()
            self.looked.set()
            self._wake.wait(pause)
            self._wake.clear()

    def _look_once(self) -> float:
        try:
            pause = self.look()
        except Exception as error:  # noqa: BLE001  whatever it is, the next look may work
            failure = f"{type(error).__name__}: {error}"
            if failure != self._failure and not self.stopping:
                self._log.warning("hpcenv: %s: %s", self._thread.name, failure, exc_info=error)
            self._failure = failure
            return AFTER_FAILURE
        self._failure = ""
        return pause
