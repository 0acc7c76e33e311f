"""The proof of a kernel, with the real ipykernel of the Python that runs these tests, and with kernels that fail."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv import kernels, process
from jupyter_hpcenv.errors import Cancelled, PreflightFailed
from jupyter_hpcenv.kernels import preflight
from jupyter_hpcenv.models import Record

Make = Callable[..., Record]
MARK = "HPCENV_TEST_MARK"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where private folders are made; empty again after every proof."""
    made = tmp_path / "tmp"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    return made


@pytest.fixture
def launch(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "launch"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return write


REAL = f"exec '{sys.executable}' \"$@\""


def environment() -> dict[str, str]:
    return process.environment(extra={MARK: str(os.getpid())})


def marked() -> list[int]:
    """Pids of the processes that were started with our environment."""
    wanted, found = f"{MARK}={os.getpid()}".encode(), []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and wanted in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                found.append(int(entry))
        except OSError:
            continue
    return found


def prove(record: Record, launch: Path, check: Callable[[], None] = lambda: None, timeout: float = 60) -> Any:
    return kernels.prove(record, launch, environment(), check, timeout)


def test_real_kernel_is_proven_and_nothing_is_left(
    make_record: Make, launch: Callable[[str], Path], folder: Path
) -> None:
    proof = prove(make_record(sys.prefix), launch(REAL))
    assert proof.kind == "kernel"
    assert 0 < proof.seconds < 60
    assert marked() == []
    assert list(folder.iterdir()) == []


def test_connection_is_private_and_arguments_are_the_kernelspecs(
    make_record: Make, launch: Callable[[str], Path], folder: Path
) -> None:
    seen: dict[str, Any] = {}

    def look() -> None:
        for pid in [] if seen else marked():
            argv = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
            if "-f" not in argv or "ipykernel_launcher" not in argv or argv[0] != sys.executable:
                continue
            path = Path(argv[argv.index("-f") + 1])
            with contextlib.suppress(ValueError):  # the kernel is writing its ports
                seen["ip"] = json.loads(path.read_text())["ip"]
                seen["arguments"] = ["{connection_file}" if each == str(path) else each for each in argv[1:]]
                seen["modes"] = [each.stat().st_mode & 0o777 for each in (path, path.parent)]
                seen["cwd"] = os.readlink(f"/proc/{pid}/cwd") == str(path.parent)

    record = make_record(sys.prefix)
    prove(record, launch(REAL), look)
    assert seen == {"arguments": record.kernelspec["argv"], "modes": [0o600, 0o700], "ip": "127.0.0.1", "cwd": True}


def test_users_startup_files_are_not_run(
    make_record: Make, launch: Callable[[str], Path], folder: Path, home: Path
) -> None:
    startup = home / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text(f"open({str(home / 'ran')!r}, 'w')")
    prove(make_record(sys.prefix), launch(REAL))
    assert not (home / "ran").exists()
    assert sorted(path.name for path in home.iterdir()) == [".ipython"]


@pytest.mark.parametrize(
    ("script", "message", "reason", "hint"),
    [
        (
            "echo \"No module named 'ipykernel_launcher'\" >&2; exit 3",
            "exit status 3",
            "ipykernel_launcher",
            "ipykernel",
        ),
        ("echo \"No module named 'numpy.core'\" >&2; exit 1", "exit status 1", "numpy.core", "damaged: numpy.core"),
        (
            "echo 'libgfortran.so.5: cannot open shared object file' >&2; exit 127",
            "127",
            "libgfortran",
            "libgfortran.so.5",
        ),
        ("kill -KILL $$", "killed by signal 9", "", "Read"),
        ("exit 0", "exit status 0", "", "Read"),
        ("exec /nowhere/python", "ended before it listened", "/nowhere/python", "Read"),
    ],
)
def test_kernel_that_dies_is_quoted(
    script: str, message: str, reason: str, hint: str, make_record: Make, launch: Callable[[str], Path], folder: Path
) -> None:
    with pytest.raises(PreflightFailed) as caught:
        prove(make_record(), launch(script))
    assert message in caught.value.message
    assert reason in caught.value.reason
    assert hint in caught.value.hints[0]
    assert list(folder.iterdir()) == []


def test_only_the_end_of_long_output_is_kept(make_record: Make, launch: Callable[[str], Path], folder: Path) -> None:
    with pytest.raises(PreflightFailed) as caught:
        prove(make_record(), launch("for i in $(seq 1000); do echo line $i; done; exit 1"))
    lines = caught.value.reason.splitlines()
    assert len(lines) <= 30
    assert lines[-1] == "line 1000"


def test_silent_kernel_is_given_up_and_stopped(make_record: Make, launch: Callable[[str], Path], folder: Path) -> None:
    with pytest.raises(PreflightFailed, match="took too long"):
        prove(make_record(), launch("echo thinking; exec sleep 600"), timeout=0.3)
    assert marked() == []


def test_cancel_ends_the_kernel_and_goes_on(make_record: Make, launch: Callable[[str], Path], folder: Path) -> None:
    calls = 0

    def cancel() -> None:
        nonlocal calls
        calls += 1
        if calls == 10:
            raise Cancelled("asked for")

    with pytest.raises(Cancelled):
        prove(make_record(sys.prefix), launch(REAL), cancel)
    assert marked() == []
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("facts", [None, {}], ids=["kernel", "import"])
def test_other_prefix_is_found_out(
    facts: dict[str, Any] | None, make_record: Make, launch: Callable[[str], Path], folder: Path, tmp_path: Path
) -> None:
    record = make_record(tmp_path) if facts is None else make_record(tmp_path, kernelspec=facts)
    with pytest.raises(PreflightFailed, match="not this environment") as caught:
        prove(record, launch(REAL))
    assert sys.prefix in caught.value.message
    assert marked() == []


def test_prefix_behind_a_link_is_the_same(
    make_record: Make, launch: Callable[[str], Path], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(sys.prefix)
    assert prove(make_record(tmp_path / "link", kernelspec={}), launch(REAL)).kind == "import"


@pytest.mark.parametrize(("python", "fine"), [("3.1", False), ("2.7.18", False), (None, True)])
def test_other_version_is_found_out(
    python: str | None, fine: bool, make_record: Make, launch: Callable[[str], Path], folder: Path
) -> None:
    version = python or f"{sys.version_info[0]}.{sys.version_info[1]}"
    record = make_record(sys.prefix, python=version, kernelspec={})
    if fine:
        prove(record, launch(REAL))
    else:
        with pytest.raises(PreflightFailed, match="What starts is Python"):
            prove(record, launch(REAL))


def test_without_a_kernel_python_is_started(make_record: Make, launch: Callable[[str], Path], folder: Path) -> None:
    proof = prove(make_record(sys.prefix, kernelspec={}), launch(f"echo welcome; {REAL}"))
    assert proof.kind == "import"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("script", ["echo broken >&2; exit 1", "echo broken", "echo '{\"prefix\": 1}' broken"])
def test_python_that_fails_is_quoted(
    script: str, make_record: Make, launch: Callable[[str], Path], folder: Path
) -> None:
    with pytest.raises(PreflightFailed) as caught:
        prove(make_record(kernelspec={}), launch(script))
    assert "broken" in caught.value.reason


@pytest.mark.parametrize("facts", [None, {}], ids=["kernel", "import"])
def test_launch_script_that_can_not_be_executed(
    facts: dict[str, Any] | None, make_record: Make, tmp_path: Path, folder: Path
) -> None:
    record = make_record() if facts is None else make_record(kernelspec=facts)
    with pytest.raises(PreflightFailed, match="could not be started"):
        prove(record, tmp_path / "nowhere")
    assert list(folder.iterdir()) == []


def test_replies_are_believed_only_with_the_right_signature() -> None:
    key = b"secret"
    parts = [json.dumps(each).encode() for each in ({}, {"msg_id": "1"}, {}, {"status": "ok"})]
    signed = [b"id", b"<IDS|MSG>", preflight._signature(key, parts), *parts]
    assert preflight._reply_to("1", signed, key) == {"status": "ok"}
    assert preflight._reply_to("2", signed, key) is None
    assert preflight._reply_to("1", signed, b"other") is None
    for frames in ([], [b"<IDS|MSG>"], signed[:4], [b"x"] * 8):
        assert preflight._reply_to("1", frames, key) is None


def test_messaging_is_imported_only_when_a_kernel_is_proven(tmp_path: Path) -> None:
    late = "('zmq', 'jupyter_client', 'jinja2')"
    code = f"import sys, jupyter_hpcenv.kernels; print([name for name in {late} if name in sys.modules])"
    done = process.run([sys.executable, "-c", code], env={**environment(), "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.tail == ["[]"]


def test_warming_imports_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = threading.Event()
    monkeypatch.setattr(preflight, "__import__", lambda name: imported.set() if name == "zmq" else None, raising=False)
    kernels.warm()
    assert imported.wait(30)
