"""Build an environment: prefix, packages, launch script, proof, record, kernelspec, in that order.

Writing the record is the commit. A failure before it leaves nothing but the log; a crash after it leaves
an environment whose kernelspec lags, which `jupyter_hpcenv.lifecycle.faces` puts right.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from .. import kernels
from ..catalog import Records, trash
from ..errors import HpcenvError, Interrupted
from ..files import explain
from ..managers.contract import Choice, Manager
from ..models import CreateRequest, Kernel, ModuleSet, Preinstalled, Record, Reporter, Step, Target, utc_now
from ..modules import Captured
from ..names import kernel_name, secret_warnings
from ..process import environment, stop_marked
from ..site import Site
from ..site.config import username
from ..site.target import alone
from . import bytecode, several
from .faces import publish_faces
from .ground import break_ground, clear_ground
from .surroundings import captured_again, surroundings


class Work(msgspec.Struct, kw_only=True):
    """What admission decided, as it travels in the ticket."""

    requirements: list[str]
    choice: Choice
    modules: ModuleSet | None = None
    """Captured when it was submitted; loaded again where it is built."""
    variables: dict[str, str] = {}
    """Of its kernel: the request's, and those of its file."""
    source: str = ""
    """The prefix that it is a clone of, if that is one's own."""
    effective: CreateRequest | None = None
    """The request with what a capsule or the source of a clone added to it; None: it is what was asked for."""
    preinstalled: Preinstalled | None = None
    """The manifest that it is built for."""
    closed: bool = False
    """Whether nobody else may enter the prefix, until somebody opens it."""
    target: str = ""
    """For which kind of computer it is, where it is to have several builds."""


def steps(manager: Manager, request: CreateRequest, *, modules: bool) -> list[Step]:
    """Return the steps that a create will report."""
    proof = "Prove the kernel" if request.kernel else "Prove the environment"
    load = [Step(name="modules", title="Load modules")] if modules else []
    return [*load, *manager.steps(request), Step(name="prove", title=proof), Step(name="publish", title="Publish")]


def rehearse(request: CreateRequest, work: Work, target: Target, site: Site) -> None:
    """Render the launch script that *request* will get, so that a broken template of the site is known before a build.

    Called by admission; raises what rendering raises.
    """
    python = work.choice.python
    record = Record(
        id=target.id,
        name=target.name,
        location=target.location,
        prefix=target.prefix,
        manager=request.manager,
        creator=work.choice.creator,
        installer=work.choice.installer,
        python=python.version,
        python_path=python.path,
        modules=work.modules,
        variables=work.variables,
        display_name=request.display_name or request.name,
        kernelspec={"argv": []} if request.kernel else {},
        platform=site.platform(),
        owner=username(),
        created="",
        changed="",
        operation="",
    )
    kernels.rehearse_launch(record, site)


def create(
    request: CreateRequest,
    work: Work,
    target: Target,
    operation: str,
    site: Site,
    manager: Manager,
    report: Reporter,
    guard: Callable[[], None],
    before: Record | None = None,
    commit: Callable[[Record], None] | None = None,
) -> Record:
    """Build what *request* asks for at ``target.prefix`` and return its record; called by the worker.

    *guard* raises when another process has taken the operation over: it is asked at the commit, and
    before anything is removed. *before* is the record of an environment that is built again. *commit* is called
    instead of writing the record and what follows from it, where the prefix is not to be an environment of its own.
    """
    prefix = Path(target.prefix)
    try:
        record = _build(
            request, work, target, operation, site, manager, report, guard, before, inner=commit is not None
        )
        report.step("publish")
        report.check()
        if commit is not None:
            commit(record)
            return record
        Records(site).write(record, guard)
    except BaseException as error:
        with contextlib.suppress(Interrupted):  # whoever took over cleans, and may have begun anew there
            stop_marked(operation)  # what a build started and left behind would go on writing
            clear_ground(prefix, operation, guard)
        if isinstance(error, OSError):
            raise explain(error, prefix) from error
        raise
    if warning := manager.arrived(prefix):
        report.line("warning", warning)
    try:
        if record.target:  # until now the launch script had nothing to choose from, so that the proof started this one
            several.write_launches(record, site, guard)
        Records(site).write_copy(record)
        publish_faces(record, site)
    except HpcenvError as error:
        report.line("error", f"The environment is there, but its kernel could not be published: {error.message}")
        raise
    return record


def plan(
    request: CreateRequest, work: Work, target: Target, site: Site, manager: Manager, report: Reporter
) -> dict[str, Any]:
    """Return what a create would install, as plain data; called by the worker. Nothing is built."""
    captured = _captured(work, site, report) if work.modules else None
    around = surroundings(captured, request.build_variables)
    return manager.plan(work.choice, work.requirements, Path(target.prefix), report, around)


