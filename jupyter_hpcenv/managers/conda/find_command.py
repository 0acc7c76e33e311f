"""Find conda, mamba or micromamba, and ask the program once which of them it is.

The name of a program says little: `mamba` was conda with another solver up to version 1, and has been the same
program as micromamba since version 2. What they have in common is their options; what they print differs.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from ...errors import ManagerNotFound
from ...process import run

#: Which is taken where there are several: the faster solver first, then the program that people know.
NAMES = ("mamba", "conda", "micromamba")

#: Variables by which an initialised shell tells where its program is.
_TOLD = ("CONDA_EXE", "MAMBA_EXE")

#: The oldest versions whose options and JSON are known here; Anaconda's modules of 2022 have conda 4.12.
OLDEST = {"conda": (4, 12), "mamba": (1, 5), "micromamba": (1, 5)}

_TIMEOUT = 120.0  # seconds; conda imports hundreds of files, on a cold parallel filesystem one by one

Dialect = Literal["conda", "libmamba"]


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A program that manages conda environments."""

    path: str
    name: str
    """``conda``, ``mamba`` or ``micromamba``."""
    version: str
    dialect: Dialect
    """Whose options and JSON it has: mamba 1 is a conda, mamba 2 a micromamba."""


def find_command(wanted: str, environ: Mapping[str, str]) -> str:
    """Return the path of the program that *wanted* means: a path, a name, or empty for the best one that is there.

    *environ* is that of the programs which will build, with what modules put on its PATH; only its PATH, HOME and
    the variables of an initialised shell are read. Raises `ManagerNotFound`.
    """
    if "/" in wanted:
        path = Path(environ.get("HOME", "/"), wanted[2:]) if wanted.startswith("~/") else Path(wanted)
        if not path.is_absolute() or not _is_program(path):
            raise ManagerNotFound(
                f"{wanted} is not a program that can be run.",
                hints=["Give the absolute path of conda, mamba or micromamba.", "Or leave it out."],
            )
        return str(path)
    for name in [wanted] if wanted else NAMES:
        if found := shutil.which(name, path=_search_path(environ)):
            return found
    for told in () if wanted else _TOLD:
        path = Path(environ.get(told) or "-")
        if path.is_absolute() and _is_program(path):
            return str(path)
    raise ManagerNotFound(
        f"There is no {wanted or 'conda, mamba or micromamba'} on PATH.",
        hints=[
            "Name a module that brings it, for example Anaconda3.",
            "Or take the built-in engine, which needs none.",
        ],
    )


def _search_path(environ: Mapping[str, str]) -> str:
    """Return PATH without its relative folders: what they mean depends on where somebody stands."""
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if folder.startswith("/")) or "/nonexistent"


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def identify(path: str, env: Mapping[str, str]) -> Program:
    """Return what the program at *path* says of itself.

    It is asked once for as long as its file stays as it is, for conda takes a second to answer. Raises
    `ManagerNotFound` where it is none of the three, or too old.
    """
    facts = Path(path).stat()
    key = (path, facts.st_ino, facts.st_mtime_ns)
    if key not in _known:
        done = run([path, "--version"], env=env, timeout=_TIMEOUT)
        _known[key] = _read(path, "\n".join(done.tail) if done.ok else "")
    return _known[key]


_known: dict[tuple[str, int, int], Program] = {}


def _read(path: str, said: str) -> Program:
    """Return what the answer to ``--version`` means; noise around it does not matter."""
    named = re.search(r"^(mamba) (\d+(?:\.\d+)+)", said, re.MULTILINE) or re.search(
        r"^(conda) (\d+(?:\.\d+)+)", said, re.MULTILINE
    )
    bare = re.search(r"^(\d+\.\d+\.\d+\S*)$", said, re.MULTILINE)
    if named is None and bare is None:
        raise ManagerNotFound(
            f"{path} is not conda, mamba or micromamba, or does not work: it did not say its version.",
            hints=[f"See what “{path} --version” says.", "Or take the built-in engine, which needs no program."],
        )
    if named is not None:  # mamba 1 says its own version and that of the conda in it
        name, version = named[1], named[2]
    else:
        assert bare is not None
        name, version = ("micromamba" if "micromamba" in Path(path).name else "mamba"), bare[1]
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < OLDEST[name]:
        oldest = ", ".join(f"{each} {'.'.join(map(str, number))}" for each, number in OLDEST.items())
        raise ManagerNotFound(
            f"{path} is {name} {version}, which is too old; possible are {oldest} and later.",
            hints=["Name a newer module or path.", "Or take the built-in engine, which needs no program."],
        )
    return Program(path=path, name=name, version=version, dialect="conda" if named is not None else "libmamba")
