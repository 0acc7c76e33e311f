"""Recognise which of conda's files a text is, and read it; the name of the file counts for nothing."""

from __future__ import annotations

import re

from ..errors import InvalidRequest
from ..models import Contents
from . import conda_lock, environment_yml, explicit, rattler_lock
from .plain_text import clean
from .requirements import Rules
from .strict_yaml import load

LONGEST = max(explicit.LONGEST, conda_lock.LONGEST, rattler_lock.LONGEST)

_KNOWN = "Give an environment.yml, an explicit list (@EXPLICIT), a pixi.lock or a conda-lock.yml."


def read(text: str, rules: Rules, platform: str = "") -> Contents:
    """Return what the file says that an environment is to hold; raise `InvalidRequest`, naming the line.

    *rules* say what its lines for pip may be; *platform* is the kind of computer, as conda names it (empty: this one).
    """
    text = clean(text, limit=LONGEST)
    if any(raw.strip() == explicit.MARK for raw in text.splitlines()):
        return explicit.read(text, platform)
    _refuse_other_kinds(text)
    root = load(text)
    keys = set(root.value) if isinstance(root.value, dict) else set()
    if "environments" in keys and "packages" in keys:
        return rattler_lock.understand(root, rules, platform)
    if "package" in keys:
        return conda_lock.understand(root, rules, platform)
    if keys & {"dependencies", "channels"}:
        return environment_yml.understand(root, text, rules)
    raise InvalidRequest("This is no file of conda’s that is known here.", hints=[_KNOWN])


def _refuse_other_kinds(text: str) -> None:
    """Raise for files that people take for one of these, with what to do about each."""
    lines = [words for words in (raw.partition("#")[0].strip() for raw in text.splitlines()) if words]
    if not lines:
        raise InvalidRequest("The file is empty.", hints=[_KNOWN])
    if re.match(r"\[+[\w.\-\"]+\]+$", lines[0]):
        raise InvalidRequest(
            "This is TOML, such as pixi.toml or pyproject.toml: it says what to solve, in other words than conda’s.",
            hints=["Give the lockfile beside it (pixi.lock), or an environment.yml."],
        )
    if not any(re.match(r"[\"']?[\w.-]+[\"']?\s*:(\s|$)|[-{]|%|---", words) for words in lines):
        raise InvalidRequest(
            "This looks like a list of requirements, which is no file of conda’s.",
            hints=["Name the packages in the request itself, or put them below “dependencies:” in an environment.yml."],
        )
