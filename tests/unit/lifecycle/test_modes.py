"""Modes are changed of what is held, never of what a path leads to in the end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from jupyter_hpcenv.errors import InvalidRequest, Refused
from jupyter_hpcenv.lifecycle import modes
from jupyter_hpcenv.lifecycle.modes import Kept, wanted
from jupyter_hpcenv.models import Sharing

from ...conftest import require

EVERYBODY = Sharing()


def never() -> None:
    """Nobody cancels."""


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    prefix = tmp_path / "prefix"
    (prefix / "lib" / "deep").mkdir(parents=True)
    (prefix / "lib" / "deep" / "module.py").write_text("a = 1\n")
    (prefix / "bin").mkdir()
    (prefix / "bin" / "tool").write_text("#!/bin/sh\n")
    for path in (prefix, *prefix.rglob("*")):
        path.chmod(0o700 if path.is_dir() or path.parent.name == "bin" else 0o600)
    return prefix


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """What no path below the prefix may lead to."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    (folder / "deep").mkdir(mode=0o700)
    (folder / "deep" / "module.py").write_text("secret\n")
    (folder / "deep" / "module.py").chmod(0o600)
    return folder


def facts(folder: Path) -> dict[str, tuple[int, int]]:
    found = {str(path): path.lstat() for path in (folder, *folder.rglob("*"))}
    return {path: (stat.S_IMODE(each.st_mode), each.st_gid) for path, each in found.items()}


@pytest.mark.parametrize(
    ("mode", "folder", "gid", "expected"),
    [
        (0o600, False, None, 0o644),
        (0o700, False, None, 0o755),
        (0o6777, False, None, 0o755),
        (0o400, False, None, 0o444),
        (0o700, True, None, 0o755),
        (0o1777, True, None, 0o755),
        (0o644, False, 7, 0o640),
        (0o4755, False, 7, 0o750),
        (0o755, True, 7, 0o2750),
    ],
)
def test_who_may_read_and_nobody_may_write(mode: int, folder: bool, gid: int | None, expected: int) -> None:
    assert wanted(Kept(mode, 5), EVERYBODY, gid, folder=folder) == Kept(expected, 5 if gid is None else gid)
    assert wanted(Kept(mode, 5), None, None, folder=folder) == Kept(mode & 0o700, os.getegid())


def test_there_and_back(prefix: Path) -> None:
    before, kept = facts(prefix), modes.survey(prefix)
    modes.give(prefix, EVERYBODY, never)
    assert stat.S_IMODE((prefix / "lib" / "deep" / "module.py").stat().st_mode) == 0o644
    assert stat.S_IMODE((prefix / "bin" / "tool").stat().st_mode) == 0o755
    (prefix / "lib" / ".hpcenv-tmp-0123").write_text("a copy that was not finished")
    modes.put_back(prefix, kept)
    assert facts(prefix) == before
    modes.give(prefix, EVERYBODY, never)
    modes.give(prefix, None, never)
    assert facts(prefix) == before


def test_what_links_lead_to_stays(prefix: Path, secret: Path) -> None:
    before = facts(secret)
    (prefix / "lib" / "link").symlink_to(secret)
    (prefix / "bin" / "file").symlink_to(secret / "deep" / "module.py")
    os.link(secret / "deep" / "module.py", prefix / "lib" / "hard")
    modes.give(prefix, EVERYBODY, never)
    assert facts(secret) == before
    assert (prefix / "lib" / "hard").read_text() == "secret\n"
    assert (prefix / "lib" / "hard").stat().st_nlink == 1
    prefix.rename(prefix.with_name("moved"))
    prefix.symlink_to(secret)
    with pytest.raises(NotADirectoryError):
        modes.give(prefix, EVERYBODY, never)
    assert facts(secret) == before


@pytest.mark.parametrize("what", ["folder", "prefix", "file"])
def test_what_is_swapped_in_meanwhile_stays(
    prefix: Path, secret: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right after a folder was listed, or opened, somebody puts a link in the place of what was in it."""
    before, real = facts(secret), os.listdir
    swap: dict[str, tuple[Path, Path]] = {
        "folder": (prefix / "lib" / "deep", secret / "deep"),
        "prefix": (prefix, secret),
        "file": (prefix / "lib" / "deep" / "module.py", secret / "deep" / "module.py"),
    }

    def listed(folder: int) -> list[str]:
        names = real(folder)
        place, target = swap[what]
        if not place.is_symlink() and (what == "prefix" or place.name in names):
            place.rename(prefix.with_name("aside"))
            place.symlink_to(target)
        return names

    monkeypatch.setattr(modes.os, "listdir", listed)
    modes.give(prefix, EVERYBODY, never)
    assert swap[what][0].is_symlink()
    assert facts(secret) == before


def test_a_folder_that_is_swapped_while_it_is_opened(
    prefix: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is held already; what is opened by its name must be the same one."""
    before, real = facts(secret), os.open
    place = prefix / "lib" / "deep"

    def opened(name: str, flags: int, *arguments: int, **options: int) -> int:
        if name == "deep" and not flags & os.O_PATH and not place.is_symlink():
            place.rename(prefix.with_name("aside"))
            place.symlink_to(secret)
        return real(name, flags, *arguments, **options)

    monkeypatch.setattr(modes.os, "open", opened)
    with pytest.raises(OSError, match=r"symbolic|Not a directory|taken its place"):
        modes.give(prefix, EVERYBODY, never)
    assert facts(secret) == before


def test_what_belongs_to_another_user_is_refused(prefix: Path) -> None:
    require("root", os.geteuid() == 0)
    before = facts(prefix)
    os.chown(prefix / "lib" / "deep" / "module.py", 43_002, 43_002)
    with pytest.raises(Refused, match="uid 43002"):
        modes.survey(prefix)
    os.chown(prefix / "lib" / "deep" / "module.py", 0, 0)
    assert facts(prefix) == before


@pytest.mark.parametrize("group", ["no-such-group", "-1", "٣", "4294967295", "99999999999999999999999"])
def test_what_is_no_group(group: str) -> None:
    with pytest.raises(InvalidRequest):
        modes.gid_of(Sharing(group=group))
