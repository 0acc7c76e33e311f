"""What was done to an environment is told: who, when, and which packages came, changed and went."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from jupyter_hpcenv.catalog import history
from jupyter_hpcenv.errors import NotFound
from jupyter_hpcenv.models import Changes, EnvironmentPatch
from jupyter_hpcenv.site import Site

from .test_rebuild import Desk, shelf

__all__ = ["shelf"]


@pytest.fixture
def desk(shelf: Path, tmp_path: Path) -> Desk:
    return Desk(shelf, tmp_path)


def test_the_story_of_an_environment(desk: Desk) -> None:
    row = desk.create("a", "hpcdemo<2")
    done = desk.succeeded(desk.admission.change_packages("a", Changes(install=["hpcdemo==2.0", "hpcneeds"])))
    desk.ended(desk.admission.change_packages("a", Changes(install=["hpcnothing"])))  # fails, so nothing was done
    desk.succeeded(desk.admission.change_packages("a", Changes(remove=["hpcneeds"])))
    desk.admission.patch("a", EnvironmentPatch(display_name="Other", variables={"API_TOKEN": "canary-value"}))
    desk.succeeded(desk.admission.move("a", "scratch"))
    shutil.rmtree(desk.row("a").prefix)
    desk.succeeded(desk.admission.rebuild("a"))
    desk.admission.delete("a")
    assert desk.admission.history("a")[-1].verb == "delete", "in the trash, too"
    desk.admission.restore("a")
    events = desk.admission.history("a")
    verbs = ["create", "change", "change", "edit", "move", "rebuild", "delete", "restore"]
    assert [event.verb for event in events] == verbs
    assert events[1].packages == ["+ hpcneeds 1.0", "~ hpcdemo 1.0 → 2.0"]
    assert events[2].packages == ["- hpcneeds 1.0"]
    assert events[1].operation == done.id
    assert events[3].detail == "display name, variables"
    assert events[4].detail == f"from {row.prefix} to {desk.scratch / 'a'}"
    assert "canary" not in (desk.admission.site.data_dir / "history" / f"{row.id}.jsonl").read_text()
    desk.admission.delete("a", now=True)
    desk.admission.sweep()
    assert history.read(row.id, desk.admission.site) == [], "it goes with the environment"
    with pytest.raises(NotFound, match="There is no environment 'nosuch', and none in the trash"):
        desk.admission.history("nosuch")


def test_a_line_that_a_crash_cut_hides_no_other() -> None:
    site, identifier = Site(), "0" * 32
    history.note(site, identifier, "create")
    path = history.folder(site) / f"{identifier}.jsonl"
    with path.open("ab") as file:
        file.write(b'{"at": "2026')
    history.note(site, identifier, "edit")
    assert [event.verb for event in history.read(identifier, site)] == ["create", "edit"]
    path.unlink()
    os.mkfifo(path)
    history.note(site, identifier, "edit")
    assert history.read(identifier, site) == [], "nothing waits for what is no file"
