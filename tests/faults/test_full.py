"""Disks without bytes or without files left: the message says which and where, nothing stays, delete works."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOMS = (0, 1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 22, 26)
PAGE = os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def small(rig: Any, tmp_path: Path) -> Iterator[Path]:
    """A filesystem that is just large enough for the checks at submit."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=120m,nr_inodes=5200,mode=0755", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        if os.environ.get("HPCENV_REQUIRE_REAL") == "1":
            pytest.fail("nothing can be mounted, and HPCENV_REQUIRE_REAL=1 forbids to skip these tests")
        pytest.skip("nothing can be mounted")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, what: str, room: int) -> None:
    """Leave room for *room* pages, or files."""
    facts = os.statvfs(place)
    if what == "bytes":
        with (place / "filling").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, (facts.f_bavail - room) * facts.f_frsize)
    else:
        (place / "filling").mkdir()
        for number in range(os.statvfs(place).f_favail - room):
            os.mknod(place / "filling" / str(number))


def unfill(place: Path) -> None:
    subprocess.run(["rm", "-rf", str(place / "filling")], check=True)


@pytest.mark.parametrize("where", ["location", "home"])
@pytest.mark.parametrize("what", ["bytes", "files"])
def test_a_build_that_fills_the_disk(rig: Any, small: Path, what: str, where: str) -> None:
    home = rig.lanes[0]
    lane = home if where == "location" else type(home)(small.parent / "lane", (), small / "home")
    config = {"Site": {"locations": {"small": str(small / "envs") if where == "location" else "{data_dir}/envs"}}}
    wrong, held = [], 0
    try:
        for room in ROOMS:
            if where == "location":
                lane.back("empty")
                subprocess.run(["rm", "-rf", str(small / "envs")], check=True)
            else:
                subprocess.run(["find", str(lane.home), "-mindepth", "1", "-delete"], check=True)
            lane.do("create", config=config, options={"name": "other"})
            lane.do("submit", config=config)
            fill(small, what, room)
            lane.begin("work", config=config)
            lane.go()
            found = full(lane.end(), small)
            lane.do("delete_other", config=config)
            unfill(small)
            lane.do("age_tickets", config=config)
            found += lane.do("judge", config=config, options={"after": "look"})["violations"]
            lane.do("create_if_missing", config=config)
            wrong += [f"{where}, room for {room} {what}: {each}" for each in found]
            held += not found
    finally:
        if lane is not home:
            lane.close()
    rig.tally.add("create", f"no {what} left in the {where}", len(ROOMS), held)
    assert not wrong, "\n".join(wrong)


def full(ended: dict[str, Any], small: Path) -> list[str]:
    """Return what is wrong with the answer of a worker on a full disk."""
    outcome = ended["outcome"] or {"crash": f"status {ended['status']}"}
    if "crash" in outcome:
        return [outcome["crash"]]
    value = outcome.get("value", outcome)
    if value.get("code") in (0, 1) or value.get("error") == "disk_full":
        return []
    if value.get("failed") != "disk_full" or str(small) not in value["message"]:
        return [f"the message does not say what is full and where: {value}"]
    return []
