"""Read and write records, and the copies of them that outlive a purged prefix.

The record beside the environment is the truth; the copy in the user's data folder tells what a vanished
one was. What another user wrote is read strictly, and where it lay decides over what it says.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from ..errors import BrokenRecord, NewerRecord
from ..files import decode, is_silent, make_private, read_regular, unreadable, write_json
from ..models import Record
from ..names import is_environment_id
from ..site import Site
from . import earlier, history, lockfiles

RECORD = Path(".hpcenv") / "environment.json"
_RECORD = str(RECORD)

#: Seconds after its last change from which a folder's stat is taken to tell of the next one.
SETTLED = 2.0


#: What a stat says of a file's content and owner: while this stays, so does what was read.
Stamp = tuple[int, int, int, int, int]


def stamp_of(facts: os.stat_result) -> Stamp:
    """Return what tells one state of a file from another."""
    return (facts.st_mtime_ns, facts.st_ino, facts.st_size, facts.st_dev, facts.st_uid)


class Records:
    """The records of one user, with a cache that costs one stat a record; safe to use from threads."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._cache: dict[str, tuple[Stamp, Record | BrokenRecord, int]] = {}
        # the folder's stat once it has settled, what was read by file name, and the same by id; replaced as one
        self._kept_copies: tuple[tuple[int, int] | None, Mapping[str, tuple[Stamp, Record]], Mapping[str, Record]]
        self._kept_copies = (None, {}, {})
        self._guard = threading.Lock()

    def read(self, prefix: Path | str, facts: os.stat_result | None = None) -> tuple[Record, int]:
        """Return the record at *prefix* and the uid that owns it; *facts* is its stat, if that was just taken.

        Raises FileNotFoundError where there is none, `NewerRecord` or `BrokenRecord` for one that can
        not be used.
        """
        path = f"{prefix}/{_RECORD}"  # a text: a Path takes longer to make than the stat does
        if facts is None:
            facts = os.stat(path, follow_symlinks=False)  # noqa: PTH116  one stat, and not through a link
        key = stamp_of(facts)
        with self._guard:
            known = self._cache.get(path)
        if known is None or known[0] != key:
            known = (key, self._load(Path(path)), facts.st_uid)
            if not (isinstance(known[1], BrokenRecord) and is_silent(known[1])):  # an error of the moment
                with self._guard:
                    self._cache[path] = known
        if isinstance(known[1], BrokenRecord):
            raise known[1]
        return known[1], known[2]

    def seen(self, prefix: str) -> Record | None:
        """Return the record at *prefix* as it was last read, without a look at the disk; None if it can not be used."""
        with self._guard:
            known = self._cache.get(f"{prefix}/{_RECORD}")
        return known[1] if known is not None and isinstance(known[1], Record) else None

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
        """Yield the copies of this user's records; unreadable ones are left out and left alone."""
        yield from self.copies_by_id().values()

    def copies_by_id(self) -> Mapping[str, Record]:
        """Return the copies by the id that they tell; the same object while nothing changes.

        Copies come, change and go by renames, so while the folder's own stat stays as it is, they do too.
        """
        folder = self._copies
        found: dict[str, tuple[Stamp, Record]] = {}
        whole = True
        try:
            facts = folder.stat()
            stamp = (facts.st_mtime_ns, facts.st_ino)
            settled, before, copies = self._kept_copies
            if settled == stamp:
                return copies
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:  # below an open folder a stat takes half as long
                names = sorted(name for name in os.listdir(descriptor) if name.endswith(".json"))  # noqa: PTH208
                for name in names:
                    known = before.get(name)
                    if known is None and not is_environment_id(name[:-5]):
                        continue
                    try:
                        key = stamp_of(os.stat(name, dir_fd=descriptor, follow_symlinks=False))
                        if known is None or known[0] != key:
                            known = (key, decode(read_regular(folder / name), Record, f"{folder}/{name}"))
                        found[name] = known
                    except (BrokenRecord, NewerRecord, FileNotFoundError) as error:
                        whole = False
                        if known is not None and is_silent(error):
                            found[name] = known  # what it was, until its file server answers again
            finally:
                with contextlib.suppress(OSError):  # what was read is read
                    os.close(descriptor)
        except OSError as error:
            raise unreadable(error, folder) from error
        if found != before:
            copies = {copy.id: copy for _, copy in found.values()}
        whole = whole and time.time() - facts.st_mtime > SETTLED  # clocks of filesystems are coarse
        self._kept_copies = (stamp if whole else None, found, copies)
        return copies

    def remembers(self, identifier: str) -> bool:
        """Tell whether there is a copy of that environment's record now."""
        return (self._copies / f"{identifier}.json").exists()

    def forget(self, identifier: str) -> None:
        """Remove the copy of a record: the environment is gone for good."""
        if is_environment_id(identifier):
            (self._copies / f"{identifier}.json").unlink(missing_ok=True)
            lockfiles.forget(identifier, self._site)
            history.forget(identifier, self._site)
            earlier.forget(identifier, self._site)

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
