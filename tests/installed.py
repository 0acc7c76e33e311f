"""Our package installed for everybody, so that a test can run as another user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .conftest import require
from .serving import CHECKOUT


def for_everybody(folder: Path) -> str:
    """Install from a wheel on the system's Python, as a centre would, and return the Python that has it."""
    system = "/usr/bin/python3"
    require(system, Path(system).exists())
    uv = [sys.executable, "-m", "uv"]
    env = {**os.environ, "SKIP_JUPYTER_BUILDER": "1", "UV_LINK_MODE": "copy"}
    subprocess.run([*uv, "venv", "--quiet", "--python", system, str(folder / "venv")], check=True, env=env)
    installed = str(folder / "venv" / "bin" / "python")
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", installed, str(CHECKOUT)], check=True, env=env)
    return installed
