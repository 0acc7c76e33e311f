"""Find modules by words, by the Python package that they have, or by a name that was nearly right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .contract import Available, Provided

_NEAR = 4
_SHORTEST = 3  # letters of the beginning of a name that say something


def search(available: Sequence[Available], query: str) -> list[Available]:
    """Return the modules that hold all words of *query*: same name first, then same beginning, then the rest."""
    words = query.casefold().split()
    if not words:
        return list(available)

    def rank(module: Available) -> int:
        name = module.name.casefold()
        if words[0] in (name, name.partition("/")[0]):
            return 0
        return 1 if name.startswith(words[0]) else 2 if words[0] in name else 3

    found = []
    for module in available:
        text = " ".join([module.name, module.description, *module.extensions]).casefold()
        if all(word in text for word in words):
            found.append(module)
    return sorted(found, key=rank)  # stable: within a rank the order stays


def provides(available: Sequence[Available], package: str) -> list[Provided]:
    """Return who has *package*: modules that can be loaded at once first."""
    from .contract import Provided

    wanted = canonical(package)
    found = []
    for module in available:
        for extension in module.extensions:
            name, _, version = extension.partition("/")
            if canonical(name) == wanted:
                found.append(
                    Provided(
                        module=module.name,
                        package=name,
                        version=version,
                        default=module.default,
                        prerequisites=module.prerequisites,
                    )
                )
    return sorted(found, key=lambda each: (bool(each.prerequisites), not each.default))


def canonical(package: str) -> str:
    """Return a Python package's name in the form in which all its spellings are one (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package.strip()).lower()


def named(available: Sequence[Available], asked: str) -> list[Available]:
    """Return the modules that *asked* can mean: that very one, all versions of a name, versions that begin so."""
    exact = [module for module in available if module.name == asked]
    return exact or [module for module in available if means(asked, module.name)]


def means(asked: str, full: str) -> bool:
    """Tell whether *asked* is *full*, its name without the version, or with a part of the version."""
    return full == asked or full.startswith(f"{asked}/") or bool(re.match(re.escape(asked) + r"[.\-_+]", full))


def near(available: Sequence[Available], asked: str) -> list[str]:
    """Return names that somebody who wrote *asked* may have meant, nearest first."""
    names = {module.name: module.name.casefold() for module in available}
    bare = {name.partition("/")[0].casefold(): name.partition("/")[0] for name in names}
    wanted = asked.casefold()
    same = [name for name, folded in names.items() if folded.partition("/")[0] == wanted.partition("/")[0]]
    if same:
        return same[:_NEAR]
    word = wanted.partition("/")[0]
    longer = sorted(name for name in bare if len(word) >= _SHORTEST and name.startswith(word))
    alike = difflib.get_close_matches(word, bare, 4 * _NEAR, 0.6)
    close = [name for name in alike if _slips(word, name) <= max(1, len(word) // 4)]
    return [bare[name] for name in dict.fromkeys([*close, *longer])][:_NEAR]


def _slips(left: str, right: str) -> int:
    """Return how many slips of the fingers make one word of the other: a letter more, less, another, or two swapped."""
    before: list[int] = []
    last = list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        line = [row]
        for column, other in enumerate(right, 1):
            least = min(last[column] + 1, line[-1] + 1, last[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == right[column - 2] and left[row - 2] == other:
                least = min(least, before[column - 2] + 1)
            line.append(least)
        before, last = last, line
    return last[-1]


def version_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key for names: numbers count as numbers, so that 4.10 follows 4.9."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part.casefold()) for part in parts)
