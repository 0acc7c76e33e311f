"""Obey the site's policy about indexes and sources, whatever the user's settings, files and variables say.

Where a policy names indexes, installers get an environment in which nothing else that could name one is left:
no variable of pip's or uv's but those of caches and of the network, no configuration file, no netrc.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from .. import policy

#: What stays of the variables of pip and uv: where caches are, how the network is reached, how files are linked.
_KEPT = frozenset(
    {
        *("PIP_CACHE_DIR", "PIP_NO_CACHE_DIR", "PIP_CERT", "PIP_PROXY", "PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT"),
        *("PIP_RETRIES", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_DISABLE_PIP_VERSION_CHECK", "PIP_NO_INPUT"),
        *("UV_CACHE_DIR", "UV_NO_CACHE", "UV_LINK_MODE", "UV_PYTHON_DOWNLOADS", "UV_HTTP_TIMEOUT", "UV_NATIVE_TLS"),
        *("UV_SYSTEM_CERTS", "UV_CONCURRENT_DOWNLOADS", "UV_CONCURRENT_BUILDS", "UV_CONCURRENT_INSTALLS"),
    }
)


def indexes() -> list[str] | None:
    """Return the only indexes and folders that the site allows, the first to ask first; None: any.

    Of several policies, what each of them allows.
    """
    return _of_all([each.enforced.indexes for each in policy.policies()])


def sources() -> list[str] | None:
    """Return the packages that are built from source while all others must be wheels; None: there is no such rule."""
    return _of_all([each.enforced.sources for each in policy.policies()])


def no_index() -> bool:
    """Tell whether the site allows folders alone: uv has an option for that, and no variable."""
    allowed = indexes()
    return allowed is not None and all(each.startswith("/") for each in allowed)


def _of_all(rules: Sequence[list[str] | None]) -> list[str] | None:
    said = [each for each in rules if each is not None]
    return [each for each in said[0] if all(each in other for other in said[1:])] if said else None


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for an installer; those of *env* where the policy names no index.

    Where it says what is built from source, uv reads no file: one could say otherwise, and would win over an option.
    """
    allowed = indexes()
    if allowed is None:
        if sources() is None:
            return dict(env)
        kept = {
            name: value for name, value in env.items() if not name.startswith(("UV_NO_B", "PIP_NO_B", "PIP_ONLY_B"))
        }
        return {**kept, "UV_NO_CONFIG": "1"}
    kept = {name: value for name, value in env.items() if name in _KEPT or not name.startswith(("PIP_", "UV_"))}
    urls = [each for each in allowed if not each.startswith("/")]
    folders = [each for each in allowed if each.startswith("/")]
    kept.update(PIP_CONFIG_FILE=os.devnull, UV_NO_CONFIG="1", NETRC=os.devnull)
    if urls:
        kept.update(PIP_INDEX_URL=urls[0], UV_DEFAULT_INDEX=urls[0])
    else:
        kept.update(PIP_NO_INDEX="1")
    if urls[1:]:
        kept.update(PIP_EXTRA_INDEX_URL=" ".join(urls[1:]), UV_INDEX=" ".join(urls[1:]))
    if folders:
        kept.update(PIP_FIND_LINKS=" ".join(folders), UV_FIND_LINKS=",".join(folders))
    return kept


def options(wanted: list[str] | None) -> list[str]:
    """Return the options of pip and uv by which only *wanted* packages are built from source, and they are; see above.

    None: no options, what is built is for the installer to say.
    """
    if wanted is None:
        return []
    return ["--only-binary", ":all:", *(word for name in wanted for word in ("--no-binary", name))]
