"""Read conda-lock.yml, version 1: exact conda packages, and packages for pip, for several kinds of computers."""

from __future__ import annotations

from ..errors import InvalidRequest
from ..models import Contents
from .addresses import this_platform
from .archives import Archive, fitting, pinned, put, unchecked
from .locked import UNCHECKED, channels, pip_line
from .plain_text import clean, line, shown
from .requirements import Rules
from .strict_yaml import Node, load

KIND = "conda-lock"
LONGEST = 5_000_000
VERSION = "1"
CATEGORY = "main"


def read(text: str, rules: Rules, platform: str = "") -> Contents:
    """Return what the file says for *platform* (empty: this computer's); raise `InvalidRequest` with the line."""
    return understand(load(clean(text, limit=LONGEST)), rules, platform)


def understand(root: Node, rules: Rules, platform: str = "") -> Contents:
    """Return what a loaded conda-lock.yml says; only packages of the category “main” are taken."""
    platform = platform or this_platform()
    entries = root.entries("A conda-lock.yml")
    if root.optional("version") not in ("", VERSION):
        entries["version"].refuse(
            f"The lockfile has version {shown(root.field('version'))}; version {VERSION} of conda-lock.yml is known.",
            "Lock again with conda-lock, or with a newer pixi if pixi wrote this.",
        )
    if "package" not in entries:
        root.refuse("The file has no list “package”.", "Lock again.")
    metadata = entries["metadata"].entries("The metadata") if "metadata" in entries else {}
    found = Contents(kind=KIND, channels=channels(metadata.get("channels")))
    archives: dict[str, Archive] = {}
    platforms: set[str] = set()
    left_out: dict[str, set[str]] = {}
    for node in entries["package"].items("The list of packages"):
        name, version, url = node.field("name"), node.field("version"), node.field("url")
        platforms.add(node.field("platform"))
        category = node.optional("category") or CATEGORY
        if node.field("platform") != platform:
            continue
        if category != CATEGORY:
            left_out.setdefault(category, set()).add(name)
            continue
        manager, sums = node.field("manager"), node.entries("A package").get("hash", Node(node.line, {}))
        sha256, md5 = sums.optional("sha256"), sums.optional("md5")
        with line(node.line):
            if manager == "conda":
                one = fitting(url, platform, name, version)
                put(archives, one)
                found.pinned.append(pinned(one, sha256, md5))
            elif manager == "pip":
                found.pip.append(pip_line(name, version, url, rules))
            else:
                raise InvalidRequest(f"{shown(manager)} is neither conda nor pip.", hints=["Lock again."])
    if not archives:
        raise InvalidRequest(
            f"The file has no packages for {platform}; it is for {shown(', '.join(sorted(platforms))) or 'nothing'}.",
            hints=[f"Lock again with “--platform {platform}”."],
        )
    for category, names in sorted(left_out.items()):
        found.warnings.append(f"{len(names)} packages of the category {shown(category)} are left out.")
    found.warnings += unchecked(found.pinned)
    if found.pip:
        found.warnings.append(UNCHECKED.format(len(found.pip)))
    return found
