"""Solve with rattler as conda would; part of the program `transaction`."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rattler import Client, Gateway, GenericVirtualPackage, MatchSpec, RepoDataRecord, Subdir

_NEAR = 5  # names, and ten times as many versions, that are offered instead of one that does not exist
_ALONE: Literal["disabled"] = "disabled"  # a channel may name others to be asked, too; only ours are asked


class InvalidSpec(Exception):
    """A match spec that is none."""


class Solver:
    """Choose packages for one request; `held` and `relaxed` say afterwards what became of it."""

    def __init__(self, request: Mapping[str, Any], platforms: Sequence[Subdir], client: Client) -> None:
        self._request = request
        self._platforms = platforms
        self._client = client
        self.held: dict[str, str] = {}
        """Earlier requests as they are held to."""
        self.relaxed = False
        """Whether the order of the channels had to be given up."""
        self.virtual: list[str] = []
        """The virtual packages that were solved for."""

    async def solve(self) -> list[RepoDataRecord]:
        """Return the records that the environment is to hold."""
        from rattler import PrefixRecord
        from rattler.exceptions import GatewayError

        locked = [PrefixRecord.from_path(Path(path)) for path in self._request["locked"]]
        specs, self.held = self._specs()
        try:
            return await self._solved(specs, locked, sharded=True)
        except GatewayError as error:
            if "shard" not in str(error) and not self._request["offline"]:
                raise
            # some mirrors answer 403 or a page for files that they do not know: ask for the whole index
            return await self._solved(specs, locked, sharded=False)

    async def _solved(
        self, specs: Sequence[tuple[str, str]], locked: Sequence[RepoDataRecord], *, sharded: bool
    ) -> list[RepoDataRecord]:
        from rattler import ChannelPriority, solve
        from rattler.exceptions import SolverError

        gateway, virtual = self._gateway(sharded=sharded), virtual_packages(self._request["virtual_packages"])
        self.virtual = sorted(_shown(each) for each in virtual)
        constraints = [_lenient(spec) for spec in self._request["constraints"]]
        priority, channels = self._request["priority"], self._request["channels"]

        async def attempt(order: ChannelPriority, texts: Sequence[str]) -> list[RepoDataRecord]:
            return await solve(
                channels,
                [_lenient(text) for text in texts],
                gateway=gateway,
                platforms=self._platforms,
                locked_packages=locked,
                virtual_packages=virtual,
                channel_priority=order,
                constraints=constraints,
                channel_relations=_ALONE,
            )

        plain = [text for _, text in specs]
        if priority == "disabled" or len(channels) < 2:
            return await attempt(ChannelPriority.Disabled, plain)
        try:
            return await attempt(ChannelPriority.Strict, await self._owned(gateway, specs))
        except SolverError:
            if priority == "strict":
                raise
            found = await attempt(ChannelPriority.Disabled, plain)
            self.relaxed = True
            return found

    async def _owned(self, gateway: Gateway, specs: Sequence[tuple[str, str]]) -> list[str]:
        """Return match specs that take each package from the first channel that has one of that name.

        rattler looks for the first channel that has one that *matches*, where it is asked for with a version. What
        keeps its version may come from wherever it came.
        """
        locked = {Path(path).name.rsplit("-", 2)[0] for path in self._request["locked"]}
        free = {name for name, _ in specs if name not in locked or name in self._request["first"]}
        owners: dict[str, str] = {}
        if free:
            channels = self._request["channels"]
            for records in await self._query(gateway, channels, sorted(free)):
                for record in records:
                    owners.setdefault(record.name.normalized, str(record.channel).rstrip("/"))
        return [
            f"{owners[name]}::{text}" if name in owners and name in free and "::" not in text else text
            for name, text in specs
        ]

    def _specs(self) -> tuple[list[tuple[str, str]], dict[str, str]]:
        """Return what to solve for, by name, what the change is about first; and which earlier requests hold."""
        from rattler import MatchSpec, PrefixRecord
        from rattler.exceptions import InvalidMatchSpecError

        named: list[tuple[str, str]] = []
        for text in self._request["asked"]:
            try:
                named.append((MatchSpec(text, strict=True).name.normalized, text))
            except InvalidMatchSpecError as error:
                raise InvalidSpec(f"“{text}”: {error}") from None
        held = {}
        for name, choices in self._request["kept"].items():
            held[name] = _fitting(choices, PrefixRecord.from_path(Path(self._request["installed"][name])))
            named.append((name, held[name]))
        named += [(name, name) for name in self._request["roots"]]
        first = self._request["first"]
        named.sort(key=lambda each: first.index(each[0]) if each[0] in first else len(first))
        return named, held

    def _gateway(self, *, sharded: bool) -> Gateway:
        from rattler import Gateway, SourceConfig

        offline = self._request["offline"]
        return Gateway(
            cache_dir=Path(self._request["cache"]) / "repodata",
            default_config=SourceConfig(
                sharded_enabled=sharded, cache_action="force-cache-only" if offline else "cache-or-fetch"
            ),
            client=self._client,
        )

    async def _query(
        self, gateway: Gateway, channels: Sequence[str], names: Sequence[str]
    ) -> list[list[RepoDataRecord]]:
        return await gateway.query(channels, self._platforms, names, recursive=False, channel_relations=_ALONE)

    async def search(self, query: str, limit: int) -> list[dict[str, Any]]:
        """Return what each channel has of names with *query* in them, the best names first."""
        from rattler.exceptions import GatewayError

        try:
            return await self._searched(query, limit, sharded=True)
        except GatewayError:
            return await self._searched(query, limit, sharded=False)

    async def _searched(self, query: str, limit: int, *, sharded: bool) -> list[dict[str, Any]]:
        gateway, channels = self._gateway(sharded=sharded), self._request["channels"]
        every = {each.normalized for each in await gateway.names(channels, self._platforms, channel_relations=_ALONE)}
        names = sorted((name for name in every if query in name), key=lambda name: _rank(name, query))[:limit]
        if not names:
            return []
        found: dict[tuple[str, str], list[Any]] = {}
        for records in await self._query(gateway, channels, names):
            for record in records:
                found.setdefault((record.name.normalized, str(record.channel).rstrip("/")), []).append(record)
        told = []
        for (name, channel), records in found.items():
            best = max(records, key=lambda each: (each.version, each.build_number))
            versions = len({str(each.version) for each in records})
            about = {"version": str(best.version), "build": str(best.build), "size": best.size}
            told.append({"name": name, "channel": channel, "versions": versions, "builds": len(records), **about})
        return sorted(told, key=lambda each: _rank(str(each["name"]), query))

    async def look(self, names: Sequence[str]) -> dict[str, dict[str, list[str]]]:
        """Return which versions there are of some names, and for names that nobody has, which are spelled alike."""
        gateway, channels = self._gateway(sharded=False), self._request["channels"]
        found = await self._query(gateway, channels, names)
        versions: dict[str, set[Any]] = {name: set() for name in names}
        for records in found:
            for record in records:
                versions.setdefault(record.name.normalized, set()).add(record.version)
        every: list[str] = []
        if not all(versions.values()):
            every = [
                name.normalized for name in await gateway.names(channels, self._platforms, channel_relations=_ALONE)
            ]
        return {
            name: {
                "versions": [str(each) for each in sorted(there, reverse=True)[: 10 * _NEAR]],
                "near": [] if there else difflib.get_close_matches(name, every, _NEAR),
            }
            for name, there in versions.items()
        }


def _rank(name: str, query: str) -> tuple[bool, bool, int, str]:
    return (name != query, not name.startswith(query), len(name), name)


def virtual_packages(overrides: Mapping[str, str]) -> list[GenericVirtualPackage]:
    """Return what this computer offers; ``CONDA_OVERRIDE_*`` counts more, and *overrides* most.

    An empty version says that there is none. A microarchitecture is told by the build, as conda has it.
    """
    from rattler import GenericVirtualPackage, PackageName, Version, VirtualPackage
    from rattler.package import BuildString

    found: dict[str, GenericVirtualPackage] = {}
    for each in VirtualPackage.detect():
        generic = each.into_generic()
        found[generic.name.normalized.removeprefix("__")] = generic
    mark = "CONDA_OVERRIDE_"
    said = {name.removeprefix(mark).lower(): value for name, value in os.environ.items() if name.startswith(mark)}
    for name, value in {**said, **overrides}.items():
        found.pop(name, None)
        if value:
            version, build = ("1", value) if name == "archspec" else (value, "0")
            found[name] = GenericVirtualPackage(PackageName(f"__{name}"), Version(version), BuildString(build))
    return list(found.values())


def _shown(package: GenericVirtualPackage) -> str:
    """Return a virtual package as people write it; where the version says nothing, the build does."""
    build = str(package.build_string)
    return f"{package.name.normalized}={build if build not in ('', '0') else package.version}"


def _lenient(text: str) -> MatchSpec:
    """Return a match spec that conda would understand, be it written in a way that is not its own any more."""
    from rattler import MatchSpec
    from rattler.exceptions import InvalidMatchSpecError

    try:
        return MatchSpec(text, strict=True)
    except InvalidMatchSpecError:
        return MatchSpec(text)


def _fitting(choices: Iterable[str], record: RepoDataRecord) -> str:
    """Return the first request that the installed package satisfies; else its name, for more can not be held to."""
    from rattler.exceptions import InvalidMatchSpecError

    for text in choices:
        try:
            if _lenient(text).matches(record):
                return text
        except InvalidMatchSpecError:
            continue
    return record.name.normalized
