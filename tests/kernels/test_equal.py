"""Cached equals live: every module of both trees that can be loaded, random sets, whatever changes in between.

The sets are captured by the modules room, so this also tries what it says may be cached.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_hpcenv import modules
from jupyter_hpcenv.errors import HpcenvError
from jupyter_hpcenv.kernels.launch import _may_be_cached
from jupyter_hpcenv.models import ModuleSet
from jupyter_hpcenv.site import Site

from ..modules.trees import READ
from .conftest import SYSTEMS, make_tree
from .launching import PATH, Tree, cached, environ, files_of, interactive, write

SLOW = ("hang/", "bulk", "broken/")


@pytest.fixture(params=SYSTEMS)
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    return make_tree(request.param, tmp_path)


@pytest.fixture
def capture(tree: Tree, home: Path) -> Callable[[list[str]], ModuleSet]:
    system = modules.system(Site(module_init=tree.init, module_path=[tree.path]), {"PATH": PATH, "HOME": str(home)})
    return lambda names: system.capture(names).modules


def names_of(tree: Tree, home: Path) -> list[str]:
    system = modules.system(Site(module_init=tree.init, module_path=[tree.path]), {"PATH": PATH, "HOME": str(home)})
    found = system.available()
    return [each.name for each in found if not each.prerequisites and not each.name.startswith(SLOW)]


def starts(tree: Tree, home: Path, server: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    plain = {"PATH": PATH, "HOME": str(home)}
    yield "plain", plain
    yield "values that modules set", {**plain, "CC": "gcc-12", "W_LIST": "mine", READ: "read", "PYTHONPATH": "/mine"}
    yield "server", {**interactive(tree, server, plain), "LD_LIBRARY_PATH": "/mine/lib"}


def test_each_module_alone(tree: Tree, capture: Callable[[list[str]], ModuleSet], bare: Path, home: Path) -> None:
    used = 0
    for name in names_of(tree, home):
        try:
            captured = capture([name])
        except HpcenvError:
            continue  # it can not be loaded by itself
        launch = write(bare, captured)
        cache = home / "cache"
        start = {"PATH": PATH, "HOME": str(home), "HPCENV_CACHE": str(cache)}
        live = environ(launch, start)  # there is no cache yet
        assert environ(launch, start) == live, name
        assert bool(cached(cache)) is _may_be_cached(captured), name
        used += len(cached(cache))
        for path in cached(cache):
            path.unlink()
    assert used >= 15


def test_sets_whatever_changes_in_between(
    tree: Tree, capture: Callable[[list[str]], ModuleSet], bare: Path, home: Path
) -> None:
    chance = random.Random(7)
    names = [name for name in names_of(tree, home) if files_of(tree, name) and not name.startswith(("shfun", "needs"))]
    used = done = 0
    while done < 3:
        chosen = chance.sample(names, chance.randint(2, 4))
        if done == 0:
            chosen = ["gcc/12", "openmpi/4.1", "dversion/2.0", "reads/1.0"]
        try:
            captured = capture(chosen)
        except HpcenvError:
            continue  # they exclude each other
        done += 1
        cache = home / f"cache-{done}"
        around_it = list(starts(tree, home, ["gcc/13", "dversion/1.0"]))
        # the first set begins from each, the others from another one each
        for around, start in around_it if done == 1 else [around_it[done - 1]]:
            launch = write(bare, captured)
            for what, change in (("nothing", None), *CHANGES.items()):
                if change is not None:
                    change(tree, chosen, start)
                environ(launch, {**start, "HPCENV_CACHE": str(cache)})
                again = environ(launch, {**start, "HPCENV_CACHE": str(cache)})
                assert again == environ(launch, start), f"{chosen}, {around}, after {what}"
                used += what == "nothing" and bool(cached(cache))
            for path in cached(cache):
                path.unlink()
            captured = capture(chosen)  # as the files are now
    assert used >= 3


def _variable(tree: Tree, chosen: list[str], start: dict[str, str]) -> None:
    start[READ] = start.get(READ, "") + "x"
    start["CC"] = "other"


def _touched(tree: Tree, chosen: list[str], start: dict[str, str]) -> None:
    os.utime(files_of(tree, chosen[0])[0])


def _default_and_switch(tree: Tree, chosen: list[str], start: dict[str, str]) -> None:
    version = Path(tree.path) / "dversion/.version"
    version.write_text(f'#%Module1.0\nset ModulesVersion "{1 + len(version.read_text()) % 3}.0"\n\n')
    (tree.root / "switch").touch()


CHANGES: dict[str, Callable[[Tree, list[str], dict[str, str]], None]] = {
    "a change of a variable": _variable,
    "a touched modulefile": _touched,
    "another default version": _default_and_switch,
}
