"""Races and plants inside one process, thousands of them: what is removed, and what never is."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from traitlets.config import Config

from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.catalog import trash
from jupyter_hpcenv.errors import HpcenvError, Refused
from jupyter_hpcenv.files import remove_tree
from jupyter_hpcenv.models import Platform, Record
from jupyter_hpcenv.names import new_environment_id

SWAPS = 10_000
RACES = int(os.environ.get("HPCENV_RACES", "250"))  # by hand: 1,000


@pytest.fixture
def location(tmp_path: Path) -> Path:
    found = tmp_path / "location"
    found.mkdir()
    return found


@pytest.fixture
def admission(location: Path) -> Admission:
    return Admission(Config({"Site": {"locations": {"home": str(location)}, "cluster": "here"}}))


def put(admission: Admission, location: Path, name: str) -> Record:
    """Write an environment that is nothing but its record."""
    (location / name).mkdir()
    record = Record(
        id=new_environment_id(),
        name=name,
        location="home",
        prefix=str(location / name),
        manager="venv",
        creator="uv",
        installer="uv",
        python="3.12.1",
        python_path="/bin/sh",
        display_name=name,
        platform=Platform(cluster="here", os="os", arch="arch"),
        owner="me",
        created="2026-01-01T00:00:00Z",
        changed="2026-01-01T00:00:00Z",
        operation="20260101-000000-00000000",
    )
    admission.catalog.records.write(record)
    admission.catalog.records.write_copy(record)
    return record


def test_a_link_swapped_in_while_a_tree_is_removed(tmp_path: Path) -> None:
    """CVE-2023-6597 in its shape: a folder becomes a link between the look at it and the step into it."""
    treasure = tmp_path / "treasure"
    (treasure / "below").mkdir(parents=True)
    sentinels = [treasure / "one", treasure / "below" / "two"]
    for sentinel in sentinels:
        sentinel.write_text("precious")
    tree = tmp_path / "tree"
    ended = threading.Event()
    swaps = 0

    def swap() -> None:
        nonlocal swaps
        folder, aside = tree / "a", tree / "aside"
        while swaps < SWAPS:
            with contextlib.suppress(OSError):
                os.rename(folder, aside)
                os.symlink(treasure, folder)
                swaps += 1
                os.unlink(folder)
                os.rename(aside, folder)
            with contextlib.suppress(OSError):
                (tree / "a" / "below").mkdir(parents=True)
        ended.set()

    thread = threading.Thread(target=swap)
    thread.start()
    rounds = 0
    while not ended.is_set():
        rounds += 1
        with contextlib.suppress(OSError):
            remove_tree(tree)
    thread.join()
    assert rounds > 50
    assert [sentinel.read_text() for sentinel in sentinels] == ["precious", "precious"]


#: How many looks late restoring is: emptying looks first, and how long that takes depends on the machine.
LATE = (0, 1, 2, 4, 8, 16, 32)


def test_to_restore_and_to_empty_at_once_is_one_or_the_other(admission: Admission, location: Path) -> None:
    ended = {"restored": 0, "gone": 0}
    barrier = threading.Barrier(2)

    def attempt(what: Callable[[], object], looks: int = 0) -> None:
        barrier.wait()
        for _ in range(looks):  # who is late has another chance
            admission.catalog.trash()
        with contextlib.suppress(HpcenvError):
            what()

    with ThreadPoolExecutor(2) as pool:
        for number in range(RACES):
            record = put(admission, location, f"e{number}")
            admission.delete(record.id)
            found = [
                pool.submit(attempt, lambda record=record: admission.restore(record.id), LATE[number % len(LATE)]),
                pool.submit(attempt, lambda record=record: (admission.empty(record.id), admission.sweep())),
            ]
            for each in found:
                each.result()
            rows, items = admission.catalog.environments(), admission.catalog.trash()
            if rows:
                assert [(row.id, row.state) for row in rows] == [(record.id, "ready")]
                ended["restored"] += 1
                admission.delete(record.id, now=True)
            else:
                ended["gone"] += 1
            assert items == []
            admission.sweep()
            assert not (location / f"e{number}").exists()
            assert list((location / f".trash-{os.geteuid()}").iterdir()) == []
    print(ended)
    assert all(ended.values())


@pytest.mark.parametrize("kind", ["link", "open", "file"])
def test_a_trash_that_was_there_before_is_not_used(
    admission: Admission, location: Path, tmp_path: Path, kind: str
) -> None:
    record = put(admission, location, "mine")
    folder = location / f".trash-{os.geteuid()}"
    loot = tmp_path / "loot"
    loot.mkdir(mode=0o700)
    if kind == "link":
        folder.symlink_to(loot)
    elif kind == "open":
        folder.mkdir()
        folder.chmod(0o777)
    else:
        folder.write_text("")
    with pytest.raises(Refused):
        admission.delete(record.id)
    assert list(loot.iterdir()) == []
    assert [row.state for row in admission.catalog.environments()] == ["ready"]


@pytest.mark.parametrize("kind", ["link", "open", "theirs"])
def test_what_another_put_into_a_trash_is_not_removed(
    admission: Admission, location: Path, tmp_path: Path, kind: str
) -> None:
    """In a folder that a group may write, b can move what is a's into a trash that b made in a's name."""
    folder = location / f".trash-{os.geteuid()}"
    real = tmp_path / "made-by-b" if kind == "link" else folder
    real.mkdir()
    if kind == "link":
        folder.symlink_to(real)
    elif kind == "open":
        real.chmod(0o777)
    elif os.geteuid() == 0:
        os.chown(real, 43_002, 43_002)
    else:
        pytest.skip("only root can make a folder that is another user's")
    planted = real / trash.gone_name(new_environment_id()) / "environment-of-a"
    planted.mkdir(parents=True)
    (planted / "work").write_text("precious")
    assert admission.sweep() == 0
    assert (planted / "work").read_text() == "precious"
