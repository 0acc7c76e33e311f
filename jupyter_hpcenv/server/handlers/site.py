"""Serve what a client must know of the site before it asks for anything."""

from __future__ import annotations

from tornado import web

from ...models import CreateRequest, PresetParameters
from .base import Handler, authorized


class Site(Handler):
    """The site."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Answer managers, Pythons, locations as they stand now, and rules."""
        self.reply(await self.call(lambda desk: desk.facts()))


class Targets(Handler):
    """What the batch system offers."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Answer its partitions; that there is no batch system, or that it is silent, is said in the answer."""
        self.reply(await self.call_slow(lambda desk: desk.batch()))


class Profiles(Handler):
    """What kernels may run in besides the server's own computer."""

    @web.authenticated
    @authorized("read")
    async def get(self) -> None:
        """Answer the site's profiles."""
        self.reply(await self.call(lambda desk: desk.profiles()))


class Preset(Handler):
    """One of the requests that staff prepared."""

    @web.authenticated
    @authorized("read")
    async def post(self, preset: str) -> None:
        """Answer the request that it makes of parameters, as far as it says anything; nothing is built."""
        asked = self.body(PresetParameters)
        request = await self.call(lambda desk: desk.fill_preset(preset, asked.parameters))
        empty = CreateRequest(name="")
        said = {field: getattr(request, field) for field in request.__struct_fields__}
        self.reply({field: value for field, value in said.items() if field == "name" or value != getattr(empty, field)})
