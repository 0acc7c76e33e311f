"""Keep a prefix as it is while its packages are changed, by hardlinks, and put it back.

Installers replace a file by another one and never write into it, so a link keeps what was there. What may be written
in place all the same (scripts, configuration, lists of paths) is copied. Where links can not be made, all is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

import msgspec

from ..errors import BrokenRecord
from ..files import explain, read_regular, remove_tree, sync_folder, write_json

#: What an environment has of ours; it is not part of what a manager changes.
OURS = ".hpcenv"
_ENTRIES = ".entries.json"
_COPIED = (".pth", ".cfg", ".egg-link")
_WRITTEN = ("bin", "conda-meta")  # folders
_NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.EACCES)


def take(prefix: Path, before: Path) -> None:
    """Make *before*, in one step, a folder that `put_back` takes; raises `DiskFull` or `LocationUnavailable`."""
    aside = before.with_name(f"{before.name}.new")
    try:
        _clear(aside)
        aside.mkdir(parents=True)
        entries = sorted(name for name in os.listdir(prefix) if name != OURS)  # noqa: PTH208
        for name in entries:
            _keep(prefix / name, aside / name)
        write_json(aside / _ENTRIES, entries)
        aside.rename(before)
        sync_folder(before.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            _clear(aside)
        raise explain(error, before) from error


def _keep(source: Path, target: Path) -> None:
    if source.is_symlink() or not source.is_dir():
        _link(str(source), str(target))
    else:
        shutil.copytree(source, target, symlinks=True, copy_function=_link)


def _link(source: str, target: str) -> None:
    """Keep one file: by a link where nobody writes into it, else by a copy."""
    in_place = source.endswith(_COPIED) or os.path.basename(os.path.dirname(source)) in _WRITTEN  # noqa: PTH119, PTH120
    if not in_place:
        try:
            os.link(source, target, follow_symlinks=False)
            return
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
    shutil.copy2(source, target, follow_symlinks=False)


def put_back(prefix: Path, before: Path) -> None:
    """Bring *prefix* back to what *before* keeps; each entry by a rename, so that it can be killed and called again.

    Does nothing where nothing is kept. Raises `DiskFull`, `LocationUnavailable`, `BrokenRecord`.
    """
    try:
        try:
            entries = msgspec.json.decode(read_regular(before / _ENTRIES), type=list[str])
        except (FileNotFoundError, NotADirectoryError):
            return
        except msgspec.DecodeError as error:
            raise BrokenRecord(f"{before} is damaged: {error}.", hints=["Create the environment again."]) from error
        after = before.with_name(f"{before.name}.after")
        after.mkdir(exist_ok=True)
        for name in entries:
            if os.path.lexists(before / name):
                _swap(prefix / name, before / name, after)
        for name in set(os.listdir(prefix)) - {*entries, OURS}:  # noqa: PTH208
            _aside(prefix / name, after)
        sync_folder(prefix)
        _clear(after)
    except OSError as error:
        raise explain(error, prefix) from error


def _swap(place: Path, kept: Path, after: Path) -> None:
    if os.path.lexists(place):
        _aside(place, after)
    kept.rename(place)


def _aside(place: Path, after: Path) -> None:
    """Move away what a change made; a twin from an earlier try that was killed goes first."""
    _clear(after / place.name)
    place.rename(after / place.name)


def _clear(path: Path) -> None:
    if os.path.lexists(path):
        remove_tree(path)
