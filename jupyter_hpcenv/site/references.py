"""Find references to a scheduler's variables in the value of an environment variable, and render them for each shell.

``${SLURM_CPUS_PER_TASK:-1}`` in a value is filled in where the environment is used, because only there it is
known. Nothing else in a value means anything: what does not match the grammar exactly stays as it is written.
Launch scripts and activation files use the same renderers.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from . import quoting

#: What may be referred to: variables that batch systems and OpenMP set, with a plain default.
GRAMMAR = re.compile(r"\$\{((?:SLURM|PBS|LSB|NSLOTS|OMP)[A-Z0-9_]*)(?::-([A-Za-z0-9._/-]*))?\}")


class Reference(NamedTuple):
    """A variable whose value stands there if it is set and not empty, else the default."""

    name: str
    default: str


def parts(value: str) -> list[str | Reference]:
    """Return *value* in pieces: literal texts, never empty, and references; an empty value has no piece."""
    found: list[str | Reference] = []
    end = 0
    for match in GRAMMAR.finditer(value):
        found += [value[end : match.start()]] if match.start() > end else []
        found.append(Reference(match[1], match[2] or ""))
        end = match.end()
    return found + ([value[end:]] if end < len(value) else [])


def sh(value: str) -> str:
    """Return *value* as one word for dash, bash, ksh and zsh; raises `InvalidRequest`, as all here do."""
    return "".join(
        f'"${{{part.name}:-{part.default}}}"' if isinstance(part, Reference) else quoting.sh(part)
        for part in parts(value) or [""]
    )


def lua(value: str) -> str:
    """Return *value* as an expression for Lua."""
    return " .. ".join(
        f'((os.getenv("{part.name}") or "") ~= "" and os.getenv("{part.name}") or "{part.default}")'
        if isinstance(part, Reference)
        else quoting.lua(part)
        for part in parts(value) or [""]
    )


def tcl(value: str) -> str:
    """Return *value* as one word for Tcl."""
    inner = "".join(
        f"[if {{[info exists ::env({part.name})] && $::env({part.name}) ne {{}}}}"
        f" {{set ::env({part.name})}} {{format %s {{{part.default}}}}}]"
        if isinstance(part, Reference)
        else quoting.tcl(part)[1:-1]
        for part in parts(value)
    )
    return f'"{inner}"'


def csh(value: str, name: str) -> str:
    """Return statements for csh and tcsh that export *value* as *name*; those shells have no default for a variable."""
    lines, words, used = [], [], []
    for number, part in enumerate(parts(value) or [""]):
        if isinstance(part, Reference):
            lines += [
                f"set _hpcenv_{number} = {quoting.csh(part.default)}",
                f"if ( $?{part.name} ) then",
                f"  if ( ${{%{part.name}}} > 0 ) set _hpcenv_{number} = ${{{part.name}:q}}",
                "endif",
            ]
            words.append(f"${{_hpcenv_{number}:q}}")
            used.append(f"unset _hpcenv_{number}")
        else:
            words.append(quoting.csh(part))
    return "\n".join([*lines, f"setenv {name} {''.join(words)}", *used])


def fish(value: str, name: str) -> str:
    """Return statements for fish that export *value* as *name*."""
    lines, words = [], []
    for number, part in enumerate(parts(value) or [""]):
        if isinstance(part, Reference):
            lines += [
                f"set -l _hpcenv_{number} {quoting.fish(part.default)}",
                f'test -n "${part.name}"; and set _hpcenv_{number} "${part.name}"',
            ]
            words.append(f'"$_hpcenv_{number}"')
        else:
            words.append(quoting.fish(part))
    return "\n".join([*lines, f"set -gx {name} {''.join(words)}"])
