"""Give each user the environments that a manifest of the site has for them, once.

Called when a server starts, in a thread. What was given is remembered, so whoever deletes it is not given it again; a
build that failed is tried again at the next start. What does not fit into the user's room is not begun: the desk asks
for quotas before it takes any request.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .. import claims, manifest, typed
from ..errors import BrokenRecord, Busy, HpcenvError, NotFound
from ..files import make_private, read_regular, write_json
from ..manifest import Entry
from ..models import FINISHED
from ..site.config import username
from ..site.locations import default_name

if TYPE_CHECKING:
    from .desk import Admission


class Given(msgspec.Struct, kw_only=True):
    """What is remembered of an environment that was given."""

    operation: str = ""
    """That builds it; empty where the user had one of that name already."""


def give(desk: Admission) -> list[str]:
    """Begin to build what the user has never been given; return a sentence for each that was begun or refused."""
    told: list[str] = []
    for text in desk.manifests.per_user:
        try:
            document = manifest.read(Path(text), configured=True)
            with claims.held(_folder(desk), document.label, "give", username()):  # several servers may start at once
                for entry in document.per_user:
                    told += _one(desk, document.label, entry)
        except Busy:
            continue  # another server of this user gives them
        except HpcenvError as error:
            told.append(f"The manifest {text} can not be used: {error.message}")
    return told


def _one(desk: Admission, label: str, entry: Entry) -> Iterator[str]:
    place = _folder(desk) / f"{label}.{entry.own_name}.json"
    if _was_given(desk, place):
        return
    location = entry.request.location
    try:
        location = location or default_name(desk.site)
        if _has(desk, location, entry.own_name):
            write_json(place, Given())
            return
        operation = desk.submit("create", msgspec.structs.replace(entry.request, location=location))
    except HpcenvError as error:
        yield f"{entry.name} could not be given: {error.message}"
        return
    write_json(place, Given(operation=operation.id))
    yield f"{entry.name} is being built, as the site has it for everybody (operation {operation.id})."


def _was_given(desk: Admission, place: Path) -> bool:
    """Tell whether there is nothing left to do: what failed, and nobody cancelled, is tried again."""
    try:
        given = typed.of_json(read_regular(place), Given)
    except FileNotFoundError:
        return False
    except (OSError, BrokenRecord, msgspec.DecodeError):
        return True  # in doubt nothing is built that somebody may have deleted
    if not given.operation:
        return True
    with contextlib.suppress(NotFound):  # it was forgotten, because it is long ago
        state = desk.operations.get(given.operation).state
        return state not in FINISHED or state in ("succeeded", "cancelled")
    return True


def _has(desk: Admission, location: str, name: str) -> bool:
    """Tell whether the user has, or had until a few days ago, an environment of that name."""
    there = {(row.location, row.name) for row in desk.catalog.environments()}
    return (location, name) in there | {(item.location, item.name) for item in desk.catalog.trash()}


def _folder(desk: Admission) -> Path:
    return make_private(desk.site.data_dir / "given")
