"""What every module system answers, and the words of the answers."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec

from ..models import Drift, ModuleSet
from ..site import Site
from . import search, watching

if TYPE_CHECKING:
    from .verdict import Verdict


class Available(msgspec.Struct, kw_only=True):
    """A module that can be loaded, at once or after others."""

    name: str
    """The full name: ``gcc/12``."""
    default: bool = False
    """Whether it is the version that the bare name means, as far as files tell in so many words; loading decides."""
    description: str = ""
    prerequisites: list[list[str]] = []
    """Chains, one of which has to be loaded first, in this order; empty: none is needed."""
    extensions: list[str] = []
    """What it brings, such as ``numpy/1.25.1``."""
    path: str = ""
    """Its modulefile; the first one where a hierarchy has several."""
    family: str = ""
    """Of a family only one can be loaded."""
    properties: list[str] = []
    """Such as ``sticky``."""


class Provided(msgspec.Struct, kw_only=True):
    """A module that has a Python package."""

    module: str
    package: str
    version: str
    default: bool = False
    prerequisites: list[list[str]] = []


class Captured(msgspec.Struct, kw_only=True):
    """What loading modules gave."""

    modules: ModuleSet
    environ: dict[str, str]
    """The environment with the modules loaded; builds use it."""
    brings_packages: bool = False
    """Whether loading changed where Python looks for packages."""
    python: str = ""
    """The Python that the modules put on PATH; empty if none did."""


class ModuleSystem(ABC):
    """A module system; made by `system`, asked by admission, lifecycle and the doors."""

    name: ClassVar[str]
    steering: ClassVar[tuple[str, ...]] = ()
    """Variables of the system itself that decide what a name means or what loading does."""

    def __init__(self, site: Site, environ: Mapping[str, str], *, home: str = "", init: str = "") -> None:
        self.site = site
        self.environ = dict(environ)
        self.home = home
        """The folder of the installation, which holds ``init``."""
        self.init = init
        """The start file for bash."""

    @property
    @abstractmethod
    def version(self) -> str:
        """The version of the installation, empty where no file tells it."""

    @abstractmethod
    def available(self) -> list[Available]:
        """Return all modules that can be loaded, those behind others too; cached while their folders stay the same."""

    @abstractmethod
    def collections(self) -> list[str]:
        """Return the names of the user's saved collections, by reading her home."""

    @abstractmethod
    def capture(
        self, asked: Sequence[str], *, collection: str = "", purge: str = "", timeout: float | None = None
    ) -> Captured:
        """Load modules (or a collection) in a shell of its own and return what that gave.

        *purge* and *timeout* (seconds) are the site's where they are not given. Raises `InvalidRequest` for what is
        no module's name, `NoModuleSystem`, `ModuleNotFound`, `ModuleConflict` and `ModuleFailed`.
        """

    @abstractmethod
    def alternates(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return which full name each name means with which a loaded module was, or could have been, asked for."""

    @abstractmethod
    def verdict(self, path: str, text: str) -> Verdict:
        """Judge what loading the modulefile of that text depends on."""

    @abstractmethod
    def rc_files(self) -> list[str]:
        """Return the scripts, besides those in folders of modules, that choose versions; they need not exist."""

    @abstractmethod
    def settings(self) -> list[str]:
        """Return the other files by which site and user steer the system; they need not exist."""

    @abstractmethod
    def hooked(self) -> str:
        """Return why the site's own code takes part in every load, in one sentence; empty if none does."""

    def search(self, query: str) -> list[Available]:
        """Return the modules in whose name, description or extensions all words of *query* are, best first."""
        return search.search(self.available(), query)

    def provides(self, package: str) -> list[Provided]:
        """Return the modules that have the Python package of that name, in any spelling."""
        return search.provides(self.available(), package)

    def loaded(self) -> list[str]:
        """Return what is loaded now, in this process's own environment: asked of a server, the server's."""
        return [name for name in self.environ.get("LOADEDMODULES", "").split(":") if name]

    def check(self, modules: ModuleSet) -> list[Drift]:
        """Return what is gone or changed since the capture on machines like this one; reads files, starts nothing."""
        return watching.drift(modules, self.site)

    def searched(self) -> str:
        """Return MODULEPATH as this process has it, with the site's folders after it."""
        folders = [*self.environ.get("MODULEPATH", "").split(":"), *self.site.module_path]
        return ":".join(dict.fromkeys(folder for folder in folders if folder))


#: Settings of module systems that decide what loading gives; children get them, and caches are keyed by them.
STEERING = re.compile(
    r"LMOD_.*|__LMOD.*|_ModuleTable.*|MODULE.*|LOADEDMODULES|_LMFILES_.*|__MODULES_.*|.+_modshare|.+_modquar"
)
