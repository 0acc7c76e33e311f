"""Give a clone what Python has compiled in its source: most of a kernel's first start is compiling.

Only from one's own environments: compiled code runs as it is, whatever the file beside it says. And only beside files
that are the very same ones in both prefixes, linked from one cache; a copy with another date is compiled anew.
"""

from __future__ import annotations

import os
from pathlib import Path


def take_over(source: Path, prefix: Path) -> int:
    """Link the compiled files of *source* into *prefix* where both have the same module; return how many.

    Python replaces such files and never writes into them. Where they can not be linked, none are.
    """
    taken = 0
    for folder, _, names in os.walk(source / "lib"):
        here = Path(folder)
        if here.name != "__pycache__":
            continue
        there = prefix / here.parent.relative_to(source)
        for name in names:
            module = f"{name.partition('.')[0]}.py"
            if not name.endswith(".pyc") or (here / name).is_symlink():
                continue
            if not _same(here.parent / module, there / module):
                continue
            try:
                (there / "__pycache__").mkdir(exist_ok=True)
                os.link(here / name, there / "__pycache__" / name, follow_symlinks=False)
            except FileExistsError:
                continue
            except OSError:
                return taken
            taken += 1
    return taken


def _same(one: Path, other: Path) -> bool:
    """Tell whether two paths are names of one file."""
    try:
        a, b = one.lstat(), other.lstat()
    except OSError:
        return False
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
