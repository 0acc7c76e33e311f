"""Serve what the doctor finds of an environment or of the account."""

from __future__ import annotations

from tornado import web

from .base import Handler, authorized


class AccountFindings(Handler):
    """What is wrong with the account and all environments of the user's own."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Look at it now; nothing is changed."""
        self.reply(await self.call_slow(lambda desk: desk.examine()))


class Findings(Handler):
    """What is wrong with an environment."""

    @web.authenticated
    @authorized("read")
    async def get(self, environment: str) -> None:
        """Look at it now; nothing is changed."""
        identifier = self.environment_id(environment)
        self.reply(await self.call_slow(lambda desk: desk.examine(identifier)))
