"""Find credentials in the URLs of channels, without ever repeating them, and say where they belong instead.

A URL with credentials would stand in the records of every package that comes from it, and in the cache, which
others may read.
"""

from __future__ import annotations

import base64
import os
import re
import unicodedata
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from ... import typed
from ...errors import HpcenvError
from ...files import read_regular

_TOKEN = re.compile(r"(^|/)t/([^/?#]*)")
_LONGEST = 200


def holds_secret(text: str) -> bool:
    """Tell whether a channel, be it a URL or a name, holds a user, a password, a token or a query."""
    scheme, address = _split(text)
    if _is_path(scheme, address):
        return False
    if scheme and ("@" in unquote(address) or "?" in address):  # a password may hold a slash, too
        return True
    return bool(_TOKEN.search(unquote(address.partition("/")[2] if scheme else address)))


def shown(text: str) -> str:
    """Return a channel for a sentence, without credentials and without what is no character."""
    scheme, address = _split(text)
    if not _is_path(scheme, address):
        decoded = unicodedata.normalize("NFKC", unquote(address))  # there is more than one “@”
        if "@" in decoded:  # wherever: what stands before it may be a password
            decoded = decoded.rpartition("@")[2]
        address = _TOKEN.sub(r"\1t/…", re.split(r"[?#]", decoded, maxsplit=1)[0])
    masked = "".join(c if c.isprintable() else "?" for c in (f"{scheme}://{address}" if scheme else address))
    return masked if len(masked) <= _LONGEST else masked[:_LONGEST] + "…"


def bare(text: str) -> str:
    """Return a channel without credentials, to compare it with others."""
    scheme, address = _split(text)
    if not scheme or _is_path(scheme, address):
        return text
    host, slash, path = address.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{_TOKEN.sub('', path).lstrip('/')}"


def auth_hint(url: str) -> str:
    """Return where credentials for *url* are found, as a sentence.

    The order is that of rattler: the file that RATTLER_AUTH_FILE names, the keyring, its default file, netrc.
    What conda's own tools stored is not among them.
    """
    scheme, address = _split(shown(url))
    host = re.sub(r":\d*$", "", address.partition("/")[0]) if scheme else "HOST"  # it is found without the port
    return (
        f"Put credentials for {host} into ~/.rattler/credentials.json, or the file that RATTLER_AUTH_FILE names, and "
        f'make it readable for you alone: {{"{host}": {{"BearerToken": "…"}}}}, or {{"CondaToken": "…"}}, or '
        f'{{"BasicHTTP": {{"username": "…", "password": "…"}}}}. A user and password in ~/.netrc do, too. '
        "What “anaconda login” or “conda token set” stored is not read."
    )


def stored(url: str) -> dict[str, str]:
    """Return what rattler's files of credentials have for *url*: ``header`` to send, or ``token`` for its path.

    Empty where they have nothing, or nothing simple; then rattler itself may still know more.
    """
    host = urlsplit(url).hostname or ""
    parts = host.split(".")
    wanted = [host, *("*." + ".".join(parts[number:]) for number in range(len(parts)))]
    named = os.environ.get("RATTLER_AUTH_FILE")
    for path in [*([Path(named)] if named else []), Path("~/.rattler/credentials.json").expanduser()]:
        try:
            said = typed.of_json(read_regular(path), dict[str, dict[str, Any]])
        except (OSError, HpcenvError, msgspec.DecodeError):
            continue
        if kept := next((said[name] for name in wanted if name in said), None):
            return _to_send(kept)
    return {}


def _to_send(kept: dict[str, Any]) -> dict[str, str]:
    token, basic = kept.get("BearerToken") or kept.get("CondaToken"), kept.get("BasicHTTP")
    if isinstance(token, str) and re.fullmatch(r"[!-~]+", token):
        return {"header": f"Bearer {token}"} if "BearerToken" in kept else {"token": token}
    if isinstance(basic, dict):
        pair = f"{basic.get('username', '')}:{basic.get('password', '')}"
        return {"header": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _split(text: str) -> tuple[str, str]:
    """Return scheme and address; a name of a channel has no scheme."""
    match = re.match(r"\s*([A-Za-z][A-Za-z0-9+.-]*)://", text)
    return (match[1], text[match.end() :]) if match else ("", text)


def _is_path(scheme: str, address: str) -> bool:
    if scheme:
        return scheme.lower() == "file" and address.startswith("/")
    return address.startswith(("/", "~", ".")) and not address.startswith("//") and "://" not in address
