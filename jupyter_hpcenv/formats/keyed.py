"""Read TOML and JSON strictly, within bounds, and hand out values that know by which key they stand.

Neither parser tells lines, so messages name the key: ``project.dependencies[2]``. Keys that come twice are refused.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from ..errors import InvalidRequest
from .plain_text import clean, shown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Characters of a file; TOML is parsed in Python, about a million of them a second.
LONGEST = 2_000_000
MOST = 5_000

_HINT = "Make the file again with the program that wrote it."


class Value:
    """A value of the file, and the key by which it stands."""

    __slots__ = ("key", "value")

    def __init__(self, key: str, value: Any) -> None:
        self.key = key
        self.value = value

    def text(self) -> str:
        """Return the text; raise `InvalidRequest` if this is none, or none that stands on one line."""
        if not isinstance(self.value, str):
            self.refuse(f"must be text, and is {self._kind()}", "Put quotation marks around it.")
        if not self.value.isprintable():
            self.refuse("has invisible characters in it, or more than one line", "Write it on one line.")
        return self.value

    def items(self) -> list[Value]:
        """Return the values of a list; raise `InvalidRequest` if this is none, or a very long one."""
        if not isinstance(self.value, list):
            self.refuse(f"must be a list, and is {self._kind()}", "Write it in square brackets.")
        if len(self.value) > MOST:
            self.refuse(f"has more than {MOST} entries", "Give a shorter one.")
        return [Value(f"{self.key}[{number}]", each) for number, each in enumerate(self.value)]

    def entries(self) -> dict[str, Value]:
        """Return the pairs of a table, in their order; raise `InvalidRequest` if this is none."""
        if not isinstance(self.value, dict):
            self.refuse(f"must have keys, and is {self._kind()}", _HINT)
        if len(self.value) > MOST:
            self.refuse(f"has more than {MOST} entries", "Give a shorter one.")
        start = f"{self.key}." if self.key else ""
        for key in self.value:
            if not key.isprintable() or len(key) > 200:
                self.refuse("has a key that is too long, or has invisible characters in it", _HINT)
        return {key: Value(f"{start}{key}", each) for key, each in self.value.items()}

    def get(self, key: str) -> Value:
        """Return what stands below *key*, a value of None where nothing does."""
        return self.entries().get(key, Value(f"{self.key}.{key}" if self.key else key, None))

    def optional(self, key: str) -> str:
        """Return the text below *key*, or an empty one if there is none."""
        found = self.get(key)
        return "" if found.value is None else found.text()

    def field(self, key: str) -> str:
        """Return the text below *key*; raise `InvalidRequest` if there is none."""
        found = self.get(key)
        if found.value is None:
            found.refuse("is missing", _HINT)
        return found.text()

    def refuse(self, what: str, hint: str) -> NoReturn:
        """Raise `InvalidRequest`: *what* is said of the key."""
        raise InvalidRequest(f"“{shown(self.key) or 'The file'}” {what}.", hints=[hint])

    @contextmanager
    def named(self) -> Iterator[None]:
        """Put the key in front of what an `InvalidRequest` says."""
        try:
            yield
        except InvalidRequest as error:
            message = f"“{shown(self.key)}”: {error.message}"
            raise type(error)(message, hints=error.hints, reason=error.reason) from error

    def _kind(self) -> str:
        if self.value is None:
            return "missing"
        kinds: tuple[tuple[type, str], ...] = (
            (dict, "a table"),
            (list, "a list"),
            (str, "text"),
            (bool, "true or false"),
        )
        return next((word for kind, word in kinds if isinstance(self.value, kind)), "a number or a date")


def load_toml(text: str) -> Value:
    """Return the tables of a TOML file; raise `InvalidRequest` with what is wrong with it."""
    return Value("", _parsed("TOML", lambda: tomllib.loads(clean(text, limit=LONGEST))))


def load_json(text: str) -> Value:
    """Return the object of a JSON file; raise `InvalidRequest` with what is wrong with it."""
    text = clean(text, limit=LONGEST)
    found = Value("", _parsed("JSON", lambda: json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)))
    if not isinstance(found.value, dict):
        found.refuse("holds no object", "Give the right file.")
    return found


def _parsed(kind: str, parse: Callable[[], Any]) -> Any:
    try:
        return parse()
    except InvalidRequest:
        raise
    except RecursionError as error:
        raise InvalidRequest(f"This {kind} is nested too deep.", hints=["Give the right file."]) from error
    except ValueError as error:  # both parsers say line and column
        raise InvalidRequest(f"This is no {kind}: {shown(str(error))}.", hints=[_HINT]) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in [name for name, _ in pairs[:number]])
        raise InvalidRequest(f"The key “{shown(twice)}” comes twice.", hints=["Keep one of them."])
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
