"""Keep the encoded list of environments while the catalog hands out the same rows."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec

from ..models import Environment


class Encoded(NamedTuple):
    """A body and its ETag, in quotes."""

    body: bytes
    etag: str


class Listing:
    """The last list as it was sent; safe to use from threads.

    Nothing is looked up here: the catalog reads the disk at every request, and gives the same object as before
    only if all is as before.
    """

    def __init__(self) -> None:
        self._kept: tuple[tuple[Environment, ...], Encoded] | None = None

    def encoded(self, rows: tuple[Environment, ...]) -> Encoded:
        """Return *rows* as JSON; handlers call it in a thread, because thousands take milliseconds."""
        kept = self._kept
        if kept is not None and kept[0] is rows:
            return kept[1]
        body = msgspec.json.encode(rows)
        encoded = Encoded(body, f'"{hashlib.sha256(body).hexdigest()[:40]}"')
        self._kept = (rows, encoded)
        return encoded
