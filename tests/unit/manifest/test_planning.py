"""What is to be done about each environment, told from what is there."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec
import pytest
from traitlets.config import Config

from jupyter_hpcenv import manifest
from jupyter_hpcenv.admission.applying import Report
from jupyter_hpcenv.catalog.rows import Look, row_at
from jupyter_hpcenv.cli.apply import _lines as lines
from jupyter_hpcenv.errors import NameTaken
from jupyter_hpcenv.manifest import Found, Manifest, access, publishing, releases
from jupyter_hpcenv.manifest.words import Entry, Step, Visible
from jupyter_hpcenv.models import CreateRequest, Platform, Preinstalled, Record
from jupyter_hpcenv.site import Site


class World:
    """A location, and records in it that only say what the plan asks for."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "soft"
        self.root.mkdir()
        self.site = Site(config=Config({"Site": {"locations": {"site": str(self.root)}, "cluster": "tiny"}}))
        self.settings = Manifest(config=Config({"Manifest": {"kernels_dir": str(folder / "kernels")}}))
        self.there: list[Found] = []

    def built(self, entry: Entry, created: str = "2026-01-01", label: str = "l", **more: object) -> Record:
        """Pretend that an entry was built: its record, and a prefix without a Python."""
        place = manifest.prefix_of(self.root, entry.name, entry.release) if entry.release else self.root / entry.name
        (place / ".hpcenv").mkdir(parents=True)
        (place / ".hpcenv" / "launch").write_text("#!/bin/sh\n")
        (place / ".hpcenv" / "launch").chmod(0o755)
        record = Record(
            id="0" * 31 + str(len(self.there)),
            name=entry.own_name,
            location="site",
            prefix=str(place),
            manager="modules",
            creator="",
            installer="",
            python="",
            python_path="",
            display_name=entry.name,
            platform=Platform(cluster="tiny", os="", arch=""),
            owner="",
            created=created,
            changed=created,
            operation="",
            preinstalled=entry.preinstalled(label),
        )
        record = msgspec.structs.replace(record, **more)
        row = row_at(str(place), "site", record, Look({}, "", self.site), own=True)
        self.there.append(Found(row, record))
        return record

    def plan(self, *entries: Entry, day: str = "2026-06-01", keep: int = 1) -> dict[str, str]:
        document = manifest.Document(path="", label="l", keep=keep, environments=list(entries))
        steps = manifest.plan(document, self.there, self.site, self.settings, today=datetime.date.fromisoformat(day))
        return {f"{each.step.name} {each.step.release}".strip(): each.step.act for each in steps}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def entry(name: str = "x", release: str = "", **more: object) -> Entry:
    wanted = Entry(name=name, release=release, request=CreateRequest(name=name, location="site"))
    return msgspec.structs.replace(wanted, **more)


def test_what_is_there_and_shown_is_unchanged(world: World) -> None:
    assert world.plan(entry(release="1")) == {"x 1": "build"}
    world.built(entry(release="1"))
    assert world.plan(entry(release="1")) == {"x 1": "finish"}
    releases.switch(world.root, "x", "1")
    assert world.plan(entry(release="1")) == {"x 1": "unchanged"}
    assert world.plan(entry(release="1", test="import x")) == {"x 1": "finish"}
    assert world.plan(entry(release="1", visible=Visible(users=["0"]))) == {"x 1": "finish"}


def test_what_others_made_is_not_taken(world: World) -> None:
    world.built(entry("a"), label="other")
    world.built(entry("b"), preinstalled=None)
    assert world.plan(entry("a"), entry("b")) == {"a": "error", "b": "error"}
    (world.root / "c").mkdir()
    (world.root / "d").symlink_to("elsewhere")
    assert world.plan(entry("c", "1"), entry("d", "1")) == {"c 1": "error", "d 1": "error"}
    assert world.plan() == {}, "what has no label of this manifest is never removed"


def test_twice_the_same_is_an_error(world: World) -> None:
    assert world.plan(entry("a", "1"), entry("a", "2")) == {"a 1": "build", "a 2": "error"}
    for first, second in [(entry("b-1"), entry("B", "1")), (entry("B", "1"), entry("b-1"))]:
        document = manifest.Document(path="", label="l", environments=[first, second])
        steps = [each.step for each in manifest.plan(document, world.there, world.site, world.settings)]
        assert [step.act for step in steps] == ["build", "error"]
        assert f"two environments {second.own_name} in" in steps[1].error


def test_what_is_for_other_machines_is_skipped_and_never_removed(world: World) -> None:
    elsewhere = [manifest.words.Target(cluster="huge")]
    world.built(entry("a"))
    world.built(entry("b"))
    assert world.plan(entry("a", targets=elsewhere)) == {"a": "skipped", "b": "prune"}
    here = [manifest.words.Target(cluster="huge"), manifest.words.Target(cluster="ti*")]
    assert world.plan(entry("a", targets=here), entry("b")) == {"a": "unchanged", "b": "unchanged"}


def test_what_is_retired_is_offered_no_more_and_may_be_removed(world: World) -> None:
    world.built(entry("a"))
    until = entry("a", retire="2026-06-02")
    assert world.plan(until, day="2026-06-01") == {"a": "unchanged"}
    assert world.plan(until, day="2026-06-02") == {"a": "prune"}


