"""Merge what several places say of one setting, by conda's rules; knows neither files nor names of settings.

Texts replace each other, lists and maps are joined, the strongest place comes last. ``final`` on a setting ends
it there: what is stronger is left out. ``top`` and ``bottom`` move an item of a list to its ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias, cast

import msgspec

FLAGS = frozenset({"final", "top", "bottom"})

#: What a place says: nothing (``~``), the text as it is written, a list or a map of such.
Value: TypeAlias = str | tuple["Given", ...] | dict[str, "Given"] | None


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One value with the flag that follows it, and where it stands: a file, or the name of a variable."""

    value: Value
    where: str
    flag: str = ""

    @property
    def items(self) -> tuple[Given, ...]:
        """The items of a list; none of anything else."""
        return self.value if isinstance(self.value, tuple) else ()

    @property
    def entries(self) -> dict[str, Given]:
        """The entries of a map; none of anything else."""
        return self.value if isinstance(self.value, dict) else {}


def merge(kind: str, given: Sequence[Given]) -> Given | None:
    """Return what *given*, the strongest last, come to; None if no place says anything.

    *kind* is ``list``, ``map`` (of texts), ``lists`` (a map of lists), or anything else for a text.
    """
    said = [each for each in given if each.value is not None]
    if not said:
        return None
    if kind == "list":
        return _lists(said)
    if kind in ("map", "lists"):
        return _maps(said, _lists if kind == "lists" else _texts)
    return _texts(said)


def is_final(given: Iterable[Given]) -> bool:
    """Tell whether one of the places ends the setting, so that stronger ones do not count."""
    return any(each.flag == "final" and each.value is not None for each in given)


def _until_final(given: Sequence[Given]) -> list[Given]:
    used = []
    for each in given:
        used.append(each)
        if each.flag == "final":
            break
    return used


def _texts(given: Sequence[Given]) -> Given:
    return _until_final(given)[-1]


def _lists(given: Sequence[Given]) -> Given:
    """Join lists: the strongest place's items first, each once; an item that is flagged both ways is at the end."""
    used = _until_final(given)
    top = [item for each in used for item in each.items if item.flag == "top"]
    bottom = [item for each in reversed(used) for item in each.items if item.flag == "bottom"]
    rest = [item for each in reversed(used) for item in each.items]
    ahead = _once([*top, *rest])
    merged = tuple(reversed(_once([*reversed(bottom), *reversed(ahead)])))
    return Given(value=merged, where=_places(merged) or used[-1].where)


def _once(items: Iterable[Given]) -> list[Given]:
    first: dict[str, Given] = {}
    for item in items:
        first.setdefault(cast("str", item.value), item)
    return list(first.values())


def _maps(given: Sequence[Given], inner: Callable[[Sequence[Given]], Given]) -> Given:
    """Join maps; an entry that is final is taken as the weakest place that says so has it, and alone."""
    used = _until_final(given)
    grouped: dict[str, list[Given]] = {}
    for each in used:
        for key, value in each.entries.items():
            grouped.setdefault(key, []).append(value)
    merged = {
        key: next((value for value in values if value.flag == "final"), None) or inner(values)
        for key, values in grouped.items()
    }
    return Given(value=merged, where=_places(merged.values()) or used[-1].where)


def _places(given: Iterable[Given]) -> str:
    return ", ".join(dict.fromkeys(each.where for each in given))
