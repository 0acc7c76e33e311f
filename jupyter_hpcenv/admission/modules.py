"""Ask the module system on behalf of one user: what there is, what is loaded, what loading would give."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any

import msgspec
from packaging.utils import canonicalize_name

from .. import modules
from ..errors import BrokenRecord, InvalidRequest
from ..files import read_regular
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

    def has_them(self, requirements: list[str], loaded: list[str]) -> list[str]:
        """Return a sentence for each requirement that a module of the site would bring, and none of *loaded* does.

        The site's build is often faster than a wheel from the index. Only where MODULEPATH says that modules are in
        use: nobody waits for a list of modules that is of no interest to her.
        """
        if not self._site.module_path and not os.environ.get("MODULEPATH"):
            return []
        listed = self.system.available()
        said = []
        for requirement in requirements:
            name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
            found = modules.provides(listed, name) if name else []
            if found and not {each.module for each in found} & set(loaded):
                best = next((each for each in found if each.default), found[-1])
                said.append(
                    f"The module {best.module} has {best.package} {best.version}, built for this machine; to use that, "
                    f"create the environment with {' '.join(_load(best))}."
                )
        return said

    def built_for_this(self, specs: list[str]) -> list[str]:
        """Return a sentence for each conda package that a module of the site has, be the module loaded or not.

        Packages of channels are built for any computer, and nothing in a conda environment uses a module's instead. A
        module has what its list of extensions says, and what the site says of it in ``Site.module_hints``.
        """
        if not specs or not (self._site.module_path or os.environ.get("MODULEPATH")):
            return []
        from ..formats import matchspecs

        listed = self.system.available()
        hints: dict[str, str] = {canonicalize_name(name): module for name, module in self._site.module_hints.items()}
        said = []
        for name in dict.fromkeys(map(matchspecs.name_of, specs)):
            found = modules.provides(listed, name)
            best = next((each for each in found if each.default), found[-1]) if found else None
            module = best.module if best else hints.get(canonicalize_name(name), "")
            if module:
                which = f"{best.package} {best.version}" if best else "one"
                load = " ".join(_load(best)) if best else f"--module {module}"
                said.append(
                    f"The package {name} of conda channels is a generic binary; the module {module} has {which}, built "
                    f"for this machine. To use that, create the environment with --manager venv {load}."
                )
        return said

    def with_python(self, asked: list[str], python: str) -> list[str]:
        """Return *asked* with the loaded module that *python* comes from, if it is a path into one.

        Such a Python often does not even start without its module. The modulefile names the folder that it is in.
        """
        home = str(Path(python).parent.parent) if python.startswith("/") else ""
        names, files = (os.environ.get(name, "").split(":") for name in ("LOADEDMODULES", "_LMFILES_"))
        for name, file in zip(names, files, strict=False):
            if len(home) > len("/usr/") and name and name not in asked:
                with contextlib.suppress(OSError, BrokenRecord):
                    text = read_regular(Path(file)).decode(errors="replace")
                    if re.search(re.escape(home) + r"(?![\w.-])", text):
                        return [*asked, name]
        return asked

    def capture(self, asked: list[str], collection: str = "") -> modules.Captured | None:
        """Capture what a request names, or return None if it names nothing."""
        if asked and collection:
            raise InvalidRequest("Modules and a collection exclude each other.", hints=["Give one of the two."])
        if not asked and not collection:
            return None
        return self.system.capture(asked, collection=collection)


def _load(provided: modules.Provided) -> list[str]:
    chain = provided.prerequisites[0] if provided.prerequisites else []
    return [f"--module {name}" for name in (*chain, provided.module)]
