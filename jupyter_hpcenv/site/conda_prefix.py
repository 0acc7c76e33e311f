"""Read what a conda prefix says of its own activation; nothing in it is started or sourced.

Launch scripts and activation files of one prefix are made from the same facts, so they are read here, below both.
The rules are conda's own (conda/activate.py): variables of packages, then those that a person had conda keep, then
the scripts by name. ``scripts/conda.bash`` obeys the same rules at a start, when these facts are no longer true.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from pathlib import Path

import msgspec

from .. import typed
from ..errors import BrokenRecord
from ..files import read_regular
from ..names import STEERING, VARIABLE_PATTERN

#: What runs in a launch script's place what conda's activation runs; its head says how.
RUNNER = Path(__file__).parent / "scripts" / "conda.bash"

STATE = "conda-meta/state"
VARIABLES = "etc/conda/env_vars.d"
ON_ACTIVATE, ON_DEACTIVATE = "etc/conda/activate.d", "etc/conda/deactivate.d"

_UNSET = "***unset***"  # what conda writes in the place of a value that was taken away
_LIMIT = 65_536  # bytes of a file, here and in conda.bash
_MANY = 500  # files of one folder
_PYTHON = re.compile(r"python-(\d+\.\d+(?:\.\d+)?[^-]*)-[^-]+\.json")
_HOME = r"\$CONDA_PREFIX(?![A-Za-z0-9_])|\$\{CONDA_PREFIX\}"
_VALUE = rf"""(?:'[^']*'|"(?:[^"\\$`]|{_HOME})*"|[A-Za-z0-9_./:,+@%=-]|{_HOME})*"""
_EXPORT = re.compile(rf"\s*export[ \t]+([A-Za-z_][A-Za-z0-9_]*)=({_VALUE})[ \t]*;?(?:[ \t]+#.*)?")
_CSH_NAMES = re.compile(r"(?:^|[\s;&(])(?:un)?setenv[ \t]+([A-Za-z_][A-Za-z0-9_]*)", re.MULTILINE)


class Activation(msgspec.Struct, frozen=True, kw_only=True):
    """What activating a conda prefix does, besides setting CONDA_PREFIX and its like."""

    variables: dict[str, str] = {}
    """What it sets; a value can hold line breaks."""
    scripts: list[str] = []
    """Names of the scripts for sh that it runs, in conda's order."""
    exports: dict[str, str] = {}
    """What those scripts export that do nothing else."""
    active: list[str] = []
    """Names of the scripts that do more, so that only running them tells what they give."""
    csh_names: list[str] = []
    """Variables that the scripts for csh may change."""
    digests: list[str] | None = []
    """What ``sha256sum`` prints of all its files, a line each, by their paths in the prefix; None if one is odd."""
    left_out: list[str] = []
    """Names of variables that it should set and that can not be set, or must not be."""

    @property
    def settled(self) -> bool:
        """Whether `variables` and `exports` are all there is to it while `digests` stay the same."""
        values = [*self.variables.values(), *self.exports.values()]
        plain = all(value.isprintable() for value in values)
        return plain and self.digests is not None and not self.active and not self.left_out


def default_name(prefix: str) -> str:
    """Return what conda has in CONDA_DEFAULT_ENV: the name below a folder ``envs``, elsewhere the whole path."""
    path = Path(prefix)
    return path.name if path.parent.name == "envs" else prefix


def is_conda(prefix: Path) -> bool:
    """Tell whether *prefix* is a conda environment: it is what has a ``conda-meta``, for conda too."""
    return (prefix / "conda-meta").is_dir()


def python_version(prefix: Path) -> str:
    """Return the version of the Python that conda installed, by the name of its record; empty without a Python."""
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(prefix / "conda-meta")):  # noqa: PTH208  thousands
            if found := _PYTHON.fullmatch(name):
                return found[1]
    return ""


def may_set(name: str) -> bool:
    """Tell whether conda's files may set a variable of that name: none that steers a shell or the launch."""
    if not re.fullmatch(VARIABLE_PATTERN, name):
        return False
    if name.startswith(("LD_", "DYLD_", "PYTHON")):
        return True  # people do so, and mean it
    return name not in ("CONDA_DEFAULT_ENV", "CONDA_SHLVL", "CONDA_PROMPT_MODIFIER") and not re.fullmatch(
        STEERING, name
    )


