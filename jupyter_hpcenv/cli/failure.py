"""Make an error out of what an operation's status says of its failure, so that it keeps its exit code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import BuildFailed, Cancelled, HpcenvError, Interrupted
from ..models import Operation

#: What a state means when the status tells nothing more.
_BY_STATE = {"failed": BuildFailed, "cancelled": Cancelled, "interrupted": Interrupted}


def kinds() -> Iterator[type[HpcenvError]]:
    """Yield every kind of error that we raise on purpose, in the order in which errors.py has them."""
    waiting: list[type[HpcenvError]] = [HpcenvError]
    while waiting:
        kind = waiting.pop(0)
        yield kind
        waiting = [*kind.__subclasses__(), *waiting]


def of(operation: Operation) -> HpcenvError:
    """Return the error of an operation that did not succeed."""
    body: dict[str, Any] = operation.error or {}
    by_code = {kind.code: kind for kind in kinds()}
    kind = by_code.get(str(body.get("code", "")), _BY_STATE.get(operation.state, HpcenvError))
    if operation.state in ("cancelled", "interrupted"):
        kind = _BY_STATE[operation.state]
    message = str(body.get("message", "")) or f"The operation is {operation.state}."
    hints = [str(hint) for hint in body.get("hints", ())]
    if operation.state != "cancelled":
        hints.append(f"Read its log with “jupyter hpcenv log {operation.id}”.")
    return kind(message, reason=str(body.get("reason", "")), hints=hints)
