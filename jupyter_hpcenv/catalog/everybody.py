"""Walk the environments of everybody, as far as they can be read; `jupyter hpcenv report` shows them to staff.

All that is read was written by others: links below a location are not followed, a record is read as strictly as any,
its owner is who owns the file, and one that is damaged is listed as that.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import os
import pwd
import re
import stat
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

import msgspec

from ..errors import BrokenRecord, HpcenvError, NewerRecord, NotFound
from ..models import Environment, Record
from ..patience import Slow
from ..site import Site
from ..site.locations import expand
from .records import RECORD, Records
from .sizes import Sizes, weigh

#: What of a location's root is another one for each user; it stands for all of them here.
_EACH = re.compile(r"\{(?:username|group|python_version)\}|\$(?:USER|LOGNAME|GROUP)\b|\$\{(?:USER|LOGNAME|GROUP)\}")
_HOME = re.compile(r"^~|\{data_dir\}|\$HOME\b|\$\{HOME\}")
#: Any other variable, such as $SCRATCH: what it is for others is known to their sessions alone.
_VARIABLE = re.compile(r"\$\w+|\$\{\w+\}")

#: Where releases of one environment lie beside each other, below the folder that the links to them are in.
_RELEASES = ".versions"

#: What says that something is not there, and not that it can not be looked at.
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR)

#: What may follow what was asked for, where that ends within a version: gcc/12 means gcc/12.3.0 and not gcc/120.
_AFTER_VERSION = ".-_+"


class Seen(msgspec.Struct, kw_only=True):
    """An environment of anybody."""

    owner: str
    """Login name of who owns the files, or the uid where it has none."""
    uid: int
    name: str
    location: str
    prefix: str
    state: Literal["ready", "damaged", "newer"] = "ready"
    message: str = ""
    id: str = ""
    manager: str = ""
    python: str = ""
    modules: list[str] = []
    """Those that it loads by their names."""
    along: list[str] = []
    """Those that come along with them."""
    needs: list[str] = []
    """Of both, what was asked about."""
    bytes: int | None = None
    """As it was measured; null where it was not."""
    files: int | None = None
    changed: str = ""
    used: str = ""
    """When a kernel was started last, to the day and as far as the filesystem tells; empty where it does not."""


class Walked(msgspec.Struct, kw_only=True):
    """A place that was looked at."""

    name: str
    folders: int = 0
    closed: int = 0
    """Folders that could not be read; what is in them is not known."""
    message: str = ""
    """What was not looked at and why, in one sentence; empty otherwise."""


class Everybody(msgspec.Struct, kw_only=True):
    """What was found."""

    environments: list[Seen]
    places: list[Walked]

    @property
    def whole(self) -> bool:
        """Whether all was looked at, so that what was not seen is not there."""
        return not any(place.closed or place.message for place in self.places)


def walk(site: Site, locations: tuple[str, ...] = (), folders: tuple[str, ...] = ()) -> Everybody:
    """Return all environments of the named locations, of all without a name, and of folders that match besides.

    Raises `NotFound` for a location that there is not.
    """
    unknown = [name for name in locations if name not in site.locations]
    if unknown:
        raise NotFound(f"There is no location {unknown[0]!r}.", hints=[f"These exist: {', '.join(site.locations)}."])
    found, records = Everybody(environments=[], places=[]), Records(site)
    for name in locations or site.locations:
        value = site.locations[name]
        template = str(value["root"] if isinstance(value, dict) else value)
        place = Walked(name=name)
        try:
            pattern = _EACH.sub("*", template)
            root = expand(pattern, site)
            if not any(_covers(each, root) for each in folders):
                place.message = _only_own(pattern)
            _look(place, root, records, found)
        except HpcenvError as error:
            place.message = error.message
        found.places.append(place)
    for pattern in folders:
        place = Walked(name=pattern)
        _look(place, os.path.abspath(pattern), records, found)  # noqa: PTH100  resolve() would follow links
        found.places.append(place)
    found.environments.sort(key=lambda each: (each.owner, each.location, each.name))
    return found


def _only_own(pattern: str) -> str:
    """Return that a location is another folder for each user, who alone knows which; empty if it is one for all."""
    if _HOME.search(pattern):
        where = "It lies in each user's home"
    elif match := _VARIABLE.search(pattern):
        where = f"{match[0]} may be another folder for each user"
    else:
        return ""
    return f"{where}, and only your own was looked at: name those with --folder."


def _covers(pattern: str, root: str) -> bool:
    """Tell whether a folder that was named, with * for anything in a name, means *root* too."""
    theirs, ours = (os.path.realpath(each).split("/") for each in (pattern, root))
    return len(theirs) == len(ours) and all(map(fnmatch.fnmatchcase, ours, theirs))


def _look(place: Walked, pattern: str, records: Records, found: Everybody) -> None:
    known = {each.prefix for each in found.environments}
    closed: set[str] = set()
    for folder in _matching(pattern, closed):
        try:
            prefixes = list(_prefixes(folder, closed))
        except OSError:
            closed.add(folder)
            continue
        place.folders += 1
        seen = [s for s in (_seen(prefix, place.name, records, closed) for prefix in prefixes) if s is not None]
        found.environments += [each for each in seen if each.prefix not in known]
    if closed:
        place.closed = len(closed)
        told = f"{len(closed)} folder{'s' * (len(closed) > 1)} could not be read; run this as who may read them."
        place.message = f"{place.message} {told}".strip()
    elif not place.folders and not place.message:
        place.message = "There is no such folder."


def _matching(pattern: str, closed: set[str]) -> Iterator[str]:
    """Yield the folders that match; links are followed only above the first part that stands for many.

    Folders in which more might be, and that can not be read, are added to *closed*.
    """
    parts = pattern.strip("/").split("/")
    first = next((number for number, part in enumerate(parts) if "*" in part), len(parts))
    above = "/" + "/".join(parts[:first])
    yield from _below(os.path.realpath(above), parts[first:], closed)


def _below(folder: str, parts: list[str], closed: set[str]) -> Iterator[str]:
    try:
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            return
        names = []
        if parts and "*" in parts[0]:
            with os.scandir(folder) as entries:
                there = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
            names = fnmatch.filter(there, parts[0])
    except OSError as error:
        if error.errno not in _NOT_THERE:
            closed.add(folder)
        return
    if not parts:
        yield folder
    elif "*" not in parts[0]:  # who may enter a folder need not be able to list it
        yield from _below(f"{folder}/{parts[0]}", parts[1:], closed)
    for name in names:
        yield from _below(f"{folder}/{name}", parts[1:], closed)


def _prefixes(folder: str, closed: set[str]) -> Iterator[str]:
    """Yield the folders in a folder, and the releases there; raises OSError where it can not be read."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    yield from (f"{folder}/{name}" for name in names if not name.startswith("."))
    if _RELEASES in names:
        yield from _below(f"{folder}/{_RELEASES}", ["*", "*"], closed)