def read_activation(prefix: Path) -> Activation:
    """Return what activating *prefix* does, as its files are now; never raises: what is odd is told as such."""
    reading = _Reading(prefix)
    variables, left_out = _variables(reading)
    exports: dict[str, str] = {}
    active = []
    scripts = reading.listed(ON_ACTIVATE, ".sh")
    for name in scripts:
        found = _exports(reading.text(f"{ON_ACTIVATE}/{name}"), str(prefix))
        if found is None:
            active.append(name)
        else:
            exports |= found
    return Activation(
        variables=variables,
        scripts=scripts,
        exports=exports,
        active=active,
        csh_names=_csh_names(prefix),
        digests=reading.digests,
        left_out=left_out,
    )


class _Reading:
    """Files of a prefix, and what ``sha256sum`` would print of those that were read."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.digests: list[str] | None = []

    def listed(self, folder: str, ending: str) -> list[str]:
        """Return the names in a folder of the prefix, in the order of conda."""
        try:
            names = sorted(os.listdir(self.prefix / folder))  # noqa: PTH208
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError:
            self.digests = None
            return []
        found = [name for name in names if name.endswith(ending) and not name.startswith(".")]
        if len(found) > _MANY or not all(name.isprintable() and "\\" not in name for name in found):
            self.digests = None
        return [name for name in found[:_MANY] if name.isprintable()]

    def text(self, path: str) -> str | None:
        """Return the text of a file; None if there is none that can be read."""
        try:
            data = read_regular(self.prefix / path, _LIMIT)
            if self.digests is not None:
                self.digests.append(f"{hashlib.sha256(data).hexdigest()}  {path}")
            return data.decode()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, BrokenRecord, UnicodeDecodeError):
            self.digests = None
            return None


def _variables(reading: _Reading) -> tuple[dict[str, str], list[str]]:
    """Return the variables of packages and those that a person had conda keep, and the names that are left out."""
    kept: dict[str, object] = {}
    for name in reading.listed(VARIABLES, ""):
        kept |= _members(reading, f"{VARIABLES}/{name}", "")
    kept |= _members(reading, STATE, "env_vars")
    variables, left_out = {}, []
    for name, value in kept.items():
        if value == _UNSET:
            continue
        if isinstance(value, str) and "\0" not in value and _is_text(value) and may_set(name.upper()):
            variables[name.upper()] = value
        else:
            left_out.append(name)
    return variables, left_out


def _members(reading: _Reading, path: str, key: str) -> dict[str, object]:
    text = reading.text(path)
    if text is None:
        return {}
    try:
        found = typed.of_json(text)
    except (msgspec.DecodeError, RecursionError):
        reading.digests = None
        return {}
    members = found.get(key, {}) if key and isinstance(found, dict) else found
    return members if isinstance(members, dict) else {}


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _csh_names(prefix: Path) -> list[str]:
    reading = _Reading(prefix)
    found: set[str] = set()
    for folder in (ON_ACTIVATE, ON_DEACTIVATE):
        for name in reading.listed(folder, ".csh"):
            found |= set(_CSH_NAMES.findall(reading.text(f"{folder}/{name}") or ""))
    return sorted(filter(may_set, found))


def _exports(text: str | None, prefix: str) -> dict[str, str] | None:
    """Return what a script exports, if it does nothing but that and depends on nothing but its prefix."""
    if text is None or "\r" in text or "\0" in text:
        return None
    found = {}
    for line in text.split("\n"):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _EXPORT.fullmatch(line)
        if match is None or not may_set(match[1]):
            return None
        found[match[1]] = _value(match[2], prefix)
    return found


def _value(word: str, prefix: str) -> str:
    """Return what a shell makes of a word of the form `_VALUE`."""
    value = ""
    for piece in re.findall(rf"""'[^']*'|"[^"]*"|{_HOME}|[^'"$]+""", word):
        if piece.startswith("'"):
            value += piece[1:-1]
        else:
            value += re.sub(_HOME, lambda _: prefix, piece.strip('"'))
    return value