def test_older_releases_are_kept_and_then_removed(world: World) -> None:
    for number in range(1, 5):
        world.built(entry(release=str(number)), created=f"2026-01-0{number}")
    releases.switch(world.root, "x", "4")
    now = {"x 4": "unchanged", "x 3": "left", "x 2": "prune", "x 1": "prune"}
    assert world.plan(entry(release="4")) == now
    assert world.plan(entry(release="4"), keep=3) == {**now, "x 2": "left", "x 1": "left"}
    releases.hold(world.root, "x", "3")
    assert world.plan(entry(release="4")) == {**now, "x 3": "prune", "x 2": "left"}, "nobody goes back to it"
    releases.hold(world.root, "x", "4")
    releases.switch(world.root, "x", "2")
    assert world.plan(entry(release="4")) == {"x 4": "held", "x 2": "left", "x 3": "left", "x 1": "prune"}


def test_a_clock_that_was_set_back_does_not_make_the_release_before_an_old_one(world: World) -> None:
    for release, created in (("1", "2026-03-03"), ("2", "2026-02-02"), ("3", "2026-01-01")):
        world.built(entry(release=release), created=created)
        releases.switch(world.root, "x", release)
    assert world.plan(entry(release="3")) == {"x 3": "unchanged", "x 2": "left", "x 1": "prune"}


def test_the_order_in_which_people_got_releases_is_known(tmp_path: Path) -> None:
    releases.folder_of(tmp_path, "x").mkdir(parents=True)
    (tmp_path / "x").symlink_to(".versions/x/0")
    for release in ("1", "2", "2", "3"):
        releases.switch(tmp_path, "x", release)
    assert releases.order(tmp_path, "x") == ["0", "1", "2", "3"], "0 was there before the order was written down"
    releases.switch(tmp_path, "x", "1")
    assert releases.order(tmp_path, "x") == ["0", "1"], "what was gone back from comes before nothing"
    releases.switch(tmp_path, "x", "4")
    assert releases.order(tmp_path, "x") == ["0", "1", "4"]


def test_for_whom_nobody_knows_nothing_is_built(world: World) -> None:
    nobody = [Visible(groups=["no-such-group"]), Visible(users=["no-such-user"]), Visible(groups=[str(2**32)])]
    for visible in nobody:
        assert world.plan(entry("a", visible=visible)) == {"a": "error"}
    world.built(entry("a"))
    assert world.plan(entry("a", visible=nobody[0], retire="2026-01-01")) == {"a": "prune"}, "nobody is let in by that"


def test_whom_it_is_not_for_is_kept_out_before_it_is_built(world: World) -> None:
    calls: list[str] = []
    for visible in (Visible(groups=["0"]), Visible(users=["43012"])):
        publishing.close(entry(release="1", visible=visible), world.root, lambda: calls.append("one"))
        assert access.is_as(world.root / ".versions" / "x", visible)
    assert calls == ["one", "one"]
    publishing.close(entry(release="2"), world.root, lambda: calls.append("opened"))
    publishing.close(entry("y", visible=visible), world.root, lambda: calls.append("not there"))
    assert access.is_as(world.root / ".versions" / "x", visible), "others are let in when it was tested"
    assert calls == ["one", "one"]


def test_a_link_is_switched_in_one_step_and_only_ours_is(tmp_path: Path) -> None:
    folder = releases.folder_of(tmp_path, "x")
    folder.mkdir(parents=True)
    (folder / ".next-0123").symlink_to("left-by-a-crash")
    releases.switch(tmp_path, "x", "1")
    releases.switch(tmp_path, "x", "2")
    assert releases.current(tmp_path, "x") == "2"
    assert [path.name for path in folder.iterdir()] == [".order"]
    releases.take_down(tmp_path, "x")
    assert releases.current(tmp_path, "x") == ""
    (tmp_path / "x").symlink_to("/etc")
    with pytest.raises(NameTaken):
        releases.take_down(tmp_path, "x")
    assert (tmp_path / "x").is_symlink()


def test_who_may_enter_a_folder_is_read_back(tmp_path: Path) -> None:
    groups = [Visible(), Visible(groups=["0"]), Visible(groups=["0", "43110"]), Visible(users=["43012"])]
    for wanted in (*groups, Visible()):
        access.restrict(tmp_path, wanted)
        assert [access.is_as(tmp_path, each) for each in groups] == [each == wanted for each in groups]
    tmp_path.chmod(0o775)
    assert not access.is_as(tmp_path, Visible())


def test_records_of_before_say_nothing_of_manifests() -> None:
    assert msgspec.json.decode(b'{"label":"l","name":"x","digest":"","rest":""}', type=Preinstalled).release == ""


@pytest.mark.parametrize("dry_run", [False, True])
def test_each_is_counted_once(dry_run: bool) -> None:
    """Of six: two were built, one is as it was, one is for another machine, one failed, and one waits for its turn."""
    done = not dry_run
    steps = [
        Step(name="a", act="build", done=done),
        Step(name="b", act="build", done=done),
        Step(name="c", act="unchanged"),
        Step(name="d", act="skipped"),
        Step(name="e", act="build", error="It was not to be."),
        Step(name="f", act="build", why="It is left to the next run."),
    ]
    report = Report(label="site", dry_run=dry_run, steps=steps)
    changed = "3 would be changed, 1 failed, 1 left alone" if dry_run else "2 changed, 1 failed, 2 left alone"
    assert list(lines(report, told=False))[-1] == f"site: 1 as they should be, {changed}."
