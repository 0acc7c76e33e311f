"""Find and shut down the kernels that this Jupyter server runs for an environment."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from jupyter_core.utils import ensure_async

from ..errors import KernelRunning
from ..models import Environment


class OwnKernel(NamedTuple):
    """A kernel of this server; ``session`` and ``path`` are empty where no document uses it."""

    kernel: str
    session: str
    path: str


async def shut_down_or_refuse(settings: Mapping[str, Any], environment: Environment, *, force: bool) -> None:
    """Free an environment of this server's kernels before it is deleted; raises `KernelRunning` without *force*.

    Kernels that other servers run are found by the desk, which looks at the processes of this host. Only the
    user's own environments are touched: for others the desk refuses the deletion, and nothing must stop for it.
    """
    if environment.origin != "own":
        return
    running = await find(settings, {kernel.name for kernel in environment.kernels})
    if running and not force:
        where = ", ".join(kernel.path for kernel in running if kernel.path)
        many = len(running) > 1
        raise KernelRunning(
            f"{len(running)} kernel{'s' if many else ''} of {environment.name} "
            f"{'are' if many else 'is'} running in this server{f': {where}' if where else ''}.",
            hints=["Shut the kernels down first, or delete with force."],
        )
    for kernel in running:
        await shut_down(settings, kernel)


async def find(settings: Mapping[str, Any], names: set[str]) -> list[OwnKernel]:
    """Return the kernels of this server that were started from a kernelspec of one of *names*."""
    manager = settings["kernel_manager"]
    documents = {
        session["kernel"]["id"]: session
        for session in await ensure_async(settings["session_manager"].list_sessions())
        if session.get("kernel")
    }
    found = []
    for identifier in manager.list_kernel_ids():
        with contextlib.suppress(KeyError):  # it ended while we looked
            if manager.get_kernel(identifier).kernel_name.lower() in names:
                session = documents.get(identifier, {})
                found.append(OwnKernel(identifier, session.get("id", ""), session.get("path", "")))
    return found


async def shut_down(settings: Mapping[str, Any], kernel: OwnKernel) -> None:
    """End a kernel and the session that holds it; one that ended meanwhile is fine."""
    manager = settings["kernel_manager"]
    if kernel.kernel not in manager:
        return
    if kernel.session:
        await ensure_async(settings["session_manager"].delete_session(kernel.session))
    else:
        await ensure_async(manager.shutdown_kernel(kernel.kernel))
