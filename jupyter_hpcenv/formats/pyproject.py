"""Read what a project needs from its pyproject.toml: PEP 621, its extras, and dependency groups (PEP 735).

The project itself is not installed, and nothing of it is run: only the text of the file is here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from packaging.requirements import InvalidRequirement as Unparsable
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from ..errors import InvalidRequest
from ..models import Contents
from .keyed import Value, load_toml
from .plain_text import shown
from .requirements import Rules, parse_requirement

KIND = "pyproject.toml"
DEEPEST = 50  # extras and groups that name one another

_ITSELF = "The project itself is not installed, only what it needs; add “-e /WHOLE/PATH” to the packages for that."


def read(text: str, rules: Rules, extras: Sequence[str] = (), groups: Sequence[str] = ()) -> Contents:
    """Return what a pyproject.toml says, with those *extras* and *groups*; raise `InvalidRequest`, naming the key."""
    return understand(load_toml(text), rules, extras, groups)


def understand(root: Value, rules: Rules, extras: Sequence[str] = (), groups: Sequence[str] = ()) -> Contents:
    """Return what the tables of a pyproject.toml say."""
    project, listed = root.get("project"), root.get("dependency-groups")
    if project.value is None and (listed.value is None or not groups):
        _nothing(root, listed)
    found = Contents(kind=KIND)
    lines: list[tuple[Value, str]] = []
    met: set[str] = set()
    if project.value is not None:
        found.requires_python = requires_python(project.get("requires-python"))
        name = project.optional("name")
        lines += _dependencies(project)
        optional = _tables(project.get("optional-dependencies"))
        for extra in extras:
            lines += _extra(extra, project, optional, str(canonicalize_name(name)), (), met)
        found.warnings.append(_ITSELF)
    elif extras:
        raise InvalidRequest("The file has no [project], so it has no extras.", hints=["Leave the extras out."])
    tables = _tables(listed)
    for group in groups:
        lines += _group(group, listed, tables, (), met)
    sources = _sources(root)
    for value, line in lines:
        with value.named():
            found.pip.append(parse_requirement(line, rules))
        _check_source(value, line, sources)
    found.pip = list(dict.fromkeys(found.pip))
    return found


def requires_python(value: Value) -> str:
    """Return what a file demands of Python, as a specifier; empty if nothing."""
    if value.value is None:
        return ""
    try:
        return str(SpecifierSet(value.text()))
    except InvalidSpecifier:
        value.refuse(f"is no range of versions: “{shown(value.text())}”", "Write it like >=3.10.")


def _nothing(root: Value, listed: Value) -> None:
    if listed.value is not None:
        raise InvalidRequest(
            f"The file has only dependency groups: {shown(', '.join(listed.entries()))}.",
            hints=["Say which group (--group GROUP)."],
        )
    poetry = root.get("tool")
    if poetry.value is not None and "poetry" in poetry.entries():
        raise InvalidRequest(
            "The file says what the project needs in words of Poetry’s own, not in [project].",
            hints=["Give what “poetry export” writes, or move the dependencies to [project]."],
        )
    raise InvalidRequest(
        "The file has neither [project] nor [dependency-groups].", hints=["Give the pyproject.toml of a project."]
    )


def _dependencies(project: Value) -> list[tuple[Value, str]]:
    dynamic = project.get("dynamic")
    if dynamic.value is not None and "dependencies" in [each.text() for each in dynamic.items()]:
        dynamic.refuse(
            "says that the dependencies are found by building the project, which is not done to read a file",
            "Install the project itself (“-e /WHOLE/PATH”), or give a list of requirements.",
        )
    given = project.get("dependencies")
    return [] if given.value is None else [(each, each.text()) for each in given.items()]


def _tables(value: Value) -> dict[str, Value]:
    """Return lists by their normalised names; two that differ by spelling alone are refused."""
    found: dict[str, Value] = {}
    for name, each in value.entries().items() if value.value is not None else ():
        plain = str(canonicalize_name(name))
        if plain in found:
            each.refuse("differs from another only in its spelling", "Rename one of them.")
        found[plain] = each
    return found


def _chosen(name: str, value: Value, tables: dict[str, Value], what: str) -> Value:
    plain = str(canonicalize_name(name))
    if plain not in tables:
        known = f"It has {shown(', '.join(tables))}." if tables else "It has none."
        value.refuse(f"has no {what} “{shown(name)}”", known)
    return tables[plain]


def _extra(
    name: str, project: Value, optional: dict[str, Value], itself: str, above: tuple[str, ...], met: set[str]
) -> list[tuple[Value, str]]:
    """Return what an extra asks for; an extra may name others as ``project[extra]``."""
    value = _chosen(name, project.get("optional-dependencies"), optional, "extra")
    _check_circle(value, above)
    if value.key in met:
        return []  # what two others include counts once: a few lines could else ask for billions
    met.add(value.key)
    found: list[tuple[Value, str]] = []
    for each in value.items():
        others = _of_itself(each.text(), itself)
        if others is None:
            found.append((each, each.text()))
        else:
            for other in others:
                found += _extra(other, project, optional, itself, (*above, value.key), met)
    return found


def _of_itself(line: str, itself: str) -> list[str] | None:
    """Return the extras of a requirement that means the project itself, or None for any other."""
    try:
        requirement = Requirement(line)
    except Unparsable:
        return None  # refused with its key, later
    return sorted(requirement.extras) if itself and canonicalize_name(requirement.name) == itself else None


def _group(
    name: str, listed: Value, tables: dict[str, Value], above: tuple[str, ...], met: set[str]
) -> list[tuple[Value, str]]:
    """Return what a dependency group asks for, with those that it includes."""
    value = _chosen(name, listed, tables, "group")
    _check_circle(value, above)
    if value.key in met:
        return []  # what two others include counts once: a few lines could else ask for billions
    met.add(value.key)
    found: list[tuple[Value, str]] = []
    for each in value.items():
        if isinstance(each.value, dict):
            if set(each.entries()) != {"include-group"}:
                each.refuse("is neither a requirement nor {include-group = …}", "Write one of the two.")
            found += _group(each.field("include-group"), listed, tables, (*above, value.key), met)
        else:
            found.append((each, each.text()))
    return found


def _check_circle(value: Value, above: tuple[str, ...]) -> None:
    if value.key in above or len(above) > DEEPEST:
        value.refuse("includes itself", "Break the circle.")


def _sources(root: Value) -> dict[str, Value]:
    """Return what uv is told of packages that are not to come from the index, by name."""
    tool = root.get("tool")
    uv = tool.get("uv") if tool.value is not None else tool
    if uv.value is None or uv.get("sources").value is None:
        return {}
    return {str(canonicalize_name(name)): each for name, each in uv.get("sources").entries().items()}


def _check_source(value: Value, line: str, sources: dict[str, Value]) -> None:
    """Refuse what is to come from elsewhere: the index may have somebody else's package of that name."""
    name = re.split(r"[^A-Za-z0-9._-]", line.strip(), maxsplit=1)[0]
    if (source := sources.get(str(canonicalize_name(name)))) is not None:
        source.refuse(
            "says that the package comes from elsewhere than the index, which is not looked at",
            f"Write “{shown(name)} @ URL” in {value.key}, or leave the source out if the index has the package.",
        )
