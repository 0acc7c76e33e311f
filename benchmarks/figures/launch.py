"""What a launch script with modules adds to bash's own exec: modules loaded live, and cached.

Both module systems that are found are measured, with a
small tree and one of 3,000 modulefiles, and sets of 1, 3 and 8 modules.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from jupyter_hpcenv import kernels, modules
from jupyter_hpcenv.models import ModuleSet, Platform, Record
from jupyter_hpcenv.site import Site
from tests.modules import trees

from ..measure import Row, added, in_turns, median, seconds
from ..world import CHECKOUT, World

NAME = "launch"
GOAL = "+ ≤ 5 ms"
REFERENCE = "a bash script that does nothing but exec the same program"
LIMIT = 0.005

_PATH = "/usr/local/bin:/usr/bin:/bin"
_COUNTS = (1, 3, 8)


def measure(world: World) -> list[Row]:
    """Start a program that ends at once through launch scripts and through a bare bash, in turns."""
    rows = []
    for system, init in _systems():
        root = world.home / system
        small = (trees.write_lmod if system == "lmod" else trees.write_tcl)(root, sys.executable)
        large = trees.big(root, 3000, system)
        for size, path in (("small", small), ("3,000 files", large)):
            for count in _COUNTS:
                names = [f"bulk{n}/1.0" if path == small else f"app{n * 100}/2.0" for n in range(1, count + 1)]
                rows += _rows(world, f"{system}, {size}, {count}", init, path, names)
    return rows


def _systems() -> Iterator[tuple[str, str]]:
    unpacked = Path(os.environ.get("HPCENV_TEST_TCL_MODULES") or CHECKOUT / ".cache/tcl-modules")
    places = {"lmod": Path("/usr/share/lmod/lmod/init/bash"), "tcl": unpacked / "usr/share/modules/init/bash"}
    return ((system, str(init)) for system, init in places.items() if init.is_file())


def _rows(world: World, what: str, init: str, path: str, names: list[str]) -> list[Row]:
    site = Site(module_init=init, module_path=[path])
    start = {"PATH": _PATH, "HOME": str(world.home)}
    prefix = world.home / world.name()
    (prefix / "bin").mkdir(parents=True)
    shutil.copy("/bin/true", prefix / "bin" / "python")
    captured = modules.system(site, start).capture(names).modules
    if captured.live:
        raise RuntimeError(f"{what} would not be cached: {captured.live}")
    launch = kernels.write_launch(_record(prefix, captured), site)
    bare = prefix / "bare"
    bare.write_text(f'#!/bin/bash -p\nexec {prefix}/bin/python "$@"\n')
    bare.chmod(0o755)
    cached = {**start, "HPCENV_CACHE": str(prefix / "cache")}
    _timer(launch, cached)()
    if not any((prefix / "cache").iterdir()):
        raise RuntimeError(f"{what} was not cached")
    rows = []
    for kind, environ, pairs in (("live", start, (10, 5)), ("cached", cached, (40, 20))):
        ours, reference = in_turns(_timer(launch, environ), _timer(bare, start), world.samples(*pairs))
        more = added(ours, reference)
        rows.append(
            Row(
                figure=NAME,
                what=f"{what}, {kind}",
                ours=median(ours),
                reference=median(reference),
                unit="ms",
                goal=GOAL if kind == "cached" else "",
                met=more <= LIMIT if kind == "cached" else None,
                notes=[f"added, median of the pairs: {more * 1_000:+.1f} ms"],
                samples={"ours": ours, "reference": reference},
            )
        )
    return rows


def _timer(program: Path, environ: dict[str, str]) -> Callable[[], float]:
    return lambda: seconds(lambda: subprocess.run([str(program)], env=environ, check=True, capture_output=True))


def _record(prefix: Path, captured: ModuleSet) -> Record:
    return Record(
        id="0" * 32,
        name="launch",
        location="home",
        prefix=str(prefix),
        manager="venv",
        creator="",
        installer="",
        python="",
        python_path="",
        modules=captured,
        display_name="",
        platform=Platform(cluster="", os="", arch=""),
        owner="",
        created="",
        changed="",
        operation="",
    )
