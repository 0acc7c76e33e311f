"""Decide about building an environment again, where it was or elsewhere, from what the data folder keeps of it."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Any

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from .. import claims, kernels, policy
from ..catalog import Catalog, glance, lockfiles
from ..catalog.lockfiles import Lockfile
from ..catalog.records import RECORD
from ..errors import HpcenvError, KernelRunning, NameTaken, PythonNotFound, WrongState
from ..files import decode, read_regular
from ..lifecycle import create, exact, health, rebuild, templates
from ..lifecycle.packages import note_of
from ..lifecycle.surroundings import surroundings
from ..managers import integrity
from ..managers.changing import name_of
from ..managers.contract import Choice, Manager, Surroundings
from ..models import (
    BY_PIP,
    Contents,
    CreateRequest,
    Environment,
    EnvironmentState,
    Record,
    Size,
    Step,
    Target,
    Ticket,
    utc_now,
)
from ..modules import Captured
from ..site import Site
from ..site.config import username
from ..site.locations import ELSEWHERE, place_for
from . import places
from .creating import Means, effective


def states(row: Environment, catalog: Catalog) -> tuple[EnvironmentState, ...]:
    """Return the states in which an environment can be built again; a broken one only if its record was kept."""
    kept: tuple[EnvironmentState, ...] = ("broken",) if catalog.records.remembers(row.id) else ()
    return ("ready", "module_missing", "missing", "python_gone", *kept)


def check_rebuildable(row: Environment) -> None:
    """Raise `WrongState` for an environment that is there and works, or that can not be looked at."""
    if row.state == "broken":
        return  # `states` has looked
    if row.state == "missing" or (row.state == "python_gone" and row.manager != "conda"):
        return
    if row.state in ("ready", "module_missing") and is_damaged(row):
        return
    if row.state in ("ready", "python_gone", "module_missing"):
        raise WrongState(
            f"{row.name} is there, so it is not built again. {row.message}".rstrip(),
            hints=[
                "Its files are as they were installed, so there is nothing to build again.",
                "To have other packages in it, use “update”; to bring back a killed change, “repair”.",
            ],
        )
    raise WrongState(f"{row.name} can not be built again now. {row.message}", hints=["List the environments again."])


def is_damaged(row: Environment) -> bool:
    """Tell whether files of an environment are gone, or are not as they were installed."""
    if row.manager == "modules":
        return False
    with contextlib.suppress(HpcenvError, OSError):
        if glance.gone(decode(read_regular(Path(row.prefix) / RECORD), Record, row.prefix)):
            return True
    gone = any(facts is None for _, facts in integrity.files(Path(row.prefix)))
    return gone or not health.of_files(row, hashes=True).healthy


def check_movable(row: Environment, location: str) -> None:
    """Raise for an environment that lies there already, or whose kernels run."""
    if row.location == location:
        raise WrongState(f"{row.name} lies in {location} already.", hints=["Name another location."])
    pids = kernels.running(Path(row.prefix))
    if pids:
        many = len(pids) > 1
        raise KernelRunning(
            f"{len(pids)} kernel{'s' if many else ''} of {row.name} {'are' if many else 'is'} running "
            f"(process {', '.join(map(str, pids))}).",
            hints=["Shut the kernels down first; they could not find their files where it is moved from."],
        )


def check_still(row: Environment, prefix: Path, catalog: Catalog, *, moving: bool) -> None:
    """Raise if something has come to where it is to be built; called with the claim held."""
    if moving or row.state == "missing":
        if os.path.lexists(prefix):
            raise NameTaken(
                f"Something is at {prefix} by now.", hints=["Look at what it is, and delete or rename it first."]
            )
        for other in catalog.environments(location=row.location if not moving else ""):
            beside = Path(other.prefix).parent == prefix.parent and other.id != row.id
            if beside and other.name.lower() == row.name.lower():
                raise NameTaken(
                    f"There is an environment {other.name} at {other.prefix} already.",
                    hints=["Delete that one first, or choose another location."],
                )
    elif catalog.find(row.id).state != row.state:
        raise WrongState(f"{row.name} was changed in the meantime.", hints=["List the environments again."])


def ticket(
    verb: str,
    record: Record,
    asked: dict[str, Any],
    manager: Manager,
    identifier: str,
    key: str,
    size: Size,
    old_root: str,
    means: Means,
) -> Ticket:
    """Return the operation that builds *record*'s environment again; raises what can be known to fail.

    *old_root* is where the claim lies on what is moved away; empty where it is built again.
    """
    config, site, _, _, modules = means
    request = request_of(record, asked.get("location", ""))
    location, root, prefix = place_for(site, request.name, request.location, request.prefix, _minor(record.python))
    claims.look(root, request.name)
    places.check_fits(site, location, prefix, places.need_of(size, site), record.name)
    captured = modules.capture(record.modules.load) if record.modules else None
    kept = kept_of(record, manager, site, moving=bool(old_root))
    work = work_of(record, request, manager, captured, kept, python=str(asked.get("python", "")))
    work.old_root = old_root
    work.aside = not old_root and os.path.lexists(prefix)
    short = _minor((work.exact or work.asked).choice.python.version or record.python)
    location, root, prefix = place_for(site, request.name, request.location, request.prefix, short)
    choice = (work.exact or work.asked).choice
    asked_of_site = policy.Asked(
        manager=manager.name,
        location=location,
        installer=choice.installer,
        python=choice.python.version,
        python_path=choice.python.path,
        modules=list(captured.modules.load) if captured else [],
        told=policy.told(request),
    )
    policy.enter(asked_of_site)
    policy.ask(verb, asked_of_site, username())
    target = Target(id=record.id, name=record.name, location=location, prefix=str(prefix))
    create.rehearse(request, work.asked, target, site)
    templates.require(site, location)
    steps = steps_of(request, manager, captured, kept)
    return Ticket(
        id=identifier,
        verb=verb,
        target=target,
        root=str(root),
        request=asked,
        asked=msgspec.to_builtins(asked_of_site),
        config=effective(config, site, manager),
        work=msgspec.to_builtins(work),
        steps=steps,
        submitted=utc_now(),
        user=username(),
        host=socket.gethostname(),
        idempotency_key=key,
    )


def work_of(
    record: Record,
    request: CreateRequest,
    manager: Manager,
    captured: Captured | None,
    kept: Lockfile | None,
    *,
    python: str = "",
    target: str = "",
) -> rebuild.Work:
    """Return what a worker is to build: what was asked for once, and the exact packages where they are known."""
    around = surroundings(captured, record.build_variables)
    work = rebuild.Work(
        request=request,
        before=record,
        asked=create.Work(
            requirements=_lines(record, manager),
            choice=_choice(record, request, manager, around, python),
            modules=captured.modules if captured else None,
            variables=record.variables,
            closed=_is_closed(record),
            target=target or record.target,
        ),
        versions=kept.versions if kept else {},
    )
    work.exact = _exact(record, kept, work, manager, around)
    return work


def steps_of(request: CreateRequest, manager: Manager, captured: Captured | None, kept: Lockfile | None) -> list[Step]:
    """Return the steps that building again will report."""
    steps = create.steps(manager, request, modules=captured is not None)
    if manager.language == "conda" and kept and kept.contents.pip and not any(step.name == "pip" for step in steps):
        at = next((index for index, step in enumerate(steps) if step.name == "prove"), len(steps))
        steps.insert(at, Step(name="pip", title="Install with pip"))
    return steps


def keep_missing(catalog: Catalog, managers: dict[str, Manager]) -> int:
    """Write down the exact packages of what is there and has no lockfile of today; return of how many."""
    done = 0
    for row in catalog.environments():
        if row.origin != "own" or row.state not in ("ready", "module_missing") or row.manager not in managers:
            continue
        with contextlib.suppress(HpcenvError, OSError):
            record = catalog.record(row.id)
            if lockfiles.revision_of(row.id, catalog.site) < record.revision and note_of(Path(row.prefix)) is None:
                exact.keep(record, managers[row.manager], catalog.site)
                done += 1
    return done


def request_of(record: Record, location: str) -> CreateRequest:
    """Return what would have to be asked for to get the environment of *record* anew."""
    released = record.preinstalled is not None and record.preinstalled.release  # it lies deeper in its location
    elsewhere = not location and (record.location in ("", ELSEWHERE) or bool(released))
    return CreateRequest(
        name=record.name,
        manager=record.manager,
        location="" if elsewhere else location or record.location,
        prefix=record.prefix if elsewhere else "",
        installer=record.installer if record.manager == "venv" else "",
        creator=record.creator if record.manager == "venv" else "",
        system_site_packages=record.system_site_packages if record.manager == "venv" else None,
        modules=record.modules.load if record.modules else [],
        build_variables=record.build_variables,
        channels=record.channels,
        virtual_packages=record.virtual_packages,
        variables=record.variables,
        display_name=record.display_name,
        kernel=bool(record.kernelspec),
    )


def _is_closed(record: Record) -> bool:
    """Tell whether a manifest's environment is to be built where nobody else can enter; in doubt it is."""
    if record.preinstalled is None or record.preinstalled.release:
        return False
    with contextlib.suppress(OSError):
        return not Path(record.prefix).stat().st_mode & 0o005
    return True


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def kept_of(record: Record, manager: Manager, site: Site, *, moving: bool) -> Lockfile | None:
    """Return what is known of the exact packages: what is there now, or what was kept."""
    if moving:
        with contextlib.suppress(HpcenvError, OSError):
            return exact.taken(record, manager)
    return lockfiles.read(record.id, site)


