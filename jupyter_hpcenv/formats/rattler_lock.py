"""Read lockfiles of rattler and pixi (pixi.lock), versions 4 to 7.

An environment lists, for each platform, the addresses of its packages; a second list says more about each address.
Version 4 came with several environments; 5 with indexes for pip; 6 shortened the second list to what an address does
not say itself; 7 names platforms freely. Only the checksums are taken from the second list: what a package is, its
archive says.
"""

from __future__ import annotations

from urllib.parse import quote

from ..errors import InvalidRequest
from ..models import Contents
from .addresses import public_host, this_platform
from .archives import Archive, fitting, pinned, put, unchecked
from .locked import UNCHECKED, channels, pip_line
from .plain_text import clean, line, shown
from .requirements import Rules
from .strict_yaml import Node, load

KIND = "rattler-lock"
LONGEST = 5_000_000
OLDEST, NEWEST = 4, 7
ENVIRONMENT = "default"


def read(text: str, rules: Rules, platform: str = "") -> Contents:
    """Return what the file says for *platform* (empty: this computer's); raise `InvalidRequest` with the line."""
    return understand(load(clean(text, limit=LONGEST)), rules, platform)


def understand(root: Node, rules: Rules, platform: str = "") -> Contents:
    """Return what a loaded lockfile says about its environment “default”."""
    platform = platform or this_platform()
    version = _version(root)
    entries = root.entries("A lockfile")
    if "environments" not in entries or "packages" not in entries:
        root.refuse("The file has no “environments” or no “packages”.", "Lock again.")
    environments = entries["environments"].entries("The environments")
    if ENVIRONMENT not in environments:
        raise InvalidRequest(
            f"The lockfile has no environment “{ENVIRONMENT}”; it has {shown(', '.join(environments)) or 'none'}.",
            hints=[f"Lock a workspace whose environment is called “{ENVIRONMENT}”."],
        )
    found = Contents(kind=KIND)
    if len(environments) > 1:
        left_out = shown(", ".join(name for name in environments if name != ENVIRONMENT))
        found.warnings.append(f"Only the environment “{ENVIRONMENT}” is taken; the file has also {left_out}.")
    environment = environments[ENVIRONMENT].entries("An environment")
    found.channels = channels(environment.get("channels"))
    _warn_of_indexes(environment, found)
    details = _details(entries["packages"], version)
    archives: dict[str, Archive] = {}
    for node in _selected(environment, entries.get("platforms"), platform, found):
        _package(node, details, platform, rules, archives, found)
    if not archives:
        raise InvalidRequest(
            f"The environment “{ENVIRONMENT}” has no conda packages for {platform}.",
            hints=[f"Add {platform} to the platforms of the workspace, and lock again."],
        )
    found.warnings += unchecked(found.pinned)
    if found.pip:
        found.warnings.append(UNCHECKED.format(len(found.pip)))
    return found


def _version(root: Node) -> int:
    text = root.field("version")
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        root.entries("A lockfile")["version"].refuse("The version must be a number.", "Lock again.")
    if not OLDEST <= int(text) <= NEWEST:
        newer = int(text) > NEWEST
        root.entries("A lockfile")["version"].refuse(
            f"The lockfile has version {text}; versions {OLDEST} to {NEWEST} are known here.",
            "Ask for a newer jupyter_hpcenv, or lock with an older pixi." if newer else "Lock again with a newer pixi.",
        )
    return int(text)


def _warn_of_indexes(environment: dict[str, Node], found: Contents) -> None:
    listed = environment["indexes"].items("The list of indexes") if "indexes" in environment else []
    indexes = [node.text("An index") for node in listed]
    if any(index.rstrip("/") != f"https://{public_host()}/simple" for index in indexes) or "find-links" in environment:
        found.warnings.append(
            f"The packages for pip were found in {shown(', '.join(indexes)) or 'folders'}; "
            "here they come from the index that is configured."
        )


def _details(packages: Node, version: int) -> dict[tuple[str, str], Node]:
    """Return what the second list says, by kind and address."""
    details: dict[tuple[str, str], Node] = {}
    for node in packages.items("The list of packages"):
        entries = node.entries("A package")
        if version < 6:
            key = (node.field("kind"), node.optional("url") or node.optional("path"))
        else:
            kind = next((kind for kind in ("conda", "pypi", "conda_source") if kind in entries), "")
            if not kind:
                node.refuse("A package is neither for conda nor from an index.", "Lock again.")
            key = (kind, node.field(kind))
        other = details.setdefault(key, node)
        for digest in ("sha256", "md5"):
            if other.optional(digest) != node.optional(digest):
                node.refuse(f"“{shown(key[1])}” is described twice, with different checksums.", "Lock again.")
    return details


def _selected(environment: dict[str, Node], platforms: Node | None, platform: str, found: Contents) -> list[Node]:
    """Return the packages that the environment lists for this kind of computer."""
    if "packages" not in environment:
        return []
    lists = environment["packages"].entries("The packages of an environment")
    chosen = platform
    if platforms is not None:
        fits = {
            node.field("name"): node
            for node in platforms.items("The list of platforms")
            if platform == (node.optional("subdir") or node.field("name")) and node.field("name") in lists
        }
        if len(fits) > 1 and platform not in fits:
            platforms.refuse(
                f"Several platforms are {platform}: {shown(', '.join(fits))}.", f"Call one of them {platform}."
            )
        chosen = platform if platform in fits else next(iter(fits), platform)
        if chosen in fits and "virtual-packages" in fits[chosen].entries("A platform"):
            found.warnings.append("What the file asks of the computer (virtual packages) is not looked at.")
    names = [name for name in (chosen, "noarch") if name in lists]
    return [node for name in names for node in lists[name].items("The list of packages")]


def _package(
    node: Node,
    details: dict[tuple[str, str], Node],
    platform: str,
    rules: Rules,
    archives: dict[str, Archive],
    found: Contents,
) -> None:
    """Add one package of an environment to what was *found*."""
    kind = next((kind for kind in ("conda", "pypi") if kind in node.entries("A package")), "")
    address = node.field(kind) if kind else ""
    # An archive of a channel on this computer's disk stands there by its path.
    local = kind == "conda" and address.startswith("/") and address.endswith((".conda", ".tar.bz2"))
    if not kind or (kind == "conda" and "://" not in address and not local):
        node.refuse(
            "A package is built from source, and only the text of the file arrived.",
            "Publish the package in a channel, and lock again.",
        )
    detail = details.get((kind, address))
    if detail is None:
        node.refuse(f"Nothing is said about “{shown(address)}” in the list of packages.", "Lock again.")
    name, version, sha256, md5 = (detail.optional(key) for key in ("name", "version", "sha256", "md5"))
    with line(node.line):
        if kind == "conda":
            one = fitting("file://" + quote(address, safe="/!+,=:") if local else address, platform, name, version)
            put(archives, one)
            found.pinned.append(pinned(one, sha256, md5))
        else:
            found.pip.append(pip_line(name, version, address, rules))
