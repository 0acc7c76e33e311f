"""Read what is installed in a conda prefix from the JSON files in its ``conda-meta``; no engine is needed for it."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ... import typed
from ...errors import BrokenRecord
from ...files import read_regular

META = "conda-meta"
_LARGEST = 64_000_000  # bytes; packages with 100,000 files have records of 40 MB
_NAME = re.compile(r"(?:[^\s\[]+::)?([A-Za-z0-9_.-]+)")


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """A package as its record in the prefix describes it."""

    name: str
    version: str
    build: str
    build_number: int = 0
    channel: str
    """URL of the channel, without the folder of the architecture."""
    subdir: str = ""
    url: str
    sha256: str = ""
    md5: str = ""
    requested: str = ""
    """The match spec that somebody asked with; empty for what came along."""
    requests: list[str] = []
    """All of them, where its record says several."""
    depends: list[str] = []
    size: int = 0
    """Bytes of the archive."""
    files: int = 0
    record: str = ""
    """Path of its record."""

    @property
    def needs(self) -> set[str]:
        """The names of the packages that it depends on."""
        return {name for spec in self.depends if (name := name_of(spec)) and not name.startswith("__")}


class _Record(msgspec.Struct):
    """What we read of a record; conda, mamba and rattler write more, and not all of them write everything."""

    name: str
    version: str
    build: str
    build_number: int = 0
    channel: Any = ""
    subdir: str = ""
    url: str = ""
    sha256: str | None = None
    md5: str | None = None
    depends: list[str] | None = None
    size: int | None = None
    files: list[str] | None = None
    requested_spec: str | None = None
    requested_specs: list[str] | None = None


def name_of(spec: str) -> str:
    """Return the name of the package that a match spec is about."""
    match = _NAME.match(spec.strip())
    return match[1].lower() if match else ""


def read(prefix: Path) -> list[Installed]:
    """Return the packages that are installed in *prefix*, by name; `requested` is what their own records say.

    Raises `BrokenRecord` for a record that can not be read: to go on without it would lose its files.
    """
    folder = prefix / META
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = [load(folder / name) for name in names]
    return sorted(found, key=lambda each: each.name)


def load(path: Path) -> Installed:
    """Return the package of one record, wherever it lies."""
    try:
        record = typed.of_json(read_regular(path, _LARGEST), _Record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenRecord(
            f"The record of an installed package is damaged: {path}.",
            hints=["Recreate the environment; its other packages can be listed by their own records."],
            reason=str(error),
        ) from error
    said = record.requested_specs or ([record.requested_spec] if record.requested_spec else [])
    asked = [each for each in said if each and each != "None"]  # conda before 26.3 wrote that for nobody
    return Installed(
        name=record.name,
        version=record.version,
        build=record.build,
        build_number=record.build_number,
        channel=_channel(str(record.channel or ""), record.url, record.subdir),
        subdir=record.subdir,
        url=record.url,
        sha256=record.sha256 or "",
        md5=record.md5 or "",
        requested=next(filter(None, asked), ""),
        requests=asked,
        depends=record.depends or [],
        size=record.size or 0,
        files=len(record.files or []),
        record=str(path),
    )


def _channel(channel: str, url: str, subdir: str) -> str:
    """Return the channel as a URL; what conda wrote may be a name, and may end in the folder of the architecture."""
    if "://" not in channel and "://" in url:
        channel = url.rsplit("/", 2)[0] if subdir and url.split("/")[-2] == subdir else url.rsplit("/", 1)[0]
    return channel.rstrip("/").removesuffix(f"/{subdir}") if subdir else channel.rstrip("/")


def in_order(packages: Iterable[Installed]) -> list[Installed]:
    """Return *packages* so that each stands after those that it depends on; circles are broken anywhere."""
    every = {each.name: each for each in packages}
    seen: set[str] = set()
    done: list[Installed] = []
    for first in every:
        waiting = [(first, False)]
        while waiting:
            name, ready = waiting.pop()
            if ready:
                done.append(every[name])
            elif name not in seen:
                seen.add(name)
                waiting.append((name, True))
                waiting += [(each, False) for each in sorted(every[name].needs) if each in every]
    return done


def reachable(packages: Mapping[str, Installed], names: Collection[str]) -> set[str]:
    """Return *names* and what they need, of the *packages* that are there."""
    found, waiting = set(), [name for name in names if name in packages]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [each for each in packages[name].needs if each in packages]
    return found


def explicit(prefix: Path) -> str:
    """Return the packages of *prefix* as an explicit list, as ``conda list --explicit --md5`` writes it.

    A package is told by its MD5, which every reader knows, or by its SHA-256 where there is no other.
    """
    packages = read(prefix)
    lines = [
        "# Exact packages. To make the same environment: conda create --name NAME --file THIS_FILE",
        f"# platform: {platform_of(packages)}",
        "@EXPLICIT",
    ]
    for each in in_order(packages):
        digest = each.md5 or each.sha256
        lines.append(f"{each.url}#{digest}" if digest else each.url)
    return "\n".join(lines) + "\n"


def platform_of(packages: Iterable[Installed]) -> str:
    """Return the architecture that *packages* are for, such as ``linux-64``; this computer's where they fit all."""
    machine = {"x86_64": "64"}.get(platform.machine(), platform.machine())
    return next((each.subdir for each in packages if each.subdir not in ("", "noarch")), f"linux-{machine}")