def _lines(record: Record, manager: Manager) -> list[str]:
    return [] if manager.language == "conda" else list(record.packages)


def _choice(record: Record, request: CreateRequest, manager: Manager, around: Surroundings, python: str) -> Choice:
    """Let the manager decide as for a new environment, on the Python that it had, or one as near to it as there is."""
    if manager.language == "conda":
        specs = [line for line in record.packages if not line.startswith(BY_PIP)]
        pip = [line.removeprefix(BY_PIP) for line in record.packages if line.startswith(BY_PIP)]
        named = any(spec.split("::")[-1].split(" ")[0] == "python" for spec in specs)
        wanted = python or ("" if named or not record.python else record.python)
        asked = msgspec.structs.replace(request, python=wanted)
        return manager.check(asked, specs, around, Contents(kind="", pip=pip))
    if python:
        return manager.check(msgspec.structs.replace(request, python=python), list(record.packages), around)
    if record.manager == "modules" or around.python:
        return manager.check(request, list(record.packages), around)
    tried = [record.python_path] if os.access(record.python_path, os.X_OK) else []
    failed: HpcenvError | None = None
    for wanted in [*tried, record.python, _minor(record.python)]:
        try:
            return manager.check(msgspec.structs.replace(request, python=wanted), list(record.packages), around)
        except PythonNotFound as error:
            failed = error
    raise PythonNotFound(
        f"{record.name} was built on Python {record.python}, and there is no Python {_minor(record.python)} here.",
        hints=["Name the Python that it is to be built on: “--python 3.12”; “jupyter hpcenv pythons” lists them."],
    ) from failed


