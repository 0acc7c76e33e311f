"""At submit the channels are asked, quickly: refused is what would fail in any case, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.errors import HpcenvError, IndexUnreachable
from jupyter_hpcenv.managers.conda import engine, probing
from jupyter_hpcenv.models import PinnedPackage

from ..cli.conftest import Cli
from ..conftest import require
from .driving import Notes, source
from .serving import Basic, Bearer, ChannelServer, Hang, Misbehaviour, Redirect, Status

SHORT = 0.3  # seconds, for who never answers
LONG = 20.0


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what this machine has of proxies, certificates and credentials."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "RATTLER_AUTH_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def closed() -> Iterator[str]:
    """An address of this computer where nobody listens, nor can begin to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/channel"


def refused(channel: Path | str, cache: Path, *pinned: str, patience: float = LONG, **more: Any) -> HpcenvError:
    """Return what the look at a channel raises; it has words, and something to do about it."""
    with pytest.raises(IndexUnreachable) as caught:
        probing.probe(source(channel, cache, **more), [PinnedPackage(url=url) for url in pinned], patience)
    assert caught.value.message.endswith(".")
    assert caught.value.hints
    return caught.value


# -- over the network -------------------------------------------------------


def test_a_channel_is_asked_for_its_index_and_for_nothing_else(channel_server: ChannelServer, tmp_path: Path) -> None:
    probing.probe(source(channel_server.url(), tmp_path))
    assert {(each.method, each.path.rpartition("/")[0]) for each in channel_server.asked} == {("HEAD", "/main/noarch")}


@pytest.mark.parametrize(
    ("pattern", "how"),
    [
        ("*shards*", Status(404)),  # a channel without shards
        ("*.zst", Status(404)),
        ("*.json", Status(404)),
        ("*", Status(401)),
        ("*", Status(403)),
        ("*", Status(405)),
        ("*", Status(429)),
        ("*", Status(500)),
        ("*", Redirect("http://nowhere.invalid/")),
    ],
)
def test_who_answers_somehow_is_left_to_the_engine(
    channel_server: ChannelServer, tmp_path: Path, pattern: str, how: Misbehaviour
) -> None:
    channel_server.misbehave(pattern, how)
    probing.probe(source(channel_server.url(), tmp_path))
    assert len(channel_server.asked) > 0


def test_where_no_channel_is_none_can_be_used(channel_server: ChannelServer, tmp_path: Path) -> None:
    error = refused(channel_server.url("no-such-channel"), tmp_path)
    assert error.message.startswith(f"There is no channel at {channel_server.url('no-such-channel')}, or it has no")
    assert "404" in error.reason


def test_one_channel_of_several_is_enough_to_fail(channel_server: ChannelServer, tmp_path: Path) -> None:
    urls = [channel_server.url(), channel_server.url("typo"), channel_server.url("other")]
    with pytest.raises(IndexUnreachable, match=r"no channel at .*/typo,"):
        probing.probe(source("", tmp_path, channels=urls))


def test_who_never_answers_is_not_waited_for(channel_server: ChannelServer, tmp_path: Path) -> None:
    channel_server.misbehave("*", Hang())
    assert "did not answer in time" in refused(channel_server.url(), tmp_path, patience=SHORT).message


def test_a_connection_that_is_refused_and_a_gateway_that_reaches_nobody(
    channel_server: ChannelServer, closed: str, tmp_path: Path
) -> None:
    error = refused(closed, tmp_path)
    assert (error.message, error.reason) == (f"{closed} can not be reached.", "connection refused")
    channel_server.misbehave("*", Status(503))
    assert refused(channel_server.url(), tmp_path).reason == "status 503"


def test_offline_nobody_is_asked(channel_server: ChannelServer, closed: str, tmp_path: Path) -> None:
    probing.probe(source("", tmp_path, channels=[closed, channel_server.url()], offline=True))
    assert channel_server.asked == []


@pytest.mark.parametrize("form", ["shards", "whole"])
def test_an_index_that_is_fresh_in_the_cache_is_not_asked_for(
    channels: Path, tmp_path: Path, form: str, cache: Path
) -> None:
    """A node without network can build from a warm cache; the engine can, so the look must not be in its way."""
    own, names = tmp_path / "cache", ["*.info.json", "*.shards-cache-*"]
    with ChannelServer({"main": channels / "main"}) as server:
        server.lasts = "public, max-age=3600"
        if form == "whole":
            server.misbehave("*shards*", Status(404))
        engine.plan(source(server.url(), own), ["hpc-tiny"], None, Notes())
        url = server.url()
    assert engine.plan(source(url, own), ["hpc-tiny"], None, Notes()).install  # nobody is there any more
    probing.probe(source(url, own))
    assert "can not be reached" in refused(url.replace("/main", "/mai"), own).message
    for path in [path for name in names for path in (own / "repodata").glob(name)]:
        old = path.stat().st_mtime - 4000
        os.utime(path, (old, old))
    assert "can not be reached" in refused(url, own).message


def test_an_index_that_is_to_be_asked_for_each_time_is(channel_server: ChannelServer, tmp_path: Path) -> None:
    engine.plan(source(channel_server.url(), tmp_path), ["hpc-tiny"], None, Notes())
    channel_server.misbehave("*", Status(404))
    refused(channel_server.url(), tmp_path)


# -- the ways there ---------------------------------------------------------


def test_proxies_of_the_configuration_or_the_environment_are_taken(
    channel_server: ChannelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    afar = "http://channel.invalid/main"
    refused(afar, tmp_path)
    probing.probe(source(afar, tmp_path, proxies={"http": channel_server.root, "https": ""}))
    assert channel_server.asked[0].path.startswith(f"{afar}/noarch/")
    monkeypatch.setenv("http_proxy", channel_server.root)
    probing.probe(source(afar, tmp_path))
    monkeypatch.setenv("no_proxy", "channel.invalid")
    refused(afar, tmp_path)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "https://127.0.0.1:9"])
