"""Read the few words that a folder of caches may have in it, for languages that each spell them their own way.

``$NAME``, ``~`` and {username} are filled in where a person logs in; all else in a folder is text.
"""

from __future__ import annotations

import re

from ..errors import InvalidRequest

_WORD = re.compile(r"\$(?:(\w+)|\{(\w+)\})|(\{username\})|(\{\w+\})", re.ASCII)


class Folder:
    """A folder in pieces."""

    def __init__(self, text: str) -> None:
        """Read *text*; raises `InvalidRequest` for what can not be a folder of this kind."""
        self.parts: list[tuple[str, str]] = []
        """Pairs: a piece of text and an empty name, or an empty text and the name of a variable."""
        rest = text
        if text == "~" or text.startswith("~/"):
            self.parts.append(("", "HOME"))
            rest = text[1:]
        end = 0
        for match in _WORD.finditer(rest):
            if match[4]:
                raise _wrong(text, f"{match[4]} means nothing there", "Use $VARIABLES, ~ and {username}.")
            self._text(rest[end : match.start()])
            self.parts.append(("", match[1] or match[2] or "USER"))
            end = match.end()
        self._text(rest[end:])
        if not self.parts or not (self.parts[0][1] or self.parts[0][0].startswith("/")):
            raise _wrong(text, "it is not absolute", "Begin with /, ~ or a $VARIABLE.")
        if ":" in text:
            raise _wrong(text, "a colon ends a folder in lists of folders", "Choose one without.")

    @property
    def needs(self) -> list[str]:
        """The variables that have to be set for it, each once."""
        return list(dict.fromkeys(name for _, name in self.parts if name))

    def below(self, *names: str) -> Folder:
        """Return a folder in this one."""
        found = Folder.__new__(Folder)
        found.parts = [*self.parts]
        found._text("".join(f"/{name}" for name in names))
        return found

    def plain(self) -> str:
        """Return it as a file says it that knows ``~`` alone, or an empty text where that can not be."""
        if any(name not in ("", "HOME") for _, name in self.parts) or "HOME" in self.needs[1:]:
            return ""
        return "".join("~" if name else text for text, name in self.parts)

    def variables(self) -> str:
        """Return it as a file says it that knows ``$NAME`` and ``~``."""
        home = [f"${{{name}}}" if name else text for text, name in self.parts]
        if self.parts[0][1] == "HOME":
            home[0] = "~"
        return "".join(home)

    def data(self, name: str) -> dict[str, object]:
        """Return it for a template, to be the value of the variable *name*."""
        parts = [{"text": text, "variable": variable} for text, variable in self.parts]
        return {"name": name, "parts": parts, "needs": self.needs}

    def _text(self, text: str) -> None:
        if text and self.parts and not self.parts[-1][1]:
            self.parts[-1] = (self.parts[-1][0] + text, "")
        elif text:
            self.parts.append((text, ""))


def _wrong(text: str, why: str, hint: str) -> InvalidRequest:
    return InvalidRequest(f"{text!r} can not be a folder for what is kept: {why}.", hints=[hint])
