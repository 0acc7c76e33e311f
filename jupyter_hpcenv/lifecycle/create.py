"""Build an environment: prefix, packages, launch script, proof, record, kernelspec, in that order.

Writing the record is the commit. A failure before it leaves nothing but the log; a crash after it leaves
an environment whose kernelspec lags, which `jupyter_hpcenv.lifecycle.faces` puts right.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from .. import kernels
from ..catalog import Records, trash
from ..errors import HpcenvError, Interrupted
from ..files import explain
from ..managers.contract import Choice, Manager
from ..models import CreateRequest, Kernel, Record, Reporter, Step, Target, utc_now
from ..names import kernel_name
from ..process import environment, stop_marked
from ..site import Site
from ..site.config import username
from .faces import publish_faces
from .ground import break_ground, clear_ground


class Work(msgspec.Struct, kw_only=True):
    """What admission decided, as it travels in the ticket."""

    requirements: list[str]
    choice: Choice


def steps(manager: Manager, request: CreateRequest) -> list[Step]:
    """Return the steps that a create will report."""
    proof = "Prove the kernel" if request.kernel else "Prove the environment"
    return [*manager.steps(request), Step(name="prove", title=proof), Step(name="publish", title="Publish")]


def create(
    request: CreateRequest,
    work: Work,
    target: Target,
    operation: str,
    site: Site,
    manager: Manager,
    report: Reporter,
    guard: Callable[[], None],
) -> Record:
    """Build what *request* asks for at ``target.prefix`` and return its record; called by the worker.

    *guard* raises when another process has taken the operation over: it is asked at the commit, and
    before anything is removed.
    """
    prefix = Path(target.prefix)
    try:
        record = _build(request, work, target, operation, site, manager, report, guard)
        report.step("publish")
        report.check()
        Records(site).write(record, guard)
    except BaseException as error:
        with contextlib.suppress(Interrupted):  # whoever took over cleans, and may have begun anew there
            stop_marked(operation)  # what a build started and left behind would go on writing
            clear_ground(prefix, operation, guard)
        if isinstance(error, OSError):
            raise explain(error, prefix) from error
        raise
    try:
        Records(site).write_copy(record)
        publish_faces(record, site)
    except HpcenvError as error:
        report.line("error", f"The environment is there, but its kernel could not be published: {error.message}")
        raise
    return record


def _build(
    request: CreateRequest,
    work: Work,
    target: Target,
    operation: str,
    site: Site,
    manager: Manager,
    report: Reporter,
    guard: Callable[[], None],
) -> Record:
    prefix = Path(target.prefix)
    if request.kernel:
        kernels.warm()
    break_ground(prefix, operation)
    with contextlib.suppress(HpcenvError):
        trash.make_folder(prefix)  # now, so that deleting needs no room on a full disk
    built = manager.create(work.choice, work.requirements, prefix, report)
    title = request.display_name or f"{request.name} (Python {'.'.join(built.python.split('.')[:2])})"
    now = utc_now()
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
        system_site_packages=request.system_site_packages,
        packages=work.requirements,
        variables=request.variables,
        display_name=title,
        kernels=[Kernel(name=kernel_name(target.location, target.name), display_name=title)] if request.kernel else [],
        kernelspec=kernels.derive(prefix) if request.kernel else {},
        platform=site.platform(),
        owner=username(),
        created=now,
        changed=now,
        operation=operation,
    )
    launch = kernels.write_launch(record, site, guard)
    report.step("prove")
    env = environment(site.passthrough)
    record.preflight = kernels.prove(record, launch, env, report.check, float(site.preflight_timeout))
    what = "The kernel started and answered" if request.kernel else "Its Python started"
    report.line("output", f"{what} in {record.preflight.seconds:.1f} s; sys.prefix is {prefix}.")
    return record
