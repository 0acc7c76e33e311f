"""What an environment manager is to the rest of the house; found by entry point, so that others can add one."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec
from traitlets import MetaHasTraits
from traitlets.config import Configurable

from ..errors import InvalidRequest, WrongState
from ..models import (
    Changes,
    Contents,
    CreateRequest,
    Earlier,
    LockedPackage,
    PythonFact,
    Rebuild,
    Record,
    Reporter,
    Step,
)
from .caches import Place


class ManagerFacts(msgspec.Struct, kw_only=True):
    """What a client needs to know of a manager before it asks for an environment."""

    name: str
    creators: list[str]
    installers: list[str]
    default_creator: str
    default_installer: str
    reason: str = ""
    """Why the default installer is not the manager's first choice; empty where it is."""
    description: str = ""
    """When to take this manager, in the site's words."""
    language: str = "pep508"
    """How packages are asked for: ``pep508`` or ``conda`` (match specs)."""
    channels: list[str] = []
    """Where packages come from if a request names no channels, best first."""


class Surroundings(msgspec.Struct, kw_only=True):
    """What modules put around an environment and the builds for it; empty where there are none."""

    modules: list[str] = []
    """Full names, in order of loading."""
    environ: dict[str, str] = {}
    """The whole environment of a program that runs with them."""
    python: str = ""
    """The Python that they put on PATH."""
    brings_packages: bool = False
    """Whether they put packages where Python looks for them."""
    build_variables: dict[str, str] = {}
    """What builds from source are told besides, such as MPICC."""


class Choice(msgspec.Struct, kw_only=True):
    """What was decided about a request; stored in the ticket, and never decided again."""

    python: PythonFact
    creator: str
    installer: str
    reason: str = ""
    """Why this installer, in a sentence for the log; empty where it needs no words."""
    warnings: list[str] = []
    system_site_packages: bool = False
    kernel: bool = True
    options: dict[str, str | bool | list[str]] = {}
    """The manager's own settings, such as the index."""


class Built(msgspec.Struct, kw_only=True):
    """How a prefix came to be; goes into the record."""

    creator: str
    installer: str
    tools: dict[str, str]
    python: str
    """Version; empty where there is none in it."""
    python_path: str
    packages: list[str] | None = None
    """What was asked for, where that is more than the request's packages; None: just those."""
    channels: list[str] = []


class Outcome(msgspec.Struct, kw_only=True):
    """What a change did to the packages of an environment."""

    plan: dict[str, Any]
    """What came, changed and went, as plain data; as `Manager.plan_change` says it beforehand."""
    packages: list[str]
    """What counts as asked for from now on."""
    tools: dict[str, str] = {}
    python: str = ""
    """Version afterwards; empty where there is none in it."""
    python_path: str = ""


class Package(msgspec.Struct, kw_only=True):
    """A package as its files in the prefix describe it."""

    name: str
    version: str
    source: str
    """``conda CHANNEL``, ``index``, ``editable URL`` or a URL; of what is inherited ``module NAME`` or a Python."""
    inherited: bool = False
    """Whether it is seen and not the environment's own: then it is not the environment's to change."""
    note: str = ""
    """Which other package of this name it hides, or is hidden by; empty where there is none."""


class Hit(msgspec.Struct, kw_only=True):
    """Where a package can be had, or who could not be asked; then `version` is empty and `note` says why."""

    name: str
    version: str = ""
    """The newest that fits."""
    versions: int = 0
    """How many there are."""
    summary: str = ""
    source: str = ""
    """``index ADDRESS``, ``channel ADDRESS``, ``folder PATH`` or ``module NAME``."""
    installed: str = ""
    """The version that the environment has already."""
    size: int | None = None
    """Bytes of the archive; null where that is not told."""
    note: str = ""


class ManagerMeta(ABCMeta, MetaHasTraits):
    """Let a class be abstract and have traits."""


