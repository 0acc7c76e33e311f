"""Read the site's policy: what environments may be, by files of the system that no user's configuration overrides.

A policy is a guard rail and no fence: a user's server belongs to the user, who can make environments without it. What
must hold against people's will is done by quotas, firewalls and mirrors.

Every file that is there holds, so a further one can only tighten what another says. One that can not be read, is
not understood to its last key, or could have been written by others than its owner refuses all changes.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import msgspec

from .. import typed
from ..errors import BrokenPolicy, BrokenRecord
from ..files import read_regular
from ..trust import who_can_write

FILE = Path("etc") / "jupyter" / "hpcenv_policy.toml"

#: Names further files, separated as PATH is; what they say holds besides, so it loosens nothing.
VARIABLE = "HPCENV_POLICY"

_LARGEST = 1_000_000
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


class Defaults(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What is taken where a request says nothing. People may choose otherwise."""

    installer: str = ""
    """Of the manager venv."""
    python: str = ""
    """Where neither a file, nor another environment, nor modules say which one."""
    location: str = ""


class Enforced(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What a request may be; a rule that is left out allows anything."""

    managers: list[str] | None = None
    """Environment managers that may be used."""
    installers: list[str] | None = None
    """Programs that may install packages: uv, pip, conda and those of plug-ins."""
    pythons: list[str] | None = None
    """Versions such as ``3.12``, or paths; a conda environment is judged by the version that it asks for."""
    system_python: bool = True
    """Whether an environment may stand on the operating system's own Python."""
    locations: dict[str, list[str]] | None = None
    """By manager, the names of locations; ``*`` is any other manager."""
    modules: list[str] | None = None
    """Patterns (as of fnmatch) of modules that may be loaded."""
    channels: list[str] | None = None
    """Conda channels that may be used, by name or URL, whoever configured them."""
    editable: bool = True
    """Whether ``-e PATH`` may be installed."""
    vcs: bool = True
    """Whether ``NAME @ git+https://…`` may be installed."""
    urls: bool = True
    """Whether archives may be named by their address."""
    hashes: bool = False
    """Whether every Python package must come with a digest, as lockfiles have them."""
    indexes: list[str] | None = None
    """Package indexes, and folders with wheels, from which installers may take Python packages, the first one first."""
    sources: list[str] | None = None
    """Packages that are built from source, while all others must come as wheels."""
    denied: dict[str, str] = {}
    """Packages that may not be asked for, by name, and what to do instead."""
    environments: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """How many environments a user may have in the site's locations."""
    gigabytes: Annotated[float, msgspec.Meta(ge=0)] | None = None
    """How much the environments of a user may take together, in units of 10⁹ bytes, as far as they are measured."""
    link_scripts: bool = True
    """Whether conda packages may run scripts when they are linked and unlinked, if the configuration lets them."""
    sharing: bool = True
    """Whether environments may be shared with colleagues."""


class Hook(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A program, or a function, of the site that is asked about each request."""

    run: list[str] = []
    """The words of a command, the first one a path; the path of the request follows them."""
    call: str = ""
    """``/path/to/file.py:function``, which gets the request as a dictionary."""
    seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0
    """How long it has for its answer."""


class Policy(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One file of policy."""

    version: int
    contact: str = ""
    """Whom to ask: a mail address or a page; a refusal names it."""
    default: Defaults = Defaults()
    enforced: Enforced = Enforced()
    reasons: dict[str, str] = {}
    """Why a rule is there, by its name; a refusal says it."""
    preferred: dict[str, str] = {}
    """Packages that may be asked for although there is something better, by name, and what that is."""
    hook: Hook | None = None
    path: str = ""
    """Where it was read; no key of the file."""
    said: list[str] = []
    """The rules that the file names, also those that allow what is allowed anyway; no key of the file."""


class _Wrong(Exception):
    """What is wrong with a file, in a sentence without an end."""


_known: dict[str, tuple[tuple[int, ...], Policy]] = {}
_guard = threading.Lock()


def policies() -> list[Policy]:
    """Return the site's policies, that of the whole system first; raises `BrokenPolicy`."""
    found = []
    for path in places():
        try:
            policy = _read(path)
        except _Wrong as wrong:
            raise BrokenPolicy(
                f"The site's policy can not be obeyed, so nothing is changed: {path}: {wrong}.",
                hints=["Tell the site's staff; environments that are there can be used as before."],
            ) from wrong
        if policy is not None:
            found.append(policy)
    return found


def check(path: Path) -> Policy:
    """Return the policy that a file would be if it lay where it is obeyed; raises `BrokenPolicy`, for staff to read."""
    try:
        policy = _read(path.absolute())
        if policy is None:
            raise _Wrong("it is not there")
    except _Wrong as wrong:
        raise BrokenPolicy(
            f"This file can not be a policy: {path}: {wrong}.",
            hints=["Correct it before you put it in place: where it lies there, it refuses every change."],
        ) from wrong
    return policy


def rules_of(policy: Policy) -> dict[str, Any]:
    """Return the rules that a policy sets, by name; those that it leaves out allow anything."""
    return {name: getattr(policy.enforced, name) for name in policy.enforced.__struct_fields__ if name in policy.said}


def places() -> list[Path]:
    """Return where policies are looked for; those of `VARIABLE` must be there, the others may."""
    further = [Path(text) for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text]
    return list(dict.fromkeys([Path("/") / FILE, Path(sys.prefix) / FILE, *further]))


def is_of_the_system(policy: Policy) -> bool:
    """Tell whether a policy lies where only staff can put one; `VARIABLE` can be set by anybody."""
    return Path(policy.path) in places()[:2]


def _read(path: Path) -> Policy | None:
    try:
        facts = path.stat()
    except FileNotFoundError:
        if os.environ.get(VARIABLE) and str(path) in os.environ[VARIABLE].split(os.pathsep):
            raise _Wrong(f"{VARIABLE} names it, and it is not there") from None
        if os.path.lexists(path):
            raise _Wrong("it is a link that leads nowhere") from None
        return None
    except OSError as error:
        raise _Wrong(f"it can not be read ({(error.strerror or str(error)).lower()})") from error
    stamp = (facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino, facts.st_dev, facts.st_size)
    with _guard:
        known = _known.get(str(path))
    if known is not None and known[0] == stamp:
        return known[1]
    policy = _decoded(path, facts.st_uid)
    with _guard:
        _known[str(path)] = (stamp, policy)
    return policy


def _decoded(path: Path, owner: int) -> Policy:
    if writers := who_can_write(path, [owner]):
        raise _Wrong(f"others than its owner can change it: {', '.join(map(str, writers[:3]))}")
    try:
        data = read_regular(path.resolve(), _LARGEST)
        policy = typed.of_toml(data, Policy)
    except (OSError, BrokenRecord) as error:
        raise _Wrong(f"it can not be read ({error})") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise _Wrong(f"it is not understood: {_nearest(error) or str(error).rstrip('.')}") from error
    if policy.version != 1:
        raise _Wrong(f"it is of version {policy.version}, and this jupyter_hpcenv reads version 1")
    rules = set(Enforced.__struct_fields__)
    if policy.path or policy.said:
        raise _Wrong(f"“{'path' if policy.path else 'said'}” is no key of it")
    if unknown := sorted(set(policy.reasons) - rules):
        near = difflib.get_close_matches(unknown[0], rules, 1)
        meant = f" (did you mean “{near[0]}”?)" if near else ""
        raise _Wrong(f"“reasons” names no rule: {', '.join(unknown)}{meant}")
    if wrong := _wrong_rules(policy.enforced) or _wrong_rest(policy):
        raise _Wrong(wrong)
    return msgspec.structs.replace(policy, path=str(path), said=list(typed.of_toml(data).get("enforced", {})))


def _nearest(error: Exception) -> str:
    """Return which key is not known, and the nearest known one; empty where that is not what is wrong."""
    told = re.match(r"Object contains unknown field `(.*?)`(?: - at `\$\.(\w+)`)?$", str(error), re.DOTALL)
    if told is None:
        return ""
    key, table = told[1], told[2] or ""
    kinds = {"": Policy, "default": Defaults, "enforced": Enforced, "hook": Hook}
    keys = (
        [each for each in kinds[table].__struct_fields__ if table or each not in ("path", "said")]
        if table in kinds
        else []
    )
    where = f"“{table}”" if table else "it"
    near = difflib.get_close_matches(key, keys, 1)
    within = [name for name, kind in kinds.items() if name and not table and key in kind.__struct_fields__]
    if within:
        return f"{where} has no key `{key}`, which belongs below “[{within[0]}]”"
    meant = f"did you mean “{near[0]}”?" if near else f"known: {', '.join(keys)}"
    return f"{where} has no key `{key}` ({meant})"


def _wrong_rules(rules: Enforced) -> str:
    """Return what is wrong with the rules, in a sentence without an end; empty if nothing is.

    A package that is spelt so that no request ever meets the rule would be a rule that silently does not hold.
    """
    for name in rules.denied:
        if not _NAME.fullmatch(name):
            return f"“denied” has a name that no package has: “{name}”"
    for name in rules.sources or []:
        if not _NAME.fullmatch(name):
            return f"“sources” has a name that no package has: “{name}”"
    for index in rules.indexes or []:
        if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?|/\S+", index):
            return f"“indexes” has what is neither an address without a password nor a folder: “{index}”"
    for python in rules.pythons or []:
        if not python.startswith("/") and not re.fullmatch(r"\d+\.\d+(\.\d+)?", python):
            return f"“pythons” has what is neither a version such as 3.12 nor a path: “{python}”"
    return ""


def _wrong_rest(policy: Policy) -> str:
    """Return what is wrong with the hook and the preferences, as `_wrong_rules` does."""
    for name in policy.preferred:
        if not _NAME.fullmatch(name):
            return f"“preferred” has a name that no package has: “{name}”"
    hook = policy.hook
    if hook is None:
        return ""
    if bool(hook.run) == bool(hook.call):
        return "“hook” needs one of “run” and “call”"
    if hook.run and not hook.run[0].startswith("/"):
        return f"“run” of the hook does not begin with a path from /: “{hook.run[0]}”"
    if hook.call and not re.fullmatch(r"/[^:]+\.py:[A-Za-z_]\w*", hook.call):
        return f"“call” of the hook is not as /path/to/file.py:function: “{hook.call}”"
    return ""
