"""Read how conda is configured: files, variables and what a request asks for, merged as conda merges them.

rattler reads none of this, so whoever makes conda environments asks here first; otherwise a site's mirror, proxy
or rules would be lost without a word. Where nobody says anything, channel priority is strict; all other defaults
are conda's. What is set and not honoured is named in ``warnings``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ... import typed
from ...errors import Refused
from ...files import read_regular
from .condarc import Source, read
from .credentials import shown
from .merging import Given, is_final, merge
from .parameters import HARMLESS, HONOURED, OTHERS, Parameter
from .values import Values, broken

REQUEST = "the request"
NO_DEFAULTS = "nodefaults"

_PREFIX = "CONDA_"
_MOST_NAMES = 20
_ANACONDA = "https://repo.anaconda.com"


class Settings(msgspec.Struct, kw_only=True):
    """What conda's configuration says. Channels and proxies may hold secrets here: `channels` refuses them."""

    channels: list[str] = []
    """As they are written, best first; none where nobody says anything."""
    channel_alias: str = "https://conda.anaconda.org"
    custom_channels: dict[str, str] = msgspec.field(default_factory=lambda: {"pkgs/pro": _ANACONDA})
    custom_multichannels: dict[str, list[str]] = {}
    default_channels: list[str] = msgspec.field(
        default_factory=lambda: [f"{_ANACONDA}/pkgs/main", f"{_ANACONDA}/pkgs/r"]
    )
    """What the name “defaults” stands for."""
    migrated_channel_aliases: list[str] = []
    channel_priority: str = "strict"
    """``strict``, ``flexible`` or ``disabled``."""
    denylist_channels: list[str] = []
    allowlist_channels: list[str] = []
    override_channels_enabled: bool = True
    envs_dirs: list[str] = []
    """Absolute paths that are configured, without those that conda adds by itself; `pkgs_dirs` likewise."""
    pkgs_dirs: list[str] = []
    proxy_servers: dict[str, str] = {}
    """By ``http``, ``https`` or ``scheme://host``; an empty text means no proxy."""
    ssl_verify: str = "true"
    """``true``, ``false``, or the absolute path of a file or folder of certificates."""
    offline: bool = False
    pinned_packages: list[str] = []
    add_pip_as_python_dependency: bool = True
    always_copy: bool = False
    allow_softlinks: bool = False
    remote_connect_timeout_secs: float = 9.15
    remote_read_timeout_secs: float = 60.0
    remote_max_retries: int = 3
    where: dict[str, str] = {}
    """Which file or variable a setting comes from; items and entries by ``name[number]`` and ``name[key]``."""
    warnings: list[str] = []

    def origin(self, name: str, item: int | str = "") -> str:
        """Return where a setting, or one item of it, stands, for a sentence."""
        return self.where.get(f"{name}[{item}]") or self.where.get(name) or "the built-in defaults"

    def with_channels(self, channels: Sequence[str], where: str) -> Settings:
        """Return these settings with other channels, which stand at *where*."""
        places = {key: place for key, place in self.where.items() if not key.startswith("channels")}
        return msgspec.structs.replace(self, channels=list(channels), where={**places, "channels": where})

    def unheeded(self, engine: str) -> list[str]:
        """Return a sentence for each setting that stands somewhere and that *engine* can not go by.

        Links to the cache that are soft break when it is emptied, so neither engine makes any.
        """
        names = ["allow_softlinks"] if self.allow_softlinks else []
        if engine == "rattler":
            names += [name for name in ("remote_connect_timeout_secs",) if name in self.where]
            names += [f"proxy_servers[{key}]" for key in self.proxy_servers if key not in ("http", "https")]
        return [f"{self.origin(name)} sets what jupyter_hpcenv does not honour: {shown(name)}." for name in names]


def load(
    env: Mapping[str, str] | None = None,
    *,
    prefix: Path | None = None,
    channels: Sequence[str] = (),
    override: bool = False,
    root: Path = Path("/"),
) -> Settings:
    """Return the settings that hold for *prefix* and a request that asks for *channels*, best first.

    The request's channels come before the configured ones. With *override*, or “nodefaults” among them, they
    replace those, unless the configuration forbids it or fixes the channels. Absolute places of conda's search
    path lie below *root*. Raises `BrokenConfiguration` for a value that can not be used and names where it
    stands, `Refused` where *override* is not allowed.
    """
    env = os.environ if env is None else env
    sources, warnings = read(env, prefix=prefix, root=root)
    sources.append(_variables(env))
    warnings += [_unknown(source) for source in sources if _odd_names(source)]
    found = {name: _given(name, parameter, sources) for name, parameter in HONOURED.items()}
    reader = Values(env, warnings)
    enabled = reader.of("override_channels_enabled", found["override_channels_enabled"])
    found["channels"] = _with_request(found["channels"], list(channels), override, enabled is not False, warnings)
    values = {name: value for name, given in found.items() if (value := reader.of(name, given)) is not None}
    return typed.of_value({**values, "where": reader.where, "warnings": warnings}, Settings)


