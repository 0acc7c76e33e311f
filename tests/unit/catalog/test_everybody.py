"""What staff see of everybody's environments, and what somebody who plants something there can not do to them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_hpcenv.catalog import everybody
from jupyter_hpcenv.catalog.everybody import Seen, means, needed, walk, weigh_all
from jupyter_hpcenv.catalog.records import RECORD, Records
from jupyter_hpcenv.catalog.sizes import Sizes
from jupyter_hpcenv.errors import NotFound
from jupyter_hpcenv.models import Module, ModuleSet, Platform, Record
from jupyter_hpcenv.names import new_environment_id
from jupyter_hpcenv.site import Site

from ...conftest import require
from ...crowd.test_users import reachable

A, B = 43_001, 43_002

Put = Callable[..., Record]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "project").mkdir()
    (tmp_path / "shared").mkdir()
    locations = {"project": f"{tmp_path}/project/{{username}}/envs", "shared": str(tmp_path / "shared")}
    return Site(config=Config({"Site": {"locations": locations, "cluster": "here"}}))


@pytest.fixture
def put(site: Site) -> Put:
    def put(prefix: Path, owner: int = os.geteuid(), **changes: Any) -> Record:
        (prefix / ".hpcenv").mkdir(parents=True)
        values: dict[str, Any] = {
            "id": new_environment_id(),
            "name": prefix.name,
            "location": "whatever it says",
            "prefix": str(prefix),
            "manager": "venv",
            "creator": "uv",
            "installer": "uv",
            "python": "3.12.1",
            "python_path": "/bin/sh",
            "display_name": prefix.name,
            "platform": Platform(cluster="here", os="os", arch="arch"),
            "owner": "whoever it says",
            "created": "2026-01-01T00:00:00Z",
            "changed": "2026-02-01T00:00:00Z",
            "operation": "20260101-000000-00000000",
        }
        record = Record(**{**values, **changes})
        Records(site).write(record)
        for path in (prefix, prefix / ".hpcenv", prefix / RECORD):
            os.chown(path, owner, -1)
        return record

    return put


def modules(*asked: str, along: tuple[str, ...] = ()) -> ModuleSet:
    loaded = [Module(name=name) for name in (*along, *asked)]
    return ModuleSet(system="lmod", asked=["short"], load=list(asked), loaded={"os-arch": loaded})


def test_those_of_everybody_by_owner(site: Site, put: Put, tmp_path: Path) -> None:
    require("root", os.geteuid() == 0)
    put(tmp_path / "project" / "b" / "envs" / "two", B)
    put(tmp_path / "project" / "a" / "envs" / "one", A, modules=modules("gcc/12.3.0", along=("zlib/1.3",)))
    put(tmp_path / "shared" / "three", A)
    (tmp_path / "shared" / "no-environment").mkdir()
    found = walk(site)
    assert [(each.owner, each.location, each.name) for each in found.environments] == [
        (str(A), "project", "one"),
        (str(A), "shared", "three"),
        (str(B), "project", "two"),
    ]
    one = found.environments[0]
    assert (one.modules, one.along, one.python, one.changed) == (
        ["gcc/12.3.0"],
        ["zlib/1.3"],
        "3.12.1",
        "2026-02-01T00:00:00Z",
    )
    assert [(place.name, place.folders, place.message) for place in found.places] == [
        ("project", 2, ""),
        ("shared", 1, ""),
    ]


def test_releases_of_one_name_are_each_seen(site: Site, put: Put, tmp_path: Path) -> None:
    for release in ("1", "2"):
        put(tmp_path / "shared" / ".versions" / "torch" / release, name="torch")
    (tmp_path / "shared" / "torch").symlink_to(".versions/torch/2")
    found = walk(site).environments
    assert [Path(each.prefix).name for each in found] == ["1", "2"]


def test_only_what_is_asked_for_is_walked(site: Site, put: Put, tmp_path: Path) -> None:
    put(tmp_path / "shared" / "x")
    put(tmp_path / "homes" / "a" / "deep" / "y")
    assert [each.name for each in walk(site, ("shared",)).environments] == ["x"]
    assert [each.name for each in walk(site, (), (f"{tmp_path}/homes/*/deep",)).environments] == ["y", "x"], "besides"
    assert [each.name for each in walk(site, ("shared",), (str(tmp_path / "shared"),)).environments] == ["x"], "once"
    with pytest.raises(NotFound):
        walk(site, ("nowhere",))


def test_a_home_is_said_to_be_only_ones_own(tmp_path: Path) -> None:
    assert "--folder" in walk(Site()).places[0].message
    places = walk(Site(config=Config({"Site": {"locations": {"gone": str(tmp_path / "gone")}}}))).places
    assert places[0].message == "There is no such folder."


def test_what_a_variable_is_for_others_is_not_known(tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(config=Config({"Site": {"locations": {"scratch": "$SCRATCH/envs", "own": f"{tmp_path}/$USER/envs"}}}))
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch" / "me"))
    put(tmp_path / "scratch" / "me" / "envs" / "mine")
    put(tmp_path / "scratch" / "you" / "envs" / "yours")
    alone = walk(site, ("scratch",))
    assert [each.name for each in alone.environments] == ["mine"]
    assert alone.places[0].message.startswith("$SCRATCH may be another folder for each user")
    assert not alone.whole
    assert "only your own" not in walk(site, ("own",)).places[0].message
    both = walk(site, ("scratch",), (f"{tmp_path}/scratch/*/envs",))
    assert [(each.location, each.name) for each in both.environments] == [
        (f"{tmp_path}/scratch/*/envs", "yours"),
        ("scratch", "mine"),
    ]
    assert both.whole, "all of them were named"


def damaged_json(prefix: Path) -> None:
    (prefix / RECORD).write_text('{"version": 1')


def pipe(prefix: Path) -> None:
    (prefix / RECORD).unlink()
    os.mkfifo(prefix / RECORD)


def large(prefix: Path) -> None:
    with (prefix / RECORD).open("r+b") as file:
        file.truncate(2**33)


def link(prefix: Path) -> None:
    secret = prefix.parents[1] / "secret"
    secret.write_text("secret")
    (prefix / RECORD).unlink()
    (prefix / RECORD).symlink_to(secret)


def of_another(prefix: Path) -> None:
    os.chown(prefix / RECORD, B, -1)


def copied(prefix: Path) -> None:
    text = (prefix / RECORD).read_text()
    (prefix / RECORD).write_text(text.replace(str(prefix), str(prefix.parent / "other")))


@pytest.mark.parametrize("harm", [damaged_json, pipe, large, link, of_another, copied])
def test_a_damaged_one_is_listed_as_such_and_hides_nothing(
    site: Site, put: Put, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    require("root", os.geteuid() == 0)
    for name in ("bad", "good"):
        put(tmp_path / "shared" / name, A)
    harm(tmp_path / "shared" / "bad")
    bad, good = walk(site).environments
    assert (bad.name, bad.state, bad.owner) == ("bad", "damaged", str(A))
    assert bad.message
    assert "secret" not in bad.message.replace(str(tmp_path), "")
    assert (good.name, good.state) == ("good", "ready")


def test_links_below_a_location_are_not_followed(site: Site, put: Put, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "envs" / "x")
    (tmp_path / "project" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "shared" / "y").symlink_to(tmp_path / "elsewhere" / "envs" / "x")
    assert walk(site).environments == []


def test_what_is_closed_is_counted(site: Site, put: Put) -> None:
    found, place = everybody.Everybody(environments=[], places=[]), everybody.Walked(name="project")
    with reachable("hpcenv-report-") as ground:
        for name in ("home", "place", "environment", "enterable"):
            put(ground / name / "envs" / "one", A)
        (ground / "home").chmod(0o700)
        (ground / "place" / "envs").chmod(0o700)
        (ground / "environment" / "envs" / "one").chmod(0o700)
        (ground / "enterable").chmod(0o711)
        (ground / "nothing").mkdir()
        os.setegid(B)
        os.seteuid(B)
        try:
            everybody._look(place, f"{ground}/*/envs", Records(site), found)
        finally:
            os.seteuid(0)
            os.setegid(0)
    assert [Path(each.prefix).parts[-3] for each in found.environments] == ["enterable"]
    assert place.message == "3 folders could not be read; run this as who may read them."
    assert (place.closed, place.folders) == (3, 2)


@pytest.mark.parametrize(
    ("asked", "name", "meant"),
    [
        ("gcc", "gcc/12.3.0", True),
        ("gcc", "gcc", True),
        ("gcc/12", "gcc/12.3.0", True),
        ("gcc/12", "gcc/12-rc1", True),
        ("gcc/12.3.0", "gcc/12.3.0", True),
        ("gcc/1", "gcc/12.3.0", False),
        ("gcc", "gcc-libs/1", False),
        ("gcc", "gccgo/1", False),
        ("gcc/12.3.0", "gcc/12.3", False),
        ("GCC", "gcc/12", False),
    ],
)
def test_which_modules_a_name_means(asked: str, name: str, meant: bool) -> None:
    assert means(asked, name) is meant


def test_who_needs_a_module_be_it_asked_for_or_not() -> None:
    seen = Seen(owner="a", uid=1, name="x", location="", prefix="/x", modules=["foss/2024a"], along=["GCC/13.3.0"])
    assert needed(seen, "GCC/13") == ["GCC/13.3.0"]
    assert needed(seen, "foss") == ["foss/2024a"]
    assert needed(seen, "CUDA") == []


def test_sizes_are_those_that_are_known_or_measured_on_demand(site: Site, put: Put, tmp_path: Path) -> None:
    put(tmp_path / "shared" / "x")
    (tmp_path / "shared" / "x" / "data").write_bytes(b"x" * 100_000)
    (tmp_path / "shared" / "x" / "out").symlink_to("/usr")
    found = walk(site).environments
    weigh_all(found, site)
    assert found[0].bytes is None
    weigh_all(found, site, measure=True)
    measured = found[0].bytes
    assert measured is not None
    assert 100_000 <= measured < 1_000_000, "nothing behind a link counts"
    Sizes(site).measure(everybody._row(found[0]))
    again = walk(site).environments
    weigh_all(again, site)
    assert again[0].bytes == measured


def test_the_day_of_the_last_start_is_told_where_the_filesystem_keeps_it(site: Site, put: Put, tmp_path: Path) -> None:
    put(tmp_path / "shared" / "x")
    launch = tmp_path / "shared" / "x" / ".hpcenv" / "launch"
    launch.write_text("")
    os.utime(launch, (1_780_000_000, 0))
    (seen,) = walk(site).environments
    kept = not os.statvfs(tmp_path).f_flag & os.ST_NOATIME
    assert seen.used == ("2026-05-28" if kept else "")
