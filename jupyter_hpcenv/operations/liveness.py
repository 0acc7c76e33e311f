"""Judge whether an unfinished operation still has its worker.

On the worker's own host the process decides; elsewhere silence does, by the file server's clock. Age
alone never proves death on the same host: a stopped worker may wake, and the fencing id then stops it.
"""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

from ..claims import STALE
from ..models import FINISHED, Status
from ..process import is_alive
from .folder import Folder, seconds_since

#: Seconds that a worker may take from being submitted to its first status.
STARTUP = 60.0


def is_dead(folder: Folder, status: Status, submitted: str) -> bool:
    """Tell whether nobody will ever finish this operation."""
    if status.state in FINISHED:
        return False
    if status.process is None:
        return seconds_since(submitted) > STARTUP
    alive = is_alive(status.process)
    if alive is not None:
        return not alive
    return _silence(folder.path / "status.json") > STALE


def _silence(path: Path) -> float:
    probe = path.with_name(f".tmp-{secrets.token_hex(6)}")
    try:
        probe.touch(exist_ok=False)
        now = probe.stat().st_mtime
        return now - path.stat().st_mtime
    except OSError:
        return 0.0
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
