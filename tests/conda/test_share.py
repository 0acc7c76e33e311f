"""A conda environment is shared and used: its cache stays as it is, and activation is run by a script of one's own."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

from ..cli.conftest import Cli
from ..conftest import require

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
A = 43_001


@pytest.fixture
def location() -> Iterator[Path]:
    """A place that everybody can reach, unlike pytest's own."""
    require("root", os.geteuid() == 0)
    folder = Path(tempfile.mkdtemp(prefix="hpcenv-conda-share-"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def cli(home: Path, location: Path, tmp_path_factory: pytest.TempPathFactory, channel: Path) -> Cli:
    """Root, for whom what belongs to another uid is a colleague's; the cache lies beside the environments."""
    (home / ".condarc").write_text(f"channels:\n  - file://{channel}\npkgs_dirs:\n  - {location}/.cache\n")
    (home / ".jupyter").mkdir()
    settings = f"c.Site.locations = {{'shared': {{'root': {str(location)!r}, 'sharing': True}}}}\n"
    (home / ".jupyter" / "jupyter_hpcenv_config.py").write_text(settings)
    return Cli(home, tmp_path_factory.mktemp("uv"))


def test_share_and_use(cli: Cli, location: Path) -> None:
    made = cli.data_of("create", "tools", "hpc-tiny", "--manager", "conda", "--python", MINOR)
    prefix = Path(made["prefix"])
    script = prefix / "etc" / "conda" / "activate.d" / "set.sh"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text('export FROM_ACTIVATION="$CONDA_PREFIX"\n')
    cache = {
        path: (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in (location / ".cache").rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    linked = [path for path in prefix.rglob("*") if path.is_file() and path.lstat().st_nlink > 1]
    assert linked, "nothing is linked to the cache"
    cli.data_of("share", "tools", "--everybody")
    assert all(path.stat().st_nlink == 1 for path in linked)
    assert {path: (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) for path in cache} == cache
    for path in (prefix, *prefix.rglob("*")):
        os.lchown(path, A, A)

    [row] = cli.data_of("list")
    assert row["origin"] == "shared"
    shutil.rmtree(row["kernels"][0]["path"])
    [kernel] = cli.data_of("use", "shared/tools")["kernels"]
    launch = json.loads((Path(kernel["path"]) / "kernel.json").read_text())["argv"][0]
    assert Path(launch).is_relative_to(cli.home)
    (prefix / ".hpcenv" / "launch").write_text("#!/bin/sh\nexit 1\n")  # nobody runs the owner's
    (prefix / ".hpcenv" / "conda.bash").write_text("exit 1\n")
    manager, client = start_new_kernel(kernel_name=kernel["name"])
    try:
        told = {"prefix": "__import__('sys').prefix", "from": "__import__('os').environ['FROM_ACTIVATION']"}
        reply = client.execute("", user_expressions=told, reply=True, timeout=60)["content"]["user_expressions"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert {name: each["data"]["text/plain"] for name, each in reply.items()} == dict.fromkeys(told, f"'{prefix}'")
