"""Look at unpacked packages before they are linked: what they say may lead out of the environment.

A package lists its files itself (``info/paths.json``), and rattler believes the list. A path that climbs, or goes
through a link, would take, replace or share files of the user. What is refused here no honest package does.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path, PurePosixPath
from typing import TypeVar

import msgspec

from ... import typed
from ...errors import BuildFailed, HpcenvError, Refused

_T = TypeVar("_T", bound=msgspec.Struct)

_ODD = re.compile(r"[\x00-\x1f\x7f]|(?:^|/)\.{0,2}(?:/|$)")  # control characters, and parts that are no names
_OURS = re.compile(r"\.hpcenv(?:/|$)|conda-meta/(?:history$|\.hpcenv|[^/]*\.json$)")
_PYTHON = re.compile(r"python[\d.]*w?")
_MOST_LINKS = 40

HINTS = ["Tell the people who keep the channel; until then choose another version, or another channel."]


class Item(msgspec.Struct, kw_only=True):
    """A package that is about to be linked."""

    file: str
    """Its archive's name."""
    name: str
    version: str
    build: str

    @property
    def stem(self) -> str:
        """The name of its folder in the cache."""
        return f"{self.name}-{self.version}-{self.build}"


class Coming(msgspec.Struct, kw_only=True):
    """What a transaction is about to link."""

    items: list[Item] = []
    library: str = ""
    """Where Python looks for packages, relative to the prefix; empty where there is no Python."""


class _Entry(msgspec.Struct):
    path: str = msgspec.field(name="_path")


class _Paths(msgspec.Struct):
    paths: list[_Entry]


class _Noarch(msgspec.Struct):
    entry_points: list[str] = []


class _Link(msgspec.Struct):
    noarch: _Noarch = msgspec.field(default_factory=_Noarch)


class _Index(msgspec.Struct):
    name: str
    version: str
    build: str
    noarch: str | bool | None = None


def inspect(packages: Path, prefix: Path, coming: Coming) -> list[str]:
    """Return warnings about what is to be linked into *prefix*; raises `Refused` for what would do harm."""
    if coming.library and not _is_inside(coming.library):
        raise _refused("python", f"packages would lie outside of the environment, in {coming.library!r}")
    links: dict[str, str] = {}
    every: dict[str, list[str]] = {}
    for item in coming.items:
        every[item.file] = _places(packages / item.stem, item, coming.library, links)
    tree = _Tree(prefix, links)
    warnings = []
    for file, paths in every.items():
        for path in paths:
            where = tree.resolve(path)
            if where is None:
                raise _refused(file, f"{path!r} would lie outside of the environment")
            if _OURS.match(where):
                raise _refused(file, f"{path!r} would replace what is written about the environment")
            if path in links and tree.resolve(path, last=True) is None:
                if tree.leads_to_something(path):
                    raise _refused(file, f"the link {path!r} leads out of the environment, to {links[path]!r}")
                warnings.append(
                    f"{file}: the link {path!r} leads out of the environment, and to nothing: {links[path]!r}."
                )
    return warnings


def places(packages: Path, coming: Coming) -> list[str]:
    """Return where the files of packages lie in a prefix that holds them, as far as these are in the cache."""
    found: list[str] = []
    for item in coming.items:
        with contextlib.suppress(HpcenvError, OSError):
            found += _places(packages / item.stem, item, coming.library, {})
    return found


def _places(folder: Path, item: Item, library: str, links: dict[str, str]) -> list[str]:
    """Return where the files of a package will lie; those that are links go into *links*, with where they lead."""
    index = _read(folder, "index.json", item, _Index)
    if (index.name, index.version, index.build) != (item.name, item.version, item.build):
        raise _refused(item.file, f"it holds another package than its name says, {index.name!r} {index.version!r}")
    if index.noarch == "python":
        _check_programs(folder, item)
    found: list[str] = []
    safe: set[str] = set()
    for path in _listed(folder, item):
        if not _is_inside(path):
            raise _refused(item.file, f"{path!r} would lie outside of the environment")
        kind = _kind(str(folder), path, item, safe)
        place = _place(path, library) if index.noarch == "python" else path
        if stat.S_ISLNK(kind):
            links[place] = str((folder / path).readlink())
        elif not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise _refused(item.file, f"{path!r} is neither a file nor a link")
        found.append(place)
    return found


