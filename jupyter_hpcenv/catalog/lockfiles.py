"""Keep the exact packages of each environment in the user's data folder, so that one that vanished can be built again.

They are written after the record and its copy. What a crash left behind is written by whoever empties the trash.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from .. import typed
from ..errors import HpcenvError
from ..files import decode, make_private, read_regular, write_json
from ..models import RECORD_VERSION, Contents
from ..names import is_environment_id
from ..site import Site

#: Bytes; ten thousand packages take two million.
_LARGEST = 20_000_000


class Lockfile(msgspec.Struct, kw_only=True):
    """Exactly what was in an environment at one revision of its record."""

    version: int = RECORD_VERSION
    environment: str
    """Its id."""
    revision: int
    contents: Contents
    versions: dict[str, str] = {}
    """Of all its packages, by name; also of those that `contents` can not say how to get again."""


class _Revision(msgspec.Struct):
    """The one field that is asked for often."""

    revision: int


def folder(site: Site) -> Path:
    """Return where lockfiles lie; made for this user alone."""
    return make_private(site.data_dir / "lockfiles")


def write(lockfile: Lockfile, site: Site) -> None:
    """Keep *lockfile*, in place of an earlier one of the same environment."""
    write_json(folder(site) / f"{lockfile.environment}.json", lockfile)


def read(identifier: str, site: Site) -> Lockfile | None:
    """Return the lockfile of an environment, or None where there is none that can be read."""
    path = folder(site) / f"{identifier}.json"
    with contextlib.suppress(OSError, HpcenvError):
        return decode(read_regular(path, _LARGEST), Lockfile, str(path))
    return None


def revision_of(identifier: str, site: Site) -> int:
    """Return of which revision of its record an environment's lockfile is; 0 where there is none."""
    with contextlib.suppress(OSError, HpcenvError, msgspec.DecodeError):
        return typed.of_json(read_regular(folder(site) / f"{identifier}.json", _LARGEST), _Revision).revision
    return 0


def forget(identifier: str, site: Site) -> None:
    """Remove the lockfile of an environment that is gone for good."""
    if is_environment_id(identifier):
        with contextlib.suppress(OSError):
            (folder(site) / f"{identifier}.json").unlink(missing_ok=True)
