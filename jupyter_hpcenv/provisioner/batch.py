"""Start a kernel in a job, and end it with everything that belongs to it; Jupyter's kernel manager calls this."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import zmq
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from jupyter_core.paths import jupyter_runtime_dir
from traitlets import Unicode

from ..batch import BatchSystem, load_batch_system
from ..errors import HpcenvError, KernelNotStarted
from ..lifecycle.job_folder import JobFolder, KernelFacts, sweep
from ..models import JOB_LIVES, Job, KernelProfile
from ..names import looks_secret
from ..operations.queue import REASONS
from ..process import Bound, environment
from ..site import Site
from .sent import UNSEEN, Sent
from .surroundings import configured, local_variables, spoken
from .watching import Watch

#: Seconds between two looks into the folder, and after which the queue is asked for the first time.
_LOOK, _FIRST = 0.02, 3.0
#: Ends of a job after which its kernel must not be started again by itself.
_ENDS = {
    "timeout": "The time of this kernel's job was up",
    "cancelled": "The job of this kernel was cancelled",
    "preempted": "The job of this kernel had to give way to another",
    "node_fail": "The node of this kernel's job failed",
}
_FINAL = frozenset(_ENDS)
#: How often, and with which pause, the queue is asked how a job ended.
_TRIES, _PAUSE = 10, 0.5

#: The event that tells users of their kernel's job; jupyter_hpcenv/server/event_schemas has its schema.
EVENT = "https://events.jupyter-hpcenv.org/kernel/v1"


class BatchProvisioner(KernelProvisionerBase):
    """Run a kernel in a job of the batch system, with the resources of one of the site's profiles."""

    profile = Unicode(help="Name of the profile in c.Site.kernel_profiles; kernelspecs say it.").tag(config=True)

    _site: Site
    _profile: KernelProfile
    _system: BatchSystem
    _shared: JobFolder | None = None
    _child: Bound | Sent | None = None
    _watch: Watch | None = None
    _loop: asyncio.AbstractEventLoop
    _judged = False
    _attached = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._turn = asyncio.Lock()  # of two restarts at once, one begins when the other is over

    # -- start ------------------------------------------------------------------

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Look up the profile, refuse what can not work, and return the kernel's command for the node.

        With *job_folder* the kernel runs already: it is one that this process has taken over (see server/outliving.py).
        """
        kwargs.pop("transport_encryption", None)
        running = kwargs.pop("job_folder", "")
        await self._turn.acquire()
        try:
            return await self._prepared(running, **kwargs)
        except BaseException:
            await asyncio.shield(self._abandon())
            self._turn.release()
            raise

    async def _prepared(self, running: str, **kwargs: Any) -> dict[str, Any]:
        extra = kwargs.pop("extra_arguments", [])
        manager: Any = self.parent
        self._attached = False
        if await self._polled() is None:
            await self._abandon()  # somebody started it meanwhile
        with spoken():
            self._site = configured(self.config)
            self._profile = self._site.profile(self.profile)
            self._system = load_batch_system(self._site.batch_system)
            await self.cleanup()  # of a kernel that died
            self._shared = self._taken_over(running)
            self._need_encryption()
            if self._shared is None:
                with contextlib.suppress(HpcenvError):
                    await asyncio.to_thread(sweep, self._site)
                self._shared = JobFolder(self._site)
        self.kernel_spec.interrupt_mode = "message"  # no signal of the server reaches the node
        if not manager.connection_file:
            manager.connection_file = str(Path(jupyter_runtime_dir()) / f"kernel-{self.kernel_id}.json")
        here, there = os.path.realpath(manager.connection_file), str(self._shared.connection_file)
        command = [word.replace(here, there) for word in manager.format_kernel_cmd(extra_arguments=extra)]
        return dict(await super().pre_launch(cmd=command, **kwargs))

    def _taken_over(self, name: str) -> JobFolder | None:
        """Return the folder of a kernel that runs already and is this process's, with its keys; None: start one."""
        if not name or Path(name).name != name:
            return None
        folder = JobFolder(self._site, name)
        if not folder.path.is_dir():
            return None  # a restart, which begins anew
        found = folder.connection() or {}
        keys = [found.get(key) for key in ("key", "curve_publickey", "curve_secretkey")]
        if not folder.is_mine or not all(isinstance(key, str) for key in keys):
            raise KernelNotStarted(f"What {folder.path} says of the kernel's connection can not be used.")
        manager: Any = self.parent
        manager.session.key, manager.curve_publickey, manager.curve_secretkey = (str(key).encode() for key in keys)
        self._attached = True
        return folder

    def _need_encryption(self) -> None:
        """See to the keys of the connection, which leads through a network that is not ours alone."""
        manager: Any = self.parent
        if not hasattr(manager, "curve_publickey") or not zmq.has("curve"):
            raise KernelNotStarted(
                "This Jupyter server can not encrypt connections to kernels, and kernels in jobs need that.",
                hints=["Ask your site's staff to install jupyter_client 8.9 or later, and a pyzmq with libsodium."],
            )
        if not manager._kernel_supports_curve_encryption():
            raise KernelNotStarted(
                f"The kernel “{self.kernel_spec.display_name}” can not encrypt its connection, and kernels in jobs "
                "must: others use the same network.",
                hints=[
                    "Install ipykernel 7.3 or later into its environment, or let it run on the server's computer "
                    "(jupyter hpcenv edit NAME --no-profile)."
                ],
            )
        if manager.curve_publickey is None:
            manager.curve_publickey, manager.curve_secretkey = zmq.curve_keypair()
        if not manager.session.key:
            manager.session.key = os.urandom(32).hex().encode()

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the job and wait until its node tells where the kernel listens."""
        try:
            return await self._launched(cmd, **kwargs)
        except BaseException:
            await asyncio.shield(self._abandon())
            raise
        finally:
            self._turn.release()

    async def _launched(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        assert self._shared is not None
        manager: Any = self.parent
        shared = self._shared
        keys = {
            "transport": "tcp",
            "signature_scheme": manager.session.signature_scheme,
            "key": manager.session.key.decode(),
            "kernel_name": manager.kernel_name,
            "curve_publickey": manager.curve_publickey.decode(),
            "curve_secretkey": manager.curve_secretkey.decode(),
        }
        env = kwargs.get("env") or {}
        with spoken(self._profile):
            session = {"jupyter_session": env.get("JPY_SESSION_NAME", "")}
            cwd = str(kwargs.get("cwd") or Path.cwd())
            self._judged, self._loop = False, asyncio.get_running_loop()
            self._watch = watch = Watch(self, shared, self._system, self._profile, self._site)
            if self._attached:
                self._child = Sent(shared)
            else:
                keep = 60.0 * self._profile.keep_minutes
                known = (cmd, self._variables(env), cwd, {**keys, **session}, self._site.kernel_interface, keep)
                shared.prepare(*known)
                self._child = await self._started(shared, keep, cwd, env.get("JPY_SESSION_NAME", ""))
            found = await self._listening(shared)
        self.connection_info = cast(KernelConnectionInfo, {**found, "key": found["key"].encode()})
        Path(manager.connection_file).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(manager.connection_file).unlink(missing_ok=True)  # one of an earlier server would not be read
        manager._reconcile_connection_info(self.connection_info)  # the manager does it too, but cleans up nothing
        watch.start()
        return self.connection_info

    async def _started(self, shared: JobFolder, keep: float, cwd: str, session: str) -> Bound | Sent:
        """Start the job, or with *keep* queue it by itself."""
        if not keep:
            argv = self._system.beside(shared.program(), shared.name, self._profile.request)
            return Bound(argv, local_variables(), self._heard)
        name = self.parent.kernel_name  # type: ignore[union-attr]
        shared.describe(KernelFacts(id=self.kernel_id, name=name, keep=keep, cwd=cwd, session=session))
        self._child = sent = Sent(shared)  # before it is sent: what becomes of a lost answer is cancelled, too
        await asyncio.to_thread(shared.send, self._system, self._profile.request)
        return sent

    def _variables(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return what the kernel gets besides the variables of its job: no token of the server's."""
        kept = environment(self._site.passthrough, {"JPY_SESSION_NAME": env.get("JPY_SESSION_NAME", "")}, env)
        kept |= {name: env[name] for name in self.kernel_spec.env if name in env}
        for name in self._site.target_variables:  # they say what the server's computer is; the node has its own
            kept.pop(name, None)
        return {name: value for name, value in kept.items() if not looks_secret(name)}

    def _heard(self, line: str) -> None:
        self.log.info("%s: %s", self._shared.name if self._shared else "kernel", line)

    async def _listening(self, shared: JobFolder) -> dict[str, Any]:
        began, asked, job, told = time.monotonic(), 0.0, None, ""
        assert self._child is not None
        while (found := shared.connection()) is None:
            waited = time.monotonic() - began
            if await self._polled() is not None:
                raise self._system.complaint(self._child.said() or ["nothing"])
            if waited > self._site.kernel_patience:
                raise await self._gave_up(shared, job)
            if waited > _FIRST and time.monotonic() - asked > self._site.batch_interval:
                job, asked = await self._job(shared), time.monotonic()
                shared.beat()
                if job is not None and (now := await self._words(job)) != told:
                    told = now
                    self.tell("waiting", f"The kernel waits for its job: {told}.")
            await asyncio.sleep(_LOOK if waited < _FIRST else 10 * _LOOK)
        return found

    async def _gave_up(self, shared: JobFolder, job: Job | None) -> KernelNotStarted:
        job = await self._job(shared) or job
        return KernelNotStarted(
            f"The kernel's job did not begin within {self._site.kernel_patience} seconds"
            f"{': ' + await self._words(job) if job else ''}. The job was cancelled.",
            hints=[
                "Try again when the queue is shorter, or choose another profile "
                "(jupyter hpcenv profiles; jupyter hpcenv edit NAME --profile PROFILE)."
            ],
        )

    async def _job(self, shared: JobFolder) -> Job | None:
        """Return the job as the queue shows it; None where it does not, or does not answer."""
        try:
            if isinstance(self._child, Sent):
                return await asyncio.to_thread(self._child.ask, self._system)
            jobs = await asyncio.to_thread(self._system.jobs)
        except HpcenvError as error:
            self.log.warning("%s: %s", shared.name, error.message)
            return None
        return next((job for job in reversed(jobs) if job.name == shared.name), None)

    async def _polled(self) -> int | None:
        """Return how the job's program ended, or None while it runs; a folder on a slow file server blocks nobody."""
        if isinstance(self._child, Sent):
            return await asyncio.to_thread(self._child.poll)
        return self._child.poll() if self._child is not None else 0

    async def _words(self, job: Job) -> str:
        """Return a sentence's part about a job: its id, its state, its reason and its place."""
        text = f"job {job.id} is {job.state.replace('_', ' ')}"
        if job.state != "pending":
            return text
        text += f": {REASONS.get(job.reason, job.reason)}" if job.reason else ""
        try:
            place = await asyncio.to_thread(self._system.position, job)
        except HpcenvError:
            place = None
        return text + (f", and number {place[0]} of {place[1]} that wait for {job.partition}" if place else "")

    # -- life -------------------------------------------------------------------

    @property
    def has_process(self) -> bool:
        """Tell whether a job was started and its end not yet taken note of."""
        return self._child is not None

    async def poll(self) -> int | None:
        """Return None while the job runs; the kernel manager asks every few seconds."""
        if self._child is None:
            return 0
        code = await self._polled()
        if code is not None and not self._judged:
            self._judged = True
            await self._judge(code)
        return code

    async def _judge(self, code: int) -> None:
        """Say how the job ended, and keep Jupyter from queueing a new one unless the kernel itself has died."""
        shared, job = self._shared, None
        if self._watch is not None:
            self._watch.stop()
        if shared is None or getattr(self.parent, "shutting_down", False):
            return
        for _ in range(_TRIES):
            job = await self._job(shared)
            if job is not None and job.state not in JOB_LIVES:
                break
            await asyncio.sleep(_PAUSE)
        if isinstance(self._child, Sent) and job is not None and job.state in JOB_LIVES:
            await self._cancel(kill=False)  # it was queued again, and would begin with nothing in memory
            job = None
        if job is not None and job.state not in _FINAL:
            self.log.warning("%s: %s", shared.name, await self._words(job))
            return
        why = _ENDS.get(job.state if job else "", "The job of this kernel is gone")
        self.tell("ended", f"{why}. Start the kernel again for a new job; what it had in memory is lost.")
        self._start_no_other()
        await self.cleanup()

    def _start_no_other(self) -> None:
        if (restarter := getattr(self.parent, "_restarter", None)) is not None:
            restarter.restart_limit = 0  # it then declares the kernel dead

    # -- outliving the server ---------------------------------------------------

    @property
    def outlives(self) -> JobFolder | None:
        """The folder of a kernel that goes on when this server ends."""
        return self._shared if isinstance(self._child, Sent) else None

    def look(self) -> None:
        """Ask the queue for the job, from the thread that watches it; the node may have failed without a word."""
        if isinstance(self._child, Sent):
            with contextlib.suppress(HpcenvError):
                self._child.ask(self._system)

    def let_go(self, why: str = "") -> None:
        """Forget the kernel, and leave it to the user's next server; from any thread."""
        if self._watch is not None:
            self._watch.stop()
        self._shared = self._child = None
        if why:
            self.tell("ended", why)
            self._start_no_other()

    # -- what its user is told ----------------------------------------------------

    def tell(self, state: str, message: str) -> None:
        """Say something about the job in the log, and to whoever listens to the server's events; from any thread."""
        self.log.warning("%s: %s", self._shared.name if self._shared else self.kernel_id, message)
        if not hasattr(self.parent, "emit"):  # no server's kernel manager
            return
        name = self.parent.kernel_name  # type: ignore[union-attr]
        data = {"kernel_id": self.kernel_id, "kernel_name": name, "profile": self.profile}
        with contextlib.suppress(RuntimeError):  # the server is ending
            self._loop.call_soon_threadsafe(self._emit, {**data, "state": state, "message": message})

    def _emit(self, data: dict[str, str]) -> None:
        try:
            self.parent.emit(schema_id=EVENT, data=data)  # type: ignore[union-attr]
        except Exception as error:  # noqa: BLE001  our extension may be off, and its schemas with it
            self.log.debug("No event was sent: %s", error)

    def idle_seconds(self) -> float | None:
        """Return for how long nothing was executed; None where that is not known, or something runs."""
        last, state = getattr(self.parent, "last_activity", None), getattr(self.parent, "execution_state", None)
        if not isinstance(last, datetime.datetime) or state in ("busy", "starting"):
            return None
        return (datetime.datetime.now(datetime.timezone.utc) - last).total_seconds()

    async def wait(self) -> int | None:
        """Wait for the end of the job."""
        began = asked = time.monotonic()
        while (code := await self.poll()) is None:
            await asyncio.sleep(0.1)
            if isinstance(self._child, Sent) and time.monotonic() - asked > 1:  # what is killed writes no last words
                await asyncio.to_thread(self.look)
                asked = time.monotonic()
                if asked - began > UNSEEN:
                    break
        self._child = None
        return code

    async def send_signal(self, signum: int) -> None:
        """End the job for signals that end; interrupts come as messages."""
        if signum == signal.SIGKILL:
            await self.kill()
        elif signum == signal.SIGTERM:
            await self.terminate()

    async def terminate(self, restart: bool = False) -> None:
        """Cancel the job, which gives the kernel a moment."""
        await self._cancel(kill=False)

    async def kill(self, restart: bool = False) -> None:
        """Cancel the job at once."""
        await self._cancel(kill=True)

    async def _cancel(self, *, kill: bool) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.signal(signal.SIGTERM)
        if self._shared is None:
            return
        try:
            await asyncio.to_thread(self._system.cancel, self._shared.name, kill=kill)
        except HpcenvError as error:
            self.log.warning("%s: %s", self._shared.name, error.message)

    async def _abandon(self) -> None:
        """Leave nothing of a start that failed; but what runs already goes on, and may be taken over once more."""
        if self._attached:
            self.let_go()
            return
        if self._child is not None and self._child.poll() is None:
            await self._cancel(kill=False)
            until = time.monotonic() + (10 if isinstance(self._child, Bound) else 0)
            while self._child.poll() is None and time.monotonic() < until:
                await asyncio.sleep(0.05)
            self._child.signal(signal.SIGKILL)
        self._child = None
        await self.cleanup()

    async def cleanup(self, restart: bool = False) -> None:
        """Remove the shared folder; called after each shutdown."""
        if self._watch is not None:
            self._watch.stop()
        if self._shared is not None:
            self._shared.remove()
            self._shared = None

    def get_shutdown_wait_time(self, recommended: float = 5.0) -> float:
        """Give the batch system time to end a job."""
        return max(recommended, 20.0)

    def get_stable_start_time(self, recommended: float = 10.0) -> float:
        """Count the time in the queue in."""
        return recommended + (self._site.kernel_patience if self._shared else 0)
