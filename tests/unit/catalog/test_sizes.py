"""How large an environment is: its own and what it shares, by fd, and without ever holding anybody up."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_hpcenv.catalog.sizes import BLOCK, Sizes, stamp_of, weigh
from jupyter_hpcenv.errors import LocationUnavailable
from jupyter_hpcenv.files import DEEPEST, remove_tree
from jupyter_hpcenv.models import Environment
from jupyter_hpcenv.patience import Slow
from jupyter_hpcenv.site import Site

from ...conftest import require


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    folder = tmp_path / "envs" / "a"
    (folder / "lib/python3.11/site-packages/own").mkdir(parents=True)
    (folder / ".hpcenv").mkdir()
    (folder / "lib/python3.11/site-packages/own/data").write_bytes(b"x" * 50_000)
    return folder


def row(prefix: Path, **changes: Any) -> Environment:
    values: dict[str, Any] = {"id": "0" * 32, "name": "a", "location": "home", "prefix": str(prefix)}
    values |= {"manager": "venv", "installer": "uv", "python": "3.11", "state": "ready", "origin": "own"}
    return Environment(**{**values, **changes})


def du(path: Path) -> int:
    """What du(1) says, which counts a file with several names once, too."""
    done = subprocess.run(["du", "-s", "-x", "--block-size=1", path], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


def test_it_is_what_du_and_find_say(prefix: Path) -> None:
    (prefix / "link").symlink_to("/usr")
    (prefix / "bin").mkdir()
    os.link(prefix / "lib/python3.11/site-packages/own/data", prefix / "bin/twice")
    found = weigh(prefix)
    assert found.bytes == du(prefix)
    listed = subprocess.run(["find", prefix, "-printf", "%i\n"], capture_output=True, text=True, check=True).stdout
    assert found.files == len(set(listed.split()))
    assert (found.shared_bytes, found.shared_files) == (0, 0), "all names of it are in the prefix"


def test_what_a_cache_holds_as_well_is_told_apart(prefix: Path, tmp_path: Path) -> None:
    before = weigh(prefix)
    big = tmp_path / "cache"
    big.write_bytes(b"x" * 200_000)
    os.link(big, prefix / "from-cache")
    os.link(big, prefix / "from-cache-again")
    found = weigh(prefix)
    assert (found.shared_files, found.shared_bytes) == (1, big.stat().st_blocks * BLOCK)
    assert (found.bytes, found.files) == (before.bytes, before.files)
    big.unlink()
    assert weigh(prefix).bytes == before.bytes + found.shared_bytes, "now it is the environment's alone"


def test_no_link_is_followed_and_nothing_mounted_is_counted(prefix: Path, tmp_path: Path) -> None:
    before = weigh(prefix)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "large").write_bytes(b"x" * 1_000_000)
    (prefix / "elsewhere").symlink_to(outside)
    assert weigh(prefix).bytes - before.bytes < 10_000
    point = prefix / "mounted"
    point.mkdir()
    without = weigh(prefix)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", point], capture_output=True).returncode == 0
    require("mount", mounted)
    try:
        (point / "large").write_bytes(b"x" * 1_000_000)
        assert weigh(prefix).bytes <= without.bytes
    finally:
        subprocess.run(["umount", point], check=True)


def test_a_prefix_that_is_a_link_is_not_measured(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(prefix)
    with pytest.raises(LocationUnavailable):
        weigh(tmp_path / "link")


def test_it_is_kept_until_packages_or_the_record_change(prefix: Path) -> None:
    sizes = Sizes(Site())
    assert (sizes.known(row(prefix)).bytes, sizes.known(row(prefix)).outdated) == (None, True)
    measured = sizes.measure(row(prefix))
    kept = Sizes(Site()).known(row(prefix))
    assert (kept.bytes, kept.files, kept.outdated, kept.measured) == (
        measured.bytes,
        measured.files,
        False,
        measured.measured,
    )
    (prefix / "lib/python3.11/site-packages/new-1.dist-info").mkdir()
    assert Sizes(Site()).known(row(prefix)).outdated, "the old figure is still told"
    assert Sizes(Site()).known(row(prefix)).bytes == measured.bytes
    sizes.measure(row(prefix))
    (prefix / ".hpcenv/environment.json").write_text("{}")
    assert sizes.known(row(prefix)).outdated
    assert stamp_of("/no/such/place") == []


def test_what_is_gone_is_as_large_as_it_was(prefix: Path) -> None:
    sizes = Sizes(Site())
    measured = sizes.measure(row(prefix))
    subprocess.run(["rm", "-rf", prefix], check=True)
    found = sizes.known(row(prefix, state="missing", message="It is gone."))
    assert (found.bytes, found.outdated, found.message) == (measured.bytes, False, "It is gone.")


def test_a_damaged_figure_is_none(prefix: Path) -> None:
    sizes = Sizes(Site())
    sizes.measure(row(prefix))
    (path,) = (Site().data_dir / "sizes").iterdir()
    path.write_text('{"stamp": [')
    assert sizes.known(row(prefix)).bytes is None


def test_it_gives_up_on_a_disk_that_takes_too_long(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = Sizes(Site(config=Config({"Site": {"size_patience": 1}})))
    gate = threading.Event()
    monkeypatch.setattr("jupyter_hpcenv.catalog.sizes.weigh", lambda folder, check: gate.wait())
    monkeypatch.setattr(sizes._patience, "_seconds", 0.05)
    with pytest.raises(LocationUnavailable, match="could not be measured"):
        sizes.measure(row(prefix))
    with pytest.raises(LocationUnavailable):  # at once: that thread hangs still
        sizes.measure(row(prefix))
    assert sizes.known(row(prefix)).bytes is None
    gate.set()


def test_it_stops_between_folders(prefix: Path) -> None:
    def enough() -> None:
        raise Slow("a")

    with pytest.raises(Slow):
        weigh(prefix, enough)


def test_measuring_steps_back_behind_everybody(prefix: Path) -> None:
    found: list[int] = []

    def look() -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    Sizes(Site()).measure(row(prefix), look)
    assert set(found) == {19}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) < 19, "nobody else does"


def test_what_is_measured_in_the_background_is_known_when_it_is_done(prefix: Path) -> None:
    from jupyter_hpcenv.admission.places import Sizing
    from jupyter_hpcenv.catalog import Catalog

    sizing = Sizing(Catalog(Site()))
    (first,) = sizing.of([row(prefix)], wait=False)
    assert (first.bytes, first.measuring) == (None, True)
    while (found := sizing.of([row(prefix)], wait=False)[0]).measuring:
        time.sleep(0.01)
    assert found.bytes == weigh(prefix).bytes
    (slow,) = sizing.of([row(prefix, id="1" * 32, state="slow", message="It hangs.")], wait=True)
    assert (slow.bytes, slow.message) == (None, "It hangs.")


def test_what_is_kept_of_the_dead_goes(prefix: Path) -> None:
    sizes = Sizes(Site())
    sizes.measure(row(prefix))
    assert sizes.forget({"0" * 32}) == 0
    assert sizes.forget(set()) == 1
    assert sizes.known(row(prefix)).bytes is None


def test_folders_in_each_other_without_end_are_an_answer(tmp_path: Path) -> None:
    deep = tmp_path / "a"
    deep.mkdir()
    handle = os.open(deep, os.O_RDONLY)
    for _ in range(DEEPEST + 50):
        os.mkdir("d", dir_fd=handle)
        below = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(handle)
    with pytest.raises(LocationUnavailable, match="folders lie in each other"):
        weigh(deep)
    remove_tree(deep)
