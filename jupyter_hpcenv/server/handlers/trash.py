"""Serve the trash: list it, restore from it, empty an item."""

from __future__ import annotations

from tornado import web

from .base import Handler, authorized


class Trash(Handler):
    """All that can be restored."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Answer the items, newest first."""
        self.reply(await self.call(lambda desk: desk.catalog.trash()))


class TrashItem(Handler):
    """One deleted environment."""

    @web.authenticated
    @authorized("write")
    async def delete(self, environment: str) -> None:
        """Make it unrestorable; its bytes go in the background."""
        identifier = self.environment_id(environment)
        await self.call(lambda desk: desk.empty(identifier))
        self.hpcenv.changed(sweep=True)
        self.reply_nothing()


class Restore(Handler):
    """The way back from the trash."""

    @web.authenticated
    @authorized("write")
    async def post(self, environment: str) -> None:
        """Bring it back with its kernel."""
        identifier = self.environment_id(environment)
        self.no_body()
        detail = await self.call(lambda desk: desk.restore(identifier))
        self.hpcenv.changed()
        self.reply(detail, revision=detail.revision)
