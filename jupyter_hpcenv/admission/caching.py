"""Show the user's caches of packages, clean them, and say how they are moved; all programs decide where theirs is."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..catalog import Catalog
from ..catalog.caches import Caches
from ..errors import HpcenvError, InvalidRequest, LocationUnavailable, NotFound
from ..lifecycle import caches
from ..managers.caches import Place
from ..managers.contract import Manager
from ..models import FINISHED, Cache, CleanCaches, CleanedCache, Environment, Location
from ..operations import Operations
from ..site import Site
from ..site.locations import all_locations
from ..site.quoting import csh, fish, sh


class Found(NamedTuple):
    """A cache, and where it really is."""

    place: Place
    folder: Path


class Moving(msgspec.Struct, kw_only=True):
    """How caches come to lie elsewhere: what a person writes into a start-up file."""

    location: str
    folders: dict[str, str]
    """By variable: where the cache is to be."""
    shells: dict[str, list[str]]
    """By shell (bash, csh, fish): lines for its start-up file."""
    notes: list[str]
    """What can not be moved so, and why, a sentence each."""


def find(site: Site, managers: Mapping[str, Manager]) -> list[Found]:
    """Return all caches, each folder once, with links resolved."""
    roots = {place.name: Path(place.root) for place in _by_default(all_locations(site)) if place.root}
    found: dict[str, Found] = {}
    for manager in managers.values():
        for place in manager.caches(roots):
            folder = os.path.realpath(place.path)
            there = place.name in ("uv", "pip", "conda") or os.path.lexists(folder)  # others only where they are
            if there and folder not in found:
                found[folder] = Found(place, Path(folder))
    order = ("uv", "pip", "conda")
    return sorted(found.values(), key=lambda each: order.index(each.place.kind) if each.place.kind in order else 9)


def _by_default(places: Sequence[Location]) -> list[Location]:
    return sorted(places, key=lambda place: not place.default)


def is_on_home(folder: Path) -> bool:
    """Tell whether a folder lies in the user's home, whose quota is small where there are other places."""
    return folder.is_relative_to(os.path.realpath(Path.home()))


def is_stray(found: Found) -> bool:
    """Tell whether a cache lies in the user's home because nobody has said anything else, and is there at all."""
    return (
        is_on_home(found.folder) and not _is_beside(found.place) and not found.place.by_site and found.folder.is_dir()
    )


def better(places: Sequence[Location]) -> Location | None:
    """Return a location outside home where caches could be: one that is not purged, if there is one."""
    ready = [
        each
        for each in places
        if each.state == "ready"
        and each.root
        and not each.sharing  # that is for environments of colleagues
        and not is_on_home(Path(each.root))
    ]
    return next((each for each in ready if each.purge_days is None), next(iter(ready), None))


def notes(found: Found, places: Sequence[Location]) -> list[str]:
    """Return what somebody should know of where a cache lies."""
    place, folder = found
    told = []
    if place.said:
        told.append(f"{place.said} says that it is there.")
    elsewhere = better(places)
    if _is_beside(place):
        told.append("It lies beside the environments, which are linked to it.")
    elif is_on_home(folder) and elsewhere is not None:
        told.append(
            f"It is in your home, and {elsewhere.name} has room: “jupyter hpcenv caches --move-off-home "
            f"{elsewhere.name}” says how it is moved."
        )
    for each in places:
        if each.purge_days and each.root and folder.is_relative_to(each.root):
            told.append(f"It lies at {each.name}, where files go after {each.purge_days} days: they are fetched again.")
    device = _device(folder)
    apart = [
        each.name
        for each in places
        if each.state == "ready" and each.root and device is not None and _device(Path(each.root)) != device
    ]
    if apart and not _is_beside(place):
        told.append(
            f"It is on another filesystem than {', '.join(apart)}: packages are copied there, which takes longer and "
            "more room than links."
        )
    return told


def _is_beside(place: Place) -> bool:
    """Tell whether a cache is one that each location has for its environments, because nobody says otherwise."""
    return place.kind == "conda" and place.ours and not place.said


def _device(folder: Path) -> int | None:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    with contextlib.suppress(OSError):
        return folder.stat().st_dev
    return None


