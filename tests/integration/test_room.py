"""Where there is little room, what installers choose is weighed first: what can not fit is refused, and not fetched."""

from __future__ import annotations

import hashlib
import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.models import Changes

from ..conftest import require
from ..layering.profiles import wheel
from .test_rebuild import Desk

METADATA = b"Metadata-Version: 2.1\nName: huge\nVersion: 1.0\n"
ASKED: list[str] = []


class Index(http.server.BaseHTTPRequestHandler):
    """Has one wheel, of which it says that it is huge; its metadata can be had, the wheel itself is not there."""

    def do_GET(self) -> None:
        ASKED.append(self.path)
        if self.path == "/simple/huge/":
            file = {"filename": "huge-1.0-py3-none-any.whl", "url": "../../huge-1.0-py3-none-any.whl", "hashes": {}}
            file |= {"size": 90_000_000, "core-metadata": {"sha256": hashlib.sha256(METADATA).hexdigest()}}
            self._say("application/vnd.pypi.simple.v1+json", json.dumps({"name": "huge", "files": [file], "meta": {
                "api-version": "1.1"}, "versions": ["1.0"]}).encode())  # fmt: skip
        elif self.path.endswith(".metadata"):
            self._say("text/plain", METADATA)
        else:
            self.send_error(404)

    def _say(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    ASKED.clear()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()


@pytest.fixture
def small(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", f"{request.param},mode=0755", "tmpfs", str(place)]
    require("mount", subprocess.run(argv, capture_output=True).returncode == 0)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def desk_at(small: Path, wheels: Path, tmp_path: Path, **venv: Any) -> Desk:
    locations = {"small": str(small / "envs"), "large": str(tmp_path / "scratch")}
    desk = Desk(wheels, tmp_path, locations=locations, least_bytes=0, least_files=0)
    desk.admission.config["VenvManager"].update(venv)
    return desk


@pytest.mark.parametrize("small", ["size=60m"], indirect=True)
def test_bytes_in_a_create_and_in_a_change(small: Path, tmp_path: Path, index: str) -> None:
    wheels = tmp_path / "wheels"
    wheel(wheels, "hpcdemo", "1.0")
    desk = desk_at(small, wheels, tmp_path, index_url=index)
    row = desk.create("a", "hpcdemo", location="small")
    from jupyter_hpcenv.models import CreateRequest

    wanted = CreateRequest(name="b", packages=["huge"], location="small", installer="uv", kernel=False)
    for operation in (
        desk.admission.change_packages(row.id, Changes(install=["huge"])),
        desk.admission.submit("create", wanted),
    ):
        done = desk.ended(operation)
        assert done.error is not None
        assert done.error["code"] == "does_not_fit", (done.error, desk.said(done))
        assert "at least 90.0 MB" in done.error["message"]
        assert any("have room: large (" in hint for hint in done.error["hints"])
    assert "/simple/huge/" in ASKED
    assert [path for path in ASKED if path.endswith(".whl")] == [], "not even a part of it was fetched"
    assert "huge" not in desk.versions("a")
    assert not (small / "envs" / "b").exists()


@pytest.mark.parametrize("small", ["size=200m,nr_inodes=3000"], indirect=True)
def test_files(small: Path, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    names = [f"hpc{number}" for number in range(700)]
    for name in names:
        wheel(wheels, name, "1.0")
    wheel(wheels, "hpcmany", "1.0", *names)
    desk = desk_at(small, wheels, tmp_path, no_index=True)
    row = desk.create("a", "hpc1", location="small")
    done = desk.ended(desk.admission.change_packages(row.id, Changes(install=["hpcmany"])))
    assert done.error is not None
    assert done.error["code"] == "does_not_fit", (done.error, desk.said(done)[-5:])
    assert "at least 2,800 files" in done.error["message"]
    assert set(desk.versions("a")) == {"hpc1", "pip"}
