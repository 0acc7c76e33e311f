"""Ask the package index, within three seconds, whether it answers and knows the packages asked for.

Called at submit. Only what the configuration names is asked, nothing is followed to another host, and
credentials in a URL are not sent: an index that then answers 401 has answered.
"""

from __future__ import annotations

import functools
import http.client
import os
import queue
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..errors import IndexUnreachable, PackageNotFound

PATIENCE = 10.0  # seconds for all questions together; on a login node that is busy each takes a second
MOST_NAMES = 20
_LARGEST = 50_000_000  # bytes of an answer

#: Answers of a proxy or gateway that speaks for an index which it can not reach itself.
_GATEWAY = frozenset({407, 502, 503, 504})


def default() -> str:
    """Return the public index, as the packaging tools themselves name it; empty if that is not known."""
    try:
        from distlib.index import DEFAULT_INDEX
    except ImportError:
        return ""
    parts = urlsplit(str(DEFAULT_INDEX))
    return urlunsplit((parts.scheme, parts.netloc, "/simple/", "", ""))


def plain_names(requirements: Sequence[str]) -> list[str]:
    """Return the normalised names of the requirements that are sure to come from the index."""
    names = []
    for line in requirements:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue  # an editable folder
        if requirement.url is None and requirement.marker is None:
            names.append(str(canonicalize_name(requirement.name)))
    return list(dict.fromkeys(names))


def probe(index: str, requirements: Sequence[str], patience: float = PATIENCE) -> None:
    """Raise `IndexUnreachable` if nothing answers at *index*, `PackageNotFound` for a name that it does not have.

    Only a 404 says that a name is unknown; who does not answer in time, or answers oddly, passes.
    """
    if not index.startswith(("https://", "http://")):
        return
    address = without_credentials(index)
    names = plain_names(requirements)[:MOST_NAMES]
    answers = ask({name: f"{address.rstrip('/')}/{name}/" for name in names or ["pip"]}, patience)
    problems = [str(answer) for answer in answers.values() if not isinstance(answer, int)]
    if not any(isinstance(answer, int) for answer in answers.values()):
        why = problems[0] if problems else f"no answer within {patience:g} s"
        raise IndexUnreachable(
            f"The package index {address} can not be reached from here: {why}.",
            hints=[
                "See whether this machine reaches the internet; compute nodes often do not, login nodes do.",
                "If the site has a proxy or a mirror, set https_proxy or have staff set c.VenvManager.index_url.",
            ],
        )
    unknown = [name for name in names if answers.get(name) == 404]
    if unknown:
        raise PackageNotFound(
            f"The package index has no package {', '.join(f'“{name}”' for name in unknown)}.",
            hints=["See how it is spelled there; the name to import is not always the name to install."],
        )


def without_credentials(url: str) -> str:
    """Return a URL without user name and password, for requests, messages and logs."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def ask(
    urls: Mapping[str, str],
    patience: float,
    context: ssl.SSLContext | None = None,
    proxies: dict[str, str] | None = None,
    headers: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, int | str]:
    """Return the answers that came in time: a status, or why there is none. *headers* are by name of the question.

    Threads are daemons: nobody waits for a name server that hangs.
    """
    until = time.monotonic() + patience
    answers: queue.SimpleQueue[tuple[str, int | str]] = queue.SimpleQueue()
    opener = urllib.request.build_opener(
        _Stay,
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPSHandler(context=context or trusting()),
    )

    def put(name: str, url: str) -> None:
        answers.put((name, _status(opener, url, patience, (headers or {}).get(name, {}))))

    for name, url in urls.items():
        threading.Thread(target=put, args=(name, url), daemon=True).start()
    found: dict[str, int | str] = {}
    while len(found) < len(urls) and (left := until - time.monotonic()) > 0:
        try:
            name, answer = answers.get(timeout=left)
        except queue.Empty:
            break
        found[name] = answer
    return found


def trusting() -> ssl.SSLContext:
    """Return what trusts whom this machine trusts; read once, and again when the files of certificates change."""
    known = ssl.get_default_verify_paths()
    places = (os.environ.get(known.openssl_cafile_env) or known.openssl_cafile, known.cafile, known.capath)
    return _read(tuple((place, _stamp(place)) for place in places if place))


@functools.lru_cache(maxsize=2)
def _read(stamps: tuple[tuple[str, tuple[int, int] | None], ...]) -> ssl.SSLContext:
    return ssl.create_default_context()  # takes longer than an index nearby takes to answer


def _stamp(place: str) -> tuple[int, int] | None:
    try:
        facts = Path(place).stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size


def fetch(url: str, headers: Mapping[str, str], patience: float) -> tuple[int, str, bytes] | str:
    """Return status, kind and content of *url*, or why there is no answer; blocks for *patience* at each step."""
    opener = urllib.request.build_opener(_Stay, urllib.request.HTTPSHandler(context=trusting()))
    request = urllib.request.Request(url, headers={"User-Agent": "jupyter_hpcenv", **headers})  # noqa: S310  http, https
    try:
        with opener.open(request, timeout=patience) as answer:
            body = answer.read(_LARGEST + 1)
            if len(body) > _LARGEST:
                return "its answer is too large"
            return int(answer.status), str(answer.headers.get("Content-Type", "")), body
    except urllib.error.HTTPError as error:
        error.close()
        return int(error.code), "", b""
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        return str(getattr(reason, "strerror", None) or reason or type(error).__name__).lower()


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: that an index answers is all we want to know."""

    def redirect_request(self, *arguments: Any, **more: Any) -> None:
        return None


def _status(opener: urllib.request.OpenerDirector, url: str, patience: float, headers: Mapping[str, str]) -> int | str:
    """Return the HTTP status of *url*, or a text that says why there is none."""
    said = {"User-Agent": "jupyter_hpcenv", **headers}
    request = urllib.request.Request(url, method="HEAD", headers=said)  # noqa: S310  only http and https get here
    try:
        with opener.open(request, timeout=patience) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return f"status {error.code}" if error.code in _GATEWAY else error.code
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            return 495  # it answers, with a certificate that the installer may know and we do not
        return str(getattr(reason, "strerror", None) or reason or type(error).__name__).lower()
