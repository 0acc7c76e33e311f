"""Our package installed for everybody, so that a test can run as another user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .conftest import require
from .serving import CHECKOUT

#: What servers, workers and commands load. A user may not write where it lies, so that each start would compile it.
LOADED = """
import jupyter_server.serverapp, jupyter_hpcenv.server.app, jupyter_hpcenv.worker, jupyter_hpcenv.cli.app
import rich.progress, jupyter_hpcenv.server.handlers, jupyter_hpcenv.cli.follow, jupyter_hpcenv.managers.venv
import ipykernel.kernelapp
"""
#: See the dependencies of the tests in pyproject.toml.
FASTER = "jsonschema<4.25"


def for_everybody(folder: Path) -> str:
    """Install from a wheel on the system's Python, as a centre would, and return the Python that has it."""
    system = "/usr/bin/python3"
    require(system, Path(system).exists())
    uv, env = [sys.executable, "-m", "uv"], {**os.environ, "SKIP_JUPYTER_BUILDER": "1"}
    subprocess.run([*uv, "venv", "--quiet", "--python", system, str(folder / "venv")], check=True, env=env)
    python = str(folder / "venv" / "bin" / "python")
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", python, str(CHECKOUT), FASTER], check=True, env=env)
    subprocess.run([python, "-P", "-c", LOADED], check=True, env={"PATH": os.defpath}, cwd="/")
    return python
