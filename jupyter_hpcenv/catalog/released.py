"""Tell by which name everybody knows a release: that of the link that leads to it.

Manifests build a release at ``<location>/.versions/<name>/<release>``; its record calls it ``<name>-<release>``, and
the link ``<location>/<name>`` leads to the one in use.
"""

from __future__ import annotations

import contextlib
import os
import re

_PLACE = re.compile(r"(.+)/(\.versions/([^/]+)/[^/]+)")


def may_be(prefix: str, name: str) -> bool:
    """Tell without a look at the disk whether a prefix is that of a release of *name*."""
    place = _PLACE.fullmatch(prefix)
    return place is not None and place[3] == name


def link_to(prefix: str) -> str:
    """Return the link that leads to a prefix now; empty where it is no release, or not the one in use."""
    place = _PLACE.fullmatch(prefix)
    if place is not None:
        link = f"{place[1]}/{place[3]}"
        with contextlib.suppress(OSError):
            if os.readlink(link) == place[2]:  # noqa: PTH115
                return link
    return ""
