"""Notice environments that came, went or changed, by the stats of the folders that every change touches."""

from __future__ import annotations

import os
from collections.abc import Callable
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..errors import HpcenvError
from ..models import Environment
from ..site.locations import root_of
from . import numbers
from .poller import Poller

if TYPE_CHECKING:
    from ..admission import Admission

SCHEMA = "https://events.jupyter-hpcenv.org/environment/v1"
INTERVAL = 2.0

Change = Literal["created", "changed", "deleted", "restored", "removed"]


class Seen(NamedTuple):
    """What was there at one look: rows by id, and (name, location) of what lies in the trash."""

    rows: dict[str, Environment]
    trash: dict[str, tuple[str, str]]


class EnvironmentsPoller(Poller):
    """Compares what there is with what there was, when a folder's stat says that it may differ."""

    def __init__(
        self,
        open_desk: Callable[[], Admission],
        tell: Callable[[str, dict[str, Any]], None],
        log: Logger | LoggerAdapter[Any],
    ) -> None:
        super().__init__("watcher of environments", log)
        self._open_desk = open_desk
        self._tell = tell
        self._stamps: dict[Path, tuple[int, int]] = {}
        self._seen: Seen | None = None
        self._asked = False

    def wake(self) -> None:
        """Compare at the next look whatever the stats say: a clock of a file server may be coarse."""
        self._asked = True
        super().wake()

    def look(self) -> float:
        """Tell each difference to the look before; the first look only remembers."""
        desk = self._open_desk()
        asked, self._asked = self._asked, False
        asked |= desk.catch_up()
        stamps = {folder: _stamp(folder) for folder in _folders(desk)}
        if self._seen is not None and stamps == self._stamps and not asked:
            return INTERVAL
        seen = _seen(desk)
        if self._seen is not None:
            for identifier, name, location, change in differences(self._seen, seen):
                data = {"environment_id": identifier, "name": name, "location": location, "action": change}
                self._tell(SCHEMA, data)
                numbers.count_change(change)
        numbers.show_environments(seen.rows.values())
        self._stamps, self._seen = stamps, seen
        return INTERVAL


def differences(before: Seen, after: Seen) -> list[tuple[str, str, str, Change]]:
    """Return (id, name, location, what happened) for each environment that is not as it was."""
    found: list[tuple[str, str, str, Change]] = []
    for identifier, row in after.rows.items():
        if identifier not in before.rows:
            found.append((identifier, row.name, row.location, "restored" if identifier in before.trash else "created"))
        elif before.rows[identifier] != row:
            found.append((identifier, row.name, row.location, "changed"))
    for identifier, row in before.rows.items():
        if identifier not in after.rows:
            found.append((identifier, row.name, row.location, "deleted" if identifier in after.trash else "removed"))
    for identifier, (name, location) in before.trash.items():
        if identifier not in after.trash and identifier not in after.rows:
            found.append((identifier, name, location, "removed"))
    return found


def _seen(desk: Admission) -> Seen:
    rows = {row.id: row for row in desk.catalog.environments() if row.origin != "foreign"}
    return Seen(rows, {item.id: (item.name, item.location) for item in desk.catalog.trash()})


def _folders(desk: Admission) -> list[Path]:
    """Return the folders of which at least one gets or loses an entry at every change."""
    folders = [desk.site.kernels_dir, desk.site.data_dir / "environments"]
    for location in desk.site.locations:
        try:
            folders.append(root_of(desk.site, location))
        except HpcenvError:
            continue  # a variable in it is not set here
    return [*folders, *(folder for _, folder in desk.catalog.trash_folders())]


def _stamp(folder: Path) -> tuple[int, int]:
    try:
        facts = os.stat(folder)  # noqa: PTH116
    except OSError:
        return (0, 0)
    return (facts.st_mtime_ns, facts.st_ino)
