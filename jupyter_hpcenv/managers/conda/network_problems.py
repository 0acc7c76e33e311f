"""Say what it means that a channel does not give what it is asked for, be it noticed at submit or by rattler."""

from __future__ import annotations

import re
from typing import Protocol

from ...errors import HpcenvError, IndexUnreachable
from .credentials import auth_hint, shown

LATER = "Try again later; what arrived is still in the cache."
NETWORK_HINT = "See whether this computer reaches the channel; compute nodes often reach no other network."

_TOKEN = re.compile(r"/t/[^/\s]+")
_URL = re.compile(r"\b(?:https?|file)://[^\s')`,\"]+")
_STATUS = re.compile(r"HTTP status (?:client|server) error \((\d{3})([^)]*)\)")
_SUBDIR = re.compile(r"could not find subdir '([^']+)' in channel")
_ARCHIVE = re.compile(r"failed to (?:fetch|link|unlink) (\S+?)(?::|$)", re.MULTILINE)
_NETWORK = re.compile(
    r"error sending request|dns error|tcp connect error|Connection (?:refused|reset)|Network is unreachable"
    r"|Name or service not known"
)
_GARBAGE = re.compile(
    r"failed to decode zstd|Unknown frame descriptor|failed to parse|expected value at line|invalid type: "
    r"|EOF while parsing|missing field"
)
_CACHE_ONLY = re.compile(r"no usable repodata cache")


class Policy(Protocol):
    """What is needed of a `plan.Source`."""

    channels: list[str]
    offline: bool
    cache: str


def of_network(text: str, said: str, source: Policy) -> HpcenvError | None:
    """Return what rattler's *text* says of the network, None if nothing; *said* is its text as it may be shown."""
    channel = _channel(text, source)
    if source.offline and (_CACHE_ONLY.search(text) or _NETWORK.search(text)):
        return not_cached(channel)
    if match := _SUBDIR.search(text):
        return no_channel(channel, match[1], said)
    if match := _STATUS.search(text):
        return answered(int(match[1]), match[2].strip(), channel, said)
    if "operation timed out" in text:
        return late(channel, said)
    if re.search(r"certificate|UnknownIssuer|invalid peer|SSL|TLS", text):
        return IndexUnreachable(
            f"{channel} has a certificate that is not trusted here.",
            hints=["Have staff name the file with the site's certificates: ssl_verify, or SSL_CERT_FILE."],
            reason=said,
        )
    if re.search(
        r"end of file before message|error reading a body|connection closed|error decoding response body", text
    ):
        return IndexUnreachable(
            f"{channel} ended the connection in the middle of {package_in(text)}.",
            hints=[LATER, NETWORK_HINT],
            reason=said,
        )
    if _NETWORK.search(text):
        return unreachable(channel, said)
    if _GARBAGE.search(text):
        return IndexUnreachable(
            f"{channel} answered with something that is no index of packages.",
            hints=["A proxy may have put a page of its own there, such as a login; open the address in a browser."],
            reason=said,
        )
    return None


def no_channel(channel: str, subdir: str, said: str) -> IndexUnreachable:
    """Return the error for an address that has no index for *subdir*."""
    return IndexUnreachable(
        f"There is no channel at {channel}, or it has no packages for {subdir}.",
        hints=["See how the channel is spelled, and whether it is still there."],
        reason=said,
    )


def late(channel: str, said: str) -> IndexUnreachable:
    """Return the error for a channel that is waited for in vain."""
    return IndexUnreachable(f"{channel} did not answer in time.", hints=[LATER, NETWORK_HINT], reason=said)


def unreachable(channel: str, said: str) -> IndexUnreachable:
    """Return the error for a channel to which there is no connection."""
    return IndexUnreachable(f"{channel} can not be reached.", hints=[NETWORK_HINT, LATER], reason=said)


def answered(status: int, words: str, channel: str, said: str) -> IndexUnreachable:
    """Return the error for an answer that gives nothing."""
    answer = f"{status} {words}".strip()
    if status in (401, 403):
        return IndexUnreachable(
            f"{channel} answered {answer}: it wants a login, or does not let this one in.",
            hints=[auth_hint(channel), "Never put them into the address."],
            reason=said,
        )
    if status == 407:
        return IndexUnreachable(
            f"The proxy on the way to {channel} wants a login.", hints=["See the proxy's settings."], reason=said
        )
    if status in (404, 410):
        return IndexUnreachable(
            f"{channel} has not got what its index names ({answer}).",
            hints=["The mirror may be behind: try again later, or choose another version or channel."],
            reason=said,
        )
    return IndexUnreachable(f"{channel} answered {answer} and gave no packages.", hints=[LATER], reason=said)


def not_cached(what: str) -> IndexUnreachable:
    """Return the error for what would have to be fetched, and may not be."""
    return IndexUnreachable(
        f"The network is switched off (offline), and this is not in the cache: {what}.",
        hints=["Switch offline off, or fill the cache where there is a network: the same environment, created there."],
        reason=what,
    )


def _channel(text: str, source: Policy) -> str:
    """Return the channel that a message is about, as it may be shown."""
    for match in _URL.finditer(text):
        for url in source.channels:
            if match[0].startswith(url.rstrip("/")):
                return shown(url)
        address = match[0].rsplit("/", 2)[0] if match[0].count("/") > 4 else match[0]
        return hidden(shown(address))
    return shown(source.channels[0]) if len(source.channels) == 1 else "A channel"


def package_in(text: str) -> str:
    """Return the file of the package that a message is about."""
    match = _ARCHIVE.search(text)
    return match[1] if match else "what it sent"


def hidden(text: str) -> str:
    """Return a text without the tokens in its addresses."""
    return _TOKEN.sub("/t/…", text)
