"""The package cache that environments share: two workers at once, what the killed leave, and bytes that are wrong."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_hpcenv.errors import BuildFailed, HpcenvError, LocationUnavailable
from jupyter_hpcenv.managers.conda import cache as caches
from jupyter_hpcenv.managers.conda import engine
from jupyter_hpcenv.managers.conda.installed import read
from jupyter_hpcenv.managers.conda.records import files

from . import conda_says
from .channel import fill, index, tiny
from .driving import Notes, source, tree, wait_for_no_engine
from .serving import ChannelServer, Slow

#: A worker that creates an environment, and kills itself in a step once so many bytes are there.
WORKER = """
import os, signal, sys
from pathlib import Path
from jupyter_hpcenv.managers.conda import engine
from tests.conda.driving import Notes, source

class Doomed(Notes):
    def progress(self, progress):
        super().progress(progress)
        if self.steps[-1] == sys.argv[1] and (progress.bytes_done or 0) >= int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)

_, _, channel, cache, prefix, *specs = sys.argv[1:]
engine.create(source(channel, Path(cache), patience=60), specs, Path(prefix), Doomed())
print(sorted(each.name for each in engine.installed(Path(prefix))))
"""


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def sound(cache: Path) -> None:
    """Every package in the cache holds the bytes that it lists; nothing half done lies beside."""
    names = {path.name for path in (cache / "pkgs").iterdir()}
    packages = {name for name in names if not name.startswith(".") and not name.endswith(".lock")}
    assert names == packages | {f"{name}.lock" for name in packages} | {".cache.lock"}
    for name in packages:
        folder = cache / "pkgs" / name
        for entry in json.loads((folder / "info/paths.json").read_text())["paths"]:
            if entry["path_type"] == "hardlink":
                assert (folder / entry["_path"]).stat().st_size == entry["size_in_bytes"], entry


@pytest.fixture
def big(tmp_path: Path) -> Iterator[ChannelServer]:
    """A server of a channel whose packages take a moment to come."""
    own = tmp_path / "own"
    noise = random.Random(1)
    fill(own, [tiny(f"hpc-{name}", files={f"share/{name}": noise.randbytes(100_000)}) for name in "abc"])
    index(own)
    with ChannelServer({"main": own}) as server:
        yield server


def test_two_workers_fill_one_cold_cache(big: ChannelServer, tmp_path: Path) -> None:
    big.misbehave("*.conda", Slow(100_000))  # so that they meet
    cache, specs = tmp_path / "cache", ["hpc-a", "hpc-b", "hpc-c"]
    prefixes = [tmp_path / "one", tmp_path / "two"]
    workers = [start("never", 0, big.url(), cache, prefix, *specs) for prefix in prefixes]
    for worker in workers:
        told = worker.communicate(timeout=120)[0]
        assert worker.returncode == 0, told
    sound(cache)
    one, two = ({each.name: each.sha256 for each in read(prefix)} for prefix in prefixes)
    assert one == two
    for prefix in prefixes:
        assert all((prefix / path).is_file() for each in read(prefix) for path in files(each))
        assert conda_says.requested(prefix) == {spec: spec for spec in specs}


def test_a_cache_in_use_is_waited_for_and_that_is_said(channel: Path, tmp_path: Path) -> None:
    """The lock is rattler's own: who holds it keeps us from linking."""
    cache, prefix = tmp_path / "cache", tmp_path / "environment"
    caches.make(cache)
    holder = (cache / "pkgs" / caches.LOCK).open("a")
    fcntl.flock(holder, fcntl.LOCK_EX)
    assert caches.is_busy(cache)

    def stop(notes: Notes) -> bool:  # after a second of waiting, with nothing linked
        return notes.checks > 10

    notes = Notes(stop)
    with pytest.raises(HpcenvError, match="Somebody asked for it"):
        engine.create(source(channel, cache), ["hpc-tiny"], prefix, notes)
    assert "this one goes on when that is done" in notes.said()
    assert read(prefix) == []
    holder.close()
    engine.create(source(channel, cache), ["hpc-tiny"], prefix, Notes())
    assert [each.name for each in read(prefix)] == ["hpc-tiny"]


