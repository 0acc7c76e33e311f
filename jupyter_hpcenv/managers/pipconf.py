"""See whether pip is configured to install something else than it would by itself; reads files only.

uv reads neither pip.conf nor ``PIP_*``, so where those steer what is installed, uv would be wrong. Which
files pip reads, and in which order, is told by pip's own documentation ("Configuration").
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from ..errors import BrokenRecord
from ..files import read_regular

#: Settings that can not change what is installed, or that `installers` overrides for every build.
HARMLESS = frozenset(
    {
        *("cache-dir", "no-cache-dir", "disable-pip-version-check", "timeout", "default-timeout", "retries"),
        *("resume-retries", "quiet", "verbose", "no-color", "no-input", "log", "progress-bar", "config-file"),
        *("require-virtualenv", "exists-action", "root-user-action", "report", "no-python-version-warning"),
        *("user", "no-user", "break-system-packages", "compile", "no-compile", "no-warn-script-location"),
        *("no-warn-conflicts", "debug", "keyring-provider", "ignore-installed"),
    }
)

#: Variables of pip that never reach a build: they would put packages elsewhere, add some, or hide the output.
DROPPED = frozenset(
    f"PIP_{name}"
    for name in (
        *("TARGET", "PREFIX", "ROOT", "PYTHON", "DRY_RUN", "USER", "NO_USER", "REQUIRE_VIRTUALENV", "REQUIREMENT"),
        *("EDITABLE", "QUIET", "VERBOSE", "PROGRESS_BAR", "COMPILE", "NO_COMPILE", "REPORT", "IGNORE_INSTALLED"),
    )
)

#: Settings that put packages somewhere else than into the prefix, or nowhere.
DIVERTING = frozenset({"target", "prefix", "root", "python", "dry-run"})


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting, and where it stands: a file, or the name of a variable."""

    name: str
    value: str
    where: str
    variable: bool = False

    @property
    def words(self) -> str:
        """What a person is told of it."""
        return f"{self.where} is set" if self.variable else f"{self.where} sets {self.name}"


def settings(env: Mapping[str, str] | None = None) -> list[Setting]:
    """Return what configures ``pip install``, the strongest last."""
    env = os.environ if env is None else env
    found = [each for path in _files(env) for each in _read(path)]
    for name, value in sorted(env.items()):
        if name.startswith("PIP_") and value:
            option = name.removeprefix("PIP_").lower().replace("_", "-")
            found.append(Setting(name=option, value=value, where=name, variable=True))
    return found


def steering(env: Mapping[str, str] | None = None) -> str:
    """Return what steers pip, in a few words for a sentence, or an empty text."""
    env = os.environ if env is None else env
    found = [each for each in settings(env) if not _harmless(each, env)]
    words = list(dict.fromkeys(each.words for each in found))
    if len(words) > 3:
        words[3:] = [f"{len(words) - 3} more"]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def diverting(env: Mapping[str, str] | None = None) -> str:
    """Return the setting in a file that would put packages outside of the prefix, in words, or an empty text."""
    return next((each.words for each in settings(env) if each.name in DIVERTING and not each.variable), "")


def setting(name: str, env: Mapping[str, str] | None = None) -> str:
    """Return the value that pip would take for a setting such as ``index-url``; empty if it has none."""
    values = [each.value for each in settings(env) if each.name == name]
    return values[-1] if values else ""


def switched_on(name: str, env: Mapping[str, str] | None = None) -> bool:
    """Tell whether a setting such as ``no-index`` is on, in pip's own words for it."""
    return setting(name, env).strip().lower() in {"1", "y", "yes", "t", "true", "on"}


def _harmless(setting: Setting, env: Mapping[str, str]) -> bool:
    if setting.variable and setting.where in DROPPED:
        return True
    if setting.name == "cert":  # uv takes the same file by this name
        return bool(setting.value) and setting.value == env.get("SSL_CERT_FILE")
    if setting.name == "proxy":
        return setting.value in (env.get("HTTPS_PROXY"), env.get("https_proxy"))
    return setting.name in HARMLESS


def site_files(env: Mapping[str, str]) -> list[Path]:
    """Return the files that pip reads for everybody, the strongest last."""
    folders = (env.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    return [*(Path(folder) / "pip" / "pip.conf" for folder in folders), Path("/etc/pip.conf")]


def _files(env: Mapping[str, str]) -> Iterator[Path]:
    """Yield where pip looks, the strongest last; a PIP_CONFIG_FILE that is the null device switches all off."""
    chosen = env.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return
    yield from site_files(env)
    home = Path(env.get("HOME") or Path.home())
    yield home / ".pip" / "pip.conf"
    yield Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    if chosen:
        yield Path(os.path.expanduser(chosen))  # noqa: PTH111  Path.expanduser raises for users that do not exist


def _read(path: Path) -> list[Setting]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(read_regular(path.resolve(), 1_000_000).decode(errors="replace"))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, RuntimeError, BrokenRecord, configparser.Error):
        return [Setting(name="something that can not be read", value="", where=str(path))]
    return [
        Setting(name=name.replace("_", "-"), value=value, where=str(path))
        for section in ("global", "install")
        if parser.has_section(section)
        for name, value in parser.items(section)
    ]
