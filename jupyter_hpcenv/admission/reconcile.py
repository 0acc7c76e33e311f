"""Close operations whose worker is gone, and put right what a crash left.

Whoever comes first does it: a server at its start and while it runs, the command line before it changes
anything. Taking over is one write with a fresh fencing id, so that a worker that wakes up publishes nothing.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from .. import claims
from ..catalog import Catalog
from ..catalog.records import RECORD
from ..errors import HpcenvError
from ..files import decode, read_regular
from ..lifecycle.create import clean
from ..lifecycle.delete import mark_gone, sweep
from ..lifecycle.faces import roll_forward
from ..models import FINISHED, LogLine, Record, Ticket
from ..operations.folder import Folder, seconds_since
from ..operations.store import Operations, Own, gone
from ..process import stop_marked


def reconcile(catalog: Catalog, operations: Operations) -> list[str]:
    """Close dead operations and roll lagging faces forward; return what was done, a line each."""
    done = []
    for folder, ticket in operations.unfinished_dead():
        with contextlib.suppress(HpcenvError, OSError):
            done.append(close(folder, ticket))
    with contextlib.suppress(HpcenvError, OSError):
        done += roll_forward(catalog)
    return done


def close(folder: Folder, ticket: Ticket) -> str:
    """Finish an operation for its dead worker: committed work counts, anything else is removed."""
    before = folder.status()
    own = Own(folder, before.state)
    if before.state in FINISHED:
        return f"{ticket.target.name} was finished."
    stop_marked(ticket.id)
    prefix = Path(ticket.target.prefix)
    error = gone(folder, before)
    if _committed(prefix, ticket.id):
        state, body = "succeeded", None
    else:
        clean(prefix)
        state = "cancelled" if folder.cancelling else "interrupted"
        body = error.body()
        own.append(LogLine(at=round(seconds_since(ticket.submitted), 3), kind="error", text=error.message))
    result = {"environment": ticket.target.id, "prefix": ticket.target.prefix} if state == "succeeded" else None
    own.finish(state, body, result)
    claims.release(Path(ticket.root), ticket.target.name, ticket.id)
    return f"{ticket.verb} {ticket.target.name}: {state}."


def _committed(prefix: Path, operation: str) -> bool:
    with contextlib.suppress(OSError, HpcenvError):
        return decode(read_regular(prefix / RECORD), Record, str(prefix)).operation == operation
    return False


def empty_expired(catalog: Catalog) -> int:
    """Mark what the trash has kept long enough, and remove what is marked; return how many went."""
    for item in catalog.trash():
        if seconds_since(item.deleted) > catalog.site.trash_days * 86_400:
            with contextlib.suppress(HpcenvError):
                mark_gone(catalog, item)
    return sweep(catalog)
