"""Find the URL that a name of a channel stands for, by conda's rules; judges nothing.

Which is told by conda's documentation (“Settings”: channel_alias, custom_channels, custom_multichannels,
default_channels).
"""

from __future__ import annotations

import os
import re

import msgspec

from .addresses import KNOWN_PLATFORMS, below, without_scheme
from .condarc import from_home
from .settings import Settings

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.+=~-]+")
_DEFAULTS = "defaults"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A URL as it is written in the configuration, and where; empty if the name itself is the URL."""

    text: str
    where: str = ""


class Names:
    """What the names of channels stand for in one configuration."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.alias = settings.channel_alias.rstrip("/")
        self.aliased = settings.origin("channel_alias")
        self.many: dict[str, list[Address]] = {}
        self.own: dict[str, Address] = {}
        self._learn()

    def locate(self, name: str) -> list[Address]:
        """Return the URLs that *name* stands for; ValueError says why it can stand for none."""
        name = name.strip()
        if _SCHEME.match(name):
            return [self._migrated(name)]
        if name.startswith(("/", "~", "./", "..")) or name == ".":
            return [Address(text=_folder(name))]
        name = _without_platform(name.strip("/"))
        if not all(_SEGMENT.fullmatch(part) for part in name.split("/")):
            raise ValueError("a name holds letters, digits, “-”, “_”, “.” and “/” only")
        if name in self.many:
            return self.many[name]
        return [self._single(name)]

    def _learn(self) -> None:
        """Read the maps of the configuration; members of a collection lend their names to single channels."""
        settings = self.settings
        collections = {_DEFAULTS: settings.default_channels, **settings.custom_multichannels}
        for collection, members in collections.items():
            key = f"custom_multichannels[{collection}]"
            of_its_own = collection in settings.custom_multichannels
            where = settings.origin("custom_multichannels", collection) if of_its_own else ""
            self.many[collection] = []
            for number, member in enumerate(members):
                place = settings.where.get(f"{key}[{number}]", where) or settings.origin("default_channels", number)
                name, address = self._member(member.rstrip("/"), place)
                self.many[collection].append(address)
                if name:
                    self.own[name] = address
        for name, base in settings.custom_channels.items():
            where = settings.origin("custom_channels", name)
            usable = base.startswith("/") or _SCHEME.match(base)
            text = f"{base.rstrip('/')}/{name.strip('/')}" if usable else ""
            self.own[name.strip("/")] = Address(text=f"file://{text}" if base.startswith("/") else text, where=where)

    def _member(self, member: str, where: str) -> tuple[str, Address]:
        """Return a member of a collection as a URL, and the name that conda then knows it by."""
        if member.startswith("/"):
            return "", Address(text=f"file://{member}", where=where)
        if not _SCHEME.match(member):
            return "", Address(text=f"{self.alias}/{member}", where=where)
        address = without_scheme(member)
        aliased = without_scheme(self.alias)
        name = address[len(aliased) :] if below(address, aliased) else address.partition("/")[2]
        return name.strip("/"), Address(text=member, where=where)

    def _single(self, name: str) -> Address:
        base = name
        while base:
            if base in self.own:
                found = self.own[base]
                if not found.text:
                    raise ValueError(f"custom_channels in {found.where} gives no URL for it")
                return Address(text=found.text + name[len(base) :], where=found.where)
            base = base.rpartition("/")[0]
        return Address(text=f"{self.alias}/{name}", where=self.aliased)

    def _migrated(self, url: str) -> Address:
        """Return *url*, or what took its place where the old alias is named in migrated_channel_aliases."""
        address = without_scheme(url)
        for number, old in enumerate(self.settings.migrated_channel_aliases):
            former = without_scheme(old).rstrip("/")
            if former and below(address, former):
                where = self.settings.origin("migrated_channel_aliases", number)
                return Address(text=self.alias + address[len(former) :], where=where)
        return Address(text=url)


def _folder(path: str) -> str:
    whole = from_home(path, os.environ)
    if "://" in path:
        raise ValueError("it is neither a path nor a URL")
    if not whole.startswith("/"):
        raise ValueError("its path is not absolute, and nobody knows what it is relative to")
    return f"file:///{whole.lstrip('/')}"


def _without_platform(name: str) -> str:
    base, _, last = name.rpartition("/")
    return base if base and last.lower() in KNOWN_PLATFORMS else name