def _seen(prefix: str, location: str, records: Records, closed: set[str]) -> Seen | None:
    """Return the environment at *prefix*, or None where there is none or where it is closed to us, see *closed*."""
    try:
        uid = os.lstat(prefix).st_uid
        seen = Seen(
            owner=_name(uid),
            uid=uid,
            name=os.path.basename(prefix),  # noqa: PTH119
            location=location,
            prefix=prefix,
        )
        record, _ = records.read(prefix)
    except NewerRecord as error:
        seen.state, seen.message = "newer", error.message
    except BrokenRecord as error:
        seen.state, seen.message = "damaged", error.message
    except OSError as error:
        if error.errno not in _NOT_THERE:
            closed.add(prefix)
        return None
    else:
        _fill(seen, record)
    return seen


def _fill(seen: Seen, record: Record) -> None:
    if record.prefix != seen.prefix:
        seen.state, seen.message = "damaged", f"It was copied or moved here from {record.prefix}."
    seen.id, seen.name, seen.manager, seen.python = record.id, record.name, record.manager, record.python
    seen.changed = record.changed
    seen.used = _used(seen.prefix)
    if record.modules is not None:
        seen.modules = list(record.modules.load or record.modules.asked)
        every = {module.name for loaded in record.modules.loaded.values() for module in loaded}
        seen.along = sorted(every - set(seen.modules))


def _used(prefix: str) -> str:
    """Return the day on which the launch script was read last; empty where reading leaves no trace."""
    with contextlib.suppress(OSError, ValueError, OverflowError):
        place = f"{prefix}/{RECORD.parent}/launch"
        if not os.statvfs(prefix).f_flag & os.ST_NOATIME:
            read = os.lstat(place).st_atime
            return datetime.fromtimestamp(read, timezone.utc).date().isoformat()
    return ""


def needed(seen: Seen, module: str) -> list[str]:
    """Return which modules of an environment *module* means: all versions of a name, or what begins like a version."""
    return [name for name in (*seen.modules, *seen.along) if means(module, name)]


def means(asked: str, name: str) -> bool:
    """Tell whether ``gcc`` or ``gcc/12`` means the module *name*, such as ``gcc/12.3.0``."""
    rest = name.removeprefix(asked)
    if rest == name:
        return False
    return not rest or rest[0] == "/" or ("/" in asked and rest[0] in _AFTER_VERSION)


def weigh_all(found: list[Seen], site: Site, *, measure: bool = False) -> None:
    """Fill in sizes: with *measure* each is measured now, else one's own as they are known."""
    sizes = Sizes(site)
    for each in found:
        if measure:
            _measure(each, site)
        elif each.uid == os.geteuid() and each.id:
            size = sizes.known(_row(each))
            each.bytes, each.files = size.bytes, size.files


def _measure(each: Seen, site: Site) -> None:
    until = time.monotonic() + site.size_patience

    def between() -> None:
        if time.monotonic() > until:
            raise Slow(each.name)

    with contextlib.suppress(Slow, HpcenvError):
        weight = weigh(Path(each.prefix), between)
        each.bytes, each.files = weight.bytes, weight.files


def _row(each: Seen) -> Environment:
    return Environment(
        id=each.id,
        name=each.name,
        location=each.location,
        prefix=each.prefix,
        manager=each.manager,
        installer="",
        python=each.python,
        state="ready",
        origin="own",
    )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
