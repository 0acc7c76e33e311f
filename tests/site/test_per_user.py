"""What a manifest has for each user is built when a server of theirs starts: once, and where there is room."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from traitlets.config import Config

from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.models import FINISHED, Operation

from ..serving import Server

MANIFEST = "version: 1\nlabel: site\nper_user:\n- {name: starter, kernel: false}\n"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(MANIFEST)
    return path


def desk(manifest: Path, **site: object) -> Admission:
    return Admission(Config({"Manifest": {"per_user": [str(manifest)]}, "Site": site}))


def ended(admission: Admission) -> Operation:
    """Wait for the newest operation; the test's own timeout bounds it."""
    while (newest := admission.operations.list()[0]).state not in FINISHED:
        time.sleep(0.05)
    return newest


def test_a_server_gives_it_and_who_deletes_it_is_not_given_it_again(home: Path, manifest: Path) -> None:
    (home / ".jupyter").mkdir()
    (home / ".jupyter" / "jupyter_hpcenv_config.py").write_text(f"c.Manifest.per_user = [{str(manifest)!r}]\n")
    server = Server(home)
    try:
        while not (found := server.ask("GET", "operations").body):
            time.sleep(0.1)
        assert server.ended(found[0]["id"])["state"] == "succeeded"
    finally:
        server.stop()
    admission = desk(manifest)
    assert [row.name for row in admission.catalog.environments()] == ["starter"]
    assert admission.give() == []
    admission.delete("starter", now=True)
    assert admission.give() == []
    assert len(admission.operations.list()) == 1
    manifest.write_text(MANIFEST + "- {name: second, kernel: false}\n")
    (told,) = admission.give()
    assert "second" in told
    assert ended(admission).state == "succeeded"


def test_what_does_not_fit_is_not_begun_and_tried_again_when_there_is_room(manifest: Path) -> None:
    (told,) = desk(manifest, least_bytes=10**18).give()
    assert told.startswith("starter could not be given: ")
    assert "does not fit" in told
    admission = desk(manifest)
    assert admission.operations.list() == []
    (told,) = admission.give()
    assert "is being built" in told
    assert desk(manifest).give() == [], "it is being built already"
    assert ended(admission).state == "succeeded"


def test_a_failed_build_is_tried_again_and_a_cancelled_one_is_not(manifest: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("[build-system]\nrequires = []\nbuild-backend = 'nothing'\n")
    text = MANIFEST.replace("kernel: false", f"kernel: false, packages: ['ours @ file://{project}']")
    manifest.write_text(text)
    admission = desk(manifest)
    for _ in range(2):
        (told,) = admission.give()
        assert "is being built" in told
        assert ended(admission).state == "failed"
    (told,) = admission.give()
    admission.operations.cancel(admission.operations.list()[0].id)
    if ended(admission).state == "cancelled":  # else it failed before it was asked to stop
        assert admission.give() == []


def test_what_the_user_has_already_is_left_alone(manifest: Path) -> None:
    admission = desk(manifest)
    admission.give()
    assert ended(admission).state == "succeeded"
    (admission.site.data_dir / "given" / "site.starter.json").unlink()
    assert admission.give() == []
    admission.delete("starter")
    (admission.site.data_dir / "given" / "site.starter.json").unlink()
    assert admission.give() == [], "it lies in the trash"
    assert len(admission.operations.list()) == 1


def test_a_manifest_that_can_not_be_read_keeps_no_server_from_starting(manifest: Path) -> None:
    manifest.write_text("version: 1\nper_user:\n- {name: x, release: '1'}\n")
    (told,) = desk(manifest).give()
    assert "has no key “release”" in told
