"""Look at submit, within seconds, whether the channels answer and are channels.

Refused is only what the engine would refuse, too, after minutes in a queue. So who answers oddly passes, a login that
is wanted is the engine's to find, and a channel is not asked whose index is fresh in the cache. Nothing is followed to
another host. Credentials go to their own host only.
"""

from __future__ import annotations

import os
import re
import ssl
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ...errors import HpcenvError, IndexUnreachable
from ...models import PinnedPackage
from .. import index
from .asked import channel_of
from .cache import PACKAGES
from .credentials import shown, stored
from .network_problems import late, no_channel, unreachable
from .plan import VERIFY, Source

SUBDIR = "noarch"  # each channel has one

_AFAR = ("repodata_shards.msgpack.zst", "repodata.json.zst", "repodata.json")
_ON_DISK = ("repodata.json", "repodata.json.zst", "repodata.json.bz2")
_GONE = frozenset({404, 410})
_HEAD = 8192  # bytes of an index in the cache that say where it is from, and for how long it is good


def probe(source: Source, pinned: Sequence[PinnedPackage] = (), patience: float = index.PATIENCE) -> None:
    """Raise `IndexUnreachable` for a channel that is none, or does not answer.

    Of exact packages no index is needed: one that is not in the cache is asked for, of each channel.
    """
    named = _packages(source, pinned) if pinned else {url: _index_of(url) for url in source.channels}
    for channel, urls in named.items():
        if channel.startswith("file:") and not any(map(_is_there, urls)):
            raise _nothing_at(channel, urls, f"{urls[0]} does not exist")
    afar = {url: urls for url, urls in named.items() if url.startswith(("http://", "https://"))}
    afar = {url: urls for url, urls in afar.items() if not source.offline and (pinned or not _is_fresh(source, url))}
    if not afar:
        return
    proxies, context = _proxies(source), _context(source.ssl_verify)
    if proxies is None or context is None:
        return
    until = time.monotonic() + patience
    answers = _ask([url for urls in afar.values() for url in urls], until - time.monotonic(), context, proxies)
    for channel, urls in afar.items():
        if error := _verdict(channel, urls, [answers.get(url) for url in urls], patience):
            raise error


def _verdict(
    channel: str, urls: Sequence[str], answers: Sequence[int | str | None], patience: float
) -> HpcenvError | None:
    """Return why the channel is of no use, None where it may be."""
    if all(answer in _GONE for answer in answers):
        return _nothing_at(channel, urls, f"{shown(urls[-1])} answered {answers[-1]}")
    if any(isinstance(answer, int) for answer in answers):
        return None
    problem = next((str(answer) for answer in answers if answer), f"no answer within {patience:g} s")
    if "timed out" in problem or problem.startswith("no answer"):
        return late(shown(channel), problem)
    return unreachable(shown(channel), problem)


def _nothing_at(channel: str, urls: Sequence[str], said: str) -> IndexUnreachable:
    if (name := urls[0].rpartition("/")[2]) in (*_AFAR, *_ON_DISK):
        return no_channel(shown(channel), SUBDIR, said)
    return IndexUnreachable(
        f"{shown(channel)} has not got {name}, which is asked for.",
        hints=["The channel may keep only newer builds: make the list or lockfile anew, or ask by match specs."],
        reason=said,
    )


def _index_of(channel: str) -> list[str]:
    names = _ON_DISK if channel.startswith("file:") else _AFAR
    return [f"{channel.rstrip('/')}/{SUBDIR}/{name}" for name in names]


def _packages(source: Source, pinned: Sequence[PinnedPackage]) -> dict[str, list[str]]:
    """Return an address of each channel that has packages which would be fetched."""
    found: dict[str, list[str]] = {}
    for each in pinned:
        stem = unquote(each.url.rpartition("/")[2]).removesuffix(".conda").removesuffix(".tar.bz2")
        cached = any((Path(source.cache, below, stem) / "info").is_dir() for below in (PACKAGES, ""))
        if not cached:
            found.setdefault(channel_of(each), [each.url])
    return found


def _is_there(url: str) -> bool:
    try:
        Path(unquote(urlsplit(url).path)).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # who may not look here may look there: the engine finds out
    return True


def _is_fresh(source: Source, channel: str) -> bool:
    """Tell whether the cache has the index of a channel from so short ago that it is not asked for again.

    rattler and conda both keep what the server said of that beside it, within the first few kilobytes.
    """
    wanted, cache = f"{channel.rstrip('/')}/{SUBDIR}".encode(), Path(source.cache)
    repodata = cache / "repodata"
    for path in [*repodata.glob("*.info.json"), *repodata.glob("*.shards-cache-*"), *cache.glob("cache/*.info.json")]:
        try:
            with path.open("rb") as file:
                head, since = file.read(_HEAD), os.fstat(file.fileno()).st_mtime
        except OSError:
            continue
        if b"no-cache" in head or not re.search(re.escape(wanted) + rb'[/"]', head):
            continue
        if (lasts := re.search(rb"max-age=(\d{1,9})", head)) and time.time() - since < int(lasts[1]):
            return True
    return False


def _ask(
    urls: Sequence[str], patience: float, context: ssl.SSLContext, proxies: dict[str, str]
) -> Mapping[str, int | str]:
    asked, headers = {}, {}
    for url in urls:
        kept, parts = stored(url), urlsplit(url)
        path = quote(parts.path, safe="/%:@!$&'()*+,;=~")  # else a message about it could hold the token
        path = f"/t/{quote(kept['token'], safe='')}{path}" if "token" in kept else path
        asked[url] = urlunsplit(parts._replace(path=path))
        headers[url] = {"Authorization": kept["header"]} if "header" in kept else {}
    return index.ask(asked, patience, context, proxies or None, headers)


def _proxies(source: Source) -> dict[str, str] | None:
    """Return the proxies by scheme; None where there is one that only the engine can speak with."""
    said = {scheme: url for scheme, url in source.proxies.items() if scheme in ("http", "https") and url}
    used = said or urllib.request.getproxies()
    ours = {scheme: url for scheme, url in used.items() if scheme in ("http", "https", "all")}
    if "all" in ours or any("://" in url and not url.startswith("http://") for url in ours.values()):
        return None
    return said


def _context(said: str) -> ssl.SSLContext | None:
    """Return how certificates are checked; None where the ones that are named can not be read."""
    if said == "true":
        said = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or said
    try:
        context = ssl.create_default_context()
        if said not in VERIFY:
            context.load_verify_locations(**{"capath" if Path(said).is_dir() else "cafile": said})
    except (OSError, ssl.SSLError):
        return None
    if said == "false":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
