"""Serve where installers keep packages, and clean that."""

from __future__ import annotations

from tornado import web

from ...models import CleanCaches
from .base import Handler, authorized


class Caches(Handler):
    """The caches of uv, pip and conda."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Answer what is known, and have the rest measured."""
        self.reply(await self.call(lambda desk: desk.caches()))


class Clean(Handler):
    """What can be fetched again, taken away."""

    @web.authenticated
    @authorized("write")
    async def post(self) -> None:
        """Clean caches, or say what would go."""
        asked = self.body(CleanCaches)
        self.reply(await self.call_slow(lambda desk: desk.clean_caches(asked)))
