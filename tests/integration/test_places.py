"""What does not fit is refused before anything is built, with the figures and the places that have room."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.errors import DoesNotFit
from jupyter_hpcenv.site import quotas

from ..conftest import require
from .test_rebuild import Desk, shelf

__all__ = ["shelf"]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A filesystem with little room for bytes and files."""
    place = tmp_path / "small"
    place.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=20m,nr_inodes=6000,mode=0755", "tmpfs", str(place)]
    require("mount", subprocess.run(argv, capture_output=True).returncode == 0)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def in_two(wheels: Path, tmp_path: Path, small: Path, **site: Any) -> Desk:
    """A desk whose first location is small."""
    locations = {"small": str(small / "envs"), "large": str(tmp_path / "scratch")}
    return Desk(wheels, tmp_path, **{"locations": locations, **site})


def test_bytes(shelf: Path, tmp_path: Path, small: Path) -> None:
    desk = in_two(shelf, tmp_path, small)
    with pytest.raises(DoesNotFit, match=r"it needs 100\.0 MB, and 2\d\.\d MB are left") as raised:
        desk.create("a")
    assert any("have room: large (" in hint for hint in raised.value.hints)
    assert not list(small.glob("envs/*")), "nothing was built, and no claim taken"
    assert desk.create("a", location="large").state == "ready"


def test_files(shelf: Path, tmp_path: Path, small: Path) -> None:
    desk = in_two(shelf, tmp_path, small, least_bytes=1_000_000, least_files=7_000)
    with pytest.raises(DoesNotFit, match=r"it needs 7,000 files, and 5,\d\d\d are left\."):
        desk.create("a")


def test_a_quota_counts_as_the_disk_does(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "_answers", {})
    told = tmp_path / "told"
    told.write_text('#!/bin/sh\necho \'{"used_bytes": 990, "limit_bytes": 1000}\'\n')
    told.chmod(0o755)
    desk = Desk(shelf, tmp_path, locations={"home": {"root": "{data_dir}/environments", "quota": [str(told)]}})
    with pytest.raises(DoesNotFit, match=r"and 10 bytes are left of the quota") as raised:
        desk.create("a")
    assert not any("have room" in hint for hint in raised.value.hints)
    (place,) = desk.admission.facts()["locations"]
    assert (place["used_bytes"], place["quota_bytes"]) == (990, 1000)


def test_what_is_known_of_an_environment_counts_for_its_move(shelf: Path, tmp_path: Path, small: Path) -> None:
    desk = in_two(shelf, tmp_path, small, least_bytes=0, least_files=0, default_location="large")
    row = desk.create("a", "hpcdemo<2")
    (Path(row.prefix) / "data").write_bytes(os.urandom(30_000_000))
    (size,) = desk.admission.sizes(["a"], wait=True)
    assert size.bytes is not None
    assert size.bytes > 30_000_000
    with pytest.raises(DoesNotFit, match="a does not fit into"):
        desk.admission.move("a", "small")
    (Path(row.prefix) / "data").unlink()
    (Path(row.prefix) / ".hpcenv" / "x").touch()
    desk.admission.sizes(["a"], wait=True)
    desk.succeeded(desk.admission.move("a", "small"))
    assert desk.row("a").prefix == str(small / "envs" / "a")


def test_what_fills_the_disk_in_the_middle_leaves_nothing_and_is_deleted_all_the_same(
    shelf: Path,
    tmp_path: Path,
    small: Path,
) -> None:
    desk = in_two(shelf, tmp_path, small, least_bytes=0, least_files=0, default_location="large")
    row = desk.create("a", "hpcdemo<2")
    facts = os.statvfs(small)
    (small / "envs").mkdir()
    (small / "filling").write_bytes(b"x" * (facts.f_bavail - 200) * facts.f_frsize)
    done = desk.ended(desk.admission.move("a", "small"))
    assert done.state == "failed"
    assert done.error is not None
    assert done.error["code"] == "disk_full", done.error
    assert (desk.row("a").prefix, desk.row("a").state) == (row.prefix, "ready")
    assert not (small / "envs" / "a").exists()
    desk.admission.delete("a")
    shutil.rmtree(small / "envs")
