"""Hold what a desk works with: the site, the catalog, operations, managers and claims."""

from __future__ import annotations

import contextlib
import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from traitlets.config import Config

from .. import claims
from ..catalog import Catalog
from ..errors import (
    DiskFull,
    HpcenvError,
    ManagerNotFound,
    Refused,
    WrongState,
)
from ..managers import load_managers
from ..managers.contract import Manager
from ..manifest import Manifest
from ..models import (
    Changes,
    CreateRequest,
    Environment,
    Operation,
    Ticket,
    TrashItem,
)
from ..names import new_operation_id
from ..operations import Operations
from ..site import Site
from ..site.config import username
from ..site.locations import claims_for
from . import (
    architectures,
    caching,
    creating,
    packages,
    places,
    placing,
    targets,
)
from .modules import Modules
from .reconcile import reconcile

#: Seconds that the first of two equal requests may take from its claim to its operation.
_TWIN = 3.0


class Holding:
    """What reading and acting have in common; `catalog` and `operations` are for reading."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.site = Site(config=self.config)
        self.manifests = Manifest(config=self.config)
        self.catalog = Catalog(self.site)
        self.operations = Operations(self.site)
        self.modules = Modules(self.site)
        self.sizing = places.Sizing(self.catalog)
        self.caching = caching.Caching(self.catalog, lambda: self.managers, self.operations)
        self._caught_up: Counter[tuple[str, int]] = Counter()

    @functools.cached_property
    def managers(self) -> dict[str, Manager]:
        """The environment managers that are installed."""
        return load_managers(self.config, self.site)

    @property
    def _means(self) -> creating.Means:
        return creating.Means(self.config, self.site, self.catalog, self.managers, self.modules)

    def _start(self, ticket: Ticket, still: Callable[[], object]) -> Operation:
        """Take the claim and start the operation; *still* raises if it must not be by now."""
        root, name = Path(ticket.root), ticket.target.name
        placing.place(ticket, self.site, self.catalog, self.managers)
        claims.take(root, name, ticket.id, ticket.verb, ticket.user, queued=ticket.batch is not None)
        try:
            still()
            if ticket.idempotency_key:
                known = self.operations.remember(ticket.idempotency_key, ticket.id)
                if known is not None:
                    claims.release(root, name, ticket.id)
                    return self.operations.get(known)
            return self.operations.submit(ticket)
        except BaseException:
            claims.release(root, name, ticket.id)
            raise

    def _awaited(self, key: str, request: CreateRequest | Changes, of: str = "") -> Operation | None:
        """Return the operation of a key that another call is just submitting, or None after a few seconds."""
        until = time.monotonic() + _TWIN
        while (earlier := self._earlier(key, request, of)) is None and time.monotonic() < until:
            time.sleep(0.05)
        return earlier

    def _earlier(self, key: str, request: CreateRequest | Changes, of: str = "") -> Operation | None:
        known = self.operations.known(key)
        if known is None:
            return None
        operation = self.operations.get(known)
        other = bool(of) and operation.environment.id != self.catalog.find(of).id
        if other or operation.request != msgspec.to_builtins(request):
            raise WrongState(
                "That idempotency key was used for another request.",
                hints=["Use a new key for a new request."],
                reason=operation.id,
            )
        return operation

    def _same(self, key: str, reference: str, asked: dict[str, Any]) -> Operation | None:
        """Return the operation of an idempotency key; raises `WrongState` where that was for something else."""
        known = self.operations.known(key)
        if known is None:
            return None
        operation = self.operations.get(known)
        if operation.request != asked or operation.environment.id != self.catalog.find(reference).id:
            raise WrongState(
                "That idempotency key was used for another request.",
                hints=["Use a new key for a new request."],
                reason=operation.id,
            )
        return operation

    def _tell(self, manager: str, prefix: str, *, gone: bool) -> None:
        """Let the manager of an environment tell other tools of its kind that it came or went."""
        found = self.managers.get(manager)
        if found is not None:
            with contextlib.suppress(HpcenvError, OSError):  # they find out by themselves
                if gone:
                    found.gone(Path(prefix))
                else:
                    found.arrived(Path(prefix))

    def _manager_of(self, row: Environment) -> Manager:
        manager = self.managers.get(row.manager)
        if manager is None:
            raise ManagerNotFound(
                f"{row.name} was made by the manager {row.manager!r}, which is not installed here.",
                hints=[f"These are installed: {', '.join(sorted(self.managers)) or 'none'}."],
            )
        return manager

    def _changeable(self, reference: str, *states: str) -> Environment:
        """Return the row of an environment of the user's own in one of *states*; raises `Refused`, `WrongState`."""
        row = self.catalog.find(reference)
        if row.origin != "own":
            raise Refused(
                f"{row.name} is not yours to change.", hints=["Ask its owner, or make an environment of your own."]
            )
        if row.state not in states:
            raise WrongState(f"{row.name} can not be changed. {row.message}", hints=_instead(row))
        return row

    @contextlib.contextmanager
    def _claimed(self, what: Environment | TrashItem, verb: str) -> Iterator[Callable[[], None]]:
        """Hold the claim for a change at once, and give what guards each of its steps."""
        root = self._root(what)
        if not root.is_dir():
            yield lambda: None  # the location itself is gone: there is nothing left that a claim could protect
            return

        def unclaimed() -> None:
            """Raise `Busy` if somebody has the claim by now."""
            claims.look(root, what.name)

        with contextlib.ExitStack() as stack:
            guard = unclaimed
            try:
                guard = stack.enter_context(claims.held(root, what.name, verb, username()))
            except DiskFull:
                if verb != "delete" or claims.taken(root, what.name):
                    raise  # what makes room works without a claim, if nobody else has one
            yield guard

    def _old_root(self, row: Environment) -> Path:
        """Return the folder of claims where an environment is moved from; its location may be missing as it is."""
        try:
            return self._root(row)
        except HpcenvError:
            if row.state != "missing":
                raise
            return Path(row.prefix).parent

    def _root(self, what: Environment | TrashItem) -> Path:
        return claims_for(self.site, what.location, what.prefix)

    def reconcile(self) -> list[str]:
        """Close operations whose worker is gone and put right what a crash left."""
        return [*self._put_right(), *self._build_left()]

    def _put_right(self) -> list[str]:
        return [*reconcile(self.catalog, self.operations), *self._repair_left()]

    def _repair(self, row: Environment) -> Operation:
        record, manager = self.catalog.record(row.id), self._manager_of(row)
        config = creating.effective(self.config, self.site, manager)
        ticket = packages.repair_ticket(record, self._root(row), config, new_operation_id())
        return self._start(ticket, lambda: self.catalog.find(row.id))

    def _repair_left(self) -> list[str]:
        """Start a repair for each environment whose change was killed; return what was started, a line each."""
        done = []
        for row in self.catalog.environments():
            if row.origin == "own" and row.state in ("ready", "python_gone", "module_missing"):
                with contextlib.suppress(HpcenvError, OSError):
                    if packages.left_behind(Path(row.prefix)) and not claims.taken(self._root(row), row.name):
                        self._repair(row)
                        done.append(f"A change of {row.name} was killed; it is being put right.")
        return done

    def _build(self, row: Environment, target: str, key: str = "") -> Operation:
        """Start building an environment for one more kind of computer."""
        record, manager = self.catalog.record(row.id), self._manager_of(row)
        root, identifier = self._root(row), new_operation_id()
        claims.look(root, row.name)
        ticket = architectures.ticket(record, target, manager, root, identifier, key, self._means)
        return self._start(ticket, lambda: self.catalog.find(row.id))

    def _begun(self, identifier: str, target: str) -> Operation | None:
        """Return the last operation that was to build what an environment still lacks, if it is under way or failed.

        One that succeeded is of a prefix that was built again since.
        """
        for operation in self.operations.list():
            ours = operation.verb == "build" and operation.environment.id == identifier
            if ours and operation.request.get("target") == target:
                return operation if operation.state != "succeeded" else None
        return None

    def _build_left(self) -> list[str]:
        """Begin the builds that environments were asked for with and nobody has begun; return a line each."""
        done = []
        for row in self.catalog.environments():
            record = self.catalog.records.seen(row.prefix) if row.origin == "own" else None
            for target in targets.left(record) if record is not None and row.state == "ready" else []:
                with contextlib.suppress(HpcenvError, OSError):
                    if not claims.taken(self._root(row), row.name) and self._begun(row.id, target) is None:
                        self._build(row, target)
                        done.append(f"{row.name} is being built for {target}.")
        return done


def _instead(row: Environment) -> list[str]:
    """Return what can be done with an environment in a state in which it can not be changed."""
    if row.state in ("missing", "python_gone"):  # what is kept of it is all that there is, and goes when it is deleted
        again = f"Build it again: “jupyter hpcenv rebuild {row.name}”."
        elsewhere = f"Or in another location: “jupyter hpcenv move {row.name} LOCATION”."
        return [again, *([elsewhere] if row.state == "missing" else [])]
    if row.state == "slow":
        return ["Wait until its filesystem answers."]
    return ["Clone it, if its packages can still be told; else delete it and create it again."]
