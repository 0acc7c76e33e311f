"""Change what an environment is called and gives its kernels; publish and unpublish kernels.

The record is written first; the launch script and the kernelspecs follow it.
"""

from __future__ import annotations

import msgspec

from ..catalog import Records
from ..catalog.records import revised
from ..errors import NotFound, WrongState
from ..models import EnvironmentPatch, Kernel, KernelPatch, Record, utc_now
from ..names import check_display_name, check_variables, kernel_name
from ..site import Site
from .faces import bring_in_step


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
    return revised(record, display_name=title, variables=variables, kernels=renamed, changed=utc_now())


def commit(record: Record, records: Records, site: Site) -> None:
    """Write a changed record and bring its faces in step."""
    records.write(record)
    bring_in_step(record, records, site)


def with_kernel(record: Record, name: str, patch: KernelPatch) -> Record:
    """Return *record* with its kernel published under a display name; raises `NotFound`, `WrongState`."""
    own = kernel_name(record.location, record.name)
    if name != own:
        raise NotFound(f"The kernel of {record.name} is called {own!r}.", hints=[f"Publish {own!r}."])
    if not record.kernelspec:
        raise WrongState(f"{record.name} was made without a kernel.", hints=["Create it again without “--no-kernel”."])
    title = check_display_name(patch.display_name) or record.display_name
    return revised(record, kernels=[Kernel(name=own, display_name=title)], changed=utc_now())


def without_kernel(record: Record, name: str) -> Record:
    """Return *record* with the kernel of that name unpublished; raises `NotFound`."""
    left = [kernel for kernel in record.kernels if kernel.name != name]
    if len(left) == len(record.kernels):
        raise NotFound(f"{record.name} has no kernel {name!r}.", hints=["List its kernels to see what is published."])
    return revised(record, kernels=left, changed=utc_now())
