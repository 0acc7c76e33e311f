"""Quote text for the shells and languages that read what we generate, one function a dialect.

The result is one word that the shell (or Lua, or Tcl) reads back as exactly the text. Each function is run against the
real interpreters in tests/unit/site/test_quoting.py.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping

from ..errors import InvalidRequest

#: Characters of a literal from which on it takes more lines.
_WIDTH = 80


def sh(text: str) -> str:
    """Return *text* as one word for dash, bash, ksh and zsh; raises `InvalidRequest`.

    Between single quotes POSIX shells take every character as it is, save the quote itself.
    """
    return "'" + _one_line(text).replace("'", "'\\''") + "'"


def csh(text: str) -> str:
    """Return *text* as one word for csh and tcsh; raises `InvalidRequest`.

    These shells expand ``!`` even between single quotes, and a backslash there means itself or not,
    depending on ``backslash_quote``: so both stand outside the quotes, where a backslash always escapes.
    """
    quoted = re.sub(r"['!\\]", lambda found: "'\\" + found[0] + "'", _one_line(text))
    return f"'{quoted}'"


def fish(text: str) -> str:
    """Return *text* as one word for fish; raises `InvalidRequest`.

    Between single quotes fish knows two escapes, of the backslash and of the quote.
    """
    return "'" + re.sub(r"(['\\])", r"\\\1", _one_line(text)) + "'"


def lua(text: str) -> str:
    """Return *text* as a string of Lua, which knows two characters in one: the backslash and the quote."""
    return '"' + re.sub(r'(["\\])', r"\\\1", _one_line(text)) + '"'


def tcl(text: str) -> str:
    """Return *text* as one word for Tcl.

    Between double quotes Tcl replaces ``$``, ``[`` and backslashes. Braces mean nothing there, but those of a
    script around the word are counted with them; a backslash takes them out of that count. Tcl 8 spoils
    characters beyond the 16 bits that it counts with, depending on where in a file they stand: they are refused.
    """
    if any(ord(character) > 0xFFFF for character in text):
        raise InvalidRequest(
            f"A text with a character beyond Unicode's first 65,536 in it can not be written for Tcl: {text[:80]!r}.",
            hints=["Leave that character out.", "Use another dialect."],
        )
    return '"' + re.sub(r'(["$\[\]{}\\])', r"\\\1", _one_line(text)) + '"'


def python(value: object) -> str:
    """Return plain data as a literal of Python; only a long dictionary or list takes more than one line."""
    _check_literal(value)
    return _literal(value, 0)


def toml(value: object) -> str:
    """Return plain data as a value of TOML on one line; raises `InvalidRequest`."""
    _check_literal(value)
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, bool | int | float):
        return str(value).lower()
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_escaped(str(key))} = {toml(each)}" for key, each in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(each) for each in value)}]"
    raise TypeError("TOML has no word for nothing")


def yaml(text: str) -> str:
    """Return *text* between the double quotes of YAML; raises `InvalidRequest`."""
    return _escaped(text)


def ini(text: str) -> str:
    """Return *text* as the value of a line of pip.conf, which knows no quotes; raises `InvalidRequest`."""
    if not text or text != text.strip() or text[0] in "#;":
        raise InvalidRequest(
            f"{text[:80]!r} can not be written into a pip.conf, which knows no quotes.",
            hints=["Leave out blanks at its ends, and # and ; at its beginning."],
        )
    return _one_line(text)


def _literal(value: object, depth: int) -> str:
    line = repr(value)
    if len(line) + 4 * depth <= _WIDTH or not isinstance(value, Mapping | list | tuple) or not value:
        return line
    inner, end = " " * 4 * (depth + 1), " " * 4 * depth
    if isinstance(value, Mapping):
        lines = [f"{inner}{key!r}: {_literal(each, depth + 1)},\n" for key, each in value.items()]
        return f"{{\n{''.join(lines)}{end}}}"
    return f"[\n{''.join(f'{inner}{_literal(each, depth + 1)},{chr(10)}' for each in value)}{end}]"


def _escaped(text: str) -> str:
    """Return *text* as TOML and YAML both read it: characters beyond ASCII as they are, for neither knows pairs."""
    return json.dumps(_one_line(text), ensure_ascii=False)


def _check_literal(value: object) -> None:
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        for each in value:
            _check_literal(each)
    elif not (value is None or isinstance(value, str | bool | int | float)):
        raise TypeError(f"a {type(value).__name__} is no plain data")


#: What ends a here-document of ours.
HERE_END = "HPCENV_END"


def here(text: str) -> str:
    """Return *text* as a line of a here-document that begins with ``<<'HPCENV_END'``; raises `InvalidRequest`.

    Behind a quoted word shells take each line as it is, up to the one that is the word itself.
    """
    if text == HERE_END:
        raise InvalidRequest(f"A line that is {HERE_END} would end the list that it is in.", hints=["Leave it out."])
    return _one_line(text)


def _one_line(text: str) -> str:
    """Refuse what would begin a new command (line ends), other control characters, and what is no text.

    A tab stays: between quotes it is a character like any other. The rest steers terminals that show a script.
    """
    steering = next((character for character in text if _is_control(character)), "")
    if steering:
        name = {"\0": "a NUL byte", "\n": "a line break", "\r": "a line break"}.get(steering, "a control character")
        raise InvalidRequest(
            f"A text with {name} in it can not be written into a shell script: {text[:80]!r}.",
            hints=["Give a text of one line of printable characters."],
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            f"{text[:80]!r} is not text that can be encoded as UTF-8.", hints=["Use plain text."]
        ) from error
    return text


def _is_control(character: str) -> bool:
    """Tell whether it is a control character (C0 but for the tab, delete, C1) or a line end of Unicode."""
    return character != "\t" and (unicodedata.category(character) == "Cc" or character in "\u2028\u2029")
