"""Say what modules put around an environment: for who decides about a build, and for who carries it out."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name

from .. import modules
from ..errors import HpcenvError
from ..managers.contract import Surroundings
from ..managers.packages import list_packages
from ..models import ModuleSet, Record
from ..site import Site

_NAMED = 5  # packages that a warning names


def surroundings(captured: modules.Captured | None, build_variables: dict[str, str]) -> Surroundings:
    """Return what *captured* modules, if there are any, and variables for builds put around a build."""
    if captured is None:
        return Surroundings(build_variables=build_variables)
    return Surroundings(
        modules=captured.modules.load,
        environ=captured.environ,
        python=captured.python,
        brings_packages=captured.brings_packages,
        build_variables=build_variables,
    )


def captured_again(known: ModuleSet, site: Site) -> modules.Captured:
    """Load modules that were captured before, by their full names, and return what that gives here and now.

    A worker does so, and a refresh: the files, and on another node the whole tree, may be other ones by now.
    Raises what `jupyter_hpcenv.modules.ModuleSystem.capture` raises.
    """
    captured = modules.of(known, site).capture(known.load, purge=known.purge)
    captured.modules.asked = known.asked
    return captured


def lost(record: Record, after: modules.Captured | None, site: Site) -> list[str]:
    """Return a sentence on the packages that the modules of *record* bring, and those that follow do not; or none.

    Nothing can be told where the old modules can not be loaded any more: then their packages are gone anyway.
    """
    if record.modules is None:
        return []
    try:
        before = captured_again(record.modules, site)
    except HpcenvError:
        return []
    minor = ".".join(record.python.split(".")[:2])
    own = {canonicalize_name(package.name) for package in list_packages(Path(record.prefix))}
    gone = _brought(before.environ, minor) - _brought(after.environ if after else {}, minor) - own
    if gone:
        names = sorted(gone)
        named = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    elif before.brings_packages and not (after and after.brings_packages):
        named = "packages of Python"
    else:
        return []
    return [f"The modules that are gone from {record.name} brought {named}: what needs that can not be imported now."]


def _brought(environ: Mapping[str, str], minor: str) -> set[str]:
    """Return the names of the packages that modules put where Python looks for them."""
    folders = environ.get("PYTHONPATH", "").split(":")
    folders += [f"{each}/lib/python{minor}/site-packages" for each in environ.get("EBPYTHONPREFIXES", "").split(":")]
    found = distributions(path=[folder for folder in folders if folder.startswith("/")])
    names = (distribution.metadata["Name"] for distribution in found)
    return {str(canonicalize_name(name)) for name in names if name}
