"""Compile, in the tests' own cache of uv, what kernels and servers load when they start: uv links that along.

``python scripts/compile_cache.py FOLDER`` is called by ``scripts/test``. The tests make hundreds of environments, and
most of the first start of each would be compiling the same modules again. What users have is a cache without: tests of
what is compiled when, and benchmarks, have that one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))

from tests.installed import FASTER, LOADED  # noqa: E402

KERNEL = """
from jupyter_client.manager import run_kernel
with run_kernel() as client:
    client.execute_interactive("1", timeout=60)
"""


def fill(cache: Path, folder: Path) -> Path:
    """Make an environment from that cache, let Python compile what is loaded in it, and return where it lies."""
    prefix, env = folder / "compiled", {**os.environ, "UV_CACHE_DIR": str(cache), "UV_LINK_MODE": "hardlink"}
    uv, python = [sys.executable, "-m", "uv"], str(prefix / "bin" / "python")
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(prefix)], check=True, env=env)
    needed = ["ipykernel", FASTER, "--requirements", str(CHECKOUT / "pyproject.toml")]
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", python, *needed], check=True, env=env)
    for script in (LOADED, KERNEL):
        subprocess.run([python, "-c", script], check=True, env={**env, "PYTHONPATH": str(CHECKOUT)}, cwd=folder)
    return prefix


def keep(prefix: Path, cache: Path) -> int:
    """Link what was compiled in *prefix* beside the same modules in the cache; return how many there were."""
    archives = {}
    for path in (cache / "archive-v0").rglob("*.py"):
        facts = path.lstat()
        archives[facts.st_dev, facts.st_ino] = path.parent
    kept = 0
    for compiled in (prefix / "lib").rglob("__pycache__/*.pyc"):
        facts = (compiled.parent.parent / f"{compiled.name.partition('.')[0]}.py").lstat()
        there = archives.get((facts.st_dev, facts.st_ino))
        if there is not None:
            place = there / "__pycache__" / compiled.name
            place.parent.mkdir(exist_ok=True)
            place.unlink(missing_ok=True)
            place.hardlink_to(compiled)
            kept += 1
    return kept


if __name__ == "__main__":
    cache = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(dir=cache.parent) as folder:
        kept = keep(fill(cache, Path(folder)), cache)
    print(f"{kept} compiled files are in {cache}.")
    sys.exit(kept == 0)
