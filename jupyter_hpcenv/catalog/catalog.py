"""List and find environments: ours by their records, those of other tools by their files.

Nothing here starts a program or measures sizes. A location that can not be read hides nothing else.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from .. import modules
from ..errors import Ambiguous, HpcenvError, LocationUnavailable, NotFound
from ..models import Environment, EnvironmentDetail, EnvironmentState, Record, TrashItem
from ..names import is_environment_id
from ..patience import Patience, Slow
from ..site import Site
from ..site.locations import ELSEWHERE, folders_of
from . import released, trash
from .foreign import find_foreign, foreign_id
from .places import Places
from .records import Records
from .rows import Look, damaged_row, missing_row, slow_row
from .used import Used, UsedStore, row_of, state_of


class Catalog:
    """What one user sees; the methods block on the filesystem, so doors call them in threads."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.records = Records(site)
        self.used = UsedStore(site)
        self._places = Places(self.records)
        self._patience = Patience()
        self._rows: tuple[Environment, ...] = ()
        self._looked: list[Environment] = []
        self._compared: tuple[list[Environment], Mapping[str, Record] | None, list[Environment]] = ([], None, [])
        self._known_parents: tuple[Mapping[str, Record], dict[str, str]] = ({}, {})
        self._kernels: tuple[list[str], Mapping[str, str]] = ([], {})

    def rows(self) -> tuple[Environment, ...]:
        """Return all rows, ours first, each group by name; the same object while nothing changes.

        Every call looks at the disk; only the making of what did not change is saved. So who keeps something
        that was made from the rows, as the server keeps their JSON, can go by `is`.
        """
        rows = (*self._ours(), *self._others())
        if rows == self._rows:
            return self._rows
        self._rows = rows
        return rows

    def environments(self, location: str = "", name: str = "", query: str = "") -> list[Environment]:
        """Return the rows that match all filters; those of other tools are in no location."""
        rows: Sequence[Environment] = self._ours() if location else self.rows()
        if location:
            rows = [row for row in rows if row.location == location]
        if name:
            rows = [row for row in rows if row.name == name or self._leads(name, row)]
        words = query.lower().split()
        if words:
            rows = [row for row in rows if all(any(word in text.lower() for text in _texts(row)) for word in words)]
        return list(rows)

    def find(self, reference: str) -> EnvironmentDetail:
        """Return the one environment that *reference* means: an id, ``LOCATION/NAME`` or NAME.

        The name of an environment with releases means the one that everybody is given now.

        Raises `NotFound`, or `Ambiguous` with the full names.
        """
        row = self._row(reference)
        if row.origin == "foreign" or row.state in ("broken", "newer") or self._is_unknown(row):
            return EnvironmentDetail(**{f: getattr(row, f) for f in row.__struct_fields__})
        return self._detail(row, self._record_of(row))

    def record(self, reference: str) -> Record:
        """Return the record of an environment of ours; raises `NotFound`, `BrokenRecord`."""
        return self._record_of(self._row(reference))

    def _record_of(self, row: Environment) -> Record:
        if row.origin == "adopted" or (row.origin == "shared" and row.state in ("missing", "slow")):
            return self.used.get(row.id).record  # who uses it has kept what it is
        kept = row.state == "broken" and self.records.remembers(row.id)  # it is damaged where it lies
        if row.state not in ("missing", "slow") and not kept:
            with contextlib.suppress(FileNotFoundError):
                return self._placed(self.records.read(Path(row.prefix))[0], row)
        for copy in self.records.copies():
            if copy.id == row.id:
                return copy
        raise NotFound(f"{row.name} has no record.", hints=["List the environments again."])

    def _is_unknown(self, row: Environment) -> bool:
        """Tell whether neither a record nor a copy of one says what an environment is, because of its filesystem."""
        return row.state == "slow" and not self.records.remembers(row.id)

    @staticmethod
    def _placed(record: Record, row: Environment) -> Record:
        return msgspec.structs.replace(record, prefix=row.prefix, location=row.location)

    def _row(self, reference: str) -> Environment:
        if is_environment_id(reference):
            found = [row for row in self._ours() if row.id == reference]
            found = found or [row for row in self._others() if row.id == reference]
        else:
            location, _, name = reference.rpartition("/")
            found = [row for row in self._ours() if row.name == name and location in ("", row.location)]
            if not found:
                found = [row for row in self._ours() if location in ("", row.location) and self._leads(name, row)]
            if not found and not location:
                found = [row for row in self._others() if row.name == name]
        if not found:
            raise NotFound(f"There is no environment {reference!r}.", hints=["List them to see what exists."])
        if len(found) > 1:
            names = ", ".join(f"{row.location}/{row.name}" if row.location else row.id for row in found)
            raise Ambiguous(f"{reference!r} means more than one environment.", hints=[f"Say which: {names}."])
        return found[0]

    def _leads(self, name: str, row: Environment) -> bool:
        """Tell whether *name* is what everybody calls the release that *row* is."""
        if not released.may_be(row.prefix, name) or row.state in ("missing", "slow"):
            return False
        with contextlib.suppress(Slow):
            return bool(self._patience.ask(f"link {row.prefix}", released.link_to, row.prefix))
        return False

    def _ours(self) -> list[Environment]:
        """Return the rows in locations, with what is used of others and is gone by now."""
        rows = self.compared()[0]
        used = [each for each in self.used.all().values() if each.kind == "used"]
        if used:
            known, places = {row.id for row in rows}, {row.prefix for row in rows}
            lost = [each for each in used if each.record.id not in known and each.record.prefix not in places]
            rows += map(self._used_row, lost)
        return rows

    def _others(self) -> list[Environment]:
        """Return the environments of other tools; those that were adopted as what they are here."""
        adopted = {key: each for key, each in self.used.all().items() if each.kind == "adopted"}
        found = [row for row in find_foreign(self.site) if row.id not in adopted]
        return [*map(self._used_row, adopted.values()), *found]

    def _used_row(self, used: Used) -> Environment:
        state: EnvironmentState = "slow"
        with contextlib.suppress(Slow):
            state = self._patience.ask(f"used {used.record.prefix}", state_of, used)
        return row_of(used, self._published(), state)

    def compared(self) -> tuple[list[Environment], Mapping[str, Record]]:
        """Return the rows of ours, and by id the copies of records that they were compared with in the same look."""
        look = Look(self._published(), modules.target(self.site), self.site)
        rows: dict[str, Environment] = {}
        slow: set[str] = set()
        found: list[Environment] = []
        for location in self.site.locations:
            try:
                found += self._patience.ask(location, self._in, location, look)
            except Slow:
                slow.add(location)
        copies = self.records.copies_by_id()
        if not slow and copies is self._compared[1] and found == self._compared[0]:
            self._looked = self._compared[2]
            return list(self._looked), copies
        within = not slow
        met: set[str] = set()
        for row in sorted(found, key=lambda row: row.origin != "own"):
            if row.prefix in met:
                continue  # two locations have one folder; the first that is configured counts
            met.add(row.prefix)
            row = self._known_by_copy(row, copies, look)
            known = copies.get(row.id)
            if row.id in rows or (row.origin != "own" and known is not None and known.prefix != row.prefix):
                # somebody's record says that it is another environment
                row = msgspec.structs.replace(row, id=foreign_id(Path(row.prefix)))
            rows[row.id] = row
        places = {row.prefix for row in rows.values() if row.state != "slow"}
        unread = {row.prefix: row for row in rows.values() if row.state == "slow"}
        absent: dict[str, Record] = {}
        beside: Environment | None
        for identifier in sorted(copies.keys() - rows.keys()):
            copy = copies[identifier]
            if copy.prefix in places:
                continue
            within = False
            beside = unread.get(copy.prefix)
            if beside is not None:
                rows.pop(beside.id, None)  # the copy says more than the place does now
            try:
                if beside is None and copy.location not in slow:
                    beside = self._patience.ask(copy.prefix, self._places.at, copy.prefix, copy.location, look)
            except Slow:
                slow.add(copy.location)
            if copy.location in slow:
                rows[copy.id] = slow_row(copy, look)
                continue
            if beside is not None and beside.state == "slow":
                rows[copy.id] = slow_row(copy, look, beside.message)
                continue
            if beside is not None:
                beside = self._known_by_copy(beside, copies, look)
            if beside is not None and beside.id == copy.id:
                rows[beside.id] = beside
                continue
            if copy.platform.cluster != self.site.cluster:
                continue  # a home that clusters share: its prefix lies on another one's disk
            absent[copy.id] = copy
        for _ in range(2):  # a delete or a restore may pass by while we look in one place and then in the other
            if not absent:
                break
            try:
                trashed = {item.id for item in self.trash()} | self.marked()
            except LocationUnavailable as error:  # it may lie there: that it is gone would be a guess
                rows.update((copy.id, slow_row(copy, look, error.message)) for copy in absent.values())
                absent.clear()
                break
            for copy in [absent.pop(identifier) for identifier in list(absent)]:
                if copy.id in trashed:
                    continue
                beside = None
                with contextlib.suppress(Slow):
                    beside = self._patience.ask(copy.prefix, self._places.at, copy.prefix, copy.location, look)
                if beside is not None and beside.state == "slow":
                    rows[copy.id] = slow_row(copy, look, beside.message)
                elif beside is not None and beside.id == copy.id:
                    rows[copy.id] = beside
                else:
                    absent[copy.id] = copy
        for copy in absent.values():
            if self.records.remembers(copy.id):  # else it was removed for good while we looked
                rows[copy.id] = missing_row(copy, look)
        if within:  # nothing was looked for outside the locations, so what lies in them and the copies decide alone
            self._compared = (found, copies, list(rows.values()))
        self._looked = list(rows.values())
        return list(self._looked), copies

    def _known_by_copy(self, row: Environment, copies: Mapping[str, Record], look: Look) -> Environment:
        """Return what a prefix of one's own is whose record is damaged, if a copy tells it; else the row as it is."""
        if row.state != "broken" or row.origin != "own" or row.manager:
            return row
        for copy in copies.values():
            if copy.prefix == row.prefix and copy.platform.cluster == self.site.cluster:
                return damaged_row(copy, look, row.message)
        return row

    def is_behind(self, row: Environment, copies: Mapping[str, Record]) -> bool:
        """Tell, by what was read last, whether a change was written into the record of *row* and not into its copy.

        The copy is written last, so launch script, kernel and activation files may not have followed either.
        """
        record, copy = self.records.seen(row.prefix), copies.get(row.id)
        usable = row.origin == "own" and row.state in ("ready", "module_missing")
        return usable and record is not None and (copy is None or record.revision != copy.revision)

    def behind(self) -> dict[str, int]:
        """Return the ids and revisions of environments that were behind at the last look; looks at copies alone."""
        copies = self.records.copies_by_id()
        found = {row.id: self.records.seen(row.prefix) for row in self._looked if self.is_behind(row, copies)}
        return {identifier: record.revision for identifier, record in found.items() if record is not None}

    def _in(self, location: str, look: Look) -> list[Environment]:
        """Return the rows of one location; none where it can not be read (`locations` says why)."""
        found: list[Environment] = []
        with contextlib.suppress(HpcenvError, OSError):
            folders = folders_of(self.site, location)
            for folder in folders:
                found += self._places.in_folder(folder, location, look)
            if len(folders) > 1:
                found.sort(key=lambda row: os.path.basename(row.prefix).lower())  # noqa: PTH119  for thousands
        return found

    def _published(self) -> Mapping[str, str]:
        """Return where each kernelspec of this user lies, by name; the same object while nothing changes."""
        folder = self.site.kernels_dir
        try:
            names = os.listdir(folder)  # noqa: PTH208
        except OSError:
            names = []
        known = self._kernels
        if known[0] != names:
            known = self._kernels = (names, {name: f"{folder}/{name}" for name in names})
        return known[1]

    def _detail(self, row: Environment, record: Record) -> EnvironmentDetail:
        values = {field: getattr(row, field) for field in row.__struct_fields__}
        values["drift"] = modules.drift(record.modules, self.site) if record.modules else []
        values["warnings"] = []
        for field in EnvironmentDetail.__struct_fields__:
            if field not in values:
                values[field] = getattr(record, field)
        return EnvironmentDetail(**values)

    def trash(self) -> list[TrashItem]:
        """Return what can be restored, newest first."""
        found: dict[str, TrashItem] = {}
        for location, folder in self.trash_folders():
            with contextlib.suppress(Slow):
                for item in self._patience.ask(
                    f"trash {folder}", trash.list_items, folder, location, self.site.trash_days
                ):
                    found.setdefault(item.path, item)
        return sorted(found.values(), key=lambda item: item.deleted, reverse=True)

    def marked(self) -> set[str]:
        """Return the ids of what can not be restored and waits to be removed."""
        return {trash.id_of_marked(path) for _, folder in self.trash_folders() for path in trash.marked(folder)}

    def trash_folders(self) -> list[tuple[str, Path]]:
        """Return (location, folder) of every trash of this user that may exist."""
        folders: dict[Path, str] = {}
        for location in self.site.locations:
            with contextlib.suppress(HpcenvError, Slow):
                for root in self._patience.ask(f"root {location}", folders_of, self.site, location):
                    folders[trash.folder_beside(root / "x")] = location
        for parent, location in self._parents().items():
            folders.setdefault(trash.folder_beside(Path(parent) / "x"), location)
        return [(location, folder) for folder, location in folders.items()]

    def _parents(self) -> dict[str, str]:
        """Return the folders in which environments are or were, each with the name of a location."""
        copies = self.records.copies_by_id()
        known = self._known_parents
        if known[0] is not copies:
            parents: dict[str, str] = {}
            for copy in copies.values():
                parents.setdefault(copy.prefix.rpartition("/")[0], copy.location or ELSEWHERE)
            known = self._known_parents = (copies, parents)
        return known[1]


def _texts(row: Environment) -> list[str]:
    kernels = [text for kernel in row.kernels for text in (kernel.name, kernel.display_name)]
    return [row.name, row.location, row.manager, row.python, row.state, row.display_name, *kernels]
