"""An empty home for one run, in this checkout, and what several figures need of it: a desk, environments, programs."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.managers.prefixes import find_uv
from jupyter_hpcenv.managers.pythons import find_pythons
from jupyter_hpcenv.models import FINISHED, CreateRequest, EnvironmentDetail, Operation

CHECKOUT = Path(__file__).resolve().parent.parent

#: What could steer installers or Jupyter; the person's own settings are no part of what is measured.
_STEERING = ("PIP_", "UV_", "JUPYTER", "JPY_", "XDG_", "CONDA_", "VIRTUAL_ENV", "WORKON_HOME", "PYTHONPATH")
_KEPT = ("PIP_CERT", "PIP_PROXY", "PIP_INDEX_URL", "PIP_TRUSTED_HOST", "UV_CACHE_DIR")


class World:
    """Where the figures are taken; `quick` asks for fewer samples."""

    def __init__(self, home: Path, quick: bool) -> None:
        self.home = home
        self.quick = quick
        self._numbers = iter(range(1, 1_000))

    def samples(self, whole: int, quick: int) -> int:
        return quick if self.quick else whole

    @functools.cached_property
    def python(self) -> str:
        """The interpreter that a plain request takes, and so the reference takes it too."""
        return find_pythons(self.admission.site)[0].path

    @functools.cached_property
    def admission(self) -> Admission:
        """The desk of the home's own data folder; its real environments are few."""
        return Admission()

    @functools.cached_property
    def environment(self) -> EnvironmentDetail:
        """A real environment, built at the first use."""
        return build(self.admission, self.name())

    @functools.cached_property
    def raw_environment(self) -> Path:
        """An environment as people make it by hand, whose kernel has not run yet."""
        return self.make_raw()

    @property
    def polite(self) -> list[str]:
        """The words that give a program of the reference the priority that our builds have."""
        return ["nice", "-n", str(self.admission.site.nice)]

    def make_raw(self) -> Path:
        """Make the environment of the reference with two commands of uv."""
        prefix = self.home / "raw" / self.name()
        uv = [*self.polite, find_uv()]
        run([*uv, "venv", "--quiet", "--python", self.python, str(prefix)])
        run([*uv, "pip", "install", "--quiet", "--python", f"{prefix}/bin/python", "pip", "ipykernel"])
        return prefix

    def name(self) -> str:
        return f"bench-{next(self._numbers)}"

    @contextlib.contextmanager
    def other_data(self, name: str) -> Iterator[Admission]:
        """Give a desk of a data folder of its own, which programs that are started meanwhile use too."""
        folder = self.home / name
        folder.mkdir()
        os.environ["JUPYTER_DATA_DIR"] = str(folder)
        try:
            yield Admission()
        finally:
            del os.environ["JUPYTER_DATA_DIR"]
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def open_world(quick: bool) -> Iterator[World]:
    """Make the home beside uv's cache, so that files can be linked, and remove it afterwards."""
    cache = CHECKOUT / ".cache"
    cache.mkdir(exist_ok=True)
    for name in list(os.environ):
        if name.startswith(_STEERING) and name not in _KEPT:
            del os.environ[name]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # it would double every start but the first
    home = Path(tempfile.mkdtemp(prefix="benchmarks-", dir=cache))
    os.environ.setdefault("UV_CACHE_DIR", str(cache / "uv"))
    os.environ.update(HOME=str(home), PIP_CONFIG_FILE=os.devnull, JUPYTER_PLATFORM_DIRS="0")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    world = World(home, quick)
    try:
        world.make_raw()  # both find a warm cache
        yield world
    finally:
        shutil.rmtree(home, ignore_errors=True)


def build(admission: Admission, name: str) -> EnvironmentDetail:
    """Create an environment with a kernel, and wait for it."""
    finished(admission, admission.submit("create", CreateRequest(name=name)))
    return admission.catalog.find(name)


def finished(admission: Admission, operation: Operation) -> Operation:
    """Wait for an operation by looking at its small status file; raises if it did not succeed."""
    folder = admission.operations.folder(operation.id)
    while folder.status().state not in FINISHED:
        time.sleep(0.01)
    done = admission.operations.get(operation.id)
    if done.state != "succeeded":
        raise RuntimeError(f"{done.environment.name}: {done.error}")
    return done


def run(argv: Sequence[str]) -> str:
    """Run a program that must succeed, and return its output."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=CHECKOUT, check=False)
    if done.returncode:
        raise RuntimeError(f"{argv[0]} ended with {done.returncode}: {done.stderr[-2_000:]}")
    return done.stdout
