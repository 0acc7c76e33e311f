"""Read Pipfile, in which people say what a project needs, and Pipfile.lock, which says exactly what that is.

The packages for development are the group “dev”; further categories are groups of their own name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from ..errors import InvalidRequest, InvalidRequirement
from ..models import Contents, LockedPackage
from . import hashes
from .addresses import public_host
from .keyed import Value, load_json, load_toml
from .plain_text import shown
from .requirements import Rules, parse_requirement

KIND, LOCK = "Pipfile", "Pipfile.lock"
DEV = "dev"

#: Tables of a Pipfile that are no categories of packages.
_OTHERS = frozenset({"source", "requires", "scripts", "pipenv"})
_MARKERS = (
    *("sys_platform", "os_name", "platform_machine", "platform_system", "platform_release", "platform_version"),
    *("python_version", "python_full_version", "implementation_name", "platform_python_implementation"),
)
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_ELSEWHERE = ("git", "hg", "svn", "bzr", "path", "file")


def read(text: str, rules: Rules, groups: Sequence[str] = ()) -> Contents:
    """Return what a Pipfile says, with those *groups*; raise `InvalidRequest`, naming the key."""
    return understand(load_toml(text), rules, groups)


def understand(root: Value, rules: Rules, groups: Sequence[str] = ()) -> Contents:
    """Return what the tables of a Pipfile say."""
    found = Contents(kind=KIND, python=_python(root.get("requires")))
    sources = [] if root.get("source").value is None else root.get("source").items()
    found.warnings += _sources(sources)
    if root.get("pipenv").value is not None and root.get("pipenv").get("allow_prereleases").value is True:
        found.warnings.append("“allow_prereleases” is not looked at; ask for a pre-release by its version.")
    first = sources[0].optional("name") if sources else ""
    for table in _tables(root, {DEV: "dev-packages"}, "packages", groups, _OTHERS):
        for name, value in table.entries().items():
            with value.named():
                found.pip.append(_requirement(name, value, first, rules))
    found.pip = list(dict.fromkeys(found.pip))
    return found


def _tables(
    root: Value, names: dict[str, str], main: str, groups: Sequence[str], others: frozenset[str]
) -> list[Value]:
    """Return the tables of packages that are asked for; raise `InvalidRequest` for a group that is not there."""
    entries = root.entries()
    has = {key: value for key, value in entries.items() if isinstance(value.value, dict) and key not in others}
    back = {key: group for group, key in names.items()}
    known = [back.get(key, key) for key in has if key != main]
    chosen = [root.get(main)] if root.get(main).value is not None else []
    for group in groups:
        key = names.get(group, group)
        if key not in has or key == main:
            raise InvalidRequest(
                f"The file has no group “{shown(group)}”.",
                hints=[f"It has {shown(', '.join(known))}." if known else "It has none."],
            )
        chosen.append(has[key])
    return chosen


def _python(requires: Value) -> str:
    if requires.value is None:
        return ""
    key = "python_full_version" if requires.optional("python_full_version") else "python_version"
    wanted = requires.optional(key)
    if wanted in ("", "*"):
        return ""
    if not re.fullmatch(r"\d+(\.\d+){0,2}", wanted):
        requires.get(key).refuse(f"is no version: “{shown(wanted)}”", "Write it like 3.12.")
    return wanted


def _sources(sources: list[Value]) -> list[str]:
    """Return what to warn of: indexes that are not asked, because those that are configured are."""
    hosts = []
    for each in sources:
        try:
            host = urlsplit(each.field("url")).hostname or ""
        except ValueError:
            host = ""
        if host != public_host():
            hosts.append(shown(host) or "an index")
    if not hosts:
        return []
    return [f"The file names {', '.join(hosts)}; packages come from the index that is configured here."]


def _requirement(name: str, value: Value, first: str, rules: Rules) -> str:
    if not _NAME.fullmatch(name):
        value.refuse("is no name of a package", "Write what is wanted of the package behind its name.")
    if isinstance(value.value, str):
        return parse_requirement(name + _specifier(value), rules)
    entries = value.entries()
    for key in _ELSEWHERE:
        if key in entries:
            value.get(key).refuse(
                "means that the package is from no index",
                "Leave it out here, and add “NAME @ URL” or “-e /WHOLE/PATH” to the packages.",
            )
    if value.optional("index") not in ("", first):
        value.get("index").refuse(
            "names another index, which is not asked: the one here may have somebody else’s package of that name",
            "Leave the key out if the configured index has it.",
        )
    extras = [each.text() for each in value.get("extras").items()] if "extras" in entries else []
    version = _specifier(value.get("version")) if "version" in entries else ""
    conditions = [_condition(key, value.get(key)) for key in _MARKERS if key in entries]
    if "markers" in entries:
        conditions.insert(0, value.field("markers"))
    marker = " and ".join(f"({each})" for each in conditions) if len(conditions) > 1 else "".join(conditions)
    text = name + (f"[{','.join(extras)}]" if extras else "") + version + (f" ; {marker}" if marker else "")
    return parse_requirement(text, rules)


def _specifier(value: Value) -> str:
    text = value.text().strip()
    if text in ("", "*"):
        return ""
    if re.fullmatch(r"\d[\w.+!*-]*", text):
        text = f"=={text}"
    try:
        return str(SpecifierSet(text))
    except InvalidSpecifier:
        value.refuse(f"is no range of versions: “{shown(text)}”", "Write it like >=2,<3.")


def _condition(key: str, value: Value) -> str:
    text = value.text().strip()
    if "\\" in text or not re.fullmatch(r"""(==|!=|<=|>=|<|>|in|not in)\s*("[^"]*"|'[^']*')""", text):
        value.refuse(f"is no condition: “{shown(text)}”", "Write it like == 'linux'.")
    return f"{key} {text}"


