"""Read which environments lie in a folder, for one stat a record while nothing changes.

Rows are kept between lists and handed out again as the same objects. What a row says comes from its record, whose
stat is compared each time, from the kernelspecs and from its interpreter; so nothing that is kept can be stale.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..errors import BrokenRecord, NewerRecord
from ..files import is_silent, unreadable
from ..models import Environment, EnvironmentState, Record
from ..names import NAME_PATTERN
from .records import RECORD, SETTLED, Records, Stamp, stamp_of
from .rows import Look, row_at, unusable_row

_RECORD = str(RECORD)


class _Row(NamedTuple):
    """A row and what it was made from."""

    stamp: Stamp
    record: Record
    stood: tuple[bool, tuple[str, ...]]
    row: Environment


class _Names(NamedTuple):
    """The names of folders in a folder, and until when they tell of it."""

    stamp: Stamp
    """Of the folder."""
    since: float
    """When this stamp was first seen, by our own watch: clocks of file servers may be wrong, and coarse."""
    listed: float
    """When the names were read."""
    ordered: list[str]
    """What can be shown, by name."""


class _Folder(NamedTuple):
    """What was found in a folder last time."""

    names: _Names
    published: Mapping[str, str]
    rows: dict[str, _Row]
    """Those that can not be used are made anew each time."""


class Places:
    """The environments of folders as one user sees them; safe to use from threads."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._folders: dict[str, _Folder] = {}
        self._uid = os.geteuid()

    def in_folder(self, folder: Path, location: str, look: Look) -> list[Environment]:
        """Return the rows of what lies in *folder*, by name; raises OSError where it can not be read."""
        root = str(folder)
        kept = self._folders.get(root) or _Folder(_NONE, {}, {})
        rows = kept.rows if kept.published is look.published else {}
        fresh: dict[str, _Row] = {}
        found: list[Environment] = []
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            names = _names(descriptor, kept.names)
            for name in names.ordered:
                try:  # below an open folder, the kernel walks three names instead of a dozen
                    facts = os.stat(f"{name}/{_RECORD}", dir_fd=descriptor, follow_symlinks=False)
                except (FileNotFoundError, NotADirectoryError):
                    continue
                except OSError:
                    row, record = self._read(f"{root}/{name}", location, look)
                else:
                    stamp = stamp_of(facts)
                    known = rows.get(name)
                    if known is not None and known.stamp == stamp and known.stood == look.stands(known.record):
                        fresh[name] = known
                        found.append(known.row)
                        continue
                    row, record = self._read(f"{root}/{name}", location, look, facts)
                    if row is not None and record is not None:
                        fresh[name] = _Row(stamp, record, look.stands(record), row)
                if row is not None:
                    found.append(row)
        finally:
            with contextlib.suppress(OSError):  # what was read is read
                os.close(descriptor)
        self._folders[root] = _Folder(names, look.published, fresh)
        return found

    def at(self, place: str, location: str, look: Look) -> Environment | None:
        """Return the row of what lies at *place*, or None where no environment of ours does."""
        return self._read(place, location, look)[0]

    def _read(
        self, place: str, location: str, look: Look, facts: os.stat_result | None = None
    ) -> tuple[Environment | None, Record | None]:
        """Return row and record; no record where it can not be used, neither where there is none."""
        try:
            record, uid = self._records.read(place, facts)
        except (FileNotFoundError, NotADirectoryError):
            return None, None
        except NewerRecord as error:
            return unusable_row(Path(place), location, "newer", error), None
        except BrokenRecord as error:
            state: EnvironmentState = "slow" if is_silent(error) else "broken"
            return unusable_row(Path(place), location, state, error), None
        except OSError as error:
            if error.errno == errno.EACCES and self._is_anothers(place):
                return None, None  # somebody's own; who uses it and may not any more is told by what is kept of it
            return unusable_row(Path(place), location, "slow", unreadable(error, Path(place))), None
        return row_at(place, location, record, look, own=uid == self._uid), record

    def _is_anothers(self, place: str) -> bool:
        try:
            return os.lstat(place).st_uid != self._uid
        except OSError:  # the folder that it is in is closed
            return False


_NONE = _Names((0, 0, 0, 0, 0), 0.0, 0.0, [])


def _names(descriptor: int, kept: _Names) -> _Names:
    """Return the names in an open folder, read again unless its stat had settled when they were read last."""
    now, stamp = time.monotonic(), stamp_of(os.fstat(descriptor))
    if stamp != kept.stamp:
        kept = _Names(stamp, now, now, [])
    elif kept.listed - kept.since > SETTLED:
        return kept
    with os.scandir(descriptor) as entries:
        shown = [entry for entry in entries if entry.name[0] != "."]
        names = {e.name: e.name for e in shown if e.is_dir(follow_symlinks=False)}
        names |= {e.name: release for e in shown if e.is_symlink() and (release := _release(e.name, descriptor))}
    return kept._replace(listed=now, ordered=[names[n] for n in sorted(filter(_is_text, names), key=str.lower)])


def _release(name: str, descriptor: int) -> str:
    """Return the place of the release that a link of a manifest's leads to; empty for any other link: none is followed.

    Such a link is recognised by what stands in it: ``.versions/<name>/<release>``, beside it.
    """
    with contextlib.suppress(OSError):
        target = os.readlink(name, dir_fd=descriptor)
        above, _, release = target.rpartition("/")
        if above == f".versions/{name}" and re.fullmatch(NAME_PATTERN, release):
            return target
    return ""


def _is_text(name: str) -> bool:
    """Tell whether a name can be shown and sent at all; names of files are bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
