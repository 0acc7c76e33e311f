"""Look at what conda, mamba or micromamba have put into the package cache and into an environment.

They say little while they work: conda prints progress to terminals alone, mamba with JSON none at all. What has arrived
is seen on the disk. And what a package would run is seen there before it is linked.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ...files import remove_tree
from ...models import Progress, Reporter
from .command_output import Actions, Part

_PAUSE = 0.5  # seconds between two looks; each costs a stat for every package, which a file server feels

_LINKING = ("pre-link", "post-link")
_UNLINKING = ("pre-unlink", "post-unlink")


def folders(caches: Sequence[Path], part: Part) -> Iterator[Path]:
    """Yield the folders in which a package of a plan may lie: mamba since 2.6 has one for each channel."""
    for cache in caches:
        yield cache
        if "://" in part.url:
            scheme, _, rest = part.url.rpartition("/")[0].partition("://")
            yield cache / scheme / re.sub(r"[:\\]", "_", rest).lstrip("/")


def unpacked(caches: Sequence[Path], part: Part) -> Path | None:
    """Return the folder with the contents of a package, or None where it is not in the cache."""
    for folder in folders(caches, part):
        if (folder / part.stem / "info" / "index.json").is_file():
            return folder / part.stem
    return None


def scripts_of(tree: Path, name: str, *, unlink: bool = False) -> list[str]:
    """Return the link scripts of package *name* below *tree*, an unpacked package or an environment."""
    kinds = _UNLINKING if unlink else _LINKING
    return [kind for kind in kinds if os.path.lexists(tree / "bin" / f".{name}-{kind}.sh")]


def file_count(tree: Path) -> int | None:
    """Return how many files an unpacked package has, by its own list, or None where it has none."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return sum(1 for line in (tree / "info" / "files").read_text().splitlines() if line)
    return None


def is_linked(prefix: Path, part: Part) -> bool:
    """Tell whether an environment has the record of that very package."""
    return (prefix / "conda-meta" / f"{part.stem}.json").is_file()


class Look:
    """Tell the reporter how far a program is, by what lies on the disk; given as `check` to whom runs it."""

    def __init__(self, report: Reporter, planned: Actions, caches: Sequence[Path], prefix: Path, step: str) -> None:
        self._report = report
        self._fetch = [part for part in planned.fetch.values() if part.size]
        self._bytes = sum(part.size for part in self._fetch)
        self._link = planned.link
        self._caches = caches
        self._prefix = prefix
        self._step = step
        self._next = 0.0
        self._arrived = -1
        self._linked = -1

    def __call__(self) -> None:
        """Raise if the operation was cancelled; else look, now and then."""
        self._report.check()
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _PAUSE
            self.look()

    def look(self) -> None:
        """Report what is there now, if it is more than before."""
        linked = sum(is_linked(self._prefix, part) for part in self._link) if self._step == "link" else 0
        if self._step == "download":
            self._downloaded()
            if any(is_linked(self._prefix, part) for part in self._link):
                self._step = "link"
                self._report.step("link")
        elif self._link and linked != self._linked:
            self._linked = linked
            self._report.progress(Progress(packages_done=linked, packages_total=len(self._link)))

    def _downloaded(self) -> None:
        sizes = [(_arrived(self._caches, part), part.size) for part in self._fetch]
        arrived = sum(min(size, whole) for size, whole in sizes)
        if self._fetch and arrived != self._arrived:
            self._arrived = arrived
            done = sum(size >= whole for size, whole in sizes)
            self._report.progress(
                Progress(packages_done=done, packages_total=len(sizes), bytes_done=arrived, bytes_total=self._bytes)
            )


def _arrived(caches: Sequence[Path], part: Part) -> int:
    """Return the bytes of an archive that are in the cache, be it whole or in part."""
    path = archive(caches, part, ("", ".partial", ".part"))
    with contextlib.suppress(OSError):
        return path.stat().st_size if path else 0
    return 0


def archive(caches: Sequence[Path], part: Part, suffixes: Iterable[str] = ("",)) -> Path | None:
    """Return the archive of a package in the cache, or None where there is none."""
    endings = [ending for ending in (".conda", ".tar.bz2") if part.url.endswith(ending)] or [".conda", ".tar.bz2"]
    found = (
        folder / f"{part.stem}{ending}{suffix}"
        for folder in folders(caches, part)
        for ending in endings
        for suffix in suffixes
    )
    return next((path for path in found if path.is_file()), None)


def throw_away(path: Path, caches: Sequence[Path]) -> None:
    """Remove what is not as it should be from our caches, so that it is fetched anew; what lies elsewhere stays."""
    with contextlib.suppress(OSError):
        if any(cache.resolve() in path.resolve().parents for cache in caches):
            remove_tree(path)
