"""Every way in which rattler fails, provoked: the error says what happened and what to do, and gives no secret away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.errors import (
    BuildFailed,
    DiskFull,
    HpcenvError,
    IndexUnreachable,
    InvalidRequest,
    InvalidRequirement,
    LocationUnavailable,
    PackageNotFound,
    PathTooLong,
    RequirementsConflict,
)
from jupyter_hpcenv.managers.conda import engine
from jupyter_hpcenv.managers.conda.problems import Failed, explain

from ..conftest import require
from . import archives
from .archives import File
from .channel import fill, index, tiny
from .driving import Notes, source, tree
from .serving import Basic, ChannelServer, Cut, Garble, Hang, Misbehaviour, Replace, Status

PAGE = Replace(b"<html>Please log in</html>" * 20)


def fails(specs: list[str], prefix: Path, channel: Path | str, cache: Path, **more: Any) -> HpcenvError:
    """Return what creating an environment raises; it always has words, and something to do about it."""
    with pytest.raises(HpcenvError) as caught:
        engine.create(source(channel, cache, **more), specs, prefix, Notes())
    error = caught.value
    assert error.message.endswith(".")
    assert error.hints
    assert all(hint.endswith((".", "?")) for hint in error.hints), error.hints
    return error


def told(error: HpcenvError) -> str:
    return "\n".join([error.message, *error.hints])


# -- channels ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "how", "words"),
    [
        ("*", Status(401), "answered 401 Unauthorized: it wants a login"),
        ("*", Status(403), "answered 403 Forbidden: it wants a login"),
        ("*", Status(404), "There is no channel at http://127.0.0.1:"),
        ("*", Status(429), "answered 429 Too Many Requests and gave no packages"),
        ("*", Status(500), "answered 500 Internal Server Error and gave no packages"),
        ("*repodata*", PAGE, "answered with something that is no index of packages"),
        ("*repodata*", Hang(), "did not answer in time"),
        ("*.conda", Status(403), "answered 403 Forbidden: it wants a login"),
        ("*.conda", Status(404), "has not got what its index names (404 Not Found)"),
        ("*.conda", Status(503), "answered 503 Service Unavailable"),
        ("*.conda", Hang(300), "stopped sending in the middle of hpc-tiny-2.0-0.conda"),
        ("*.conda", Hang(), "stopped sending in the middle of hpc-tiny-2.0-0.conda"),
        ("*.conda", Cut(300), "ended the connection in the middle of hpc-tiny-2.0-0.conda"),
    ],
)
def test_channel_misbehaves(
    channel_server: ChannelServer, tmp_path: Path, pattern: str, how: Misbehaviour, words: str
) -> None:
    channel_server.misbehave(pattern, how)
    patience = 2 if isinstance(how, Hang) else 60
    error = fails(["hpc-tiny"], tmp_path / "environment", channel_server.url(), tmp_path / "cache", patience=patience)
    assert type(error) is IndexUnreachable
    assert words in error.message
    assert channel_server.url() in error.message or "stopped sending" in error.message
    if " 40" in words and "login" in words:
        assert "credentials.json" in told(error)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/channel", "http://nowhere.invalid/channel"])
def test_nobody_answers(tmp_path: Path, url: str) -> None:
    error = fails(["hpc-tiny"], tmp_path / "environment", url, tmp_path / "cache")
    assert type(error) is IndexUnreachable
    assert f"{url} can not be reached" in error.message


@pytest.mark.parametrize("pattern", ["*shards.msgpack.zst", "*/shards/*"])
@pytest.mark.parametrize("how", [Status(403), PAGE], ids=["403", "page"])
def test_without_shards_the_whole_index_does(
    channel_server: ChannelServer, tmp_path: Path, pattern: str, how: Misbehaviour
) -> None:
    """Mirrors and proxies answer oddly for files that they do not know."""
    channel_server.misbehave(pattern, how)
    plan = engine.plan(source(channel_server.url(), tmp_path / "cache"), ["hpc-tiny"])
    assert [each.version for each in plan.install] == ["2.0"]


def test_a_connection_that_breaks_once_is_tried_again(channel_server: ChannelServer, tmp_path: Path) -> None:
    channel_server.misbehave("*.conda", Cut(300), times=1)
    engine.create(source(channel_server.url(), tmp_path / "cache", retries=1), ["hpc-tiny"], tmp_path / "e", Notes())
    assert len(channel_server.paths("*.conda")) == 2


def test_a_certificate_that_nobody_knows(channels: Path, tmp_path: Path) -> None:
    require("openssl", shutil.which("openssl") is not None)
    with ChannelServer({"main": channels / "main"}) as server:
        authority = server.encrypt(tmp_path)
        url = server.url()
        error = fails(["hpc-tiny"], tmp_path / "environment", url, tmp_path / "cache")
        assert type(error) is IndexUnreachable
        assert "certificate that is not trusted" in error.message
        assert "ssl_verify" in told(error)
        for said in (str(authority), "false"):
            assert engine.plan(source(url, tmp_path / "cache", ssl_verify=said), ["hpc-tiny"]).install
    with pytest.raises(InvalidRequest, match="certificates that are not there"):
        engine.plan(source(url, tmp_path / "cache", ssl_verify=str(tmp_path / "nothing")), ["hpc-tiny"])


# -- archives ---------------------------------------------------------------


def test_a_swapped_archive_is_refused(channel_server: ChannelServer, tmp_path: Path) -> None:
    other = channel_server.channels["main"] / "noarch/hpc-linked-1.0-0.conda"
    for how in (Replace(other.read_bytes()), Garble(), PAGE):
        channel_server.misbehave("*/hpc-tiny-2.0-0.conda", how)
        error = fails(["hpc-tiny"], tmp_path / "environment", channel_server.url(), tmp_path / "cache")
        assert type(error) is BuildFailed
        assert "What arrived of hpc-tiny-2.0-0.conda is not what the channel's index promises" in error.message
        assert "expected" in error.reason
    assert not list((tmp_path / "cache/pkgs").glob("*hpc-tiny*"))


def test_a_damaged_archive_that_nobody_vouches_for(tmp_path: Path) -> None:
    own = tmp_path / "channel"
    fill(own, [tiny("hpc-a")])
    index(own)
    archive = own / "noarch/hpc-a-1.0-0.conda"
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    for name in ("repodata.json.zst", "repodata_shards.msgpack.zst"):
        (own / "noarch" / name).unlink()
    about = json.loads((own / "noarch/repodata.json").read_text())
    for digest in ("sha256", "md5"):
        about["packages.conda"]["hpc-a-1.0-0.conda"].pop(digest)
    (own / "noarch/repodata.json").write_text(json.dumps(about))
    error = fails(["hpc-a"], tmp_path / "environment", own, tmp_path / "cache")
    assert type(error) is BuildFailed
    assert "The archive of hpc-a-1.0-0.conda is damaged" in error.message


def test_a_package_with_little_room_for_the_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "channel"
    monkeypatch.setattr(archives, "PLACEHOLDER", "/short")
    fill(own, [tiny("hpc-short", noarch="", files={"lib/x": File(b"\x7fBIN\0/short\0after", prefix="binary")})])
    index(own)
    error = fails(["hpc-short"], tmp_path / "environment", own, tmp_path / "cache")
    assert type(error) is PathTooLong
    assert f"too long for hpc-short-1.0-0.conda, which has room for a shorter one: {tmp_path}" in error.message


def test_modules_without_python(tmp_path: Path) -> None:
    own = tmp_path / "channel"
    fill(own, [tiny("hpc-module", noarch="python", files={"site-packages/hpc.py": ""})])
    index(own)
    error = fails(["hpc-module"], tmp_path / "environment", own, tmp_path / "cache")
    assert type(error) is RequirementsConflict
    assert "Add python." in error.hints


# -- requests ---------------------------------------------------------------


def test_a_version_that_there_is_not(channel: Path, cache: Path, tmp_path: Path) -> None:
    error = fails(["hpc-tiny >=9"], tmp_path / "environment", channel, cache)
    assert type(error) is PackageNotFound
    assert error.message == "No version of hpc-tiny satisfies “hpc-tiny >=9” here. There are 2.0, 1.1, 1.0."


def test_a_name_that_there_is_not(channel: Path, cache: Path, tmp_path: Path) -> None:
    error = fails(["nunpy"], tmp_path / "environment", channel, cache)
    assert type(error) is PackageNotFound
    assert f"No channel has a package “nunpy”. Asked were {channel.as_uri()}." in error.message
    assert error.hints[0] == "Did you mean numpy?"


def test_requests_that_exclude_each_other(channel: Path, cache: Path, tmp_path: Path) -> None:
    error = fails(["hpc-needs-old", "hpc-needs-new"], tmp_path / "environment", channel, cache)
    assert type(error) is RequirementsConflict
    assert "├─ hpc-needs-" in error.reason
    assert "hpc-tiny >=2" in error.reason
    assert not tree(tmp_path / "environment")


def test_a_channel_that_needs_another(bioconda_channel: Path, cache: Path, tmp_path: Path) -> None:
    error = fails(["hpc-bio"], tmp_path / "environment", bioconda_channel, cache)
    assert type(error) is RequirementsConflict
    assert "“hpc-tiny >=1” is needed, and the channels have only 0.9 of it: add the one that does." in told(error)


def test_a_gpu_that_is_not_here(channel: Path, cache: Path, tmp_path: Path) -> None:
    error = fails(["hpc-cuda"], tmp_path / "environment", channel, cache, virtual_packages={"cuda": ""})
    assert type(error) is RequirementsConflict
    assert "__cuda >=12 is needed" in error.message
    assert "To build for a computer with a GPU" in told(error)
    assert "CONDA_OVERRIDE_CUDA=12.4" in told(error)


def test_another_kind_of_computer(channel: Path, cache: Path, tmp_path: Path) -> None:
    error = fails(["python"], tmp_path / "environment", channel, cache, virtual_packages={"glibc": "2.12"})
    assert type(error) is RequirementsConflict
    assert "another kind of computer: __glibc >=2.17" in error.message


@pytest.mark.parametrize("spec", ["num py >=", "numpy >=1,<", "numpy 1.26", "foo*", "", "../x"])
def test_what_is_no_match_spec(channel: Path, cache: Path, tmp_path: Path, spec: str) -> None:
    error = fails([spec], tmp_path / "environment", channel, cache)
    assert type(error) is InvalidRequirement
    assert f"“{spec}”" in error.message


def test_what_is_no_version(channel: Path, cache: Path, tmp_path: Path) -> None:
    error = fails(["python"], tmp_path / "environment", channel, cache, virtual_packages={"cuda": "many many"})
    assert type(error) is InvalidRequest


# -- disks ------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for the archives, which is certain beforehand, but not for what is in them."""
    require("root, to mount a small disk", os.geteuid() == 0)
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,nr_inodes=60", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("full", ["cache", "environment"])
def test_a_full_disk(channel: Path, cache: Path, small: Path, tmp_path: Path, full: str) -> None:
    prefix = small / "environment" if full == "environment" else tmp_path / "environment"
    error = fails(["python"], prefix, channel, small / "cache" if full == "cache" else cache)
    assert type(error) is DiskFull
    assert "Empty the trash" in told(error)
    if full == "cache":
        assert not list((small / "cache/pkgs").glob(".python*")), "what was unpacked half is gone"


