"""What is missing, changed or strange is found by what installers wrote down; nothing outside a prefix is touched."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.managers import integrity
from jupyter_hpcenv.managers.integrity import verify

SITE = "lib/python3.11/site-packages"


def entry(path: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    return f"{path},sha256={digest},{len(data)}"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A prefix with one wheel: a module, a program, and what Python compiled."""
    folder = tmp_path / "envs" / "a"
    site = folder / SITE
    for place in (site / "demo" / "__pycache__", site / "demo-1.0.dist-info", folder / "bin"):
        place.mkdir(parents=True)
    (site / "demo/__init__.py").write_bytes(b"one = 1\n")
    (site / "demo/__pycache__/x.cpython-311.pyc").write_bytes(b"any")
    (folder / "bin/demo").write_bytes(b"#!/x\n")
    (site / "_virtualenv.py").touch()
    (site / "demo-1.0.dist-info/METADATA").write_bytes(b"Name: demo\n")
    write_record(
        folder,
        entry("demo/__init__.py", b"one = 1\n"),
        "demo/__pycache__/gone.cpython-311.pyc,,",
        entry("../../../bin/demo", b"#!/x\n"),
        entry("demo-1.0.dist-info/METADATA", b"Name: demo\n"),
        "demo-1.0.dist-info/RECORD,,",
    )
    return folder


def write_record(prefix: Path, *lines: str) -> None:
    (prefix / SITE / "demo-1.0.dist-info/RECORD").write_text("".join(f"{line}\n" for line in lines))


def found(prefix: Path, *, hashes: bool = False) -> list[tuple[str, str, str]]:
    return [(each.kind, each.package, each.path) for each in verify(prefix, hashes=hashes).problems]


@pytest.mark.parametrize("hashes", [False, True])
def test_what_is_whole_has_no_problems(hashes: bool, prefix: Path) -> None:
    assert found(prefix, hashes=hashes) == []
    assert verify(prefix, hashes=hashes).files == 4


def test_missing_changed_and_strange(prefix: Path) -> None:
    (prefix / SITE / "demo/__init__.py").write_bytes(b"one = 100\n")
    (prefix / "bin/demo").unlink()
    (prefix / SITE / "demo/new.py").touch()
    (prefix / SITE / "own.pth").touch()
    assert found(prefix) == [
        ("missing", "demo", "bin/demo"),
        ("changed", "demo", f"{SITE}/demo/__init__.py"),
        ("strange", "", f"{SITE}/demo/new.py"),
        ("strange", "", f"{SITE}/own.pth"),
    ]


def test_the_same_size_is_found_by_its_bytes_alone(prefix: Path) -> None:
    (prefix / SITE / "demo/__init__.py").write_bytes(b"one = 2\n")
    assert found(prefix) == []
    assert found(prefix, hashes=True) == [("changed", "demo", f"{SITE}/demo/__init__.py")]


def test_a_lost_or_damaged_list_is_told(prefix: Path) -> None:
    record = prefix / SITE / "demo-1.0.dist-info/RECORD"
    record.write_bytes(b"\xff\xfe\x00")
    assert found(prefix)[0] == ("unreadable", "demo", f"{SITE}/demo-1.0.dist-info/RECORD")
    record.unlink()
    assert found(prefix)[0] == ("missing", "demo", f"{SITE}/demo-1.0.dist-info/RECORD")
    os.mkfifo(record)
    assert found(prefix)[0] == ("unreadable", "demo", f"{SITE}/demo-1.0.dist-info/RECORD")


@pytest.mark.parametrize("way", ["../../../../outside", "ABSOLUTE", "linked/outside", "../../.."])
def test_nothing_outside_the_prefix_is_looked_at(way: str, prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = prefix.parent / "outside"
    outside.write_bytes(b"secret")
    (prefix / SITE / "linked").symlink_to(prefix.parent)
    write_record(prefix, entry(str(outside) if way == "ABSOLUTE" else way, b"secret"))
    looked: list[str] = []
    stat, opened = os.lstat, os.open

    def lstat(path: Any, **more: Any) -> os.stat_result:
        looked.append(str(path))
        return stat(path, **more)

    def open_(path: Any, *rest: Any, **more: Any) -> int:
        looked.append(str(path))
        return opened(path, *rest, **more)

    monkeypatch.setattr(integrity.os, "lstat", lstat)
    monkeypatch.setattr(integrity.os, "open", open_)
    (problem,) = [each for each in verify(prefix, hashes=True).problems if "outside" in each.message]
    assert problem.kind == "strange"
    assert str(outside) not in looked


def test_what_is_no_file_is_not_opened(prefix: Path) -> None:
    (prefix / "bin/demo").unlink()
    os.mkfifo(prefix / "bin/demo")
    assert found(prefix, hashes=True) == [("changed", "demo", "bin/demo")]


def write_meta(prefix: Path, *paths: dict[str, Any]) -> None:
    (prefix / "conda-meta").mkdir(exist_ok=True)
    meta = {"name": "tiny", "version": "1", "paths_data": {"paths": list(paths), "paths_version": 1}}
    (prefix / "conda-meta/tiny-1-0.json").write_text(json.dumps(meta))


def test_condas_files(tmp_path: Path) -> None:
    prefix = tmp_path / "c"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/tiny").write_bytes(b"#!/new/prefix\n")
    (prefix / "bin/link").symlink_to("tiny")
    (prefix / "plain").write_bytes(b"plain")
    sha = {name: hashlib.sha256(data).hexdigest() for name, data in {"a": b"#!/new/prefix\n", "b": b"plain"}.items()}
    write_meta(
        prefix,
        {
            "_path": "bin/tiny",
            "path_type": "hardlink",
            "size_in_bytes": 99,
            "sha256": "0" * 64,
            "sha256_in_prefix": sha["a"],
            "prefix_placeholder": "/old",
        },
        {"_path": "bin/link", "path_type": "softlink", "size_in_bytes": 4, "sha256": sha["b"]},
        {"_path": "plain", "path_type": "hardlink", "size_in_bytes": 5, "sha256": sha["b"]},
    )
    assert found(prefix, hashes=True) == []
    (prefix / "bin/tiny").write_bytes(b"#!/xxx/prefix\n")
    (prefix / "bin/link").unlink()
    (prefix / "plain").write_bytes(b"plainer")
    assert found(prefix) == [("missing", "tiny", "bin/link"), ("changed", "tiny", "plain")]
    assert ("changed", "tiny", "bin/tiny") in found(prefix, hashes=True)
    (prefix / "conda-meta/tiny-1-0.json").write_text("{")
    assert found(prefix) == [("unreadable", "tiny-1-0", "conda-meta/tiny-1-0.json")]
