"""Close operations whose worker is gone, and put right what a crash left.

Whoever comes first does it: a server at its start and while it runs, the command line before it changes
anything. Taking over is one write with a fresh fencing id, so that a worker that wakes up publishes nothing.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from .. import claims, typed
from ..catalog import Catalog, history
from ..catalog.records import RECORD
from ..errors import Busy, DiskFull, HpcenvError, Interrupted
from ..files import clear_temporary, decode, read_regular
from ..lifecycle import builds, rebuild
from ..lifecycle.delete import mark_gone, sweep
from ..lifecycle.faces import roll_forward
from ..lifecycle.ground import clear_ground, clear_leftovers
from ..models import FINISHED, LogLine, Record, Ticket
from ..operations.folder import Folder, seconds_since
from ..operations.store import Operations, Own, gone
from ..process import stop_marked
from ..site import audit

#: Seconds after which a temporary file belongs to nobody; each is there for milliseconds.
LITTER = 3_600.0


def reconcile(catalog: Catalog, operations: Operations) -> list[str]:
    """Close dead operations and roll lagging faces forward; return what was done, a line each."""
    done = []
    for folder, ticket in operations.unfinished_dead():
        with contextlib.suppress(HpcenvError, OSError):
            done.append(close(folder, ticket, catalog))
    _clear_claims(catalog, operations)
    with contextlib.suppress(HpcenvError, OSError):
        done += roll_forward(catalog)
    return done


def _clear_claims(catalog: Catalog, operations: Operations) -> None:
    """Take away claims that a crash left (other hosts would respect them for minutes), and half-built prefixes."""
    working: set[str] = set()
    finished: set[str] = set()
    for folder in operations.folders():
        with contextlib.suppress(HpcenvError):
            (finished if folder.status().state in FINISHED else working).add(folder.id)
    for root in {folder.parent for _, folder in catalog.trash_folders()}:
        with contextlib.suppress(HpcenvError, OSError):
            claims.clear(root, working)
            clear_leftovers(root, finished)


def close(folder: Folder, ticket: Ticket, catalog: Catalog) -> str:
    """Finish an operation for its dead worker: committed work counts, anything else is removed.

    Nothing is removed where somebody else has the claim by now, and may have begun anew.
    """
    before = folder.status()
    own = Own(folder)
    if before.state in FINISHED:
        return f"{ticket.target.name} was finished."
    stop_marked(ticket.id)
    prefix = Path(ticket.target.prefix)
    error = gone(folder, before)
    built = typed.of_value(ticket.work, builds.Work) if ticket.verb == "build" else None
    record = _committed(prefix, ticket.id) if built is None else _built(prefix, ticket.id)
    if record is not None:
        state, body = "succeeded", None
        if built is None:  # else there is one, and that it is behind tells that the faces may be
            catalog.records.write_copy(record)  # outside all locations only the copy leads to it
        history.note(catalog.site, record.id, ticket.verb, "Its worker died after that.", operation=ticket.id)
        if ticket.verb in rebuild.VERBS:
            rebuild.finish(typed.of_value(ticket.work, rebuild.Work), record, ticket.id, catalog.site)
    else:
        if ticket.verb in ("create", *rebuild.VERBS):  # others built nothing; what a change left, a repair puts right
            _clean(prefix, own)
        if built is not None:
            _clean(Path(built.prefix), own)
        if ticket.verb in rebuild.VERBS and ticket.work.get("aside"):
            rebuild.put_back(ticket.target.id, prefix)
        state = "cancelled" if folder.cancelling else "interrupted"
        body = error.body()
        own.append(LogLine(at=round(seconds_since(ticket.submitted), 3), kind="error", text=error.message))
    result = {"environment": ticket.target.id, "prefix": ticket.target.prefix} if state == "succeeded" else None
    code = str(body["code"]) if body else ""
    if problem := audit.note(catalog.site, ticket.verb, ticket.target, state, error=code, operation=ticket.id):
        own.append(LogLine(at=round(seconds_since(ticket.submitted), 3), kind="warning", text=problem))
    own.finish(state, body, result)
    claims.release(Path(ticket.root), ticket.target.name, ticket.id)
    return f"{ticket.verb} {ticket.target.name}: {state}."


def _clean(prefix: Path, own: Own) -> None:
    ticket = own.ticket
    root, name = Path(ticket.root), ticket.target.name

    def guard() -> None:
        if not own.still() or not claims.renew(root, name, ticket.id):
            raise Interrupted("Another process has taken this operation over.")

    if not prefix.is_dir():
        return
    with contextlib.suppress(DiskFull):  # then the old claim has to do: what is removed here makes room
        if not claims.adopt(root, name, ticket.id):
            try:
                claims.take(root, name, ticket.id, ticket.verb, ticket.user)
            except Busy:
                return
    clear_ground(prefix, ticket.id, guard)


def _committed(prefix: Path, operation: str) -> Record | None:
    with contextlib.suppress(OSError, HpcenvError):
        record = decode(read_regular(prefix / RECORD), Record, str(prefix))
        return record if record.operation == operation else None
    return None


def _built(prefix: Path, operation: str) -> Record | None:
    """Return the record of the environment that has the operation's build; None where that was not committed."""
    with contextlib.suppress(OSError, HpcenvError):
        record = decode(read_regular(prefix / RECORD), Record, str(prefix))
        return record if builds.committed(record, operation) else None
    return None


def clear_litter(catalog: Catalog, operations: Operations) -> int:
    """Remove temporary files that crashes left in our folders, and keys of operations that are forgotten.

    Old ones of this user alone, by the file server's clock: a writer that lives is seconds from its rename.
    """
    data = catalog.site.data_dir
    folders = [data / "environments", operations.root, *(folder.path for folder in operations.folders())]
    folders += [folder.parent / ".hpcenv" / "claims" for _, folder in catalog.trash_folders()]
    folders += [Path(row.prefix) / ".hpcenv" for row in catalog.environments() if row.origin == "own"]
    cleared = sum(clear_temporary(folder, LITTER) for folder in folders)
    cleared += clear_temporary(data / "publish", LITTER, everything=True)  # kernelspecs that are half built
    return cleared + operations.forget_keys(LITTER)


def empty_expired(catalog: Catalog) -> int:
    """Mark what the trash has kept long enough, and remove what is marked; return how many went."""
    for item in catalog.trash():
        if seconds_since(item.deleted) > catalog.site.trash_days * 86_400:
            with contextlib.suppress(HpcenvError):
                mark_gone(catalog, item)
    return sweep(catalog)
