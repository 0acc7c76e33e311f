"""The wheel that these tests install, built once from what is committed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from uv import find_uv_bin

CHECKOUT = Path(__file__).resolve().parents[2]
UV = find_uv_bin()


def run(*command: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], env=env, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-5000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of what is committed, built in isolation, without any Node on PATH."""
    source = tmp_path_factory.mktemp("clone")
    packed = subprocess.run(["git", "archive", "HEAD"], cwd=CHECKOUT, stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(source, filter="data")
    nodeless = tmp_path_factory.mktemp("path")
    for program in ("sh", "env", "git", "cat", "rm", "mkdir", "uname"):
        (nodeless / program).symlink_to(shutil.which(program) or "/nowhere")
    out = tmp_path_factory.mktemp("dist")
    env = {**os.environ, "PATH": str(nodeless)}
    run(UV, "build", "--wheel", "--out-dir", out, "--python", sys.executable, source, env=env)
    (built,) = out.glob("*.whl")
    return built