def read_lock(text: str, rules: Rules, groups: Sequence[str] = ()) -> Contents:
    """Return what a Pipfile.lock says, with those *groups*; raise `InvalidRequest`, naming the key."""
    return understand_lock(load_json(text), rules, groups)


def understand_lock(root: Value, rules: Rules, groups: Sequence[str] = ()) -> Contents:
    """Return the exact packages of a loaded Pipfile.lock."""
    found = Contents(kind=LOCK)
    meta = root.get("_meta")
    if meta.value is None:
        root.refuse("has no “_meta”, so it is no Pipfile.lock", "Give the right file.")
    spec = meta.get("pipfile-spec").value
    if spec != 6:
        meta.get("pipfile-spec").refuse("is not 6, the version that is known here", "Lock again with a newer pipenv.")
    found.python = _python(meta.get("requires"))
    found.warnings += _sources([] if meta.get("sources").value is None else meta.get("sources").items())
    locked: dict[str, LockedPackage] = {}
    for table in _tables(root, {DEV: "develop"}, "default", groups, frozenset({"_meta"})):
        for name, value in table.entries().items():
            with value.named():
                one = _locked(name, value, rules)
                other = locked.setdefault(one.name, one)
                if other.version != one.version:
                    raise InvalidRequirement(
                        f"{one.name} is listed with {other.version} too.", hints=["Lock again with one version."]
                    )
    if not locked:
        raise InvalidRequest("The lockfile lists no packages.", hints=["Give the right file."])
    found.locked = list(locked.values())
    found.pip = hashes.pins(found.locked)
    return found


def _locked(name: str, value: Value, rules: Rules) -> LockedPackage:
    entries = value.entries()
    for key in _ELSEWHERE:
        if key in entries:
            value.get(key).refuse(
                "means that the package is from no index, and has no digest",
                "Lock without it, and install it afterwards by its requirement.",
            )
    version = value.field("version")
    if not re.fullmatch(r"==[^=,*\s]+", version):
        value.get("version").refuse(f"is not exact: “{shown(version)}”", "Lock again.")
    given = value.get("hashes")
    found = hashes.package(
        name,
        version[2:],
        [] if given.value is None else [each.text() for each in given.items()],
        marker=value.optional("markers"),
        rules=rules,
    )
    return hashes.needed(found)
