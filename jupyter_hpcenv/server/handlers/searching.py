"""Serve where a package can be had."""

from __future__ import annotations

from tornado import web

from .base import Handler, authorized


class Search(Handler):
    """Where a package can be had."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Ask indexes, channels, folders and modules, and answer what they have or why they could not be asked."""
        query = self.get_query_argument("query", "")
        named = self.get_query_argument("environment", "")
        environment = self.environment_id(named) if named else ""
        manager, limit = self.get_query_argument("manager", ""), self.number("limit") or 20
        self.reply(await self.call_slow(lambda desk: desk.search(query, environment, manager, limit)))
