from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

from jupyter_hpcenv.errors import InvalidRequest, LocationUnavailable, NotFound, PathTooLong, Refused
from jupyter_hpcenv.site import Site
from jupyter_hpcenv.site.locations import all_locations, default_name, expand, folders_of, own_root, place_for, root_of


def site(**traits: Any) -> Site:
    return Site(config=Config({"Site": traits}))


def test_the_default_location_lies_in_the_users_data_folder(home: Path) -> None:
    (place,) = all_locations(site())
    assert place.name == "home"
    assert place.root == str(home / ".local/share/jupyter/hpcenv/environments")
    assert (place.state, place.default) == ("ready", True)
    assert place.free_bytes is not None
    assert place.free_bytes > 0


def test_words_and_variables_are_expanded_and_never_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRATCH", "/scratch/{username}/$HOME")
    assert expand("$SCRATCH/x", site()) == "/scratch/{username}/$HOME/x"  # what a variable holds is no template
    monkeypatch.setenv("SCRATCH", "/scratch/{{7*7}}")
    assert "49" not in expand("$SCRATCH/{cluster}", site(cluster="c1"))


@pytest.mark.parametrize("template", ["$NO_SUCH_VARIABLE/x", "{nonsense}/x", "relative/x"])
def test_a_location_that_can_not_be_expanded_is_reported_and_hides_nothing(template: str) -> None:
    places = all_locations(site(locations={"odd": template, "home": "{data_dir}/e"}))
    assert [place.state for place in places] == ["missing", "ready"]
    assert places[0].message
    assert places[1].default


def test_a_missing_and_an_unwritable_location_say_so(tmp_path: Path) -> None:
    configured = site(locations={"gone": str(tmp_path / "no" / "where"), "file": "/dev/null"})
    assert [place.state for place in all_locations(configured)] == ["missing", "missing"]
    with pytest.raises(LocationUnavailable) as caught:
        default_name(configured)
    assert caught.value.hints
    with pytest.raises(LocationUnavailable):
        own_root(configured, "gone")


def test_an_unknown_location_names_those_that_exist() -> None:
    with pytest.raises(NotFound) as caught:
        root_of(site(), "scratch")
    assert "home" in caught.value.hints[0]


@pytest.mark.parametrize("name", ["Upper", "a.b", "elsewhere", "-x", ""])
def test_location_names_are_checked_when_the_configuration_is_read(name: str) -> None:
    with pytest.raises(TraitError):
        site(locations={name: "/tmp"})


def test_links_at_and_above_a_root_are_resolved(tmp_path: Path) -> None:
    real = tmp_path / "scratch"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    configured = site(locations={"scratch": str(tmp_path / "link" / "envs")})
    name, root, prefix = place_for(configured, "a", "scratch", "")
    assert (name, root, prefix) == ("scratch", real / "envs", real / "envs" / "a")
    assert root.is_dir()


def test_a_prefix_must_lie_under_a_location_or_match_a_pattern(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project" / "deep").mkdir(parents=True)
    monkeypatch.setenv("PROJECT", str(tmp_path / "project"))
    plain = site()
    with pytest.raises(Refused) as caught:
        place_for(plain, "a", "", str(tmp_path / "project" / "a"))
    assert caught.value.hints
    allowed = site(prefix_patterns=["$PROJECT/*"])
    name, root, prefix = place_for(allowed, "a", "", str(tmp_path / "project" / "deep" / "a"))
    assert (name, root) == ("elsewhere", tmp_path / "project" / "deep")
    inside = site(locations={"p": str(tmp_path / "project")})
    name, root, prefix = place_for(inside, "a", "", str(tmp_path / "project" / "deep" / "a"))
    assert (name, root, prefix.name) == ("p", tmp_path / "project", "a")


@pytest.mark.parametrize("prefix", ["relative", "/a/../b", "/tmp/a\nb", "/tmp/.hpcenv", "/tmp/x/.trash-0/y"])
def test_odd_prefixes_are_refused(prefix: str) -> None:
    with pytest.raises((InvalidRequest, Refused)):
        place_for(site(prefix_patterns=["/*"]), "a", "", prefix)


def test_a_prefix_inside_another_environment_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer" / "pyvenv.cfg").write_text("")
    with pytest.raises(Refused, match="inside another environment"):
        place_for(site(prefix_patterns=["*"]), "a", "", str(tmp_path / "outer" / "a"))


def test_a_sibling_that_only_begins_like_a_location_is_outside_it(tmp_path: Path) -> None:
    (tmp_path / "envs-x").mkdir()
    with pytest.raises(Refused):
        place_for(site(locations={"p": str(tmp_path / "envs")}), "a", "", str(tmp_path / "envs-x" / "a"))


def test_too_long_a_prefix_says_how_long_it_may_be(tmp_path: Path) -> None:
    root = tmp_path / ("x" * 100) / ("y" * 100)
    root.mkdir(parents=True)
    with pytest.raises(PathTooLong, match="255"):
        place_for(site(locations={"p": str(root)}), "n" * 63, "p", "")


def test_a_location_can_have_a_folder_for_each_python(tmp_path: Path) -> None:
    configured = site(locations={"p": f"{tmp_path}/envs/py{{python_version}}/x"})
    assert root_of(configured, "p") == tmp_path / "envs"
    name, root, prefix = place_for(configured, "a", "p", "", "3.12")
    assert (name, root, prefix) == ("p", tmp_path / "envs", tmp_path / "envs" / "py3.12" / "x" / "a")
    prefix.mkdir(parents=True)
    assert folders_of(configured, "p") == [root, prefix.parent]


def test_location_and_prefix_exclude_each_other() -> None:
    with pytest.raises(InvalidRequest):
        place_for(site(), "a", "home", "/x/a")
