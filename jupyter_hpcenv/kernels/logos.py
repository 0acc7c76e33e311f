"""Take over the logos of an environment's ipykernel, if they are what they should be.

A logo is served from Jupyter's own origin, so an SVG (which can hold scripts) is never taken.
"""

from __future__ import annotations

import struct
from pathlib import Path

from ..errors import BrokenRecord
from ..files import read_regular
from .facts import INSTALLED

NAMES = ("logo-32x32.png", "logo-64x64.png")

_LIMIT = 64_000
_LARGEST_SIDE = 512


def logos(prefix: Path, kernelspec: Path = INSTALLED) -> dict[str, bytes]:
    """Return the verified PNGs of a kernelspec of the prefix by file name; missing and odd ones are left out."""
    found = {}
    for name in NAMES:
        try:
            data = read_regular(prefix / kernelspec / name, _LIMIT)
        except (OSError, BrokenRecord):
            continue
        if is_png(data):
            found[name] = data
    return found


def is_png(data: bytes) -> bool:
    """Tell whether *data* is one whole PNG of a logo's size: signature, header, chunks up to the end and no more."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR") or len(data) < 33:
        return False
    width, height = struct.unpack(">II", data[16:24])
    if not (0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE):
        return False
    place = 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        kind = data[place + 4 : place + 8]
        place += 12 + length
        if kind == b"IEND":
            return place == len(data)
    return False
