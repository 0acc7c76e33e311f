"""Say what real conda makes of an environment's files: an oracle, written from what conda documents and does.

It shares nothing with jupyter_hpcenv. It is as strict as conda is: where conda would stop with an error, so does this.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path


def entries(prefix: Path) -> list[dict[str, list[str]]]:
    """Return the entries of the history: what stands in each, packages and comments apart."""
    found: list[dict[str, list[str]]] = []
    for line in map(str.strip, (prefix / "conda-meta" / "history").read_text().splitlines()):
        head = re.match(r"==>\s*(.+?)\s*<==", line)
        if head:
            found.append({"date": [head[1]], "packages": [], "comments": []})
        elif line and found:
            found[-1]["comments" if line.startswith("#") else "packages"].append(line)
    return found


def requested(prefix: Path) -> dict[str, str]:
    """Return the match specs that conda thinks were asked for, by name; what is not installed does not count."""
    standing: dict[str, str] = {}
    for entry in entries(prefix):
        said: dict[str, list[str]] = {}
        commands = [line for line in entry["comments"] if re.match(r"#\s*cmd:\s*.+", line)]
        for line in entry["comments"]:
            match = re.match(r"#\s*(\w+)\s*specs:\s*(.+)?", line)
            if match is None:
                continue
            text = match[2] or ""
            assert text.startswith("[") or "[" not in text, f"conda stops at {line!r}"
            specs = ast.literal_eval(text) if text.startswith("[") else re.split(r",(?![=<>!~])", text)
            kind = {"install": "update", "create": "update", "uninstall": "remove"}.get(match[1], match[1])
            if specs := [spec for spec in specs if spec and not spec.endswith("@")]:
                said[kind] = specs
        if not commands:
            continue
        for spec in said.get("remove", []):
            standing.pop(_name(spec), None)
        for spec in [*said.get("update", []), *said.get("neutered", [])]:
            standing[_name(spec)] = spec
    there = {name for name, _, _ in packages(prefix)}
    return {name: spec for name, spec in standing.items() if name in there}


def state(prefix: Path) -> set[str]:
    """Return the packages that are installed after the last entry, as the history tells them."""
    now: set[str] = set()
    for entry in entries(prefix):
        lines = entry["packages"]
        if not any(line[0] in "+-" for line in lines):
            now = set(lines)
            continue
        for line in lines:
            assert line[0] in "+-", f"conda did not expect {line!r}"
            if line[0] == "+":
                now.add(line[1:])
            else:
                now.discard(line[1:])
    return now


def packages(prefix: Path) -> set[tuple[str, str, str]]:
    """Return name, version and build of what ``conda list`` would show; the records' names have to fit."""
    found = set()
    for path in (prefix / "conda-meta").glob("*.json"):
        about = json.loads(path.read_text())
        identity = (about["name"], about["version"], about["build"])
        assert path.stem.rsplit("-", 2) == list(identity), f"conda ignores {path.name}"
        found.add(identity)
    return found


def parts(dist: str) -> tuple[str, str, str, str]:
    """Return channel, name, version and build of a package as the history names it."""
    channel, _, rest = dist.rpartition("::")
    name, version, build = rest.rsplit("-", 2)
    return channel, name, version, build


def _name(spec: str) -> str:
    match = re.match(r"(?:.+::)?([A-Za-z0-9_.-]+)", spec.strip())
    assert match, f"conda can not read {spec!r}"
    return match[1].lower()
