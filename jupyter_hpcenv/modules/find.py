"""Find the module system of this machine by reading variables and files; nothing is started."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import NoModuleSystem
from ..models import ModuleSet
from ..site import Site
from .contract import ModuleSystem
from .lmod import Lmod
from .none import NoSystem
from .tcl import Tcl

_LMOD_PLACES = (
    *("/usr/share/lmod/lmod", "/opt/apps/lmod/lmod", "/opt/lmod/lmod", "/usr/local/lmod/lmod", "/apps/lmod/lmod"),
    *("/opt/ohpc/admin/lmod/lmod", "/opt/cray/pe/lmod/lmod"),
)
_TCL_PLACES = ("/usr/share/modules", "/usr/share/Modules", "/usr/local/Modules", "/opt/modules", "/opt/cray/pe/modules")
_PROFILES = Path("/etc/profile.d")
_INIT = re.compile(r"(/[\w./+-]+)/init/(?:bash|sh|profile|\$)")


def system(site: Site, environ: Mapping[str, str] | None = None) -> ModuleSystem:
    """Return the module system: the site's, else the one whose variables *environ* has, else one in a usual place.

    Raises `NoModuleSystem` where the site names one that is not there.
    """
    known = os.environ if environ is None else environ
    wanted = site.module_system or ("" if site.module_init else _shown(known))
    homes: dict[str, str] = {}
    for kind, folder in _places(site, known):
        homes.setdefault(kind, folder)
        if kind == wanted or not wanted:
            return _make(kind, site, known, folder)
    if wanted in ("lmod", "tcl") and site.module_init:
        return _make(wanted, site, known, "")
    for kind, folder in homes.items():  # variables that outlived their system decide nothing
        if not site.module_system:
            return _make(kind, site, known, folder)
    if site.module_system in ("lmod", "tcl"):
        raise NoModuleSystem(
            f"The site’s module system is {site.module_system}, and it was not found on this machine.",
            hints=["Have staff set c.Site.module_init to its start file for bash."],
        )
    return NoSystem(site, known)


def of(known: ModuleSet, site: Site, environ: Mapping[str, str] | None = None) -> ModuleSystem:
    """Return the module system that *known* was captured with, to be asked again, by a worker or a refresh.

    Its variables need not be there: the start file is that of the capture, and so are the folders of modules, after
    those that are searched here anyway.
    """
    here = dict(os.environ if environ is None else environ)
    folders = [*here.get("MODULEPATH", "").split(":"), *known.modulepath]  # as the launch script has them
    here["MODULEPATH"] = ":".join(dict.fromkeys(folder for folder in folders if folder))
    kind = Lmod if known.system == "lmod" else Tcl
    home = str(Path(known.init).parent.parent) if known.init else ""
    found = system(site, here)
    if found.name == known.system and (found.init == known.init or not Path(known.init).is_file()):
        return found  # as the site has it now
    return kind(site, here, home=home, init=known.init)


def _make(kind: str, site: Site, environ: Mapping[str, str], home: str) -> ModuleSystem:
    init = site.module_init or _profile(kind, site, environ, home) or (f"{home}/init/bash" if home else "")
    return (Lmod if kind == "lmod" else Tcl)(site, environ, home=home, init=init)


def _profile(kind: str, site: Site, environ: Mapping[str, str], home: str) -> str:
    """Return the login shells' start file where only that tells Lmod where modules are."""
    if kind != "lmod" or environ.get("MODULEPATH") or site.module_path:
        return ""
    for path, named in _profiles():
        if home in named:
            return str(path)
    return ""


def _shown(environ: Mapping[str, str]) -> str:
    if environ.get("LMOD_CMD"):
        return "lmod"
    return "tcl" if environ.get("MODULES_CMD") else ""


def _places(site: Site, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield installations as (kind, folder), the most certain first."""
    if site.module_system == "none":
        return
    for folder in _candidates(site, environ):
        kind = _kind(folder)
        if kind:
            yield kind, str(folder)


def _candidates(site: Site, environ: Mapping[str, str]) -> Iterator[Path]:
    if site.module_init:
        yield Path(site.module_init).parent.parent
        for named in _names(Path(site.module_init)):
            yield Path(named)
    for variable, up in (("LMOD_PKG", 0), ("LMOD_CMD", 2), ("LMOD_DIR", 1), ("MODULESHOME", 0)):
        value = environ.get(variable, "")
        if value.startswith("/"):
            yield Path(value).parents[up - 1] if up else Path(value)  # a link stays: upgrades move its target
    for _, named_there in _profiles():
        yield from map(Path, named_there)
    yield from map(Path, (*_LMOD_PLACES, *_TCL_PLACES))


def _profiles() -> list[tuple[Path, list[str]]]:
    """Return the start files of login shells that name a module system, with the folders that they name."""
    with contextlib.suppress(OSError):
        files = sorted(path for path in _PROFILES.iterdir() if path.suffix == ".sh")
        return [(path, named) for path in files if (named := _names(path))]
    return []


def _names(path: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return list(dict.fromkeys(_INIT.findall(path.read_text(errors="replace")[:100_000])))
    return []


def _kind(folder: Path) -> str:
    with contextlib.suppress(OSError):
        if (folder / "libexec/lmod").is_file():
            return "lmod"
        if (folder / "init/bash").is_file() and Tcl.command_of(folder):
            return "tcl"
    return ""
