"""Serve what builds an environment again, where it was or at another location, and what takes the last act back."""

from __future__ import annotations

from tornado import web

from ...models import BuildRequest, MoveRequest, RebuildRequest, UndoRequest
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


class Builds(Handler):
    """What builds an environment for other kinds of computers."""

    @web.authenticated
    @authorized("execute")
    async def post(self, environment: str) -> None:
        """Submit a build; answer the operation and where it can be followed."""
        identifier = self.environment_id(environment)
        key = self.idempotency_key()
        asked = self.body(BuildRequest)
        begun(self, await self.call_slow(lambda desk: desk.build(identifier, asked.target, key)))


class Build(Handler):
    """The build for one kind of computer."""

    @web.authenticated
    @authorized("write")
    async def delete(self, environment: str, target: str) -> None:
        """Remove it; the environment and its other builds stay."""
        identifier = self.environment_id(environment)
        await self.call_slow(lambda desk: desk.drop_build(identifier, target))
        self.hpcenv.changed()
        self.reply_nothing()


class Undo(Handler):
    """What takes the last act back."""

    @web.authenticated
    @authorized("read")
    async def get(self, environment: str) -> None:
        """Answer what can be undone, until when, and what that would change."""
        identifier = self.environment_id(environment)
        self.reply(await self.call_slow(lambda desk: desk.undoable(identifier)))

    @web.authenticated
    @authorized("execute")
    async def post(self, environment: str) -> None:
        """Submit the undoing; answer the operation, which for a deletion is finished by then."""
        identifier = self.environment_id(environment)
        key = self.idempotency_key()
        asked = self.body(UndoRequest)
        begun(self, await self.call_slow(lambda desk: desk.undo(identifier, asked, key)))
