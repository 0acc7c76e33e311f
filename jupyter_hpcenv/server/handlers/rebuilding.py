"""Serve what builds an environment again: where it was, and at another location."""

from __future__ import annotations

from tornado import web

from ...models import MoveRequest, RebuildRequest
from .base import Handler, authorized
from .environments import begun


class Rebuild(Handler):
    """What brings back an environment whose prefix is gone."""

    @web.authenticated
    @authorized("execute")
    async def post(self, environment: str) -> None:
        """Submit a rebuild; answer the operation and where it can be followed."""
        identifier = self.environment_id(environment)
        key = self.idempotency_key()
        asked = self.body(RebuildRequest)
        begun(self, await self.call_slow(lambda desk: desk.rebuild(identifier, asked, key)))


class Move(Handler):
    """What takes an environment to another location."""

    @web.authenticated
    @authorized("execute")
    async def post(self, environment: str) -> None:
        """Submit a move; answer the operation and where it can be followed."""
        identifier = self.environment_id(environment)
        key = self.idempotency_key()
        asked = self.body(MoveRequest)
        begun(self, await self.call_slow(lambda desk: desk.move(identifier, asked.location, key)))
