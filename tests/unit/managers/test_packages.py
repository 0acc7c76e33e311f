from __future__ import annotations

import json
from pathlib import Path

from jupyter_hpcenv.managers.packages import list_packages


def add(prefix: Path, name: str, version: str, origin: object = None, text: str = "") -> Path:
    folder = prefix / f"lib/python3.12/site-packages/{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(text or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nVersion: 9\n")
    if origin is not None:
        (folder / "direct_url.json").write_text(origin if isinstance(origin, str) else json.dumps(origin))
    return folder


def test_packages_are_listed_by_name_with_where_they_came_from(tmp_path: Path) -> None:
    add(tmp_path, "Zlib", "1.0")
    add(tmp_path, "alpha", "2.0", {"url": "https://me:s3cr3t@example.org/a.whl?token=s3cr3t", "archive_info": {}})
    add(tmp_path, "mine", "0.1", {"url": "file:///home/me/mine", "dir_info": {"editable": True}})
    add(tmp_path, "odd", "1", "{")
    found = [(each.name, each.version, each.source) for each in list_packages(tmp_path)]
    assert found == [
        ("alpha", "2.0", "https://example.org/a.whl"),
        ("mine", "0.1", "editable file:///home/me/mine"),
        ("odd", "1", "index"),
        ("Zlib", "1.0", "index"),
    ]


def test_damaged_and_linked_metadata_is_left_out(tmp_path: Path) -> None:
    add(tmp_path, "good", "1")
    add(tmp_path, "empty", "1", text="nothing\n")
    link = add(tmp_path, "link", "1") / "METADATA"
    link.unlink()
    link.symlink_to("/etc/passwd")
    assert [each.name for each in list_packages(tmp_path)] == ["good"]
    assert list_packages(tmp_path / "missing") == []
