from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import forking


def wait_for(what: Callable[[], Any], seconds: float = 120.0) -> Any:
    """Return the first true answer; the limit is only there so that a failure ends."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = what()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def children_of(marker: str) -> list[int]:
    """Return the processes that carry an operation's marker."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if f"HPCENV_OPERATION={marker}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(int(pid))
        except OSError:
            continue
    return found


def test_plain_lines_without_a_terminal(cli: Any) -> None:
    done = cli("create", "bare", "--no-kernel")
    assert done.returncode == 0
    steps = [line for line in done.stderr.splitlines() if line.startswith("[")]
    assert steps[0] == f"[1/{len(steps)}] Create the prefix"
    assert [line.partition("]")[0] for line in steps] == [f"[{n}/{len(steps)}" for n in range(1, len(steps) + 1)]
    assert done.stdout.startswith("bare is ready.\n")
    assert "\x1b" not in done.stdout + done.stderr


def test_if_missing_changes_nothing_that_is_there(user: Any) -> None:
    before = user.data_of("show", "climate")
    assert user.data_of("create", "climate", "numpy", "--if-missing") == before
    done = user("create", "climate", "--if-missing")
    assert done.returncode == 0
    assert "there already" in done.stderr
    assert len(user.data_of("operations")) == 1


def test_if_missing_refuses_what_can_not_be_used(cli: Any) -> None:
    made = cli.data_of("create", "bare", "--no-kernel")
    Path(made["prefix"]).rename(cli.home / "elsewhere")
    assert cli.error_of("create", "bare", "--no-kernel", "--if-missing")["code"] == "wrong_state"


def test_a_failed_build_ends_with_its_own_code_and_names_its_log(cli: Any, slow: Path) -> None:
    (slow / "backend.py").write_text("raise SystemExit('the compiler is on strike')\n")
    done = cli("create", "broken", "--no-kernel", "--file", "requirements.txt")
    assert done.returncode == 6
    (operation,) = cli.data_of("operations")
    assert operation["state"] == "failed"
    assert f"jupyter hpcenv log {operation['id']}" in done.stderr
    log = cli("log", operation["id"])
    assert log.returncode == 0
    assert "the compiler is on strike" in log.stdout
    assert cli.data_of("list") == []


