"""Split Tcl into commands and words, as far as a judgement of modulefiles needs it; nothing is evaluated."""

from __future__ import annotations

import re
from typing import NamedTuple

from .verdict import Impure

_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|((?:::)?\w+(?:::\w+)*)(\()?)")


class Word(NamedTuple):
    """A word of a command: how it was quoted, and its text without the quotes."""

    quote: str
    """``{``, ``"`` or empty."""
    text: str

    @property
    def literal(self) -> bool:
        """Tell whether Tcl takes the text as it stands."""
        return self.quote == "{" or not re.search(r"[\\$\[]", self.text)


def commands(script: str) -> list[list[Word]]:
    """Return the commands of a script; raises `Impure` for what is not understood."""
    found: list[list[Word]] = []
    words: list[Word] = []
    script = re.sub(r"\\\n[ \t]*", " ", script)
    place = 0
    while place < len(script):
        sign = script[place]
        if sign in " \t\r":
            place += 1
        elif sign in "\n;":
            if words:
                found.append(words)
            words = []
            place += 1
        elif sign == "#" and not words:
            end = script.find("\n", place)
            place = len(script) if end < 0 else end
        else:
            word, place = _word(script, place)
            words.append(word)
    if words:
        found.append(words)
    return found


def _word(script: str, place: int) -> tuple[Word, int]:
    sign = script[place]
    if sign == "{":
        if script.startswith("{*}", place):
            raise Impure("builds a command from a list")
        end = _braced(script, place)
        if end < len(script) and script[end] not in " \t\r\n;":
            raise Impure("could not be understood")
        return Word("{", script[place + 1 : end - 1]), end
    start = place
    quote = '"' if sign == '"' else ""
    place += len(quote)
    while place < len(script):
        sign = script[place]
        if sign == "\\":
            place += 2
        elif sign == "[":
            place = bracketed(script, place)
        elif sign == "$" and script.startswith("${", place):
            place = script.find("}", place) + 1 or len(script)
        elif quote and sign == '"':
            end = place + 1
            if end < len(script) and script[end] not in " \t\r\n;":
                raise Impure("could not be understood")
            return Word('"', script[start + 1 : place]), end
        elif not quote and sign in " \t\r\n;":
            break
        else:
            place += 1
    if quote:
        raise Impure("could not be understood")
    return Word("", script[start:place]), min(place, len(script))


def _braced(script: str, place: int) -> int:
    depth = 0
    while place < len(script):
        sign = script[place]
        if sign == "\\":
            place += 1
        elif sign == "{":
            depth += 1
        elif sign == "}":
            depth -= 1
            if not depth:
                return place + 1
        place += 1
    raise Impure("could not be understood")


def bracketed(script: str, place: int) -> int:
    """Return where the command substitution that begins at *place* ends."""
    depth = 0
    while place < len(script):
        sign = script[place]
        if sign == "\\":
            place += 1
        elif sign == "{":
            place = _braced(script, place) - 1
        elif sign == "[":
            depth += 1
        elif sign == "]":
            depth -= 1
            if not depth:
                return place + 1
        place += 1
    raise Impure("could not be understood")


class Substitutions(NamedTuple):
    """What Tcl replaces in a text."""

    scripts: list[str]
    """Commands in brackets."""
    elements: list[tuple[str, str]]
    """Elements of arrays: name of the array and index as it is written."""
    names: list[str]
    """Plain variables."""


def substitutions(text: str) -> Substitutions:
    """Return the substitutions in a text that is not braced."""
    found = Substitutions([], [], [])
    place = 0
    while place < len(text):
        sign = text[place]
        if sign == "\\":
            place += 2
        elif sign == "[":
            end = bracketed(text, place)
            found.scripts.append(text[place + 1 : end - 1])
            place = end
        elif sign == "$" and (match := _VARIABLE.match(text, place)):
            place = match.end()
            name = match[1] if match[1] is not None else match[2]
            if match[1] is not None and "(" in name:
                array, _, index = name.partition("(")
                found.elements.append((array, index.rstrip(")")))
            elif match[3]:
                close = text.find(")", place)
                if close < 0:
                    raise Impure("could not be understood")
                found.elements.append((name, text[place:close]))
                if "[" in text[place:close]:
                    raise Impure("reads an array at an index that it computes")
                place = close + 1
            else:
                found.names.append(name)
        else:
            place += 1
    return found
