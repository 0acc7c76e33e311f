"""Make an empty prefix: by uv, the standard library's venv, or virtualenv. None of them seeds pip here."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import threading
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..errors import BrokenRecord, BuildFailed, ManagerNotFound
from ..files import read_regular
from ..models import PythonFact, Reporter
from ..process import run
from .failures import failure, no_locks
from .output import clean, kind_of

_asking = threading.Lock()


@lru_cache(maxsize=1)
def find_uv() -> str:
    """Return the path of uv: the one installed beside us, else the one on PATH; empty if there is none."""
    try:
        from uv import find_uv_bin

        with _asking:  # it asks sysconfig, which shows half of its variables to a second thread that comes meanwhile
            return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return shutil.which("uv") or ""


def uv_version(env: Mapping[str, str]) -> str:
    """Return uv's version: that of the package which it lies in, else what it says of itself; empty if it says none."""
    with contextlib.suppress(ImportError, FileNotFoundError, PackageNotFoundError):
        from uv import find_uv_bin

        if str(find_uv_bin()) == find_uv():
            return version("uv")
    done = run([find_uv(), "--version"], env=env, timeout=10)
    match = re.search(r"\d+\.\d+\.\d+\S*", " ".join(done.tail)) if done.ok else None
    return match[0] if match else ""


def has_ensurepip(python: PythonFact) -> bool:
    """Tell by its files whether an interpreter has venv and ensurepip; Debian splits them off."""
    home = Path(python.real).parent.parent
    short = ".".join(python.version.split(".")[:2])
    return any(
        (home / lib / f"python{short}{threaded}" / "ensurepip" / "__init__.py").is_file()
        for lib in ("lib", "lib64")
        for threaded in ("", "t")
    )


def make_prefix(
    creator: str,
    python: PythonFact,
    prefix: Path,
    system_site_packages: bool,
    env: Mapping[str, str],
    report: Reporter,
) -> str:
    """Create the prefix and return the creator's version; raises `BuildFailed`, `DiskFull`."""
    shared = ["--system-site-packages"] if system_site_packages else []
    number = python.version
    if creator == "uv":
        if not find_uv():
            raise ManagerNotFound("uv is not installed.", hints=["Choose another creator, or install uv."])
        number = uv_version(env)
        argv = [find_uv(), "venv", "--no-config", "--no-project", "--no-python-downloads", "--quiet"]
        argv.append("--allow-existing")  # the folder is there already, and only what marks it as ours
        argv += [*shared, "--python", python.path, str(prefix)]
    elif creator == "virtualenv":
        with contextlib.suppress(PackageNotFoundError):
            number = version("virtualenv")
        argv = [sys.executable, "-m", "virtualenv", "--no-seed", "--no-periodic-update", "--no-vcs-ignore", "--quiet"]
        argv += [*shared, "--python", python.path, str(prefix)]
    else:
        argv = [python.path, "-s", "-m", "venv", "--without-pip", *shared, str(prefix)]

    def on_line(raw: str) -> None:
        if text := clean(raw):
            report.line(kind_of(text), text)

    done = run(argv, env=_own(env), on_line=on_line, check=report.check)
    if not done.ok or not (prefix / "bin" / "python").exists():
        lines = [clean(line) for line in done.tail]
        known = failure(creator, lines)
        if type(known) is not BuildFailed or no_locks(lines):
            raise known
        raise BuildFailed(
            f"{creator} could not create the prefix {prefix}.",
            hints=["See in the log what it said last.", "Choose another creator or another Python."],
            reason="\n".join(lines[-20:]),
        )
    return number


def _own(env: Mapping[str, str]) -> dict[str, str]:
    """Return *env* without the settings that would choose another Python or another layout than we decided."""
    return {
        name: value
        for name, value in env.items()
        if not name.startswith(("UV_", "VIRTUALENV_")) or name in ("UV_CACHE_DIR", "VIRTUALENV_OVERRIDE_APP_DATA")
    }


def python_of(prefix: Path, python: PythonFact) -> str:
    """Return the full version that the prefix itself records, or what was known of its interpreter."""
    text = ""
    with contextlib.suppress(OSError, BrokenRecord):
        text = read_regular(prefix / "pyvenv.cfg", 10_000).decode(errors="replace")
    match = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+\.\d+)", text, re.MULTILINE)
    return match[1] if match else python.version
