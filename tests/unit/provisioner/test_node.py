"""What runs on the node: it says where the kernel will listen, and becomes the kernel."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.lifecycle.job_folder import JobFolder
from jupyter_hpcenv.provisioner import node
from jupyter_hpcenv.site import Site


def test_it_becomes_the_kernel_with_its_variables_and_keys(home: Path) -> None:
    folder = JobFolder(Site())
    say = "import json, os; print(json.dumps([dict(os.environ), os.getcwd()]))"
    folder.prepare([sys.executable, "-c", say], {"GREETING": "it's $HOME"}, str(home), {"key": "secret"}, "")
    variables = {"PATH": os.defpath, "JPY_PARENT_PID": "1"}
    done = subprocess.run(folder.program(), env=variables, capture_output=True, text=True, timeout=60, check=True)
    environ, where = json.loads(done.stdout)
    assert (environ["GREETING"], where) == ("it's $HOME", str(home))
    assert "JPY_PARENT_PID" not in environ
    found = folder.connection()
    assert found is not None
    assert (found["ip"], found["key"]) == ("127.0.0.1", "secret")
    assert len({found[port] for port in node.PORTS}) == 5
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.path.iterdir())
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_a_folder_that_the_node_does_not_have_is_no_reason_to_fail(home: Path) -> None:
    folder = JobFolder(Site())
    say = "import os; print(os.getcwd())"
    folder.prepare([sys.executable, "-c", say], {}, str(home / "not there"), {}, "")
    variables = {"PATH": os.defpath, "HOME": str(home)}
    done = subprocess.run(folder.program(), env=variables, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == str(home)
    assert "begins in your home" in done.stderr


def test_another_computer_is_reached_by_the_route_to_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    assert node.address("", node.boot(), ["192.0.2.1"]) == "127.0.0.1"
    assert node.address("", "another boot", ["127.0.0.1"]) == "127.0.0.1"  # the route to that one
    assert node.address("lo", "another boot", []) == "127.0.0.1"
    with pytest.raises(SystemExit, match=r"No route .*its name leads to no address"):
        node.address("", "another boot", [])

    class Unreachable(socket.socket):
        def connect(self, address: Any) -> None:
            raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(node.socket, "socket", Unreachable)
    with pytest.raises(SystemExit, match=r"192\.0\.2\.1\): Network is unreachable"):
        node.address("", "another boot", ["192.0.2.1"])
