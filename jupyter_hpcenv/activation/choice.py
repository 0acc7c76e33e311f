"""Render what chooses among the builds of an environment when a shell or a module system begins to use it; pure.

What is chosen lies in the build's own ``.hpcenv`` and is rendered like that of any environment, so a choice is short.
Lmod's is the exception: a modulefile of Lmod can not take in another one, so it holds all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import InvalidRequest
from ..models import Record
from ..site import Site
from ..site.quoting import sh
from ..site.rendering import render
from ..site.target import SCRIPT, parts

#: What is chosen, by dialect, and lies in each build.
OWN = {"bash": "own.sh", "csh": "own.csh", "fish": "own.fish", "tcl": "own.tcl"}

TEMPLATES = {
    "bash": "choose.sh.j2",
    "csh": "choose.csh.j2",
    "fish": "choose.fish.j2",
    "tcl": "choose.tcl.j2",
    "lmod": "choose.lua.j2",
}


def render_choice(dialect: str, record: Record, site: Site, body: Callable[[Record], str]) -> str:
    """Return the file that chooses, where *body* renders that of one build; raises what rendering raises."""
    builds = parts(record)
    script = f"{record.prefix}/.hpcenv/{SCRIPT.name}"
    values = {
        "id": record.id,
        "name": record.name,
        "first": record.target,
        "script": script,
        "command": " ".join(["/bin/sh", sh(script), "''", "''", *site.target_variables]),
        "variables": list(site.target_variables),
        "parts": [
            {
                "target": target,
                "script": str(Path(alone.prefix) / ".hpcenv" / OWN.get(dialect, "")),
                "stale": _outdated(record, target) if stale else "",
            }
            for target, alone, stale in builds
        ],
        "missing": f"The environment {record.name} has builds for {', '.join(target for target, _, _ in builds)}, "
        "and this computer is",
    }
    text = render(TEMPLATES[dialect], (), values)
    if dialect == "lmod":
        for target, alone, _ in builds:
            text = text.replace(f"-- build {target}\n", body(alone), 1)
    return text


def refuse(record: Record) -> InvalidRequest:
    """Return the error for what an environment with several builds can not do."""
    return InvalidRequest(
        f"{record.name} has builds for several kinds of computers, so it can only be used alone and without conda.",
        hints=["Leave the option out."],
    )


def _outdated(record: Record, target: str) -> str:
    return (
        f"Note: packages of {record.name} were changed since it was built for {target}; "
        f"“jupyter hpcenv build {record.name} --target {target}” builds it anew."
    )
