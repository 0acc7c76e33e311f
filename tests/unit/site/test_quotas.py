"""What locations are told to have left: by programs whose words are read strictly, and which nobody waits for."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

from jupyter_hpcenv.models import Location
from jupyter_hpcenv.site import Site, quotas
from jupyter_hpcenv.site.locations import all_locations, describe
from jupyter_hpcenv.site.quotas import Mount, Quota


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "_answers", {})


def site(tmp_path: Path, **facts: Any) -> Site:
    return Site(config=Config({"Site": {"locations": {"scratch": {"root": str(tmp_path), **facts}}}}))


def asked(configured: Site) -> Location:
    (found,) = quotas.with_quotas(configured, [describe(configured, "scratch")])
    return found


def program(tmp_path: Path, name: str, text: str) -> str:
    path = tmp_path / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def figures(place: Location) -> tuple[int | None, ...]:
    return (place.used_bytes, place.quota_bytes, place.used_files, place.quota_files)


def test_a_program_of_the_sites_tells_the_quota(tmp_path: Path) -> None:
    told = program(
        tmp_path, "told", 'echo "$@" >> "$0.asked"; echo \'{"used_bytes": 10, "limit_bytes": 100, "used_files": 3}\''
    )
    configured = site(tmp_path, quota=[told, "{username}", "{location}", "{root}", "$HOME {other}"])
    place = asked(configured)
    assert (figures(place), place.quota_message) == ((10, 100, 3, None), "")
    assert quotas.room(place)[0] == 90
    assert figures(asked(configured)) == (10, 100, 3, None)
    (line,) = (tmp_path / "told.asked").read_text().splitlines()  # the second answer was that of the first
    assert line.split(" ", 1)[1] == f"scratch {tmp_path} $HOME {{other}}"


@pytest.mark.parametrize(
    "text", ["echo nonsense", "echo '[1]'", 'echo \'{"used_bytes": "1"}\'', "exit 3", "echo '{\"used_bytes\": -1}'"]
)
def test_what_can_not_be_read_is_no_quota(text: str, tmp_path: Path) -> None:
    place = asked(site(tmp_path, quota=[program(tmp_path, "told", text)]))
    assert figures(place) == (None, None, None, None)
    assert quotas.room(place) == (place.free_bytes, place.free_files)
    if text.startswith("exit"):
        assert "ended with 3" in place.quota_message


def test_nobody_waits_for_one_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas._patience, "_seconds", 0.2)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    place = asked(site(tmp_path, quota=[program(tmp_path, "told", f"read x < {gate}; echo '{{}}'")]))
    assert "does not answer now" in place.quota_message
    assert place.free_bytes, "what the filesystem says is there all the same"
    gate.write_text("go\n")
    while any(thread.is_alive() for thread in quotas._patience._hung.values()):
        time.sleep(0.01)
    place = asked(site(tmp_path, quota=[str(tmp_path / "told")]))
    assert place.quota_message == ""


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "could not be started" in asked(site(tmp_path, quota=["/no/such/program"])).quota_message


LFS = "/lustre/a  5242880*  4194304  6291456  6d23h59m57s  1000  0  2000  -"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([LFS], Quota(5242880 * 1024, 6291456 * 1024, 1000, 2000)),
        (["/lustre/with/a/long/name", "      10  0  0  -  3  5  0  -"], Quota(10 * 1024, None, 3, 5)),
        (["/lustre/a  [10]*  20  0  -  3  0  0  -", "Some errors happened."], Quota(10 * 1024, 20 * 1024, 3, None)),
        (["/lustre/2  1  2  3"], None),
        (["lfs quota: No such device"], None),
        ([], None),
    ],
)
def test_what_lfs_says(lines: list[str], expected: Quota | None) -> None:
    assert quotas.read_lfs(lines) == expected


QUOTA = [
    "Disk quotas for user somebody (uid 1000): ",
    "     Filesystem  blocks   quota   limit   grace   files   quota   limit   grace",
    "      /dev/sda1     100       0       0       0      7       0       0       0",
    "server:/home  5000*  4000  6000  1700000000  12  0  50  0",
]


def test_what_quota_says_counts_for_its_own_filesystem_alone() -> None:
    assert quotas.read_quota(QUOTA, "server:/home") == Quota(5000 * 1024, 6000 * 1024, 12, 50)
    assert quotas.read_quota(QUOTA, "/dev/sda1") == Quota(100 * 1024, None, 7, None)
    assert quotas.read_quota(QUOTA, "/dev/sdb1") is None
    assert quotas.read_quota(QUOTA, "Filesystem") is None
    assert quotas.read_quota(["Disk quotas for user somebody (uid 1000): none"], "Disk") is None


@pytest.mark.parametrize(
    ("facts", "mount", "expected"),
    [
        ({"quota": "lfs"}, None, ["lfs", "quota", "-q", "-u", "ME", "ROOT"]),
        ({"quota": "lfs", "group": "proj1"}, None, ["lfs", "quota", "-q", "-g", "proj1", "ROOT"]),
        ({"quota": "lfs", "project": "17"}, None, ["lfs", "quota", "-q", "-p", "17", "ROOT"]),
        ({"quota": "quota"}, None, ["quota", "-v", "-w", "-p", "-u"]),
        ({"quota": "quota", "group": "proj1"}, None, ["quota", "-v", "-w", "-p", "-g", "proj1"]),
        ({"quota": "none"}, Mount("/", "lustre", "x@tcp:/y"), []),
        ({}, Mount("/", "lustre", "x@tcp:/y"), ["lfs", "quota", "-q", "-u", "ME", "ROOT"]),
        ({}, Mount("/", "nfs4", "server:/home"), ["quota", "-v", "-w", "-p", "-u"]),
        ({}, Mount("/", "tmpfs", "tmpfs"), []),
        ({}, None, []),
    ],
)
def test_who_is_asked(
    facts: dict[str, Any], mount: Mount | None, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "username", lambda: "ME")
    monkeypatch.setattr(quotas.shutil, "which", lambda name: f"/usr/bin/{name}")
    configured = site(tmp_path, **facts)
    place = describe(configured, "scratch")
    assert quotas.command(configured, place, mount) == [str(tmp_path) if word == "ROOT" else word for word in expected]


def test_the_mount_that_a_path_lies_on(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "22 21 0:5 / /scratch rw shared:1 - lustre a@tcp:/b rw\n"
        "23 21 0:6 / /scratch/with\\040space rw - nfs4 server:/x rw\n"
        "short\n"
    )
    find = quotas.mount_of
    assert find("/scratchy", str(table)) == Mount("/", "ext4", "/dev/sda1")
    assert find("/scratch/me", str(table)) == Mount("/scratch", "lustre", "a@tcp:/b")
    assert find("/scratch/with space/a", str(table)) == Mount("/scratch/with space", "nfs4", "server:/x")
    assert find("/x", str(tmp_path / "none")) is None


@pytest.mark.parametrize(
    "facts",
    [
        {"purge_days": 0},
        {"purge_days": True},
        {"purge_days": "30"},
        {"purge_by": "birth"},
        {"backed_up": "yes"},
        {"quota": "df"},
        {"quota": []},
        {"quota": ["a", 1]},
        {"group": "-x"},
        {"project": 17},
    ],
)
def test_facts_that_can_not_be_are_refused_by_name(facts: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(TraitError, match=next(iter(facts))):
        site(tmp_path, **facts)


def test_what_is_purged_is_the_default_only_where_nothing_else_can_be_used(tmp_path: Path) -> None:
    purged = {"root": str(tmp_path / "s"), "purge_days": 30, "purge_by": "atime", "backed_up": False}
    kept = {"root": str(tmp_path / "k")}

    def default(**locations: Any) -> list[str]:
        configured = Site(config=Config({"Site": {"locations": locations}}))
        return [place.name for place in all_locations(configured) if place.default]

    assert default(scratch=purged, kept=kept) == ["kept"]
    assert default(scratch=purged, gone="/no/such/place") == ["scratch"]
    named = Config({"Site": {"locations": {"scratch": purged, "kept": kept}, "default_location": "scratch"}})
    found = all_locations(Site(config=named))
    assert [place.name for place in found if place.default] == ["scratch"], "staff may say so"
    assert (found[0].purge_days, found[0].purge_by, found[0].backed_up) == (30, "atime", False)
    assert (found[1].purge_days, found[1].backed_up) == (None, None)
