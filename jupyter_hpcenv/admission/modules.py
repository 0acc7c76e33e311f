"""Ask the module system on behalf of one user: what there is, what is loaded, what loading would give."""

from __future__ import annotations

from typing import Any

import msgspec

from .. import modules
from ..errors import InvalidRequest
from ..site import Site


class ModuleCheck(msgspec.Struct, kw_only=True):
    """What loading a list of modules gives, before anything is built with it."""

    load: list[str]
    """Full names of what was asked for."""
    loaded: list[str]
    """Full names of all that loading them brings."""
    messages: list[str]
    python: str
    """The Python that they put on PATH, or empty."""
    brings_packages: bool


class Modules:
    """The module system as the site configured it; reads it anew each time, because it changes under a server."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @property
    def system(self) -> modules.ModuleSystem:
        """The module system; “none” where there is none."""
        return modules.system(self._site)

    def search(self, query: str) -> list[modules.Available]:
        """Return the modules that match, all of them for an empty query."""
        system = self.system
        return system.search(query) if query else system.available()

    def provides(self, package: str) -> list[modules.Provided]:
        """Return the modules that say that they have a Python package."""
        return self.system.provides(package)

    def loaded(self) -> list[str]:
        """Return what is loaded in the environment of this process."""
        return self.system.loaded()

    def collections(self) -> list[str]:
        """Return the names of the user's saved collections."""
        return self.system.collections()

    def listing(self, query: str, provides: str, limit: int) -> dict[str, Any]:
        """Return the body of ``GET modules``: those that match, the first *limit* of them, and how many there are."""
        system = self.system
        if provides:
            names = {each.module for each in system.provides(provides)}
            found = [each for each in system.available() if each.name in names]
        else:
            found = system.search(query) if query else system.available()
        return {"system": system.name, "version": system.version, "total": len(found), "modules": found[:limit]}

    def at_hand(self) -> dict[str, Any]:
        """Return the body of ``GET modules/loaded``: what this process has loaded, and the user's collections."""
        system = self.system
        return {"system": system.name, "loaded": system.loaded(), "collections": system.collections()}

    def check(self, asked: list[str], collection: str = "") -> ModuleCheck:
        """Load modules in a shell of their own and return what that gave; raises what `capture` raises."""
        captured = self.capture(asked, collection)
        if captured is None:
            raise InvalidRequest("No module is named.", hints=["Give modules, or a collection."])
        loaded = [module.name for each in captured.modules.loaded.values() for module in each]
        return ModuleCheck(
            load=captured.modules.load,
            loaded=loaded,
            messages=captured.modules.messages,
            python=captured.python,
            brings_packages=captured.brings_packages,
        )

    def capture(self, asked: list[str], collection: str = "") -> modules.Captured | None:
        """Capture what a request names, or return None if it names nothing."""
        if asked and collection:
            raise InvalidRequest("Modules and a collection exclude each other.", hints=["Give one of the two."])
        if not asked and not collection:
            return None
        return self.system.capture(asked, collection=collection)
