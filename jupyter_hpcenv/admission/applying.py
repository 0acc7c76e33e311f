"""Bring what a manifest asks for to everybody: build, test, switch, publish; and back.

Whatever is killed in the middle, the next run finds: an operation goes on by itself and is waited for, what was built
and not published is published. Each environment that is built goes through the desk, as any request does.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .. import claims, manifest
from ..catalog import glance
from ..errors import HpcenvError, InvalidRequest, KernelRunning, NotFound, Refused, WrongState
from ..files import make_private
from ..lifecycle import health
from ..managers.changing import name_of
from ..manifest import Found, Step, Wanted, access, publishing
from ..models import FINISHED, Changes, Environment, Operation, Record
from ..process import environment, run
from ..site.config import username
from ..site.locations import root_of
from . import packages
from .publisher import Publisher

if TYPE_CHECKING:
    from .desk import Admission

#: Seconds between two looks at an operation, and between two signs of life for the claim on the whole run.
_LOOK, _BEAT = 0.1, 15.0


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a manifest is to be applied."""

    dry_run: bool = False
    prune: bool = False
    verify: bool = False
    """Compare all files of the environments, not only what a glance shows."""
    limit: int | None = None
    """How many environments may be built or removed in this run; None: all."""
    prune_limit: int | None = None


class Report(msgspec.Struct, kw_only=True):
    """What was done, or with a dry run is to be done."""

    label: str
    dry_run: bool
    steps: list[Step]

    @property
    def failed(self) -> list[Step]:
        """What did not work."""
        return [step for step in self.steps if step.error]

    @property
    def changes(self) -> list[Step]:
        """What was brought to what the manifest says, or with a dry run is to be; not what failed or has to wait."""
        done = [step for step in self.steps if step.act in manifest.CHANGING and not step.error]
        return [step for step in done if step.done or self.dry_run]


Tell = Callable[[Step], None]


def refuse_root() -> None:
    """Raise `Refused` for uid 0: builds run code of packages, and what root runs can do anything."""
    if os.geteuid() == 0:
        raise Refused(
            "A manifest is not applied as root, because what it installs would run as root.",
            hints=[
                "Give environments for everybody an account of their own, which owns their location and nothing else.",
                "Then run it as that account: “runuser -u ACCOUNT -- jupyter hpcenv apply …”.",
            ],
        )


