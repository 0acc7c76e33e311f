"""Serve environments: list, create, show, change, delete, and what a shell and a person ask of one."""

from __future__ import annotations

import http

import msgspec
from jupyter_server.utils import url_path_join
from tornado import web

from ...models import Changes, CreateRequest, EnvironmentPatch, Operation
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
        if location or name or query:
            self.reply(await self.call(lambda desk: desk.catalog.environments(location, name, query)))
        else:
            self.reply_encoded(*await self.call(lambda desk: self.hpcenv.listing.encoded(desk.catalog.rows())))

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        """Submit a create request; answer the operation and where it can be followed."""
        key = self.idempotency_key()
        request = self.body(CreateRequest)
        begun(self, await self.call_slow(lambda desk: desk.submit("create", request, key)))


def begun(handler: Handler, operation: Operation) -> None:
    """Answer an operation that was accepted, and where it can be followed."""
    handler.hpcenv.changed()
    handler.set_header("Location", url_path_join(handler.base_url, "hpcenv", "operations", operation.id))
    handler.reply(operation, http.HTTPStatus.ACCEPTED)


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
    @authorized("execute")
    async def patch(self, environment: str) -> None:
        """Apply a merge patch to it; its kernel is proven first."""
        identifier = self.environment_id(environment)
        revision = self.if_match()
        change = self.body(EnvironmentPatch)
        detail = await self.call_slow(lambda desk: desk.patch(identifier, change, revision))
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


class Refresh(Handler):
    """Bring an environment's files in step with the site."""

    @web.authenticated
    @authorized("execute")
    async def post(self, environment: str) -> None:
        """Capture its modules again, prove the kernel, and write everything that is rendered from its record."""
        identifier = self.environment_id(environment)
        self.no_body()
        detail = await self.call_slow(lambda desk: desk.refresh(identifier))
        self.hpcenv.changed()
        self.reply(detail, revision=detail.revision)


class ToInstall(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST environments/{id}/activation``."""

    dialect: str


class Activation(Handler):
    """How a shell, a module system or a batch job uses an environment."""

    @web.authenticated
    @authorized("read")
    async def get(self, environment: str) -> None:
        """Answer command and file, in the dialect that is asked for or that of the user's login shell."""
        identifier = self.environment_id(environment)
        dialect, several = self.get_query_argument("dialect", ""), self.flag("several")
        self.reply(await self.call(lambda desk: desk.activation(identifier, dialect, several=several)))

    @web.authenticated
    @authorized("write")
    async def post(self, environment: str) -> None:
        """Install the file of a dialect where the module system or a person looks for it."""
        identifier = self.environment_id(environment)
        asked = self.body(ToInstall)
        installed = await self.call_slow(lambda desk: desk.install_activation(identifier, asked.dialect))
        self.hpcenv.changed()
        self.reply(installed)


class Packages(Handler):
    """What is installed in an environment."""

    @web.authenticated
    @authorized("read")
    async def get(self, environment: str) -> None:
        """Answer names and versions, read from its files; what it inherits comes last, and is marked."""
        identifier = self.environment_id(environment)
        self.reply(await self.call(lambda desk: desk.packages(identifier, inherited=True)))


class Export(Handler):
    """What an environment holds, as a file."""

    @web.authenticated
    @authorized("read")
    async def get(self, environment: str) -> None:
        """Answer the text of the format that is asked for."""
        identifier = self.environment_id(environment)
        form = self.get_query_argument("format", "")
        self.reply(await self.call_slow(lambda desk: desk.export(identifier, form)))


class PackageChanges(Handler):
    """Changes of what is installed."""

    @web.authenticated
    @authorized("execute")
    async def post(self, environment: str) -> None:
        """Submit a change, or a plan of one; answer the operation and where it can be followed."""
        identifier = self.environment_id(environment)
        key = self.idempotency_key()
        changes = self.body(Changes)
        begun(self, await self.call_slow(lambda desk: desk.change_packages(identifier, changes, key)))


class Repair(Handler):
    """What puts right an environment whose change was killed."""

    @web.authenticated
    @authorized("execute")
    async def post(self, environment: str) -> None:
        """Submit a repair; answer the operation and where it can be followed."""
        identifier = self.environment_id(environment)
        self.no_body()
        begun(self, await self.call_slow(lambda desk: desk.repair(identifier)))
