"""Serve what a client must know of the site before it asks for anything."""

from __future__ import annotations

from tornado import web

from .base import Handler, authorized


class Site(Handler):
    """The site."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Answer managers, Pythons, locations as they stand now, and rules."""
        self.reply(await self.call(lambda desk: desk.facts()))
