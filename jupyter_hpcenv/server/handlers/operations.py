"""Serve operations: list, follow, cancel and forget them."""

from __future__ import annotations

import http

from tornado import web

from .base import Handler, authorized


class Operations(Handler):
    """All operations."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Answer them, newest first."""
        self.reply(await self.call(lambda desk: desk.operations.list()))


class Operation(Handler):
    """One operation."""

    @web.authenticated
    @authorized("read")
    async def get(self, operation: str) -> None:
        """Answer how it stands: 200 for ever, however it ended."""
        identifier = self.operation_id(operation)
        self.reply(await self.call(lambda desk: desk.operations.get(identifier)))

    @web.authenticated
    @authorized("write")
    async def delete(self, operation: str) -> None:
        """Forget a finished one with its log."""
        identifier = self.operation_id(operation)
        await self.call(lambda desk: desk.operations.forget(identifier))
        self.reply_nothing()


class Log(Handler):
    """The log of an operation."""

    @web.authenticated
    @authorized("read")
    async def get(self, operation: str) -> None:
        """Answer the lines from byte ``offset`` on, and the offset to ask for next."""
        identifier = self.operation_id(operation)
        offset = self.number("offset")
        self.reply(await self.call(lambda desk: desk.operations.log(identifier, offset)))


class Cancel(Handler):
    """The wish that an operation stops."""

    @web.authenticated
    @authorized("write")
    async def post(self, operation: str) -> None:
        """Ask it to stop; it cleans up and ends soon after."""
        identifier = self.operation_id(operation)
        self.no_body()
        asked = await self.call(lambda desk: desk.operations.cancel(identifier))
        self.hpcenv.changed()
        self.reply(asked, http.HTTPStatus.ACCEPTED)
