"""Learn what an interpreter is from the files around it; nothing is started."""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import re
import stat
from pathlib import Path

import msgspec

from ..errors import BrokenRecord
from ..files import read_regular

#: Names of interpreters: ``python``, ``python3``, ``python3.12``, free-threaded ``python3.13t``.
EXECUTABLE = re.compile(r"python(3(\.\d+t?)?)?")

_SHORT = re.compile(r"3\.\d+")
_PATCHLEVEL = re.compile(r'#define\s+PY_VERSION\s+"(3\.\d+\.\d+(?:(?:a|b|rc)\d+)?)')
_LONGEST_CHAIN = 5  # virtual environments that name each other as their base
_LARGEST_BINARY = 200_000_000


class Interpreter(msgspec.Struct, frozen=True, kw_only=True):
    """A Python as its files describe it."""

    path: Path
    real: Path
    version: str
    """``3.12.11``, or ``3.12`` where no file tells the rest."""
    threaded: bool
    """True for a build without the global interpreter lock."""


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with: ``3.14.0rc1`` gives (3, 14, 0)."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def is_executable(path: Path) -> bool:
    """Tell whether this user can run *path* as a program."""
    return path.is_file() and os.access(path, os.X_OK)


def base_of(path: Path) -> Path:
    """Return the interpreter that *path* stands on: itself, or outside of the virtual environment it is in.

    ``pyvenv.cfg`` names the folder of the base as ``home`` (PEP 405). Raises OSError for a broken chain.
    """
    for _ in range(_LONGEST_CHAIN):
        found = _home(path)
        if found is None:
            return path
        names = (path.resolve().name, path.name, "python3", "python")
        bases = [found / name for name in names if EXECUTABLE.fullmatch(name) and is_executable(found / name)]
        if not bases:
            raise FileNotFoundError(str(found))
        path = bases[0]
    raise RecursionError(str(path))


def _home(path: Path) -> Path | None:
    for folder in (path.parent.parent, path.parent):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, BrokenRecord):
            text = read_regular(folder / "pyvenv.cfg", 10_000).decode(errors="replace")
            match = re.search(r"^home\s*=\s*(/.*?)\s*$", text, re.MULTILINE | re.IGNORECASE)
            return Path(match[1]) if match else Path("/nonexistent")
    return None


def describe(path: Path) -> Interpreter | None:
    """Return what *path* is, or None for what is no CPython (a shim, PyPy) or can be changed by everybody.

    Raises OSError for what can not be read.
    """
    if not is_executable(path):
        return None
    real = path.resolve()
    if open_to_all(real) or is_script(real):
        return None
    facts = real.stat()
    found = _version(real, facts.st_mtime_ns, facts.st_size)
    if not found:
        return None
    version, threaded = found
    return Interpreter(path=path, real=real, version=version, threaded=threaded)


def open_to_all(real: Path) -> bool:
    """Tell whether everybody could put another program in the place of *real*."""
    folder = real.parent.stat().st_mode
    return bool(real.stat().st_mode & stat.S_IWOTH or (folder & stat.S_IWOTH and not folder & stat.S_ISVTX))


def is_script(real: Path) -> bool:
    """Tell whether a file is a script, as pyenv's shims are: which Python they start depends on the day."""
    with real.open("rb") as stream:
        return stream.read(2) == b"#!"


@functools.lru_cache(maxsize=256)
def _version(real: Path, changed: int, size: int) -> tuple[str, bool] | None:
    """Return (version, free-threaded); *changed* and *size* make an answer that is remembered go stale."""
    match = re.fullmatch(r"python(3\.\d+)(t?)", real.name)
    if match:
        short, suffix = match[1], match[2]
    else:
        libraries = [
            folder.name.removeprefix("python")
            for lib in ("lib", "lib64")
            for folder in (real.parent.parent / lib).glob("python3.*")
            if EXECUTABLE.fullmatch(real.name) and (folder / "os.py").is_file()
        ]
        if len(set(libraries)) != 1 or not _SHORT.match(libraries[0]):
            return None
        short, suffix = libraries[0].removesuffix("t"), "t" if libraries[0].endswith("t") else ""
    return _full(real, short, suffix, size) or short, bool(suffix)


def _full(real: Path, short: str, suffix: str, size: int) -> str:
    """Return the version with its last number, from the first file that tells it, or an empty text."""
    home = real.parent.parent
    with contextlib.suppress(OSError, BrokenRecord):
        header = (home / f"include/python{short}{suffix}/patchlevel.h").resolve()
        level = _PATCHLEVEL.search(read_regular(header, 100_000).decode(errors="replace"))
        if level and level[1].startswith(f"{short}."):
            return level[1]
    for record in home.glob(f"conda-meta/python-{short}.*.json"):
        return record.name.split("-")[1]
    named = re.search(rf"(?<![\d.]){re.escape(short)}\.\d+(?![\d.])", home.name)
    if named:
        return named[0]
    # The operating system's packages leave the headers out. What `Py_GetVersion` returns is a string of
    # its own in the program, or in the library that lies beside it.
    for binary in (real, *sorted((home / "lib").glob(f"libpython{short}{suffix}.so*"))):
        with contextlib.suppress(OSError, ValueError):
            if version := _in_binary(binary, short):
                return version
    return ""


def _in_binary(path: Path, short: str) -> str:
    with path.open("rb") as stream:
        if os.fstat(stream.fileno()).st_size > _LARGEST_BINARY:
            return ""
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            pattern = rb"\0(" + re.escape(short).encode() + rb"\.\d{1,3}(?:(?:a|b|rc)\d+)?)\+?\0"
            found = re.search(pattern, content)
            return found[1].decode() if found else ""
