"""Read and write environment.yml, the file in which people say what a conda environment is to hold.

Nothing in it is expanded or obeyed but what conda documents: name, channels, dependencies and variables. What else it
says is named in `Contents.warnings`.
"""

from __future__ import annotations

import json
import re

from ..errors import InvalidRequest, InvalidRequirement
from ..models import BY_PIP, Contents
from ..names import check_name, check_variable, check_variables, exportable
from .addresses import check_channel
from .archives import archive
from .matchspecs import parse
from .plain_text import clean, line, shown
from .requirements import Rules, parse_requirement
from .strict_yaml import Node, load

KIND = "environment.yml"
LONGEST = 1_000_000
MOST = 5_000
MOST_CHANNELS = 100

_IGNORED = {
    "prefix": "The file names a prefix; where an environment lies is decided here.",
    "platforms": "The file names platforms; it is built for this computer alone.",
    "category": "The file names a category; there are none here.",
}
#: What may stand without quotation marks: words that neither YAML 1.1 nor 1.2 takes for anything but text.
_PLAIN = re.compile(r"(?!(?:y|n|yes|no|on|off|true|false|null)$)[A-Za-z_][A-Za-z0-9_./+-]*", re.ASCII | re.IGNORECASE)


def read(text: str, rules: Rules) -> Contents:
    """Return what an environment.yml says; raise `InvalidRequest`, naming the line, for what is wrong with it."""
    text = clean(text, limit=LONGEST)
    return understand(load(text), text, rules)


def understand(root: Node, text: str, rules: Rules) -> Contents:
    """Return what a loaded environment.yml says; *text* is the file again, for its comments."""
    if len(text) > LONGEST:
        raise InvalidRequest(f"An environment.yml has at most {LONGEST} characters.", hints=["Give a shorter one."])
    entries = root.entries("An environment.yml")
    found = Contents(kind=KIND)
    for key, node in entries.items():
        if key in _IGNORED:
            found.warnings.append(f"Line {node.line}: {_IGNORED[key]}")
        elif key not in ("name", "channels", "dependencies", "variables"):
            found.warnings.append(f"Line {node.line}: “{shown(key)}” is no key of environment.yml and is ignored.")
    _name(entries.get("name"), found)
    if _given(entries, "channels"):
        listed = entries["channels"].items("The list of channels")
        if len(listed) > MOST_CHANNELS:
            entries["channels"].refuse(f"The file has more than {MOST_CHANNELS} channels.", "List only what you need.")
        for item in listed:
            channel = item.text("A channel")
            with line(item.line):
                found.channels.append(check_channel(channel))
    if "dependencies" not in entries:
        root.refuse("The file has no key “dependencies”.", "List the packages below “dependencies:”.")
    _dependencies(entries["dependencies"], text.splitlines(), rules, found)
    if _given(entries, "variables"):
        _variables(entries["variables"], found)
    found.channels = list(dict.fromkeys(found.channels))
    found.specs = list(dict.fromkeys(found.specs))
    found.pip = list(dict.fromkeys(found.pip))
    return found


def _given(entries: dict[str, Node], key: str) -> bool:
    return key in entries and entries[key].value is not None


def _name(node: Node | None, found: Contents) -> None:
    if node is None or node.value is None:
        return
    name = node.text("The name")
    try:
        found.name = check_name(name)
    except InvalidRequest as error:
        found.warnings.append(f"Line {node.line}: The name of the file does not count here: {error.message}")


