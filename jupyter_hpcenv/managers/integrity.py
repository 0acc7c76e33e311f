"""Compare the files of a prefix with what installers wrote down of them: wheels in RECORD, conda in conda-meta.

It only looks. What is written there is a package's own word, so nothing is looked at that lies outside the prefix, and
nothing is opened that is no regular file.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import os
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from .. import typed
from ..errors import BrokenRecord, HpcenvError
from ..files import read_regular
from . import packages

Kind = Literal["missing", "changed", "strange", "unreadable"]

#: Bytes; packages with 100,000 files have records of 40 MB.
_LARGEST = 64_000_000
_CHUNK = 1 << 20

#: What creators of virtual environments put into site-packages, and Python itself; of no package.
_OF_NOBODY = frozenset({"_virtualenv.py", "_virtualenv.pth", "distutils-precedence.pth", "sitecustomize.py"})
_COMPILED = "__pycache__"

#: Hexadecimal digits of the digests that prove something.
_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is not as the installer left it."""

    path: str
    """In the prefix."""
    package: str
    """Of which it is; empty for what is strange."""
    kind: Kind
    message: str


class Expected(NamedTuple):
    """A file as it was written down."""

    path: str
    package: str
    size: int | None = None
    digest: str = ""
    """Its kind, an equals sign, and the value as RECORD has it, or in hexadecimal digits."""


class Verified(NamedTuple):
    """What was found."""

    files: int
    problems: list[Problem]


def verify(prefix: Path, *, hashes: bool, check: Callable[[], None] = lambda: None) -> Verified:
    """Return how many files were looked at and which are not as they should be; with *hashes*, all are read.

    Without, sizes are compared: that takes a stat a file. *check* is called between files and may raise.
    """
    places = _Places(prefix)
    problems: list[Problem] = []
    known: set[str] = set()
    for expected in _expected(prefix, problems):
        check()
        known.add(expected.path)
        problem = _compared(places, expected, hashes=hashes)
        if problem is not None:
            problems.append(problem)
    problems += _strange(prefix, known)
    order: list[Kind] = ["missing", "changed", "unreadable", "strange"]
    return Verified(len(known), sorted(problems, key=lambda each: (order.index(each.kind), each.path)))


def files(prefix: Path) -> Iterator[tuple[str, os.stat_result | None]]:
    """Yield each file that was installed, with its facts; None: it is not there. What lies elsewhere is left out."""
    places, problems = _Places(prefix), list[Problem]()
    for expected in _expected(prefix, problems):
        place = places.of(expected.path)
        if place is not None:
            try:
                yield expected.path, os.lstat(place)
            except (FileNotFoundError, NotADirectoryError):
                yield expected.path, None
            except OSError:
                continue  # nothing is known of it
    yield from ((problem.path, None) for problem in problems if problem.kind == "missing")


# -- what is written down ------------------------------------------------------------


def _expected(prefix: Path, problems: list[Problem]) -> Iterator[Expected]:
    yield from _of_conda(prefix, problems)
    for folder in sorted(prefix.glob("lib/python3.*/site-packages/*.dist-info")):
        if packages.installer_of(folder) != "conda":  # what conda linked is in conda-meta, and may differ from RECORD
            yield from _of_wheel(prefix, folder, problems)


def _of_wheel(prefix: Path, folder: Path, problems: list[Problem]) -> Iterator[Expected]:
    package = folder.name.partition("-")[0]
    base = folder.parent.relative_to(prefix)
    record = f"{base}/{folder.name}/RECORD"
    try:
        rows = list(csv.reader(read_regular(folder / "RECORD", _LARGEST).decode().splitlines()))
    except FileNotFoundError:
        problems.append(Problem(path=record, package=package, kind="missing", message="The list of its files is gone."))
        return
    except (OSError, BrokenRecord, UnicodeDecodeError, csv.Error) as error:
        problems.append(Problem(path=record, package=package, kind="unreadable", message=_why(error)))
        return
    yield Expected(record, package)
    inside = f"{prefix}/"
    for row in rows:
        if len(row) != 3 or not row[0]:
            continue
        if f"{_COMPILED}/" in row[0]:
            continue  # Python makes it anew, with another date in it
        path = _normal(row[0] if row[0].startswith("/") else f"{base}/{row[0]}")
        if path.startswith(inside):
            path = path[len(inside) :]
        yield Expected(path, package, int(row[2]) if row[2].isdigit() else None, row[1])


def _normal(path: str) -> str:
    """Return a path without dots and doubled slashes; most have none, and there are tens of thousands."""
    return os.path.normpath(path) if "./" in path or "//" in path or path.endswith(("/", "..")) else path


def _digest(text: str) -> tuple[str, str] | None:
    """Return the kind of a digest and its value in hexadecimal digits; RECORD has base64 without its padding (PEP 427).

    None for one that is too weak to prove anything, or none at all.
    """
    kind, _, value = text.partition("=")
    length = _LENGTHS.get(kind)
    if length is None:
        return None
    if len(value) == length:
        return kind, value.lower()
    with contextlib.suppress(ValueError):
        return kind, base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()
    return None


