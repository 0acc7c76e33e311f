"""What crashes leave aside is swept when it is old by the file server's clock; what is in use stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from jupyter_hpcenv import claims, files
from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.admission.reconcile import LITTER
from jupyter_hpcenv.names import new_operation_id

DAY = 86_400
NAMES = (".hpcenv-tmp-0a1b2c", ".tmp-0a1b2c", ".new-0a1b2c")


@pytest.fixture
def admission() -> Admission:
    return Admission()


@pytest.fixture
def places(admission: Admission) -> list[Path]:
    """Every folder in which our temporary files lie for a moment."""
    root = admission.site.data_dir / "environments"
    root.mkdir(exist_ok=True)
    operation = admission.operations.root / new_operation_id()
    publish = admission.site.data_dir / "publish"
    for made in (operation, publish):
        made.mkdir()
    return [root, admission.operations.root, operation, claims.folder_for(root), publish]


def put(places: list[Path], age: float) -> list[Path]:
    made = [place / name for place in places for name in NAMES]
    for path in made:
        if path.name.startswith(".new-"):
            path.mkdir()
            (path / "half").touch()
        else:
            path.touch()
        os.utime(path, (time.time() - age, time.time() - age))
    return made


def test_old_litter_goes_from_every_folder(admission: Admission, places: list[Path]) -> None:
    made = put(places, LITTER + 60)
    assert len(made) == len(places) * len(NAMES)
    admission.sweep()
    assert [str(path) for path in made if path.exists()] == []


def test_what_a_live_writer_has_aside_stays(admission: Admission, places: list[Path]) -> None:
    made = [path for path in put(places, LITTER - 600) if path.parent.name != "claims" or path.is_dir()]
    admission.sweep()
    assert [str(path) for path in made if not path.exists()] == []


@pytest.mark.parametrize("offset", [-DAY, DAY])
def test_the_clock_of_this_host_does_not_count(
    admission: Admission, places: list[Path], monkeypatch: pytest.MonkeyPatch, offset: float
) -> None:
    young, old = put(places[:1], 60), put(places[1:2], LITTER + 60)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + offset)
    admission.sweep()
    assert [path.exists() for path in young] == [True] * len(young)
    assert [path.exists() for path in old] == [False] * len(old)


def test_what_is_another_users_stays(admission: Admission, places: list[Path]) -> None:
    if os.geteuid():
        pytest.skip("only root can make a file that is another user's")
    (path, *_) = put(places[3:4], LITTER + 60)
    os.chown(path, 43_002, 43_002, follow_symlinks=False)
    admission.sweep()
    assert path.exists()


def test_a_write_that_is_under_way_is_not_disturbed(admission: Admission, places: list[Path]) -> None:
    place = places[0] / "file"
    files.write_atomic(place, b"whole", guard=lambda: assert_swept(admission))
    assert place.read_bytes() == b"whole"


def assert_swept(admission: Admission) -> None:
    admission.sweep()


def test_keys_of_forgotten_operations_go(admission: Admission) -> None:
    kept, gone, fresh = (new_operation_id() for _ in range(3))
    (admission.operations.root / kept).mkdir()
    for number, operation in enumerate((kept, gone, fresh)):
        assert admission.operations.remember(f"key {number}", operation) is None
    folder = admission.site.data_dir / "keys"
    for path in folder.iterdir():
        if path.read_text() != fresh:
            os.utime(path, (0, 0))
    admission.sweep()
    assert sorted(path.read_text() for path in folder.iterdir()) == sorted([kept, fresh])
