"""Write URLs of channels in one way, so that a rule for one can not be got around by writing it another way."""

from __future__ import annotations

import os
import re
from urllib.parse import quote, unquote

KNOWN_PLATFORMS = frozenset(
    {
        *("noarch", "emscripten-wasm32", "wasi-wasm32", "freebsd-64", "linux-32", "linux-64", "linux-aarch64"),
        *("linux-armv6l", "linux-armv7l", "linux-ppc64", "linux-ppc64le", "linux-riscv64", "linux-s390x"),
        *("osx-64", "osx-arm64", "win-32", "win-64", "win-arm64", "zos-z"),
    }
)

_PACKAGES = (".conda", ".tar.bz2")
_KEPT = "~+=,@:!$&'()*;"
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\]")

#: Where Anaconda, Inc. serves its own packages, among those of others on some of these hosts.
_THEIRS = ("anaconda.com", "anaconda.org", "anaconda.cloud", "continuum.io")
_THEIR_CHANNELS = frozenset(
    {"anaconda", "archive", "defaults", "free", "main", "mro", "mro-archive", "msys2", "pkgs", "pro", "r"}
)
_OTHERS_CHANNELS = frozenset({"conda-forge", "bioconda"})


def tidy(url: str) -> str:
    """Return the URL of a channel as it is always written here: no platform at its end, no slash, no default port.

    ValueError says, without repeating anything of it, why it can be none. It must hold no credentials.
    """
    if not url.isprintable() or "\\" in url:
        raise ValueError("its URL has characters that no URL may have")
    # not urlsplit: its errors repeat what it was given
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    host, slash, path = rest.partition("/")
    if scheme == "file":
        if host.lower() not in ("", "localhost") or not slash:
            raise ValueError("a path behind file:// is absolute, as in file:///srv/channel")
        return f"file://{quote(_folder_of(unquote(path)), safe='/' + _KEPT)}"
    if scheme not in _PORTS:
        raise ValueError("its scheme is not among https, http and file")
    if not url.isascii() or " " in url or "?" in url or "#" in url:
        raise ValueError("its URL has characters that the URL of a channel does not have")
    return f"{scheme}://{_host(scheme, host)}{_path(path)}"


def below(url: str, base: str) -> bool:
    """Tell whether *url* is *base* or lies below it, by http or by https."""
    address, root = without_scheme(url), without_scheme(base)
    return url.startswith("file:") == base.startswith("file:") and (address == root or address.startswith(f"{root}/"))


def without_scheme(url: str) -> str:
    """Return what stands behind ``scheme://``."""
    return url.partition("://")[2] if "://" in url else url


def licensed(url: str) -> bool:
    """Tell whether packages from there come under the terms of Anaconda, Inc."""
    host, _, path = without_scheme(url).partition("/")
    host = host.partition(":")[0]
    if url.startswith("file:") or not any(host == each or host.endswith(f".{each}") for each in _THEIRS):
        return False
    parts = path.lower().split("/")
    if host.startswith("repo."):
        return not _OTHERS_CHANNELS & set(parts)
    return parts[0] in _THEIR_CHANNELS


def _host(scheme: str, netloc: str) -> str:
    match = re.fullmatch(r"(\[.*\]|[^:]*)(?::(\d{0,5}))?", netloc)
    host = match[1].lower().rstrip(".") if match else ""
    if match is None or not _HOST.fullmatch(host):
        raise ValueError("the host in its URL is none")
    port = int(match[2]) if match[2] else _PORTS[scheme]
    if not 0 < port < 65_536:
        raise ValueError("the port in its URL is none")
    return host if port == _PORTS[scheme] else f"{host}:{port}"


def _path(path: str) -> str:
    try:
        segments = [unquote(segment, errors="strict") for segment in path.split("/") if segment]
    except UnicodeDecodeError:
        raise ValueError("the path in its URL is not UTF-8") from None
    if any(segment in (".", "..") or "/" in segment or not segment.isprintable() for segment in segments):
        raise ValueError("the path in its URL goes up or hides a slash")
    return "".join(f"/{quote(segment, safe=_KEPT)}" for segment in _shortened(segments))


def _folder_of(path: str) -> str:
    if not path.isprintable():
        raise ValueError("its path has characters that are not printable")
    segments = [segment for segment in os.path.normpath(f"/{path}").split("/") if segment]
    return "/" + "/".join(_shortened(segments))


def _shortened(segments: list[str]) -> list[str]:
    """Take the platform from the end; what it is for is known anyway."""
    if segments and segments[-1].endswith(_PACKAGES):
        raise ValueError("it is a package and not a channel")
    return segments[:-1] if len(segments) > 1 and segments[-1].lower() in KNOWN_PLATFORMS else segments
