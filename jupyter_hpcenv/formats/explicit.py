"""Read and write explicit lists: one URL of an archive a line below ``@EXPLICIT``, installed without solving."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import InvalidRequest, InvalidRequirement
from ..models import Contents, PinnedPackage
from .addresses import this_platform
from .archives import Archive, fitting, pinned, put, unchecked
from .plain_text import clean, line, shown

KIND = "explicit"
LONGEST = 5_000_000
MARK = "@EXPLICIT"

_PLATFORM = re.compile(r"#\s*platform:\s*(\S*)\s*")
_SUM = re.compile(r"(?P<md5>[0-9A-Fa-f]{32})|(?:sha256:)?(?P<sha256>[0-9A-Fa-f]{64})")


def read(text: str, platform: str = "") -> Contents:
    """Return what an explicit list says; raise `InvalidRequest`, naming the line, for what is wrong with it.

    *platform* is the kind of computer that it is for, such as ``linux-64``; empty: this one.
    """
    platform = platform or this_platform()
    found = Contents(kind=KIND)
    archives: dict[str, Archive] = {}
    marked = False
    for number, raw in enumerate(clean(text, limit=LONGEST).splitlines(), 1):
        words = raw.strip()
        with line(number):
            if words.startswith("#"):
                _check_platform(words, platform)
            elif words == MARK:
                marked = True
            elif words and not marked:
                raise InvalidRequest(
                    f"“{shown(words)}” stands above {MARK}.", hints=[f"Put a line {MARK} above the first URL."]
                )
            elif words:
                found.pinned.append(_package(words, platform, archives))
    if not archives:
        raise InvalidRequest(
            f"The list has no {MARK}, or no packages below it.",
            hints=["Make it with “conda list --explicit --sha256”."],
        )
    found.channels = list(dict.fromkeys(one.channel for one in archives.values()))
    found.warnings += unchecked(found.pinned)
    return found


def _check_platform(comment: str, platform: str) -> None:
    said = _PLATFORM.fullmatch(comment)
    if said and said[1] not in (platform, "noarch"):
        raise InvalidRequest(
            f"The list is for {shown(said[1]) or 'nothing'}, and packages for {platform} are needed.",
            hints=["Give a list that was made on the same kind of computer."],
        )


def _package(words: str, platform: str, archives: dict[str, Archive]) -> PinnedPackage:
    """Return the package of one line, and put its archive among those found so far."""
    url, mark, digest = words.partition("#")
    if "://" not in url:
        raise InvalidRequirement(
            f"“{shown(words)}” is no URL.", hints=["Below @EXPLICIT stand URLs alone; name packages without it."]
        )
    one = fitting(url, platform)
    put(archives, one)
    total = _SUM.fullmatch(digest)
    if mark and not total:
        raise InvalidRequirement(
            f"“#{shown(digest)}” is no checksum.",
            hints=["Write #, then 32 digits for MD5, or sha256: and 64 digits."],
        )
    return pinned(one, sha256=(total["sha256"] or "") if total else "", md5=(total["md5"] or "") if total else "")


def write(packages: Iterable[PinnedPackage], platform: str = "") -> str:
    """Return the packages as an explicit list that conda, mamba, pixi and we read; with SHA-256 where it is known."""
    platform = platform or this_platform()
    lines = ["# Exact conda packages; “conda create --name NAME --file THIS-FILE” installs them.", MARK]
    lines.insert(1, f"# platform: {platform}")
    for package in packages:
        fitting(package.url, platform)
        digest = f"#sha256:{package.sha256}" if package.sha256 else f"#{package.md5}" if package.md5 else ""
        lines.append(package.url + digest)
    return "\n".join(lines) + "\n"