class Caching:
    """The caches for who asks: at once as far as they are known, measured behind everybody's back."""

    def __init__(self, catalog: Catalog, managers: Callable[[], Mapping[str, Manager]], operations: Operations) -> None:
        self._catalog = catalog
        self._managers = managers
        self._operations = operations
        self._caches = Caches(catalog.site)
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def all(self, *, wait: bool = False) -> list[Cache]:
        """Return the caches; with *wait* they are measured where that is needed, else that is begun in a thread."""
        site = self._catalog.site
        found, places, rows = find(site, self._managers()), all_locations(site), self._rows()
        stale = [each.folder for each in found if self._caches.known(each.folder, rows).outdated]
        if wait:
            for folder in stale:
                with contextlib.suppress(HpcenvError, OSError):
                    self._caches.measure(folder, rows)
        elif stale:
            self._begin(stale, rows)
        own = self._own(places, rows)
        return [self._shown(each, places, rows, own, set() if wait else set(stale)) for each in found]

    def _shown(
        self,
        found: Found,
        places: Sequence[Location],
        rows: Sequence[Environment],
        own: Collection[Path],
        stale: Collection[Path],
    ) -> Cache:
        known, reason = self._caches.known(found.folder, rows), caches.why_not(found.place, found.folder, own)
        cleanable = not reason
        if cleanable and known.used_by:
            reason = "Environments link into it; what they need stays."
            cleanable = found.place.kind == "conda"
        return Cache(
            name=found.place.name,
            path=str(found.folder),
            bytes=known.weight.bytes if known.weight else None,
            files=known.weight.files if known.weight else None,
            measured=known.at,
            measuring=found.folder in stale,
            on_home=is_on_home(found.folder),
            notes=notes(found, places),
            used_by=known.used_by,
            cleanable=cleanable,
            reason=reason,
        )

    def _rows(self) -> list[Environment]:
        """Return all environments whose files are there, and those in the trash: they can come back."""
        rows = [row for row in self._catalog.environments() if row.state not in ("missing", "slow")]
        thrown = [
            Environment(
                id=item.id,
                name=item.name,
                location=item.location,
                prefix=item.path,
                manager="",
                installer="",
                python=item.python,
                state="ready",
                origin="own",
            )
            for item in self._catalog.trash()
            if item.path
        ]
        return [*rows, *thrown]

    def _own(self, places: Sequence[Location], rows: Sequence[Environment]) -> list[Path]:
        """Return what no cache can hold."""
        roots = [place.root for place in places if place.root]
        named = [str(Path.home()), str(self._catalog.site.data_dir), *roots, *(row.prefix for row in rows)]
        return [Path(os.path.realpath(each)) for each in named]

    def _begin(self, folders: Sequence[Path], rows: Sequence[Environment]) -> None:
        with self._guard:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._work, args=(folders, rows), name="hpcenv-caches", daemon=True
                )
                self._thread.start()

    def _work(self, folders: Sequence[Path], rows: Sequence[Environment]) -> None:
        for folder in folders:
            with contextlib.suppress(HpcenvError, OSError):  # it is measured again for who asks next
                self._caches.measure(folder, rows)

    # -- cleaning -------------------------------------------------------

    def clean(self, asked: CleanCaches) -> list[CleanedCache]:
        """Clean the caches of those names, or all; raises `NotFound`. A cache that must stay says why."""
        found = find(self._catalog.site, self._managers())
        known = [each.place.name for each in found]
        for name in asked.caches:
            if name not in known:
                raise NotFound(f"There is no cache {name!r}.", hints=[f"These exist: {', '.join(known)}."])
        rows, site = self._rows(), self._catalog.site
        slow = [row.name for row in self._catalog.environments() if row.state == "slow"]
        own = self._own(all_locations(site), rows)
        answers = []
        for place, folder in found:
            if asked.caches and place.name not in asked.caches:
                continue
            reason = caches.why_not(place, folder, own) or self._working()
            if not reason and slow:
                reason = f"Whether {', '.join(slow)} links into it can not be seen: its filesystem does not answer."
            if reason:
                answers.append(CleanedCache(name=place.name, path=str(folder), done=False, reason=reason))
                continue
            answers.append(caches.clean(place, folder, rows, site, dry_run=asked.dry_run))
            if not asked.dry_run:
                self._caches.forget(folder)
        return answers

    def _working(self) -> str:
        """Return which operation of the user's is at work, on whatever host, in a sentence."""
        for each in self._operations.list():
            if each.state not in FINISHED:
                where = f" on {each.host}" if each.host else ""
                return f"The operation {each.id} ({each.verb} {each.environment.name}) is running{where}."
        return ""

    # -- moving ---------------------------------------------------------

    def moving(self, location: str) -> Moving:
        """Return what has to be written where, so that the caches lie at *location*.

        Raises `NotFound`, `LocationUnavailable`, and `InvalidRequest` for one that is in the home itself.
        """
        site = self._catalog.site
        places = {place.name: place for place in all_locations(site)}
        there = places.get(location)
        if there is None:
            raise NotFound(f"There is no location {location!r}.", hints=[f"These exist: {', '.join(places)}."])
        if there.state != "ready":
            raise LocationUnavailable(there.message, hints=["Take another location."])
        if is_on_home(Path(there.root)):
            raise InvalidRequest(f"{location} lies in your home, too.", hints=["Take another location."])
        base = f"{there.root}/.caches-{os.geteuid()}"
        folders: dict[str, str] = {}
        said = []
        for place, folder in find(site, self._managers()):
            if place.by_site:
                said.append(f"Where {place.name} is, {place.said} says for everybody here: that stays.")
            elif is_on_home(folder) and place.variable and not _is_beside(place):
                folders.setdefault(place.variable, f"{base}/{place.kind}")
        if "CONDA_PKGS_DIRS" not in folders:
            said.append("Conda packages lie beside the environments of each location: they move with those.")
        if there.purge_days:
            said.append(f"Files at {location} go after {there.purge_days} days: what is needed then is fetched again.")
        if not folders:
            said.append("No cache that can be moved lies in your home.")
        else:
            said.append(
                "What lies in the old caches is not moved. Clean them first: afterwards they are not seen any more."
            )
        return Moving(location=location, folders=folders, shells=_lines(folders), notes=said)


def _lines(folders: Mapping[str, str]) -> dict[str, list[str]]:
    if not folders:
        return {}
    return {
        "bash": [f"export {name}={sh(path)}" for name, path in folders.items()],
        "csh": [f"setenv {name} {csh(path)}" for name, path in folders.items()],
        "fish": [f"set -gx {name} {fish(path)}" for name, path in folders.items()],
    }
