"""Mend the records in ``conda-meta`` after rattler: who may read them, and which packages somebody asked for."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from ... import typed
from ...errors import BrokenRecord
from ...files import read_regular, write_atomic
from .history import path_of
from .installed import META, Installed, name_of, read

_LARGEST = 64_000_000  # bytes
_TEMPORARY = "prefix_record_??????"
_TAG, _SIGNATURE = (
    "CACHEDIR.TAG",
    b"Signature: 8a477f597d28d172789f06886806bc55\n# This file is a cache directory tag created by rattler",
)


def settle(prefix: Path) -> None:
    """Let whoever may read the history read the records, too, and let backups see the environment.

    rattler writes records for their owner alone, and marks the prefix as a cache, which backups pass over.
    """
    for path in (prefix / META).glob(_TEMPORARY):  # of a transaction that was killed
        path.unlink()
    mode = stat.S_IMODE(path_of(prefix).stat().st_mode) & 0o666
    for path in (prefix / META).glob("*.json"):
        facts = path.lstat()
        if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1 and stat.S_IMODE(facts.st_mode) != mode:
            path.chmod(mode)
    tag = prefix / _TAG
    with contextlib.suppress(OSError, BrokenRecord):
        if read_regular(tag).startswith(_SIGNATURE):
            tag.unlink()


def restore(prefix: Path, kept: Iterable[str]) -> None:
    """Put records back as they were, with all that others wrote into them; what they tell of is linked again."""
    for record in kept:
        path = prefix / META / Path(record).name
        data = Path(record).read_bytes()
        if path.read_bytes() != data:
            write_atomic(path, data, stat.S_IMODE(path.stat().st_mode))


def mark(prefix: Path, wanted: Iterable[str]) -> None:
    """Write into the records which match specs asked for them; conda reads one word of it, rattler the other."""
    specs: dict[str, list[str]] = {}
    for spec in wanted:
        specs.setdefault(name_of(spec), []).append(spec)
    for each in read(prefix):
        asked = specs.get(each.name, [])
        if each.requests != asked:
            _write(Path(each.record), asked)


def _write(path: Path, asked: list[str]) -> None:
    record = _raw(path)
    record["requested_specs"] = asked
    record.pop("requested_spec", None)
    if asked:
        record["requested_spec"] = asked[0]
    data = msgspec.json.format(msgspec.json.encode(record), indent=2)
    write_atomic(path, data, stat.S_IMODE(path.stat().st_mode))


class _Files(msgspec.Struct):
    files: list[str] = []


def files(package: Installed) -> list[str]:
    """Return the paths, relative to the prefix, of the files that a package has there."""
    path = Path(package.record)
    try:
        return typed.of_json(read_regular(path, _LARGEST), _Files).files
    except msgspec.DecodeError as error:
        raise BrokenRecord(f"{path} is damaged: {error}.") from error


def _raw(path: Path) -> dict[str, Any]:
    try:
        return typed.of_json(read_regular(path, _LARGEST), dict[str, Any])
    except msgspec.DecodeError as error:
        raise BrokenRecord(f"{path} is damaged: {error}.") from error
