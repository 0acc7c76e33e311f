"""Serve kernels: list them, publish one, take one off the launcher."""

from __future__ import annotations

from tornado import web

from ...models import KernelPatch
from .base import Handler, authorized


class Kernels(Handler):
    """All published kernels of ours."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Answer each with the environment that it belongs to."""
        self.reply(await self.call(lambda desk: desk.kernels()))


class Kernel(Handler):
    """One kernel of an environment."""

    @web.authenticated
    @authorized("write")
    async def put(self, environment: str, kernel: str) -> None:
        """Publish it, under a display name of one's own if the body has one."""
        identifier = self.environment_id(environment)
        change = self.body(KernelPatch)
        published = await self.call(lambda desk: desk.publish(identifier, kernel, change))
        self.hpcenv.changed()
        self.reply(published)

    @web.authenticated
    @authorized("write")
    async def delete(self, environment: str, kernel: str) -> None:
        """Take it off the launcher; the environment stays."""
        identifier = self.environment_id(environment)
        await self.call(lambda desk: desk.unpublish(identifier, kernel))
        self.hpcenv.changed()
        self.reply_nothing()
