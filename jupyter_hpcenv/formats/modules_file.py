"""Read the file that lists modules, one a line, as vsc-venv takes it beside requirements.txt."""

from __future__ import annotations

from ..errors import InvalidRequest

#: Characters of the file, and modules in it; a longer one is another kind of file.
_LIMIT, _MOST = 100_000, 200


def parse_modules(text: str, name: str = "The file of modules") -> list[str]:
    """Return the modules that *text* lists, in its order; blank lines and what follows ``#`` do not count.

    Raises `InvalidRequest`, naming the line, for a line that is more than one word: ``module load …`` lines
    are commands, and this file holds names. Whether a name can be one, the module system's room tells.
    """
    if len(text) > _LIMIT:
        raise InvalidRequest(f"{name} is too long for a list of modules.", hints=["Give the right file."])
    found: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if len(words) > 1:
            names = [word for word in words if word not in ("module", "ml", "load", "add")]
            raise InvalidRequest(
                f"{name}, line {number}, has more than one word: {line.strip()[:80]!r}.",
                hints=[f"Write one module a line: {', then '.join(names[:3]) or 'for example gcc/12'}."],
            )
        found += words
    if len(found) > _MOST:
        raise InvalidRequest(f"{name} lists {len(found)} modules; at most {_MOST} are possible.", hints=["List fewer."])
    return list(dict.fromkeys(found))
