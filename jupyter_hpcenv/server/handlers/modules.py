"""Serve what the site's module system offers, and what this server itself has loaded."""

from __future__ import annotations

import msgspec
from tornado import web

from .base import Handler, authorized


class Modules(Handler):
    """The modules that can be loaded here."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Answer those that match, best first, and how many there are."""
        query = self.get_query_argument("query", "")
        provides = self.get_query_argument("provides", "")
        limit = self.number("limit") or 200
        self.reply(await self.call_slow(lambda desk: desk.modules.listing(query, provides, limit)))


class Loaded(Handler):
    """What is loaded already."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Answer the modules of the server's own environment, and the user's saved collections."""
        self.reply(await self.call(lambda desk: desk.modules.at_hand()))


class ModulesToCheck(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST modules/check``."""

    modules: list[str] = []
    collection: str = ""


class Check(Handler):
    """What loading some modules would give."""

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        """Load them in a shell of their own, and answer what came of it."""
        asked = self.body(ModulesToCheck)
        self.reply(await self.call_slow(lambda desk: desk.modules.check(asked.modules, asked.collection)))
