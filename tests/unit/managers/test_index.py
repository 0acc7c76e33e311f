from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_hpcenv.errors import IndexUnreachable, PackageNotFound
from jupyter_hpcenv.managers import index

ASKED: list[tuple[str, str]] = []


class Index(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        ASKED.append((self.path, str(self.headers)))
        answers = {"nosuch": 404, "odd": 500, "gateway": 503, "moved": 302}
        self.send_response(next((code for word, code in answers.items() if word in self.path), 200))
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    ASKED.clear()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()


def test_known_names_pass_and_are_asked_for_normalised(url: str) -> None:
    index.probe(url, ["Foo_Bar[x]>=1", "six", "-e /somewhere", "x @ https://example.org/x.whl"])
    assert sorted(path for path, _ in ASKED) == ["/simple/foo-bar/", "/simple/six/"]


def test_an_unknown_name_is_named(url: str) -> None:
    with pytest.raises(PackageNotFound, match="nosuch"):
        index.probe(url, ["six", "nosuch"])


def test_an_odd_answer_passes_and_nothing_asked_for_means_is_it_there(url: str) -> None:
    index.probe(url, ["odd"])
    index.probe(url, [])


def test_a_closed_port_is_unreachable_and_credentials_are_not_repeated(url: str) -> None:
    with pytest.raises(IndexUnreachable) as caught:
        index.probe("http://me:s3cr3t@127.0.0.1:1/simple", ["six"])
    assert "s3cr3t" not in str(caught.value.body())
    assert caught.value.hints


@pytest.mark.parametrize("url_", ["file:///etc", "ftp://example.org", ""])
def test_only_http_is_asked(url_: str) -> None:
    index.probe(url_, ["nosuch"])
    assert not [path for path, _ in ASKED if "etc" in path]


def test_names_under_a_marker_are_not_judged() -> None:
    assert index.plain_names(["six; python_version < '3'", "a", "A"]) == ["a"]


def test_a_gateway_that_answers_for_the_index_is_no_index(url: str) -> None:
    with pytest.raises(IndexUnreachable, match="503"):
        index.probe(url, ["gateway"])


def test_nothing_is_followed_and_no_credentials_are_sent(url: str) -> None:
    index.probe(url.replace("//", "//me:s3cr3t@"), ["moved"])
    assert [path for path, _ in ASKED] == ["/simple/moved/"]
    assert "authorization" not in ASKED[0][1].lower()


def test_an_index_that_hangs_is_given_up_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(IndexUnreachable):
            index.probe(f"http://127.0.0.1:{silent.getsockname()[1]}/simple", ["six"], patience=0.2)


def test_the_public_index_is_known() -> None:
    assert index.default().startswith("https://")
    assert index.default().endswith("/simple/")


def test_certificates_are_read_once_and_again_when_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "trusted.pem"
    own.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    first = index.trusting()
    assert index.trusting() is first
    own.write_text("\n")
    assert index.trusting() is not first
