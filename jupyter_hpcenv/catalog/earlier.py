"""Keep what was in an environment before the last change of its packages, so that the change can be undone.

A file for each change, in the user's data folder. It is written before the change begins and is whole once that is
done; then those of earlier changes go, so that an undo is itself a change that can be undone.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from ..errors import HpcenvError
from ..files import decode, make_private, read_regular, write_json
from ..models import Earlier
from ..names import is_environment_id
from ..site import Site

#: Bytes; ten thousand packages take three million.
_LARGEST = 20_000_000


def folder(site: Site) -> Path:
    """Return where they lie; made for this user alone."""
    return make_private(site.data_dir / "undo")


def write(earlier: Earlier, site: Site) -> None:
    """Keep *earlier*, beside those of other changes of the same environment."""
    write_json(folder(site) / f"{earlier.environment}-{earlier.operation}.json", earlier)


def read(identifier: str, operation: str, site: Site) -> Earlier | None:
    """Return what was there before the last change that was done, or None.

    *operation* is what the record comes from: its change was done, even if a crash kept that from being noted. A
    change that was taken back is none.
    """
    for path in reversed(_files(identifier, site)):
        with contextlib.suppress(OSError, HpcenvError):
            found = decode(read_regular(path, _LARGEST), Earlier, str(path))
            if found.after is not None or found.operation == operation:
                return found
    return None


def forget(identifier: str, site: Site, *, but: str = "") -> None:
    """Remove what is kept of an environment, except of the change *but*."""
    for path in _files(identifier, site):
        if not but or not path.name.endswith(f"-{but}.json"):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def drop(identifier: str, operation: str, site: Site) -> None:
    """Remove what is kept of a change that was not done."""
    with contextlib.suppress(OSError, HpcenvError):
        (folder(site) / f"{identifier}-{operation}.json").unlink(missing_ok=True)


def forget_old(site: Site, now: float, seconds: float) -> int:
    """Remove what is older; *now* is the file server's time. Return how many went."""
    gone = 0
    with contextlib.suppress(OSError, HpcenvError):
        for path in folder(site).glob("*.json"):
            with contextlib.suppress(OSError):
                if now - path.lstat().st_mtime > seconds:
                    path.unlink()
                    gone += 1
    return gone


def _files(identifier: str, site: Site) -> list[Path]:
    """Return the files of an environment, the oldest change first: ids of operations sort by time."""
    if not is_environment_id(identifier):
        return []
    with contextlib.suppress(OSError, HpcenvError):
        return sorted(folder(site).glob(f"{identifier}-*.json"))
    return []
