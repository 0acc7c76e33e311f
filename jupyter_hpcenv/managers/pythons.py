"""Find interpreters by reading the disk, and choose one of them.

Order is advice: the site's own list, then PATH, configured folders, pyenv-like trees, and the operating
system's own Python last, because it goes away with the system's next upgrade. What the site's policy forbids
comes after all that it allows, so that who names no Python gets one that may be taken.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from .. import policy
from ..errors import BrokenPolicy, InvalidRequest, LocationUnavailable, PythonNotFound
from ..models import PythonFact
from ..process import environment, run
from ..site import Site
from ..site.locations import expand
from .interpreters import (
    EXECUTABLE,
    Interpreter,
    base_of,
    describe,
    is_executable,
    is_script,
    numbers,
    open_to_all,
)

Source = Literal["site", "path", "folder", "pyenv", "system"]

#: The oldest Python whose ipykernel and installers are still made.
OLDEST = (3, 9)

#: Where the operating system keeps its own Pythons; /usr/local is the administrator's, not the system's.
_SYSTEM = ("/usr/bin", "/bin", "/usr/libexec")

_ORDER: tuple[Source, ...] = ("site", "path", "folder", "pyenv", "system")
_ASK_TIMEOUT = 10.0  # seconds; a Python on a cold parallel filesystem takes a few


def find_pythons(site: Site) -> list[PythonFact]:
    """Return the interpreters of this machine, best first, each once, the first one marked as default."""
    found: dict[str, PythonFact] = {}
    for path, source in _candidates(site):
        with contextlib.suppress(OSError, RecursionError):
            interpreter = describe(base_of(path))
            if interpreter is None or numbers(interpreter.version)[:2] < OLDEST:
                continue
            fact = _fact(interpreter, source)
            if not (site.hide_system_python and fact.source == "system"):
                found.setdefault(fact.real, fact)
    for fact in found.values():
        with contextlib.suppress(BrokenPolicy):  # that refuses each request by itself
            fact.forbidden = policy.forbids_python(fact.path, fact.version)
    ranked = sorted(found.values(), key=lambda fact: (bool(fact.forbidden), _ORDER.index(fact.source)))
    for index, fact in enumerate(ranked):
        fact.default = index == 0 and not fact.forbidden
    return ranked


def _fact(interpreter: Interpreter, source: Source) -> PythonFact:
    if str(interpreter.real.parent) in _SYSTEM and source != "site":
        source = "system"
    home = str(interpreter.path.parent.parent)
    words = {"site": "recommended here", "pyenv": "pyenv", "system": "operating system"}.get(source, home)
    if interpreter.threaded:
        words = f"free-threaded, {words}"
    return PythonFact(
        path=str(interpreter.path),
        real=str(interpreter.real),
        version=interpreter.version,
        source=source,
        label=f"Python {interpreter.version} ({words})",
    )


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
    for path in _pyenv(Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")):
        yield path, "pyenv"
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    for path in _installations(Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")):
        yield path, "folder"
    for name in _SYSTEM:
        for path in _executables(Path(name)):
            yield path, "system"


def _executables(folder: Path) -> list[Path]:
    """Return the interpreters of a bin folder, newest first, named as exactly as they can be."""
    with contextlib.suppress(OSError):
        names = [name for name in os.listdir(folder) if EXECUTABLE.fullmatch(name)]  # noqa: PTH208
        return [folder / name for name in sorted(names, key=_newest, reverse=True)]
    return []


def _newest(name: str) -> tuple[tuple[int, ...], bool]:
    """Sort key: later versions are greater, and a free-threaded one is less than its ordinary twin."""
    match = re.search(r"\d+(?:\.\d+)*", name)
    return (numbers(match[0]) if match else ()), not name.endswith("t")


def _installations(folder: Path) -> list[Path]:
    """Return one interpreter for each installation in a folder such as pyenv's ``versions``, newest first."""
    with contextlib.suppress(OSError):
        with os.scandir(folder) as entries:
            versions = [Path(entry.path) for entry in entries if entry.is_dir()]
        homes = sorted(versions, key=lambda home: (_newest(home.name), home.name), reverse=True)
        return [path for home in homes for path in _executables(home / "bin")[:1]]
    return []


def _pyenv(root: Path) -> list[Path]:
    """Return pyenv's interpreters: the version that the user set with ``pyenv global`` comes first."""
    chosen = os.environ.get("PYENV_VERSION", "").replace(":", "\n")
    if not chosen:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            chosen = (root / "version").read_text()
    first = chosen.split()
    installed = _installations(root / "versions")
    return sorted(installed, key=lambda path: first.index(path.parts[-3]) if path.parts[-3] in first else len(first))


# -- choosing ---------------------------------------------------------------


