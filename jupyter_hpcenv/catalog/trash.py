"""Name, list and mark what was deleted.

A deleted prefix lies beside where it was, in ``.trash-UID/<id>@<time>@<folder>``: one rename, no copy, no
file that could be lost apart from it. Marked ones (``.gone-<id>-…``) can not be restored and wait for removal.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import secrets
import stat
from pathlib import Path

from ..errors import BrokenRecord, Refused
from ..files import decode, explain, is_silent, read_regular, unreadable
from ..models import Record, TrashItem
from ..names import NAME_PATTERN, is_environment_id
from .records import RECORD

_ITEM = re.compile(rf"([0-9a-f]{{32}})@(\d{{8}}T\d{{6}}Z)@({NAME_PATTERN})")
_STAMP = "%Y%m%dT%H%M%SZ"
GONE = ".gone-"


def folder_beside(prefix: Path) -> Path:
    """Return the trash for *prefix*; one for each user, because a location may be shared."""
    return prefix.parent / f".trash-{os.geteuid()}"


def make_folder(prefix: Path) -> Path:
    """Return the trash for *prefix*, made if need be; refuse one that is a link, another's, or open to others."""
    folder = folder_beside(prefix)
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        facts = folder.lstat()
    except OSError as error:
        raise explain(error, folder) from error
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
        raise Refused(
            f"{folder} is not a private folder of yours, so nothing is moved into it.",
            hints=["Look at what it is, and remove it or have staff remove it."],
        )
    return folder


def item_name(identifier: str, prefix: Path) -> str:
    """Return the folder name of an environment that goes to the trash now."""
    return f"{identifier}@{datetime.datetime.now(datetime.timezone.utc).strftime(_STAMP)}@{prefix.name}"


def list_items(folder: Path, location: str, days: int) -> list[TrashItem]:
    """Return what lies in one trash folder, newest first; what is not ours to restore is left out.

    Raises `LocationUnavailable` where the filesystem does not answer.
    """
    found: list[TrashItem] = []
    try:
        facts = folder.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
            return []
        names = os.listdir(folder)  # noqa: PTH208
    except OSError as error:
        if is_silent(error):  # an empty trash would be a lie
            raise unreadable(error, folder) from error
        return []
    for entry in names:
        match = _ITEM.fullmatch(entry)
        if match is None:
            continue
        found.append(_item(folder / entry, match, location, days))
    return sorted(found, key=lambda item: item.deleted, reverse=True)


def _item(path: Path, match: re.Match[str], location: str, days: int) -> TrashItem:
    record = None  # a damaged environment can be deleted and restored as well
    with contextlib.suppress(BrokenRecord, OSError):
        record = decode(read_regular(path / RECORD), Record, str(path))
    deleted = datetime.datetime.strptime(match[2], _STAMP).replace(tzinfo=datetime.timezone.utc)
    return TrashItem(
        id=match[1],
        name=record.name if record else match[3],
        location=location,
        prefix=str(path.parent.parent / match[3]),
        path=str(path),
        python=record.python if record else "",
        deleted=_iso(deleted),
        expires=_iso(deleted + datetime.timedelta(days=days)),
    )


def _iso(moment: datetime.datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def gone_name(identifier: str) -> str:
    """Return a folder name that says that this environment can not be restored."""
    return f"{GONE}{identifier}-{secrets.token_hex(8)}"


def id_of_marked(path: Path) -> str:
    """Return the id of the environment that is marked, or an empty text."""
    identifier = path.name.removeprefix(GONE).partition("-")[0]
    return identifier if is_environment_id(identifier) else ""


def marked(folder: Path) -> list[Path]:
    """Return what waits in *folder* to be removed; in a folder that another could fill, nothing is ours to remove."""
    try:
        facts = folder.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
            return []
        return [folder / entry for entry in os.listdir(folder) if entry.startswith(GONE)]  # noqa: PTH208
    except OSError as error:
        if is_silent(error):
            raise unreadable(error, folder) from error
        return []