def _exact(
    record: Record, kept: Lockfile | None, work: rebuild.Work, manager: Manager, around: Surroundings
) -> create.Work | None:
    """Return the work that takes the exact packages; None where they are not known, or no one has them."""
    if kept is None or record.manager == "modules":
        return None
    contents = kept.contents
    if manager.language == "conda":
        if not contents.pinned:
            return None
        specs = [line for line in record.packages if not line.startswith(BY_PIP)]
        given = Contents(kind="explicit", pinned=contents.pinned, pip=contents.pip, asked=specs)
        try:
            choice = manager.check(msgspec.structs.replace(work.request, channels=[]), [], around, given)
        except HpcenvError:
            return None
        return msgspec.structs.replace(work.asked, choice=choice)
    same = _minor(work.asked.choice.python.version) == _minor(record.python)
    if not same:
        return None  # on another Python other versions are right
    pins = [line for line in contents.pip if not _contradicts(line, record.packages)]
    pinned = {str(canonicalize_name(name_of(line) or line.partition(" @ ")[0])) for line in pins}
    others = [line for line in record.packages if name_of(line) not in pinned]
    return msgspec.structs.replace(work.asked, requirements=[*pins, *others])


def _contradicts(pin: str, asked: list[str]) -> bool:
    """Tell whether a pin is none that was asked for: a lockfile lags where a worker died right after its change."""
    name, _, version = pin.partition("==")
    for line in asked:
        with contextlib.suppress(InvalidRequirement):
            wanted = Requirement(line)
            if version and not wanted.url and canonicalize_name(wanted.name) == name:
                return not wanted.specifier.contains(version, prereleases=True)
    return False
