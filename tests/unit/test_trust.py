"""Who can write a path is told as the kernel decides it: a third user really tries, and what is said is compared."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_hpcenv import trust
from jupyter_hpcenv.trust import UnknownAcl, acl_entries, decide, who_can_write, writers_below

from ..conftest import require

A, C, TEAM = 43_001, 43_003, 43_100

#: What c tries: to write into the target, and to put another one in its place through each folder above.
TRY = """
import os, sys
target, top = sys.argv[1:]
done = []
def attempt(what, function):
    try:
        function()
        done.append(what)
    except OSError:
        pass
def write():
    if os.path.isdir(target):
        os.mkdir(target + "/of-c")
    else:
        open(target, "a").close()
attempt("write", write)
place = target
while place != top:
    def swap(place=place):
        os.rename(place, place + ".gone")
        os.rename(place + ".gone", place)
    attempt("rename " + place, swap)
    place = os.path.dirname(place)
print(len(done))
"""


@pytest.fixture
def ground() -> Iterator[Path]:
    require("setpriv, as root,", shutil.which("setpriv") is not None and os.geteuid() == 0)
    folder = Path(tempfile.mkdtemp(prefix="hpcenv-trust-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def c_can(target: Path, top: Path) -> bool:
    argv = ["setpriv", f"--reuid={C}", f"--regid={C}", f"--groups={TEAM}", "--", "/usr/bin/python3", "-c", TRY]
    done = subprocess.run([*argv, str(target), str(top)], check=True, capture_output=True, text=True, cwd="/")
    return int(done.stdout) > 0


def acl(*named: tuple[int, int, int], mask: int = 7, group: int = 5) -> bytes:
    entries = [(1, 7, 0xFFFFFFFF), (4, group, 0xFFFFFFFF), *named, (0x10, mask, 0xFFFFFFFF), (0x20, 5, 0xFFFFFFFF)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in sorted(entries))


def grant(path: Path, data: bytes) -> None:
    try:
        os.setxattr(path, "system.posix_acl_access", data)
    except OSError as error:
        require(f"a filesystem with ACLs ({error})", found=False)


def mode(number: int) -> Callable[[Path], None]:
    return lambda path: path.chmod(number)


def owned(path: Path) -> None:
    os.chown(path, C, C)


def team(number: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        os.chown(path, -1, TEAM)
        path.chmod(number)

    return change


CASES: dict[str, tuple[str, Callable[[Path], None], bool]] = {
    "0755": ("above", mode(0o755), False),
    "0775 of another group": ("above", mode(0o775), True),
    "2770 of the team": ("above", team(0o2770), True),
    "2775 of the team": ("above", team(0o2775), True),
    "3775 of the team, sticky": ("above", team(0o3775), False),
    "1777": ("above", mode(0o1777), False),
    "0777": ("above", mode(0o777), True),
    "owned above": ("above", owned, True),
    "target 0775 of the team": ("target", team(0o775), True),
    "target 1777": ("target", mode(0o1777), True),
    "target owned": ("target", owned, True),
    "a user by ACL": ("above", lambda path: grant(path, acl((2, 7, C))), True),
    "a user by ACL, masked": ("above", lambda path: grant(path, acl((2, 7, C), mask=5)), False),
    "a user by ACL who only reads": ("above", lambda path: grant(path, acl((2, 5, C))), False),
    "the team by ACL": ("target", lambda path: grant(path, acl((8, 7, TEAM))), True),
    "a user by ACL, sticky": ("above", lambda path: (grant(path, acl((2, 7, C))), path.chmod(0o1775))[0], False),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_is_what_another_user_can_do(ground: Path, case: str) -> None:
    where, change, expected = CASES[case]
    target = ground / "above" / "middle" / "target"
    target.mkdir(parents=True)
    for path in (target.parent.parent, target.parent, target):
        os.chown(path, A, A)
        path.chmod(0o755)
    change(ground / "above" if where == "above" else target)
    said = who_can_write(target, {A})
    if case == "0775 of another group":  # c is not in it, but whoever is can
        assert [writer.who for writer in said] == [f"group {A}"]
        return
    assert bool(said) == c_can(target, ground / "above") == expected, said
    assert all(writer.where in (str(ground / "above"), str(target)) for writer in said)


@pytest.mark.parametrize("absolute", [True, False])
def test_linked_parents_are_walked_as_the_kernel_does(ground: Path, absolute: bool) -> None:
    """A link in a folder that c can write: where it leads now is nobody's business, c can point it elsewhere."""
    real = ground / "real" / "prefix"
    real.mkdir(parents=True)
    open_folder = ground / "open"
    open_folder.mkdir()
    (open_folder / "link").symlink_to(str(ground / "real") if absolute else "../real")
    (ground / "way").symlink_to("open/link/../real" if not absolute else open_folder / "link")
    assert who_can_write(ground / "way" / "prefix") == ()
    open_folder.chmod(0o777)
    assert [str(each) for each in who_can_write(ground / "way" / "prefix")] == [f"everybody through {open_folder}"]
    open_folder.chmod(0o1777)  # then only owners replace what is theirs, such as this link of root's
    assert who_can_write(ground / "way" / "prefix") == ()
    os.lchown(open_folder / "link", C, C)
    assert [each.who for each in who_can_write(ground / "way" / "prefix")] == [f"uid {C}"]


