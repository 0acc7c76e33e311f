"""The server extension: own the desk and the threads, wire handlers, events and watchers to the server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from jupyter_server.extension.application import ExtensionApp
from tornado.ioloop import IOLoop
from traitlets import TraitError
from traitlets.config import Configurable

from .._version import __version__
from ..errors import BrokenConfiguration, Busy
from ..site import Site
from ..site.configuration import Configuration
from .listing import Listing
from .outliving import Outliving
from .routes import patterns
from .watcher import Watcher

if TYPE_CHECKING:
    from ..admission import Admission

T = TypeVar("T")

EVENT_SCHEMAS = Path(__file__).parent / "event_schemas"

#: Calls that may block on a filesystem at the same time; a panel needs two or three.
THREADS = 8

#: Of those that load modules or prove kernels: how many at once, and how many may wait.
SLOW, WAITING = 4, 64


class HpcenvApp(ExtensionApp):
    """Environments for Jupyter on shared machines.

    Configured in jupyter_hpcenv_config.py, which the command line reads too, or in jupyter_server_config.py,
    which wins here.
    """

    name = "hpcenv"
    version = __version__
    classes = [Site]  # noqa: RUF012  traitlets declares it so
    load_other_extensions = True

    def initialize_settings(self) -> None:
        """Make what handlers need; nothing is read from disk before the first request or the first look round."""
        assert self.serverapp is not None
        self._guard = threading.Lock()
        self._desk: Admission | None = None
        self.listing = Listing()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="hpcenv")
        self._slow = ThreadPoolExecutor(SLOW, thread_name_prefix="hpcenv-slow")
        self._waiting = 0
        events = self.serverapp.event_logger
        assert events is not None
        for schema in sorted(EVENT_SCHEMAS.glob("*.yaml")):
            events.register_event_schema(schema)
        self.watcher = Watcher(
            open_desk=self.open_desk,
            emit=lambda schema, data: events.emit(schema_id=schema, data=data),
            activity=self.serverapp.web_app.settings["last_activity_times"],
            log=self.log,
        )
        self.outliving = Outliving(self.serverapp, self.call, self.log)
        # a callback, because the hook that Jupyter Server has for this came only with 2.15
        IOLoop.current().add_callback(self._begin)

    def initialize_handlers(self) -> None:
        """Register the table of routes."""
        self.handlers.extend(patterns())

    def emit_help(self, classes: bool = False) -> Generator[str, None, None]:
        """Yield the lines of the help, with the traits of the environment managers that are installed."""
        self._name_managers()
        yield from super().emit_help(classes)

    def generate_config_file(self, classes: list[type[Configurable]] | None = None) -> str:
        """Return a configuration file with every trait in a comment, those of environment managers too."""
        self._name_managers()
        return str(super().generate_config_file(classes))

    def _name_managers(self) -> None:
        """List the classes of managers and manifests, which takes 20 ms that no start of a server should pay for."""
        from ..managers import load_managers
        from ..manifest import Manifest

        managers = load_managers(self.config, Site(config=self.config))
        kinds: list[type[Configurable]] = [Manifest, *(type(manager) for manager in managers.values())]
        self.classes = [*self.classes, *(kind for kind in kinds if kind not in self.classes)]

    def _begin(self) -> None:
        self.watcher.start(asyncio.get_running_loop())
        self.outliving.start()
        if self.config.get("Manifest", {}).get("per_user"):
            self._threads.submit(self._give)

    def _give(self) -> None:
        """Have the environments built that the site has for each user; what fails is only told."""
        try:
            for sentence in self.open_desk().give():
                self.log.info("hpcenv: %s", sentence)
        except Exception as error:  # noqa: BLE001  a server starts without them
            self.log.warning("hpcenv: nothing was given: %s", error)

    def open_desk(self) -> Admission:
        """Return the desk, opened at the first call; blocks, so call it in a thread.

        Raises HpcenvError when a configured value can not be used.
        """
        with self._guard:
            if self._desk is None:
                from ..admission import Admission

                Configuration(own_process=False)  # the server itself only warns of one that it can not read
                try:
                    self._desk = Admission(self.config)
                except TraitError as error:
                    raise BrokenConfiguration(
                        "The configuration of jupyter_hpcenv has a value that can not be used.",
                        hints=["Correct it in jupyter_hpcenv_config.py or jupyter_server_config.py, and restart."],
                        reason=str(error),
                    ) from error
            return self._desk

    async def call(self, function: Callable[[Admission], T]) -> T:
        """Run *function* on the desk in a thread of ours and return what it returns; handlers call this."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: function(self.open_desk()))

    async def call_slow(self, function: Callable[[Admission], T]) -> T:
        """Do the same for what starts programs and may take a minute: it must not hold up those who only look.

        Raises `Busy` when many wait already.
        """
        if self._waiting >= WAITING:
            raise Busy(
                "This server is checking modules and kernels for many requests at once.",
                hints=["Try again in a minute."],
            )
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._slow, lambda: function(self.open_desk()))
        finally:
            self._waiting -= 1

    def changed(self, *, sweep: bool = False) -> None:
        """Have the watcher look now, because this server changed something; handlers call this."""
        self.watcher.look(sweep=sweep)

    async def stop_extension(self) -> None:
        """End the threads; the server calls it when it shuts down. Workers of operations live on, and some kernels."""
        try:
            await self.outliving.stop()
        finally:
            for threads in (self._threads, self._slow):
                threads.shutdown(wait=False, cancel_futures=True)
            await asyncio.to_thread(self.watcher.stop)
