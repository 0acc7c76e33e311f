"""Give every test an empty home of its own; nothing of the person who runs them reaches it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

STEERING = (
    *("PIP_", "UV_", "JUPYTER", "JPY_", "XDG_", "CONDA_", "VIRTUAL_ENV", "WORKON_HOME", "PYTHONPATH"),
    *("MODULE", "LMOD_", "LOADEDMODULES", "_LMFILES_", "__LMOD", "_ModuleTable", "__MODULES", "BASH_ENV"),
)
KEPT = {
    "PIP_CERT",
    "PIP_PROXY",
    "PIP_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "PIP_CONFIG_FILE",
    "UV_CACHE_DIR",
    "PIP_CACHE_DIR",
}


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty HOME; caches stay where the caller has them, so that builds need not download twice."""
    for name in list(os.environ):
        if name.startswith(STEERING) and name not in KEPT:
            monkeypatch.delenv(name)
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "0")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    return folder


def require(program: str, found: bool) -> None:
    """Skip without a component, unless HPCENV_REQUIRE_REAL says that it must be there."""
    if not found:
        if os.environ.get("HPCENV_REQUIRE_REAL") == "1":
            pytest.fail(f"{program} is missing, and HPCENV_REQUIRE_REAL=1 forbids to skip its tests")
        pytest.skip(f"{program} is not installed")
