from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_hpcenv import activation
from jupyter_hpcenv.catalog import Catalog
from jupyter_hpcenv.catalog.foreign import foreign_id
from jupyter_hpcenv.catalog.records import RECORD, revised
from jupyter_hpcenv.errors import Ambiguous, BrokenRecord, NotFound
from jupyter_hpcenv.models import ActivationFile, Kernel, Platform, Record
from jupyter_hpcenv.names import kernel_name, new_environment_id
from jupyter_hpcenv.site import Site

from ...conftest import require


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
    name = changes.pop("record_name", name)
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
    catalog.records.write_copy(record)
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


def test_a_release_is_found_by_the_name_that_everybody_knows(catalog: Catalog, places: dict[str, Path]) -> None:
    versions = places["home"] / ".versions" / "teaching"
    versions.mkdir(parents=True)
    released = {
        number: put(catalog, versions, number, record_name=f"teaching-{number}").id for number in ("2026", "2027")
    }
    with pytest.raises(NotFound):
        catalog.find("teaching")
    for number in ("2026", "2027"):
        (places["home"] / "teaching").unlink(missing_ok=True)
        (places["home"] / "teaching").symlink_to(f".versions/teaching/{number}")
        assert catalog.find("teaching").id == catalog.find("home/teaching").id == released[number]
        assert [row.id for row in catalog.environments(name="teaching")] == [released[number]]
        assert catalog.record("teaching").id == released[number]
    assert catalog.find("teaching-2026").id == released["2026"]
    with pytest.raises(NotFound):
        catalog.find("scratch/teaching")
    exact = put(catalog, places["scratch"], "teaching", "scratch")
    assert catalog.find("teaching").id == exact.id, "what has the very name comes first"
    (places["home"] / "teaching").unlink()
    (places["home"] / "teaching").symlink_to("elsewhere")
    with pytest.raises(NotFound):
        catalog.find("home/teaching")


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
    record = put(catalog, places["home"], "a")
    (places["home"] / "a").rename(places["scratch"] / "b")
    rows = {row.name: row for row in catalog.environments()}
    assert (rows["a"].state, rows["a"].id) == ("missing", record.id)
    assert (rows["b"].state, rows["b"].kernels) == ("broken", [])
    assert "moved" in rows["b"].message


def test_a_copied_environment_never_passes_for_the_original(catalog: Catalog, places: dict[str, Path]) -> None:
    record = put(catalog, places["home"], "climate")
    shutil.copytree(places["home"] / "climate", places["home"] / "backup-climate")
    shutil.copytree(places["home"] / "climate", places["scratch"] / "climate")
    rows = {(row.location, row.name): row for row in catalog.environments()}
    assert len(rows) == 3
    assert rows["home", "climate"].state == "ready"
    assert rows["home", "climate"].id == record.id
    for copy in (("home", "backup-climate"), ("scratch", "climate")):
        assert (rows[copy].state, rows[copy].kernels) == ("broken", [])
        assert rows[copy].id != record.id


