"""See which kernels of an environment run on this host, as this user, from /proc alone."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Collection
from pathlib import Path

from ..errors import BrokenRecord
from ..files import read_regular

_MODULES = ("ipykernel_launcher", "ipykernel")


def running(prefix: Path, kernel_names: Collection[str] = ()) -> list[int]:
    """Return the pids of this user's kernels of *prefix* on this host; called before it is deleted.

    Kernels on other hosts are not seen. *kernel_names* also finds those that are still being started.
    """
    return sorted(running_kernels(prefix, kernel_names))


def running_kernels(prefix: Path, kernel_names: Collection[str] = ()) -> dict[int, str]:
    """Return the same as ``{pid: connection file}``, so that a server can tell which of its sessions they are."""
    programs = {str(prefix / "bin"), os.path.realpath(prefix / "bin")}
    roots = (f"{prefix}/", f"{os.path.realpath(prefix)}/")
    found: dict[int, str] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208  two thousand Path objects for a few names
        if not entry.isdigit():
            continue
        try:
            if os.stat(f"/proc/{entry}").st_uid != os.geteuid():  # noqa: PTH116
                continue
            argv = Path(f"/proc/{entry}/cmdline").read_bytes().decode(errors="surrogateescape").split("\0")
        except OSError:
            continue  # it ended meanwhile
        if _is_kernel(argv, programs) or _is_starting(argv, prefix, kernel_names):
            found[int(entry)] = _connection_file(argv) or _connection_of(argv)
        elif argv[0].startswith(roots) and (connection := _connection_of(argv)):
            found[int(entry)] = connection
    return found


def _is_kernel(argv: list[str], programs: set[str]) -> bool:
    program, _, name = argv[0].rpartition("/")
    if program not in programs or not name.startswith("python"):
        return False
    return any(option == "-m" and module in _MODULES for option, module in itertools.pairwise(argv))


def _is_starting(argv: list[str], prefix: Path, kernel_names: Collection[str]) -> bool:
    """Tell whether this is a shell in the middle of a launch: ``/bin/bash -p SCRIPT …`` before its exec."""
    script = next((word for word in argv[1:3] if not word.startswith("-")), "")
    if script == str(prefix / ".hpcenv" / "launch"):
        return True
    return any(script.endswith(f"/kernels/{name}/launch") for name in kernel_names)


def _connection_of(argv: list[str]) -> str:
    """Return the connection file that a program was given as a kernel of another language is; empty if it is none."""
    if any(word.startswith("--existing") for word in argv):
        return ""  # a client of that kernel
    for word in argv[1:]:
        path = word[word.find("/") :]
        if path.startswith("/") and path.endswith(".json"):
            with contextlib.suppress(OSError, BrokenRecord):
                if b'"shell_port"' in read_regular(Path(path), 10_000):
                    return path
    return ""


def _connection_file(argv: list[str]) -> str:
    return next((value for option, value in itertools.pairwise(argv) if option == "-f"), "")
