"""Serve how large environments are, whether their files are whole, and what was done to them."""

from __future__ import annotations

from tornado import web

from .base import Handler, authorized


class Sizes(Handler):
    """The sizes of all environments of the user's own."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Answer what is known, and have the rest measured."""
        self.reply(await self.call(lambda desk: desk.sizes()))


class EnvironmentSize(Handler):
    """The size of one environment."""

    @web.authenticated
    @authorized("read")
    async def get(self, environment: str) -> None:
        """Answer what is known of it, and have it measured if need be."""
        identifier = self.environment_id(environment)
        (found,) = await self.call(lambda desk: desk.sizes([identifier]))
        self.reply(found)


class Health(Handler):
    """Whether an environment's files are as they were installed."""

    @web.authenticated
    @authorized("read")
    async def get(self, environment: str) -> None:
        """Compare them with what installers wrote down, by size or with ``hash`` by each byte."""
        identifier = self.environment_id(environment)
        hashes = self.flag("hash")
        self.reply(await self.call_slow(lambda desk: desk.health(identifier, hashes=hashes)))


class History(Handler):
    """What was done to an environment."""

    @web.authenticated
    @authorized("read")
    async def get(self, environment: str) -> None:
        """Answer who did what, and when."""
        identifier = self.environment_id(environment)
        self.reply(await self.call(lambda desk: desk.history(identifier)))
