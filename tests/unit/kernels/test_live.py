"""Running kernels are found by what /proc says, and nothing else is taken for one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_hpcenv import kernels


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    folder = tmp_path / "my env"
    (folder / "bin").mkdir(parents=True)
    for name in ("python", "python3"):
        (folder / "bin" / name).symlink_to(sys.executable)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "ipykernel_launcher.py").write_text("print('up', flush=True)\ninput()\n")
    return folder


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., int]]:
    started = []

    def begin(*argv: str) -> int:
        environ = {**os.environ, "PYTHONPATH": str(tmp_path / "lib")}
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ)
        started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        return child.pid

    yield begin
    for child in started:
        child.communicate(b"\n", timeout=30)


def test_kernels_of_the_prefix_are_found_with_their_connections(prefix: Path, start: Callable[..., int]) -> None:
    arguments = ["-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f"]
    first = start(str(prefix / "bin" / "python"), *arguments, "/run/kernel-a.json")
    second = start(str(prefix / "bin" / "python3"), *arguments, "/run/kernel-b.json")
    start(sys.executable, *arguments, "/run/kernel-c.json")
    start(str(prefix / "bin" / "python"), "-c", "print('up', flush=True); input()", "ipykernel_launcher")
    assert kernels.running(prefix) == sorted([first, second])
    assert kernels.running_kernels(prefix) == {first: "/run/kernel-a.json", second: "/run/kernel-b.json"}


def test_prefix_behind_a_link_is_found(prefix: Path, tmp_path: Path, start: Callable[..., int]) -> None:
    (tmp_path / "link").symlink_to(prefix)
    pid = start(str(prefix / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "x")
    assert kernels.running(tmp_path / "link") == [pid]


def test_neighbour_with_a_longer_name_is_another(prefix: Path, start: Callable[..., int]) -> None:
    start(str(prefix / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "x")
    assert kernels.running(prefix.with_name("my")) == []


def test_kernel_in_the_middle_of_its_launch_is_found_by_name(
    prefix: Path, tmp_path: Path, start: Callable[..., int]
) -> None:
    stub = tmp_path / "kernels" / "hpcenv-home.x" / "launch"
    stub.parent.mkdir(parents=True)
    stub.write_text("echo up\nread line\n")
    pid = start("/bin/sh", str(stub), "-m", "ipykernel_launcher", "-f", "/run/k.json")
    assert kernels.running(prefix) == []
    assert kernels.running_kernels(prefix, ["hpcenv-home.x"]) == {pid: "/run/k.json"}


def test_prefix_that_does_not_exist_has_none(tmp_path: Path) -> None:
    assert kernels.running(tmp_path / "nowhere") == []
