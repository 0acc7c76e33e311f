"""List what an environment sees without having it: packages of its modules, and of the Python below it.

Metadata files are read and nothing is started. What a folder holds is kept while the folder has not changed.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from ..models import Record
from . import packages
from .contract import Package
from .interpreters import base_of

_MOST = 5_000  # packages of a folder
_KEPT = 32  # folders

#: Where Debian's Pythons look besides.
_DEBIAN = ("/usr/local/lib/python{minor}/dist-packages", "/usr/lib/python3/dist-packages")

_known: dict[str, tuple[tuple[int, int], list[Package]]] = {}
_guard = threading.Lock()


def with_inherited(own: Sequence[Package], record: Record) -> list[Package]:
    """Return the packages of *record*'s environment: its own first, then what it inherits, each where it is from.

    Which of two of one name is imported is said of both. A module's PYTHONPATH comes before one's own packages, its
    EBPYTHONPREFIXES and the Python below come after.
    """
    if record.manager == "modules":
        own = []  # what the manager lists is the modules'
    before, after = _folders(record)
    first, last = _first(before), _first(after)
    mine = {str(canonicalize_name(each.name)): each for each in own}
    found = []
    for name, each in mine.items():
        above, below = first.get(name), last.get(name)
        note = ""
        if above is not None:
            note = f"Hidden by {above.version} of {above.source}."
        elif below is not None:
            note = f"Hides {below.version} of {below.source}."
        found.append(msgspec.structs.replace(each, note=note) if note else each)
    inherited = {**last, **first}
    for name in sorted(inherited):
        each, note = inherited[name], ""
        if name in mine:
            own_one = mine[name].version
            note = f"Hides {own_one} of the environment." if name in first else "Hidden by the environment’s own."
        found.append(msgspec.structs.replace(each, inherited=True, note=note))
    return found


def _folders(record: Record) -> tuple[list[tuple[Path, str]], list[tuple[Path, str]]]:
    """Return the folders with packages before and after one's own, each with what it belongs to."""
    minor = ".".join(record.python.split(".")[:2])
    before: list[tuple[Path, str]] = []
    after: list[tuple[Path, str]] = []
    below = f"Python {record.python} at {record.python_path}"
    for each in record.modules.brings if record.modules else []:
        source = f"module {each.module}" if each.module else "modules"
        if each.kind == "python":
            below = source
        elif each.kind == "path":
            before.append((Path(each.path), source))
        else:
            after.append((Path(each.path) / f"lib/python{minor}/site-packages", source))
    if record.manager == "modules" or record.system_site_packages:
        after += _of_python(record.python_path, minor, below)
    return before, after


def _of_python(python: str, minor: str, source: str) -> list[tuple[Path, str]]:
    try:
        prefix = base_of(Path(python)).resolve().parent.parent
    except (OSError, RecursionError):
        return []
    if str(prefix) != "/usr":
        return [(prefix / f"lib/python{minor}/site-packages", source)]
    folders = [folder.format(minor=minor) for folder in _DEBIAN]
    said = source if source.startswith("module ") else f"system Python {minor}"
    return [(Path(folder), said) for folder in [*folders, f"/usr/lib/python{minor}/site-packages"]]


def _first(folders: Iterable[tuple[Path, str]]) -> dict[str, Package]:
    """Return by canonical name the package that is imported: that of the first folder."""
    found: dict[str, Package] = {}
    for folder, source in folders:
        for each in _in(folder):
            name = str(canonicalize_name(each.name))
            if name not in found:
                found[name] = msgspec.structs.replace(each, source=source)
    return found


def _in(folder: Path) -> list[Package]:
    try:
        facts = folder.stat()
    except OSError:
        return []
    stamp = (facts.st_mtime_ns, facts.st_ino)
    with _guard:
        known = _known.get(str(folder))
    if known is not None and known[0] == stamp:
        return known[1]
    found = _read(folder)
    with _guard:
        _known[str(folder)] = (stamp, found)
        for old in list(_known)[:-_KEPT]:
            del _known[old]
    return found


def _read(folder: Path) -> list[Package]:
    try:
        with os.scandir(folder) as entries:
            named = (entry.name for entry in entries if entry.name.endswith((".dist-info", ".egg-info")))
            names = sorted(itertools.islice(named, _MOST))
    except OSError:
        return []
    found = []
    for name in names:
        path = folder / name
        if name.endswith(".dist-info"):
            package = packages.read(path)
        else:
            package = packages.read(path, "PKG-INFO") or packages.read(folder, name)
        if package is not None:
            found.append(package)
    return found
