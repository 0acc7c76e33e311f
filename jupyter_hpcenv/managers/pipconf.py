"""See whether pip is configured to install something else than it would by itself; reads files only.

uv reads neither pip.conf nor ``PIP_*``, so where those steer what is installed, uv would be wrong.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import BrokenRecord
from ..files import read_regular

#: Settings that can not change what is installed.
HARMLESS = frozenset(
    {
        *("cache-dir", "no-cache-dir", "disable-pip-version-check", "timeout", "default-timeout", "retries"),
        *("quiet", "verbose", "no-color", "no-input", "log", "progress-bar", "require-virtualenv", "exists-action"),
        *("config-file", "root-user-action", "report", "python", "no-python-version-warning", "user"),
        *("break-system-packages",),
    }
)


def steering(env: Mapping[str, str] | None = None) -> str:
    """Return what steers pip, in a few words for a sentence, or an empty text."""
    env = os.environ if env is None else env
    for name, value in sorted(env.items()):
        if name.startswith("PIP_") and value:
            setting = name[4:].lower().replace("_", "-")
            if not _harmless(setting, value, env):
                return f"{name} is set"
    for path in _files(env):
        for setting, value in _settings(path):
            if not _harmless(setting, value, env):
                return f"{path} sets {setting}"
    return ""


def setting(name: str, env: Mapping[str, str] | None = None) -> str:
    """Return the value that pip would take for a setting such as ``index-url``; empty if it has none."""
    env = os.environ if env is None else env
    value = ""
    for path in _files(env):
        for found, text in _settings(path):
            if found == name:
                value = text
    return env.get("PIP_" + name.upper().replace("-", "_"), value)


def _harmless(setting: str, value: str, env: Mapping[str, str]) -> bool:
    if setting == "cert":  # uv takes the same file by this name
        return value == env.get("SSL_CERT_FILE")
    return setting in HARMLESS


def _files(env: Mapping[str, str]) -> Iterator[Path]:
    """Yield where pip looks; a PIP_CONFIG_FILE that is the null device switches all files off."""
    chosen = env.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return
    home = Path(env.get("HOME", "/nonexistent"))
    for folder in [*env.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep)]:
        yield Path(folder) / "pip" / "pip.conf"
    yield Path("/etc/pip.conf")
    yield home / ".pip" / "pip.conf"
    yield Path(env.get("XDG_CONFIG_HOME", home / ".config")) / "pip" / "pip.conf"
    if chosen:
        yield Path(chosen)


def _settings(path: Path) -> Iterator[tuple[str, str]]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(read_regular(path.resolve(), 1_000_000).decode(errors="replace"))
    except (OSError, BrokenRecord):
        return
    except configparser.Error:
        yield "something that can not be read", ""
        return
    for section in parser.sections():
        if section in ("global", "install", "wheel", "download"):
            yield from ((name.replace("_", "-"), value) for name, value in parser.items(section))
