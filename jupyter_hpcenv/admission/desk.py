"""Submit requests and make quick changes, on behalf of one user.

Long work becomes an operation; what is one rename (delete, restore, a new display name) is done at once,
under the same claim. All methods are synchronous and safe to call from threads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from .. import activation, claims, doctor, kernels, policy
from ..catalog import history
from ..catalog.records import revised
from ..errors import (
    Busy,
    HpcenvError,
    InvalidRequest,
    KernelRunning,
    NameTaken,
    NotFound,
    PreconditionFailed,
)
from ..lifecycle import builds, change, delete, job_folder, templates
from ..lifecycle.surroundings import lost
from ..manifest import Step
from ..models import (
    FINISHED,
    AdoptRequest,
    Changes,
    CleanCaches,
    CleanedCache,
    CreateRequest,
    EnvironmentDetail,
    EnvironmentPatch,
    Kernel,
    KernelPatch,
    Operation,
    Preinstalled,
    RebuildRequest,
    Record,
    ShareRequest,
    Sharing,
    TrashItem,
    UndoRequest,
    UseRequest,
    utc_now,
)
from ..names import check_kernel_name, new_operation_id
from ..site.config import username
from . import (
    check,
    creating,
    doctoring,
    giving,
    packages,
    places,
    rebuilding,
    sharing,
    targets,
    undoing,
    using,
)
from .acting import act
from .applying import Applying
from .reading import Reading
from .reconcile import clear_litter, empty_expired
from .using import Activation


class Admission(Reading):
    """The desk where every request is handed in."""

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

    def preinstall(self, request: CreateRequest, told: Preinstalled) -> Operation:
        """Start building an environment that a manifest asks for, whose record says so; raises as `submit`."""
        ticket = creating.ticket("create", request, new_operation_id(), "", self._means)
        ticket.work["preinstalled"] = msgspec.to_builtins(told)
        ticket.work["closed"] = not told.release  # until its test was passed; a release lies in a folder that is
        location, prefix = ticket.target.location, Path(ticket.target.prefix)
        return self._start(ticket, lambda: check.check_free(self.catalog, request, location, prefix))

    def relabel(self, reference: str, told: Preinstalled) -> EnvironmentDetail:
        """Write into a record what a manifest says of the environment by now; nothing else is changed."""
        return self._edit(reference, lambda record: revised(record, preinstalled=told))

    def applying(self, path: Path, tell: Callable[[Step], None] | None = None) -> Applying:
        """Return one run over a manifest; raises for one that can not be read, and for root."""
        return Applying(self, path, tell)

    def give(self) -> list[str]:
        """Begin to build what the site's manifests have for each user; return what was begun, a sentence each."""
        return giving.give(self)

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

    def _submit(self, verb: str, request: CreateRequest, identifier: str, idempotency_key: str) -> Operation:
        ticket = creating.ticket(verb, request, identifier, idempotency_key, self._means)
        location, prefix = ticket.target.location, Path(ticket.target.prefix)
        self.reconcile()
        return self._start(ticket, lambda: check.check_free(self.catalog, request, location, prefix))

    @act("delete")
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

    @act("restore")
    def restore(self, reference: str) -> EnvironmentDetail:
        """Bring an environment back from the trash with its kernel."""
        item = delete.find_item(self.catalog, reference)
        own = [row for row in self.catalog.environments() if row.origin == "own"]
        policy.check_amounts(lambda: len(own), lambda: places.taken(self.catalog))
        with self._claimed(item, "restore") as guard:
            delete.check_restorable(self.catalog, item)
            delete.restore(self.catalog, item, guard)
        history.note(self.site, item.id, "restore", item.prefix)
        found = self.catalog.find(item.id)
        self._tell(found.manager, found.prefix, gone=False)
        return found

    @act("empty")
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
        with contextlib.suppress(HpcenvError):
            job_folder.sweep(self.site)
        return empty_expired(self.catalog)

    @act("edit")
    def patch(self, reference: str, patch: EnvironmentPatch, if_match: int | None = None) -> EnvironmentDetail:
        """Change name, variables, profile or modules; raises `PreconditionFailed` if the revision is another one.

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
                asked.modules = loaded
                policy.enter(asked)
                policy.ask("edit", asked, username())
                warnings.extend(lost(record, captured, self.site))
                changed = change.with_modules(changed, captured.modules if captured else None)
            return change.proven(changed, self.site) if change.matters(record, changed, row.state) else changed

        warnings: list[str] = []
        row = self.catalog.find(reference)
        if patch == EnvironmentPatch() and if_match is None:
            return row  # nothing to change, and no revision to count up
        if patch.profile:  # the empty one is none
            self.site.profile(str(patch.profile))
        asked = policy.Asked(manager=row.manager, told=policy.told(patch))
        if patch.modules is msgspec.UNSET:
            policy.ask("edit", asked, username())
        return msgspec.structs.replace(self._edit(row.id, edit), warnings=warnings)

    @act("refresh")
    def refresh(self, reference: str) -> EnvironmentDetail:
        """Capture the modules of an environment again, prove its kernel, and write anew what is rendered from it."""
        return self._edit(reference, lambda record: change.proven(change.refreshed(record, self.site), self.site))

    @act("publish")
    def publish(self, reference: str, kernel: str, patch: KernelPatch) -> Kernel:
        """Publish the kernel of an environment, under a display name of one's own."""
        check_kernel_name(kernel)
        detail = self._edit(reference, lambda record: change.with_kernel(record, kernel, patch))
        return next(each for each in detail.kernels if each.name == kernel)

    @act("unpublish")
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

    @act("use")
    def use(self, reference: str, request: UseRequest) -> EnvironmentDetail:
        """Trust an environment that a colleague shares, and publish a kernel of one's own for it."""
        return sharing.begin_using(reference, request, self._means)

    @act("unuse")
    def unuse(self, reference: str) -> None:
        """Take that kernel away, and forget what was trusted."""
        sharing.stop_using(reference, self._means)

    @act("adopt")
    def adopt(self, request: AdoptRequest) -> EnvironmentDetail:
        """Give an environment that another tool made a kernel, without writing into it."""
        return sharing.begin_adopting(request, self._means)

    def repair(self, reference: str) -> Operation:
        """Start an operation that finishes a change of packages that was killed, or takes it back."""
        row = self._changeable(reference, "ready", "python_gone", "module_missing")
        return self._repair(row)

    def rebuild(self, reference: str, asked: RebuildRequest | None = None, idempotency_key: str = "") -> Operation:
        """Start an operation that builds an environment again whose prefix, or whose Python, is gone.

        Raises `WrongState` for one that is there, and what can be known to fail.
        """
        request = asked or RebuildRequest()
        return self._again("rebuild", reference, msgspec.to_builtins(request), idempotency_key)

    def move(self, reference: str, location: str, idempotency_key: str = "") -> Operation:
        """Start an operation that builds an environment at another location and then trashes it where it was."""
        return self._again("move", reference, {"location": location}, idempotency_key)

    def build(self, reference: str, target: str = "", idempotency_key: str = "") -> Operation:
        """Start an operation that builds an environment for one more kind of computer, or anew; empty: for this one.

        Raises what can be known to fail.
        """
        asked = {"target": target}
        if idempotency_key and (earlier := self._same(idempotency_key, reference, asked)):
            return earlier
        self._put_right()
        row = self._changeable(reference, "ready", "python_gone", "module_missing")
        return self._build(row, target, idempotency_key)

    def built(self, reference: str, target: str = "") -> dict[str, Any] | None:
        """Return the build for a target as the operation that made it did, if it can start now; empty: for this one."""
        record = self.catalog.record(self.catalog.find(reference).id)
        target = target or targets.here(self.site)
        build = record.builds.get(target)
        if build is None or build.edition != record.edition or not Path(build.prefix, ".hpcenv/launch").exists():
            return None
        return {"environment": record.id, "prefix": build.prefix, "target": target, "differences": []}

    def build_left(self, reference: str) -> Operation | None:
        """Start the next build that an environment was asked for with, or return one that is under way; None: no more.

        One that has failed is not begun again; ask for it with `build`.
        """
        self._put_right()
        row = self._changeable(reference, "ready", "python_gone", "module_missing")
        for target in targets.left(self.catalog.record(row.id)):
            begun = self._begun(row.id, target)
            if begun is None or begun.state not in FINISHED:
                return begun or self._build(row, target)
        return None

    @act("edit")
    def drop_build(self, reference: str, target: str) -> EnvironmentDetail:
        """Remove the build for a target; raises `NotFound`, and `KernelRunning` where a kernel of it runs here."""
        row = self._changeable(reference, "ready", "python_gone", "module_missing")
        with self._claimed(row, "change") as guard:
            before = self.catalog.record(row.id)
            targets.check_dropping(before, target)
            after = builds.without_build(before, target)
            change.commit(after, self.catalog.records, self.site, guard)
            builds.sweep(after, guard)
        history.note(self.site, row.id, "edit", f"without the build for {target}")
        return self.catalog.find(row.id)

    def _again(self, verb: str, reference: str, asked: dict[str, Any], key: str) -> Operation:
        if key and (earlier := self._same(key, reference, asked)):
            return earlier
        self.reconcile()
        moving = verb == "move"
        found = self.catalog.find(reference)
        states = ("ready", "module_missing", "missing") if moving else rebuilding.states(found, self.catalog)
        row = self._changeable(found.id, *states)
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

    def _edit(self, reference: str, edit: Callable[[Record], Record]) -> EnvironmentDetail:
        row = self._changeable(reference, "ready", "python_gone", "module_missing")
        templates.require(self.site, row.location)
        with self._claimed(row, "change") as guard:
            before = self.catalog.record(row.id)
            after = edit(before)
            change.commit(after, self.catalog.records, self.site, guard)
        history.note(self.site, row.id, "edit", ", ".join(change.differing(before, after)))
        return self.catalog.find(row.id)

    @act("clean_caches")
    def clean_caches(self, asked: CleanCaches) -> list[CleanedCache]:
        """Clean caches, or say what would go; slow, so run it in a thread. What is in use stays, and says why."""
        return self.caching.clean(asked)

    @act("put_aside")
    def mend(self, reference: str = "", *, dry_run: bool = False) -> list[doctoring.Done]:
        """Carry out what the doctor can do about each of these findings, or only say what that is."""
        verbs = doctoring.Verbs(self.rebuild, self.refresh)
        return doctoring.mend(self.examine(reference), self.catalog, verbs, dry_run=dry_run)

    @act("put_back")
    def put_back(self, word: str) -> str:
        """Bring back what a fix put aside; return where it is."""
        return str(doctor.put_back(word, self.site))

    @act("activation")
    def install_activation(self, reference: str, dialect: str) -> Activation:
        """Install the activation file of that dialect where its users look for it, and keep it in step from now on."""
        chosen = using.installable(dialect)

        def edit(record: Record) -> Record:
            activation.install(chosen, record, self.site)
            return change.with_activation(record, chosen)

        self._edit(reference, edit)
        return self.activation(reference, dialect)