# -- what the killed leave --------------------------------------------------


@pytest.fixture
def littered(big: ChannelServer, tmp_path: Path) -> Path:
    """A cache in which one package is whole, and a worker was killed in the download of another."""
    cache = tmp_path / "cache"
    engine.create(source(big.url(), cache), ["hpc-a"], tmp_path / "first", Notes())
    big.misbehave("*/hpc-b-*", Slow(60_000))
    worker = start("download", 20_000, big.url(), cache, tmp_path / "second", "hpc-b")
    told = worker.communicate(timeout=120)[0]
    assert worker.returncode == -signal.SIGKILL, told
    assert len(litter(cache)) == 1
    return cache


def litter(cache: Path) -> list[Path]:
    return [path for path in (cache / "pkgs").iterdir() if path.name.startswith(".hpc-b-1.0-0")]


def test_a_transaction_sweeps_what_killed_ones_left_once_it_is_done(
    littered: Path, big: ChannelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is younger than a day may be of a worker that lives, on another host perhaps."""
    third = tmp_path / "third"
    notes = Notes()
    engine.create(source(big.url(), littered), ["hpc-a"], third, notes)
    assert len(litter(littered)) == 1
    assert "had been killed" not in notes.said()
    monkeypatch.setattr(caches, "LEFT", -1.0)
    (littered / "pkgs/.hpc-b-1.0-0abcdef").mkdir()
    monkeypatch.setattr(caches, "AT_ONCE", 1)
    for left in (1, 0):
        notes = Notes()
        engine.change(source(big.url(), littered), third, notes, install=["hpc-c"])
        assert len(litter(littered)) == left
        assert "what was left of a download that had been killed" in notes.said("output")
    sound(littered)


def test_litter_is_swept_and_packages_stay(littered: Path, big: ChannelServer, tmp_path: Path) -> None:
    (littered / "repodata/.tmpAbCdEf").write_text("half")
    before = tree(littered / "pkgs/hpc-a-1.0-0")
    assert caches.sweep_cache(littered, older=-1) == 2
    sound(littered)
    assert tree(littered / "pkgs/hpc-a-1.0-0") == before
    assert (tmp_path / "first/share/a").stat().st_size == 100_000
    assert caches.sweep_cache(littered, older=-1) == 0
    big.behave()
    engine.create(source(big.url(), littered), ["hpc-b"], tmp_path / "third", Notes())
    sound(littered)


def test_an_engine_does_not_outlive_its_worker(channel: Path, tmp_path: Path) -> None:
    """One that waits for the cache would otherwise wake up later, and write into what was cleared meanwhile."""
    cache, prefix = tmp_path / "cache", tmp_path / "environment"
    engine.create(source(channel, cache), ["hpc-tiny"], tmp_path / "first", Notes())
    with (cache / "pkgs" / caches.LOCK).open("a") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        worker = start("link", 0, channel.as_uri(), cache, prefix, "hpc-tiny")
        told = worker.communicate(timeout=120)[0]
        assert worker.returncode == -signal.SIGKILL, told
        wait_for_no_engine(prefix)
    assert read(prefix) == []


def test_what_is_young_stays(littered: Path) -> None:
    """A worker of another host may be at it, whose lock is not seen here."""
    assert caches.sweep_cache(littered) == 0
    assert caches.sweep_cache(littered, older=3600) == 0


def test_nothing_goes_while_a_transaction_lives(littered: Path) -> None:
    with (littered / "pkgs" / caches.LOCK).open("a") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert caches.sweep_cache(littered, older=-1) == 0
    assert caches.sweep_cache(littered, older=-1) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_litter_of_others_stays(littered: Path) -> None:
    os.chown(litter(littered)[0], 43_001, -1)
    assert caches.sweep_cache(littered, older=-1) == 0


def test_no_cache_is_no_litter(tmp_path: Path) -> None:
    assert caches.sweep_cache(tmp_path / "nothing", older=-1) == 0


# -- bytes ------------------------------------------------------------------


def flip(cache: Path) -> Path:
    """Change a byte of a package in the cache, and nothing that can be seen from the outside."""
    path = cache / "pkgs/hpc-tiny-2.0-0/share/hpc-tiny/version"
    facts = path.stat()
    path.write_text("9.9\n")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    return path


def test_a_flipped_byte_in_the_cache_is_not_linked(channel: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    engine.create(source(channel, cache), ["hpc-tiny"], tmp_path / "first", Notes())
    flip(cache)
    engine.create(source(channel, cache), ["hpc-tiny"], tmp_path / "second", Notes())
    assert (tmp_path / "second/share/hpc-tiny/version").read_text() == "2.0\n"
    flip(cache)
    engine.create(source(channel, cache, verify=False), ["hpc-tiny"], tmp_path / "third", Notes())
    assert (tmp_path / "third/share/hpc-tiny/version").read_text() == "9.9\n"  # so it is the check that does it


def test_packages_give_nobody_else_rights(tmp_path: Path) -> None:
    from .archives import File

    own = tmp_path / "channel"
    fill(own, [tiny("hpc-open", files={"bin/hpc-open": File(b"#!/bin/sh\n", 0o6777), "share/x": File(b"", 0o666)})])
    index(own)
    engine.create(source(own, tmp_path / "cache"), ["hpc-open"], tmp_path / "environment", Notes())
    modes = {name: (tmp_path / "environment" / name).stat().st_mode & 0o7777 for name in ("bin/hpc-open", "share/x")}
    assert modes == {"bin/hpc-open": 0o755, "share/x": 0o644}


# -- filesystems and groups -------------------------------------------------


def test_a_filesystem_without_locks_is_named(channel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuses)
    assert not caches.takes_locks(tmp_path / "cache")
    with pytest.raises(BuildFailed, match="refuses to lock files"):
        engine.create(source(channel, tmp_path / "cache"), ["hpc-tiny"], tmp_path / "environment", Notes())


def test_a_cache_that_can_not_be_is_named(channel: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(LocationUnavailable, match="cache"):
        engine.create(source(channel, tmp_path / "cache"), ["hpc-tiny"], tmp_path / "environment", Notes())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is in every group")
def test_files_of_another_group_are_told(channel: Path, tmp_path: Path) -> None:
    """A location whose folder hands its group down, and a cache of another group: what is hardlinked keeps that one."""
    team, cache = tmp_path / "team", tmp_path / "cache"
    team.mkdir()
    os.chown(team, -1, 43_100)
    team.chmod(0o2775)
    notes = Notes()
    engine.create(source(channel, cache), ["hpc-tiny"], team / "environment", notes)
    assert caches.foreign_group(team / "environment") == 0
    assert "Files in the environment belong to group root, but its folder to 43100" in notes.said("warning")
    notes = Notes()
    engine.create(source(channel, cache, copy=True), ["hpc-tiny"], team / "copied", notes)
    assert caches.foreign_group(team / "copied") is None
    assert notes.said("warning") == ""


def test_only_files_of_ones_own_get_new_dates(tmp_path: Path) -> None:
    for name in ("own", "shared"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1, 1))
    os.link(tmp_path / "shared", tmp_path / "other")
    (tmp_path / "link").symlink_to("shared")
    caches.freshen(tmp_path, ["own", "shared", "link", "gone"])
    assert (tmp_path / "own").stat().st_mtime > time.time() - 60
    assert (tmp_path / "shared").stat().st_mtime == 1


def test_a_plan_of_exact_packages_knows_what_is_cached(channel: Path, tmp_path: Path) -> None:
    main = source(channel, tmp_path / "cache")
    engine.create(main, ["hpc-tiny", "hpc-linked"], tmp_path / "environment", Notes())
    shutil.rmtree(tmp_path / "cache/pkgs/hpc-linked-1.0-0")
    from .test_engine import pins

    plan = engine.plan_pinned(main, pins(tmp_path / "environment"))
    assert {each.name: (each.cached, each.files) for each in plan.install} == {
        "hpc-linked": (False, None),
        "hpc-tiny": (True, 3),
    }
    assert plan.files is None
