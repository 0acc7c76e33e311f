"""Say where caches of conda packages are, and take out what no environment is linked to.

A package that shares files with an environment by hardlinks frees nothing when it goes, and makes the next environment
quick; one that an environment leads to by symlinks is a part of it. Both stay.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ...files import remove_tree
from ..caches import Place
from . import cache
from .command_run import CACHE

_ARCHIVES = (".conda", ".tar.bz2")


def places(ours: Mapping[str, Path], others: Iterable[str], said: str) -> list[Place]:
    """Return the caches, those that we use first: *ours* by location, because *said* says so; empty: by default.

    *others* are those that the user's conda is configured with besides.
    """
    found: dict[str, Place] = {}
    by_site = said.startswith("c.")
    for number, (location, path) in enumerate(ours.items()):
        name = f"conda {location}" if number else "conda"
        place = Place(name, "conda", path, said, by_site=by_site, variable="CONDA_PKGS_DIRS")
        found.setdefault(os.path.realpath(path), place)
    there = [each for each in (Path.home() / ".conda" / "pkgs", *_of_programs()) if each.is_dir()]
    for path in (*map(Path, others), *there):
        place = Place(f"conda {path}", "conda", path, variable="CONDA_PKGS_DIRS", ours=False)
        found.setdefault(os.path.realpath(path), place)
    return list(found.values())


def _of_programs() -> Iterator[Path]:
    """Yield where programs of the conda family keep packages below their own root; those of a site are left alone."""
    for variable in ("CONDA_ROOT", "MAMBA_ROOT_PREFIX"):
        if os.environ.get(variable):
            yield Path(os.environ[variable]) / "pkgs"
    yield Path.home() / "micromamba" / "pkgs"


class Package(NamedTuple):
    """A package in a cache: its folder, and what lies beside it."""

    path: Path
    bytes: int
    files: int


class Taken(NamedTuple):
    """What went, or would go."""

    bytes: int
    files: int
    kept: int
    """Packages that stay, because environments are linked to them or they are somebody else's."""
    busy: bool = False


def clean(folder: Path, linked: Collection[Path], *, dry_run: bool, check: Callable[[], None]) -> Taken:
    """Take packages and archives out of a cache that nothing is linked to; *linked* are targets of symlinks.

    Under rattler's lock, each by a rename first: what is killed in between is swept with what builds leave.
    """
    gone_bytes = gone_files = kept = 0
    busy = False
    for store in (folder, folder / cache.PACKAGES, folder / CACHE):
        if not store.is_dir() or store.is_symlink():
            continue
        with contextlib.ExitStack() as stack:
            if not dry_run and store.name == cache.PACKAGES and not stack.enter_context(_locked(store)):
                busy = True
                continue
            for entry in _listed(store):
                check()
                package = _unlinked(Path(entry.path), linked)
                if package is None:
                    kept += entry.is_dir(follow_symlinks=False)
                    continue
                if not dry_run and not _take_out(package.path):
                    kept += 1
                    continue
                gone_bytes, gone_files = gone_bytes + package.bytes, gone_files + package.files
    return Taken(gone_bytes, gone_files, kept, busy)


def _listed(store: Path) -> list[os.DirEntry[str]]:
    """Return the packages and archives of a store; nothing else in it is ours to judge."""
    with os.scandir(store) as entries:
        return sorted((each for each in entries if _is_package(each)), key=lambda each: each.name)


def _is_package(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return False
    if entry.is_dir(follow_symlinks=False):
        return Path(entry.path, "info", "index.json").is_file()
    return entry.name.endswith(_ARCHIVES) and entry.is_file(follow_symlinks=False)


def _unlinked(path: Path, linked: Collection[Path]) -> Package | None:
    """Return a package with its size if it is the user's own and nothing is linked to it, else None."""
    if any(each == path or path in each.parents for each in linked):
        return None
    size = files = 0
    for each in (path, *_below(path)):
        facts = each.lstat()
        if facts.st_uid != os.geteuid() or (facts.st_nlink > 1 and not stat.S_ISDIR(facts.st_mode)):
            return None
        size, files = size + facts.st_blocks * 512, files + 1
    return Package(path, size, files)


def _below(path: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(path):
        yield from (Path(here, name) for name in (*folders, *names))


def _take_out(path: Path) -> bool:
    counter = path.with_name(f"{path.name}.lock")
    with contextlib.ExitStack() as stack:
        if counter.is_file() and not stack.enter_context(_locked_file(counter)):
            return False  # rattler reads it now
        aside = path.with_name(f".{path.name}{secrets.token_hex(3)}")
        path.rename(aside)
        counter.unlink(missing_ok=True)
        remove_tree(aside)
    return True


@contextlib.contextmanager
def _locked(store: Path) -> Iterator[bool]:
    with _locked_file(store / cache.LOCK, os.O_CREAT) as held:
        yield held


@contextlib.contextmanager
def _locked_file(path: Path, more: int = 0) -> Iterator[bool]:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | more, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # somebody has it, or nobody can tell: then nothing is touched
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
