"""Ask a filesystem that may hang, and go on without it when it does.

A call into a dead NFS mount can not be interrupted, only left alone: it waits in a daemon thread, one for
each thing asked, and until that thread comes back the answer is “slow” at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds that a location may take to be listed before the others are shown without it.
PATIENCE = 3.0


class Slow(Exception):
    """The filesystem did not answer in time."""


class Patience:
    """Run questions about named things with a limit; safe to use from threads."""

    def __init__(self, seconds: float = PATIENCE) -> None:
        self._seconds = seconds
        self._guard = threading.Lock()
        self._hung: dict[str, threading.Thread] = {}

    def ask(self, name: str, question: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Return what *question* returns, or raise `Slow`; exceptions of the question pass."""
        with self._guard:
            before = self._hung.get(name)
            if before is not None:
                if before.is_alive():
                    raise Slow(name)
                del self._hung[name]
        answer: list[Any] = []
        failure: list[BaseException] = []

        def run() -> None:
            try:
                answer.append(question(*args, **options))
            except BaseException as error:  # noqa: BLE001  handed on to who asked
                failure.append(error)

        thread = threading.Thread(target=run, name=f"hpcenv-ask-{name}", daemon=True)
        thread.start()
        thread.join(self._seconds)
        if thread.is_alive():
            with self._guard:
                self._hung[name] = thread
            raise Slow(name)
        if failure:
            raise failure[0]
        return answer[0]  # type: ignore[no-any-return]
