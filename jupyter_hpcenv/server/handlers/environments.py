"""Serve environments: list, create, show, change, delete, and what a shell and a person ask of one."""

from __future__ import annotations

import http

from jupyter_server.utils import url_path_join
from tornado import web

from ...models import CreateRequest, EnvironmentPatch
from ..own_kernels import shut_down_or_refuse
from .base import Handler, authorized


class Environments(Handler):
    """All environments."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Answer the rows that match."""
        location = self.get_query_argument("location", "")
        name = self.get_query_argument("name", "")
        query = self.get_query_argument("query", "")
        self.reply(await self.call(lambda desk: desk.catalog.environments(location, name, query)))

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        """Submit a create request; answer the operation and where it can be followed."""
        key = self.idempotency_key()
        request = self.body(CreateRequest)
        operation = await self.call(lambda desk: desk.submit("create", request, key))
        self.hpcenv.changed()
        self.set_header("Location", url_path_join(self.base_url, "hpcenv", "operations", operation.id))
        self.reply(operation, http.HTTPStatus.ACCEPTED)


class Environment(Handler):
    """One environment."""

    @web.authenticated
    @authorized("read")
    async def get(self, environment: str) -> None:
        """Answer all that is known of it."""
        identifier = self.environment_id(environment)
        detail = await self.call(lambda desk: desk.catalog.find(identifier))
        self.reply(detail, revision=detail.revision)

    @web.authenticated
    @authorized("write")
    async def patch(self, environment: str) -> None:
        """Apply a merge patch to it."""
        identifier = self.environment_id(environment)
        revision = self.if_match()
        change = self.body(EnvironmentPatch)
        detail = await self.call(lambda desk: desk.patch(identifier, change, revision))
        self.hpcenv.changed()
        self.reply(detail, revision=detail.revision)

    @web.authenticated
    @authorized("write")
    async def delete(self, environment: str) -> None:
        """Move it to the trash; with ``force`` its kernels in this server are shut down first."""
        identifier = self.environment_id(environment)
        force, now = self.flag("force"), self.flag("now")
        detail = await self.call(lambda desk: desk.catalog.find(identifier))
        await shut_down_or_refuse(self.settings, detail, force=force)
        item = await self.call(lambda desk: desk.delete(identifier, now=now, force=force))
        self.hpcenv.changed(sweep=now)
        self.reply(item)


class Activation(Handler):
    """How a shell enters an environment."""

    @web.authenticated
    @authorized("read")
    async def get(self, environment: str) -> None:
        """Answer the command, in the dialect that is asked for or that of the user's login shell."""
        identifier = self.environment_id(environment)
        dialect = self.get_query_argument("dialect", "")
        self.reply(await self.call(lambda desk: desk.activation(identifier, dialect)))


class Packages(Handler):
    """What is installed in an environment."""

    @web.authenticated
    @authorized("read")
    async def get(self, environment: str) -> None:
        """Answer names and versions, read from its files."""
        identifier = self.environment_id(environment)
        self.reply(await self.call(lambda desk: desk.packages(identifier)))
