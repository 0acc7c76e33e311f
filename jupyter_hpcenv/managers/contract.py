"""What an environment manager is to the rest of the house; found by entry point, so that others can add one."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from pathlib import Path

import msgspec
from traitlets import MetaHasTraits
from traitlets.config import Configurable

from ..models import CreateRequest, PythonFact, Reporter, Step


class ManagerFacts(msgspec.Struct, kw_only=True):
    """What a client needs to know of a manager before it asks for an environment."""

    name: str
    creators: list[str]
    installers: list[str]
    default_creator: str
    default_installer: str
    reason: str = ""
    """Why the default installer is not the manager's first choice; empty where it is."""


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
    python_path: str


class Package(msgspec.Struct, kw_only=True):
    """A package as its files in the prefix describe it."""

    name: str
    version: str
    source: str


class ManagerMeta(ABCMeta, MetaHasTraits):
    """Let a class be abstract and have traits."""


class Manager(Configurable, metaclass=ManagerMeta):
    """Build prefixes of one kind. Methods block; the worker calls `create`, admission the others.

    Made as ``Manager(config=…, site=…)``: traits come from the configuration section of the class's name.
    """

    name: str

    @abstractmethod
    def probe(self) -> ManagerFacts:
        """Return what is installed and what would be taken; called by ``GET site``."""

    @abstractmethod
    def check(self, request: CreateRequest, requirements: list[str], around: Surroundings) -> Choice:
        """Decide about a request and refuse what can be known to fail; called at submit, within seconds."""

    @abstractmethod
    def steps(self, request: CreateRequest) -> list[Step]:
        """Return the steps that `create` will report, in order."""

    @abstractmethod
    def create(
        self, choice: Choice, requirements: list[str], prefix: Path, report: Reporter, around: Surroundings
    ) -> Built:
        """Build *prefix* as decided; whole, or an error is raised and the caller removes what is there."""

    @abstractmethod
    def list_packages(self, prefix: Path) -> list[Package]:
        """Return what is installed in *prefix*, read from its files."""
