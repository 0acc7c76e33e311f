"""Tell where modules put Python packages, and which of them does."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from ..errors import BrokenRecord
from ..files import read_regular
from ..models import Brought, Module

_LARGEST = 200_000  # bytes of a modulefile
_SHALLOWEST = 3  # parts of a path that says whose it is: “/apps/scipy”
_MOST = 100


def folders(environ: Mapping[str, str], was: Mapping[str, str], python: str, listed: Sequence[Module]) -> list[Brought]:
    """Return the folders that came to Python's search path, and that of the modules' own Python.

    *was* is how variables stood before; *listed* are the modules that are loaded.
    """
    kinds: tuple[tuple[str, Literal["path", "prefix"]], ...] = (("PYTHONPATH", "path"), ("EBPYTHONPREFIXES", "prefix"))
    found: list[tuple[str, Literal["path", "prefix", "python"]]] = []
    for variable, kind in kinds:
        before = set(was.get(variable, "").split(":"))
        found += [
            (each, kind)
            for each in environ.get(variable, "").split(":")
            if each.startswith("/") and each not in before and os.path.isdir(each)  # noqa: PTH112
        ]
    if python:
        found.append((str(Path(python).parent.parent), "python"))
    texts = {module.name: text for module in listed if (text := _text(module.path))} if found else {}
    return [
        Brought(module=_whose(path, texts), path=path, kind=kind) for path, kind in list(dict.fromkeys(found))[:_MOST]
    ]


def _text(path: str) -> str:
    with contextlib.suppress(OSError, BrokenRecord):
        return read_regular(Path(path), _LARGEST).decode(errors="replace")
    return ""


def _whose(path: str, texts: Mapping[str, str]) -> str:
    """Return the module whose modulefile names *path*, or else the nearest folder above it; the last one of several."""
    place = Path(path)
    for folder in (place, *place.parents):
        if len(folder.parts) < _SHALLOWEST:
            break
        for name in reversed(list(texts)):
            if str(folder) in texts[name]:
                return name
    return ""
