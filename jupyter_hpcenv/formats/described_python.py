"""Recognise which of Python's files a text is, and read it; the name of the file counts for nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import InvalidRequest
from ..models import Contents
from . import capsule, hashes, pipfile, pylock, pyproject
from .keyed import LONGEST, load_json, load_toml
from .plain_text import clean
from .requirements import Rules, parse_requirements

_KNOWN = "Give a pyproject.toml, pylock.toml, Pipfile, Pipfile.lock, requirements.txt or a capsule."


def looks_described(text: str) -> bool:
    """Tell whether a text is TOML or JSON, rather than a list of requirements; cheap, and never raises."""
    first = next((bare for raw in text[:LONGEST].splitlines() if (bare := raw.partition("#")[0].strip())), "")
    first = first.removeprefix("\ufeff")
    return first.startswith("{") or bool(
        re.match(r"\[+[\w.\-\"' ]+\]+$", first) or re.match(r"[\w.\-\"]+\s*=\s*[\"'\[{]", first)
    )


def is_more_than_a_list(text: str) -> bool:
    """Tell whether a text that was handed in as a list of requirements is another file, or has digests in it."""
    return looks_described(text) or hashes.is_hashed(text)


def is_json(text: str) -> bool:
    """Tell whether a text is an object of JSON, rather than TOML or YAML."""
    return text.lstrip("\ufeff \t\r\n").startswith("{")


def is_capsule(text: str) -> bool:
    """Tell whether a text is a capsule, as far as can be told without reading it."""
    return is_json(text) and f'"{capsule.MARK}"' in text


def read(text: str, rules: Rules, extras: Sequence[str] = (), groups: Sequence[str] = ()) -> Contents:
    """Return what the file says that an environment is to hold; raise `InvalidRequest`, naming key or line.

    Capsules say more than that, and are read by `capsule`.
    """
    text = clean(text, limit=LONGEST)
    if not text.strip():
        raise InvalidRequest("The file is empty.", hints=[_KNOWN])
    if is_json(text):
        root = load_json(text)
        _no_extras(extras, pipfile.LOCK)
        if "_meta" in root.entries():
            return pipfile.understand_lock(root, rules, groups)
        raise InvalidRequest("This JSON is neither a Pipfile.lock nor a capsule.", hints=[_KNOWN])
    if not looks_described(text):
        return _requirements(text, rules, extras, groups)
    root = load_toml(text)
    keys = set(root.entries())
    if "lock-version" in keys:
        return pylock.understand(root, rules, extras, groups)
    if keys & {"project", "dependency-groups", "build-system", "tool"}:
        return pyproject.understand(root, rules, extras, groups)
    if keys & {"packages", "dev-packages", "source"}:
        _no_extras(extras, pipfile.KIND)
        return pipfile.understand(root, rules, groups)
    raise InvalidRequest("This is TOML of no kind that is known here.", hints=[_KNOWN])


def _requirements(text: str, rules: Rules, extras: Sequence[str], groups: Sequence[str]) -> Contents:
    _no_extras([*extras, *groups], "requirements.txt")
    if hashes.is_hashed(text):
        return hashes.read(text, rules)
    return Contents(kind="requirements.txt", pip=parse_requirements(text, rules, None))


def _no_extras(extras: Sequence[str], kind: str) -> None:
    if extras:
        raise InvalidRequest(f"A {kind} has no extras.", hints=["Leave them out; --group chooses groups."])
