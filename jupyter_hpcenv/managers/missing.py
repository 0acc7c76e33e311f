"""Read from what a failed build said which header, library, program or package it missed, and who has it.

The sentences are those of GCC, Clang and GNU ld, setuptools, pip, uv, Meson, CMake and pkg-config.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Literal

import msgspec
from packaging.utils import canonicalize_name

Kind = Literal["header", "library", "program", "compiler", "Python package"]

_NAME = r"(/?[A-Za-z0-9_][\w.+/-]*)"
_QUOTED = rf"[`'\"‘“]?{_NAME}"

_SENTENCES: tuple[tuple[Kind, str], ...] = (
    ("header", rf"fatal error: {_QUOTED}['’]?(?:: No such file or directory| file not found)"),
    ("library", rf"(?:cannot find|unable to find library|library not found for) -l{_NAME}"),
    ("library", r"\blib([\w+-]+)\.so[\d.]*: cannot open shared object file"),
    ("program", rf"unable to execute {_QUOTED}['’]?: No such file"),
    ("program", rf"error: command {_QUOTED}['’]? failed: No such file or directory"),
    ("program", r"\[Errno 2\] No such file or directory: '([a-z0-9][a-z0-9_+-]*)'\s*$"),  # a file has a suffix
    ("program", rf"(?:^|[\s:]){_NAME}: (?:command )?not found\s*$"),
    ("compiler", r"[Cc]ould not find (?:a |any )?(Fortran) compiler|[Nn]o (Fortran) compiler (?:found|specified)"),
    ("compiler", r"Unknown compiler\(s\): \[\[?'([\w.+-]+)'"),
    ("compiler", r"No (CMAKE_\w+)_COMPILER could be found"),
    ("library", rf"Package {_QUOTED}['’,]?(?:, required by [^,]+,)? (?:was )?not found(?: in the pkg-config)?"),
    ("library", rf"No package {_QUOTED}['’]? found"),
    ("library", rf"Could NOT find {_NAME}"),
    ("library", rf"Could not find a package configuration file provided by {_QUOTED}"),
    ("library", rf"ERROR: Dependency {_QUOTED}[\"']? not found"),
    ("Python package", rf"No module named {_QUOTED}"),
    ("Python package", rf"BackendUnavailable: Cannot import {_QUOTED}"),
    ("Python package", rf"since {_QUOTED} is not available in the build environment"),
)
_COMPILED = [(kind, re.compile(pattern)) for kind, pattern in _SENTENCES]

#: What a person may have named a compiler in the table, besides what the build called it.
_COMPILERS = {
    "Fortran": ("gfortran", "fortran", "flang", "ifx"),
    "CMAKE_C": ("gcc", "cc"),
    "CMAKE_CXX": ("g++", "c++", "gcc"),
    "CMAKE_Fortran": ("gfortran", "fortran"),
    "CMAKE_CUDA": ("nvcc", "CUDA"),
}
_WORDS = {"Fortran": "Fortran", "CMAKE_C": "C", "CMAKE_CXX": "C++", "CMAKE_Fortran": "Fortran", "CMAKE_CUDA": "CUDA"}


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a build looked for in vain."""

    kind: Kind
    name: str

    @property
    def words(self) -> str:
        """What it is, for a sentence: ``the header mpi.h``."""
        if self.kind == "compiler":
            return f"the compiler for {_WORDS[self.name]}" if self.name in _WORDS else f"the compiler {self.name}"
        return f"the {self.kind} {self.name}"

    @property
    def short(self) -> str:
        """What it is, after it has been said which kind of thing: ``mpi.h``."""
        return self.words if self.kind == "compiler" else self.name

    def names(self) -> list[str]:
        """Return the names under which a table may have it, best first."""
        if self.name in _COMPILERS:
            return list(_COMPILERS[self.name])
        last = PurePosixPath(self.name).name
        keys = [self.name, last]
        if self.kind in ("program", "compiler"):
            # x86_64-linux-gnu-gcc-12 is gcc
            keys.append(re.sub(r"-\d[\d.]*$", "", re.sub(r"^(?:\w+-)+linux-gnu\w*-", "", last)))
        if self.kind == "library":
            keys += [f"lib{last}", f"lib{last}.so"]
        if self.kind == "Python package":
            keys += [self.name.partition(".")[0], str(canonicalize_name(self.name.partition(".")[0]))]
        return list(dict.fromkeys(keys))


def find(lines: Sequence[str]) -> Missing | None:
    """Return the last thing that a build missed: what it had found missing before did not end it."""
    for line in reversed(lines):
        for kind, pattern in _COMPILED:
            if match := pattern.search(line):
                name = next(filter(None, match.groups())).rstrip(".,:")
                return Missing(kind=kind, name=name.partition(".")[0] if kind == "Python package" else name)
    return None


def modules_for(missing: Missing, table: Mapping[str, str]) -> list[str]:
    """Return the modules that the site's *table* has for it, best first; spelling in capitals does not count."""
    folded = {name.casefold(): module for name, module in table.items()}
    found = [folded[key.casefold()] for key in missing.names() if key.casefold() in folded]
    return list(dict.fromkeys(found))


def hints(missing: Missing, table: Mapping[str, str]) -> list[str]:
    """Return what to do about it, with the modules of the site's *table* in front."""
    found = [
        f"Load the module {each}, which has {missing.short} (--module {each})." for each in modules_for(missing, table)
    ]
    if missing.kind == "Python package":
        return [
            *(found or [f"Load a module that has {missing.name}, if there is one."]),
            "Or let packages be built in a folder of their own, where what they need is fetched: "
            "c.VenvManager.no_build_isolation = False.",
        ]
    return found or [
        f"Load the module that has {missing.short} (--module), and create it again.",
        "Staff can name that module here: c.Site.module_hints.",
    ]
