"""Say how much room there is and how much environments take; refuse beforehand what can not fit."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence

import msgspec

from ..catalog import Catalog
from ..catalog.sizes import Sizes
from ..errors import HpcenvError
from ..models import Environment, Size
from ..site import Site
from ..site.fits import Need as Need
from ..site.fits import check_fits as check_fits


def least(site: Site) -> Need:
    """Return what must be free for an environment of which nothing is known."""
    return Need(bytes=site.least_bytes, files=site.least_files)


def need_of(size: Size, site: Site) -> Need:
    """Return what building an environment of a known size takes; links to caches may not be had again."""
    smallest = least(site)
    if size.bytes is None or size.files is None:
        return smallest
    return Need(bytes=size.bytes + size.shared_bytes, files=size.files + size.shared_files)


def taken(catalog: Catalog) -> int:
    """Return the bytes of the user's own environments; what changed since it was measured is measured now.

    What is linked with a cache counts too: the rule about it would hold nobody otherwise.
    """
    own = [row for row in catalog.environments() if row.origin == "own"]
    return sum((size.bytes or 0) + size.shared_bytes for size in Sizing(catalog).of(own, wait=True))


class Sizing:
    """The sizes of environments for who asks: at once as far as they are known, measured behind everybody's back."""

    def __init__(self, catalog: Catalog) -> None:
        self._sizes = Sizes(catalog.site)
        self._guard = threading.Lock()
        self._waiting: dict[str, Environment] = {}
        self._failed: dict[str, str] = {}
        self._thread: threading.Thread | None = None

    def of(self, rows: Sequence[Environment], *, wait: bool) -> list[Size]:
        """Return the sizes of *rows*; with *wait* each is measured where that is needed, else begun in a thread."""
        found = [self._sizes.known(row) for row in rows]
        stale = {row.id: row for row, size in zip(rows, found, strict=True) if size.outdated and _can_be(row)}
        if not stale:
            return found
        if wait:
            return [self._measured(stale[size.environment]) if size.environment in stale else size for size in found]
        self._begin(stale)
        return [
            msgspec.structs.replace(size, measuring=True, message=self._failed.get(size.environment, size.message))
            if size.environment in stale
            else size
            for size in found
        ]

    def known(self, row: Environment) -> Size:
        """Return the size of *row* as far as it is known; nothing is measured."""
        return self._sizes.known(row)

    def forget(self, known: set[str]) -> None:
        """Remove what is kept of environments that are gone for good: their ids are not among *known*."""
        self._sizes.forget(known)

    def _measured(self, row: Environment) -> Size:
        try:
            return self._sizes.measure(row)
        except HpcenvError as error:
            return msgspec.structs.replace(self._sizes.known(row), message=error.message)

    def _begin(self, rows: dict[str, Environment]) -> None:
        with self._guard:
            self._waiting.update(rows)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="hpcenv-sizes", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            with self._guard:
                if not self._waiting:
                    self._thread = None
                    return
                identifier, row = self._waiting.popitem()
            size = None
            with contextlib.suppress(OSError):  # what can not be kept now is measured again for who asks next
                size = self._measured(row)
            with self._guard:
                self._failed.pop(identifier, None)
                if size is not None and size.outdated and size.message:
                    self._failed[identifier] = size.message


def _can_be(row: Environment) -> bool:
    return row.state not in ("missing", "slow")
