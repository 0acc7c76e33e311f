"""Take out of a text whatever could steer a terminal or mislead its reader.

Names, messages and log lines may come from other people's files and from packages that were built;
see row 18 of the threat model. Everything that the command line prints for people passes here.
"""

from __future__ import annotations

import re
import unicodedata

#: Escape sequences with what they carry, in their 7-bit and 8-bit forms (ECMA-48, sections 5.4 and 5.6):
#: strings (OSC, DCS, SOS, PM, APC) up to their end, control sequences, then any other escape.
_SEQUENCES = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?"
)

#: Control, format (bidi, zero-width, tags), surrogate, line and paragraph separator.
_BANNED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def clean(text: str) -> str:
    """Return *text* as one line of characters that only print; white space becomes a space."""
    if text.isascii() and text.isprintable():
        return text
    text = _SEQUENCES.sub("", text)
    text = re.sub(r"[\t\n\v\f\r\x85\u2028\u2029]+", " ", text)
    return "".join(c for c in text if unicodedata.category(c) not in _BANNED)


def clean_lines(text: str) -> list[str]:
    """Return the lines of *text*, each of them clean; empty ones at both ends are left out."""
    return [clean(line) for line in text.strip().splitlines()]
