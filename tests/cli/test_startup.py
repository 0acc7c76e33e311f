from __future__ import annotations

import json
import subprocess
import sys

import pytest

from jupyter_hpcenv import __version__

PROGRAM = """
import contextlib, io, json, sys
from jupyter_hpcenv.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    assert main(sys.argv[1:]) == 0
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def modules(*arguments: str) -> set[str]:
    """Return the top-level modules that are loaded after a command."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_nothing_asked_for_is_help() -> None:
    argv = [sys.executable, "-m", "jupyter_hpcenv.cli"]
    nothing = subprocess.run(argv, capture_output=True, text=True, check=True)
    asked = subprocess.run([*argv, "--help"], capture_output=True, text=True, check=True)
    assert nothing.stdout == asked.stdout
    version = subprocess.run([*argv, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout == f"jupyter_hpcenv {__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("create",), ("list",)])
def test_help_loads_little(arguments: tuple[str, ...]) -> None:
    heavy = {"rich", "jinja2", "jupyter_server", "jupyter_client", "tornado", "zmq", "msgspec", "traitlets"}
    assert not modules(*arguments, "--help") & heavy


def test_a_listing_loads_no_web_server_and_no_drawing() -> None:
    assert not modules("list") & {"rich", "jupyter_server", "tornado", "zmq", "jupyter_events"}
