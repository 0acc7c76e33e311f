"""Keep what leads back from a change of a conda environment, and go back: to the exact packages that were there.

A change that was killed while files were linked is finished first, by its journal; only then can one go back.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import msgspec

from ...errors import BrokenRecord, PackageNotFound, RequirementsConflict
from ...files import explain, read_regular, write_json
from ...models import Changes, PinnedPackage, Reporter
from . import history, installed
from .engines import Engine
from .installed import Installed
from .plan import Source


class Before(msgspec.Struct, kw_only=True):
    """What was in an environment before a change."""

    pinned: list[PinnedPackage]
    requested: list[str]
    """The match specs that were asked with."""


class Wish(TypedDict):
    """What an engine is asked to do."""

    install: list[str]
    update: list[str]
    update_all: bool
    remove: list[str]


def wish(changes: Changes) -> Wish:
    """Return a request as engines take it."""
    return Wish(install=changes.install, update=changes.update, update_all=changes.update_all, remove=changes.remove)


def check(changes: Changes, there: Sequence[Installed], *, kernel: bool) -> None:
    """Refuse to remove what the kernel needs; what is not there the engine refuses, for it knows the requests."""
    removed = {installed.name_of(spec) for spec in changes.remove}
    known = {each.name for each in there}
    if missing := sorted({*removed, *map(installed.name_of, changes.update)} - known):
        raise PackageNotFound(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed in the environment.",
            hints=["List its packages to see what is there."],
        )
    if kernel and (held := sorted(removed & {"ipykernel", "python"})):
        raise RequirementsConflict(
            f"{held[0]} can not be removed, because the environment’s kernel needs it.",
            hints=["Leave it, or delete the environment."],
        )


def keep(prefix: Path, before: Path) -> None:
    """Write down which packages are in *prefix*; raises `DiskFull`, `LocationUnavailable`."""
    try:
        write_json(before, Before(pinned=pinned(prefix), requested=requested(prefix)))
    except OSError as error:
        raise explain(error, before) from error


def back(engine: Engine, source: Source, prefix: Path, before: Path, report: Reporter) -> None:
    """Let *prefix* hold the packages that *before* names; does nothing where it does, or where nothing is kept."""
    engine.recover(source, prefix, report)
    try:
        kept = msgspec.json.decode(read_regular(before, 20_000_000), type=Before)
    except FileNotFoundError:
        return
    except msgspec.DecodeError as error:
        raise BrokenRecord(f"{before} is damaged: {error}.", hints=["Create the environment again."]) from error
    if {each.url for each in kept.pinned} != {each.url for each in installed.read(prefix)}:
        engine.install_pinned(source, kept.pinned, prefix, report, kept.requested)


def pinned(prefix: Path) -> list[PinnedPackage]:
    """Return the exact packages in *prefix*, in an order in which each comes after what it needs."""
    return [
        PinnedPackage(url=each.url, sha256=each.sha256, md5="" if each.sha256 else each.md5)
        for each in installed.in_order(installed.read(prefix))
    ]


def requested(prefix: Path) -> list[str]:
    """Return the match specs that hold now, as the history says."""
    return [specs[0] for specs in history.requests(prefix, installed.read(prefix)).values()]
