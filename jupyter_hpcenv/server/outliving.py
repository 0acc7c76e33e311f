"""Kernels in jobs that outlive a server: the next one takes them over, with their notebooks."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
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


def _any_job() -> bool:
    """Tell whether there is a folder of a kernel's job; nearly nobody has one, and the desk need not be opened."""
    with contextlib.suppress(OSError), os.scandir(Path(jupyter_data_dir()) / "hpcenv" / "kernels") as entries:
        return any(not entry.name.startswith(".") for entry in entries)
    return False


class Outliving:
    """Looks after such kernels for one server, on its loop; what blocks is done by *call*, on a thread."""

    def __init__(self, server: ServerApp, call: Call[Any], log: Any) -> None:
        self._server, self._call, self._log = server, call, log
        self._taken: dict[str, JobFolder] = {}
        self._told: dict[str, str] = {}
        self._noted: dict[str, list[Session]] = {}
        self._task: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to look; a server whose kernels are somewhere else (a gateway) has nothing to look for."""
        if isinstance(self._server.kernel_manager, MappingKernelManager) and not self._is_gateway():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End, and leave our kernels to the user's next server: the server that stops would shut them down.

        What only waits for its job is ended: nobody knows of it yet. Nothing that fails here keeps a server alive.
        """
        if self._task is None:
            return
        for task in (self._task, *self._asking):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        for act in (self._note, self._end_waiting):
            try:
                await act()
            except Exception as error:  # noqa: BLE001  such as a full disk
                self._log.warning("hpcenv: %s", error)
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
                await self._attach_all()
                await self._note()
            except Exception as error:  # noqa: BLE001  tried again at the next round
                self._log.warning("hpcenv: kernels in jobs were not looked after: %s", error)
            rounds += 1
            await asyncio.sleep(_PAUSE)

    async def _end_waiting(self) -> None:
        if not await asyncio.to_thread(_any_job):
            return

        def end(desk: Admission) -> None:
            from ..lifecycle import job_folder

            job_folder.end_waiting(desk.site)

        await self._call(end)

    # -- those of a server that is gone -------------------------------------------

    async def _take_over(self) -> None:
        if not await asyncio.to_thread(_any_job):
            return

        def look(desk: Admission) -> list[JobFolder]:
            from ..lifecycle import job_folder

            with contextlib.suppress(Exception):  # the batch system may be away; what runs is taken over all the same
                job_folder.sweep(desk.site)
            return [each for each in job_folder.waiting(desk.site) if each.take_over(desk.site)]

        self._taken |= {folder.name: folder for folder in await self._call(look)}

    async def _attach_all(self) -> None:
        """Let Jupyter have what was taken over; what fails is tried again, and goes on meanwhile."""
        for name, folder in list(self._taken.items()):
            try:
                if not await self._call(lambda desk, its=folder: its.beat() and its.ended() is None):  # type: ignore[misc]
                    self._log.info("hpcenv: the kernel in job %s has ended, or another server has it.", name)
                else:
                    await self._attach(folder)
                del self._taken[name]
            except Exception as error:  # noqa: BLE001  the others are taken over all the same
                if self._told.get(name) != str(error):
                    self._told[name] = str(error)
                    words = "hpcenv: the kernel in job %s goes on, but can not be taken over; it is tried again: %s"
                    self._log.warning(words, name, error)

    async def _attach(self, folder: JobFolder) -> None:
        kernel, sessions = await self._call(lambda desk: (folder.kernel(), folder.sessions()))
        manager: Any = self._server.kernel_manager
        if kernel is None or kernel.id in manager:
            return
        env = {**os.environ, "JPY_SESSION_NAME": kernel.session}
        await manager.start_kernel(
            kernel_id=kernel.id, kernel_name=kernel.name, cwd=kernel.cwd, env=env, job_folder=folder.name
        )
        its = manager.get_kernel(kernel.id)
        its.execution_state = "busy"  # it may well be, and Jupyter's culler ends what is not
        task = asyncio.get_running_loop().create_task(self._ask_state(its))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        for each in sessions or self._first_session(kernel.session):
            path = self._here(Path(each.root, each.path))
            if path:
                await self._server.session_manager.create_session(
                    path=path, name=each.name, type=each.type, kernel_name=kernel.name, kernel_id=kernel.id
                )
        self._log.info("hpcenv: the kernel %s of an earlier server goes on here.", kernel.id)

    async def _ask_state(self, kernel: Any) -> None:
        """Wait until the kernel answers: it does not as long as a cell runs, and is busy for us until then."""
        client, its = kernel.client(), kernel.provisioner.outlives
        client.start_channels(iopub=False, stdin=False, hb=False, control=False)
        try:
            client.kernel_info()
            while its is not None and kernel.provisioner is not None and kernel.provisioner.outlives is its:
                with contextlib.suppress(queue.Empty):
                    await client.get_shell_msg(timeout=60)
                    kernel.execution_state = "idle"
                    kernel.last_activity = datetime.datetime.now(datetime.timezone.utc)
                    return
        finally:
            client.stop_channels()

    def _first_session(self, name: str) -> list[Session]:
        """Return the session that a kernel began with."""
        from ..lifecycle.job_folder import Session

        return [Session(path=name, name=Path(name).name)] if name.endswith(".ipynb") else []

    def _here(self, path: Path) -> str:
        """Return a path as this server calls it; empty for one outside of its folder, which is another notebook's."""
        with contextlib.suppress(ValueError):
            return str(Path(os.path.realpath(path)).relative_to(self._root()))
        return ""

    def _root(self) -> str:
        return os.path.realpath(self._server.root_dir)

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
        self._noted = {folder.name: self._noted.get(folder.name, []) for _, _, folder in ours}
        if not ours:
            return
        from ..lifecycle.job_folder import Session

        told = await self._server.session_manager.list_sessions()
        for identifier, _, folder in ours:
            now = [
                Session(path=each["path"], name=each["name"], type=each["type"], root=self._root())
                for each in told
                if each["kernel"]["id"] == identifier
            ]
            if now and now != self._noted[folder.name]:
                await self._call(lambda desk, to=folder, what=now: to.note(what))  # type: ignore[misc]
                self._noted[folder.name] = now
