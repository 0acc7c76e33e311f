"""Read and write records, and the copies of them that outlive a purged prefix.

The record beside the environment is the truth; the copy in the user's data folder tells what a vanished
one was. What another user wrote is read strictly, and where it lay decides over what it says.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from ..errors import BrokenRecord, NewerRecord
from ..files import decode, make_private, read_regular, write_json
from ..models import Record
from ..names import is_environment_id
from ..site import Site

RECORD = Path(".hpcenv") / "environment.json"
_RECORD = str(RECORD)

#: Seconds after its last change from which a folder's stat is taken to tell of the next one.
_SETTLED = 2.0


class Records:
    """The records of one user, with a cache that costs one stat a record; safe to use from threads."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._cache: dict[str, tuple[tuple[int, int, int, int], Record | BrokenRecord, int]] = {}
        self._copies_cache: dict[str, tuple[tuple[int, int], Record]] = {}
        self._all_copies: tuple[tuple[int, int], list[Record]] | None = None
        self._guard = threading.Lock()

    def read(self, prefix: Path | str) -> tuple[Record, int]:
        """Return the record at *prefix* and the uid that owns it.

        Raises FileNotFoundError where there is none, `NewerRecord` or `BrokenRecord` for one that can
        not be used.
        """
        path = f"{prefix}/{_RECORD}"  # a text: a Path takes longer to make than the stat does
        facts = os.stat(path, follow_symlinks=False)  # noqa: PTH116  one stat, and not through a link
        key = (facts.st_mtime_ns, facts.st_ino, facts.st_size, facts.st_dev)
        with self._guard:
            known = self._cache.get(path)
        if known is None or known[0] != key:
            known = (key, self._load(Path(path)), facts.st_uid)
            with self._guard:
                self._cache[path] = known
        if isinstance(known[1], BrokenRecord):
            raise known[1]
        return known[1], known[2]

    def _load(self, path: Path) -> Record | BrokenRecord:
        try:
            _check_whole(path)
            record = decode(read_regular(path), Record, str(path))
            if not is_environment_id(record.id):
                return BrokenRecord(f"{path} is damaged: its id is no environment id.")
            return record
        except BrokenRecord as error:
            return error

    def write(self, record: Record, guard: Callable[[], None] | None = None) -> None:
        """Commit *record* beside the environment, unless *guard* raises; `write_copy` follows."""
        path = Path(record.prefix) / RECORD
        path.parent.mkdir(mode=0o755, exist_ok=True)
        write_json(path, record, 0o644, guard)

    def write_copy(self, record: Record) -> None:
        """Write the copy that outlives the prefix, in the user's data folder.

        A change writes it last, so a copy of another revision tells that the faces may lag.
        """
        write_json(self._copies / f"{record.id}.json", record)

    def copies(self) -> Iterator[Record]:
        """Yield the copies of this user's records; unreadable ones are left out and left alone.

        Copies come, change and go by renames, so while the folder's own stat stays as it is, they do too.
        """
        folder = self._copies
        facts = folder.stat()
        stamp = (facts.st_mtime_ns, facts.st_ino)
        known = self._all_copies
        if known is not None and known[0] == stamp:
            yield from known[1]
            return
        found, whole = [], True
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if not entry.name.endswith(".json") or not is_environment_id(entry.name[:-5]):
                continue
            try:
                found.append(self._copy(Path(entry.path), entry.stat(follow_symlinks=False)))
            except (BrokenRecord, NewerRecord, FileNotFoundError):
                whole = False
        if whole and time.time() - facts.st_mtime > _SETTLED:  # clocks of filesystems are coarse
            self._all_copies = (stamp, found)
        yield from found

    def _copy(self, path: Path, facts: os.stat_result) -> Record:
        key = (facts.st_mtime_ns, facts.st_ino)
        with self._guard:
            known = self._copies_cache.get(path.name)
        if known is None or known[0] != key:
            known = (key, decode(read_regular(path), Record, str(path)))
            with self._guard:
                self._copies_cache[path.name] = known
        return known[1]

    def remembers(self, identifier: str) -> bool:
        """Tell whether there is a copy of that environment's record now."""
        return (self._copies / f"{identifier}.json").exists()

    def forget(self, identifier: str) -> None:
        """Remove the copy of a record: the environment is gone for good."""
        if is_environment_id(identifier):
            (self._copies / f"{identifier}.json").unlink(missing_ok=True)

    @property
    def _copies(self) -> Path:
        return make_private(self._site.data_dir / "environments")


def _check_whole(path: Path) -> None:
    """Raise `BrokenRecord` unless record, its folder and the prefix are one owner's own, and no link.

    A link to somebody's record must not make another prefix pass for that environment; a hard link of it
    differs in its owner from the folder that it lies in.
    """
    record, folder, prefix = path.lstat(), path.parent.lstat(), path.parent.parent.lstat()
    if not stat.S_ISDIR(folder.st_mode):
        raise BrokenRecord(f"{path} is linked from elsewhere.")
    if not record.st_uid == folder.st_uid == prefix.st_uid:
        raise BrokenRecord(f"{path} belongs to another user than its prefix.")


def revised(record: Record, **changes: object) -> Record:
    """Return a copy of *record* with *changes* and the next revision."""
    return msgspec.structs.replace(record, revision=record.revision + 1, **changes)
