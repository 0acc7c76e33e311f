"""Keep who did what to an environment, and when: a line of JSON for each, in the user's data folder.

Only what was done is written, after it was done, and never a value that may be a secret. That it can not be written
keeps nothing from being done.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from .. import typed
from ..errors import BrokenRecord, HpcenvError
from ..files import make_private, read_regular
from ..models import Event, utc_now
from ..names import is_environment_id
from ..site import Site
from ..site.config import username

#: Bytes; some ten thousand lines.
_LARGEST = 10_000_000
_TOLD = 200  # packages of one change


def folder(site: Site) -> Path:
    """Return where histories lie; made for this user alone."""
    return make_private(site.data_dir / "history")


def note(
    site: Site,
    identifier: str,
    verb: str,
    detail: str = "",
    *,
    operation: str = "",
    plan: Mapping[str, Any] | None = None,
) -> None:
    """Append what was done to an environment; *plan* is what came, changed and went, as changes of packages tell it."""
    event = Event(
        at=utc_now(),
        user=username(),
        host=socket.gethostname(),
        verb=verb,
        detail=detail,
        operation=operation,
        packages=_packages(plan or {}),
    )
    with contextlib.suppress(OSError, HpcenvError):
        _append(folder(site) / f"{identifier}.jsonl", msgspec.json.encode(event) + b"\n")


def _append(path: Path, line: bytes) -> None:
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line  # a crash cut the one before
        os.write(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _packages(plan: Mapping[str, Any]) -> list[str]:
    """Return a line for each package of a plan: what it was and what it is."""
    found = [f"+ {each['name']} {each['version']}" for each in plan.get("install", ())]
    found += [
        f"~ {each['name']} {each['old']['version']} → {each['new']['version']}" for each in plan.get("change", ())
    ]
    found += [f"- {each['name']} {each['version']}" for each in plan.get("remove", ())]
    more = len(found) - _TOLD
    return [*found[:_TOLD], *([f"… and {more} more"] if more > 0 else [])]


def read(identifier: str, site: Site) -> list[Event]:
    """Return what was done to an environment, the oldest first; lines that a crash cut are left out."""
    found = []
    with contextlib.suppress(OSError, BrokenRecord):
        for line in read_regular(folder(site) / f"{identifier}.jsonl", _LARGEST).splitlines():
            with contextlib.suppress(msgspec.DecodeError):
                found.append(typed.of_json(line, Event))
    return found


def forget(identifier: str, site: Site) -> None:
    """Remove the history of an environment that is gone for good."""
    if is_environment_id(identifier):
        with contextlib.suppress(OSError):
            (folder(site) / f"{identifier}.jsonl").unlink(missing_ok=True)
