"""Keep what a change of packages leads away from, and say afterwards that it was done; called by the worker."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from ..catalog import earlier
from ..errors import HpcenvError
from ..managers.contract import Manager
from ..models import Earlier, Record, Reporter, utc_now
from ..site import Site
from ..site.config import username


def keep(record: Record, manager: Manager, operation: str, site: Site, report: Reporter) -> Earlier | None:
    """Write down what is in the prefix of *record* before the change *operation*.

    A change is done also where that fails; it can not be undone then, and the log says so.
    """
    try:
        there = manager.list_packages(Path(record.prefix))
        found = Earlier(
            environment=record.id,
            operation=operation,
            at=utc_now(),
            user=username(),
            packages=record.packages,
            contents=manager.earlier(record),
            versions={each.name: each.version for each in there},
            sources={each.name: each.source for each in there},
        )
        earlier.write(found, site)
    except (HpcenvError, OSError) as error:
        why = error.message if isinstance(error, HpcenvError) else str(error)
        report.line("warning", f"This change can not be undone later, because what was there was not kept: {why}")
        return None
    return found


def done(kept: Earlier | None, record: Record, manager: Manager, site: Site) -> None:
    """Note that the change was done, and forget the changes before it."""
    if kept is None:
        earlier.forget(record.id, site)  # what led to an earlier state leads there no more
        return
    with contextlib.suppress(HpcenvError, OSError):  # without it, nobody knows whether another tool changed it since
        there = manager.list_packages(Path(record.prefix))
        same = {each.name: (each.version, each.source) for each in there} == {
            name: (version, kept.sources.get(name)) for name, version in kept.versions.items()
        }
        if same and record.packages == kept.packages:
            earlier.drop(kept.environment, kept.operation, site)  # it changed nothing: the one before can be undone
            return
        earlier.write(msgspec.structs.replace(kept, after={each.name: each.version for each in there}), site)
    earlier.forget(record.id, site, but=kept.operation)


def not_done(kept: Earlier | None, site: Site) -> None:
    """Forget what was kept for a change that failed."""
    if kept is not None:
        earlier.drop(kept.environment, kept.operation, site)
