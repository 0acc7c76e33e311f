"""Where a package can be had is told as an installer would find it: folders, modules, and what is there already."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_hpcenv.errors import InvalidRequest, ManagerNotFound, NotFound

from .test_rebuild import Desk, shelf

__all__ = ["shelf"]


@pytest.fixture
def desk(shelf: Path, tmp_path: Path) -> Desk:
    desk = Desk(shelf, tmp_path)
    for manager in desk.admission.managers.values():
        if manager.name == "venv":
            manager.set_trait("no_index", True)
    return desk


def test_an_environment_is_told_what_it_could_have_and_has(desk: Desk, shelf: Path) -> None:
    desk.create("a", "hpcdemo<2")
    hits = desk.admission.search("hpc", "a")
    assert [(hit.name, hit.version, hit.versions, hit.installed) for hit in hits] == [
        ("hpcdemo", "2.0", 2, "1.0"),
        ("hpcneeds", "1.0", 1, ""),
    ]
    assert {hit.source for hit in hits} == {f"folder {shelf}"}
    assert [hit.name for hit in desk.admission.search("hpc", "a", limit=1)] == ["hpcdemo"]
    assert [hit.installed for hit in desk.admission.search("hpcdemo", manager="venv")] == [""]


def test_what_makes_no_sense_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidRequest):
        desk.admission.search("../etc", manager="venv")
    with pytest.raises(ManagerNotFound):
        desk.admission.search("numpy", manager="apt")
    with pytest.raises(NotFound):
        desk.admission.search("numpy", "nobody")
