"""Choose what builds: rattler, which comes along, or a program of the site's; to the manager both look the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ...models import PinnedPackage, Reporter
from .installed import Installed
from .plan import Plan, Source


class Engine(Protocol):
    """What builds environments; methods block."""

    def versions(self) -> dict[str, str]:
        """Return what builds, and its version."""

    def create(self, source: Source, specs: Sequence[str], prefix: Path, report: Reporter) -> list[Installed]:
        """Make *prefix* an environment with what *specs* ask for."""

    def install_pinned(
        self,
        source: Source,
        pinned: Sequence[PinnedPackage],
        prefix: Path,
        report: Reporter,
        requested: Sequence[str] = (),
    ) -> list[Installed]:
        """Make *prefix* an environment of exactly these packages; *requested* are the specs that asked for them."""

    def change(
        self,
        source: Source,
        prefix: Path,
        report: Reporter,
        *,
        install: Sequence[str] = (),
        update: Sequence[str] = (),
        update_all: bool = False,
        remove: Sequence[str] = (),
    ) -> Plan:
        """Install, update and remove packages of *prefix* in one transaction; return what it did."""

    def recover(self, source: Source, prefix: Path, report: Reporter) -> bool:
        """Finish a change that was killed in the middle, or take it back; return whether there was one."""

    def lock(self, prefix: Path, channels: Sequence[str]) -> str:
        """Return the packages of *prefix* as the text of rattler's lockfile."""

    def plan(
        self,
        source: Source,
        specs: Sequence[str] = (),
        prefix: Path | None = None,
        report: Reporter | None = None,
        *,
        install: Sequence[str] = (),
        update: Sequence[str] = (),
        update_all: bool = False,
        remove: Sequence[str] = (),
    ) -> Plan:
        """Return what `create` would do with *specs*, or `change` with *prefix*."""

    def plan_pinned(self, source: Source, pinned: Sequence[PinnedPackage]) -> Plan:
        """Return what `install_pinned` would do."""


class EmbeddedEngine:
    """Rattler, in a process of its own below the worker."""

    def versions(self) -> dict[str, str]:
        """Return the version of rattler's library for Python."""
        from importlib.metadata import version

        return {"py-rattler": version("py-rattler")}

    def create(self, source: Source, specs: Sequence[str], prefix: Path, report: Reporter) -> list[Installed]:
        """Make *prefix* an environment with what *specs* ask for."""
        from . import engine

        return engine.create(source, specs, prefix, report)

    def install_pinned(
        self,
        source: Source,
        pinned: Sequence[PinnedPackage],
        prefix: Path,
        report: Reporter,
        requested: Sequence[str] = (),
    ) -> list[Installed]:
        """Make *prefix* an environment of exactly these packages."""
        from . import engine

        return engine.install_pinned(source, pinned, prefix, report, requested)

    def change(
        self,
        source: Source,
        prefix: Path,
        report: Reporter,
        *,
        install: Sequence[str] = (),
        update: Sequence[str] = (),
        update_all: bool = False,
        remove: Sequence[str] = (),
    ) -> Plan:
        """Install, update and remove packages of *prefix* in one transaction."""
        from . import engine

        return engine.change(
            source, prefix, report, install=install, update=update, update_all=update_all, remove=remove
        )

    def recover(self, source: Source, prefix: Path, report: Reporter) -> bool:
        """Finish a change that was killed in the middle, or take it back."""
        from . import engine

        return engine.recover(source, prefix, report)

    def lock(self, prefix: Path, channels: Sequence[str]) -> str:
        """Return the packages of *prefix* as the text of rattler's lockfile."""
        from . import engine

        return engine.lock(prefix, channels)

    def plan(
        self,
        source: Source,
        specs: Sequence[str] = (),
        prefix: Path | None = None,
        report: Reporter | None = None,
        *,
        install: Sequence[str] = (),
        update: Sequence[str] = (),
        update_all: bool = False,
        remove: Sequence[str] = (),
    ) -> Plan:
        """Return what `create` would do with *specs*, or `change` with *prefix*."""
        from . import engine

        return engine.plan(
            source, specs, prefix, report, install=install, update=update, update_all=update_all, remove=remove
        )

    def plan_pinned(self, source: Source, pinned: Sequence[PinnedPackage]) -> Plan:
        """Return what `install_pinned` would do."""
        from . import engine

        return engine.plan_pinned(source, pinned)


def engine_for(kind: str, command: str, environ: Mapping[str, str]) -> Engine:
    """Return the engine of that *kind*; raises `ManagerNotFound` where a program is wanted and none is there."""
    if kind == "rattler":
        return EmbeddedEngine()
    from .command import CommandEngine
    from .find_command import find_command, identify

    return CommandEngine(identify(find_command(command, environ), environ), environ)
