"""Keep the list of modules between questions: to make it anew reads thousands of files.

It holds as long as no folder of modulefiles and no file of settings has changed, and an hour at most, because a
modulefile that was changed in place shows in no folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from .. import typed
from ..errors import HpcenvError
from ..files import make_private, read_regular, write_atomic
from .watching import modification

if TYPE_CHECKING:
    from .contract import Available, ModuleSystem

_HOLDS = 3600.0  # seconds
_LIMIT = 50_000_000


class _Stored(msgspec.Struct, kw_only=True):
    version: int = 1
    made: float
    seen: dict[str, int]
    available: list[dict[str, object]]


def remembered(system: ModuleSystem, key: Sequence[str], ask: Callable[[], list[Available]]) -> list[Available]:
    """Return the list that was kept under *key*, or the answer of *ask*, which is then kept."""
    from .contract import Available

    name = hashlib.sha256("\0".join([system.name, system.version, *key]).encode(errors="surrogateescape")).hexdigest()
    try:
        path = make_private(system.site.data_dir / "modules") / f"{name}.json"
    except (HpcenvError, OSError):
        return ask()
    with contextlib.suppress(HpcenvError, OSError, msgspec.DecodeError, msgspec.ValidationError):
        stored = typed.of_json(read_regular(path, _LIMIT), _Stored)
        if 0 <= time.time() - stored.made < _HOLDS and modification(stored.seen) == stored.seen:
            return typed.of_value(stored.available, list[Available])
    settings = [*system.rc_files(), *system.settings()]
    before = modification([*key[0].split(":"), *settings])
    found = ask()
    folders = [folder for module in found for folder in _above(module)]
    seen = {**modification(dict.fromkeys(folders)), **before}
    # A folder that changed while it was read: the list is right or will be asked for again.
    with contextlib.suppress(HpcenvError, OSError):
        kept = _Stored(made=time.time(), seen=seen, available=[msgspec.to_builtins(module) for module in found])
        write_atomic(path, msgspec.json.encode(kept))
    return found


def _above(module: Available) -> list[str]:
    """Return the folders from that of its modulefile up to the one in MODULEPATH."""
    folder = module.path.rpartition("/")[0]
    found = [folder]
    for _ in range(module.name.count("/")):
        folder = folder.rpartition("/")[0]
        found.append(folder)
    return [each for each in found if each]
