from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_hpcenv.catalog import Catalog
from jupyter_hpcenv.catalog.foreign import foreign_id
from jupyter_hpcenv.errors import Ambiguous, NotFound
from jupyter_hpcenv.models import Kernel, Platform, Record
from jupyter_hpcenv.names import kernel_name, new_environment_id
from jupyter_hpcenv.site import Site


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    roots = {name: tmp_path / name for name in ("home", "scratch")}
    for root in roots.values():
        root.mkdir()
    return roots


@pytest.fixture
def catalog(places: dict[str, Path]) -> Catalog:
    locations = {name: str(root) for name, root in places.items()}
    return Catalog(Site(config=Config({"Site": {"locations": locations, "cluster": "here"}})))


def put(catalog: Catalog, root: Path, name: str, location: str = "home", **changes: Any) -> Record:
    prefix = root / name
    prefix.mkdir()
    values: dict[str, Any] = {
        "id": new_environment_id(),
        "name": name,
        "location": location,
        "prefix": str(prefix),
        "manager": "venv",
        "creator": "uv",
        "installer": "uv",
        "python": "3.12.1",
        "python_path": "/bin/sh",
        "display_name": name,
        "kernels": [Kernel(name=kernel_name(location, name), display_name=name)],
        "platform": Platform(cluster="here", os="os", arch="arch"),
        "owner": "me",
        "created": "2026-01-01T00:00:00Z",
        "changed": "2026-01-01T00:00:00Z",
        "operation": "20260101-000000-00000000",
    }
    record = Record(**{**values, **changes})
    catalog.records.write(record)
    return record


def test_rows_come_from_records_and_half_built_prefixes_do_not_show(catalog: Catalog, places: dict[str, Path]) -> None:
    put(catalog, places["home"], "one")
    put(catalog, places["scratch"], "two", "scratch")
    (places["home"] / "half-built" / "bin").mkdir(parents=True)
    rows = catalog.environments()
    assert [(row.location, row.name, row.state, row.origin) for row in rows] == [
        ("home", "one", "ready", "own"),
        ("scratch", "two", "ready", "own"),
    ]
    assert rows[0].kernels[0].path == ""  # nothing is published


def test_filters_must_all_match(catalog: Catalog, places: dict[str, Path]) -> None:
    put(catalog, places["home"], "alpha")
    put(catalog, places["scratch"], "alpha", "scratch")
    put(catalog, places["scratch"], "beta", "scratch", python="3.13.0")
    assert len(catalog.environments(location="scratch")) == 2
    assert len(catalog.environments(name="alpha")) == 2
    assert [row.name for row in catalog.environments(query="3.13 SCRATCH")] == ["beta"]
    assert catalog.environments(query="beta home") == []


def test_a_name_is_found_when_it_is_unambiguous(catalog: Catalog, places: dict[str, Path]) -> None:
    first = put(catalog, places["home"], "alpha")
    assert catalog.find("alpha").id == first.id
    second = put(catalog, places["scratch"], "alpha", "scratch")
    with pytest.raises(Ambiguous) as caught:
        catalog.find("alpha")
    assert "home/alpha" in caught.value.hints[0]
    assert catalog.find("scratch/alpha").id == second.id
    assert catalog.find(first.id).packages == []
    with pytest.raises(NotFound):
        catalog.find("../etc")


def test_a_vanished_prefix_shows_as_missing(catalog: Catalog, places: dict[str, Path]) -> None:
    record = put(catalog, places["scratch"], "gone", "scratch")
    (places["scratch"] / "gone").rename(places["scratch"].parent / "purged")
    (row,) = catalog.environments()
    assert (row.state, row.id) == ("missing", record.id)
    assert catalog.find("gone").python_path == "/bin/sh"


def test_what_lies_on_another_clusters_disk_is_not_missing_here(catalog: Catalog, places: dict[str, Path]) -> None:
    put(catalog, places["home"], "far", platform=Platform(cluster="there", os="os", arch="arch"))
    (places["home"] / "far").rename(places["home"].parent / "away")
    assert catalog.environments() == []


def test_a_gone_python_is_said(catalog: Catalog, places: dict[str, Path]) -> None:
    put(catalog, places["home"], "old", python_path="/no/such/python")
    assert catalog.environments()[0].state == "python_gone"


def test_a_moved_environment_is_broken(catalog: Catalog, places: dict[str, Path]) -> None:
    put(catalog, places["home"], "a")
    (places["home"] / "a").rename(places["scratch"] / "a")
    (row,) = catalog.environments()
    assert row.state == "broken"
    assert "moved" in row.message


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "truncated", "deep", "huge", "newer"])
def test_a_hostile_record_is_broken_and_hides_no_other(catalog: Catalog, places: dict[str, Path], kind: str) -> None:
    put(catalog, places["home"], "good")
    bad = places["home"] / "bad" / ".hpcenv"
    bad.mkdir(parents=True)
    path = bad / "environment.json"
    secret = places["home"].parent / "secret"
    secret.write_text('{"canary": "s3cr3t"}')
    if kind == "link":
        path.symlink_to(secret)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "truncated":
        path.write_bytes((places["home"] / "good" / ".hpcenv" / "environment.json").read_bytes()[:100])
    elif kind == "deep":
        path.write_text("[" * 200_000)
    elif kind == "huge":
        path.write_bytes(b" " * 2_000_000)
    else:
        path.write_text('{"version": 99}')
    rows = {row.name: row for row in catalog.environments()}
    assert rows["good"].state == "ready"
    assert rows["bad"].state == ("newer" if kind == "newer" else "broken")
    assert "s3cr3t" not in rows["bad"].message
    assert catalog.find(rows["bad"].id).state == rows["bad"].state


def test_a_record_can_not_say_where_it_lies(catalog: Catalog, places: dict[str, Path]) -> None:
    record = put(catalog, places["home"], "a", location="scratch")
    row = next(row for row in catalog.environments() if row.id == record.id)
    assert row.location == "home"


def test_foreign_environments_are_listed_from_files(
    catalog: Catalog, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = home / ".virtualenvs" / "theirs"
    (wrapper / "bin").mkdir(parents=True)
    (wrapper / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.11.4.final.0\n")
    (wrapper / "bin" / "python").symlink_to("/bin/sh")
    conda = tmp_path / "conda-one"
    (conda / "conda-meta").mkdir(parents=True)
    (conda / "conda-meta" / "python-3.10.2-h1.json").write_text('{"name": "python", "version": "3.10.2"}')
    (home / ".conda").mkdir()
    (home / ".conda" / "environments.txt").write_text(f"{conda}\n/no/such\n")
    found = {row.name: row for row in catalog.environments()}
    assert (found["theirs"].manager, found["theirs"].python, found["theirs"].state) == ("venv", "3.11.4", "ready")
    assert (found["conda-one"].manager, found["conda-one"].python) == ("conda", "3.10.2")
    assert found["conda-one"].state == "python_gone"
    assert found["theirs"].id == foreign_id(wrapper)
    assert found["theirs"].origin == "foreign"


def test_listing_costs_one_stat_a_record_when_warm(
    catalog: Catalog, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        put(catalog, places["home"], f"e{number}")
    catalog.environments()
    opened: list[Any] = []
    real_open = os.open
    monkeypatch.setattr(os, "open", lambda *a, **k: opened.append(a) or real_open(*a, **k))
    assert len(catalog.environments()) == 20
    assert not [a for a in opened if str(a[0]).endswith("environment.json")]
