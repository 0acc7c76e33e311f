"""Serve what is shared: share and unshare, use and unuse, adopt."""

from __future__ import annotations

from tornado import web

from ...models import AdoptRequest, ShareRequest, UseRequest
from .base import Handler, authorized
from .environments import begun


class Share(Handler):
    """With whom an environment is shared."""

    @web.authenticated
    @authorized("execute")
    async def post(self, environment: str) -> None:
        """Submit that it is shared; answer the operation and where it can be followed."""
        identifier = self.environment_id(environment)
        key, request = self.idempotency_key(), self.body(ShareRequest)
        begun(self, await self.call_slow(lambda desk: desk.share(identifier, request, key)))


class Unshare(Handler):
    """The end of that."""

    @web.authenticated
    @authorized("execute")
    async def post(self, environment: str) -> None:
        """Submit that it is closed; answer the operation and where it can be followed."""
        identifier = self.environment_id(environment)
        key = self.idempotency_key()
        self.no_body()
        begun(self, await self.call_slow(lambda desk: desk.unshare(identifier, key)))


class Use(Handler):
    """What a colleague shares, used."""

    @web.authenticated
    @authorized("execute")
    async def post(self, environment: str) -> None:
        """Decide to trust it, prove its kernel and publish it; answer the environment."""
        identifier = self.environment_id(environment)
        request = self.body(UseRequest)
        detail = await self.call_slow(lambda desk: desk.use(identifier, request))
        self.hpcenv.changed()
        self.reply(detail, revision=detail.revision)


class Unuse(Handler):
    """The end of that."""

    @web.authenticated
    @authorized("write")
    async def post(self, environment: str) -> None:
        """Take the kernel away and forget what was trusted."""
        identifier = self.environment_id(environment)
        self.no_body()
        await self.call(lambda desk: desk.unuse(identifier))
        self.hpcenv.changed()
        self.reply_nothing()


class Adopted(Handler):
    """Environments of other tools that were adopted."""

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        """Adopt one; answer it as it is shown from now on."""
        request = self.body(AdoptRequest)
        detail = await self.call_slow(lambda desk: desk.adopt(request))
        self.hpcenv.changed()
        self.reply(detail, revision=detail.revision)