def _check_programs(folder: Path, item: Item) -> None:
    """Refuse a program that the installer would write in place of the interpreter."""
    if not (folder / "info" / "link.json").exists():
        return
    for entry in _read(folder, "link.json", item, _Link).noarch.entry_points:
        if _PYTHON.fullmatch(entry.partition("=")[0].strip()):
            raise _refused(item.file, f"it would replace the interpreter: {entry!r}")


def _listed(folder: Path, item: Item) -> list[str]:
    """Return the paths that a package lists; packages from before 2017 have a plain list instead."""
    try:
        return [entry.path for entry in _read(folder, "paths.json", item, _Paths).paths]
    except FileNotFoundError:
        return (folder / "info" / "files").read_text(errors="surrogateescape").splitlines()


def _read(folder: Path, name: str, item: Item, kind: type[_T]) -> _T:
    try:
        return typed.of_json((folder / "info" / name).read_bytes(), kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BuildFailed(
            f"The archive of {item.file} is damaged: {name} can not be read.", hints=HINTS, reason=str(error)
        ) from error


def _kind(folder: str, path: str, item: Item, safe: set[str]) -> int:
    """Return what a listed file is in the package; what lies behind a link there is not the package's own."""
    parent = path.rpartition("/")[0]
    above = []
    while parent and parent not in safe:
        above.append(parent)
        parent = parent.rpartition("/")[0]
    for each in reversed(above):
        if os.path.islink(f"{folder}/{each}"):  # noqa: PTH114
            raise _refused(item.file, f"{path!r} lies behind a link")
        safe.add(each)
    try:
        return os.stat(f"{folder}/{path}", follow_symlinks=False).st_mode  # noqa: PTH116  tens of thousands of files
    except FileNotFoundError:
        raise BuildFailed(f"The archive of {item.file} is damaged: {path!r} is missing.", hints=HINTS) from None


def _place(path: str, library: str) -> str:
    for own, place in (("site-packages/", f"{library}/"), ("python-scripts/", "bin/")):
        if path.startswith(own):
            return place + path.removeprefix(own)
    return path


def _is_inside(path: str) -> bool:
    """Tell whether a path stays below where it is taken from, by its letters alone."""
    return _ODD.search(path) is None


def _refused(file: str, why: str) -> Refused:
    return Refused(f"{file} was not installed: {why}.", hints=HINTS)


class _Tree:
    """The prefix as it will be: what is there, and the links that packages bring."""

    def __init__(self, prefix: Path, links: dict[str, str]) -> None:
        self._prefix = prefix
        self._links = links
        self._known: dict[str, str | None] = {"": ""}

    def resolve(self, path: str, *, last: bool = False) -> str | None:
        """Return where *path* leads, relative to the prefix, or None if that is outside.

        What it is itself counts only with *last*.
        """
        parent, _, name = path.rpartition("/")
        folder = self._folder(parent)
        if folder is None:
            return None
        found = f"{folder}/{name}".lstrip("/")
        return self._through(found, 0) if last else found

    def _folder(self, path: str) -> str | None:
        if path not in self._known:
            parent, _, name = path.rpartition("/")
            above = self._folder(parent)
            self._known[path] = None if above is None else self._through(f"{above}/{name}".lstrip("/"), 0)
        return self._known[path]

    def _through(self, path: str, depth: int) -> str | None:
        """Return *path*, or if it is a link where that leads; its parents are no links."""
        target = self._target(path)
        if target is None:
            return path
        if depth > _MOST_LINKS or target.startswith("/"):
            return None
        here = path.rpartition("/")[0]
        for part in PurePosixPath(target).parts:
            if part == "..":
                if not here:
                    return None
                here = here.rpartition("/")[0]
            else:
                found = self._through(f"{here}/{part}".lstrip("/"), depth + 1)
                if found is None:
                    return None
                here = found
        return here

    def _target(self, path: str) -> str | None:
        if path in self._links:
            return self._links[path]
        try:
            return str((self._prefix / path).readlink())
        except OSError:
            return None

    def leads_to_something(self, path: str) -> bool:
        """Tell whether a link of a package would find something outside."""
        return os.path.lexists(os.path.normpath((self._prefix / path).parent / self._links[path]))
