"""Measure caches of packages, and see which environments lead into them by symlinks; what was found is kept a while.

uv makes such links with ``link-mode = symlink``, conda with ``allow_softlinks``: then environments need a cache.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import msgspec

from .. import typed
from ..errors import BrokenRecord, HpcenvError, LocationUnavailable
from ..files import make_private, read_regular, write_json
from ..models import Environment, utc_now
from ..patience import Patience, Slow
from ..site import Site
from .sizes import Weight, stamp_of, step_back, weigh

#: Seconds for which a figure holds: what is deep in a cache changes without a trace above.
FRESH = 600.0


class _Kept(msgspec.Struct, kw_only=True):
    """What lies on disk of one cache."""

    path: str
    weight: Weight
    at: str
    links: dict[str, list[str]] = {}
    """By environment: its id, how it stood, and whether it links into the cache (``yes`` or ``no``) at the end."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a cache."""

    weight: Weight | None = None
    at: str = ""
    used_by: list[str] = []
    outdated: bool = True


class Caches:
    """What one user's caches weigh, and what links into them; safe to use from threads."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._patience = Patience(float(site.size_patience))

    def known(self, path: Path, rows: Iterable[Environment]) -> Measured:
        """Return what was found the last time."""
        kept = self._kept(path)
        if kept is None:
            return Measured()
        used = [row.id for row in rows if kept.links.get(row.id, [""])[-1] == "yes"]
        same = all(kept.links.get(row.id, [""])[:-1] == stamp_of(row.prefix) for row in rows)
        age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(kept.at[:-1] + "+00:00")
        fresh = same and 0 <= age.total_seconds() < FRESH
        return Measured(weight=kept.weight, at=kept.at, used_by=used, outdated=not fresh)

    def measure(self, path: Path, rows: Collection[Environment]) -> Measured:
        """Look now, and keep that; raises `LocationUnavailable` where the disk takes too long."""
        before = self._kept(path)

        def looked() -> _Kept:
            step_back()
            check = until(self._site.size_patience)
            weight = weigh(path, check) if path.is_dir() else Weight()
            links = {}
            for row in rows:
                stamp = stamp_of(row.prefix)
                known = before.links.get(row.id, [""]) if before is not None else [""]
                if not (stamp and known[:-1] == stamp):
                    known = [*stamp, "yes" if _leads_into(row, path, check) else "no"]
                links[row.id] = known
            return _Kept(path=str(path), weight=weight, at=utc_now(), links=links)

        try:
            kept = self._patience.ask(f"cache {path}", looked)
        except Slow:
            raise LocationUnavailable(
                f"{path} could not be measured within {self._site.size_patience} s.",
                hints=["Try again when its filesystem is less busy.", "Staff can raise c.Site.size_patience."],
            ) from None
        with contextlib.suppress(HpcenvError):  # on a full disk it is measured again next time
            write_json(self._path(path), kept)
        return self.known(path, rows)

    def forget(self, path: Path) -> None:
        """Forget what was measured: it was cleaned."""
        with contextlib.suppress(OSError):
            self._path(path).unlink()

    def _path(self, path: Path) -> Path:
        name = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
        return make_private(self._site.data_dir / "caches") / f"{name}.json"

    def _kept(self, path: Path) -> _Kept | None:
        with contextlib.suppress(OSError, BrokenRecord, msgspec.DecodeError):
            return typed.of_json(read_regular(self._path(path), 10_000_000), _Kept)
        return None


def _leads_into(row: Environment, folder: Path, check: Callable[[], None]) -> bool:
    """Tell whether an environment links into a cache, as far as it can be read; who cleans looks more closely."""
    with contextlib.suppress(OSError):
        return bool(links_into(Path(row.prefix), [folder], check))
    return False


def until(seconds: float) -> Callable[[], None]:
    """Return what raises `Slow` once so many seconds have gone."""
    end = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > end:
            raise Slow("caches")

    return check


def links_into(prefix: Path, folders: Collection[Path], check: Callable[[], None] = lambda: None) -> set[Path]:
    """Return what symlinks below *prefix* lead to in *folders*, which are resolved; raises OSError.

    Links on the way are followed, as a program would; folders that are links are not entered.
    """
    found: set[Path] = set()
    heads = tuple(f"{folder}/" for folder in folders)
    waiting = [os.fspath(prefix)]
    while waiting:
        check()
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    target = os.path.realpath(entry.path)
                    if f"{target}/".startswith(heads):
                        found.add(Path(target))
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return found
