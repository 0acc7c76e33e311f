"""Kernels in jobs that outlive a server: the next one takes them over, with their notebooks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_core.paths import jupyter_data_dir
from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from ..admission import Admission
    from ..lifecycle.job_folder import JobFolder, Session

T = TypeVar("T")
Call = Callable[[Callable[["Admission"], T]], Awaitable[T]]

#: Seconds between two looks at the sessions of our kernels, and how many of them lie between two looks for others.
_PAUSE, _ROUNDS = 5.0, 12
#: Seconds in which a kernel that does nothing answers.
_ANSWER = 5.0


def _any_job() -> bool:
    """Tell whether there is a folder of a kernel's job; nearly nobody has one, and the desk need not be opened."""
    with contextlib.suppress(OSError), os.scandir(Path(jupyter_data_dir()) / "hpcenv" / "kernels") as entries:
        return any(not entry.name.startswith(".") for entry in entries)
    return False


class Outliving:
    """Looks after such kernels for one server, on its loop; what blocks is done by *call*, on a thread."""

    def __init__(self, server: ServerApp, call: Call[Any], log: Any) -> None:
        self._server, self._call, self._log = server, call, log
        self._noted: dict[str, list[Session]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look; a server whose kernels are somewhere else (a gateway) has nothing to look for."""
        if isinstance(self._server.kernel_manager, MappingKernelManager) and not self._is_gateway():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End, and leave our kernels to the user's next server: the server that stops would shut them down."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._note()
        for identifier, kernel, _ in self._ours():
            manager: Any = self._server.kernel_manager
            kernel.stop_restarter()
            kernel.provisioner.let_go()
            manager.remove_kernel(identifier)
            self._log.info("hpcenv: the kernel %s goes on in its job.", identifier)

    def _is_gateway(self) -> bool:
        return bool(getattr(getattr(self._server, "gateway_config", None), "gateway_enabled", False))

    async def _run(self) -> None:
        rounds = 0
        while True:
            try:
                if rounds % _ROUNDS == 0:
                    await self._take_over()
                await self._note()
            except Exception as error:  # noqa: BLE001  tried again at the next round
                self._log.warning("hpcenv: kernels in jobs were not looked after: %s", error)
            rounds += 1
            await asyncio.sleep(_PAUSE)

    # -- those of a server that is gone -------------------------------------------

    async def _take_over(self) -> None:
        if not await asyncio.to_thread(_any_job):
            return

        def look(desk: Admission) -> list[JobFolder]:
            from ..lifecycle import job_folder

            return [each for each in job_folder.waiting(desk.site) if each.take_over(desk.site)]

        for folder in await self._call(look):
            try:
                await self._attach(folder)
            except Exception as error:  # noqa: BLE001  the others are taken over all the same
                self._log.warning("hpcenv: the kernel in job %s could not be taken over: %s", folder.name, error)

    async def _attach(self, folder: JobFolder) -> None:
        kernel, sessions = await self._call(lambda desk: (folder.kernel(), folder.sessions()))
        manager: Any = self._server.kernel_manager
        if kernel is None or kernel.id in manager:
            return
        env = {**os.environ, "JPY_SESSION_NAME": kernel.session}
        await manager.start_kernel(
            kernel_id=kernel.id, kernel_name=kernel.name, cwd=kernel.cwd, env=env, job_folder=folder.name
        )
        for each in sessions or self._first_session(kernel.session):
            await self._server.session_manager.create_session(
                path=each.path, name=each.name, type=each.type, kernel_name=kernel.name, kernel_id=kernel.id
            )
        await self._ask_state(manager.get_kernel(kernel.id))
        self._log.info("hpcenv: the kernel %s of an earlier server goes on here.", kernel.id)

    async def _ask_state(self, kernel: Any) -> None:
        """Let the kernel say how it is: idle, which the server hears, or nothing while a cell runs."""
        client = kernel.client()
        client.start_channels(iopub=False, stdin=False, hb=False, control=False)
        try:
            await client.kernel_info(reply=True, timeout=_ANSWER)
        except (TimeoutError, RuntimeError, queue.Empty):
            kernel.execution_state = "busy"
        finally:
            client.stop_channels()

    def _first_session(self, name: str) -> list[Session]:
        """Return the session that a kernel began with, where it lies below this server's folder."""
        from ..lifecycle.job_folder import Session

        with contextlib.suppress(ValueError):
            if name.endswith(".ipynb"):
                path = str(Path(name).relative_to(Path(self._server.root_dir)))
                return [Session(path=path, name=Path(name).name)]
        return []

    # -- ours ---------------------------------------------------------------------

    def _ours(self) -> list[tuple[str, Any, JobFolder]]:
        """Return each kernel that outlives this server: its id, its manager and its folder."""
        manager: Any = self._server.kernel_manager
        found = []
        for identifier in manager.list_kernel_ids():
            kernel = manager.get_kernel(identifier)
            folder = getattr(getattr(kernel, "provisioner", None), "outlives", None)
            if folder is not None:
                found.append((identifier, kernel, folder))
        return found

    async def _note(self) -> None:
        """Write down which notebooks our kernels belong to, where that has changed."""
        ours = self._ours()
        if not ours:
            return
        from ..lifecycle.job_folder import Session

        told = await self._server.session_manager.list_sessions()
        for identifier, _, folder in ours:
            now = [
                Session(path=each["path"], name=each["name"], type=each["type"])
                for each in told
                if each["kernel"]["id"] == identifier
            ]
            if now and now != self._noted.get(identifier):
                await self._call(lambda desk, to=folder, what=now: to.note(what))  # type: ignore[misc]
                self._noted[identifier] = now