def _dependencies(node: Node, lines: list[str], rules: Rules, found: Contents) -> None:
    items = node.items("The list of dependencies")
    if len(items) > MOST:
        node.refuse(f"The file has more than {MOST} dependencies.", "List only what you need.")
    selectors = {number for number, text in enumerate(lines, 1) if _has_selector(text)}
    selected: list[int] = []
    pip: Node | None = None
    for item in items:
        if item.line in selectors:
            selected.append(item.line)
        if isinstance(item.value, dict):
            if pip is not None or list(item.value) != ["pip"]:
                item.refuse(
                    "Only one “pip:” list is read among the dependencies, and lists for no other installer.",
                    "Put the lines into one “pip:” list, or leave them out.",
                )
            pip = item.value["pip"]
            found.pip += _pip(pip, rules)
        else:
            spec = item.text("A dependency")
            with line(item.line):
                found.specs.append(parse(spec, urls=rules.allow_urls))
    if selected:
        numbers = ", ".join(map(str, selected[:10])) + (" …" if len(selected) > 10 else "")
        found.warnings.append(
            f"Selectors such as “# [linux]” are comments here as for conda; each dependency counts. Lines: {numbers}."
        )


def _has_selector(text: str) -> bool:
    """Tell whether a line ends in a comment like ``# [linux]``."""
    before, bracket, inside = text.rstrip().rpartition("[")
    return bool(bracket) and inside.endswith("]") and before.rstrip().endswith("#")


def _pip(node: Node, rules: Rules) -> list[str]:
    """Return the lines for pip, canonical."""
    if node.value is None:
        return []
    items = node.items("The list of “pip:”")
    if len(items) > MOST:
        node.refuse(f"The file has more than {MOST} lines for pip.", "List only what you need.")
    found = []
    for item in items:
        text = item.text("A line for pip").strip()
        with line(item.line):
            if re.match(r"(-r|-c|--requirement|--constraint)\b", text):
                raise InvalidRequirement(
                    f"“{shown(text)}” refers to another file, and only the text of this one arrived.",
                    hints=["Put the lines of that file in its place."],
                )
            if re.match(r"(-e|--editable)[ =]+(?![/~]|[a-z+]+:)", text):
                raise InvalidRequirement(
                    f"“{shown(text)}” is relative to a folder that is not known: only the text of this file arrived.",
                    hints=["Give the whole path of the project."],
                )
            found.append(parse_requirement(text, rules))
    return found


def _variables(node: Node, found: Contents) -> None:
    for name, item in node.entries("The variables").items():
        value = item.text(f"The value of {name}")
        with line(item.line):
            check_variable(name, value)
        if re.search(r"\$(?:\{|[A-Za-z_])", value):
            found.warnings.append(f"Line {item.line}: “$” in the value of {name} stays as it is; nothing is filled in.")
        found.variables[name] = value
    with line(node.line):
        check_variables(found.variables)


def of_requests(packages: list[str]) -> Contents:
    """Return what a record of a conda environment says was asked for: match specs, and lines for pip."""
    specs = [text for text in packages if not text.startswith(BY_PIP)]
    pip = [text.removeprefix(BY_PIP) for text in packages if text.startswith(BY_PIP)]
    return Contents(kind=KIND, specs=specs, pip=pip)


def write(contents: Contents, full: bool = False) -> str:
    """Return *contents* as environment.yml; *full*: the exact versions and builds that are pinned, not what was asked.

    Variables that look like secrets are left out, with a comment in their place.
    """
    specs = contents.specs
    if full:
        found = sorted((archive(package.url) for package in contents.pinned), key=lambda one: one.name)
        specs = [f"{one.name}={one.version}={one.build}" for one in found]
    lines = [f"name: {_quoted(contents.name)}"] if contents.name else []
    if contents.channels:
        lines += ["channels:", *(f"  - {_quoted(channel)}" for channel in contents.channels)]
    lines += ["dependencies:" if specs or contents.pip else "dependencies: []"]
    lines += [f"  - {_quoted(spec)}" for spec in specs]
    if contents.pip:
        lines += ["  - pip:", *(f"      - {_quoted(text)}" for text in contents.pip)]
    variables = exportable(contents.variables)
    lines += [f"# {name} is left out: it looks like a secret." for name in contents.variables if name not in variables]
    if variables:
        lines += ["variables:", *(f"  {_quoted(name)}: {_quoted(value)}" for name, value in variables.items())]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return a text as YAML: bare, or as a JSON string, which every YAML reader takes for text."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
