from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import msgspec
import pytest

from jupyter_hpcenv import files
from jupyter_hpcenv.errors import BrokenRecord, LocationUnavailable, NewerRecord


class Thing(msgspec.Struct):
    version: int = 1
    word: str = ""


def test_write_atomic_replaces_whole_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_atomic(path, b"old")
    files.write_atomic(path, b"new", 0o644)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["a.json"]


def test_write_atomic_into_a_missing_folder_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(LocationUnavailable) as caught:
        files.write_atomic(tmp_path / "no" / "a", b"x")
    assert caught.value.hints


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    bodies = [b"a" * 50_000, b"b" * 50_000]
    files.write_atomic(path, bodies[0])
    seen, stop = set(), threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(30):
        files.write_atomic(path, bodies[turn % 2])
    stop.set()
    reader.join()
    assert seen <= set(bodies)


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "big"])
def test_read_regular_refuses_what_another_could_have_put_there(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "link":
        (tmp_path / "secret").write_text("s")
        path.symlink_to(tmp_path / "secret")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"x" * 2_000_000)
    with pytest.raises(BrokenRecord):
        files.read_regular(path)


def test_decode_tells_newer_from_damaged() -> None:
    assert files.decode(b'{"version": 1, "word": "w"}', Thing, "it").word == "w"
    with pytest.raises(NewerRecord):
        files.decode(b'{"version": 99}', Thing, "it")
    for data in (b"", b"{", b"[]", b'{"word": 3}', b"\xff", b"[" * 100_000):
        with pytest.raises(BrokenRecord):
            files.decode(data, Thing, "it")


def test_remove_tree_takes_links_but_not_what_they_point_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "sentinel").write_text("lives")
    tree = tmp_path / "tree"
    (tree / "deep" / "er").mkdir(parents=True)
    (tree / "deep" / "link").symlink_to(outside)
    (tree / "file").write_text("x")
    (tree / "deep").chmod(0o500)
    files.remove_tree(tree)
    assert not tree.exists()
    assert (outside / "sentinel").read_text() == "lives"


def test_remove_tree_of_a_link_removes_the_link(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "outside")
    files.remove_tree(link)
    assert not link.is_symlink()
    assert (tmp_path / "outside").is_dir()


def test_publish_dir_replaces_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "old").write_text("old")
    source = tmp_path / "aside" / "source"
    source.mkdir(parents=True)
    (source / "new").write_text("new")
    files.publish_dir(source, target)
    assert os.listdir(target) == ["new"]
    assert os.listdir(tmp_path / "aside") == []


def test_make_private_closes_a_folder_that_others_could_write(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o777)
    files.make_private(folder)
    assert folder.stat().st_mode & 0o077 == 0


def test_a_rename_replaces_not_even_an_empty_folder(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    inode = target.stat().st_ino
    with pytest.raises(FileExistsError):
        files.rename_new(source, target)
    assert source.is_dir()
    assert target.stat().st_ino == inode
    target.rmdir()
    files.rename_new(source, target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["target"]


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EINVAL, errno.ENOTSUP])
def test_where_there_is_no_such_rename_it_is_looked_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(files, "_renameat2", lambda *_: number)
    test_a_rename_replaces_not_even_an_empty_folder(tmp_path)


def test_a_rename_that_was_done_and_reported_as_failed_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An NFS server may lose the answer, and find the target there when it is asked again."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()

    def lossy(*_: bytes) -> int:
        os.rename(source, target)
        return errno.EEXIST

    monkeypatch.setattr(files, "_renameat2", lossy)
    files.rename_new(source, target)
    assert target.is_dir()


def test_a_rename_of_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.rename_new(tmp_path / "source", tmp_path / "target")


def test_thousands_of_folders_in_each_other_are_removed(tmp_path: Path) -> None:
    """Neither descriptors nor Python's stack suffice for one of each level."""
    deep = os.open(tmp_path, os.O_RDONLY)
    for number in range(2_500):
        name = "top" if number == 0 else "d"
        os.mkdir(name, 0o500 if number == 1_500 else 0o700, dir_fd=deep)
        below = os.open(name, os.O_RDONLY, dir_fd=deep)
        os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=below))
        os.close(deep)
        deep = below
    os.close(deep)
    files.remove_tree(tmp_path / "top")
    assert not (tmp_path / "top").exists()
