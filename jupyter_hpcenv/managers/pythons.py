"""Find interpreters by reading the disk, and choose one; no program is started to learn a version."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ..errors import BrokenRecord, InvalidRequest, LocationUnavailable, PythonNotFound
from ..files import read_regular
from ..models import PythonFact
from ..process import environment, run
from ..site import Site
from ..site.locations import expand

Source = Literal["site", "path", "folder", "pyenv", "system"]

#: The oldest Python whose ipykernel and installers are still made.
OLDEST = (3, 9)

_EXECUTABLE = re.compile(r"python(3(\.\d+)?)?")
_PATCHLEVEL = re.compile(r'#define\s+PY_VERSION\s+"(\d+\.\d+\.\d+)')
_SYSTEM = ("/usr/bin", "/bin", "/usr/local/bin", "/usr/libexec")


def find_pythons(site: Site) -> list[PythonFact]:
    """Return the interpreters of this machine, best first, each once, the first one marked as default."""
    found: dict[str, PythonFact] = {}
    for path, source in _candidates(site):
        with contextlib.suppress(OSError, BrokenRecord):
            fact = describe(path, source)
            if fact is not None and not (site.hide_system_python and fact.source == "system"):
                found.setdefault(fact.real, fact)
    order: dict[str, int] = {"site": 0, "path": 1, "folder": 2, "pyenv": 3, "system": 4}
    ranked = sorted(found.values(), key=lambda f: (order[f.source], [-part for part in _numbers(f.version)]))
    for index, fact in enumerate(ranked):
        fact.default = index == 0
    return ranked


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _candidates(site: Site) -> Iterator[tuple[Path, Source]]:
    for configured in site.python_paths:
        with contextlib.suppress(LocationUnavailable):
            yield Path(expand(configured, site)), "site"
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if folder.startswith("/"):
            for path in _executables(Path(folder)):
                yield path, "path"
    for configured in site.python_folders:
        with contextlib.suppress(LocationUnavailable):
            for path in _installations(Path(expand(configured, site))):
                yield path, "folder"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for path in _installations(pyenv / "versions"):
        yield path, "pyenv"
    managed = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "uv" / "python"
    for path in _installations(Path(os.environ.get("UV_PYTHON_INSTALL_DIR", managed))):
        yield path, "folder"
    for folder in _SYSTEM:
        for path in _executables(Path(folder)):
            yield path, "system"


def _executables(folder: Path) -> list[Path]:
    """Return the interpreters of a bin folder, ``python3.12`` before ``python3`` and ``python``."""
    with contextlib.suppress(OSError):
        names = [name for name in os.listdir(folder) if _EXECUTABLE.fullmatch(name)]  # noqa: PTH208
        return [folder / name for name in sorted(names, key=lambda name: (-len(name), name))]
    return []


def _installations(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        versions = [entry.path for entry in os.scandir(folder) if entry.is_dir()]
        return [path for version in sorted(versions) for path in _executables(Path(version) / "bin")[:1]]
    return []


def describe(path: Path, source: Source) -> PythonFact | None:
    """Return the facts of an interpreter, or None for what is none: a shim, a virtual environment's, too old."""
    if not os.access(path, os.X_OK) or not path.is_file():
        return None
    home = path.parent.parent
    if (home / "pyvenv.cfg").exists():
        return None
    real = path.resolve()
    if _is_script(real):
        return None
    version = _version(real) or _version(path)
    if not version or tuple(_numbers(version)[:2]) < OLDEST:
        return None
    system = str(real.parent) in _SYSTEM[:2]
    if system and source != "site":
        source = "system"
    words = {"site": "recommended here", "pyenv": "pyenv", "system": "operating system"}.get(source, str(home))
    return PythonFact(
        path=str(path), real=str(real), version=version, source=source, label=f"Python {version} ({words})"
    )


def _is_script(real: Path) -> bool:
    with real.open("rb") as stream:
        return stream.read(2) == b"#!"


def _version(executable: Path) -> str:
    """Return the version that the files around an interpreter tell, at least ``3.12``; empty if none does."""
    home = executable.parent.parent
    match = re.fullmatch(r"python(\d+\.\d+)", executable.name)
    shorts = [match[1]] if match else [p.name[6:] for p in home.glob("lib/python3.*") if p.is_dir()]
    if len(shorts) != 1:
        return ""
    short = shorts[0]
    for header in (home / f"include/python{short}/patchlevel.h", home / f"include/python{short}m/patchlevel.h"):
        with contextlib.suppress(OSError, BrokenRecord):
            level = _PATCHLEVEL.search(read_regular(header.resolve(), 100_000).decode(errors="replace"))
            if level:
                return level[1]
    named = re.search(rf"(?<![\d.]){re.escape(short)}\.\d+", str(home))
    return named[0] if named else short


def choose_python(wanted: str, found: list[PythonFact]) -> PythonFact:
    """Return the interpreter that *wanted* means: a path, a version such as ``3.12``, or empty for the first.

    Raises `PythonNotFound` with the versions that exist, `InvalidRequest` for what is neither.
    """
    if not wanted:
        if not found:
            raise PythonNotFound(
                "No Python 3.9 or later was found on this machine.",
                hints=["Give the path of one, or have staff add it to c.Site.python_paths."],
            )
        return found[0]
    if "/" in wanted or wanted.startswith("~"):
        return _by_path(wanted, found)
    if not re.fullmatch(r"(python)?\d+(\.\d+){0,2}", wanted):
        raise InvalidRequest(f"{wanted!r} is no Python.", hints=["Give a version such as 3.12, or a path."])
    number = wanted.removeprefix("python")
    for fact in found:
        if fact.version == number or fact.version.startswith(number + "."):
            return fact
    versions = ", ".join(dict.fromkeys(fact.version for fact in found)) or "none"
    raise PythonNotFound(
        f"There is no Python {number} on this machine.",
        hints=[f"These were found: {versions}.", "Give the path of another one."],
    )


def _by_path(wanted: str, found: list[PythonFact]) -> PythonFact:
    path = Path(wanted).expanduser()
    for fact in found:
        if str(path) in (fact.path, fact.real):
            return fact
    if not path.is_absolute() or not path.is_file() or not os.access(path, os.X_OK):
        raise PythonNotFound(
            f"{wanted} is not a program that can be run.", hints=["Give the absolute path of a Python."]
        )
    known = describe(path, "path")
    if known is not None:
        return known
    return _asked(path)


def _asked(path: Path) -> PythonFact:
    """Return the facts of an interpreter that no file describes, by asking it once.

    One in a virtual environment answers for its base: an environment on top of another would break with it.
    """
    code = (
        "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(getattr(sys, '_base_executable', sys.executable))"
    )
    done = run([str(path), "-I", "-S", "-c", code], env=environment(), timeout=10)
    if not done.ok or len(done.tail) < 2 or not re.fullmatch(r"\d+\.\d+\.\d+", done.tail[-2]):
        raise PythonNotFound(
            f"{path} does not answer as a Python would.",
            hints=["Give the path of a Python 3.9 or later."],
            reason=shlex.join(done.tail[-3:]),
        )
    version, base = done.tail[-2:]
    if tuple(_numbers(version)[:2]) < OLDEST:
        raise PythonNotFound(
            f"{path} is Python {version}; at least 3.9 is needed.", hints=["Give the path of a newer one."]
        )
    real = Path(base).resolve()
    return PythonFact(path=base, real=str(real), version=version, source="path", label=f"Python {version} ({base})")