def test_a_place_that_is_not_there(channel: Path, cache: Path) -> None:
    error = fails(["hpc-tiny"], Path("/proc/environment"), channel, cache)
    assert type(error) is LocationUnavailable


# -- secrets ----------------------------------------------------------------

SECRET = "canary-9481"


def test_credentials_from_a_file_open_a_channel_and_stay_there(
    channel_server: ChannelServer, home: Path, tmp_path: Path
) -> None:
    channel_server.misbehave("*", Basic("me", SECRET))
    path = home / ".rattler/credentials.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"127.0.0.1": {"BasicHTTP": {"username": "me", "password": SECRET}}}))
    path.chmod(0o600)
    notes = Notes()
    main = source(channel_server.url(), tmp_path / "cache")
    found = engine.create(main, ["hpc-tiny"], tmp_path / "environment", notes)
    engine.change(main, tmp_path / "environment", notes, install=["hpc-linked"])
    assert all(SECRET not in str(each) for each in found)
    assert SECRET not in notes.said()
    for folder in ("environment", "cache"):
        for each in (tmp_path / folder).rglob("*"):
            assert each.is_dir() or SECRET.encode() not in each.read_bytes(), each
    assert SECRET not in engine.lock(tmp_path / "environment", main.channels) + engine.explicit(
        tmp_path / "environment"
    )


@pytest.mark.parametrize(
    "text",
    [
        f"error sending request for url (https://me:{SECRET}@host.example/c/noarch/repodata.json)",
        f"HTTP status client error (401 Unauthorized) for url (https://host.example/t/{SECRET}/c/noarch/a-1-0.conda)",
        f"could not find subdir 'noarch' in channel 'https://host.example/t/{SECRET}/c/'",
        f"failed to fetch a\nCaused by: https://host.example/c?token={SECRET} ended",
        f"proxy http://me:{SECRET}@proxy.example:3128 refused",
    ],
)
@pytest.mark.parametrize("kind", ["GatewayError", "FetchError", "InstallerError", "SolverError", "Stalled", "Odd"])
def test_no_words_of_rattlers_carry_secrets(text: str, kind: str) -> None:
    error = explain(Failed(kind, text), source("https://host.example/c", Path("/cache")))
    assert SECRET not in json.dumps(error.body())


def test_an_unknown_failure_keeps_its_words() -> None:
    error = explain(Failed("RustPanic", "the unexpected\nhappened"), source("https://host.example/c", Path("/cache")))
    assert type(error) is BuildFailed
    assert error.reason == "the unexpected\nhappened"
