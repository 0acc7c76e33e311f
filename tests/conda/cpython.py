"""Make the conda package ``python`` from the CPython that runs the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from . import compiled
from .archives import PLACEHOLDER, File, Package, tiny
from .wheels import MINOR, PLATLIB

LIBRARY = f"lib/python{MINOR}"

#: Parts that no test needs; half of the files.
LEFT_OUT = ("__pycache__", "test", "tests", "idlelib", "turtledemo", "tkinter", "lib2to3", "site-packages")


@cache
def home() -> Path | None:
    """Return the prefix of a CPython of this minor version that can be moved; Debian's own has no site-packages."""
    versions = Path(os.environ.get("HPCENV_TEST_PYENV", "/nowhere")).glob(f"versions/{MINOR}.*")
    for prefix in (Path(sys.base_prefix).resolve(), *sorted(versions, reverse=True)):
        if (prefix / PLATLIB).is_dir() and (prefix / "bin" / f"python{MINOR}").is_file():
            return prefix
    return None


def version(prefix: Path) -> str:
    """Return the full version of the interpreter in *prefix*."""
    command = [str(prefix / "bin" / f"python{MINOR}"), "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def packages(prefix: Path) -> list[Package]:
    """Return ``python`` and ``python_abi``."""
    abi = f"cp{MINOR.replace('.', '')}"
    files, links = {}, {"bin/python": f"python{MINOR}", "bin/python3": f"python{MINOR}"}
    for path in _paths(prefix):
        name = str(path.relative_to(prefix))
        if path.is_symlink():
            links[name] = os.readlink(path)
        elif path.is_file():
            files[name] = _movable(path, prefix)
            files |= compiled.beside(name, files[name])
    python = Package(
        "python",
        version(prefix),
        f"h0000_0_{abi}",
        depends=["__glibc >=2.17", f"python_abi {MINOR}.* *_{abi}"],
        noarch="",
        files=files,
        links=links,
    )
    return [python, tiny("python_abi", MINOR, f"0_{abi}", constrains=[f"python {MINOR}.* *_{abi}"])]


def _paths(prefix: Path) -> Iterator[Path]:
    yield prefix / "bin" / f"python{MINOR}"
    yield from (prefix / "lib").glob("libpython*.so*")
    yield from (prefix / "include").glob("*/pyconfig.h")
    for folder, below, names in os.walk(prefix / LIBRARY):
        below[:] = [name for name in below if name not in LEFT_OUT]
        here = Path(folder)
        yield from (here / name for name in names if not name.endswith((".a", ".pyc")) and "_test" not in name)
        yield from (here / name for name in below if (here / name).is_symlink())


def _movable(path: Path, prefix: Path) -> File:
    """Return a file of Python that works below any prefix."""
    data, mode, named = path.read_bytes(), path.stat().st_mode & 0o755 | 0o200, str(prefix).encode()
    if data.startswith(b"\x7fELF"):
        return File(_beside(_stripped(data), path, named), mode)
    if named not in data or b"\0" in data:
        return File(data, mode)
    return File(data.replace(named, PLACEHOLDER.encode()), mode, "text")


def _stripped(data: bytes) -> bytes:
    if not shutil.which("strip"):
        return data
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        done = subprocess.run(["strip", "--strip-unneeded", file.name], capture_output=True)
        return Path(file.name).read_bytes() if done.returncode == 0 else data


def _beside(data: bytes, path: Path, prefix: bytes) -> bytes:
    """Let the dynamic linker look for libpython beside the file rather than where Python was installed."""
    old = prefix + b"/lib\0"
    new = b"$ORIGIN/../lib\0" if path.parent.name == "bin" else b"$ORIGIN\0"
    return data.replace(old, new.ljust(len(old), b"\0"), 1) if len(new) <= len(old) else data
