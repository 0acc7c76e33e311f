"""List and find environments: ours by their records, those of other tools by their files.

Nothing here starts a program or measures sizes. A location that can not be read hides nothing else.
"""

from __future__ import annotations

import contextlib
import os
import pwd
from pathlib import Path

import msgspec

from ..errors import Ambiguous, BrokenRecord, HpcenvError, NewerRecord, NotFound
from ..models import Environment, EnvironmentDetail, Kernel, Record, TrashItem
from ..names import is_environment_id
from ..patience import Patience, Slow
from ..site import Site
from ..site.locations import ELSEWHERE, folders_of
from . import trash
from .foreign import find_foreign, foreign_id
from .records import Records


class Catalog:
    """What one user sees; the methods block on the filesystem, so doors call them in threads."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.records = Records(site)
        self._patience = Patience()
        self._uid = os.geteuid()

    def environments(self, location: str = "", name: str = "", query: str = "") -> list[Environment]:
        """Return rows, ours first, each group by name; the filters must all match."""
        rows = [*self._ours(), *(find_foreign(self.site) if not location else [])]
        words = query.lower().split()
        return [
            row
            for row in rows
            if (not location or row.location == location)
            and (not name or row.name == name)
            and all(any(word in text.lower() for text in _texts(row)) for word in words)
        ]

    def find(self, reference: str) -> EnvironmentDetail:
        """Return the one environment that *reference* means: an id, ``LOCATION/NAME`` or NAME.

        Raises `NotFound`, or `Ambiguous` with the full names.
        """
        row = self._row(reference)
        if row.origin == "foreign" or row.state in ("broken", "newer"):
            return EnvironmentDetail(**{f: getattr(row, f) for f in row.__struct_fields__})
        return self._detail(row, self._record_of(row))

    def record(self, reference: str) -> Record:
        """Return the record of an environment of ours; raises `NotFound`, `BrokenRecord`."""
        return self._record_of(self._row(reference))

    def _record_of(self, row: Environment) -> Record:
        if row.state != "missing":
            with contextlib.suppress(FileNotFoundError):
                return self._placed(self.records.read(Path(row.prefix))[0], row)
        for copy in self.records.copies():
            if copy.id == row.id:
                return copy
        raise NotFound(f"{row.name} has no record.", hints=["List the environments again."])

    @staticmethod
    def _placed(record: Record, row: Environment) -> Record:
        return msgspec.structs.replace(record, prefix=row.prefix, location=row.location)

    def _row(self, reference: str) -> Environment:
        if is_environment_id(reference):
            found = [row for row in self._ours() if row.id == reference]
            found = found or [row for row in find_foreign(self.site) if row.id == reference]
        else:
            location, _, name = reference.rpartition("/")
            found = [row for row in self._ours() if row.name == name and location in ("", row.location)]
            if not found and not location:
                found = [row for row in find_foreign(self.site) if row.name == name]
        if not found:
            raise NotFound(f"There is no environment {reference!r}.", hints=["List them to see what exists."])
        if len(found) > 1:
            names = ", ".join(f"{row.location}/{row.name}" if row.location else row.id for row in found)
            raise Ambiguous(f"{reference!r} means more than one environment.", hints=[f"Say which: {names}."])
        return found[0]

    def _ours(self) -> list[Environment]:
        published = self._published()
        pythons: dict[str, bool] = {}
        rows: dict[str, Environment] = {}
        slow: set[str] = set()
        found: list[Environment] = []
        for location in self.site.locations:
            try:
                found += self._patience.ask(location, self._in, location, published, pythons)
            except Slow:
                slow.add(location)
        copies = {copy.id: copy for copy in self.records.copies()}
        for row in sorted(found, key=lambda row: row.origin != "own"):
            known = copies.get(row.id)
            if row.id in rows or (row.origin != "own" and known is not None and known.prefix != row.prefix):
                row.id = foreign_id(Path(row.prefix))  # somebody's record says that it is another environment
            rows[row.id] = row
        places = {row.prefix for row in rows.values()}
        absent: dict[str, Record] = {}
        beside: Environment | None
        for copy in copies.values():
            if copy.id in rows or copy.prefix in places:
                continue
            beside = None
            try:
                if copy.location not in slow:
                    beside = self._patience.ask(copy.prefix, self._at, copy.prefix, copy.location, published, pythons)
            except Slow:
                slow.add(copy.location)
            if copy.location in slow:
                rows[copy.id] = self._slow(copy, published)
                continue
            if beside is not None and beside.id == copy.id:
                rows[beside.id] = beside
                continue
            if copy.platform.cluster != self.site.cluster:
                continue  # a home that clusters share: its prefix lies on another one's disk
            absent[copy.id] = copy
        for _ in range(2):  # a delete or a restore may pass by while we look in one place and then in the other
            if not absent:
                break
            trashed = {item.id for item in self.trash()} | self.marked()
            for copy in [absent.pop(identifier) for identifier in list(absent)]:
                if copy.id in trashed:
                    continue
                beside = None
                with contextlib.suppress(Slow):
                    beside = self._patience.ask(copy.prefix, self._at, copy.prefix, copy.location, published, pythons)
                if beside is not None and beside.id == copy.id:
                    rows[copy.id] = beside
                else:
                    absent[copy.id] = copy
        for copy in absent.values():
            if self.records.remembers(copy.id):  # else it was removed for good while we looked
                rows[copy.id] = self._missing(copy, published)
        return list(rows.values())

    def _in(self, location: str, published: dict[str, str], pythons: dict[str, bool]) -> list[Environment]:
        """Return the rows of one location; none where it can not be read (`locations` says why)."""
        found = []
        with contextlib.suppress(HpcenvError, OSError):
            entries = [entry for folder in folders_of(self.site, location) for entry in os.scandir(folder)]
            for entry in sorted(entries, key=lambda entry: entry.name.lower()):
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False) and _is_text(entry.path):
                    row = self._at(entry.path, location, published, pythons)
                    if row is not None:
                        found.append(row)
        return found

    def _at(self, place: str, location: str, published: dict[str, str], pythons: dict[str, bool]) -> Environment | None:
        try:
            record, uid = self.records.read(place)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except NewerRecord as error:
            return _unusable(Path(place), location, "newer", error)
        except BrokenRecord as error:
            return _unusable(Path(place), location, "broken", error)
        except OSError as error:
            return _unusable(
                Path(place), location, "broken", HpcenvError(f"{place} can not be read: {error.strerror}.")
            )
        row = self._shown(record, published, own=uid == self._uid)
        row.prefix, row.location, row.name = place, location, record.name
        if record.prefix != row.prefix:
            row.id, row.name, row.state, row.kernels = foreign_id(Path(place)), Path(place).name, "broken", []
            row.message = f"It was copied or moved here from {record.prefix}; its programs still point there."
            return row
        if record.python_path not in pythons:
            pythons[record.python_path] = os.path.exists(record.python_path)  # noqa: PTH110  once for each interpreter
        if not pythons[record.python_path]:
            row.state, row.message = "python_gone", f"Its Python {record.python} is gone from {record.python_path}."
        return row

    def _shown(self, record: Record, published: dict[str, str], *, own: bool) -> Environment:
        return Environment(
            id=record.id,
            name=record.name,
            location=record.location,
            prefix=record.prefix,
            manager=record.manager,
            installer=record.installer,
            python=record.python,
            state="ready",
            origin="own" if own else "shared",
            kernels=[
                Kernel(
                    name=kernel.name,
                    display_name=kernel.display_name,
                    path=published.get(kernel.name, ""),
                )
                for kernel in record.kernels
                if own or kernel.name in published
            ],
            display_name=record.display_name,
            owner=record.owner,
        )

    def _slow(self, copy: Record, published: dict[str, str]) -> Environment:
        row = self._shown(copy, published, own=True)
        row.state, row.message = "slow", f"The filesystem of {copy.prefix} does not answer now."
        return row

    def _missing(self, copy: Record, published: dict[str, str]) -> Environment:
        row = self._shown(copy, published, own=True)
        row.state, row.message = "missing", f"Its prefix {copy.prefix} is gone."
        return row

    def _published(self) -> dict[str, str]:
        """Return where each kernelspec of this user lies, by name; listed once for all rows."""
        folder = self.site.kernels_dir
        with contextlib.suppress(OSError):
            return {name: f"{folder}/{name}" for name in os.listdir(folder)}  # noqa: PTH208
        return {}

    def _detail(self, row: Environment, record: Record) -> EnvironmentDetail:
        values = {field: getattr(row, field) for field in row.__struct_fields__}
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
        parents: dict[str, str] = {}
        for copy in self.records.copies():
            parents.setdefault(os.path.dirname(copy.prefix), copy.location or ELSEWHERE)  # noqa: PTH120  for thousands
        for parent, location in parents.items():
            folders.setdefault(trash.folder_beside(Path(parent) / "x"), location)
        return [(location, folder) for folder, location in folders.items()]


def _is_text(path: str) -> bool:
    """Tell whether a path can be shown and sent at all; names of files are bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _texts(row: Environment) -> list[str]:
    kernels = [text for kernel in row.kernels for text in (kernel.name, kernel.display_name)]
    return [row.name, row.location, row.manager, row.python, row.state, row.display_name, *kernels]


def _unusable(prefix: Path, location: str, state: str, error: HpcenvError) -> Environment:
    try:
        uid = prefix.lstat().st_uid
        owner = pwd.getpwuid(uid).pw_name
    except (OSError, KeyError):
        uid, owner = -1, ""
    return Environment(
        id=foreign_id(prefix),
        name=prefix.name,
        location=location,
        prefix=str(prefix),
        manager="",
        installer="",
        python="",
        state="newer" if state == "newer" else "broken",
        origin="own" if uid == os.geteuid() else "shared",
        owner=owner,
        message=error.message,
    )
