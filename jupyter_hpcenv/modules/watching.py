"""Tell by files whether loading modules would give today what it gave before.

`watch` names the files and folders that decide it, `state` is how they stood, `reads` the variables that count, and
`live` says why none of that is enough. Where in doubt, a module is loaded again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..models import Drift, Module, ModuleSet
from ..site import Site

if TYPE_CHECKING:
    from .contract import ModuleSystem

#: Files beside modulefiles that choose versions, give other names, or hide.
DEFAULTS = (".version", ".modulerc", ".modulerc.lua", "default")

#: Variables on which every load depends.
_ALWAYS = ("HOME", "LOADEDMODULES", "MODULEPATH", "PATH")

_LIMIT = 1_000_000  # bytes; no modulefile is longer


def target(site: Site) -> str:
    """Return what kind of machine this is, such as ``debian12-x86_64``: modulefiles differ between kinds."""
    platform = site.platform()
    return f"{platform.os}-{platform.arch}"


def snapshot(paths: Iterable[str]) -> str:
    """Return how files and folders stand, as ``LC_ALL=C stat -L -c '%n|%s|%.9Y|%.9Z|%i|%f' -- PATHS`` prints it.

    Time of change and inode too: builds that are to be repeatable give all files one size and date.

    What is not there has no line. There is no line break after the last line, as in a shell's ``$(…)``.
    """
    lines = []
    for path in paths:
        with contextlib.suppress(OSError):
            facts = os.stat(path)  # noqa: PTH116  the path is printed as it was given
            times = "|".join(f"{ns // 10**9}.{ns % 10**9:09d}" for ns in (facts.st_mtime_ns, facts.st_ctime_ns))
            lines.append(f"{path}|{facts.st_size}|{times}|{facts.st_ino}|{facts.st_mode:x}")
    return "\n".join(lines)


def read_modules(names: Sequence[str], files: Sequence[str]) -> list[Module]:
    """Return loaded modules with the digests of their modulefiles."""
    found = []
    for place, name in enumerate(names):
        path = files[place] if place < len(files) else ""
        found.append(Module(name=name, path=path, digest=_digest(path) if path else ""))
    return found


def _digest(path: str) -> str:
    try:
        return hashlib.sha256(_bytes(path)).hexdigest()
    except OSError:
        return ""


def _bytes(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as opened:
        data = opened.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise OSError(f"{path} is longer than a modulefile")
    return data


def drift(modules: ModuleSet, site: Site) -> list[Drift]:
    """Return what is gone or changed since the capture on machines like this one; reads files, starts nothing."""
    found = (_drifted(module) for module in modules.loaded.get(target(site), []) if module.path)
    return [each for each in found if each is not None]


def _drifted(module: Module) -> Drift | None:
    try:
        digest = hashlib.sha256(_bytes(module.path)).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        message = f"The module {module.name} is gone: {module.path} is not there any more."
        return Drift(module=module.name, path=module.path, kind="gone", message=message)
    except OSError as error:
        message = f"{module.path} can not be read: {error.strerror or error}."
        return Drift(module=module.name, path=module.path, kind="unreadable", message=message)
    if module.digest and digest != module.digest:
        message = f"The module {module.name} is not what it was when it was captured."
        return Drift(module=module.name, path=module.path, kind="changed", message=message)
    return None


def observe(system: ModuleSystem, modules: ModuleSet, loaded: Sequence[Module], environ: Mapping[str, str]) -> None:
    """Fill `watch`, `state`, `reads` and `live` of *modules*; *environ* is the environment with the modules loaded."""
    folders = _folders(modules, environ)
    names: set[str] = {module.name for module in loaded} | set(modules.asked)
    reads, reason = {*_ALWAYS, *system.steering}, system.hooked()
    watch = [module.path for module in loaded]
    settings = [*system.rc_files(), *system.settings()]
    for path in [*watch, *system.rc_files(), *_default_files(folders, names)]:
        if not path:
            reason = reason or "The modulefile of a loaded module is not known."
            continue
        try:
            text = _bytes(path).decode("utf-8", "surrogateescape")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            reason = reason or (f"{path} is gone." if path in watch else "")
            continue
        except OSError as error:
            reason = reason or f"{path} can not be read: {error.strerror or error}."
            continue
        verdict = system.verdict(path, text)
        reason = reason or verdict.live
        reads |= verdict.reads | verdict.extends
        names |= verdict.names
        for need in verdict.needs:
            if not any(module.name == name or module.name.startswith(f"{name}/") for name in need for module in loaded):
                reason = (
                    reason or f"{path} names {' or '.join(sorted(need))}, and what that means is decided elsewhere."
                )
    if not reason and any("\n" in path or "|" in path for path in (*watch, *folders)):
        reason = "A path of a modulefile has a sign in it that a list of paths can not hold."
    watch += settings
    watch += [path for folder in folders for path in (*_beside(folder), *_of_names(folder, names))]
    modules.watch = _that_decide(dict.fromkeys(path for path in [*watch, modules.init] if path))
    modules.state = snapshot(modules.watch)
    modules.reads = sorted(reads)
    modules.live = reason


def _that_decide(paths: Collection[str]) -> list[str]:
    """Leave out what lies in a watched folder that is not there: it can not come without the folder, which is seen.

    Each path costs time at every start of a kernel, and most names are in one folder of MODULEPATH only.
    """
    known = set(paths)
    absent = {path for path in known if not os.path.lexists(path)}
    return [path for path in paths if os.path.dirname(path) not in absent]  # noqa: PTH120  texts, as they are compared


def _folders(modules: ModuleSet, environ: Mapping[str, str]) -> list[str]:
    """Return all folders of modulefiles that were searched, before, while and after the modules were loaded."""
    after = environ.get("MODULEPATH", "").split(":")
    return list(dict.fromkeys(folder.rstrip("/") or "/" for folder in [*modules.modulepath, *after] if folder))


def _of_names(folder: str, names: Iterable[str]) -> Iterator[str]:
    """Yield what decides to which file a name leads in *folder*, on every level of the name."""
    for name in sorted(names):
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            below = f"{folder}/{'/'.join(parts[:depth])}"
            yield below
            yield f"{below}.lua"
            if depth < len(parts) or depth == 1:
                yield from _beside(below)


def _beside(folder: str) -> list[str]:
    return [f"{folder}/{name}" for name in DEFAULTS]


def _default_files(folders: Sequence[str], names: Iterable[str]) -> list[str]:
    """Return the files that choose versions, which are scripts and may look at anything."""
    found = [path for folder in folders for path in (*_beside(folder), *_of_names(folder, names))]
    endings = tuple(f"/{name}" for name in DEFAULTS if name != "default")
    return [path for path in dict.fromkeys(found) if path.endswith(endings)]


def changed_by(system: ModuleSystem, files: Iterable[str]) -> set[str]:
    """Return the variables that loaded modules have set, as far as their modulefiles tell; unloading needs them."""
    names: set[str] = set()
    for path in files:
        with contextlib.suppress(OSError):
            names |= system.verdict(path, _bytes(path).decode("utf-8", "surrogateescape")).sets
    return {name for name in names if re.fullmatch(r"[A-Za-z_]\w*", name)}


def modification(paths: Iterable[str]) -> dict[str, int]:
    """Return when files and folders were changed, in nanoseconds; -1 for what is not there."""
    found = {}
    for path in paths:
        try:
            found[path] = os.stat(path).st_mtime_ns  # noqa: PTH116
        except OSError:
            found[path] = -1
    return found


def below_home(environ: Mapping[str, str], *names: str) -> list[str]:
    """Return paths below the user's home; nothing without a home."""
    home = environ.get("HOME", "")
    return [str(Path(home, name)) for name in names] if home.startswith("/") else []