class Manager(Configurable, metaclass=ManagerMeta):
    """Build prefixes of one kind. Methods block; the worker calls `create`, admission the others.

    Made as ``Manager(config=…, site=…)``: traits come from the configuration section of the class's name.
    """

    name: str

    language: ClassVar[Literal["pep508", "conda"]] = "pep508"
    """How a request names packages: as PEP 508 requirements or as conda's match specs."""

    @abstractmethod
    def probe(self) -> ManagerFacts:
        """Return what is installed and what would be taken; called by ``GET site``."""

    @abstractmethod
    def check(
        self, request: CreateRequest, requirements: list[str], around: Surroundings, contents: Contents | None = None
    ) -> Choice:
        """Decide about a request and refuse what can be known to fail; called at submit, within seconds.

        *contents* is what the request's file says, where the manager reads such files.
        """

    @abstractmethod
    def steps(self, request: CreateRequest) -> list[Step]:
        """Return the steps that `create` will report, in order."""

    @abstractmethod
    def create(
        self, choice: Choice, requirements: list[str], prefix: Path, report: Reporter, around: Surroundings
    ) -> Built:
        """Build *prefix* as decided; whole, or an error is raised and the caller removes what is there."""

    #: Whether `fetch` is there: what a build needs can be fetched apart from it.
    fetches: ClassVar[bool] = False

    def fetch(
        self, choice: Choice, requirements: list[str], folder: Path, report: Reporter, around: Surroundings
    ) -> Choice:
        """Put all that `create` needs into *folder*, and return the choice by which it needs no network any more."""
        raise WrongState(f"The manager {self.name} can not fetch packages apart from a build.")

    @abstractmethod
    def list_packages(self, prefix: Path) -> list[Package]:
        """Return what is installed in *prefix*, read from its files."""

    def contents(self, record: Record) -> Contents:
        """Return exactly what is in a prefix, read from its files; raises `WrongState` where that can not be told."""
        raise WrongState(f"What is in {record.name} can not be written down.", hints=["Use it where it is."])

    def exact(self, record: Record) -> Contents:
        """Return the same for a rebuild: a package that no list can name is left out, and its reason a warning."""
        return self.contents(record)

    def lockfile(self, record: Record) -> str:
        """Return the same as the lockfile of the manager's own world; may start programs."""
        raise WrongState(f"There is no lockfile of {record.name}.", hints=["Take another format."])

    def search(self, query: str, record: Record | None, limit: int, patience: float) -> list[Hit]:
        """Return where a package can be had: for the environment of *record*, or for a new one; takes seconds."""
        return []

    def with_digests(self, record: Record, packages: list[LockedPackage]) -> list[LockedPackage]:
        """Return exact Python packages with what their index says of their archives; may start programs."""
        return packages

    def rebuild(self, record: Record) -> Rebuild:
        """Return how a prefix elsewhere gets the very packages of *record*'s; raises `WrongState` where none can.

        Asked for a batch job that has the environment on its node's disk; a manager need not be able to.
        """
        raise WrongState(
            f"{record.name} was made by “{self.name}”, whose environments can not be made anew on a node.",
            hints=["Use it where it is: a batch script without --node-local does."],
        )

    def plan_steps(self) -> list[Step]:
        """Return the steps that `plan` will report; empty where a manager can not plan."""
        return []

    def plan(
        self, choice: Choice, requirements: list[str], prefix: Path, report: Reporter, around: Surroundings
    ) -> dict[str, Any]:
        """Return what `create` would do, as plain data; nothing is left on disk but what caches keep."""
        raise InvalidRequest(f"The manager {self.name} can not say beforehand what it would install.")

    def change_steps(self) -> list[Step]:
        """Return the steps that `change` will report; empty where packages can not be changed."""
        return []

    def decide(self, record: Record, changes: Changes) -> Choice:
        """Decide about a change of packages and refuse what can be known to fail; called at submit."""
        raise InvalidRequest(
            f"The packages of {record.name} can not be changed: it was made by the manager “{self.name}”.",
            hints=["Make another environment that has what you need."],
        )

    def plan_change(
        self, record: Record, choice: Choice, changes: Changes, report: Reporter, around: Surroundings
    ) -> dict[str, Any]:
        """Return what `change` would do, as plain data; the prefix stays as it is."""
        raise InvalidRequest(f"The manager {self.name} can not say beforehand what it would change.")

    def keep(self, record: Record, changes: Changes, before: Path) -> None:
        """Put at *before*, in one step, what `back` needs; called when nothing has changed yet."""
        raise NotImplementedError

    def change(
        self,
        record: Record,
        choice: Choice,
        changes: Changes,
        before: Path,
        report: Reporter,
        around: Surroundings,
    ) -> Outcome:
        """Change the packages of a prefix; where it raises, or is killed, the caller has `back` called.

        What `back` needs besides may be put beside *before*, under a name that begins with its name and a dot.
        """
        raise NotImplementedError

    def back(self, record: Record, choice: Choice, before: Path, report: Reporter) -> None:
        """Bring the prefix back to how it was when *before* was kept; may be killed and called again."""
        raise NotImplementedError

    def caches(self, roots: Mapping[str, Path]) -> list[Place]:
        """Return where its programs keep packages for the user; *roots* are those of locations. Starts nothing."""
        return []

    def earlier(self, record: Record) -> Contents:
        """Return exactly what is in a prefix before a change, so that the change can be undone."""
        return self.exact(record)

    def undoing(self, record: Record, earlier: Earlier) -> Changes:
        """Return what installers have to do to bring back what was there; it may be nothing."""
        raise self._no_undo(record)

    def plan_undo(self, record: Record, earlier: Earlier) -> dict[str, Any]:
        """Return what `undo` would do, as plain data; reads files alone."""
        raise self._no_undo(record)

    def decide_undo(self, record: Record, earlier: Earlier) -> Choice:
        """Decide how to bring back what was there, and refuse what can be known to fail; called at submit."""
        raise self._no_undo(record)

    def undo(
        self,
        record: Record,
        choice: Choice,
        earlier: Earlier,
        before: Path,
        report: Reporter,
        around: Surroundings,
    ) -> Outcome:
        """Let a prefix hold exactly what was there *earlier*; *before* and failures as in `change`."""
        raise self._no_undo(record)

    def _no_undo(self, record: Record) -> WrongState:
        return WrongState(
            f"The manager “{self.name}” can not take back a change of {record.name}.",
            hints=["Change its packages to what you want now."],
        )

    def arrived(self, prefix: Path) -> str:
        """Tell other tools that *prefix* is there: it was created or restored; return a warning, or an empty text."""
        return ""

    def gone(self, prefix: Path) -> None:
        """Tell other tools that *prefix* went to the trash."""
        return
