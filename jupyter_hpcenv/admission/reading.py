"""Answer what people ask of environments and of the site; nothing here changes an environment."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import activation
from ..catalog import history
from ..doctor import Finding
from ..errors import (
    HpcenvError,
    InvalidRequest,
    NotFound,
    WrongState,
)
from ..lifecycle import health
from ..lifecycle.faces import roll_forward
from ..managers.contract import Hit
from ..models import (
    BatchFacts,
    Cache,
    CreateRequest,
    Environment,
    Event,
    KernelProfile,
    Location,
    Size,
)
from ..site.locations import all_locations
from ..site.quotas import with_quotas
from . import (
    doctoring,
    everywhere,
    exporting,
    facts,
    offered,
    placing,
    searching,
    undoing,
    using,
)
from . import presets as prepared
from .holding import Holding
from .using import Activation

#: How often lists try to bring one change's faces in step.
_TRIES = 5


class Reading(Holding):
    """The half of the desk that answers; its methods block on the disk, so doors call them in threads."""

    def catch_up(self) -> bool:
        """Bring in step what a crash left behind its record, as the last list showed it; tell whether that was tried.

        Called after lists, which would else say that an environment is ready whose kernel is as before its change.
        Each change is tried a few times: its author may be at it still, and where it can not be done nobody shall
        try for ever.
        """
        behind = [each for each in self.catalog.behind().items() if self._caught_up[each] < _TRIES]
        if not behind:
            return False
        self._caught_up.update(behind)
        with contextlib.suppress(HpcenvError, OSError):
            roll_forward(self.catalog)
        return True

    def facts(self) -> dict[str, Any]:
        """Return managers, Pythons, locations and rules, as ``GET site`` shows them."""
        return facts.gather(self._means)

    def presets(self) -> list[prepared.PresetFacts]:
        """Return the requests that staff prepared."""
        return prepared.known(self.site)

    def fill_preset(self, name: str, parameters: dict[str, Any]) -> CreateRequest:
        """Return the request, without a name, that a preset makes of *parameters*; nothing is built."""
        return prepared.fill(name, parameters, self._means)

    def check_presets(self, paths: list[Path] | None = None) -> list[prepared.Checked]:
        """Return what would become of each preset, for each choice of its parameters; slow."""
        return prepared.check(self._means, paths)

    def batch(self) -> BatchFacts:
        """Return the partitions of the batch system, which is asked for them."""
        return placing.facts(self.site)

    def profiles(self) -> list[KernelProfile]:
        """Return what kernels may run in besides the server's own computer."""
        return self.site.profiles()

    def locations(self) -> list[Location]:
        """Return all locations as they stand now, with what quotas say."""
        return with_quotas(self.site, all_locations(self.site))

    def sizes(self, references: Sequence[str] = (), *, wait: bool = False) -> list[Size]:
        """Return how large environments are (without *references*, all of the user's own).

        With *wait* they are measured where that is needed; else that is begun in a thread, and what is known returned.
        """
        if references:
            rows: list[Environment] = [self.catalog.find(reference) for reference in references]
        else:
            rows = [row for row in self.catalog.environments() if row.origin == "own"]
        return self.sizing.of(rows, wait=wait)

    def caches(self, *, wait: bool = False) -> list[Cache]:
        """Return where installers keep packages and how large that is; with *wait* it is measured first."""
        return self.caching.all(wait=wait)

    def history(self, reference: str) -> list[Event]:
        """Return what was done to an environment of the user's own, or to one in the trash, the oldest first."""
        try:
            identifier = self.catalog.find(reference).id
        except NotFound:
            identifier = undoing.of_deleted(reference, self._means).id
        return history.read(identifier, self.site)

    def health(self, reference: str, *, hashes: bool = False) -> health.Health:
        """Compare the files of an environment with what installers wrote down; with *hashes* each byte, else sizes."""
        return health.of_files(self.catalog.find(reference), hashes=hashes)

    def examine(self, reference: str = "") -> list[Finding]:
        """Return what is wrong with an environment, or with the account and all own environments."""
        return doctoring.examine(self.catalog, reference, self.managers)

    def search(self, query: str, environment: str = "", manager: str = "", limit: int = 20) -> list[Hit]:
        """Return where a package can be had, for an environment or for new ones; takes seconds."""
        row = self.catalog.find(environment) if environment else None
        if row is not None:
            self._changeable(row.id, *undoing.states(row))
        record = self.catalog.record(row.id) if row else None
        return searching.search(query, record, manager, limit, self._means)

    def packages(self, reference: str, *, inherited: bool = False) -> list[Any]:
        """Return what is installed in an environment, read from its files; with *inherited* also what it only sees."""
        row = self.catalog.find(reference)
        if row.state == "missing":
            raise WrongState(
                f"{row.name} can not be looked at. {row.message}", hints=["Build it again: “jupyter hpcenv rebuild”."]
            )
        manager = self.managers.get(row.manager)
        if manager is None:
            raise NotFound(f"No manager can list the packages of {row.name}.", hints=["Install its manager."])
        try:
            found = list(manager.list_packages(Path(row.prefix)))
            return everywhere.with_inherited(found, row.id, self.catalog) if inherited else found
        except (FileNotFoundError, NotADirectoryError):  # deleted while it was being read
            raise NotFound(f"{row.name} is gone.", hints=["List the environments again."]) from None

    def holders(self, package: str) -> list[everywhere.Holder]:
        """Return the user's own environments that hold a package, and by which request its version is held."""
        return everywhere.holders(package, self.catalog, self.managers)

    def export(self, reference: str, form: str = "") -> exporting.Exported:
        """Return what an environment holds as a file of that format; empty: what was asked for."""
        row = self.catalog.find(reference)
        if row.origin == "foreign" or row.state not in ("ready", "module_missing"):
            raise WrongState(
                f"What is in {row.name} can not be told. {row.message or 'It was made by another tool.'}",
                hints=["Write down what is in it with the tool that made it."],
            )
        return exporting.export(self.catalog.record(row.id), self._manager_of(row), form)

    def kernels(self) -> list[dict[str, Any]]:
        """Return our published kernels, each with the environment that it belongs to, also those for everybody."""
        return offered.offered(self.catalog)

    def activation(self, reference: str, dialect: str = "", *, several: bool = False, hook: bool = False) -> Activation:
        """Return how a shell, a module system or a batch job of that dialect uses an environment.

        With *hook* the user's own conda activates it, for the dialects that can.
        """
        row = self.catalog.find(reference)
        record = None if row.origin in ("foreign", "adopted") else self.catalog.record(row.id)
        return using.activation(row, record, self.site, dialect, several=several, hook=hook)

    def node_local(self, reference: str, dialect: str) -> Activation:
        """Return a batch job's frame that makes an environment anew on the node's disk, from what is in it now.

        Raises `InvalidRequest` for a dialect that is no batch system's, `WrongState` where no copy can be made.
        """
        if dialect not in activation.JOBS:
            raise InvalidRequest(
                "Only the node of a batch job has a disk of its own.",
                hints=[f"Take one of the dialects {' and '.join(activation.JOBS)}."],
            )
        row = self.catalog.find(reference)
        manager = self.managers.get(row.manager)
        if row.origin in ("foreign", "adopted") or manager is None:
            raise WrongState(
                f"{row.name} was made by another tool, so how to make it anew is not known.",
                hints=["Use it where it is.", "Or make an environment like it with “jupyter hpcenv create”."],
            )
        if row.state not in ("ready", "module_missing"):
            raise WrongState(
                f"What is in {row.name} can not be told. {row.message}", hints=["List the environments again."]
            )
        record = self.catalog.record(row.id)
        return using.node_local(record, manager.rebuild(record), self.site, dialect)
