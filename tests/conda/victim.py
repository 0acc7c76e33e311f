"""A folder that no package may touch, and an eye for what an evil package has done."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

#: What an evil package writes; it may lie in the package cache and in the prefix, and nowhere else.
MARK = b"written by an evil package\n"

#: A line that an evil package wants to see in conda's history.
FORGED = "# update specs: ['evil']"

#: A file of a package that lies in a channel which nobody named.
GUEST = "share/evil-guest"

#: No evil package brings a file that honestly is larger than this.
LARGE = 1 << 28


class Victim:
    """Somebody's files beside an installation; all of it lies below *root*, which is to be the test's own folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.folder = self.root / "victim"
        self.folder.mkdir(parents=True)
        self.file = self.folder / "precious"
        self.file.write_bytes(b"precious\n")
        self.file.chmod(0o600)
        self._before = _fingerprint(self.folder)

    def harm(self, prefix: Path, *, holders: Sequence[Path] = (), allowed: Sequence[Path] = ()) -> list[str]:
        """Return all harm that is to be seen after a package was installed, or refused, in *prefix*.

        *holders* are folders that may hold what packages bring: channel and cache. *allowed* may hold other new files.
        """
        holders = [self._known(each) for each in (prefix, *holders)]
        fair = [self.folder, *holders, *map(self._known, allowed)]
        found = self._damage()
        for path in _all(self.root):
            if not any(path.is_relative_to(each) or each.is_relative_to(path) for each in fair):
                found.append(f"{path} was made")
            elif path.is_relative_to(self._known(prefix)):
                found += _in_prefix(path, self._known(prefix))
            elif not any(path.is_relative_to(each) for each in holders) and _is_marked(path):
                found.append(f"{path} was written")
            if any(path.is_relative_to(each) for each in holders):
                found += _rights(path)
        return found

    def _known(self, path: Path) -> Path:
        resolved = path.resolve()
        assert resolved.is_relative_to(self.root), f"{path} is not below {self.root}: harm would not be seen"
        return resolved

    def _damage(self) -> list[str]:
        now = _fingerprint(self.folder)
        return [
            f"{self.folder / path}: was {self._before.get(path)}, is {now.get(path)}"
            for path in sorted(self._before.keys() | now.keys())
            if self._before.get(path) != now.get(path)
        ]


def _fingerprint(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Return rights, number of names and content of all in *folder*, itself too."""
    found = {}
    for path in (folder, *_all(folder)):
        told = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(told.st_mode) else ""
        found[str(path.relative_to(folder))] = (told.st_mode, told.st_nlink if content else 0, content)
    return found


def _all(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        yield from (Path(here, name) for name in (*folders, *names))


def _is_marked(path: Path) -> bool:
    told = path.lstat()
    return stat.S_ISREG(told.st_mode) and told.st_size == len(MARK) and path.read_bytes() == MARK


def _in_prefix(path: Path, prefix: Path) -> list[str]:
    """Return what is wrong with a file of the prefix."""
    inside = str(path.relative_to(prefix))
    if path.is_symlink():
        return [] if _stays(path, prefix) else [f"{path} leads to {os.readlink(path)}"]
    found = []
    if any(ord(letter) < 32 for letter in inside):
        found.append(f"{inside!r} has a control character in its name")
    if inside == "conda-meta/history" and FORGED in path.read_text().splitlines():
        found.append(f"{path} holds a forged line")
    if inside == GUEST:
        found.append(f"{path} came from a channel that nobody named")
    if inside == "bin/python" and path.read_bytes().startswith(b"#!"):
        found.append(f"{path} is a script in place of the interpreter")
    return found


def _rights(path: Path) -> list[str]:
    """Return what a file of the prefix or the cache must not be, or be allowed."""
    told = path.lstat()
    if stat.S_ISLNK(told.st_mode):
        return []
    if stat.S_ISDIR(told.st_mode):
        return [f"{path} may be written by all"] if told.st_mode & stat.S_IWOTH else []
    if not stat.S_ISREG(told.st_mode):
        return [f"{path} is no file: {stat.filemode(told.st_mode)}"]
    if told.st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH):
        return [f"{path} has rights that it must not have: {stat.filemode(told.st_mode)}"]
    return [f"{path} is {told.st_size} bytes long"] if told.st_size >= LARGE else []


def _stays(link: Path, prefix: Path) -> bool:
    """Tell whether a link stays in the prefix, by what it says and by where it leads."""
    target = os.readlink(link)
    said = Path(os.path.normpath(link.parent / target))
    return not os.path.isabs(target) and said.is_relative_to(prefix) and link.resolve().is_relative_to(prefix.resolve())
