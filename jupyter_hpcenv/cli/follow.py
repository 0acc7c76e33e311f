"""Follow an operation to its end; Ctrl-C and SIGTERM cancel it and wait until it has cleaned up."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from ..models import FINISHED, LogLine, Operation

if TYPE_CHECKING:
    from ..operations import Operations

#: Seconds between two looks at an operation.
INTERVAL = 0.1


class View(Protocol):
    """What shows an operation to a person."""

    def __enter__(self) -> View:
        """Begin to show."""

    def __exit__(self, *exception: object) -> None:
        """Stop to show."""

    def show(self, operation: Operation) -> None:
        """Show how the operation stands now."""

    def line(self, line: LogLine) -> None:
        """Show a line of the log, if it is worth it."""

    def say(self, text: str) -> None:
        """Say something about the way."""


class Stop:
    """Note the wish to stop, instead of breaking off in the middle of a submit.

    Once the operation is told (`heard`), the next signal breaks off; before that, the third one does, for
    a filesystem that hangs.

    SIGHUP is left alone: an operation does not need the terminal it was asked for on, so losing that
    ends this program and not the operation.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.heard = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Stop:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup and “&” in scripts ignore SIGINT
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked += 1
        if self.heard or self.asked > 2:
            raise KeyboardInterrupt


def follow(operations: Operations, operation: Operation, view: View, stop: Stop) -> Operation:
    """Show *operation* until it is finished, and return it as it ended.

    Lines that say an error wait for the end: the last one is the error of the operation, which the caller shows.
    """
    offset, look = 0, 0.0
    errors: list[LogLine] = []
    while True:
        operation = operations.get(operation.id)  # before the log: no line follows the final state
        offset = _show_lines(operations, operation.id, offset, view, errors)
        if operation.job is not None and operation.state not in FINISHED and time.monotonic() > look:
            operations.look_at_queue()
            look = time.monotonic() + 1.0
        view.show(operation)
        if operation.state in FINISHED:
            for line in errors:
                if line.text != (operation.error or {}).get("message"):
                    view.line(line)
            return operation
        if stop.heard:
            operations.insist(operation.id)
        if stop.asked and not stop.heard:
            _cancel(operations, operation.id)
            stop.heard = True  # not before: a second Ctrl-C must not save the operation from the first
            view.say("Cancelling; what was built so far is being removed. Ctrl-C again stops waiting for that.")
        time.sleep(INTERVAL)


def _cancel(operations: Operations, identifier: str) -> None:
    from ..errors import WrongState

    try:
        operations.cancel(identifier)
    except WrongState:
        return  # it finished in this moment


def _show_lines(operations: Operations, identifier: str, offset: int, view: View, errors: list[LogLine]) -> int:
    """Show the lines after *offset*, keep those that say an error, and return the offset after them."""
    while True:
        part = operations.log(identifier, offset)
        for line in part.lines:
            if line.kind == "error":
                errors.append(line)
            else:
                view.line(line)
        if part.offset == offset or part.complete:
            return part.offset
        offset = part.offset


def lines(operations: Operations, identifier: str, *, wait: bool) -> Iterator[LogLine]:
    """Yield the log from its beginning; with *wait*, until the operation is finished."""
    offset = 0
    while True:
        finished = operations.get(identifier).state in FINISHED
        part = operations.log(identifier, offset)
        yield from part.lines
        moved, offset = part.offset != offset, part.offset
        if part.complete or (not moved and (finished or not wait)):
            return
        if not moved:
            time.sleep(INTERVAL)