class _Path(msgspec.Struct):
    path: str = msgspec.field(name="_path")
    path_type: str = ""
    size_in_bytes: int | None = None
    sha256: str | None = None
    sha256_in_prefix: str | None = None
    prefix_placeholder: str | None = None


class _Paths(msgspec.Struct):
    paths: list[_Path] = []


class _Meta(msgspec.Struct):
    name: str
    paths_data: _Paths | None = None
    files: list[str] | None = None


def _of_conda(prefix: Path, problems: list[Problem]) -> Iterator[Expected]:
    for file in sorted(prefix.glob("conda-meta/*.json")):
        try:
            meta = typed.of_json(read_regular(file, _LARGEST), _Meta)
        except (OSError, BrokenRecord, msgspec.DecodeError) as error:
            place = str(file.relative_to(prefix))
            problems.append(Problem(path=place, package=file.stem, kind="unreadable", message=_why(error)))
            continue
        told = meta.paths_data.paths if meta.paths_data else []
        for each in told:
            path = _normal(each.path)
            if f"{_COMPILED}/" in path:
                continue
            if each.path_type in ("softlink", "directory"):
                yield Expected(path, meta.name)
                continue
            replaced = each.prefix_placeholder is not None  # then size and first digest are those of the archive
            digest = each.sha256_in_prefix or (None if replaced else each.sha256)
            size = None if replaced else each.size_in_bytes
            yield Expected(path, meta.name, size, f"sha256={digest}" if digest else "")
        if not told:
            yield from (Expected(_normal(path), meta.name) for path in meta.files or [])


def _why(error: Exception) -> str:
    return error.message if isinstance(error, HpcenvError) else f"It can not be read: {error}."


# -- what is there -------------------------------------------------------------------


class _Places:
    """Where files really lie; the folders of a prefix are resolved once."""

    def __init__(self, prefix: Path) -> None:
        self._real = os.path.realpath(prefix)
        self._folders: dict[str, str] = {"": self._real}

    def of(self, path: str) -> str | None:
        """Return where *path* lies; None if that is not in the prefix."""
        if path.startswith(("/", "../")) or path in ("..", "."):
            return None
        folder, _, name = path.rpartition("/")
        real = self._folder(folder)
        inside = real == self._real or real.startswith(f"{self._real}/")
        return f"{real}/{name}" if inside else None

    def _folder(self, folder: str) -> str:
        real = self._folders.get(folder)
        if real is None:
            above, _, name = folder.rpartition("/")
            place = f"{self._folder(above)}/{name}"
            real = os.path.realpath(place) if os.path.islink(place) else place  # noqa: PTH114  texts: there are many
            self._folders[folder] = real
        return real


def _compared(places: _Places, expected: Expected, *, hashes: bool) -> Problem | None:
    def problem(kind: Kind, message: str) -> Problem:
        return Problem(path=expected.path, package=expected.package, kind=kind, message=message)

    place = places.of(expected.path)
    if place is None:
        return problem("strange", "It is said to lie outside the environment, so it was not looked at.")
    try:
        facts = os.lstat(place)
        if expected.size == facts.st_size and stat.S_ISREG(facts.st_mode) and not hashes:
            return None
        if stat.S_ISLNK(facts.st_mode) and expected.size is not None and os.path.exists(place):  # noqa: PTH110
            return None  # some installers link to their cache: what a link leads to is the cache's
        if expected.size is not None and not stat.S_ISREG(facts.st_mode):
            return problem("changed", "It is no regular file any more.")
        if expected.size is not None and facts.st_size != expected.size:
            return problem("changed", f"It has {facts.st_size:,} bytes instead of {expected.size:,}.")
        digest = _digest(expected.digest) if hashes and stat.S_ISREG(facts.st_mode) else None
        if digest:
            kind, value = digest
            if _digest_of(place, kind) != value:
                return problem("changed", f"Its {kind} is another one.")
    except (FileNotFoundError, NotADirectoryError):
        return problem("missing", "It is not there.")
    except OSError as error:
        return problem("unreadable", _why(error))
    return None


def _digest_of(path: str, kind: str) -> str:
    digest = hashlib.new(kind)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while chunk := os.read(descriptor, _CHUNK):
            digest.update(chunk)
    finally:
        os.close(descriptor)
    return digest.hexdigest()


def _strange(prefix: Path, known: Collection[str]) -> Iterator[Problem]:
    """Yield what lies in site-packages and is of no package; what Python compiles does not count."""
    for site in sorted(prefix.glob("lib/python3.*/site-packages")):
        base = str(site.relative_to(prefix))
        for top, folders, files in os.walk(site):
            below = top[len(str(prefix)) + 1 :]
            links = [name for name in folders if os.path.islink(f"{top}/{name}")]  # noqa: PTH114
            folders[:] = sorted(set(folders) - {_COMPILED} - set(links))
            for name in sorted([*files, *links]):
                path = f"{below}/{name}"
                if path in known or name.endswith(".pyc") or (below == base and name in _OF_NOBODY):
                    continue
                yield Problem(path=path, package="", kind="strange", message="It is of no package.")
