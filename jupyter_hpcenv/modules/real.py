"""What both module systems share: how they are started, and how loading is captured."""

from __future__ import annotations

import os
import pwd
import tempfile
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from .. import process
from ..errors import ModuleFailed
from ..site import Site
from . import loading, watching
from .contract import STEERING, Available, Captured, ModuleSystem
from .listing import remembered

#: Runs a program with its outputs in files of their own: lists are longer than a line that `process` passes on.
#: It keeps our pipe open as its third stream, because `process` watches the time only as long as somebody may write.
_APART = 'out=$1 err=$2; shift 2; exec "$@" 3>&1 >"$out" 2>"$err"'


class RealSystem(ModuleSystem):
    """A module system that is there."""

    def __init__(self, site: Site, environ: Mapping[str, str], *, home: str = "", init: str = "") -> None:
        super().__init__(site, environ, home=home, init=init)
        self._path: str | None = None

    def capture(
        self, asked: Sequence[str], *, collection: str = "", purge: str = "", timeout: float | None = None
    ) -> Captured:
        """Load modules in a shell of its own; see `ModuleSystem.capture`."""
        return loading.capture(self, asked, collection=collection, purge=purge, timeout=timeout)

    def available(self) -> list[Available]:
        """Return all modules that can be loaded, kept while their folders stay the same."""
        path = self.path()
        if not path:
            return []
        steering = [f"{name}={self.environ.get(name, '')}" for name in (*self.steering, "HOME")]
        return remembered(self, [path, *steering], lambda: self.list_modules(path))

    @abstractmethod
    def list_modules(self, path: str) -> list[Available]:
        """Ask the system's own program what there is in the folders of *path*."""

    def path(self) -> str:
        """Return where an environment's modules are looked for: MODULEPATH before any module of ours is loaded.

        Modules that are loaded already may have added to MODULEPATH, and a session may have none because the start
        file sets it; only then is a shell asked, once.
        """
        if self._path is None:
            known = self.searched()
            if self.environ.get("MODULEPATH") and not self.loaded():
                self._path = known
            else:
                self._path = loading.searched(self) or known
        return self._path

    def base(self) -> dict[str, str]:
        """Return the environment in which the module system runs: what every child gets, and what is its own.

        Variables that loaded modules have set come with it, so that unloading finds them and what stays is whole.
        """
        own = {name: value for name, value in self.environ.items() if STEERING.fullmatch(name)}
        files = [path for path in self.environ.get("_LMFILES_", "").split(":") if path]
        if self.loaded():
            for name in watching.changed_by(self, files):
                if name in self.environ:
                    own[name] = self.environ[name]
        kept = process.environment(self.site.passthrough, own, source=self.environ)
        if not kept.get("HOME"):
            kept["HOME"] = _home()
        return kept

    def ask(self, argv: Sequence[str], path: str) -> tuple[str, str]:
        """Run a program of the module system on *path* and return what it wrote on either stream."""
        env = {**self.base(), "MODULEPATH": path, "LC_ALL": "C.UTF-8", "LMOD_LANG": "en"}
        deadline = time.monotonic() + self.site.module_timeout

        def check() -> None:
            if time.monotonic() > deadline:
                raise ModuleFailed(
                    f"The module system did not list its modules within {self.site.module_timeout} seconds.",
                    hints=["A modulefile may hang, or the filesystem be slow; tell staff."],
                )

        with tempfile.TemporaryDirectory(prefix="hpcenv-") as name:
            folder = Path(name)
            out, err = folder / "out", folder / "err"
            process.run(["sh", "-c", _APART, "sh", str(out), str(err), *argv], env=env, cwd=folder, check=check)
            return tuple(file.read_text(errors="replace") if file.exists() else "" for file in (out, err))  # type: ignore[return-value]


def _home() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return "/"
