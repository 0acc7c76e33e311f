"""Turn what conda's configuration says into values, by conda's words for true, false and numbers.

Called by `settings` once the places are merged. A value that can not be used is refused, as conda refuses it;
the message names the setting and the place, and never repeats the value, which may be a secret.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from ...errors import BrokenConfiguration
from .condarc import expand, from_home
from .merging import Given, merge
from .parameters import HONOURED

_MOST = 1_000_000  # seconds, retries
_TRUE = frozenset({"true", "yes", "on", "y"})
_FALSE = frozenset({"false", "off", "n", "no", "non", "none", ""})
_PRIORITIES = ("strict", "flexible", "disabled")


def broken(what: str, hint: str = "Correct it there, or take it out.") -> BrokenConfiguration:
    """Return the error that says which value of which place can not be used."""
    return BrokenConfiguration(f"Conda's configuration can not be used: {what}.", hints=[hint])


class Values:
    """Turns what is written into values, and keeps where they came from."""

    def __init__(self, env: Mapping[str, str], warnings: list[str]) -> None:
        self.env = env
        self.warnings = warnings
        self.where: dict[str, str] = {}

    def of(self, name: str, given: Sequence[Given]) -> Any:
        """Return the value of a setting, or None where nobody says anything."""
        parameter = HONOURED[name]
        merged = merge(parameter.kind, given)
        if merged is None:
            return None
        self.where[name] = merged.where
        if parameter.kind == "list":
            return self._list(name, merged)
        if parameter.kind == "lists":
            return {
                self._key(name, key, each): self._list(f"{name}[{key}]", each) for key, each in merged.entries.items()
            }
        if parameter.kind == "map":
            return {
                self._key(name, key, each): "" if each.value is None else self._text(name, each)
                for key, each in merged.entries.items()
            }
        return _READERS.get(name, _READERS_BY_KIND[parameter.kind])(name, self._text(name, merged), merged, self)

    def _key(self, name: str, key: str, given: Given) -> str:
        if not key.isprintable():
            raise broken(f"“{name}” in {given.where} has a name with characters that are not printable")
        self.where[f"{name}[{key}]"] = given.where
        return key

    def _list(self, name: str, given: Given) -> list[str]:
        texts: dict[str, str] = {}
        for item in given.items:
            text = self._text(name.partition("[")[0], item)
            if name in ("envs_dirs", "pkgs_dirs"):
                text = self._folder(name, text, item)
            if text:
                texts.setdefault(text, item.where)
        self.where.update({f"{name}[{number}]": where for number, where in enumerate(texts.values())})
        return list(texts)

    def _text(self, name: str, given: Given) -> str:
        text = cast("str", given.value).strip()
        text = expand(text, self.env).strip() if HONOURED[name].expands else text
        text = text.replace("\t", " ")
        if not text.isprintable():
            raise broken(f"“{name}” in {given.where} has a value with characters that are not printable")
        return text

    def _folder(self, name: str, text: str, given: Given) -> str:
        path = os.path.normpath(from_home(expand(text, self.env), self.env))
        if not path.startswith("/"):
            self.warnings.append(f"A folder of “{name}” in {given.where} is left out: its path is not absolute.")
            return ""
        return "/" + path.lstrip("/")


def _truth(name: str, text: str, given: Given, _: Values) -> bool:
    word = text.lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    try:
        return bool(float(word))
    except ValueError:
        raise broken(f"“{name}” in {given.where} must be true or false") from None


def _number(name: str, text: str, given: Given, _: Values) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= _MOST:
        raise broken(f"“{name}” in {given.where} must be a number, zero or more")
    return number


def _whole(name: str, text: str, given: Given, values: Values) -> int:
    return int(_number(name, text, given, values))


def _priority(name: str, text: str, given: Given, _: Values) -> str:
    word = text.lower()
    word = "flexible" if word in _TRUE else "disabled" if word in _FALSE else word
    if word not in _PRIORITIES:
        raise broken(f"“{name}” in {given.where} must be one of {', '.join(_PRIORITIES)}")
    return word


def _verify(name: str, text: str, given: Given, values: Values) -> str:
    word = text.lower()
    if word == "truststore":  # rattler takes the certificates of the system anyway
        return "true"
    if word in _TRUE | _FALSE or word in ("1", "0"):
        return "true" if word in _TRUE or word == "1" else "false"
    path = from_home(text, values.env)
    if not path.startswith("/") or not os.path.exists(path):  # noqa: PTH110  Path.exists may raise
        raise broken(
            f"“{name}” in {given.where} must be true, false, truststore, or the absolute path of existing certificates"
        )
    return path


def _alias(name: str, text: str, given: Given, _: Values) -> str:
    if not re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", text):
        raise broken(f"“{name}” in {given.where} must be a URL, with https:// or another scheme in front")
    return text


_Reader = Callable[[str, str, Given, Values], Any]
_READERS: dict[str, _Reader] = {"channel_priority": _priority, "ssl_verify": _verify, "channel_alias": _alias}
_READERS_BY_KIND: dict[str, _Reader] = {
    "truth": _truth,
    "number": _number,
    "whole": _whole,
    "text": lambda name, text, given, values: text,
}
