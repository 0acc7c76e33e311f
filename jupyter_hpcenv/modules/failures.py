"""Say why modules could not be loaded: from what the system says, from what there is, and from what is loaded.

The systems' words are read in English (the load was made in it); where they say nothing known, what there is decides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import HpcenvError, ModuleConflict, ModuleFailed, ModuleNotFound
from . import search

if TYPE_CHECKING:
    from .contract import Available
    from .loading import Loaded
    from .real import RealSystem

#: Patterns are written with plain spaces and match across the line breaks that Lmod puts into its messages.
_UNKNOWN, _NEEDS, _CONFLICT = (
    re.compile(pattern.replace(" ", r"\s+"))
    for pattern in (
        r"module\(s\) are unknown:((?: \"[^\"]+\")+)"
        r"|Unable to locate a modulefile for '([^']+)'"
        r"|module\(s\) exist but cannot be loaded as requested:((?: \"[^\"]+\",?)+)",
        r"Cannot load module \"([^\"]+)\" without these module\(s\) loaded: ([^\n]+)"
        r"|Cannot load module \"([^\"]+)\"[^\n]* At least one of these module\(s\) must be loaded: ([^\n]+)"
        r"|[Mm]issing prereq[^\n]* HINT:[^\n]*first: ([^\n]+)|[Mm]issing prereq",
        r"Cannot load module \"([^\"]+)\" because these module\(s\) are loaded: ([^\n]+)"
        r"|Conflicting ([^\n]+?) is loaded"
        r"|cannot be loaded due to (?:a )?conflict"
        r"|You can only have one ([^\n]+?) module loaded"
        r"|Lmod is automatically replacing \"([^\"]+)\" with \"([^\"]+)\"",
    )
)
#: The table in which Lmod says which module it was at, and Tcl's own lines.
_PROCESSED = re.compile(r"^ +(\S+) +/\S+$|^Loading (\S+)$", re.MULTILINE)
_TERMINAL = "See what “module load” says in a terminal, and tell staff."


def explain(
    system: RealSystem, asked: Sequence[str], missing: Sequence[str], loaded: Sequence[str], done: Loaded
) -> HpcenvError:
    """Return the error for a load after which *missing* are not loaded."""
    text = "\n".join(done.messages)
    reason = "\n".join(done.messages[-20:])
    available = _available(system)
    for name in _unknown(text):
        return _not_found(system, name, asked, available, done, reason)
    if match := _CONFLICT.search(text):
        return _conflict(match, missing, reason)
    if match := _NEEDS.search(text):
        return _needs(match, missing, available, reason)
    for name in missing:
        if not search.named(available, name) and not text:
            return _not_found(system, name, asked, available, done, reason)
        rival = _rival(name, loaded, available)
        if rival:
            return _exclude(name, rival, reason)
    processed = [lmod or tcl for lmod, tcl in _PROCESSED.findall(text)]
    at_fault = [name for name in missing if any(search.means(name, full) for full in processed)]
    return ModuleFailed(
        f"{' and '.join(at_fault or missing)} could not be loaded: the module failed.",
        hints=[_TERMINAL, "Leave the module out, or choose another version."],
        reason=reason,
    )


def mistaken(system: RealSystem, name: str, full: str) -> HpcenvError | None:
    """Return an error if *full* was loaded for *name* although the very module of that name is there, behind others.

    Lmod takes a version that begins alike where the one that was written is out of reach.
    """
    for module in _available(system):
        if module.name == name and module.prerequisites:
            return _behind(module, f"{full} would be loaded in its place.")
    return None


def collection(system: RealSystem, name: str, messages: Sequence[str]) -> HpcenvError:
    """Return the error for a collection that was not restored."""
    known = system.collections()
    reason = "\n".join(messages[-20:])
    if name not in known:
        there = f"There are: {', '.join(known)}." if known else "You have saved none; “module save NAME” does."
        return ModuleNotFound(f"There is no collection of modules {name}.", hints=[there], reason=reason)
    return ModuleFailed(f"The collection {name} could not be restored.", hints=[_TERMINAL], reason=reason)


def _available(system: RealSystem) -> list[Available]:
    try:
        return system.available()
    except HpcenvError:
        return []  # one failure is told at a time


def _unknown(text: str) -> list[str]:
    names: list[str] = []
    for match in _UNKNOWN.finditer(text):
        quoted = (match[1] or "") + (match[3] or "")
        names += re.findall(r'"([^"]+)"', quoted) or ([match[2]] if match[2] else [])
    return names


def _not_found(
    system: RealSystem, name: str, asked: Sequence[str], available: Sequence[Available], done: Loaded, reason: str
) -> HpcenvError:
    there = search.named(available, name)
    for module in there:
        if module.prerequisites:
            return _behind(module, reason)
    who = "" if name in asked else f", which {' or '.join(asked)} needs"
    closed = _closed(done.was.get("MODULEPATH", ""))
    if closed:
        return ModuleNotFound(
            f"The module {name}{who} was not found, and {closed[0]} of MODULEPATH can not be read.",
            hints=[f"Ask for the permission to read {closed[0]}, or take it out of MODULEPATH."],
            reason=reason,
        )
    if not done.was.get("MODULEPATH"):
        return ModuleNotFound(
            f"The module {name}{who} was not found: MODULEPATH names no folder.",
            hints=["Start from a login shell, or have staff set c.Site.module_path."],
            reason=reason,
        )
    near = search.near(available, name)
    hint = f"Did you mean {' or '.join(near)}?" if near else "See with “jupyter hpcenv modules” what there is."
    return ModuleNotFound(f"There is no module {name}{who}.", hints=[hint], reason=reason)


def _behind(module: Available, reason: str) -> ModuleNotFound:
    chains = [" and ".join(chain) for chain in module.prerequisites]
    some = "; or ".join(chains[:4]) + ("; or others" if len(chains) > 4 else "")
    hint = f"Load {chains[0]} first." if len(chains) == 1 else f"Load one of these first: {some}."
    return ModuleNotFound(
        f"The module {module.name} can not be loaded with what is loaded before it.", hints=[hint], reason=reason
    )


def _needs(match: re.Match[str], missing: Sequence[str], available: Sequence[Available], reason: str) -> HpcenvError:
    name = match[1] or match[3] or missing[0]
    for module in search.named(available, name):
        if module.prerequisites:
            return _behind(module, reason)
    others = re.findall(r"[\w.+/-]+", match[2] or match[4] or match[5] or "")
    hint = f"Load {' and '.join(others)} first." if others else "Load what it needs first."
    return ModuleNotFound(f"The module {name} can not be loaded before others.", hints=[hint], reason=reason)


def _conflict(match: re.Match[str], missing: Sequence[str], reason: str) -> ModuleConflict:
    if match[5]:
        return _exclude(match[5], match[6], reason)
    if match[4]:
        return ModuleConflict(
            f"Only one module of the family {match[4]} can be loaded.", hints=["Choose one of them."], reason=reason
        )
    name = match[1] or missing[0]
    rival = (match[2] or match[3] or "others that are loaded").strip()
    return _exclude(name, rival, reason)


def _exclude(name: str, rival: str, reason: str) -> ModuleConflict:
    return ModuleConflict(f"{name} and {rival} exclude each other.", hints=["Leave one of them out."], reason=reason)


def _rival(name: str, loaded: Sequence[str], available: Sequence[Available]) -> str:
    """Return what is loaded in the place of *name*: another version, or one of its family."""
    bare = name.partition("/")[0]
    for full in loaded:
        if full.partition("/")[0] == bare:
            return full
    families = {module.family for module in search.named(available, name) if module.family}
    for module in available:
        if module.name in loaded and module.family in families:
            return module.name
    return ""


def _closed(modulepath: str) -> list[str]:
    """Return the folders that are there and can not be read."""
    folders = [folder for folder in modulepath.split(":") if folder]
    return [folder for folder in folders if os.path.exists(folder) and not os.access(folder, os.R_OK | os.X_OK)]  # noqa: PTH110