class Applying:
    """One run over a manifest."""

    def __init__(self, desk: Admission, path: Path, tell: Tell | None = None) -> None:
        refuse_root()
        self._desk, self._site = desk, desk.site
        self._settings = desk.manifests
        self._document = manifest.read(path)
        self._tell = tell or (lambda step: None)
        self._publisher = Publisher(self._settings, self._site, self._folder, self._document.label)
        self._stopped = threading.Event()
        self._publishing = threading.Lock()

    # -- the three things that can be asked for ---------------------------------

    def plan(self, options: Options) -> Report:
        """Return what is to be done; nothing is changed."""
        wanted = self._planned(options)
        return self._report([each.step for each in wanted], options)

    def apply(self, options: Options) -> Report:
        """Do it, and return what was done; what fails hinders nothing else. Raises `Busy` beside another run."""
        os.umask(0o022)  # what is built is for others to read; workers inherit it
        with self._alone() as guard:
            self._desk.reconcile()
            self._wait_for_running(guard)
            wanted = self._planned(options)
            self._refuse_too_many(wanted, options)
            costly = [each for each in wanted if each.step.act in manifest.COSTLY]
            later = {id(each.step) for each in costly[options.limit :]} if options.limit is not None else set()
            now = [each for each in wanted if each.step.act in manifest.CHANGING and id(each.step) not in later]
            self._carry_out([each for each in now if each.step.act != "prune"], guard)
            self._carry_out([each for each in now if each.step.act == "prune"], guard)
            for each in wanted:
                if id(each.step) in later:
                    each.step.why = "It is left to the next run."
                if each.step.act == "left" and self._was_replaced(each):
                    each.step.why = "Everybody was given it until now."
            return self._published([each.step for each in wanted], options)

    def roll_back(self, name: str) -> Report:
        """Let everybody have the release before the one in use; that one is not taken again until there is another."""
        with self._alone():
            entry = self._entry(name)
            location = entry.request.location or self._default_of(name)
            root = root_of(self._site, location)
            now = manifest.current(root, name)
            if not now:
                raise WrongState(
                    f"{name} has no releases, so there is none to go back to.",
                    hints=[f"“jupyter hpcenv undo {name}” takes its last change back."],
                )
            found = self._release_before(location, name, now, manifest.held_back(root, name))
            assert found.record is not None
            assert found.record.preinstalled is not None
            release = found.record.preinstalled.release
            older = msgspec.structs.replace(entry, release=release)
            step = Step(name=name, release=release, location=location, act="finish", why=f"{now} is held back.")
            manifest.hold(root, name, now)  # first: a run that comes in between must not switch forward again
            self._show(older, found.record, root)
            step.done = True
            return self._published([step], Options())

    def go_forward(self, name: str) -> Report:
        """Let everybody have the release again that somebody went back from; so a rollback is undone."""
        with self._alone():
            entry = self._entry(name)
            location = entry.request.location or self._default_of(name)
            root = root_of(self._site, location)
            held = manifest.held_back(root, name)
            if not held:
                raise WrongState(
                    f"No release of {name} is held back.", hints=["Apply the manifest: it takes the release it names."]
                )
            found = next((each for created, release, each in self._releases(location, name) if release == held), None)
            if found is None or found.record is None or found.row.state != "ready" or glance.gone(found.record):
                raise WrongState(
                    f"The release {held} of {name} is held back, and can not be used any more.",
                    hints=["Build it again: give its content another release in the manifest."],
                )
            again = msgspec.structs.replace(entry, release=held)
            step = Step(name=name, release=held, location=location, act="finish", why="It was held back until now.")
            self._show(again, found.record, root)
            manifest.hold(root, name, "")  # also where a rollback was killed before it switched
            step.done = True
            return self._published([step], Options())

    # -- planning ---------------------------------------------------------------

    def _was_replaced(self, wanted: Wanted) -> bool:
        """Tell whether a release that was in use when this run began is so no more."""
        if wanted.step.why == manifest.IN_USE:
            with contextlib.suppress(HpcenvError):
                return manifest.current(wanted.root, wanted.step.name) != wanted.step.release
        return False

    def _planned(self, options: Options) -> list[Wanted]:
        look = self._verified if options.verify else None
        if options.prune and not self._document.labelled:
            raise InvalidRequest(
                f"{Path(self._document.path).name} says no “label”, and a manifest of the same name in another folder "
                "would have the same one, so nothing is removed.",
                hints=[
                    f"Write “label: {self._document.label}” below “version: 1”; what it has made carries that one.",
                    "Give each manifest a label of its own.",
                ],
            )
        wanted = manifest.plan(self._document, self._found(), self._site, self._settings, look=look)
        unsure = any(each.step.act == "error" for each in wanted)
        for each in wanted:
            if each.step.act == "prune" and (unsure or not options.prune):
                each.step.act = "left"
                if options.prune:
                    each.step.why = "Nothing is removed while the manifest has errors."
        return wanted

    def _found(self) -> list[Found]:
        """Return what the account has, each with its record; read once for all."""
        catalog = self._desk.catalog
        rows, copies = catalog.compared()
        found = []
        for row in rows:
            if row.origin != "own":
                continue
            record: Record | None = copies.get(row.id) if row.state in ("missing", "slow", "broken") else None
            if record is None:
                with contextlib.suppress(HpcenvError, OSError):
                    record = catalog.records.read(row.prefix)[0]
            found.append(Found(row, record))
        return found

    def _verified(self, row: Environment, record: Record) -> str:
        """Return what is wrong with the files of an environment, by their sizes."""
        if record.manager == "modules":
            return ""
        told = health.of_files(row, hashes=False)
        return "" if told.healthy else "Files of it are not as they were installed."

    def _refuse_too_many(self, wanted: list[Wanted], options: Options) -> None:
        most = self._settings.prune_limit if options.prune_limit is None else options.prune_limit
        count = sum(each.step.act == "prune" for each in wanted)
        if count > most:
            raise Refused(
                f"The manifest “{self._document.label}” would remove {count} environments, and {most} is the most.",
                hints=[
                    "See which: “--prune --dry-run”. An empty or cut manifest asks for nothing.",
                    f"If that is meant, say so: “--prune-limit {count}”.",
                ],
            )

    def _published(self, steps: list[Step], options: Options) -> Report:
        """Return the report, with what became of the site's own program."""
        called = self._publisher.call()
        if called is not None:
            steps.append(called)
            self._tell(called)
        return self._report(steps, options)

    def _report(self, steps: list[Step], options: Options) -> Report:
        return Report(label=self._document.label, dry_run=options.dry_run, steps=steps)

    # -- doing ------------------------------------------------------------------

    @contextlib.contextmanager
    def _alone(self) -> Iterator[Callable[[], None]]:
        """Hold the claim on the whole manifest: two runs, as of an impatient cron, would undo each other's work."""
        with claims.held(self._folder, self._document.label, "apply", username()) as guard:
            yield guard

    @property
    def _folder(self) -> Path:
        return make_private(self._site.data_dir / "manifests")

    def _wait_for_running(self, guard: Callable[[], None]) -> None:
        """Wait for what a run began that was killed: its workers live on, and hold the claims on what they build."""
        roots = {str(root_of(self._site, name)) for name in self._site.locations if self._resolves(name)}
        for operation in self._desk.operations.list():
            if operation.state not in FINISHED and any(operation.environment.prefix.startswith(r) for r in roots):
                with contextlib.suppress(HpcenvError):
                    self._followed(operation, guard)

    def _resolves(self, location: str) -> bool:
        with contextlib.suppress(HpcenvError):
            return bool(root_of(self._site, location))
        return False

    def _carry_out(self, wanted: list[Wanted], guard: Callable[[], None]) -> None:
        """Do all of it, some at a time."""
        if not wanted:
            return
        pool = ThreadPoolExecutor(self._settings.parallel, thread_name_prefix="hpcenv-apply")
        try:
            waiting: set[Future[None]] = {pool.submit(self._one, each) for each in wanted}
            while waiting:
                done, waiting = wait(waiting, timeout=_BEAT, return_when=FIRST_COMPLETED)
                for each in done:
                    each.result()
                guard()
        except BaseException:
            self._stopped.set()  # workers build on; the next run finds what they have built
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _one(self, wanted: Wanted) -> None:
        step = wanted.step
        try:
            self._do(wanted)
            step.done = True
        except HpcenvError as error:
            step.fail(error)
        except OSError as error:
            step.error = f"The disk refused it: {error}."
        except Exception as error:  # noqa: BLE001  a fault of ours in one must not keep the others from being built
            step.error = f"jupyter_hpcenv met an error that it does not know: {type(error).__name__}: {error}."
        self._tell(step)

    def _do(self, wanted: Wanted) -> None:
        step, entry, found, root = wanted
        if step.act == "prune":
            self._prune(wanted)
            return
        assert entry is not None
        if step.act in ("repair", "change", "replace"):
            publishing.close(entry, root, self._publisher.remember)
        if step.act == "retire":
            self._publisher.remember()
            manifest.withdraw(step.location, entry.name, self._settings, self._site)
            return
        if step.act == "build":
            self._build(step, entry, root)
        elif step.act == "repair":
            assert found is not None
            self._ended(step, self._desk.rebuild(found.row.id))
        elif step.act == "change":
            assert found is not None
            self._change(step, entry, found)
        elif step.act == "replace":
            assert found is not None
            self._replace(step, entry, found, root)
        record = self._record_of(entry, root)
        self._show(self._tested(step, entry, record), self._record_of(entry, root), root)

    def _build(self, step: Step, entry: manifest.Entry, root: Path) -> None:
        request = msgspec.structs.replace(entry.request, name=entry.own_name, location=step.location)
        if entry.release:
            prefix = str(manifest.prefix_of(root, entry.name, entry.release))
            request = msgspec.structs.replace(request, location="", prefix=prefix)
        title = publishing.title_of(entry)
        request = msgspec.structs.replace(request, display_name=title)
        if not root.exists() and root.parent.is_dir():
            with contextlib.suppress(FileExistsError):
                root.mkdir(mode=0o755)  # else it would be made for the account alone
        publishing.close(entry, root, self._publisher.remember)
        self._ended(step, self._desk.preinstall(request, entry.preinstalled(self._document.label)))

    def _change(self, step: Step, entry: manifest.Entry, found: Found) -> None:
        """Install and remove what differs, in place; where the test fails then, all is as before."""
        record, desk = found.record, self._desk
        assert record is not None
        changes = self._difference(record, entry)
        if changes != Changes():
            self._ended(step, desk.change_packages(record.id, changes))
        now = desk.catalog.records.read(record.prefix)[0]
        try:
            self._try(entry, now)
        except HpcenvError:
            if changes != Changes():
                self._ended(step, desk.undo(record.id))
            raise
        desk.relabel(record.id, entry.preinstalled(self._document.label, entry.test_digest))

    def _difference(self, record: Record, entry: manifest.Entry) -> Changes:
        """Return what has to be installed and removed so that an environment is what is asked for now."""
        wanted: list[str] = []
        if entry.request.packages:
            asked = Changes(install=entry.request.packages)
            wanted = packages.canonical(asked, self._desk.managers[record.manager], self._site).install
        names = {_name_of(line) for line in wanted}
        return Changes(
            install=[line for line in wanted if line not in record.packages],
            remove=[name for line in record.packages if (name := _name_of(line)) not in names],
        )

    def _replace(self, step: Step, entry: manifest.Entry, found: Found, root: Path) -> None:
        """Build another one in its place; where that fails, the one before comes back from the trash."""
        item = self._desk.delete(found.row.id)
        try:
            self._build(step, entry, root)
            self._try(entry, self._record_of(entry, root))
        except HpcenvError:
            with contextlib.suppress(HpcenvError, OSError):
                self._desk.delete(f"{step.location}/{entry.name}", now=True)
            if item.path:
                self._desk.restore(item.id)
            raise

    def _tested(self, step: Step, entry: manifest.Entry, record: Record) -> manifest.Entry:
        """Run the test if it was not passed yet, and write down that it is; raises `WrongState` where it fails."""
        told = record.preinstalled
        if entry.test and (told is None or told.tested != entry.test_digest or step.act in ("build", "repair")):
            self._try(entry, record)
            self._desk.relabel(record.id, entry.preinstalled(self._document.label, entry.test_digest))
        return entry

    def _try(self, entry: manifest.Entry, record: Record) -> None:
        if not entry.test:
            return
        argv = [f"{record.prefix}/.hpcenv/launch", "-c", entry.test]
        env = environment(self._site.passthrough)
        done = run(argv, env=env, check=self._check, timeout=float(self._settings.test_timeout))
        if not done.ok:
            raise WrongState(
                f"The test of {entry.own_name} failed, so nobody is given it.",
                hints=[
                    "What was there before stays as it is.",
                    f"Try it yourself: {argv[0]} -c … ; then correct the environment, or its test.",
                ],
                reason="\n".join(list(done.tail)[-10:]),
            )

    def _show(self, entry: manifest.Entry, record: Record, root: Path) -> None:
        """Let everybody have it: permissions, the link, the kernels; each step is done only where that is needed."""
        folder = publishing.closed_folder(entry, root)
        if not access.is_as(folder, entry.visible):
            self._publisher.remember()
            access.restrict(folder, entry.visible)
        if entry.release and manifest.current(root, entry.name) != entry.release:
            self._publisher.remember()
            with claims.held(root, entry.name, "switch", username()) as guard:
                guard()
                manifest.switch(root, entry.name, entry.release)
                if manifest.held_back(root, entry.name) == entry.release:
                    manifest.hold(root, entry.name, "")
        wanted = manifest.publications(entry, record, root, self._settings, self._site)
        if not manifest.stands(wanted, self._settings):
            self._publisher.remember()
            with self._publishing:  # it is quick, and makes the folder of kernels where there is none
                manifest.publish(wanted, self._settings, self._site)

    def _prune(self, wanted: Wanted) -> None:
        """Move what nobody asks for to the trash; what is in use is left for another run."""
        step, _, found, root = wanted
        assert found is not None
        self._publisher.remember()
        in_use = bool(step.release) and manifest.current(root, step.name) == step.release
        if in_use or not step.release:
            manifest.withdraw(step.location, step.name, self._settings, self._site)
        try:
            self._desk.delete(found.row.id)
        except KernelRunning as error:
            step.act, step.why = "left", error.message
            return
        if in_use:
            manifest.take_down(root, step.name)

    # -- what these need -------------------------------------------------------

    def _ended(self, step: Step, operation: Operation) -> None:
        """Wait for an operation; raises `WrongState` with its words where it did not succeed."""
        step.operation = operation.id
        done = self._followed(operation)
        if done.state == "interrupted":
            self._desk.reconcile()
            done = self._desk.operations.get(done.id)  # committed work counts
        if done.state != "succeeded":
            body = done.error or {}
            raise WrongState(
                str(body.get("message", "")) or f"The operation is {done.state}.",
                reason=str(body.get("reason", "")),
                hints=[*map(str, body.get("hints", ())), f"Read its log: “jupyter hpcenv log {done.id}”."],
            )

    def _followed(self, operation: Operation, guard: Callable[[], None] | None = None) -> Operation:
        looks = 0
        while operation.state not in FINISHED:
            self._check()
            self._stopped.wait(_LOOK)
            looks += 1
            if guard is not None and looks % int(_BEAT / _LOOK) == 0:
                guard()
            operation = self._desk.operations.get(operation.id)
        return operation

    def _check(self) -> None:
        if self._stopped.is_set():
            raise WrongState("This run was stopped.", hints=["Run it again: it goes on where it was."])

    def _record_of(self, entry: manifest.Entry, root: Path) -> Record:
        place = manifest.prefix_of(root, entry.name, entry.release) if entry.release else root / entry.name
        try:
            return self._desk.catalog.records.read(place)[0]
        except FileNotFoundError:
            raise NotFound(f"{place} is gone again.", hints=["Run it again."]) from None

    def _entry(self, name: str) -> manifest.Entry:
        for entry in self._document.environments:
            if entry.name == name:
                return entry
        known = ", ".join(sorted({entry.name for entry in self._document.environments})) or "none"
        raise InvalidRequest(f"The manifest has no environment {name!r}.", hints=[f"It has these: {known}."])

    def _default_of(self, name: str) -> str:
        wanted = manifest.plan(self._document, self._found(), self._site, self._settings)
        return next(each.step.location for each in wanted if each.step.name == name)

    def _release_before(self, location: str, name: str, now: str, held: str) -> Found:
        """Return the newest whole release that was built before the one in use; not one that was gone back from."""
        releases = self._releases(location, name)
        order = manifest.order(root_of(self._site, location), name)
        if now in order:  # else by their clocks, which may have been set back between two of them
            releases = [(f"{order.index(one[1]):09}", *one[1:]) for one in releases if one[1] in order]
        built = next((created for created, release, _ in releases if release == now), "")
        before = [
            each
            for created, release, each in sorted(releases, key=lambda one: one[0], reverse=True)
            if created < built
            and release != held
            and each.row.state == "ready"
            and each.record
            and not glance.gone(each.record)
        ]
        if not before:
            raise WrongState(
                f"There is no release of {name} before {now} that could be used.",
                hints=["Older ones are kept as “keep” in the manifest says.", "What was removed lies in the trash."],
            )
        return before[0]

    def _releases(self, location: str, name: str) -> list[tuple[str, str, Found]]:
        """Return the releases of an environment of this manifest, each after its name and the time it was built."""
        releases: list[tuple[str, str, Found]] = []
        for each in self._found():
            told = each.record.preinstalled if each.record else None
            if each.record is None or told is None or each.row.location != location:
                continue
            if (told.label, told.name) == (self._document.label, name):
                releases.append((each.record.created, told.release, each))
        return releases


def _name_of(line: str) -> str:
    """Return the name in a requirement or in a match spec."""
    return name_of(line) or line.partition("::")[2].partition(" ")[0] or line.partition(" ")[0]