def test_another_users_record_with_my_id_is_not_mine(
    catalog: Catalog, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody copies a record and says in it that it lies where it lies."""
    record = put(catalog, places["home"], "climate")
    evil = places["home"] / "aaa" / ".hpcenv"
    evil.mkdir(parents=True)
    text = (places["home"] / "climate" / ".hpcenv" / "environment.json").read_text()
    (evil / "environment.json").write_text(text.replace(record.prefix, str(evil.parent)))
    real = catalog.records.read

    def read(prefix: Path | str, *facts: Any) -> tuple[Record, int]:
        return real(prefix, *facts)[0], (4242 if Path(prefix).name == "aaa" else os.geteuid())

    monkeypatch.setattr(catalog.records, "read", read)
    assert catalog.find(record.id).prefix == record.prefix
    shared = next(row for row in catalog.environments() if row.origin == "shared")
    assert shared.id != record.id


@pytest.mark.parametrize("kind", ["folder", "hard link"])
def test_a_linked_record_makes_no_environment(catalog: Catalog, places: dict[str, Path], kind: str) -> None:
    put(catalog, places["home"], "good")
    evil = places["home"] / "aaa"
    evil.mkdir()
    if kind == "folder":
        (evil / ".hpcenv").symlink_to(places["home"] / "good" / ".hpcenv")
    else:
        (evil / ".hpcenv").mkdir()
        os.link(places["home"] / "good" / ".hpcenv" / "environment.json", evil / ".hpcenv" / "environment.json")
    states = {row.name: row.state for row in catalog.environments()}
    assert states["aaa"] == "broken"


def test_odd_files_of_other_tools_hide_nothing(catalog: Catalog, places: dict[str, Path], home: Path) -> None:
    put(catalog, places["home"], "good")
    (home / ".virtualenvs" / "loop").mkdir(parents=True)
    (home / ".virtualenvs" / "loop" / ".venv").symlink_to(".venv")
    os.mkdir(os.fsencode(home / ".virtualenvs") + b"/\xff")
    os.mkdir(os.fsencode(places["home"]) + b"/\xff")
    (home / ".conda").mkdir()
    (home / "ring").symlink_to("ring")
    (home / ".conda" / "environments.txt").write_text(f"{home}/ring/x\n/nul\0byte\n")
    assert [row.name for row in catalog.environments()] == ["good"]


def test_a_record_that_was_cut_is_told_by_its_copy(
    catalog: Catalog, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = put(catalog, places["home"], "cut")
    versions = places["home"] / ".versions" / "many"
    versions.mkdir(parents=True)
    release = put(catalog, versions, "1", record_name="many-1")
    for record in (whole, release):
        (Path(record.prefix) / RECORD).write_text("")

    def nameless(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", nameless)  # as an account of a container is
    rows = {row.name: (row.id, row.state, row.origin) for row in catalog.environments()}
    assert rows == {"cut": (whole.id, "broken", "own"), "many-1": (release.id, "broken", "own")}
    assert [catalog.record(record.id) for record in (whole, release)] == [whole, release]
    assert "damaged" in catalog.find("home/cut").message
    catalog.records.forget(whole.id)
    assert catalog.find("cut").id == foreign_id(Path(whole.prefix)), "nobody knows what it was"
    with pytest.raises(BrokenRecord):
        catalog.record("cut")


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
    (home / ".condarc").write_text("channels:\n  - c\nenvs_dirs:\n  - ~/my envs  # mine\n  - '/no/such'\nauto: no\n")
    (home / "my envs" / "conda-two" / "conda-meta").mkdir(parents=True)
    found = {row.name: row for row in catalog.environments()}
    assert found["conda-two"].manager == "conda"
    assert (found["theirs"].manager, found["theirs"].python, found["theirs"].state) == ("venv", "3.11.4", "ready")
    assert (found["conda-one"].manager, found["conda-one"].python) == ("conda", "3.10.2")
    assert found["conda-one"].state == "python_gone"
    assert found["theirs"].id == foreign_id(wrapper)
    assert found["theirs"].origin == "foreign"


def settle(catalog: Catalog) -> None:
    """Let the folder of the copies look as if nothing had changed for long."""
    os.utime(catalog.site.data_dir / "environments", (1_000_000_000, 1_000_000_000))


def test_listing_costs_one_stat_a_record_when_warm(
    catalog: Catalog, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        put(catalog, places["home"], f"e{number}")
    settle(catalog)
    first = catalog.rows()
    asked: list[str] = []
    opened: list[str] = []

    def noted(real: Callable[..., Any], notes: list[str]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **options: Any) -> Any:
            notes.append(str(path))
            return real(path, *args, **options)

        return call

    monkeypatch.setattr(os, "stat", noted(os.stat, asked))
    monkeypatch.setattr(os, "open", noted(os.open, opened))
    assert catalog.rows() is first
    monkeypatch.undo()
    assert len([path for path in asked if path.endswith("environment.json")]) == 20
    assert not [path for path in asked + opened if path.endswith(".json") and not path.endswith("environment.json")]
    assert not [path for path in opened if path.endswith("environment.json")]


def _renamed(catalog: Catalog, record: Record) -> None:
    catalog.records.write(revised(record, display_name="Other"))


def _edited_in_place(catalog: Catalog, record: Record) -> None:
    path = Path(record.prefix) / ".hpcenv" / "environment.json"
    path.write_text(path.read_text().replace('"climate"', '"climbed"'))


def _purged(catalog: Catalog, record: Record) -> None:
    shutil.rmtree(record.prefix)


def _damaged(catalog: Catalog, record: Record) -> None:
    (Path(record.prefix) / ".hpcenv" / "environment.json").write_text("{")


def _published(catalog: Catalog, record: Record) -> None:
    (catalog.site.kernels_dir / record.kernels[0].name).mkdir(parents=True)


def _without_python(catalog: Catalog, record: Record) -> None:
    Path(record.python_path).unlink()


def _joined(catalog: Catalog, record: Record) -> None:
    put(catalog, Path(record.prefix).parent, "another")


def _moved(catalog: Catalog, record: Record) -> None:
    Path(record.prefix).rename(Path(record.prefix).with_name("elsewhere"))


def _forgotten(catalog: Catalog, record: Record) -> None:
    shutil.rmtree(record.prefix)
    catalog.records.forget(record.id)


@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize(
    "change",
    [_renamed, _edited_in_place, _purged, _damaged, _published, _without_python, _joined, _moved, _forgotten],
)
def test_rows_that_are_kept_are_never_stale(
    catalog: Catalog,
    places: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Catalog, Record], None],
    settled: bool,
) -> None:
    """A catalog that listed before says what one that never did says, whatever changed in between."""
    if settled:  # from the second list on, names are read only where the folder's stat moved
        monkeypatch.setattr("jupyter_hpcenv.catalog.places.SETTLED", 0.0)
    python = tmp_path / "python"
    python.touch()
    record = put(catalog, places["home"], "climate", python_path=str(python))
    put(catalog, places["home"], "steady")
    settle(catalog)
    before = catalog.rows()
    assert catalog.rows() is before
    change(catalog, record)
    after = catalog.rows()
    assert after != before
    assert after == Catalog(catalog.site).rows()
    assert catalog.environments(location="home") == [row for row in after if row.location == "home"]


def test_rows_that_did_not_change_are_not_made_again(catalog: Catalog, places: dict[str, Path]) -> None:
    record = put(catalog, places["home"], "climate")
    put(catalog, places["home"], "steady")
    before = {row.name: row for row in catalog.rows()}
    _renamed(catalog, record)
    after = {row.name: row for row in catalog.rows()}
    assert after["steady"] is before["steady"]
    assert after["climate"] is not before["climate"]


def test_names_are_read_again_until_the_folder_has_settled(
    catalog: Catalog, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within one tick of a file server's clock a folder may change again, and its stat would not tell."""
    put(catalog, places["home"], "one")
    now = [1_000.0]
    monkeypatch.setattr("jupyter_hpcenv.catalog.places.time.monotonic", lambda: now[0])
    catalog.rows()
    facts = places["home"].stat()
    catalog.records.forget(put(catalog, places["home"], "two").id)  # no copy leads to it
    os.utime(places["home"], ns=(facts.st_atime_ns, facts.st_mtime_ns))
    now[0] += 1.0
    assert len(catalog.rows()) == 2
    now[0] += 3.0
    assert len(catalog.rows()) == 2, "read for the last time"
    with monkeypatch.context() as patched:
        patched.delattr("jupyter_hpcenv.catalog.places._is_text")  # every name that is read goes through it
        assert len(catalog.rows()) == 2
    put(catalog, places["home"], "three")
    assert len(catalog.rows()) == 3


def test_copies_are_read_once_before_they_settle(
    catalog: Catalog, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = put(catalog, places["home"], "one")
    first = catalog.records.copies_by_id()
    with monkeypatch.context() as patched:
        patched.setattr("jupyter_hpcenv.catalog.records.read_regular", None)
        assert catalog.records.copies_by_id() is first
    catalog.records.write_copy(revised(record, display_name="Other"))
    assert catalog.records.copies_by_id()[record.id].display_name == "Other"


def test_the_trash_beside_a_new_place_is_known_at_once(
    catalog: Catalog, places: dict[str, Path], tmp_path: Path
) -> None:
    put(catalog, places["home"], "one")
    before = {folder.parent for _, folder in catalog.trash_folders()}
    put(catalog, tmp_path, "two", "elsewhere")
    assert {folder.parent for _, folder in catalog.trash_folders()} - before == {tmp_path}


def test_what_lies_outside_all_locations_is_looked_for_each_time(
    catalog: Catalog, places: dict[str, Path], tmp_path: Path
) -> None:
    """Its own copy leads there, and nothing in the locations tells when it goes."""
    put(catalog, places["home"], "one")
    assert len(catalog.rows()) == 1
    record = put(catalog, tmp_path, "two", "elsewhere")
    settle(catalog)
    assert {row.name: row.state for row in catalog.rows()} == {"one": "ready", "two": "ready"}
    shutil.rmtree(record.prefix)
    assert {row.name: row.state for row in catalog.rows()} == {"one": "ready", "two": "missing"}
    Path(record.prefix).mkdir()
    catalog.records.write(record)
    assert {row.name: row.state for row in catalog.rows()} == {"one": "ready", "two": "ready"}


def test_nobody_changes_a_row_that_lists_share(catalog: Catalog, places: dict[str, Path]) -> None:
    put(catalog, places["home"], "climate")
    with pytest.raises(AttributeError):
        catalog.environments()[0].state = "broken"  # type: ignore[misc]


def test_copies_of_a_settled_folder_are_not_looked_at_one_by_one(
    catalog: Catalog, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """But every change of ours is seen at once."""
    for name in ("one", "two"):
        put(catalog, places["home"], name)
    folder = catalog.site.data_dir / "environments"
    os.utime(folder, (1_000_000_000, 1_000_000_000))
    assert len(list(catalog.records.copies())) == 2
    with monkeypatch.context() as patched:
        patched.setattr("jupyter_hpcenv.catalog.records.is_environment_id", None)
        patched.setattr("jupyter_hpcenv.catalog.records.stamp_of", None)
        assert len(list(catalog.records.copies())) == 2
    record = put(catalog, places["home"], "three")
    assert len(list(catalog.records.copies())) == 3
    catalog.records.write_copy(revised(record, display_name="Other"))
    assert "Other" in {copy.display_name for copy in catalog.records.copies()}
    catalog.records.forget(record.id)
    assert len(list(catalog.records.copies())) == 2


class TestActivationFiles:
    """What rows say of modulefiles and scripts."""

    def test_rows_name_them_and_only_they_cost_anything(
        self, catalog: Catalog, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []
        real = activation.files_of

        def files_of(record: Record, site: Site, *, own: bool) -> list[ActivationFile]:
            asked.append(record.name)
            return real(record, site, own=own)

        monkeypatch.setattr(activation, "files_of", files_of)
        put(catalog, places["home"], "plain")
        put(catalog, places["home"], "climate", activation=["bash", "lmod"])
        rows = {row.name: row for row in catalog.environments()}
        assert rows["plain"].activation == []
        folder = catalog.site.data_dir
        assert rows["climate"].activation == [
            ActivationFile(dialect="bash", name="", path=f"{folder}/scripts/climate.sh"),
            ActivationFile(dialect="lmod", name="hpcenv/climate", path=f"{folder}/modulefiles/lmod/hpcenv/climate.lua"),
        ]
        assert catalog.find("climate").activation == rows["climate"].activation
        assert asked == ["climate"]  # once, and not again while the record is the same
        shutil.rmtree(places["home"] / "climate")
        (gone,) = (row for row in catalog.environments() if row.name == "climate")
        assert (gone.state, gone.activation) == ("missing", rows["climate"].activation)

    def test_a_copy_of_an_environment_has_not_those_of_the_original(
        self, catalog: Catalog, places: dict[str, Path]
    ) -> None:
        put(catalog, places["home"], "climate", activation=["lmod"])
        shutil.copytree(places["home"] / "climate", places["home"] / "copy")
        rows = {row.name: row for row in catalog.environments()}
        assert (rows["copy"].state, rows["copy"].activation) == ("broken", [])

    def test_those_of_somebody_else_are_told_where_they_can_be_seen(
        self, catalog: Catalog, places: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In her own folder nobody else finds them; in one that the site has for all, they lie where it says."""
        record = put(catalog, places["home"], "climate", activation=["bash", "lmod"])
        real = catalog.records.read
        monkeypatch.setattr(catalog.records, "read", lambda *where: (real(*where)[0], 4242))
        catalog.records.forget(record.id)
        catalog.site.activation_dirs = {"lmod": str(tmp_path / "modulefiles")}
        (row,) = catalog.environments()
        assert (row.origin, row.activation) == ("shared", [])
        path = activation.install("lmod", record, catalog.site)
        fresh = Catalog(catalog.site)
        monkeypatch.setattr(fresh.records, "read", lambda *where: (real(*where)[0], 4242))
        (row,) = fresh.environments()
        assert row.activation == [ActivationFile(dialect="lmod", name="hpcenv/climate", path=str(path))]

    def test_a_wrong_folder_of_the_site_hides_no_environment(self, catalog: Catalog, places: dict[str, Path]) -> None:
        catalog.site.activation_dirs = {"lmod": "$NOT_SET_ANYWHERE/x"}
        put(catalog, places["home"], "climate", activation=["lmod"])
        (row,) = catalog.environments()
        assert row.activation == [ActivationFile(dialect="lmod", name="hpcenv/climate", path="")]


def test_whoever_owns_a_record_now_decides_whose_it_is(catalog: Catalog, places: dict[str, Path]) -> None:
    """A file that changes hands keeps its time and size."""
    require("root, to give files away,", os.geteuid() == 0)
    put(catalog, places["home"], "a")
    assert [row.origin for row in catalog.environments()] == ["own"]
    for path in (places["home"] / "a", (places["home"] / "a" / RECORD).parent, places["home"] / "a" / RECORD):
        os.chown(path, 43002, 43002)
    assert [row.origin for row in catalog.environments()] == ["shared"]
