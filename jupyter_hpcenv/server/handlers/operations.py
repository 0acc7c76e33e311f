"""Serve operations: list, follow, cancel and forget them."""

from __future__ import annotations

import http

from jupyter_server.utils import url_path_join
from tornado import web

from ...models import CreateRequest
from .base import Handler, authorized


class Operations(Handler):
    """All operations."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Answer them, newest first."""
        self.reply(await self.call(lambda desk: desk.operations.list()))


class Plans(Handler):
    """What a create would do."""

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        """Start an operation that works it out and whose result is the plan; nothing is built."""
        request = self.body(CreateRequest)
        operation = await self.call_slow(lambda desk: desk.plan(request))
        self.set_header("Location", url_path_join(self.base_url, "hpcenv", "operations", operation.id))
        self.reply(operation, http.HTTPStatus.ACCEPTED)


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
