"""Build the wheel from what is committed and install it where people would."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from .conftest import UV, run

LABS = {"4.4": "jupyterlab>=4.4,<4.5", "newest": "jupyterlab>=4.6,<5"}


def find_python(version: str) -> str:
    folders = sorted(Path(os.environ.get("HPCENV_TEST_PYENV", "/nowhere")).glob(f"versions/{version}*/bin/python"))
    found = [str(path) for path in folders] + [shutil.which(f"python{version}")]
    for path in found:
        if path:
            return path
    if os.environ.get("HPCENV_REQUIRE_REAL") == "1":
        pytest.fail(f"Python {version} is missing, and HPCENV_REQUIRE_REAL=1 forbids to skip its tests")
    pytest.skip(f"Python {version} is not installed")


def test_the_wheel_holds_each_file_once_and_no_sources_of_the_front_end(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert len(names) == len(set(names))
    assert "jupyter_hpcenv/py.typed" in names
    assert "jupyter_hpcenv/server/openapi.json" in names
    assert any(name.endswith("labextensions/jupyter-hpcenv/package.json") for name in names)
    assert any(name.endswith("jupyter_server_config.d/jupyter_hpcenv.json") for name in names)
    assert any(name.endswith("share/man/man1/jupyter-hpcenv-create.1") for name in names)
    assert any(re.search(r"site/templates/.*\.j2$", name) for name in names)
    assert not [name for name in names if name.startswith("jupyter_hpcenv/labextension") or "node_modules" in name]


def installed(wheel: Path, folder: Path, python: str, lab: str) -> Path:
    """Return the bin folder of a fresh environment with the wheel and a JupyterLab."""
    run(UV, "venv", "--quiet", "--python", python, folder)
    run(UV, "pip", "install", "--quiet", "--python", folder / "bin" / "python", wheel, lab)
    return folder / "bin"


def child_env(home: Path, bin_folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "XDG_", "JPY_"))}
    return {**kept, "HOME": str(home), "PATH": f"{bin_folder}:/usr/bin:/bin"}


@pytest.mark.parametrize(("version", "lab"), [("3.10", "4.4"), ("3.13", "newest")])
def test_the_extension_is_enabled_on_both_sides(
    wheel: Path, tmp_path: Path, home: Path, version: str, lab: str
) -> None:
    bin_folder = installed(wheel, tmp_path / "venv", find_python(version), LABS[lab])
    env = child_env(home, bin_folder)
    server = run(bin_folder / "jupyter", "server", "extension", "list", env=env)
    assert re.search(r"jupyter_hpcenv.*enabled", server), server
    assert re.search(r"jupyter_hpcenv \S+ .*OK", server), server
    front = run(bin_folder / "jupyter", "labextension", "list", env=env)
    assert re.search(r"jupyter-hpcenv v\S+ .*enabled.*OK", front), front
    assert "hpcenv" in run(bin_folder / "jupyter", "hpcenv", "--help", env=env)


KERNEL_ANSWERS = """
import sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name=sys.argv[1], startup_timeout=120)
reply = client.execute("1", user_expressions={"prefix": "__import__('sys').prefix"}, reply=True, timeout=60)
print(reply["content"]["user_expressions"]["prefix"]["data"]["text/plain"])
client.stop_channels()
manager.shutdown_kernel()
"""


def test_environments_and_kernels_go_on_working_without_us(wheel: Path, tmp_path: Path, home: Path) -> None:
    bin_folder = installed(wheel, tmp_path / "venv", find_python("3.13"), LABS["newest"])
    env = child_env(home, bin_folder)
    run(bin_folder / "jupyter", "hpcenv", "create", "lasting", env=env)
    prefix = str(home / ".local/share/jupyter/hpcenv/environments/lasting")
    kernel = "hpcenv-home.lasting"
    assert prefix in run(bin_folder / "python", "-c", KERNEL_ANSWERS, kernel, env=env)
    run(UV, "pip", "uninstall", "--quiet", "--python", bin_folder / "python", "jupyter_hpcenv")
    assert not (bin_folder / "jupyter-hpcenv").exists()
    assert prefix in run(bin_folder / "python", "-c", KERNEL_ANSWERS, kernel, env=env)
