"""Submit requests and make quick changes, on behalf of one user.

Long work becomes an operation; what is one rename (delete, restore, a new display name) is done at once,
under the same claim. All methods are synchronous and safe to call from threads.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from traitlets.config import Config

from .. import activation, claims, doctor, kernels, policy
from ..catalog import Catalog, history
from ..doctor import Finding
from ..errors import (
    Busy,
    DiskFull,
    HpcenvError,
    InvalidRequest,
    KernelRunning,
    ManagerNotFound,
    NameTaken,
    NotFound,
    PreconditionFailed,
    Refused,
    WrongState,
)
from ..lifecycle import change, delete, health, templates
from ..lifecycle.faces import roll_forward
from ..lifecycle.surroundings import lost
from ..managers import load_managers
from ..managers.contract import Hit, Manager
from ..models import (
    AdoptRequest,
    Cache,
    Changes,
    CleanCaches,
    CleanedCache,
    CreateRequest,
    Environment,
    EnvironmentDetail,
    EnvironmentPatch,
    Event,
    Kernel,
    KernelPatch,
    Location,
    Operation,
    RebuildRequest,
    Record,
    ShareRequest,
    Sharing,
    Size,
    Ticket,
    TrashItem,
    UndoRequest,
    UseRequest,
    utc_now,
)
from ..names import check_kernel_name, new_operation_id
from ..operations import Operations
from ..site import Site
from ..site.config import username
from ..site.locations import all_locations, claims_for
from ..site.quotas import with_quotas
from . import (
    caching,
    check,
    creating,
    doctoring,
    everywhere,
    exporting,
    facts,
    packages,
    places,
    rebuilding,
    searching,
    sharing,
    undoing,
    using,
)
from .modules import Modules
from .reconcile import clear_litter, empty_expired, reconcile
from .using import Activation

#: Seconds that the first of two equal requests may take from its claim to its operation.
_TWIN = 3.0

#: How often lists try to bring one change's faces in step.
_TRIES = 5


class Admission:
    """The desk where every request is handed in; `catalog` and `operations` are for reading."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.site = Site(config=self.config)
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

    # -- create ---------------------------------------------------------

    def submit(self, verb: str, request: CreateRequest, idempotency_key: str = "") -> Operation:
        """Check *request*, claim the name and start the operation.

        The same key with the same request is answered with the same operation. Raises what the checks
        raise, `Busy` when the name is claimed, `NameTaken` when it is in use.
        """
        if verb != "create":
            raise InvalidRequest(f"There is no verb {verb!r}.", hints=["Use “create”."])
        identifier = new_operation_id()
        if idempotency_key:
            earlier = self._earlier(idempotency_key, request)
            if earlier is not None:
                return earlier
        try:
            return self._submit(verb, request, identifier, idempotency_key)
        except (Busy, NameTaken):
            # The same request may have been handed in twice at once, and the other one was faster.
            earlier = self._awaited(idempotency_key, request) if idempotency_key else None
            if earlier is None:
                raise
            return earlier

    def _awaited(self, key: str, request: CreateRequest | Changes, of: str = "") -> Operation | None:
        """Return the operation of a key that another call is just submitting, or None after a few seconds."""
        until = time.monotonic() + _TWIN
        while (earlier := self._earlier(key, request, of)) is None and time.monotonic() < until:
            time.sleep(0.05)
        return earlier

    def plan(self, request: CreateRequest) -> Operation:
        """Start an operation whose result says what a create would install; nothing is claimed and nothing built.

        Raises what the checks of a create raise.
        """
        ticket = creating.ticket("plan", request, new_operation_id(), "", self._means)
        if not ticket.steps:
            raise InvalidRequest(
                f"The manager {request.manager} can not say beforehand what it would install.",
                hints=["Create the environment; what was installed is in its log, and deleting it can be undone."],
            )
        return self.operations.submit(ticket)

    def _tell(self, manager: str, prefix: str, *, gone: bool) -> None:
        """Let the manager of an environment tell other tools of its kind that it came or went."""
        found = self.managers.get(manager)
        if found is not None:
            with contextlib.suppress(HpcenvError, OSError):  # they find out by themselves
                if gone:
                    found.gone(Path(prefix))
                else:
                    found.arrived(Path(prefix))

    def _submit(self, verb: str, request: CreateRequest, identifier: str, idempotency_key: str) -> Operation:
        ticket = creating.ticket(verb, request, identifier, idempotency_key, self._means)
        location, prefix = ticket.target.location, Path(ticket.target.prefix)
        self.reconcile()
        return self._start(ticket, lambda: check.check_free(self.catalog, request, location, prefix))

    def _start(self, ticket: Ticket, still: Callable[[], object]) -> Operation:
        """Take the claim and start the operation; *still* raises if it must not be by now."""
        root, name = Path(ticket.root), ticket.target.name
        claims.take(root, name, ticket.id, ticket.verb, ticket.user)
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

    # -- delete, restore ------------------------------------------------

    def delete(self, reference: str, *, now: bool = False, force: bool = False) -> TrashItem:
        """Move an environment to the trash; with *now* it can not be restored afterwards.

        Raises `KernelRunning` unless forced, `Refused` for what is not the user's, `Busy`.
        """
        row = self.catalog.find(reference)
        if row.origin == "adopted":
            return sharing.forgotten(row, self._means)
        delete.check_deletable(row)
        pids = [] if force else kernels.running(Path(row.prefix))
        if pids:
            raise KernelRunning(
                f"{len(pids)} kernel{'s' if len(pids) > 1 else ''} of {row.name} "
                f"{'are' if len(pids) > 1 else 'is'} running (process {', '.join(map(str, pids))}).",
                hints=["Shut the kernels down first, or delete with force."],
            )
        with self._claimed(row, "delete") as guard:
            row = self.catalog.find(row.id)  # as it stands now that nobody else changes it
            delete.check_deletable(row)
            item = delete.to_trash(self.catalog, row, guard)
        if item is not None:
            history.note(self.site, row.id, "delete", row.prefix)
        self._tell(row.manager, row.prefix, gone=True)
        if item is None:
            item = TrashItem(
                id=row.id,
                name=row.name,
                location=row.location,
                prefix=row.prefix,
                path="",
                python=row.python,
                deleted=utc_now(),
                expires=utc_now(),
            )
        elif now:
            delete.mark_gone(self.catalog, item)
            item.path = ""
        return item

    def restore(self, reference: str) -> EnvironmentDetail:
        """Bring an environment back from the trash with its kernel."""
        item = delete.find_item(self.catalog, reference)
        with self._claimed(item, "restore") as guard:
            delete.check_restorable(self.catalog, item)
            delete.restore(self.catalog, item, guard)
        history.note(self.site, item.id, "restore", item.prefix)
        found = self.catalog.find(item.id)
        self._tell(found.manager, found.prefix, gone=False)
        return found

    def empty(self, reference: str | None = None) -> list[TrashItem]:
        """Make one item, or all of them, unrestorable at once; `sweep` then removes the bytes."""
        self.reconcile()
        if reference is not None:
            item = delete.find_item(self.catalog, reference)
            delete.mark_gone(self.catalog, item)
            return [item]
        emptied = []
        for item in self.catalog.trash():
            with contextlib.suppress(Busy):
                delete.mark_gone(self.catalog, item)
                emptied.append(item)
        return emptied

    def sweep(self) -> int:
        """Remove what is marked and what the trash has kept long enough; slow, so run it in a thread."""
        self.operations.forget_old()
        with contextlib.suppress(HpcenvError, OSError):
            clear_litter(self.catalog, self.operations)
            rebuilding.keep_missing(self.catalog, self.managers)
            self.sizing.forget(set(self.catalog.records.copies_by_id()))
            undoing.forget_old(self.site)
        return empty_expired(self.catalog)

    # -- change ---------------------------------------------------------

    def patch(self, reference: str, patch: EnvironmentPatch, if_match: int | None = None) -> EnvironmentDetail:
        """Change display name, variables or modules; raises `PreconditionFailed` if the revision is another one.

        The kernel is proven first, which takes a second or more; if it does not start, all stays as it is. Only one
        that can not start anyway, because its Python or modules are gone, gets another display name without.
        """

        def edit(record: Record) -> Record:
            if if_match is not None and record.revision != if_match:
                raise PreconditionFailed(
                    f"{record.name} was changed in the meantime (revision {record.revision}, not {if_match}).",
                    hints=["Read it again, and repeat the change."],
                )
            changed = change.patched(record, patch)
            if patch.modules is not msgspec.UNSET:
                captured = self.modules.capture(patch.modules)
                loaded = list(captured.modules.load) if captured else []
                policy.enter(policy.Asked(manager=record.manager, modules=loaded))
                warnings.extend(lost(record, captured, self.site))
                changed = change.with_modules(changed, captured.modules if captured else None)
            return change.proven(changed, self.site) if change.matters(record, changed, row.state) else changed

        warnings: list[str] = []
        row = self.catalog.find(reference)
        if patch == EnvironmentPatch() and if_match is None:
            return row  # nothing to change, and no revision to count up
        return msgspec.structs.replace(self._edit(row.id, edit), warnings=warnings)

    def refresh(self, reference: str) -> EnvironmentDetail:
        """Capture the modules of an environment again, prove its kernel, and write anew what is rendered from it."""
        return self._edit(reference, lambda record: change.proven(change.refreshed(record, self.site), self.site))

    def publish(self, reference: str, kernel: str, patch: KernelPatch) -> Kernel:
        """Publish the kernel of an environment, under a display name of one's own."""
        check_kernel_name(kernel)
        detail = self._edit(reference, lambda record: change.with_kernel(record, kernel, patch))
        return next(each for each in detail.kernels if each.name == kernel)

    def unpublish(self, reference: str, kernel: str) -> None:
        """Take a kernel off the launcher; the environment stays."""
        check_kernel_name(kernel)
        self._edit(reference, lambda record: change.without_kernel(record, kernel))

    def change_packages(self, reference: str, changes: Changes, idempotency_key: str = "") -> Operation:
        """Start an operation that installs, updates and removes packages, or with `dry_run` says what that would do.

        The same key with the same request is answered with the same operation. Raises what the manager refuses, and
        `Busy` while the environment is being changed.
        """
        if idempotency_key and (earlier := self._earlier(idempotency_key, changes, reference)):
            return earlier
        self.reconcile()
        row = self._changeable(reference, *undoing.states(self.catalog.find(reference)))
        record, root = self.catalog.record(row.id), self._root(row)
        manager = self._manager_of(row)
        ticket = packages.ticket(record, changes, manager, root, new_operation_id(), idempotency_key, self._means)
        if changes.dry_run:
            return self.operations.submit(ticket)
        try:
            return self._start(ticket, lambda: self.catalog.find(row.id))
        except Busy:
            if idempotency_key and (earlier := self._awaited(idempotency_key, changes, reference)):
                return earlier  # handed in twice at once, and the other one was faster
            raise

    def undoable(self, reference: str) -> undoing.Undo:
        """Return what can be undone: of an environment its last change of packages, of a deleted one that."""
        try:
            row = self.catalog.find(reference)
        except NotFound:
            return undoing.look_deleted(undoing.of_deleted(reference, self._means))
        self._changeable(row.id, *undoing.states(row))
        return undoing.look(row, self._manager_of(row), self._means)

    def undo(self, reference: str, request: UndoRequest | None = None, idempotency_key: str = "") -> Operation:
        """Undo a deletion at once, or start an operation that undoes the last change of packages.

        The answer for a deletion is an operation that is finished. Raises `WrongState` where nothing can be undone.
        """
        request = request or UndoRequest()
        try:
            if idempotency_key and (earlier := self._same(idempotency_key, reference, undoing.asked(request))):
                return earlier
            row = self.catalog.find(reference)
        except NotFound:
            item = undoing.of_deleted(reference, self._means)
            if not request.dry_run:
                self.restore(item.id)
            return undoing.ended(item, request)
        self.reconcile()
        self._changeable(row.id, *undoing.states(row))
        manager, root = self._manager_of(row), self._root(row)
        ticket = undoing.ticket(self.catalog.record(row.id), request, idempotency_key, manager, root, self._means)
        if request.dry_run:
            return self.operations.submit(ticket)
        return self._start(ticket, lambda: undoing.last(self.catalog.record(row.id), manager, self._means))

    # -- sharing --------------------------------------------------------

    def share(self, reference: str, request: ShareRequest, idempotency_key: str = "") -> Operation:
        """Start an operation that lets a group or everybody use an environment; raises `Refused` with the reason."""
        return self._share(reference, sharing.sharing_of(request), idempotency_key)

    def unshare(self, reference: str, idempotency_key: str = "") -> Operation:
        """Start an operation that closes an environment to all but its owner."""
        return self._share(reference, None, idempotency_key)

    def _share(self, reference: str, chosen: Sharing | None, key: str) -> Operation:
        if key and (earlier := self._same(key, reference, sharing.asked(chosen))):
            return earlier
        self.reconcile()
        row = self._changeable(reference, "ready", "module_missing")
        record, root = self.catalog.record(row.id), self._root(row)
        ticket = sharing.ticket(record, chosen, self._manager_of(row), root, new_operation_id(), key, self._means)
        return self._start(ticket, lambda: self.catalog.find(row.id))

    def use(self, reference: str, request: UseRequest) -> EnvironmentDetail:
        """Trust an environment that a colleague shares, and publish a kernel of one's own for it."""
        return sharing.begin_using(reference, request, self._means)

    def unuse(self, reference: str) -> None:
        """Take that kernel away, and forget what was trusted."""
        sharing.stop_using(reference, self._means)

    def adopt(self, request: AdoptRequest) -> EnvironmentDetail:
        """Give an environment that another tool made a kernel, without writing into it."""
        return sharing.begin_adopting(request, self._means)

    def holders(self, package: str) -> list[everywhere.Holder]:
        """Return the user's own environments that hold a package, and by which request its version is held."""
        return everywhere.holders(package, self.catalog, self.managers)

    def repair(self, reference: str) -> Operation:
        """Start an operation that finishes a change of packages that was killed, or takes it back."""
        row = self._changeable(reference, "ready", "python_gone", "module_missing")
        return self._repair(row)

    def _repair(self, row: Environment) -> Operation:
        record, manager = self.catalog.record(row.id), self._manager_of(row)
        config = creating.effective(self.config, self.site, manager)
        ticket = packages.repair_ticket(record, self._root(row), config, new_operation_id())
        return self._start(ticket, lambda: self.catalog.find(row.id))

    def rebuild(self, reference: str, asked: RebuildRequest | None = None, idempotency_key: str = "") -> Operation:
        """Start an operation that builds an environment again whose prefix, or whose Python, is gone.

        Raises `WrongState` for one that is there, and what can be known to fail.
        """
        request = asked or RebuildRequest()
        return self._again("rebuild", reference, msgspec.to_builtins(request), idempotency_key)

    def move(self, reference: str, location: str, idempotency_key: str = "") -> Operation:
        """Start an operation that builds an environment at another location and then trashes it where it was."""
        return self._again("move", reference, {"location": location}, idempotency_key)

    def _again(self, verb: str, reference: str, asked: dict[str, Any], key: str) -> Operation:
        if key and (earlier := self._same(key, reference, asked)):
            return earlier
        self.reconcile()
        moving = verb == "move"
        states = ("ready", "module_missing", "missing", *(() if moving else ("python_gone",)))
        row = self._changeable(reference, *states)
        if moving:
            rebuilding.check_movable(row, asked["location"])
            claims.look(self._old_root(row), row.name)
        else:
            rebuilding.check_rebuildable(row)
        record, manager, size = self.catalog.record(row.id), self._manager_of(row), self.sizing.known(row)
        old_root = str(self._old_root(row)) if moving else ""
        ticket = rebuilding.ticket(verb, record, asked, manager, new_operation_id(), key, size, old_root, self._means)
        prefix = Path(ticket.target.prefix)
        return self._start(ticket, lambda: rebuilding.check_still(row, prefix, self.catalog, moving=moving))

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

    def _edit(self, reference: str, edit: Callable[[Record], Record]) -> EnvironmentDetail:
        row = self._changeable(reference, "ready", "python_gone", "module_missing")
        templates.require(self.site, row.location)
        with self._claimed(row, "change") as guard:
            before = self.catalog.record(row.id)
            after = edit(before)
            change.commit(after, self.catalog.records, self.site, guard)
        history.note(self.site, row.id, "edit", ", ".join(change.differing(before, after)))
        return self.catalog.find(row.id)

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

    # -- reading --------------------------------------------------------

    def reconcile(self) -> list[str]:
        """Close operations whose worker is gone and put right what a crash left."""
        return [*reconcile(self.catalog, self.operations), *self._repair_left()]

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
        return facts.gather(self.site, self.managers)

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

    def clean_caches(self, asked: CleanCaches) -> list[CleanedCache]:
        """Clean caches, or say what would go; slow, so run it in a thread. What is in use stays, and says why."""
        return self.caching.clean(asked)

    def history(self, reference: str) -> list[Event]:
        """Return what was done to an environment of the user's own, or to one in the trash, the oldest first."""
        try:
            identifier = self.catalog.find(reference).id
        except NotFound:
            identifier = delete.find_item(self.catalog, reference).id
        return history.read(identifier, self.site)

    def health(self, reference: str, *, hashes: bool = False) -> health.Health:
        """Compare the files of an environment with what installers wrote down; with *hashes* each byte, else sizes."""
        return health.of_files(self.catalog.find(reference), hashes=hashes)

    def examine(self, reference: str = "") -> list[Finding]:
        """Return what is wrong with an environment, or with the account and all own environments."""
        return doctoring.examine(self.catalog, reference, self.managers)

    def mend(self, reference: str = "", *, dry_run: bool = False) -> list[doctoring.Done]:
        """Carry out what the doctor can do about each of these findings, or only say what that is."""
        verbs = doctoring.Verbs(self.rebuild, self.refresh)
        return doctoring.mend(self.examine(reference), self.catalog, verbs, dry_run=dry_run)

    def put_back(self, word: str) -> str:
        """Bring back what a fix put aside; return where it is."""
        return str(doctor.put_back(word, self.site))

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
        """Return our published kernels, each with the environment that it belongs to."""
        rows = {row.id: row for row in self.catalog.environments()}
        found = []
        for name, spec in kernels.published(self.site).items():
            row = rows.get(str(spec.get("environment", "")))
            found.append(
                {
                    "name": name,
                    "display_name": str(spec.get("display_name", name)),
                    "path": str(self.site.kernels_dir / name),
                    "environment": row.id if row else "",
                    "location": row.location if row else "",
                    "state": "ready" if row and row.state in ("ready", "module_missing") else "orphan",
                }
            )
        return found

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

    def install_activation(self, reference: str, dialect: str) -> Activation:
        """Install the activation file of that dialect where its users look for it, and keep it in step from now on."""
        chosen = using.installable(dialect)

        def edit(record: Record) -> Record:
            activation.install(chosen, record, self.site)
            return change.with_activation(record, chosen)

        self._edit(reference, edit)
        return self.activation(reference, dialect)


def _instead(row: Environment) -> list[str]:
    """Return what can be done with an environment in a state in which it can not be changed."""
    if row.state in ("missing", "python_gone"):  # what is kept of it is all that there is, and goes when it is deleted
        again = f"Build it again: “jupyter hpcenv rebuild {row.name}”."
        elsewhere = f"Or in another location: “jupyter hpcenv move {row.name} LOCATION”."
        return [again, *([elsewhere] if row.state == "missing" else [])]
    if row.state == "slow":
        return ["Wait until its filesystem answers."]
    return ["Clone it, if its packages can still be told; else delete it and create it again."]
