"""Run the real command line in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from . import forking

#: What a machine's own set-up may tell programs about network and certificates; nothing else is inherited.
KEPT = [
    *("LANG", "PIP_CERT", "PIP_PROXY", "PIP_INDEX_URL", "PIP_TRUSTED_HOST", "UV_CACHE_DIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
]


class Cli:
    """The command line of one user."""

    def __init__(self, home: Path, cache: Path) -> None:
        self.home = home
        folders = [Path(sys.executable).parent, *map(Path, os.get_exec_path())]
        self.env = {name: os.environ[name] for name in KEPT if name in os.environ}
        self.env.update(
            HOME=str(home),
            PATH=os.pathsep.join(map(str, folders)),
            PIP_CONFIG_FILE=os.devnull,
            JUPYTER_PLATFORM_DIRS="0",
            TERM="xterm",
        )
        self.env.setdefault("UV_CACHE_DIR", str(cache))
        self.argv = [sys.executable, "-m", "jupyter_hpcenv.cli"]
        self.config = home / ".jupyter"
        self.data = home / ".local" / "share" / "jupyter"

    def __call__(self, *arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """Run to the end; *more* are variables."""
        env = {**self.env, **more}
        if forking.can_fork(env):
            return forking.run(arguments, env, self.home, stdin)
        return subprocess.run(
            [*self.argv, *arguments],
            env=env,
            cwd=self.home,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=240,
        )

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start beside the test."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        return subprocess.Popen(
            [*self.argv, *arguments], env=self.env, cwd=self.home, stdin=subprocess.DEVNULL, **options
        )

    def document(self, *arguments: str, **more: str) -> dict[str, Any]:
        """Run with ``--json`` and return the one object that was printed."""
        done = self(*arguments, "--json", **more)
        assert done.stdout.count("\n") == 1, (done.stdout, done.stderr)
        document = json.loads(done.stdout)
        assert document["schema"] == "jupyter_hpcenv/1"
        assert document["ok"] is (done.returncode == 0)
        assert set(document) == {"schema", "ok", "data" if document["ok"] else "error"}
        return document

    def data_of(self, *arguments: str, **more: str) -> Any:
        """Run with ``--json`` and return the data; fails if there is none."""
        document = self.document(*arguments, **more)
        assert document["ok"], document["error"]
        return document["data"]

    def error_of(self, *arguments: str, **more: str) -> dict[str, Any]:
        """Run with ``--json`` and return the error; fails if there is none."""
        document = self.document(*arguments, **more)
        assert not document["ok"], document
        assert set(document["error"]) == {"code", "message", "hints", "reason"}
        return document["error"]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package cache that all builds of a test run share."""
    return tmp_path_factory.mktemp("uv-cache")


@pytest.fixture
def cli(tmp_path: Path, cache: Path) -> Cli:
    """A command line in an empty home."""
    return Cli(tmp_path, cache)


@pytest.fixture(scope="session")
def user(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Cli:
    """A user who has an environment, climate, with a kernel; tests leave it as it is."""
    cli = Cli(tmp_path_factory.mktemp("user"), cache)
    done = cli("create", "climate", "--display-name", "Climate work", "--var", "OMP_NUM_THREADS=2")
    assert done.returncode == 0, done.stderr
    return cli


SLOW_BACKEND = """
import os, time, zipfile, pathlib
HERE = pathlib.Path(__file__).parent
def build_editable(folder, config_settings=None, metadata_directory=None):
    (HERE / "started").touch()
    while not (HERE / "go").exists():
        time.sleep(0.02)
    name = "slow-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("slow.pth", str(HERE))
        wheel.writestr("slow-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: slow\\nVersion: 1.0\\n")
        wheel.writestr("slow-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("slow-1.0.dist-info/RECORD", "")
    return name
build_wheel = build_editable
"""


@pytest.fixture
def slow(cli: Cli) -> Path:
    """A project in the home whose build says that it started, and waits until the file “go” is there."""
    project = cli.home / "slow"
    project.mkdir()
    (project / "backend.py").write_text(SLOW_BACKEND)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "slow"\nversion = "1.0"\n'
    )
    (cli.home / "requirements.txt").write_text("# ours\n-e ./slow\n")
    return project
