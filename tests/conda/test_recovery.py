"""A worker that is killed in the middle of a change: the next one finishes it, or takes it back, and tells conda."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_hpcenv.errors import BuildFailed, HpcenvError
from jupyter_hpcenv.managers.conda import applying, engine, journal
from jupyter_hpcenv.managers.conda.installed import read
from jupyter_hpcenv.managers.conda.records import files

from . import conda_says
from .channel import fill, index, tiny
from .driving import Notes, source, tree, wait_for_no_engine

MANY = 400

#: A worker that changes an environment and is killed by itself once the engine links.
WORKER = """
import os, signal, sys
from pathlib import Path
from jupyter_hpcenv.managers.conda import engine
from tests.conda.driving import Notes, source

class Doomed(Notes):
    def step(self, name):
        super().step(name)
        if name == "link":
            os.kill(os.getpid(), signal.SIGKILL)

channel, cache, prefix, *specs = sys.argv[1:]
engine.change(source(Path(channel), Path(cache)), Path(prefix), Doomed(), install=specs)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel whose packages have files enough for a death among them."""
    own = tmp_path_factory.mktemp("large") / "channel"

    def package(name: str, version: str) -> object:
        shared = {f"lib/{name}/{number}": f"{version} {number}" for number in range(MANY)}
        return tiny(name, version, files={**shared, f"lib/{name}/only-{version}": ""})

    fill(own, [package(name, version) for name in ("hpc-a", "hpc-b", "hpc-c") for version in ("1.0", "2.0")])  # type: ignore[misc]
    index(own)
    return own


@pytest.fixture
def killed(large: Path, tmp_path: Path) -> Path:
    """An environment whose change was killed with SIGKILL while files were linked."""
    prefix = tmp_path / "environment"
    engine.create(source(large, tmp_path / "cache"), ["hpc-a <2", "hpc-b <2"], prefix, Notes())
    arguments = [large, tmp_path / "cache", prefix, "hpc-a >=2", "hpc-c"]
    done = subprocess.run(
        [sys.executable, "-c", WORKER, *map(str, arguments)], cwd=Path(__file__).parents[2], capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    wait_for_no_engine(prefix)
    return prefix


def whole(prefix: Path) -> None:
    """Each record's files are there, and no others; the history tells the same packages."""
    owned = {path for each in read(prefix) for path in files(each)}
    there = {path for path, what in tree(prefix).items() if what[0] != "d" and not path.startswith("conda-meta/")}
    assert there == owned
    named = {conda_says.parts(dist)[1:] for dist in conda_says.state(prefix)}
    assert named == conda_says.packages(prefix)
    assert not engine.unfinished(prefix)
    assert {path.suffix for path in (prefix / "conda-meta").iterdir() if path.name != "history"} == {".json"}


def test_killed_while_linking_the_next_change_finishes_it(killed: Path, large: Path, tmp_path: Path) -> None:
    assert engine.unfinished(killed)
    notes = Notes()
    engine.change(source(large, tmp_path / "cache"), killed, notes, remove=["hpc-b"])
    assert "killed in the middle; it is finished first" in notes.said("warning")
    whole(killed)
    assert {each.name: each.version for each in read(killed)} == {"hpc-a": "2.0", "hpc-c": "2.0"}
    assert conda_says.requested(killed) == {"hpc-a": "hpc-a >=2", "hpc-c": "hpc-c"}


def _dies(*_: object) -> None:
    raise SystemExit


def test_what_can_not_be_finished_is_taken_back(large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some files are linked already; and where another is to lie there is a folder of somebody's."""
    prefix, main = tmp_path / "environment", source(large, tmp_path / "cache")
    engine.create(main, ["hpc-a <2", "hpc-b <2"], prefix, Notes())
    with monkeypatch.context() as patch:
        patch.setattr(applying, "_link", _dies)
        with pytest.raises(SystemExit):
            engine.change(main, prefix, Notes(), install=["hpc-a >=2", "hpc-c"])
    (prefix / "lib/hpc-c").mkdir()
    (prefix / "lib/hpc-c/7").write_text("as it was linked")
    (prefix / "conda-meta/prefix_record_AbCdEf").write_text("half a record")
    (prefix / "symtest_1ea1b768-8dc4-48c6-a100-25e324982b6e").symlink_to("symtest_target")  # as rattler's probe
    blocked = prefix / "lib/hpc-a/only-2.0"
    blocked.mkdir()
    (blocked / "mine").write_text("precious")
    notes = Notes()
    assert engine.recover(main, prefix, notes)
    assert "it is taken back" in notes.said("warning")
    assert (blocked / "mine").read_text() == "precious"
    (blocked / "mine").unlink()
    blocked.rmdir()
    whole(prefix)
    assert {each.name: each.version for each in read(prefix)} == {"hpc-a": "1.0", "hpc-b": "1.0"}
    assert conda_says.requested(prefix) == {"hpc-a": "hpc-a <2", "hpc-b": "hpc-b <2"}


def test_nothing_to_recover_is_nothing_done(large: Path, tmp_path: Path) -> None:
    prefix, main = tmp_path / "environment", source(large, tmp_path / "cache")
    engine.create(main, ["hpc-a"], prefix, Notes())
    before = tree(prefix)
    assert not engine.recover(main, prefix, Notes())
    assert tree(prefix) == before


def test_killed_before_the_journal_is_whole_nothing_has_begun(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix, main = tmp_path / "environment", source(large, tmp_path / "cache")
    engine.create(main, ["hpc-a <2"], prefix, Notes())
    before = tree(prefix)

    monkeypatch.setattr(journal, "rename_new", _dies)
    with pytest.raises(SystemExit):
        engine.change(main, prefix, Notes(), install=["hpc-a >=2"])
    monkeypatch.undo()
    assert not engine.unfinished(prefix)
    assert {path: what for path, what in tree(prefix).items() if ".hpcenv-change" not in path} == before
    engine.change(main, prefix, Notes(), install=["hpc-a >=2"])
    whole(prefix)


def test_killed_after_linking_the_history_is_written_then(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix, main = tmp_path / "environment", source(large, tmp_path / "cache")
    engine.create(main, ["hpc-a <2"], prefix, Notes())

    monkeypatch.setattr(applying, "finish", _dies)
    with pytest.raises(SystemExit):
        engine.change(main, prefix, Notes(), install=["hpc-a >=2"])
    monkeypatch.undo()
    assert conda_says.requested(prefix) == {"hpc-a": "hpc-a <2"}
    engine.change(main, prefix, Notes(), update_all=True)
    whole(prefix)
    assert conda_says.requested(prefix) == {"hpc-a": "hpc-a >=2"}


def test_where_neither_works_it_says_so_and_can_be_tried_again(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix, main = tmp_path / "environment", source(large, tmp_path / "cache")
    engine.create(main, ["hpc-a <2"], prefix, Notes())

    def full(*_: object) -> None:
        raise HpcenvError("The disk is full.")

    monkeypatch.setattr(applying, "_link", full)
    with pytest.raises(BuildFailed, match="could not be put back: The disk is full"):
        engine.change(main, prefix, Notes(), install=["hpc-a >=2"])
    assert engine.unfinished(prefix)
    monkeypatch.undo()
    engine.recover(main, prefix, Notes())
    whole(prefix)
    assert json.loads(next((prefix / "conda-meta").glob("hpc-a-*.json")).read_text())["version"] == "2.0"