def pins(prefix: Path) -> list[str]:
    """Return the match specs in ``conda-meta/pinned`` of an environment, which no change may leave.

    Raises `BrokenRecord` where the file is there and can not be read: it is not known then what to keep.
    """
    try:
        data = read_regular(prefix / "conda-meta" / "pinned", 100_000)
    except (FileNotFoundError, NotADirectoryError):
        return []
    lines = (line.partition("#")[0].strip() for line in data.decode("utf-8-sig", errors="replace").splitlines())
    return [line for line in lines if line]


def _variables(env: Mapping[str, str]) -> Source:
    """Return what variables such as CONDA_OFFLINE say; an empty one says nothing."""
    values = {}
    for variable, text in sorted(env.items()):
        name = variable.removeprefix(_PREFIX).lower()
        if not variable.startswith(_PREFIX) or not text.strip():
            continue
        text, important, _ = text.partition("!important")
        parameter = next((each for key, each in HONOURED.items() if name in (key, *each.aliases)), None)
        value: Any = text.strip()
        if parameter is not None and parameter.kind == "list":
            items = (item.strip() for item in text.split(parameter.delimiter))
            value = tuple(Given(value=item, where=variable) for item in items if item)
        if parameter is not None or name in OTHERS:
            values[name] = Given(value=value, where=variable, flag="final" if important else "")
    return Source(where="", values=values)


def _odd_names(source: Source) -> list[str]:
    known = {name for key, each in HONOURED.items() for name in (key, *each.aliases)}
    return [name for name in source.values if name not in known and name not in HARMLESS]


def _unknown(source: Source) -> str:
    names = _odd_names(source)
    if not source.where:  # variables: each is its own place
        names = [source.values[name].where for name in names]
    words = ["a name that is no setting" if not re.fullmatch(r"[\w-]{1,60}", name) else name for name in names]
    words = list(dict.fromkeys(words))
    more = f" and {len(words) - _MOST_NAMES} more" if len(words) > _MOST_NAMES else ""
    names_of_all = f"{', '.join(words[:_MOST_NAMES])}{more}"
    if not source.where:
        return f"jupyter_hpcenv does not honour the variables {names_of_all}."
    return f"{source.where} sets what jupyter_hpcenv does not honour: {names_of_all}."


def _given(name: str, parameter: Parameter, sources: Iterable[Source]) -> list[Given]:
    """Return what the sources say of a setting, the strongest last, each of the type that the setting has."""
    found = []
    for source in sources:
        said = [(key, source.values[key]) for key in (name, *parameter.aliases) if key in source.values]
        if len(said) > 1:
            names = " and ".join(f"“{key}”" for key, _ in said)
            raise broken(f"{names} in {said[0][1].where} are two names of one setting", "Take one of them out.")
        found += [_checked(name, parameter.kind, given) for _, given in said]
    return found


def _checked(name: str, kind: str, given: Given) -> Given:
    value = given.value
    if kind == "list":
        kept = tuple(item for item in given.items if item.value is not None)
        right = isinstance(value, tuple) and all(isinstance(item.value, str) for item in kept)
        given = msgspec.structs.replace(given, value=kept) if right else given
        need = "must be a list of texts, each behind “- ” in a line of its own"
    elif kind == "map":
        right = isinstance(value, dict) and all(isinstance(each.value, str | None) for each in value.values())
        need = "must be a map: lines of “name: value”, which no variable can hold"
    elif kind == "lists":
        if isinstance(value, dict):
            lists = {
                key: each if each.value is not None else msgspec.structs.replace(each, value=())
                for key, each in value.items()
            }
            given = msgspec.structs.replace(
                given, value={key: _checked(name, "list", each) for key, each in lists.items()}
            )
        right = isinstance(value, dict)
        need = "must be a map of lists, which no variable can hold"
    else:
        right, need = isinstance(value, str), "must be a single value"
    if value is not None and not right:
        raise broken(f"“{name}” in {given.where} {need}")
    return given


def _with_request(
    configured: list[Given], asked: list[str], override: bool, enabled: bool, warnings: list[str]
) -> list[Given]:
    """Return what is said of channels, with those of a request as the strongest."""
    alone = override or NO_DEFAULTS in asked
    if override and not enabled:
        raise Refused(
            "The configured channels can not be replaced: override_channels_enabled is false in conda's configuration.",
            hints=["Leave that option out; channels that are asked for come before the configured ones."],
        )
    if NO_DEFAULTS in asked and not enabled:
        warnings.append("The configured channels stay although “nodefaults” is asked for: they may not be replaced.")
    items = tuple(Given(value=text, where=REQUEST) for text in asked if text != NO_DEFAULTS)
    request = Given(value=items, where=REQUEST)
    if is_final(configured):
        fixed = merge("list", configured)
        assert fixed is not None
        kept = {item.value for item in fixed.items}
        lost = ", ".join(f"“{shown(text)}”" for text in asked if text not in kept and text != NO_DEFAULTS)
        if lost:
            place = next(each.where for each in configured if each.flag == "final")
            warnings.append(f"Not used: {lost}. The channels are fixed in {place} (“#!final”).")
        return configured
    if alone and enabled and items:
        return [request]
    return [*configured, request] if items else configured
