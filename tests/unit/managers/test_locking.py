"""The lockfile of a virtual environment: exact, without secrets, and nothing in it but what it should hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_hpcenv.errors import WrongState
from jupyter_hpcenv.managers.locking import lock

from .test_packages import add

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "5" * 64


def test_each_package_is_pinned_and_pip_is_not_among_them(tmp_path: Path) -> None:
    add(tmp_path, "Zlib_ng", "1.0.0.post1")
    add(tmp_path, "numpy", "2.1.3+computecanada")
    add(tmp_path, "pip", "25.3")
    assert lock(tmp_path) == ["numpy==2.1.3+computecanada", "zlib-ng==1.0.0.post1"]
    (tmp_path / "lib64").symlink_to("lib")
    assert lock(tmp_path) == ["numpy==2.1.3+computecanada", "zlib-ng==1.0.0.post1"]


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (
            {"url": "https://me:s3cr3t@example.org/a/own-1.0.tar.gz", "archive_info": {"hashes": {"sha256": DIGEST}}},
            f"own @ https://example.org/a/own-1.0.tar.gz#sha256={DIGEST}",
        ),
        (
            {"url": "http://example.org/own.zip", "subdirectory": "py", "archive_info": {"hash": f"sha256={DIGEST}"}},
            f"own @ http://example.org/own.zip#subdirectory=py&sha256={DIGEST}",
        ),
        ({"url": "https://example.org/own.whl", "archive_info": {}}, "own @ https://example.org/own.whl"),
        (
            {"url": "https://example.org/own.git", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
            f"own @ git+https://example.org/own.git@{COMMIT}",
        ),
        (
            {
                "url": "ssh://git@example.org/own.git",
                "vcs_info": {"vcs": "git", "commit_id": COMMIT},
                "subdirectory": "a/b",
            },
            f"own @ git+ssh://git@example.org/own.git@{COMMIT}#subdirectory=a/b",
        ),
        (
            {"url": "https://${TOKEN}@example.org/own.git", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
            f"own @ git+https://example.org/own.git@{COMMIT}",
        ),
    ],
)
def test_what_came_by_an_address_is_told_by_it(tmp_path: Path, origin: object, line: str) -> None:
    add(tmp_path, "own", "1.0", origin)
    assert lock(tmp_path) == [line]


@pytest.mark.parametrize(
    ("origin", "why"),
    [
        ({"url": "file:///home/me/own", "dir_info": {"editable": True}}, "own (editable: /home/me/own)"),
        ({"url": "file:///home/me/own", "dir_info": {}}, "own (from a folder: /home/me/own)"),
        ({"url": "file:///home/me/own.whl", "archive_info": {}}, "own (from a file: /home/me/own.whl)"),
        ({"url": "https://example.org/own.whl?token=s3cr3t", "archive_info": {}}, "query"),
        ({"url": "https://example.org/${TOKEN}/own.whl", "archive_info": {}}, "address"),
        ({"url": "https://example.org/own.whl --index-url http://evil", "archive_info": {}}, "address"),
        ({"url": "https://example.org/own.whl\n-r /etc/passwd", "archive_info": {}}, "address"),
        ({"url": "https://example.org/own.whl", "subdirectory": "a --pre"}, "address"),
        ({"url": "ftp://example.org/own.whl", "archive_info": {}}, "address"),
        ({"url": "https://example.org/own", "vcs_info": {"vcs": "git", "commit_id": "main"}}, "no commit"),
        ({"url": "https://example.org/own", "vcs_info": {"vcs": "hg", "commit_id": COMMIT}}, "no commit"),
        ("{", "can not be read"),
    ],
)
def test_what_no_installer_can_get_again_is_refused_by_name(tmp_path: Path, origin: object, why: str) -> None:
    add(tmp_path, "fine", "1.0")
    add(tmp_path, "own", "1.0", origin)
    with pytest.raises(WrongState) as caught:
        lock(tmp_path)
    assert "own (" in caught.value.message
    assert why in caught.value.message
    assert "fine" not in caught.value.message
    assert "s3cr3t" not in caught.value.message
    assert caught.value.hints


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("-r /etc/passwd", "1.0"),
        ("own --index-url http://evil", "1.0"),
        ("$(touch pwned)", "1.0"),
        ("HPCENV_END", "; rm"),
        ("own", "1.0 -e /home/me"),
        ("own", "1.0\n -r /etc/passwd"),
        ("own", "2004d-old"),
        ("own", "${TOKEN}"),
    ],
)
def test_names_and_versions_that_are_none_are_refused(tmp_path: Path, name: str, version: str) -> None:
    add(tmp_path, "own", "1", text=f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    with pytest.raises(WrongState, match="none that an index can have"):
        lock(tmp_path)


def test_what_left_no_trace_is_refused_and_not_left_out(tmp_path: Path) -> None:
    packages = add(tmp_path, "damaged", "1", text="nothing\n").parent
    (packages / "old-1.0-py3.12.egg-info").mkdir()
    (packages / "developed.egg-link").write_text("/home/me/developed\n")
    with pytest.raises(WrongState) as caught:
        lock(tmp_path)
    for name in ("damaged", "old", "developed"):
        assert f"{name} (" in caught.value.message


def test_of_many_some_are_named(tmp_path: Path) -> None:
    for number in range(12):
        add(tmp_path, f"own{number:02}", "1", {"url": "file:///x", "dir_info": {"editable": True}})
    with pytest.raises(WrongState, match=r"own09 .* and 2 more\."):
        lock(tmp_path)
