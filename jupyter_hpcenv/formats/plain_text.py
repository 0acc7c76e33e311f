"""See that a text is what it looks like, and show parts of it in messages without what should not be shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import InvalidRequest

#: Controls, line ends that only some programs see, letters that turn the direction of text, half characters.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def clean(text: str, *, limit: int, what: str = "The file") -> str:
    """Return *text* with plain line ends and no byte order mark; raise `InvalidRequest` for what hides in it.

    A reader of the file and the person before the screen have to see the same lines.
    """
    if len(text) > limit:
        raise InvalidRequest(
            f"{what} has {len(text)} characters; at most {limit} are read.", hints=["Give the right file, or a part."]
        )
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    hidden = _HIDDEN.search(text)
    if hidden:
        raise InvalidRequest(
            f"Line {text.count(chr(10), 0, hidden.start()) + 1}: {what[:1].lower()}{what[1:]} holds the invisible "
            f"character U+{ord(hidden[0]):04X}.",
            hints=["Save it as plain UTF-8 text, and take the character out."],
        )
    return text


def shown(text: str) -> str:
    """Return a text for a message: short, printable, and without what looks like a password or a token in a URL."""
    bare = re.sub(r"//[^/@\s]*@", "//…@", text)
    bare = re.sub(r"/t/[^/\s]+", "/t/…", bare)
    bare = re.sub(r"([?&][\w-]+=)[^&\s#]+", r"\1…", bare)
    bare = "".join(character if character.isprintable() else "\ufffd" for character in bare[:121])
    return bare if len(bare) <= 120 else bare[:117] + "…"


@contextmanager
def line(number: int) -> Iterator[None]:
    """Put the number of the line in front of what an `InvalidRequest` says."""
    try:
        yield
    except InvalidRequest as error:
        raise type(error)(f"Line {number}: {error.message}", hints=error.hints, reason=error.reason) from error
