"""What a site answers, and how a file of answers is read: strictly, so that a slip is told and not written down."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import msgspec

from .. import typed
from ..errors import InvalidRequest
from ..formats import keyed, strict_yaml
from ..formats.plain_text import clean, shown


class Place(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A location for environments; what each word means is said at ``c.Site.locations``."""

    root: str
    description: str = ""
    purge_days: int | None = None
    purge_by: str = ""
    backed_up: bool | None = None
    sharing: bool | None = None
    group: str = ""
    project: str = ""
    quota: str | list[str] = ""


class Answers(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Everything that is asked. Empty: nothing is said of it, and the built-in default holds."""

    profile: str = ""
    """Which ready profile the answers start from."""
    cluster: str = ""
    contact: str = ""
    module_system: str = ""
    module_init: str = ""
    module_path: list[str] = []
    module_purge: str = ""
    module_hints: dict[str, str] = {}
    python_module: str = ""
    """The module of the site's Python, to whose file the settings belong."""
    python_paths: list[str] = []
    python_folders: list[str] = []
    hide_system_python: bool = False
    locations: dict[str, Place] = {}
    default_location: str = ""
    caches: str = ""
    """Folder for what pip, uv and conda keep, with $VARIABLES, ~ and {username}."""
    conda_envs: str = ""
    """Where conda itself makes environments that have a name alone; as *caches*."""
    installer: str = ""
    index_url: str = ""
    find_links: list[str] = []
    no_index: bool = False
    no_binary: list[str] = []
    """Packages that pip builds from source, against the site's libraries."""
    conda_command: str = ""
    """The site's conda, mamba or micromamba; empty: the engine that comes along."""
    channels: list[str] = []
    managers: list[str] = []
    """Environment managers that may be used; empty: all."""
    environments: int | None = None
    """How many environments a user may have."""
    denied: dict[str, str] = {}
    """Packages that may not be asked for, and what to do instead."""
    preferred: dict[str, str] = {}
    """Packages for which there is something better, and what that is."""
    pip_conf: str = ""
    """Where pip.conf is written besides the sample; empty: nowhere."""
    condarc: str = ""
    """The same for conda's."""


def read_answers(text: str, file: str) -> dict[str, Any]:
    """Return what a file of TOML, or of YAML by its name, answers; raises `InvalidRequest`. It is not checked yet.

    Only what it says is returned: an empty answer takes back what a profile would say, a missing one does not.
    """
    return read(text, file, Answers)


def read(text: str, file: str, kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return what *file* says of the answers of one *kind*, by their names; raises `InvalidRequest`."""
    by_text = file.endswith((".yml", ".yaml"))
    cleaned = clean(text, limit=keyed.LONGEST)
    found = _of_yaml(strict_yaml.load(cleaned)) if by_text else _of_toml(keyed.load_toml(cleaned))
    if not isinstance(found, dict):
        raise InvalidRequest(f"{file} has no answers in it.", hints=["Write “key = value”, one a line."])
    _check_keys(found, kind.__struct_fields__, "")
    if isinstance(places := found.get("locations"), dict):
        for name, place in places.items():
            if isinstance(place, dict):
                _check_keys(place, Place.__struct_fields__, f"locations.{name}.")
            else:
                places[name] = {"root": place}
    try:
        answers = typed.of_value(found, kind, strict=not by_text)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{file} can not be used: {shown(str(error))}.", hints=["Correct that answer."]) from error
    return {name: getattr(answers, name) for name in found}


def _of_toml(value: keyed.Value) -> Any:
    if isinstance(value.value, dict):
        return {key: _of_toml(each) for key, each in value.entries().items()}
    if isinstance(value.value, list):
        return [_of_toml(each) for each in value.items()]
    return value.text() if isinstance(value.value, str) else value.value


def _of_yaml(node: strict_yaml.Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _of_yaml(each) for key, each in node.value.items()}
    if isinstance(node.value, list):
        return [_of_yaml(each) for each in node.value]
    return node.text("An answer") if isinstance(node.value, str) else None


def _check_keys(found: dict[str, Any], known: Iterable[str], where: str) -> None:
    for key in found:
        if key not in known:
            meant = difflib.get_close_matches(key, list(known), 1, 0.6)
            raise InvalidRequest(
                f"“{shown(where + key)}” is no answer that is asked for.",
                hints=[f"Did you mean “{meant[0]}”?" if meant else f"These are: {', '.join(known)}."],
            )
