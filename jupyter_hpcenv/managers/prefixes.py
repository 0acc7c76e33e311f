"""Make an empty prefix: by uv, the standard library's venv, or virtualenv. None of them seeds pip here."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..errors import BuildFailed, ManagerNotFound
from ..models import PythonFact, Reporter
from ..process import run


@lru_cache(maxsize=1)
def find_uv() -> str:
    """Return the path of uv: the one installed beside us, else the one on PATH; empty if there is none."""
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return shutil.which("uv") or ""


def uv_version() -> str:
    """Return the version of the uv package that is installed beside us, or an empty text."""
    try:
        return version("uv")
    except PackageNotFoundError:
        return ""


def has_ensurepip(python: PythonFact) -> bool:
    """Tell by its files whether an interpreter has ensurepip; Debian splits it off, and its venv then fails."""
    home = Path(python.real).parent.parent
    short = ".".join(python.version.split(".")[:2])
    return any((home / lib / f"python{short}" / "ensurepip" / "__init__.py").is_file() for lib in ("lib", "lib64"))


def make_prefix(
    creator: str,
    python: PythonFact,
    prefix: Path,
    system_site_packages: bool,
    env: Mapping[str, str],
    report: Reporter,
) -> str:
    """Create the prefix and return the creator's version; raises `BuildFailed`."""
    shared = ["--system-site-packages"] if system_site_packages else []
    if creator == "uv":
        if not find_uv():
            raise ManagerNotFound("uv is not installed.", hints=["Choose another creator, or install uv."])
        argv = [find_uv(), "venv", "--no-config", "--no-project", "--no-python-downloads", "--color", "never"]
        argv += [*shared, "--python", python.path, str(prefix)]
    elif creator == "virtualenv":
        argv = [sys.executable, "-m", "virtualenv", "--no-seed", "--no-periodic-update", "--quiet", *shared]
        argv += ["--python", python.path, str(prefix)]
    else:
        argv = [python.path, "-I", "-m", "venv", "--without-pip", *shared, str(prefix)]
    done = run(argv, env=env, on_line=lambda line: report.line("output", line), check=report.check)
    if not done.ok or not (prefix / "bin" / "python").exists():
        raise BuildFailed(
            f"{creator} could not create the prefix {prefix}.",
            hints=["Its own words are below.", "Choose another creator or another Python."],
            reason="\n".join(done.tail[-20:]),
        )
    return {"uv": uv_version(), "virtualenv": version("virtualenv")}.get(creator, python.version)


def python_of(prefix: Path, python: PythonFact) -> str:
    """Return the full version that the prefix itself records, or what was known of its interpreter."""
    text = (prefix / "pyvenv.cfg").read_text(errors="replace")
    match = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+\.\d+)", text, re.MULTILINE)
    return match[1] if match else python.version
