"""Read YAML together with the flags that conda takes from the comments in it.

Nothing is constructed: a text stays as it is written, so “no” and “1.10” are not guessed at, and tags mean
nothing. The file may be anybody's, so aliases, depth and the number of nodes are limited while it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .merging import FLAGS, Given, Value

if TYPE_CHECKING:
    import yaml

DEEPEST = 5  # levels; conda's own settings need three
MOST = 10_000  # nodes

_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_LOOKS_LIKE_A_FLAG = re.compile(r"(?:^|\s)#!\s*(?:final|top|bottom)\b")


class Unreadable(ValueError):
    """The text is not what a condarc file may hold; the message says why, and never repeats what it holds."""


def parse(text: str, where: str) -> tuple[dict[str, Given], list[int]]:
    """Return the settings in *text*, and the lines with a flag that stands where it means nothing.

    Raises `Unreadable`.
    """
    import yaml

    try:
        reader = _Reader(text, where, yaml.parse(text, Loader=yaml.SafeLoader))
        settings = reader.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(f"it is not YAML{f', see line {mark.line + 1}' if mark else ''}") from None
    except yaml.YAMLError:
        raise Unreadable("it is not YAML: it has characters that YAML does not allow") from None
    except Unreadable:
        raise
    except (ValueError, OverflowError, RecursionError):  # from within PyYAML: an escape beyond Unicode, for one
        raise Unreadable("it is not YAML") from None
    lines = text.split("\n")
    return settings, [
        number
        for number, line in enumerate(lines, 1)
        if number not in reader.flagged and _LOOKS_LIKE_A_FLAG.search(line)
    ]


class _Reader:
    """Takes the events of the YAML parser one by one; keeps what it needs of the text to find comments."""

    def __init__(self, text: str, where: str, events: Iterator[yaml.Event]) -> None:
        self.text, self.where, self.events = text, where, events
        self.nodes = 0
        self.flagged: set[int] = set()

    def document(self) -> dict[str, Given]:
        import yaml

        next(self.events)  # the beginning of the stream
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return {}
        value = self._value(next(self.events), 0)[0]
        next(self.events)
        if not isinstance(next(self.events), yaml.StreamEndEvent):
            raise Unreadable("it holds more than one document")
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise Unreadable("it holds no settings, which are written as “name: value”")
        return value

    def _value(self, event: yaml.Event, depth: int) -> tuple[Value, yaml.Event]:
        """Return the value that begins with *event*, and the event that ends it."""
        import yaml

        line = _line(event)
        self.nodes += 1
        if self.nodes > MOST or depth > DEEPEST:
            raise Unreadable(f"it holds more than anybody writes, see line {line}")
        if isinstance(event, yaml.ScalarEvent):
            return (None if event.implicit[0] and event.value in _NOTHING else event.value), event
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(depth)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(depth)
        raise Unreadable(f"it uses an alias (“*name”) in line {line}; write out what it stands for")

    def _sequence(self, depth: int) -> tuple[Value, yaml.Event]:
        import yaml

        items = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            value, last = self._value(event, depth + 1)
            items.append(Given(value=value, where=self.where, flag=self._trailing(event, last)))
        return tuple(items), event

    def _mapping(self, depth: int) -> tuple[Value, yaml.Event]:
        import yaml

        entries: dict[str, Given] = {}
        while not isinstance(key := next(self.events), yaml.MappingEndEvent):
            line = _line(key)
            if not isinstance(key, yaml.ScalarEvent):
                raise Unreadable(f"it has a name that is no text, see line {line}")
            if key.value in entries:
                raise Unreadable(f"it says the same twice, see line {line}")
            event = next(self.events)
            value, last = self._value(event, depth + 1)
            below = _line(event) > line
            flag = (self._flag(key, after=":") if below else "") or self._trailing(event, last)
            entries[key.value] = Given(value=value, where=self.where, flag=flag)
        return entries, key

    def _trailing(self, event: yaml.Event, last: yaml.Event) -> str:
        """Return the flag behind a value that ends in its line, as texts and ``[lists]`` do."""
        import yaml

        if isinstance(event, yaml.ScalarEvent):
            return "" if event.style in ("|", ">") else self._flag(event)
        return self._flag(last) if getattr(event, "flow_style", False) else ""

    def _flag(self, event: yaml.Event, after: str = "") -> str:
        """Return the flag in the rest of the line that *event* ends in."""
        mark = event.end_mark
        assert mark is not None
        end = self.text.find("\n", mark.index)
        rest = self.text[mark.index : None if end < 0 else end].strip()
        if after and rest.startswith(after):
            rest = rest.removeprefix(after).strip()
        flag = rest.strip("!#") if rest.startswith("#") else ""
        if flag not in FLAGS:
            return ""
        self.flagged.add(mark.line + 1)
        return flag


def _line(event: yaml.Event) -> int:
    assert event.start_mark is not None
    return event.start_mark.line + 1
