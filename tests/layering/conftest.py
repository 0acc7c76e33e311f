"""Centres to build environments in: a user's command line, wheels, and a Python of a module that has ipykernel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jupyter_hpcenv.managers import prefixes

from ..cli.conftest import Cli
from ..modules import systems
from .profiles import Profile


def _python() -> str:
    """Return an interpreter without packages, where there is one: what a module brings must not be there anyway."""
    own = Path(sys.executable).resolve()
    more = sorted(Path(os.environ.get("HPCENV_TEST_PYENV", "/nowhere")).glob("versions/3.1?.*/bin/python3.1?"))
    candidates = [own, *(path.resolve() for path in more)]
    packages = ("numpy", "ipykernel", "setuptools")
    for path in candidates:
        folder = path.parent.parent / "lib" / path.name / "site-packages"
        if folder.is_dir() and not any((folder / each).exists() for each in packages):
            return str(path)
    return str(own)


#: The interpreter that modules of Python bring.
PYTHON = _python()


class Centre(NamedTuple):
    """A user at a centre."""

    profile: Profile
    cli: Cli
    shell: dict[str, str]
    """What a shell there has that has not loaded anything."""
    init: str
    """The start file of its module system."""

    def create(self, name: str, *arguments: str) -> dict[str, Any]:
        """Create an environment with the modules of the profile."""
        modules = [word for module in self.profile.load for word in ("--module", module)]
        return dict(self.cli.data_of("create", name, *modules, *arguments))

    def answer(self, environment: dict[str, Any], code: str, env: dict[str, str] | None = None) -> Any:
        """Run *code*, which prints JSON, through the launch script of a kernelspec."""
        launch = Path(environment["kernels"][0]["path"]) / "launch"
        done = subprocess.run(
            [str(launch), "-c", code], env=env or self.shell, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def log(self) -> str:
        """Return the text of the newest operation's log."""
        newest = self.cli.data_of("operations")[0]["id"]
        return self.cli("log", newest).stdout


def environ(script: str, env: dict[str, str]) -> dict[str, str]:
    """Return the variables of a shell that has run *script*."""
    done = subprocess.run(
        ["bash", "--norc", "-c", f"{{ {script}; }} >/dev/null && env -0"], env=env, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    entries = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def which(program: str) -> str:
    """Return where a program of the operating system is, or an empty text."""
    return shutil.which(program, path="/usr/local/bin:/usr/bin:/bin") or ""


def arrive(profile: Profile, home: Path, cache: Path, **config: dict[str, Any]) -> Centre:
    """Log in at a centre; *config* is its configuration by section."""
    init = systems.need(profile.system)
    cli = Cli(home, cache)
    shell = {
        "HOME": str(home),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "MODULEPATH": profile.modulepath,
        **dict(profile.variables),
    }
    load = f" && module load {' '.join(profile.login)}" if profile.login else ""
    cli.env.update(environ(f". {init}{load}", {**shell, "PATH": cli.env["PATH"]}))
    cli.config.mkdir(parents=True, exist_ok=True)
    (cli.config / "jupyter_hpcenv_config.json").write_text(json.dumps(config))
    return Centre(profile, cli, {**shell, **environ(f". {init}", shell)}, init)


@pytest.fixture
def centre(tmp_path: Path, cache: Path, offline: dict[str, Any]) -> Callable[..., Centre]:
    """Log in at a centre of a profile, where ipykernel comes from the wheelhouse."""

    def at(profile: Profile, **config: dict[str, Any]) -> Centre:
        home = tmp_path / "home"
        home.mkdir()
        return arrive(profile, home, cache, **(config or {"VenvManager": offline}))

    return at


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package cache that all builds of a test run share."""
    return tmp_path_factory.mktemp("uv-cache")


@pytest.fixture(scope="session")
def kernel_prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix as staff would build it, with ipykernel."""
    prefix = tmp_path_factory.mktemp("staff") / "Python"
    uv = prefixes.find_uv()
    subprocess.run([uv, "venv", "--quiet", "--python", PYTHON, str(prefix)], check=True)
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", str(prefix / "bin/python"), "ipykernel"], check=True, timeout=240
    )
    return prefix


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a prefix with nothing in it."""
    prefix = tmp_path_factory.mktemp("bare") / "Python"
    subprocess.run([prefixes.find_uv(), "venv", "--quiet", "--python", PYTHON, str(prefix)], check=True)
    return prefix / "bin/python3"


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels of ipykernel and all that it needs."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    pip = [prefixes.find_uv(), "tool", "run", "--python", PYTHON, "pip"]
    download = [*pip, "download", "--quiet", "-d", str(folder), "--only-binary", ":all:", "ipykernel"]
    subprocess.run(download, check=True, stdout=subprocess.DEVNULL, timeout=240)
    return folder


@pytest.fixture(scope="session")
def offline(wheelhouse: Path) -> dict[str, Any]:
    """Settings by which a build needs no network."""
    return {"find_links": [str(wheelhouse)], "no_index": True}
