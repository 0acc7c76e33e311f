"""Tell, once packages are chosen, whether there is room for them; part of the program `transaction`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rattler import RepoDataRecord


_LEAST = 3  # files that each package has in the cache: its folder, “info”, and the index in that


class NoRoom(Exception):
    """What would be fetched and linked does not fit."""


def check(
    request: Mapping[str, Any], packages: Path, coming: Sequence[RepoDataRecord], missing: Sequence[RepoDataRecord]
) -> None:
    """Raise `NoRoom` before the first byte is fetched where it is certain that not everything fits.

    *coming* is what the prefix does not have, *missing* what the cache does not. Unpacked, a package takes at least
    what its archive takes; of those in the cache it is known. What is linked takes no bytes, but each package has a
    record in the prefix.
    """
    prefix = request["prefix"]
    if not prefix:
        return
    same = packages.stat().st_dev == Path(prefix).stat().st_dev
    cached, linked = [sum(record.size or 0 for record in missing), _LEAST * len(missing)], [0, len(coming)]
    if request["copy"] or not same:
        known = [_unpacked(packages, record) for record in coming]
        linked = [sum(size for size, _ in known), len(coming) + sum(files for _, files in known)]
    left = [request["free_bytes"], request["free_files"]]
    if same:
        _fits([a + b for a, b in zip(cached, linked, strict=True)], left, prefix)
        return
    facts = os.statvfs(packages)
    _fits(cached, [facts.f_bavail * facts.f_frsize, facts.f_favail if facts.f_files else None], str(packages))
    _fits(linked, left, prefix)


def _fits(needed: Sequence[int], left: Sequence[int | None], where: str) -> None:
    for what, need, there in zip(("bytes", "files"), needed, left, strict=True):
        if there is not None and there < need:
            raise NoRoom(json.dumps({"what": what, "needed": need, "left": there, "where": where}))


def _unpacked(packages: Path, record: RepoDataRecord) -> tuple[int, int]:
    """Return bytes and files of a package, as far as they are known."""
    stem = f"{record.name.normalized}-{record.version}-{record.build}"
    try:
        with (packages / stem / "info" / "paths.json").open() as file:
            paths = json.load(file)["paths"]
        return sum(int(each.get("size_in_bytes") or 0) for each in paths), len(paths)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return record.size or 0, 1