def test_a_build_that_fails_late_keeps_its_code(cli: Any) -> None:
    error = cli.error_of("create", "wrong", "iniconfig==0.0.999", "--no-kernel")
    (operation,) = cli.data_of("operations")
    assert error["code"] == operation["error"]["code"] == "package_not_found"
    assert error["message"] == operation["error"]["message"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_and_cleans(cli: Any, slow: Path, number: signal.Signals) -> None:
    running = cli.start("create", "slow", "--no-kernel", "--file", "requirements.txt", start_new_session=True)
    wait_for(lambda: (slow / "started").exists() or running.poll() is not None)
    (operation,) = cli.data_of("operations")
    assert operation["state"] == "running", running.communicate()
    assert children_of(operation["id"])
    prefix = Path(operation["environment"]["prefix"])
    assert prefix.exists()

    running.send_signal(number)
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    assert stdout == ""
    assert "cancelled" in stderr
    assert cli.data_of("operations")[0]["state"] == "cancelled"
    assert not prefix.exists()
    assert not children_of(operation["id"])
    assert cli.data_of("list") == []


def test_a_signal_with_json_still_prints_one_object(cli: Any, slow: Path) -> None:
    running = cli.start("create", "slow", "--no-kernel", "--file", "requirements.txt", "--json", start_new_session=True)
    wait_for(lambda: (slow / "started").exists() or running.poll() is not None)
    running.send_signal(signal.SIGINT)
    stdout, _ = running.communicate(timeout=60)
    assert json.loads(stdout)["error"]["code"] == "cancelled"
    assert running.returncode == 130


def test_a_second_signal_stops_waiting(cli: Any, slow: Path) -> None:
    backend = slow / "backend.py"
    deaf = "from signal import SIG_IGN, signal\nsignal(2, SIG_IGN)\nsignal(15, SIG_IGN)\n"
    backend.write_text(deaf + backend.read_text())  # so that it takes a KILL, and some seconds, to end the build
    running = cli.start("create", "slow", "--no-kernel", "--file", "requirements.txt", start_new_session=True)
    wait_for(lambda: (slow / "started").exists() or running.poll() is not None)
    running.send_signal(signal.SIGINT)
    while "Cancelling" not in running.stderr.readline():
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Stopped." in stderr
    wait_for(lambda: cli.data_of("operations")[0]["state"] == "cancelled")
    assert cli.data_of("list") == []


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_the_build_outlives_the_terminal(cli: Any, slow: Path, number: signal.Signals) -> None:
    running = cli.start("create", "slow", "--no-kernel", "--file", "requirements.txt", start_new_session=True)
    wait_for(lambda: (slow / "started").exists() or running.poll() is not None)
    (operation,) = cli.data_of("operations")
    os.killpg(running.pid, number)  # as the kernel does to the group of a terminal that went away
    running.communicate(timeout=60)
    assert running.returncode == -number
    assert cli.data_of("operations")[0]["state"] == "running"

    following = cli.start("log", operation["id"], "--follow")
    (slow / "go").touch()
    stdout, stderr = following.communicate(timeout=120)
    assert following.returncode == 0, stderr
    assert cli.data_of("operations")[0]["state"] == "succeeded", stdout
    assert cli.data_of("show", "slow")["state"] == "ready"


def test_cancel_from_another_terminal(cli: Any, slow: Path) -> None:
    running = cli.start("create", "slow", "--no-kernel", "--file", "requirements.txt")
    wait_for(lambda: (slow / "started").exists() or running.poll() is not None)
    (operation,) = cli.data_of("operations")
    assert cli.error_of("create", "slow", "--no-kernel")["code"] in ("busy", "name_taken")
    assert cli.data_of("cancel", operation["id"])["cancelling"] is True
    running.communicate(timeout=60)
    assert running.returncode == 130
    assert cli.data_of("operations")[0]["state"] == "cancelled"


def test_a_worker_that_dies_is_cleaned_up_after(cli: Any, slow: Path) -> None:
    running = cli.start("create", "slow", "--no-kernel", "--file", "requirements.txt")
    wait_for(lambda: (slow / "started").exists() or running.poll() is not None)
    (operation,) = cli.data_of("operations")
    for pid in children_of(operation["id"]):
        if b"jupyter_hpcenv.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 6
    assert "went away" in stderr
    assert not Path(operation["environment"]["prefix"]).exists()
    assert not children_of(operation["id"])


def on_a_terminal(cli: Any, *arguments: str) -> tuple[int, str]:
    """Run with a terminal as all three streams; return exit code and what it was sent."""
    controller, terminal = pty.openpty()
    program = subprocess.Popen(
        [*cli.argv, *arguments], env=cli.env, cwd=cli.home, stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    seen = b""
    while True:
        try:
            part = os.read(controller, 65_536)
        except OSError:  # EIO: nobody has the terminal open any more
            break
        seen += part
    os.close(controller)
    return program.wait(), seen.decode()


def test_a_bar_on_a_terminal(cli: Any) -> None:
    status, seen = on_a_terminal(cli, "create", "bare", "--no-kernel")
    assert status == 0
    assert "━" in seen
    assert re.search(r"\[\d/\d\] ", seen)
    assert seen.rpartition("bare is ready.")[2].count("\x1b") == 0


def test_nothing_from_a_record_or_a_log_steers_the_terminal(cli: Any) -> None:
    evil = "\x1b]52;c;ZXZpbA==\x07\x9d0;title\x9c\u202e"
    made = cli.data_of("create", "bare", "--no-kernel")
    place = Path(made["prefix"]) / ".hpcenv" / "environment.json"
    record = json.loads(place.read_text())
    record.update(display_name=evil, packages=[evil], variables={"A": evil}, tools={evil: evil}, installer=evil)
    record["kernels"] = [{"name": evil, "display_name": evil, "path": ""}]
    place.write_text(json.dumps(record))
    (operation,) = cli.data_of("operations")
    log = cli.data / "hpcenv" / "operations" / operation["id"] / "log.jsonl"
    with log.open("a") as stream:
        stream.write(json.dumps({"at": 1.0, "kind": "output", "text": "said " + evil}) + "\n")

    for arguments in (
        ["show", "bare"],
        ["list"],
        ["log", operation["id"]],
        ["delete", evil],
        [evil],
        ["list", "-D", evil],
    ):
        _, seen = forking.on_a_terminal(arguments, cli.env, cli.home)
        assert not set(seen) & {"\x07", "\x9d", "\x9c", "\u202e"}, arguments
        assert "\x1b]" not in seen, arguments
    assert "said " in forking.on_a_terminal(["log", operation["id"]], cli.env, cli.home)[1]


def test_colours_are_only_for_terminals_that_want_them(cli: Any) -> None:
    assert "\x1b[" in forking.on_a_terminal(["show", "absent"], cli.env, cli.home)[1]
    cli.env["NO_COLOR"] = "1"
    assert "\x1b[" not in forking.on_a_terminal(["show", "absent"], cli.env, cli.home)[1]
    assert "\x1b[" not in cli("show", "absent").stderr


def test_a_reader_that_has_enough_ends_it_in_silence(user: Any) -> None:
    listing = user.start("pythons")
    listing.stdout.close()
    complaints = listing.stderr.read()
    listing.stderr.close()
    assert listing.wait(60) == 141
    assert "Broken" not in complaints