def test_a_proxy_that_only_the_engine_can_speak_with_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    probing.probe(source("http://channel.invalid/main", tmp_path, proxies={"http": proxy}))
    monkeypatch.setenv("http_proxy", proxy)
    probing.probe(source("http://channel.invalid/main", tmp_path))


def test_a_proxy_for_all_schemes_is_left_to_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    probing.probe(source("http://channel.invalid/main", tmp_path))


def test_certificates_are_those_of_the_configuration(channels: Path, tmp_path: Path) -> None:
    """Whose certificate is not known is left to the engine, which brings certificates of its own."""
    require("openssl", shutil.which("openssl") is not None)
    with ChannelServer({"main": channels / "main"}) as server:
        authority = server.encrypt(tmp_path)
        for said in ("true", "truststore", str(tmp_path / "nothing")):
            probing.probe(source(server.url("typo"), tmp_path, ssl_verify=said))
        assert server.asked == []
        for said in ("false", str(authority)):
            assert "There is no channel" in refused(server.url("typo"), tmp_path, ssl_verify=said).message
            probing.probe(source(server.url(), tmp_path, ssl_verify=said))


@pytest.mark.parametrize(
    ("kept", "wanted"),
    [
        ({"BasicHTTP": {"username": "me", "password": "pass-word"}}, Basic("me", "pass-word")),
        ({"BearerToken": "tok-en"}, Bearer("tok-en")),
    ],
)
def test_credentials_go_to_their_own_host(
    channel_server: ChannelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: Any, wanted: Basic | Bearer
) -> None:
    file, typo = tmp_path / "auth.json", channel_server.url("typo")
    monkeypatch.setenv("RATTLER_AUTH_FILE", str(file))
    channel_server.misbehave("*", wanted)
    for text in ("{", json.dumps({"another.example": kept}), json.dumps({"127.0.0.1": {"BearerToken": "to\nken"}})):
        file.write_text(text)
        probing.probe(source(typo, tmp_path))
    assert not [each for each in channel_server.asked if "authorization" in each.headers]
    file.write_text(json.dumps({"127.0.0.1": kept}))
    assert "There is no channel" in refused(typo, tmp_path).message


def test_a_token_of_condas_is_in_no_message(
    channel_server: ChannelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".rattler").mkdir()
    (tmp_path / ".rattler" / "credentials.json").write_text(json.dumps({"*.0.0.1": {"CondaToken": "tok-en"}}))
    error = refused(channel_server.url(), tmp_path)
    assert channel_server.paths("/t/tok-en/main/noarch/*")
    assert "tok-en" not in json.dumps(error.body())
    error = refused("", tmp_path, f"{channel_server.url()}/noarch/a b-1-0.conda")
    assert "tok-en" not in json.dumps(error.body())


# -- on disk ----------------------------------------------------------------


def test_a_folder_is_looked_at_on_disk_offline_too(channel: Path, tmp_path: Path) -> None:
    probing.probe(source(channel, tmp_path))
    for offline in (False, True):
        error = refused(tmp_path / "gone", tmp_path, offline=offline)
        assert error.message.startswith(f"There is no channel at file://{tmp_path}/gone, or it has no packages")
        assert error.reason == f"file://{tmp_path}/gone/noarch/repodata.json does not exist"


def test_a_folder_with_a_space_in_its_name(channel: Path, tmp_path: Path) -> None:
    (tmp_path / "my channel").symlink_to(channel)
    probing.probe(source(f"file://{tmp_path}/my%20channel", tmp_path))


# -- exact packages ---------------------------------------------------------


def test_of_exact_packages_one_is_asked_for_if_it_is_not_in_the_cache(
    channel_server: ChannelServer, channel: Path, tmp_path: Path, cache: Path
) -> None:
    there, gone = (channel_server.url() + path for path in ("/noarch/hpc-tiny-2.0-0.conda", "/noarch/x-1-0.conda"))
    probing.probe(source("", cache), [PinnedPackage(url=there)])
    probing.probe(source("", cache, offline=True), [PinnedPackage(url=gone)])
    assert channel_server.paths("*repodata*") == []
    error = refused("", cache, gone)
    assert error.message == f"{channel_server.url()} has not got x-1-0.conda, which is asked for."
    refused("", cache, f"file://{channel}/noarch/x-1-0.conda")
    engine.create(source(channel_server.url(), cache), ["hpc-tiny==2.0"], tmp_path / "environment", Notes())
    channel_server.misbehave("*", Status(404))
    probing.probe(source("", cache), [PinnedPackage(url=there)])


# -- on the road ------------------------------------------------------------


def test_an_operation_begins_only_where_the_channels_are(tmp_path: Path, cache: Path, closed: str) -> None:
    cli = Cli(tmp_path, cache)
    (tmp_path / ".condarc").write_text(f"pkgs_dirs:\n  - {cache}\nremote_max_retries: 0\n")
    arguments = ("create", "never", "hpc-tiny", "--manager", "conda", "--no-kernel", "--channel", closed)
    for more in ([], ["--dry-run"]):
        error = cli.error_of(*arguments, *more)
        assert (error["code"], error["message"]) == ("index_unreachable", f"{closed} can not be reached.")
    assert not list(tmp_path.rglob("operations/*/status*"))
    cli.config.mkdir(exist_ok=True)
    (cli.config / "jupyter_hpcenv_config.py").write_text("c.CondaManager.probe_channels = False\n")
    assert cli.error_of(*arguments)["code"] == "index_unreachable"
    assert list(tmp_path.rglob("operations/*/status*"))
