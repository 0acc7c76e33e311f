"""Print rows as a table, and write them with the facts of the machine as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from .measure import Row

_FACTORS = {"s": (1, "s", 2), "ms": (1_000, "ms", 1), "MB": (1e-6, "MB", 1), "": (1, "", 2)}
_PACKAGES = ("jupyter_hpcenv", "jupyter_server", "jupyter_client", "uv")


def shown(value: float | None, unit: str) -> str:
    """Return a value as people read it; times are kept in seconds, sizes in bytes."""
    if value is None:
        return "—"
    factor, name, digits = _FACTORS[unit]
    return f"{value * factor:,.{digits}f} {name}".rstrip()


def table(rows: Sequence[Row]) -> str:
    """Return the table, notes below each row."""
    lines = [["figure", "ours", "reference", "ratio", "goal", "met"]]
    for row in rows:
        ratio = f"{row.ratio:.2f}" if row.ratio is not None else "—"
        met = {True: "yes", False: "NO", None: "—"}[row.met]
        lines.append([row.what, shown(row.ours, row.unit), shown(row.reference, row.unit), ratio, row.goal or "—", met])
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    text = []
    for number, line in enumerate(lines):
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:4], widths[1:4], strict=True)),
        ]
        cells += [line[4].ljust(widths[4]), line[5]]
        text.append("  ".join(cells).rstrip())
        if number:
            text += [f"    {note}" for note in rows[number - 1].notes]
    return "\n".join(text)


def machine() -> dict[str, Any]:
    """Return what a reader must know of the machine; nothing that names it."""
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    return {
        "processors": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "system": release.get("PRETTY_NAME", platform.system()),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def write(path: Path, rows: Sequence[Row], facts: dict[str, Any]) -> None:
    """Write all rows with their samples."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {**facts, "rows": [{**msgspec.to_builtins(row), "ratio": row.ratio} for row in rows]}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(body), indent=1) + b"\n")
