"""What is used or adopted is listed from what was kept of it, and never holds a list up."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from jupyter_hpcenv.catalog import Catalog, catalog
from jupyter_hpcenv.catalog.used import Used, UsedStore
from jupyter_hpcenv.errors import NotFound
from jupyter_hpcenv.models import Platform, Record
from jupyter_hpcenv.patience import Patience
from jupyter_hpcenv.site import Site
from jupyter_hpcenv.trust import Decision

ID = "0123456789abcdef0123456789abcdef"


def used(prefix: Path, kind: str = "adopted", identifier: str = ID) -> Used:
    record = Record(
        id=identifier,
        name="thesis",
        location="" if kind == "adopted" else "shared",
        prefix=str(prefix),
        manager="venv",
        creator="",
        installer="",
        python="",
        python_path="",
        display_name="Thesis",
        platform=Platform(cluster="c", os="o", arch="a"),
        owner="ada",
        created="",
        changed="",
        operation="",
    )
    trust = Decision(uid=0, inode=1, device=1, boot="", folders=[], inside=[str(prefix)])
    return Used(kind="adopted" if kind == "adopted" else "used", record=record, trust=trust, at="")


@pytest.fixture
def site(home: Path) -> Site:
    return Site(list_foreign=False)


@pytest.mark.parametrize("kind", ["adopted", "used"])
def test_it_is_listed_whether_it_is_there_or_not(site: Site, tmp_path: Path, kind: str) -> None:
    store, here = UsedStore(site), Catalog(site)
    listed = store.write(used(tmp_path, kind), "idna==3.10\n")
    [row] = here.rows()
    origin = {"adopted": "adopted", "used": "shared"}[kind]
    assert (row.id, row.name, row.state, row.origin) == (ID, "thesis", "ready", origin)
    assert here.rows() is here.rows()
    store.write(used(tmp_path / "gone", kind), "")
    [row] = here.rows()
    assert (row.state, row.message.endswith("the list of its packages is kept.")) == ("missing", True)
    assert here.record(ID).prefix == str(tmp_path / "gone")
    assert listed.parent.stat().st_mode & 0o777 == 0o700
    store.forget(ID)
    assert here.rows() == ()
    with pytest.raises(NotFound):
        here.find(ID)


@pytest.mark.parametrize("text", ["", "[", "{}", '{"version": 99}'])
def test_what_is_damaged_is_left_out(site: Site, tmp_path: Path, text: str) -> None:
    store = UsedStore(site)
    store.write(used(tmp_path), "")
    (store.folder("f" * 32) / "used.json").write_text(text)
    assert list(store.all()) == [ID]
    (store.folder(ID) / "used.json").replace(store.folder("f" * 32) / "used.json")  # of another environment
    assert store.all() == {}


def test_a_filesystem_that_hangs_is_slow(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hung, here = threading.Event(), Catalog(site)
    here._patience = Patience(0.05)
    UsedStore(site).write(used(tmp_path), "")
    monkeypatch.setattr(catalog, "state_of", lambda each: hung.wait(30) and "ready")
    try:
        [row] = here.rows()
        assert row.state == "slow"
        assert here.find("thesis").state == "slow"
    finally:
        hung.set()
