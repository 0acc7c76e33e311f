"""Say what modules put around an environment: for who decides about a build, and for who carries it out."""

from __future__ import annotations

from .. import modules
from ..managers.contract import Surroundings
from ..models import ModuleSet
from ..site import Site


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
