"""Read what the URL of a conda archive says: channel, subdir, and name, version and build from its file name."""

from __future__ import annotations

import re
from urllib.parse import unquote

import msgspec

from ..errors import InvalidRequirement
from ..models import PinnedPackage
from .addresses import check_url
from .plain_text import shown

NAME = r"_{0,2}[A-Za-z0-9]+(?:[._-]{1,2}[A-Za-z0-9]+)*"
_WORDS = r"[0-9A-Za-z]+(?:[._][0-9A-Za-z]+)*_?"
VERSION = rf"(?:[0-9]{{1,9}}!)?{_WORDS}(?:\+{_WORDS})?"
BUILD = r"[A-Za-z0-9_.+]+"

_FILE = re.compile(rf"({NAME})-({VERSION})-({BUILD})(?:\.conda|\.tar\.bz2)", re.ASCII)


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """What the URL of an archive says."""

    url: str
    channel: str
    subdir: str
    name: str
    version: str
    build: str


def archive(url: str) -> Archive:
    """Return what *url* says; raise `InvalidRequirement` if it is not that of a conda archive in a channel."""
    parts = check_url(url)
    folder, _, file = parts.path.rpartition("/")
    found = _FILE.fullmatch(unquote(file)) if len(file) <= 250 else None
    if not found:
        raise InvalidRequirement(
            f"“{shown(url)}” does not end in the name of a conda archive.",
            hints=["Such a name looks like numpy-2.1.0-py311_0.conda, or ends in .tar.bz2."],
        )
    channel, _, subdir = url[: -len(file) - 1].rpartition("/")
    return Archive(
        url=url,
        channel=channel,
        subdir=unquote(subdir) if folder.strip("/") else "",
        name=found[1].lower(),
        version=found[2],
        build=found[3],
    )


def fitting(url: str, platform: str, name: str = "", version: str = "") -> Archive:
    """Return what *url* says; raise `InvalidRequirement` also if it is not for *platform*, or not what a file says."""
    found = archive(url)
    if found.subdir not in (platform, "noarch"):
        raise InvalidRequirement(
            f"“{shown(url)}” lies in “{shown(found.subdir)}”, and packages for {platform} lie in {platform} or noarch.",
            hints=["Give a list that was made for the same kind of computer."],
        )
    if (name and name.lower() != found.name) or (version and version.lower() != found.version.lower()):
        raise InvalidRequirement(
            f"“{shown(url)}” is {found.name} {found.version}, and the file calls it {shown(f'{name} {version}')}.",
            hints=["Do not use this file before you know who changed it."],
        )
    return found


def pinned(found: Archive, sha256: str = "", md5: str = "") -> PinnedPackage:
    """Return the exact package; raise `InvalidRequirement` for checksums that can be none."""
    for digest, length, kind in ((sha256, 64, "SHA-256"), (md5, 32, "MD5")):
        if digest and not re.fullmatch(rf"[0-9A-Fa-f]{{{length}}}", digest):
            raise InvalidRequirement(
                f"The checksum of {found.name} is no {kind}: it has {length} hexadecimal digits.",
                hints=["Make the list again."],
            )
    return PinnedPackage(url=found.url, sha256=sha256.lower(), md5=md5.lower())


def put(found: dict[str, Archive], one: Archive) -> None:
    """Add an archive to those *found* so far, by name; raise `InvalidRequirement` if its package is there already."""
    other = found.setdefault(one.name, one)
    if other is not one:
        raise InvalidRequirement(
            f"{one.name} is listed twice: {other.version} {other.build} and {one.version} {one.build}.",
            hints=["Keep one of them."],
        )


def unchecked(packages: list[PinnedPackage]) -> list[str]:
    """Return what to warn of: packages without a checksum."""
    bare = sum(not package.sha256 and not package.md5 for package in packages)
    if not bare:
        return []
    return [f"{bare} of {len(packages)} packages have no checksum: what their channel sends is taken as it is."]
