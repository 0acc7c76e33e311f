"""Read YAML strictly, within bounds, and as text: nothing in a file becomes a number, a date or an object.

YAML takes ``1.10`` for the number 1.1 and ``on`` for true. Here a scalar is what stands in the file, and every
value knows its line. Anchors, aliases, tags, merge keys and keys that come twice are refused: files of conda need none
of them, and they are how a short file becomes a large one or says two things.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from ..errors import InvalidRequest
from .plain_text import shown

DEEPEST = 20
MOST_VALUES = 500_000

_HINT = "Write it as plain YAML: keys, lists and text."


class Node:
    """A value of the file: text, a list, a mapping, or nothing."""

    __slots__ = ("line", "value")

    def __init__(self, number: int, value: str | list[Node] | dict[str, Node] | None) -> None:
        self.line = number
        self.value = value

    def text(self, what: str) -> str:
        """Return the text; raise `InvalidRequest`, naming line and *what* it is, if this is none."""
        if not isinstance(self.value, str):
            self.refuse(f"{what} must be text, and this is {self._kind()}.", "Put quotation marks around it.")
        if not self.value.isprintable():
            self.refuse(f"{what} has invisible characters in it, or more than one line.", "Write it on one line.")
        return self.value

    def items(self, what: str) -> list[Node]:
        """Return the values of a list; raise `InvalidRequest` if this is none."""
        if not isinstance(self.value, list):
            self.refuse(f"{what} must be a list, and this is {self._kind()}.", "Write “- ” before each of them.")
        return self.value

    def entries(self, what: str) -> dict[str, Node]:
        """Return the pairs of a mapping, in their order; raise `InvalidRequest` if this is none."""
        if not isinstance(self.value, dict):
            self.refuse(f"{what} must have keys, and this is {self._kind()}.", "Write “key: value”, one a line.")
        return self.value

    def field(self, key: str) -> str:
        """Return the text below *key* of a mapping; raise `InvalidRequest` if there is none."""
        entries = self.entries(f"What has “{key}” in it")
        if key not in entries:
            self.refuse(f"“{key}” is missing here.", "Make the file again with the program that wrote it.")
        return entries[key].text(f"“{key}”")

    def optional(self, key: str) -> str:
        """Return the text below *key* of a mapping, or an empty one if there is none."""
        entries = self.entries(f"What has “{key}” in it")
        return "" if key not in entries or entries[key].value is None else self.field(key)

    def refuse(self, message: str, hint: str = _HINT) -> NoReturn:
        """Raise `InvalidRequest` about this value."""
        raise InvalidRequest(f"Line {self.line}: {message}", hints=[hint])

    def _kind(self) -> str:
        if self.value is None:
            return "empty"
        return "text" if isinstance(self.value, str) else "a list" if isinstance(self.value, list) else "a mapping"


def load(text: str) -> Node:
    """Return the one document in *text*, which `plain_text.clean` has seen; raise `InvalidRequest` with the line."""
    import yaml

    try:
        # libyaml is eight times as fast; both read alike, and wheels of PyYAML for Linux have it.
        return _build(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        number = (mark.line if mark else text.count("\n", 0, getattr(error, "position", 0))) + 1
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it can not be read"
        lines = text.splitlines()
        template = any(sign in "\n".join(lines[max(number - 2, 0) : number + 1]) for sign in ("{{", "{%"))
        raise InvalidRequest(
            f"Line {number}: This is no YAML: {problem}.",
            hints=["Templates are not filled in; write out what is meant." if template else _HINT],
        ) from error
    except (ValueError, OverflowError) as error:  # "\UFFFFFFFF" in PyYAML's own reader
        raise InvalidRequest("The file has an escape in it that means no character.", hints=[_HINT]) from error


def _build(events: Iterable[Any]) -> Node:
    """Return the tree of a stream of events; without recursion, so that depth is ours to bound."""
    root: Node | None = None
    above: list[tuple[Node, list[Node]]] = []  # open collections; with the key that waits for its value
    for count, event in enumerate(events):
        kind = type(event).__name__
        place = Node(event.start_mark.line + 1, None)
        if count > MOST_VALUES:
            place.refuse(f"The file has more than {MOST_VALUES} values.", "Give a smaller one.")
        if kind == "AliasEvent" or getattr(event, "anchor", None):
            place.refuse("Anchors and aliases (& and *) are not read.", "Write out what is meant.")
        if kind == "DocumentStartEvent":
            if root is not None or event.version or event.tags:
                place.refuse("A second document, or a directive that begins with “%”, is not read.")
            continue
        if kind in ("SequenceEndEvent", "MappingEndEvent"):
            above.pop()
            continue
        if kind not in ("ScalarEvent", "SequenceStartEvent", "MappingStartEvent"):
            continue
        if event.tag:
            place.refuse(f"Tags such as {shown(str(event.tag))} are not read.", "Leave it out.")
        if kind == "ScalarEvent":
            empty = not event.style and event.value in ("", "~", "null", "Null", "NULL")
            place.value = None if empty else event.value
        else:
            place.value = [] if kind == "SequenceStartEvent" else {}
        if above:
            _put(place, *above[-1], plain=kind == "ScalarEvent" and not event.style)
        else:
            root = place
        if kind != "ScalarEvent":
            above.append((place, []))
            if len(above) > DEEPEST:
                place.refuse(f"Lists and mappings are nested more than {DEEPEST} deep.")
    return root or Node(1, None)


def _put(place: Node, parent: Node, waiting: list[Node], *, plain: bool) -> None:
    """Put a value where it belongs: into a list, as a key, or as the value of the key that waits."""
    if isinstance(parent.value, list):
        parent.value.append(place)
        return
    assert isinstance(parent.value, dict)
    if waiting:
        parent.value[waiting.pop().text("A key")] = place
        return
    if isinstance(place.value, (list, dict)):
        place.refuse(
            "A list or mapping can not be a key. “{{ … }}” is a template, which is not filled in.",
            "Write out what is meant.",
        )
    key = place.text("A key")
    if key in parent.value or (plain and key == "<<"):
        place.refuse(f"The key “{shown(key)}” comes twice, or merges others.", "Keep one of them.")
    waiting.append(place)
