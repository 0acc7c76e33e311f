"""Cleaning a cache of conda packages: what environments are linked to stays, what nobody needs goes."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from jupyter_hpcenv.catalog.caches import links_into
from jupyter_hpcenv.lifecycle import caches as lifecycle
from jupyter_hpcenv.managers.caches import Place
from jupyter_hpcenv.managers.conda import caches, engine
from jupyter_hpcenv.managers.conda.cache import sweep_cache
from jupyter_hpcenv.managers.conda.installed import read
from jupyter_hpcenv.site import Site

from .driving import Notes, source


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def prefix(channel: Path, cache: Path, tmp_path: Path) -> Path:
    """A real environment that rattler has linked to the cache."""
    make(channel, cache, tmp_path / "environment")
    return tmp_path / "environment"


def make(channel: Path, cache: Path, prefix: Path) -> None:
    engine.create(source(channel, cache), ["hpc-tiny"], prefix, Notes())


def packages(cache: Path) -> set[str]:
    return {path.name for path in (cache / "pkgs").iterdir() if path.is_dir()}


def clean(cache: Path, *linked: Path, dry_run: bool = False) -> caches.Taken:
    return caches.clean(cache, linked, dry_run=dry_run, check=lambda: None)


def test_what_is_linked_stays_and_the_rest_goes(prefix: Path, cache: Path, channel: Path) -> None:
    there = packages(cache)
    taken = clean(cache)
    assert (taken.files, taken.kept, packages(cache)) == (0, len(there), there)
    shutil.rmtree(prefix)
    would = clean(cache, dry_run=True)
    assert packages(cache) == there
    assert would.bytes
    assert clean(cache)[:2] == would[:2]
    assert packages(cache) == set()
    make(channel, cache, prefix)
    assert [each.name for each in read(prefix)] == ["hpc-tiny"]


def test_what_an_environment_leads_to_by_symlinks_stays(prefix: Path, cache: Path) -> None:
    """As conda makes them with allow_softlinks on another filesystem."""
    (package,) = packages(cache)
    files = [path for path in prefix.rglob("*") if path.is_file() and path.stat().st_nlink > 1]
    assert files
    for path in files:
        target = cache / "pkgs" / package / path.relative_to(prefix)
        assert target.samefile(path)
        path.unlink()
        path.symlink_to(target)
    linked = links_into(prefix, [cache.resolve()])
    assert linked
    assert clean(cache, *linked).kept == 1
    assert all(path.read_bytes() or True for path in files)
    assert clean(cache).kept == 0  # who does not look breaks it
    assert not any(path.exists() for path in files)


def test_nothing_goes_while_rattler_or_a_program_works(prefix: Path, cache: Path) -> None:
    shutil.rmtree(prefix)
    there = packages(cache)
    place = Place("conda", "conda", cache)
    with (cache / "pkgs" / ".cache.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert clean(cache).busy
        assert not lifecycle.clean(place, cache, [], Site(), dry_run=False).done
    assert packages(cache) == there
    theirs = place._replace(ours=False)
    assert "may be using it" in lifecycle.clean(theirs, cache, [], Site(), dry_run=False).reason
    assert lifecycle.clean(place, cache, [], Site(), dry_run=False).done
    assert packages(cache) == set()


def test_packages_of_others_and_what_is_no_package_stay(prefix: Path, cache: Path) -> None:
    shutil.rmtree(prefix)
    (package,) = packages(cache)
    os.chown(next(path for path in (cache / "pkgs" / package).rglob("*") if path.is_file()), 4711, 4711)
    (cache / "pkgs/thesis").mkdir()
    (cache / "linked.conda").symlink_to("/etc/hostname")
    assert clean(cache).kept == 1
    assert packages(cache) == {package, "thesis"}
    assert (cache / "linked.conda").is_symlink()


def test_who_is_killed_in_the_middle_leaves_what_is_swept(
    prefix: Path, cache: Path, channel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(prefix)

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(caches, "remove_tree", killed)
    with pytest.raises(KeyboardInterrupt):
        clean(cache)
    (left,) = packages(cache)
    assert left.startswith(".")
    assert sweep_cache(cache, older=-1) == 1
    assert packages(cache) == set()
    make(channel, cache, prefix)
    assert read(prefix)