def test_a_loop_of_links_is_an_error_and_no_endless_walk(ground: Path) -> None:
    (ground / "a").symlink_to("b")
    (ground / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        who_can_write(ground / "a")
    with pytest.raises(FileNotFoundError):
        who_can_write(ground / "nothing")


def test_an_access_list_of_another_kind_counts_as_writable(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFSv4's can not be made here, so its name stands in for it."""
    assert who_can_write(ground) == ()
    monkeypatch.setattr(trust.os, "listxattr", lambda path: ["system.nfs4_acl", "user.note"])
    [*_, last] = who_can_write(ground)
    assert "nfs4_acl" in last.who
    assert last.where == str(ground)


ENTRY = struct.Struct("<HHI")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\2\0\0\0",
        struct.pack("<I", 3) + acl()[4:],
        acl()[:-1],
        acl() + ENTRY.pack(0x40, 7, 0),  # a tag that nobody knows
        acl() + ENTRY.pack(0x20, 5, 0xFFFFFFFF),  # twice
        acl((2, 15, C)),  # a permission that nobody knows
        acl((2, 7, 0xFFFFFFFF)),  # a user who is nobody
        struct.pack("<I", 2) + b"".join(ENTRY.pack(*each) for each in [(1, 7, 0), (2, 7, C), (4, 5, 0), (0x20, 5, 0)]),
    ],
)
def test_an_access_list_that_is_not_exactly_one_is_unknown(data: bytes) -> None:
    with pytest.raises(UnknownAcl):
        acl_entries(data)


def test_a_decision_holds_what_a_start_looks_at(ground: Path) -> None:
    prefix = ground / "prefix"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "python").symlink_to("/usr/bin/python3")
    decision, writers = decide(prefix, 0, [prefix / "bin", prefix / "bin" / "python"])
    assert writers == ()
    assert (decision.uid, decision.inode) == (0, prefix.stat().st_ino)
    real = os.path.realpath("/usr/bin/python3")
    assert decision.inside == [str(prefix), str(prefix / "bin"), real]
    assert {"/", "/usr", "/usr/bin", str(ground)} <= set(decision.folders)
    assert decision.python == real
    os.chown(prefix / "bin", C, C)
    assert [each.who for each in decide(prefix, 0, [prefix / "bin"])[1]] == [f"uid {C}"]


def test_each_file_below_is_looked_at(ground: Path) -> None:
    file = ground / "lib" / "deep" / "module.py"
    file.parent.mkdir(parents=True)
    file.write_text("")
    (ground / "lib" / "link").symlink_to("/tmp")  # writable by everybody, and none of its business
    assert writers_below(ground, 0) is None
    file.chmod(0o646)
    assert str(writers_below(ground, 0)) == f"everybody through {file}"
    file.chmod(0o644)
    os.chown(file, C, C)
    assert str(writers_below(ground, 0)) == f"uid {C} through {file}"
    assert writers_below(ground, C) is None
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
