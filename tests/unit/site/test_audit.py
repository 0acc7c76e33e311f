"""Where a line about each act goes, what it can never do, and what is said when it can not be written."""

from __future__ import annotations

import json
import os
import pwd
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_hpcenv.models import Target
from jupyter_hpcenv.site import Site, audit

TARGET = Target(id="0" * 32, name="climate", location="home", prefix="/home/a/climate")


def site(place: str) -> Site:
    return Site(config=Config({"Site": {"audit_log": place}}))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_who_did_what_where_and_how_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "somebody-else")
    monkeypatch.setenv("PLACE", str(tmp_path))
    assert audit.note(site("$PLACE/{username}.jsonl"), "create", TARGET, "succeeded", operation="op") == ""
    (path,) = tmp_path.iterdir()
    (line,) = lines(path)
    assert line.pop("at").endswith("Z")
    assert line == {
        "user": pwd.getpwuid(os.geteuid()).pw_name,
        "uid": os.geteuid(),
        "host": socket.gethostname(),
        "verb": "create",
        "environment": TARGET.id,
        "name": "climate",
        "location": "home",
        "prefix": "/home/a/climate",
        "result": "succeeded",
        "error": "",
        "operation": "op",
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_lines_are_added_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for verb in ("delete", "restore"):
        audit.note(site(str(path)), verb, TARGET, "succeeded")
    assert [line["verb"] for line in lines(path)] == ["delete", "restore"]


def test_nothing_is_written_unless_the_site_wants_it_and_of_plans_never(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for place, verb in (("", "create"), (str(path), "plan"), (str(path), "plan_change")):
        assert audit.note(site(place), verb, TARGET, "succeeded") == ""
    assert not path.exists()


def test_no_name_ends_a_line_or_steers_a_terminal(tmp_path: Path) -> None:
    path, nasty = tmp_path / "log", 'a\n{"verb": "forged"}\r\x1b]52;c;eA==\x07\x7f\u202e\u2028\udcff'
    target = Target(id="x", name=nasty, location=nasty, prefix="/" + "p" * 10_000)
    assert audit.note(site(str(path)), "delete", target, "failed", error="busy") == ""
    written = path.read_bytes()
    assert written.count(b"\n") == 1
    assert all(32 <= byte < 127 for byte in written[:-1])
    assert lines(path)[0]["name"] == nasty
    assert len(written) < 3_000


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def test_a_pipe_that_nobody_reads_holds_nothing_up(fifo: Path) -> None:
    assert str(fifo) in audit.note(site(str(fifo)), "delete", TARGET, "succeeded")


def test_a_pipe_that_somebody_reads_gets_nothing(fifo: Path) -> None:
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert "is no regular file" in audit.note(site(str(fifo)), "delete", TARGET, "succeeded")
        assert os.read(reader, 10) == b""
    finally:
        os.close(reader)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "log"
    victim.write_text("as it was")
    link.symlink_to(victim)
    assert audit.note(site(str(link)), "delete", TARGET, "succeeded") != ""
    assert victim.read_text() == "as it was"


@pytest.mark.parametrize("place", ["/nowhere/at/all/log", "log", "$NOT_SET_AT_ALL/log", "syslog:/nowhere/log"])
def test_what_can_not_be_written_is_said_and_raises_nothing(place: str) -> None:
    said = audit.note(site(place), "delete", TARGET, "succeeded")
    assert said.startswith("What was done is missing in the site's audit log: ")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[tuple[socket.socket, Path]]:
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(20)
        yield listener, path


def test_a_daemon_gets_one_message(daemon: tuple[socket.socket, Path]) -> None:
    listener, path = daemon
    assert audit.note(site(f"syslog:{path}"), "share", TARGET, "succeeded") == ""
    head, _, body = listener.recv(10_000).decode().partition(": ")
    assert head == f"<86>jupyter_hpcenv[{os.getpid()}]"  # authpriv.info
    assert json.loads(body)["verb"] == "share"


def test_a_daemon_that_takes_nothing_holds_nothing_up(daemon: tuple[socket.socket, Path]) -> None:
    listener, path = daemon
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    said = ""
    for _ in range(2_000):  # until its queue is full
        if said := audit.note(site(f"syslog:{path}"), "share", TARGET, "succeeded"):
            break
    assert "missing in the site's audit log" in said
