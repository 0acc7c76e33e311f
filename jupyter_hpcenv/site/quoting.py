"""Quote text for the shells and languages that read what we generate, one function a dialect.

The result is one word that the shell (or Lua, or Tcl) reads back as exactly the text. Each function is run against the
real interpreters in tests/unit/site/test_quoting.py.
"""

from __future__ import annotations

import re
import unicodedata

from ..errors import InvalidRequest


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
