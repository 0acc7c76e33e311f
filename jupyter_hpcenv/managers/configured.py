"""Tell where an installer would look for packages, as it reads its configuration; reads variables and files only."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from . import index, only, pipconf


class Places(NamedTuple):
    """Where an installer would look."""

    indexes: list[str]
    folders: list[str]
    """Or pages with wheels."""
    note: str = ""
    """What is not asked besides, in a sentence."""


def places(installer: str, options: Mapping[str, str | bool | list[str]]) -> Places:
    """Return where *installer* looks; *options* are the site's, as a choice has them."""
    if (allowed := only.indexes()) is not None:
        return Places([each for each in allowed if each[0] != "/"], [each for each in allowed if each[0] == "/"])
    given = options.get("find_links")
    links = list(given) if isinstance(given, list) else []
    if installer == "pip":
        links += split(pipconf.setting("find-links"))
        none = bool(options.get("no_index")) or pipconf.switched_on("no-index")
        main, more = pipconf.setting("index-url"), split(pipconf.setting("extra-index-url"))
        note = ""
    else:
        links += os.environ.get("UV_FIND_LINKS", "").replace(",", " ").split()
        none = bool(options.get("no_index") or os.environ.get("UV_OFFLINE"))
        main = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL", "")
        more = [*split(os.environ.get("UV_INDEX", "")), *split(os.environ.get("UV_EXTRA_INDEX_URL", ""))]
        note = "uv has a configuration file, whose indexes were not asked." if uv_has_files() else ""
    first = [*more, str(options.get("index_url") or "") or next(iter(split(main)), index.default())]
    return Places([] if none else list(dict.fromkeys(filter(None, first))), links, note)


def split(text: str) -> list[str]:
    """Return the addresses of a setting that may hold several; uv lets each have a name."""
    return [word.partition("=")[2] if re.match(r"[A-Za-z0-9_-]+=", word) else word for word in text.split()]


def uv_has_files() -> bool:
    """Tell whether uv has a configuration file of the user's or the site's."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    site = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    files = [home / "uv/uv.toml", Path("/etc/uv/uv.toml"), *(Path(folder) / "uv/uv.toml" for folder in site)]
    return bool(os.environ.get("UV_CONFIG_FILE")) or any(path.is_file() for path in files)
