from __future__ import annotations

import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.managers.configured import Places, split
from jupyter_hpcenv.managers.searching import File, check_word, search, summed

ASKED: list[tuple[str, str]] = []
JSON = {
    "name": "six",
    "files": [
        {"filename": "six-1.0-py3-none-any.whl", "size": 100, "requires-python": None},
        {"filename": "six-2.0-py3-none-any.whl", "size": 200, "yanked": "broken"},
        {"filename": "six-1.5-py3-none-any.whl", "size": 150, "requires-python": ">=3.8"},
        {"filename": "six-3.0-py3-none-any.whl", "size": 300, "requires-python": ">=3.99"},
        {"filename": "six-4.0a1-py3-none-any.whl", "size": 400},
        {"filename": "other-9.0-py3-none-any.whl"},
        {"filename": "six.exe"},
    ],
}
HTML = """<html><body><a href="../f/six-1.0-py3-none-any.whl#sha256=0">x</a>
<a href="../f/six-1.6.tar.gz" data-requires-python="&gt;=3.8">x</a>
<a href="../f/six-1.7-py3-none-any.whl" data-yanked="">x</a></body></html>"""


class Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ASKED.append((self.path, str(self.headers)))
        place = self.path.split("/")[1]
        codes = {"none": 404, "login": 401, "moved": 302}
        self.send_response(codes.get(place, 200))
        self.send_header("Location", "/json/six/")
        kind = "application/vnd.pypi.simple.v1+json" if place == "json" else "text/html"
        self.send_header("Content-Type", kind)
        self.end_headers()
        if place not in codes:
            self.wfile.write({"json": json.dumps(JSON), "html": HTML}.get(place, "\xff").encode("latin-1"))

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    ASKED.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_newest_that_fits_is_taken_and_the_others_are_explained(url: str) -> None:
    (hit,) = search("Six", Places([f"{url}/json"], []), "3.12.1", 20, 5)
    assert (hit.name, hit.version, hit.versions, hit.size) == ("six", "1.5", 5, 150)
    assert hit.source == f"index {url}/json"
    assert hit.note == "4.0a1 is a pre-release. Withdrawn: 2.0."
    assert ASKED[0][0] == "/json/six/"
    (page,) = search("six", Places([f"{url}/html"], []), "3.12.1", 20, 5)
    assert (page.version, page.versions, page.size) == ("1.6", 3, None)
    assert page.note == "It has to be built from source. 1.7 was withdrawn."


def test_what_no_python_takes_is_said() -> None:
    files = [File(filename="a-2.0-py3-none-any.whl", requires=">=3.99"), File(filename="a-1.0-cp35-cp35m-win32.whl")]
    hit = summed("a", files, "index", "3.12.1")
    assert (hit.version, hit.versions, hit.note) == ("", 2, "None of its versions fits Python 3.12.1.")
    sooner = summed("a", [*files, File(filename="a-0.9.tar.gz")], "index", "3.12.1")
    assert (sooner.version, sooner.note) == ("0.9", "It has to be built from source. 2.0 needs Python >=3.99.")


def test_who_has_it_not_or_can_not_be_asked_says_so(url: str) -> None:
    places = [f"{url}/{each}" for each in ("none", "login", "moved", "rubbish")]
    hits = search(
        "six", Places([*places, "http://127.0.0.1:9/simple", "file:///x"], ["/nowhere/at/all"]), "3.12", 20, 5
    )
    notes = {hit.source.rpartition("/")[2]: hit.note for hit in hits}
    assert all(hit.version == "" for hit in hits)
    assert "no package of that name" in notes["none"]
    assert "login" in notes["login"]
    assert "status 302" in notes["moved"]
    assert "no page of an index" in notes["rubbish"]
    assert "refused" in notes["simple"]
    assert "web address" in notes["x"]
    assert "could not be read" in notes["all"]
    assert [path for path, _ in ASKED].count("/json/six/") == 0, "nobody is led to another place"


def test_an_index_that_hangs_hides_no_other(url: str) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        places = Places([f"http://127.0.0.1:{silent.getsockname()[1]}", f"{url}/json"], [])
        first, second = search("six", places, "3.12", 20, 1)
    assert (first.version, second.version) == ("1.5", "")
    assert "1 s" in second.note or "timed out" in second.note


def test_a_secret_in_an_address_is_neither_sent_nor_shown(url: str) -> None:
    secret = url.replace("http://", "http://me:canary@")
    hits = search("six", Places([f"{secret}/json", f"{secret}/none"], [f"{secret}/wheels"]), "3.12", 20, 5)
    assert len(hits) == 3
    assert "canary" not in repr(hits)
    assert "authorization" not in " ".join(headers for _, headers in ASKED).lower()


def test_folders_are_searched_for_a_part_of_a_name(tmp_path: Path) -> None:
    for name in ("hpc_demo-1.0-py3-none-any.whl", "hpc-demo-2.0.tar.gz", "other-1-py3-none-any.whl", "demo"):
        (tmp_path / name).write_bytes(b"12345")
    os.mkfifo(tmp_path / "demo-1.0.tar.gz")
    hits = search("demo", Places([], [tmp_path.as_uri()], "Something was not asked."), "3.12", 20, 5)
    assert [(hit.name, hit.version, hit.size) for hit in hits] == [
        ("demo", "1.0", 0),
        ("hpc-demo", "2.0", 5),
        ("demo", "", None),
    ]
    assert hits[0].source == f"folder {tmp_path}"
    assert hits[2].note == "Something was not asked."


@pytest.mark.parametrize("query", ["", "../x", "a/b", "six==1", "six\n", "ä", "-six", "x" * 200, "a b", "%2e%2e"])
def test_what_is_no_name_is_asked_of_nobody(query: str) -> None:
    if query == "six\n":
        assert check_word(query) == "six"
        return
    with pytest.raises(InvalidRequest):
        search(query, Places(["http://127.0.0.1:9/"], []), "3.12", 20, 5)


def test_settings_with_several_addresses_are_taken_apart() -> None:
    assert split("https://a/simple mine=https://b/simple?x=1\n https://c/") == [
        "https://a/simple",
        "https://b/simple?x=1",
        "https://c/",
    ]
