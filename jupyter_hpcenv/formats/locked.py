"""What the lockfiles of conda and of rattler share: how they name channels, and packages for pip."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from ..errors import InvalidRequirement
from .addresses import check_channel
from .plain_text import line, shown
from .requirements import Rules, parse_requirement
from .strict_yaml import Node

#: What is said when lines for pip come from a lockfile; takes their number.
UNCHECKED = "{} packages are for pip: their versions are kept, and the checksums of their archives are not."


def channels(listed: Node | None) -> list[str]:
    """Return the channels of a list, whose entries are text or have a key “url”."""
    found = []
    for node in listed.items("The list of channels") if listed else []:
        channel = node.text("A channel") if isinstance(node.value, str) else node.field("url")
        with line(node.line):
            found.append(check_channel(channel))
    return list(dict.fromkeys(found))


def pip_line(name: str, version: str, url: str, rules: Rules) -> str:
    """Return the requirement for a locked package: ``name==version`` if its archive is one of an index, else its URL.

    The mirror that a site configures serves the same archives as the index that the file was made from; an address
    that is no index's would be asked for in vain there, and somebody else could have taken its name.
    """
    direct = url.startswith("direct+")
    url = url.removeprefix("direct+")
    if not re.match(r"[a-z+]+://", url):
        raise InvalidRequirement(
            f"{shown(name)} comes from the folder “{shown(url)}”, and only the text of the file arrived.",
            hints=["Lock without projects of your own, and install those afterwards with “-e /WHOLE/PATH”."],
        )
    if version and not _valid(version):
        raise InvalidRequirement(f"{shown(name)} has no valid version: “{shown(version)}”.", hints=["Lock again."])
    if direct or url.startswith("file:") or not _of_an_index(name, version, url):
        return parse_requirement(f"{name} @ {url}", rules)
    return parse_requirement(f"{name}=={version}", rules)


def _valid(version: str) -> bool:
    try:
        Version(version)
    except InvalidVersion:
        return False
    return True


def _of_an_index(name: str, version: str, url: str) -> bool:
    """Tell whether the URL ends in the file name that an index gives to an archive of this version."""
    try:
        file = unquote(urlsplit(url).path.rpartition("/")[2])
        found = parse_wheel_filename(file)[:2] if file.endswith(".whl") else parse_sdist_filename(file)
    except ValueError:  # no URL, or no such file name
        return False
    return bool(version) and found == (canonicalize_name(name), Version(version))
