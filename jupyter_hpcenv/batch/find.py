"""Find the batch system that the site has."""

from __future__ import annotations

from ..errors import BatchUnavailable
from .contract import BatchSystem

GROUP = "jupyter_hpcenv.batch_systems"


def load_batch_system(name: str = "auto") -> BatchSystem:
    """Return the batch system *name*, or for “auto” the first whose programs are there; raises `BatchUnavailable`."""
    from importlib.metadata import entry_points  # takes a while to import, and few sites' every call needs it

    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    for known in sorted(found) if name == "auto" else [name] if name in found else []:
        system = found[known].load()()
        if name != "auto" or system.is_there():
            if not system.is_there():
                break
            return system  # type: ignore[no-any-return]
    if name == "auto":
        raise BatchUnavailable(
            "This machine has no batch system that we know.",
            hints=["Build here, without a partition; or ask your site's staff where jobs are submitted from."],
        )
    raise BatchUnavailable(
        f"The batch system “{name}” is not there: "
        + ("its programs are not on PATH." if name in found else f"known are {', '.join(sorted(found)) or 'none'}."),
        hints=["Your site's staff set c.Site.batch_system."],
    )
