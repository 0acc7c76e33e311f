"""Write down exactly what is in an environment, for the day on which its prefix is gone."""

from __future__ import annotations

from pathlib import Path

from ..catalog import lockfiles
from ..catalog.lockfiles import Lockfile
from ..errors import HpcenvError
from ..managers.contract import Manager
from ..models import Contents, Record, Reporter
from ..site import Site


def keep(record: Record, manager: Manager, site: Site, report: Reporter | None = None) -> None:
    """Keep what is in the prefix of *record* now; without it a rebuild has what was asked for, so none of it fails."""
    try:
        lockfiles.write(taken(record, manager), site)
    except (HpcenvError, OSError) as error:
        if report is not None:
            why = error.message if isinstance(error, HpcenvError) else str(error)
            report.line("warning", f"Its exact packages were not written down for a rebuild: {why}")


def taken(record: Record, manager: Manager) -> Lockfile:
    """Return exactly what is in the prefix of *record* now, as far as that can be told."""
    there = manager.list_packages(Path(record.prefix)) if record.manager != "modules" else []
    contents = manager.exact(record) if record.manager != "modules" else Contents(kind="modules")
    return Lockfile(
        environment=record.id,
        revision=record.revision,
        contents=contents,
        versions={each.name: each.version for each in there},
    )