def choose_python(wanted: str, found: Sequence[PythonFact], environ: Mapping[str, str] | None = None) -> PythonFact:
    """Return the interpreter that *wanted* means: a path, a version such as ``3.12``, or empty for the first.

    *environ* is what modules put around it; without that, a module's Python may not even start. Raises
    `PythonNotFound` with the versions that exist, `InvalidRequest` for what is neither.
    """
    wanted = wanted.strip()
    if not wanted:
        if not found:
            raise PythonNotFound(
                f"No Python {_oldest()} or later was found on this machine.",
                hints=["Give the path of one, or have staff add it to c.Site.python_paths."],
            )
        return found[0]
    if "/" in wanted or wanted.startswith("~"):
        return _by_path(wanted, found, environ)
    match = re.fullmatch(r"(?:python ?)?(\d+(?:\.\d+){0,2}(?:(?:a|b|rc)\d+)?)", wanted, re.IGNORECASE)
    if not match:
        raise InvalidRequest(f"“{wanted}” is no Python.", hints=["Give a version such as 3.12, or a path."])
    number = match[1]
    for fact in sorted(found, key=lambda fact: "(free-threaded" in fact.label):
        if fact.version == number or fact.version.startswith(f"{number}."):
            return fact
    if len(numbers(number)) > 1 and numbers(number)[:2] < OLDEST:
        raise PythonNotFound(
            f"Python {number} is too old; environments need Python {_oldest()} or later.", hints=[_these(found)]
        )
    raise PythonNotFound(
        f"There is no Python {number} on this machine.", hints=[_these(found), "Give the path of another one."]
    )


def _oldest() -> str:
    return ".".join(map(str, OLDEST))


def _these(found: Sequence[PythonFact]) -> str:
    versions = ", ".join(dict.fromkeys(fact.version for fact in found)) or "none"
    return f"These were found: {versions}."


def _by_path(wanted: str, found: Sequence[PythonFact], environ: Mapping[str, str] | None) -> PythonFact:
    path = Path(os.path.expanduser(wanted))  # noqa: PTH111  Path.expanduser raises for users that do not exist
    for fact in found:
        if str(path) in (fact.path, fact.real):
            return fact
    try:
        if not path.is_absolute() or not is_executable(path):
            raise PythonNotFound(
                f"{wanted} is not a program that can be run.",
                hints=["Give the absolute path of a Python.", _these(found)],
            )
        path = base_of(path)
        real = path.resolve()
        if open_to_all(real):
            raise PythonNotFound(
                f"{real} can be replaced by everybody on this machine, so it is not used.",
                hints=["Choose another Python.", _these(found)],
            )
        interpreter = describe(path) or _asked(path, environ)
    except (OSError, RecursionError) as error:
        raise PythonNotFound(
            f"{wanted} can not be used: {getattr(error, 'strerror', None) or 'its base is gone'}.",
            hints=["Choose another Python.", _these(found)],
        ) from error
    if numbers(interpreter.version)[:2] < OLDEST:
        raise PythonNotFound(
            f"{wanted} is Python {interpreter.version}; environments need Python {_oldest()} or later.",
            hints=["Choose a newer one.", _these(found)],
        )
    for fact in found:
        if str(interpreter.real) == fact.real:
            return fact
    return _fact(interpreter, "path")


def module_python(path: Path, environ: Mapping[str, str]) -> PythonFact:
    """Return what the Python at *path* is, as it stands there, be it a virtual environment of the site's.

    *environ* is what the modules that brought it put around it. Raises `PythonNotFound`.
    """
    try:
        interpreter = describe(path) or _asked(path, environ)
    except OSError as error:
        raise PythonNotFound(
            f"{path} can not be used: {error.strerror}.", hints=["Choose another module of Python."]
        ) from error
    if numbers(interpreter.version)[:2] < OLDEST:
        raise PythonNotFound(
            f"{path} is Python {interpreter.version}; environments need Python {_oldest()} or later.",
            hints=["Choose a newer module of Python."],
        )
    return PythonFact(
        path=str(path),
        real=str(interpreter.real),
        version=interpreter.version,
        source="path",
        label=f"Python {interpreter.version} (of the modules)",
    )


def _asked(path: Path, environ: Mapping[str, str] | None) -> Interpreter:
    """Return what an interpreter says of itself, where no file describes it; it is started once.

    What it names as its program is taken: a wrapper or a shim may start another one tomorrow.
    """
    code = "import sys; print(sys.implementation.name); print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable)"
    done = run([str(path), "-I", "-S", "-c", code], env=environ or environment(), timeout=_ASK_TIMEOUT)
    said = done.tail[-3:]
    if not done.ok or len(said) < 3 or not re.fullmatch(r"3\.\d+\.\d+", said[1]) or not is_executable(Path(said[2])):
        raise PythonNotFound(
            f"{path} does not answer as a Python would.",
            hints=[f"Give the path of a Python {_oldest()} or later."],
            reason="\n".join(done.tail[-5:]),
        )
    own = base_of(Path(said[2])) if is_script(path.resolve()) else path
    return Interpreter(path=own, real=own.resolve(), version=said[1], threaded=False)
