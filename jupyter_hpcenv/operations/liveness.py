"""Judge whether an unfinished operation still has its worker.

Where the worker is a job, the batch system decides. Else on the worker's own host the process does, elsewhere
silence, by the file server's clock. Age
alone never proves death on the same host: a stopped worker may wake, and the fencing id then stops it.
No clock of a host is asked: that of who submitted may be a day off.
"""

from __future__ import annotations

import socket

from ..claims import STALE
from ..files import Watch
from ..models import FINISHED, Status, Ticket
from ..process import is_alive, is_marked
from .folder import Folder
from .queue import is_over, job_of

#: Seconds from the submission in which a worker of this host must have been started.
STARTUP = 60.0

_watch = Watch()


def is_dead(folder: Folder, status: Status, ticket: Ticket) -> bool:
    """Tell whether nobody will ever finish this operation."""
    if status.state in FINISHED:
        return False
    if not status.closing and (job := job_of(folder, ticket)) is not None:
        return is_over(folder, job)
    if status.process is None:
        here = ticket.host == socket.gethostname()
        return _silence(folder) > (STARTUP if here else STALE) and not (here and is_marked(ticket.id))
    alive = is_alive(status.process)
    if alive is not None:
        return not alive
    return _silence(folder) > STALE


def _silence(folder: Folder) -> float:
    status = folder.path / "status.json"
    return _watch.silence(status if status.exists() else folder.path / "operation.json")
