"""Check the addresses that files name: URLs and channels. Nothing is fetched from them here.

Credentials are refused wherever they stand, because conda writes addresses into prefixes, caches and logs.
"""

from __future__ import annotations

import platform
import re
from urllib.parse import SplitResult, unquote, urlsplit

from ..errors import InvalidRequirement
from .plain_text import shown

#: The parts of a channel that hold packages for one kind of computer each.
SUBDIRS = frozenset(
    {"noarch", "linux-32", "linux-64", "linux-aarch64", "linux-armv6l", "linux-armv7l", "linux-ppc64", "linux-ppc64le"}
    | {"linux-riscv32", "linux-riscv64", "linux-s390x", "osx-64", "osx-arm64", "win-32", "win-64", "win-arm64"}
    | {"emscripten-wasm32", "wasi-wasm32", "freebsd-64", "zos-z"}
)

_LONGEST = 2_000

_URL = re.compile(r"(?:https?|file)://[A-Za-z0-9._~!&()*+,;=:%/\[\]-]*")
_CHANNEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_PATH = re.compile(r"/[A-Za-z0-9._~+@%=,/-]*")


def this_platform() -> str:
    """Return conda's name for the kind of computer that this is, such as ``linux-64``."""
    machine = platform.machine()
    return "linux-" + {"x86_64": "64", "arm64": "aarch64"}.get(machine, machine)


def check_url(url: str) -> SplitResult:
    """Return the parts of a URL that may be written down; raise `InvalidRequirement` with what is wrong with it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        raise InvalidRequirement(f"“{shown(url)}” is no valid URL.", hints=["Correct the URL."]) from error
    steps = unquote(parts.path).split("/")
    if "@" in parts.netloc or "t" in steps[:-1]:
        raise InvalidRequirement(
            f"“{shown(url)}” has a user name, a password or a token in it, which would end up in logs and records.",
            hints=["Leave it out; credentials belong into an authentication file of yours."],
        )
    if len(url) > _LONGEST or not _URL.fullmatch(url) or not "".join(steps).isprintable():
        raise InvalidRequirement(
            f"“{shown(url)}” is no URL that packages come from.",
            hints=["Use https:// or file:///, without spaces, question mark and “$”."],
        )
    foreign = host not in ("", "localhost") if parts.scheme == "file" else not host
    if foreign or ".." in steps or "." in steps:
        raise InvalidRequirement(
            f"“{shown(url)}” does not say plainly where it leads.",
            hints=["Write out host and path, without “..”."],
        )
    return parts


def check_channel(text: str) -> str:
    """Return a channel as it may be written down: a name, or a URL or absolute path without a slash at its end."""
    if "://" in text:
        check_url(text)
        return text.rstrip("/")
    if (
        text.startswith("/")
        and len(text) <= _LONGEST
        and _PATH.fullmatch(text)
        and ".." not in text.split("/")
        and text.strip("/")
    ):
        return text.rstrip("/")
    if len(text) > 200 or not _CHANNEL.fullmatch(text) or ".." in text.split("/"):
        raise InvalidRequirement(
            f"“{shown(text)}” is no channel.",
            hints=["Write a name such as conda-forge, a URL, or an absolute path; variables are not expanded."],
        )
    return text


def split_channel(text: str) -> tuple[str, str]:
    """Return (channel, subdir) of ``conda-forge/linux-64``; the subdir is empty where none is named."""
    head, _, last = text.rstrip("/").rpartition("/")
    return (check_channel(head), last) if head and last in SUBDIRS else (check_channel(text), "")


def public_host() -> str:
    """Return the host of the public index, as the packaging tools themselves name it; empty if that is not known."""
    try:
        from distlib.index import DEFAULT_INDEX
    except ImportError:
        return ""
    return urlsplit(str(DEFAULT_INDEX)).hostname or ""
