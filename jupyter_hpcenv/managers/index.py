"""Ask the package index, within three seconds, whether it answers and knows the packages asked for."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from urllib.parse import urljoin

from distlib.index import DEFAULT_INDEX
from packaging.requirements import InvalidRequirement, Requirement

from ..errors import IndexUnreachable, PackageNotFound

#: The public index, as the packaging tools themselves name it.
DEFAULT = urljoin(DEFAULT_INDEX, "/simple")
PATIENCE = 3.0  # seconds for all questions together


def plain_names(requirements: Sequence[str]) -> list[str]:
    """Return the normalised names of requirements that come from the index."""
    names = []
    for line in requirements:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.url is None and (requirement.marker is None):
            names.append(re.sub(r"[-_.]+", "-", requirement.name).lower())
    return list(dict.fromkeys(names))


def probe(index: str, requirements: Sequence[str]) -> None:
    """Raise `IndexUnreachable` if nothing answers at *index*, `PackageNotFound` for a name that it does not have.

    Any answer counts as reachable; only a clear 404 for a name counts as unknown. What is slow passes.
    """
    if not index.startswith(("https://", "http://")):
        return
    names = plain_names(requirements)[:20] or ["pip"]
    with _Asking(len(names)) as pool:
        asked = {name: pool.submit(_status, f"{index.rstrip('/')}/{name}/") for name in names}
        wait(asked.values(), PATIENCE + 0.5)
        answers = {name: future.result() for name, future in asked.items() if future.done()}
    problems = [answer for answer in answers.values() if isinstance(answer, str)]
    if len(problems) == len(names):
        raise IndexUnreachable(
            f"The package index {_without_secret(index)} does not answer from here: {problems[0]}.",
            hints=[
                "See whether this machine reaches the internet; compute nodes often do not, login nodes do.",
                "If the site has a proxy or a mirror, set https_proxy or have staff set c.VenvManager.index_url.",
            ],
        )
    for name, answer in answers.items():
        if answer == 404 and name in plain_names(requirements):
            raise PackageNotFound(
                f"The package index has no package {name!r}.",
                hints=["See how it is spelled there; the name to import is not always the name to install."],
            )


class _Asking(ThreadPoolExecutor):
    """A pool that does not wait for those who do not answer."""

    def __exit__(self, *exc: object) -> None:
        self.shutdown(wait=False, cancel_futures=True)


def _status(url: str) -> int | str:
    """Return the HTTP status of *url*, or a text that says why there is none."""
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "jupyter_hpcenv"})  # noqa: S310  probe() lets http and https through alone
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return str(reason) or type(error).__name__


def _without_secret(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)
