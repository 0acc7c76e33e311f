"""Keep a prefix as it is while its packages are changed, by hardlinks, and put it back.

Installers replace a file by another one and never write into it, so a link keeps what was there. What may be written
in place all the same (scripts, configuration, lists of paths) is copied. Where links can not be made, all is. What
people put into the prefix meanwhile, beside the folders that installers fill, is theirs and stays.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .. import typed
from ..errors import BrokenRecord
from ..files import explain, read_regular, remove_tree, sync_folder, write_json

#: What an environment has of ours; it is not part of what a manager changes.
OURS = ".hpcenv"
_ENTRIES, _KEPT = "entries.json", "kept"
_COPIED = (".pth", ".cfg", ".egg-link")
_WRITTEN = ("bin", "conda-meta")  # folders whose files may be written in place
_FILLED = ("bin", "include", "lib", "lib64", "conda-meta")  # folders in which nothing is anybody's but installers'
_NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.EACCES)


def take(prefix: Path, before: Path) -> None:
    """Make *before*, in one step, a folder that `put_back` takes; raises `DiskFull` or `LocationUnavailable`.

    What is mounted in the prefix is left alone.
    """
    aside = before.with_name(f"{before.name}.new")
    place = prefix
    try:
        _clear(aside)
        (aside / _KEPT).mkdir(parents=True)
        entries = sorted(name for name in os.listdir(prefix) if name != OURS and not (prefix / name).is_mount())  # noqa: PTH208
        for name in entries:
            place = prefix / name
            _keep(place, aside / _KEPT / name)
        write_json(aside / _ENTRIES, [_written(name) for name in entries])
        aside.rename(before)
        sync_folder(before.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            _clear(aside)
        raise explain(error, Path(os.fsdecode(error.filename)) if error.filename else place) from error


def _written(name: str) -> str:
    """Return a name as JSON can carry it, whatever bytes it has."""
    return os.fsencode(name).decode("latin-1")


def _read(name: str) -> str:
    return os.fsdecode(name.encode("latin-1"))


def _keep(source: Path, target: Path) -> None:
    if source.is_symlink() or not source.is_dir():
        _link(source, target)
        return
    target.mkdir()
    with os.scandir(source) as found:
        for entry in found:
            _keep(source / entry.name, target / entry.name)
    shutil.copystat(source, target)


def _link(source: Path, target: Path) -> None:
    """Keep one file: by a link where nobody writes into it, else by a copy."""
    in_place = source.name.endswith(_COPIED) or source.parent.name in _WRITTEN
    if not in_place or not (source.is_symlink() or source.is_file()):  # a pipe or a socket can not be copied
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
        entries = [_read(name) for name in typed.of_json(read_regular(before / _ENTRIES), list[str])]
    except (FileNotFoundError, NotADirectoryError):
        return
    except msgspec.DecodeError as error:
        raise BrokenRecord(f"{before} is damaged: {error}.", hints=["Create the environment again."]) from error
    after = before.with_name(f"{before.name}.after")
    place = prefix
    try:
        after.mkdir(exist_ok=True)
        for name in entries:
            place = prefix / name
            if os.path.lexists(before / _KEPT / name):
                if os.path.lexists(place):
                    _aside(place, after)
                _move(before / _KEPT / name, place)
        for name in set(os.listdir(prefix)) & set(_FILLED) - set(entries):  # noqa: PTH208
            _aside(prefix / name, after)
        for mine in list(_of_people(after)):
            place = prefix / mine
            if not os.path.lexists(place):
                place.parent.mkdir(parents=True, exist_ok=True)
                (after / mine).rename(place)
        sync_folder(prefix)
    except OSError as error:
        raise explain(error, place) from error
    with contextlib.suppress(OSError):  # it is in nobody's way
        _clear(after)


def _of_people(after: Path) -> Iterator[Path]:
    """Yield what lies outside of the folders that installers fill, by its path in the prefix."""
    for top, folders, files in os.walk(after):
        if Path(top) == after:
            folders[:] = [name for name in folders if name not in _FILLED]
        links = [name for name in folders if (Path(top) / name).is_symlink()]
        for name in [*files, *links]:
            yield (Path(top) / name).relative_to(after)


def _aside(place: Path, after: Path) -> None:
    """Move away what a change made; a twin from an earlier try that was killed goes first."""
    _clear(after / place.name)
    _move(place, after / place.name)


def _move(source: Path, target: Path) -> None:
    """Rename; a folder that nobody may write in can not change its parent, so it is opened up for that moment."""
    facts = source.lstat()
    closed = stat.S_ISDIR(facts.st_mode) and not facts.st_mode & stat.S_IWUSR
    if closed:
        source.chmod(stat.S_IMODE(facts.st_mode) | stat.S_IWUSR)
    source.rename(target)
    if closed:
        target.chmod(stat.S_IMODE(facts.st_mode))


def _clear(path: Path) -> None:
    if os.path.lexists(path):
        remove_tree(path)
