"""The test channel itself: what it holds installs with the engine and runs, from disk and over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from .archives import PLACEHOLDER
from .serving import Basic, Bearer, ChannelServer, Cut, Garble, Slow, Status

#: Solves and links with the engine alone, in a process that ends before its interpreter can crash.
ENGINE = """
import asyncio, json, os, sys
from pathlib import Path
import rattler

async def main(channels, specs, prefix, cache):
    gateway = rattler.Gateway(cache_dir=Path(cache) / "repodata")
    virtual = rattler.VirtualPackage.detect(rattler.VirtualPackageOverrides.from_env())
    records = await rattler.solve(channels, specs, gateway=gateway, virtual_packages=virtual)
    if prefix:
        await rattler.install(records, prefix, cache_dir=Path(cache) / "pkgs", show_progress=False)
    return {each.name.normalized: [str(each.version), each.url] for each in records}

status = 0
try:
    print(json.dumps(asyncio.run(main(*json.loads(sys.argv[1])))))
except Exception as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    status = 1
sys.stdout.flush()
sys.stderr.flush()
os._exit(status)
"""


class Failed(Exception):
    """What the engine said."""


def engine(
    channels: list[str], specs: list[str], cache: Path, prefix: Path | None = None, cuda: str = ""
) -> dict[str, list[str]]:
    """Solve, link if there is a *prefix*, and return version and URL by name."""
    asked = json.dumps([channels, specs, prefix and str(prefix), str(cache)])
    env = {**os.environ, "CONDA_OVERRIDE_CUDA": cuda}
    done = subprocess.run([sys.executable, "-c", ENGINE, asked], env=env, capture_output=True, text=True)
    if done.returncode:
        raise Failed(done.stderr)
    solved: dict[str, list[str]] = json.loads(done.stdout)
    return solved


def run(*command: str | Path) -> str:
    """Run a program of a prefix with nothing around it, and return what it prints."""
    done = subprocess.run([str(word) for word in command], env={}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python_with_ipykernel_and_numpy_runs(channel: Path, cache: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "env"
    solved = engine([channel.as_uri()], ["python", "ipykernel", "numpy", "pip"], cache, prefix)
    code = "import sys, ssl, numpy, ipykernel as i; print(sys.prefix, numpy.__version__, i.__version__, ssl.__file__)"
    found, numpy, ipykernel, ssl = run(prefix / "bin/python", "-c", code).split()
    assert found == str(prefix)
    assert (numpy, ipykernel) == (solved["numpy"][0], solved["ipykernel"][0])
    assert Path(ssl).is_relative_to(prefix)
    loaded = run(prefix / "bin/python", "-c", "print(open('/proc/self/maps').read())")
    libraries = {line.split()[-1] for line in loaded.splitlines() if "libpython" in line}
    assert all(Path(each).is_relative_to(prefix) for each in libraries), libraries
    assert run(prefix / "bin/python", "-m", "pip", "check") == "No broken requirements found.\n"
    assert (prefix / "bin/jupyter-kernelspec").read_text().startswith(f"#!{prefix}/bin/python")


def test_prefixes_are_replaced(channel: Path, cache: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "env"
    engine([channel.as_uri()], ["python", "numpy", "hpc-prefix", "hpc-fake-r"], cache, prefix)
    assert run(prefix / "bin/hpc-prefix") == f"{prefix}\n"
    binary = (prefix / "lib/hpc-prefix.bin").read_bytes()
    assert binary == b"\x7fBIN\0" + f"{prefix}/share".encode().ljust(len(PLACEHOLDER) + 6, b"\0") + b"\0after"
    spec = json.loads((prefix / "share/jupyter/kernels/ir/kernel.json").read_text())
    assert spec["argv"][0] == f"{prefix}/bin/python"
    assert run(prefix / "bin/f2py", "-v")
    left = [path for path in files(prefix) if PLACEHOLDER.encode() in path.read_bytes()]
    assert {path.parent.name for path in left} <= {"conda-meta"}


def files(folder: Path) -> list[Path]:
    every = (Path(here, name) for here, _, names in os.walk(folder) for name in names)
    return [path for path in every if not path.is_symlink()]


def test_small_packages_behave(channel: Path, cache: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "env"
    engine([channel.as_uri()], ["hpc-tarbz2", "hpc-linked", "hpc-hooks", "hpc-post-link"], cache, prefix)
    assert (prefix / "share/hpc-tarbz2/text").read_text() == "old format\n"
    assert os.readlink(prefix / "lib/hpc/link") == "real"
    hooks = sorted(path.suffix for path in (prefix / "etc/conda/activate.d").iterdir())
    assert hooks == [".csh", ".fish", ".sh"]
    assert os.access(prefix / "bin/.hpc-post-link-post-link.sh", os.X_OK)
    assert not (prefix / "hpc-post-link-ran").exists()


def test_versions_conflict(channel: Path, other_channel: Path, bioconda_channel: Path, cache: Path) -> None:
    main, other, bio = (each.as_uri() for each in (channel, other_channel, bioconda_channel))
    assert engine([main], ["hpc-tiny"], cache)["hpc-tiny"][0] == "2.0"
    assert engine([main], ["hpc-needs-old"], cache)["hpc-tiny"][0] == "1.1"
    with pytest.raises(Failed, match="hpc-needs-old"):
        engine([main], ["hpc-needs-old", "hpc-needs-new"], cache)
    assert engine([main, other], ["hpc-tiny"], cache)["hpc-tiny"][0] == "2.0"
    assert engine([other, main], ["hpc-tiny"], cache)["hpc-tiny"][0] == "3.0"
    assert engine([main, bio], ["hpc-bio"], cache)["hpc-tiny"][0] == "2.0"
    with pytest.raises(Failed, match="hpc-tiny"):
        engine([bio, main], ["hpc-bio"], cache)


def test_gpu_is_asked_for(channel: Path, cache: Path) -> None:
    with pytest.raises(Failed, match="__cuda"):
        engine([channel.as_uri()], ["hpc-cuda"], cache)
    assert "hpc-cuda" in engine([channel.as_uri()], ["hpc-cuda"], cache, cuda="12.4")


def test_served_with_shards_and_validators(channel_server: ChannelServer, tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    engine([channel_server.url()], ["hpc-tiny=1.1"], cold, tmp_path / "one")
    assert channel_server.paths("*/shards/*")
    assert channel_server.paths("*.conda") == ["/main/noarch/hpc-tiny-1.1-0.conda"]
    channel_server.behave()
    engine([channel_server.url()], ["hpc-tiny=2.0"], cold, tmp_path / "two")
    assert {each.status for each in channel_server.asked} <= {200, 206, 304}
    assert [each.status for each in channel_server.asked if "shards.msgpack" in each.path] == [304, 304]


BROKEN: dict[str, tuple[Any, str]] = {
    "forbidden": (Status(403), "403"),
    "gone": (Status(404), "404"),
    "cut": (Cut(200), "fetch"),
    "garbled": (Garble(), "checksum"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_misbehaves_as_told(channel_server: ChannelServer, tmp_path: Path, case: str) -> None:
    how, said = BROKEN[case]
    channel_server.misbehave("*.conda", how)
    with pytest.raises(Failed, match=said):
        engine([channel_server.url()], ["hpc-tiny"], tmp_path / "cold", tmp_path / "env")
    assert channel_server.paths("*.conda")


def test_slow_is_whole(channel_server: ChannelServer, tmp_path: Path) -> None:
    channel_server.misbehave("*.conda", Slow(100_000))
    engine([channel_server.url()], ["hpc-tiny"], tmp_path / "cold", tmp_path / "env")
    assert (tmp_path / "env/share/hpc-tiny/version").read_text() == "2.0\n"


@pytest.mark.parametrize("lock", [Basic("reader", "s3same"), Bearer("t0ken")])
def test_locked_channels_ask_for_the_key(channel_server: ChannelServer, tmp_path: Path, lock: Basic | Bearer) -> None:
    channel_server.misbehave("/main/*", lock)
    with pytest.raises(Failed, match="401"):
        engine([channel_server.url()], ["hpc-tiny"], tmp_path / "cold")
    assert {each.status for each in channel_server.asked} == {401}
    request = urllib.request.Request(channel_server.url() + "/noarch/repodata.json")
    request.add_header("Authorization", lock.wanted)
    with urllib.request.urlopen(request) as answer:
        assert "hpc-tiny-2.0-0.conda" in json.load(answer)["packages.conda"]
