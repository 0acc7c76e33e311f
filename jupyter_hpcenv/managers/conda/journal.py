"""Write down in a prefix that a change of it has begun, so that who finds it half done can finish it or go back.

rattler unlinks and links package by package, and a worker can be killed between any two. The journal holds the records
before and after. It lies in a folder below ``conda-meta``, where conda does not look, and goes away last.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ... import typed
from ...errors import BrokenRecord
from ...files import explain, read_regular, remove_tree, rename_new, sync_folder, write_json
from .installed import META

_NAME = ".hpcenv-change"
_PROBE = re.compile(r"symtest_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Journal(msgspec.Struct, kw_only=True):
    """What a change writes into the history once it is done."""

    command: list[str]
    wanted: list[str]
    gone: list[str] = []
    foreign: list[str] = []
    """What lay, before, where packages were to have files; nobody's, so it is not ours to remove."""


def path_of(prefix: Path) -> Path:
    """Return where the journal of *prefix* lies while a change of it goes on."""
    return prefix / META / _NAME


def begin(prefix: Path, journal: Journal, before: Sequence[str], after: Sequence[str]) -> None:
    """Write the journal; *before* and *after* are paths of records. It is there whole, or not at all."""
    path = path_of(prefix)
    aside = path.with_name(f"{_NAME}.new")
    try:
        with contextlib.suppress(FileNotFoundError):
            remove_tree(aside)
        for name, records in (("before", before), ("after", after)):
            (aside / name).mkdir(parents=True)
            for record in records:
                shutil.copyfile(record, aside / name / Path(record).name)
        write_json(aside / "change.json", journal)
        rename_new(aside, path)
        sync_folder(path.parent)
    except OSError as error:
        raise explain(error, path) from error


def read(prefix: Path) -> Journal | None:
    """Return the journal of a change that was not finished, or None."""
    path = path_of(prefix) / "change.json"
    try:
        return typed.of_json(read_regular(path), Journal)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except msgspec.DecodeError as error:
        raise BrokenRecord(f"{path} is damaged: {error}.", hints=["Recreate the environment."]) from error


def records(prefix: Path, which: str) -> list[str]:
    """Return the paths of the records ``before`` or ``after``."""
    return sorted(str(path) for path in (path_of(prefix) / which).glob("*.json"))


def _clear_probes(prefix: Path) -> None:
    """Remove the links by which rattler tries whether links can be made; where linking fails, one may stay."""
    for probe in prefix.glob("symtest_*"):
        if _PROBE.fullmatch(probe.name) and (probe.is_symlink() or (probe.is_file() and not probe.stat().st_size)):
            with contextlib.suppress(OSError):
                probe.unlink()


def end(prefix: Path) -> None:
    """Take the journal away: what it says is done, or undone. Renamed first, so that half of it never counts."""
    path = path_of(prefix)
    aside = path.with_name(f"{_NAME}.old")
    _clear_probes(prefix)
    try:
        with contextlib.suppress(FileNotFoundError):
            remove_tree(aside)
        with contextlib.suppress(FileNotFoundError):
            path.rename(aside)
            remove_tree(aside)
    except OSError as error:
        raise explain(error, path) from error