def fetch(request: CreateRequest, work: Work, site: Site, manager: Manager, folder: Path, report: Reporter) -> Choice:
    """Put what a build needs into *folder*, its operation's, and return the choice by which it needs no network."""
    captured = _captured(work, site, report) if work.modules else None
    around = surroundings(captured, request.build_variables)
    return manager.fetch(work.choice, work.requirements, folder, report, around)


def _build(
    request: CreateRequest,
    work: Work,
    target: Target,
    operation: str,
    site: Site,
    manager: Manager,
    report: Reporter,
    guard: Callable[[], None],
    before: Record | None,
    *,
    inner: bool,
) -> Record:
    prefix = Path(target.prefix)
    if request.kernel:
        kernels.warm()
    for warning in secret_warnings(work.variables):
        report.line("warning", warning)
    break_ground(prefix, operation, closed=work.closed)
    if not inner:
        with contextlib.suppress(HpcenvError):
            trash.make_folder(prefix)  # now, so that deleting needs no room on a full disk
    captured = _captured(work, site, report)
    around = surroundings(captured, request.build_variables)
    built = manager.create(work.choice, work.requirements, prefix, report, around)
    if work.source and (taken := bytecode.take_over(Path(work.source), prefix)):
        report.line("output", f"{taken} compiled files are those of {work.source}.")
    title = request.display_name or f"{request.name} (Python {'.'.join(built.python.split('.')[:2])})"
    own_python = built.python_path if manager.name == "modules" else ""
    now = utc_now()
    platform = site.platform()
    if work.target:  # a job need not know the site's name of what it runs on
        platform.target = work.target
    record = Record(
        id=target.id,
        name=target.name,
        location=target.location,
        prefix=target.prefix,
        manager=manager.name,
        creator=built.creator,
        installer=built.installer,
        tools=built.tools,
        python=built.python,
        python_path=built.python_path,
        system_site_packages=work.choice.system_site_packages,
        packages=work.requirements if built.packages is None else built.packages,
        channels=built.channels,
        virtual_packages=request.virtual_packages,
        modules=captured.modules if captured else None,
        build_variables=request.build_variables,
        variables=work.variables,
        display_name=title,
        kernels=[Kernel(name=kernel_name(target.location, target.name), display_name=title)] if request.kernel else [],
        kernelspec=kernels.derive(prefix, own_python, around.environ) if request.kernel else {},
        platform=platform,
        on=request.on,
        profile=request.profile if request.kernel else "",
        owner=username(),
        created=now,
        changed=now,
        operation=operation,
        preinstalled=work.preinstalled,
        target=work.target,
        targets=request.targets,
    )
    if before is not None:
        record = _as_before(record, before)
    elif request.kernel:
        others, refused = kernels.kernels_of_languages(record)
        record.kernels += others
        for warning in refused:
            report.line("warning", warning)
    launch = kernels.write_launch(alone(record), site, guard)
    report.step("prove")
    if not record.python:
        report.line("output", "There is no Python in it, so nothing was started.")
        return record
    env = environment(site.passthrough)
    record.preflight = kernels.prove(record, launch, env, report.check, float(site.preflight_timeout))
    what = "The kernel started and answered" if request.kernel else "Its Python started"
    report.line("output", f"{what} in {record.preflight.seconds:.1f} s; its Python is {own_python or prefix}.")
    return record


def _as_before(record: Record, before: Record) -> Record:
    """Return the record of what was built again: what people know and decided of it stays."""
    return msgspec.structs.replace(
        record,
        packages=before.packages,
        channels=before.channels or record.channels,
        virtual_packages=before.virtual_packages,
        variables=before.variables,
        profile=before.profile,
        display_name=before.display_name,
        kernels=before.kernels,
        activation=before.activation,
        preinstalled=before.preinstalled,
        target=before.target,
        targets=before.targets,
        edition=before.edition + 1,
        created=before.created,
        revision=before.revision + 1,
    )


def _captured(work: Work, site: Site, report: Reporter) -> Captured | None:
    """Load the modules where the environment is built, and keep in the log what they say."""
    if work.modules is None:
        return None
    report.step("modules")
    report.line("output", f"Loading {', '.join(work.modules.load)}.")
    captured = captured_again(work.modules, site)
    for message in captured.modules.messages:
        report.line("warning", message)
    brought = sum(map(len, captured.modules.loaded.values()))
    report.detail(f"{brought} module{'' if brought == 1 else 's'}")
    return captured
