"""Change what an environment is called and gives its kernels; publish and unpublish kernels.

The record is written first; the launch script and the kernelspecs follow it. What could keep a kernel from
starting is proven before that, through a launch script beside the one in use.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import msgspec

from .. import kernels
from ..catalog import Records
from ..catalog.records import revised
from ..errors import NotFound, WrongState
from ..models import EnvironmentPatch, EnvironmentState, Kernel, KernelPatch, ModuleSet, Record, utc_now
from ..names import check_display_name, check_variables, kernel_name
from ..process import environment
from ..site import Site
from ..site.target import alone
from .faces import bring_in_step
from .surroundings import captured_again


def patched(record: Record, patch: EnvironmentPatch) -> Record:
    """Return *record* with a merge patch applied; raises for values that can not be."""
    title, variables = record.display_name, dict(record.variables)
    if patch.display_name is not msgspec.UNSET:
        title = check_display_name(patch.display_name) or record.name
    if patch.variables is not msgspec.UNSET:
        for name, value in patch.variables.items():
            if value is None:
                variables.pop(name, None)
            else:
                variables[name] = value
        check_variables(variables)
    renamed = [
        msgspec.structs.replace(kernel, display_name=title) if kernel.display_name == record.display_name else kernel
        for kernel in record.kernels
    ]
    profile = record.profile if patch.profile is msgspec.UNSET else patch.profile
    return revised(record, display_name=title, variables=variables, profile=profile, kernels=renamed, changed=utc_now())


def with_modules(record: Record, modules: ModuleSet | None) -> Record:
    """Return *record* with other modules, or none; raises `WrongState` for one that is nothing but modules."""
    if modules is None and record.manager == "modules":
        raise WrongState(
            f"{record.name} is made of modules alone, so it can not do without them.",
            hints=["Name the modules that it is to have, or delete it."],
        )
    return msgspec.structs.replace(record, modules=modules, edition=record.edition + 1)


def with_activation(record: Record, dialect: str) -> Record:
    """Return *record* with an activation file of that dialect among its faces."""
    return revised(record, activation=sorted({*record.activation, dialect}), changed=utc_now())


def refreshed(record: Record, site: Site) -> Record:
    """Return *record* as site and prefix are now: its modules captured again; raises what capturing raises."""
    modules = captured_again(record.modules, site).modules if record.modules else None
    return revised(with_languages(record), modules=modules, changed=utc_now())


def with_languages(record: Record) -> Record:
    """Return *record* with the kernels that its packages bring by now; called whenever packages have changed.

    One that was unpublished is published again. An environment without a kernel stays so.
    """
    if not record.kernels:
        return record
    brought = {kernel.name: kernel for kernel in kernels.kernels_of_languages(record)[0]}
    left = [kernel for kernel in record.kernels if not kernel.source or kernel.name in brought]
    known = {kernel.name for kernel in left}
    new = [kernel for name, kernel in brought.items() if name not in known]
    return msgspec.structs.replace(record, kernels=[*left, *new])


def matters(before: Record, after: Record, state: EnvironmentState) -> bool:
    """Tell whether a change is one after which the kernel must be proven again.

    A display name keeps no kernel from starting, but it is written into a kernelspec that promises one which starts.
    Where it is known that none does, *state*, it can still be called otherwise.
    """
    if (after.modules, after.variables) != (before.modules, before.variables):
        return True
    return after.display_name != before.display_name and state == "ready"


def proven(record: Record, site: Site) -> Record:
    """Return *record* with the proof that its kernel starts as it says; nothing that is in use is replaced.

    Raises `PreflightFailed`.
    """
    launch = kernels.write_launch(alone(record), site, name="launch.next")
    try:
        env = environment(site.passthrough)
        preflight = kernels.prove(record, launch, env, lambda: None, float(site.preflight_timeout))
    finally:
        with contextlib.suppress(OSError):  # nothing runs it, and the next proof writes over it
            launch.unlink()
    return msgspec.structs.replace(record, preflight=preflight)


#: What people know of a record, with the words for it.
_WORDS = {
    "display_name": "display name",
    "variables": "variables",
    "modules": "modules",
    "profile": "profile",
    "kernels": "kernels",
    "activation": "activation files",
}


def differing(before: Record, after: Record) -> list[str]:
    """Return in words what differs between two records of an environment, never a value."""
    return [words for field, words in _WORDS.items() if getattr(before, field) != getattr(after, field)]


def commit(record: Record, records: Records, site: Site, guard: Callable[[], None]) -> None:
    """Write a changed record and bring its faces in step; what can not be rendered is refused before.

    *guard* raises `Busy` when somebody else has taken the claim over; it is asked right before each step.
    """
    kernels.rehearse_launch(record, site)
    guard()
    records.write(record, guard)
    bring_in_step(record, records, site, guard)


def with_kernel(record: Record, name: str, patch: KernelPatch) -> Record:
    """Return *record* with a kernel of it published under a display name; raises `NotFound`, `WrongState`."""
    own = kernel_name(record.location, record.name)
    left = [kernel for kernel in record.kernels if kernel.name != name]
    if name != own:
        brought = {kernel.name: kernel for kernel in kernels.kernels_of_languages(record)[0]}
        if name not in brought:
            called = " and ".join(map(repr, [own, *brought]))
            raise NotFound(f"The kernels of {record.name}: {called}.", hints=[f"Publish {own!r}."])
        title = check_display_name(patch.display_name) or brought[name].display_name
        new = msgspec.structs.replace(brought[name], display_name=title)
        return revised(record, kernels=[*left, new], changed=utc_now())
    if not record.kernelspec:
        raise WrongState(f"{record.name} was made without a kernel.", hints=["Create it again without “--no-kernel”."])
    title = check_display_name(patch.display_name) or record.display_name
    return revised(record, kernels=[Kernel(name=own, display_name=title), *left], changed=utc_now())


def without_kernel(record: Record, name: str) -> Record:
    """Return *record* with the kernel of that name unpublished; raises `NotFound`."""
    left = [kernel for kernel in record.kernels if kernel.name != name]
    if len(left) == len(record.kernels):
        raise NotFound(f"{record.name} has no kernel {name!r}.", hints=["List its kernels to see what is published."])
    return revised(record, kernels=left, changed=utc_now())
