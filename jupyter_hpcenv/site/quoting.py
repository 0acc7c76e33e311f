"""Quote text for the shells that read what we generate, one function a dialect.

The result is one word that the shell reads back as exactly the text. Each function is run against the
real interpreters in tests/unit/site/test_quoting.py.
"""

from __future__ import annotations

import re

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


def _one_line(text: str) -> str:
    """Refuse what no shell can carry (NUL), what would begin a new command (line ends), and what is no text."""
    for character, name in (("\0", "a NUL byte"), ("\n", "a line break"), ("\r", "a line break")):
        if character in text:
            raise InvalidRequest(
                f"A text with {name} in it can not be written into a shell script: {text[:80]!r}.",
                hints=["Give a text of one line."],
            )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            f"{text[:80]!r} is not text that can be encoded as UTF-8.", hints=["Use plain text."]
        ) from error
    return text
