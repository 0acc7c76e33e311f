"""Say where the caches of uv and pip are, as these programs decide it themselves; reads files and variables only.

uv's own documentation ("Caching", "Configuration files") and pip's ("Configuration", "Caching") tell the order.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..errors import BrokenRecord
from ..files import read_regular
from . import pipconf

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Place(NamedTuple):
    """Where a cache is, and who says so."""

    name: str
    kind: Literal["uv", "pip", "conda", "other"]
    """Which program it is of."""
    path: Path
    """As it was said; links are not resolved."""
    said: str = ""
    """The variable, file or trait that says so; empty: it is the default."""
    by_site: bool = False
    """Whether a trait of the site's says so, which nobody else can change."""
    variable: str = ""
    """By which variable somebody moves it; empty where there is none."""
    ours: bool = True
    """Whether it is laid out by us; else by another program, such as somebody's own conda."""


def uv(env: Mapping[str, str] | None = None) -> Place:
    """Return where uv has its cache: by variable, by the user's or the system's uv.toml, else by default."""
    env = os.environ if env is None else env
    if env.get("UV_CACHE_DIR"):
        return Place("uv", "uv", _absolute(env["UV_CACHE_DIR"], env), "UV_CACHE_DIR", variable="UV_CACHE_DIR")
    for file, settings in _uv_settings(env):
        value = settings.get("cache-dir")
        if isinstance(value, str) and value:
            return Place("uv", "uv", _absolute(value, env), str(file), variable="UV_CACHE_DIR")
    return Place("uv", "uv", _cache_home(env) / "uv", variable="UV_CACHE_DIR")


def uv_links_softly(env: Mapping[str, str] | None = None) -> str:
    """Return what says that uv makes symlinks into its cache, so that any environment may need it; empty if nothing."""
    env = os.environ if env is None else env
    if env.get("UV_LINK_MODE"):
        return "UV_LINK_MODE" if env["UV_LINK_MODE"] == "symlink" else ""
    for file, settings in _uv_settings(env):
        of_pip = settings.get("pip")
        modes = [settings.get("link-mode"), of_pip.get("link-mode") if isinstance(of_pip, dict) else None]
        if "symlink" in modes:
            return str(file)
    return ""


def pip(env: Mapping[str, str] | None = None) -> Place:
    """Return where pip has its cache: by variable, by a pip.conf, else by default."""
    env = os.environ if env is None else env
    found = [each for each in pipconf.settings(env) if each.name == "cache-dir" and each.value]
    if found:
        told = found[-1]
        return Place("pip", "pip", _absolute(told.value, env), told.where, variable="PIP_CACHE_DIR")
    return Place("pip", "pip", _cache_home(env) / "pip", variable="PIP_CACHE_DIR")


def _uv_settings(env: Mapping[str, str]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield what uv's configuration files say, the strongest first; those of a project are none of ours."""
    if env.get("UV_NO_CONFIG"):
        return
    if env.get("UV_CONFIG_FILE"):
        files = [Path(env["UV_CONFIG_FILE"])]
    else:
        folder = Path(env.get("XDG_CONFIG_HOME") or _home(env) / ".config")
        system = [Path(each) for each in (env.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)]
        files = [folder / "uv" / "uv.toml"]
        files += [each / "uv" / "uv.toml" for each in system] + [Path("/etc/uv/uv.toml")]
    for file in files:
        try:
            yield file, tomllib.loads(read_regular(file.resolve(), 1_000_000).decode())
        except (OSError, RuntimeError, BrokenRecord, ValueError):  # not there, or uv itself complains of it
            continue


def _absolute(text: str, env: Mapping[str, str]) -> Path:
    if text == "~" or text.startswith("~/"):
        return _home(env) / text[2:]
    return Path(os.path.abspath(text))  # noqa: PTH100  links stay as they are said


def _cache_home(env: Mapping[str, str]) -> Path:
    return Path(env.get("XDG_CACHE_HOME") or _home(env) / ".cache")


def _home(env: Mapping[str, str]) -> Path:
    return Path(env.get("HOME") or Path.home())
