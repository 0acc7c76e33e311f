"""The embedded engine: one transaction each, with real packages, real links and a real process that can be stopped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_hpcenv.errors import (
    BuildFailed,
    Cancelled,
    HpcenvError,
    InvalidRequest,
    PackageNotFound,
    PathTooLong,
    Refused,
    RequirementsConflict,
)
from jupyter_hpcenv.managers.conda import engine
from jupyter_hpcenv.managers.conda.installed import read
from jupyter_hpcenv.models import PinnedPackage

from . import conda_says
from .archives import File
from .channel import SUBDIR, fill, index, tiny, write
from .driving import Notes, engines, source, tree
from .serving import ChannelServer, Slow, Status


def versions(prefix: Path) -> dict[str, str]:
    return {each.name: each.version for each in read(prefix)}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return tmp_path / "environment"


# -- create -----------------------------------------------------------------


@pytest.fixture(scope="module")
def python(channel: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with Python, for those who only look at it."""
    prefix = tmp_path_factory.mktemp("python") / "environment"
    notes = Notes()
    engine.create(source(channel, cache), ["python", "pip", "numpy >=1"], prefix, notes)
    assert notes.steps == ["solve", "download", "link"]
    assert notes.said() == ""
    return prefix


def test_what_is_created_works_in_its_place(python: Path) -> None:
    program = python / "bin/python"
    code = "import sys, numpy, pip; print(sys.prefix, numpy.ones(2).sum())"
    done = subprocess.run([program, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(python), "2.0"]


def test_records_are_complete_for_conda(python: Path, channel: Path, cache: Path) -> None:
    """Each field that conda reads of a record; the archive's path is not among them, for rattler keeps no archives."""
    records = [json.loads(path.read_text()) for path in (python / "conda-meta").glob("*.json")]
    assert {each["name"] for each in records} >= {"python", "pip", "numpy", "python_abi"}
    for each in records:
        archive = channel / each["subdir"] / each["fn"]
        assert each["url"] == archive.as_uri()
        assert archive.is_file()
        assert each["channel"].startswith(channel.as_uri())
        assert [type(each[key]) for key in ("version", "build", "build_number")] == [str, str, int]
        assert [len(each[key]) for key in ("sha256", "md5")] == [64, 32]
        assert isinstance(each["depends"], list)
        assert Path(each["extracted_package_dir"]).is_dir()
        assert each["link"] == {"source": each["extracted_package_dir"], "type": 1}
        assert sorted(each["files"]) == sorted(path["_path"] for path in each["paths_data"]["paths"])
        assert all((python / path).is_file() for path in each["files"])
    abi = next(each for each in records if each["name"] == "python_abi")
    assert abi["constrains"], "the index says what it excludes"
    conda_says.packages(python)


def test_requests_stand_in_the_records(python: Path) -> None:
    asked = {}
    for path in (python / "conda-meta").glob("*.json"):
        about = json.loads(path.read_text())
        assert about.get("requested_spec", "") == "".join(about["requested_specs"][:1])
        if about["requested_specs"]:
            asked[about["name"]] = about["requested_specs"]
    assert asked == {"python": ["python"], "pip": ["pip"], "numpy": ["numpy >=1"]}


def test_others_may_read_it_and_backups_see_it(python: Path) -> None:
    readable = (python / "conda-meta/history").stat().st_mode & 0o777
    assert {path.stat().st_mode & 0o777 for path in (python / "conda-meta").glob("*.json")} == {readable}
    assert readable & 0o044 == 0o044  # by the umask of whoever runs the tests, as it was for the history
    assert not (python / "CACHEDIR.TAG").exists()


def test_files_are_links_into_the_cache(python: Path, cache: Path) -> None:
    path = python / "lib" / os.listdir(python / "lib")[0]
    cached = next((cache / "pkgs").glob("python-3*/bin/python3.*"))
    assert os.path.samefile(cached, python / "bin" / cached.name)
    assert not path.is_symlink() or path.exists()
    assert not any(os.readlink(each).startswith(str(cache)) for each in python.rglob("*") if each.is_symlink())


def test_a_tag_that_a_package_brings_stays(channel: Path, tmp_path: Path) -> None:
    own = tmp_path / "channel"
    fill(own, [tiny("hpc-tag", files={"CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\nmine\n"})])
    index(own)
    engine.create(source(own, tmp_path / "cache"), ["hpc-tag"], tmp_path / "environment", Notes())
    assert (tmp_path / "environment/CACHEDIR.TAG").read_text().endswith("mine\n")


def test_figures_over_the_network(channel_server: ChannelServer, tmp_path: Path) -> None:
    channel_server.misbehave("*/hpc-tiny-*", Slow(1500))  # as slow as it takes to be seen on the way
    notes = Notes()
    main = source(channel_server.url(), tmp_path / "cache")
    engine.create(main, ["hpc-tiny", "hpc-linked"], tmp_path / "environment", notes)
    sizes = [Path(channel_server.channels["main"] / "noarch" / each).stat().st_size for each in ARCHIVES]
    downloads = [figures for step, figures in notes.figures if step == "download"]
    assert {(each.packages_total, each.bytes_total) for each in downloads} == {(2, sum(sizes))}
    assert 0 < max(each.bytes_done or 0 for each in downloads) <= sum(sizes)
    done = [each.bytes_done or 0 for each in downloads]
    assert done == sorted(done)
    assert notes.steps == ["solve", "download", "link"]
    assert notes.checks > 5


ARCHIVES = ("hpc-tiny-2.0-0.conda", "hpc-linked-1.0-0.conda")


def test_looking_needs_no_engine(python: Path) -> None:
    """Servers list packages and write explicit lists, and must not load rattler for it."""
    code = (
        "import sys; from pathlib import Path; from jupyter_hpcenv.managers.conda import engine, command, manager;"
        "found = engine.installed(Path(sys.argv[1])); engine.explicit(Path(sys.argv[1])); assert found;"
        "sys.exit(any(name.partition('.')[0] == 'rattler' for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code, python], check=True)


def test_nothing_of_ours_stays_in_the_temporary_folder(
    channel: Path, cache: Path, prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    engine.create(source(channel, cache), ["hpc-tiny"], prefix, Notes())
    with pytest.raises(PackageNotFound):
        engine.create(source(channel, cache), ["hpc-never"], prefix, Notes())
    assert os.listdir(tmp_path / "temporary") == []


# -- plans ------------------------------------------------------------------


def test_a_plan_is_what_is_done_then(channel_server: ChannelServer, tmp_path: Path) -> None:
    main, prefix = source(channel_server.url(), tmp_path / "cache"), tmp_path / "environment"
    planned = engine.plan(main, ["hpc-needs-old"])
    assert [(each.name, each.version, each.cached) for each in planned.install] == [
        ("hpc-needs-old", "1.0", False),
        ("hpc-tiny", "1.1", False),
    ]
    assert planned.download_bytes == sum(each.bytes for each in planned.install) > 0
    assert planned.files is None
    assert not prefix.exists()
    assert channel_server.paths("*.conda") == []

    engine.create(main, ["hpc-needs-old"], prefix, Notes())
    before = tree(prefix)
    planned = engine.plan(main, prefix=prefix, install=["hpc-needs-new"], remove=["hpc-needs-old"])
    assert tree(prefix) == before
    assert [each.name for each in planned.install] == ["hpc-needs-new"]
    assert [each.name for each in planned.remove] == ["hpc-needs-old"]
    assert [(each.name, each.old.version, each.new.version) for each in planned.change] == [("hpc-tiny", "1.1", "2.0")]
    assert planned.requested == ["hpc-needs-new"]
    done = engine.change(main, prefix, Notes(), install=["hpc-needs-new"], remove=["hpc-needs-old"])
    assert (done.install, done.remove, done.requested) == (planned.install, planned.remove, planned.requested)
    assert versions(prefix) == {"hpc-needs-new": "1.0", "hpc-tiny": "2.0"}

    again = engine.plan(main, ["hpc-needs-new"])  # all of it is in the cache now
    assert (again.download_bytes, again.files) == (
        0,
        len([path for path in prefix.rglob("share/**/*") if path.is_file()]),
    )


# -- changes ----------------------------------------------------------------


def test_install_leaves_alone_what_it_does_not_need(channel: Path, cache: Path, prefix: Path) -> None:
    main = source(channel, cache)
    engine.create(main, ["hpc-tiny <2"], prefix, Notes())
    engine.change(main, prefix, Notes(), install=["hpc-tiny"])  # satisfied: no newer one
    assert versions(prefix) == {"hpc-tiny": "1.1"}
    engine.change(main, prefix, Notes(), install=["hpc-linked"])
    assert versions(prefix) == {"hpc-tiny": "1.1", "hpc-linked": "1.0"}
    engine.change(main, prefix, Notes(), update=["hpc-linked"])
    assert versions(prefix) == {"hpc-tiny": "1.1", "hpc-linked": "1.0"}
    assert (prefix / "share/hpc-tiny/only-1.1").exists()


def test_update_one_or_all(channel: Path, cache: Path, tmp_path: Path) -> None:
    own = tmp_path / "channel"
    fill(own, [tiny(name, version) for name in ("hpc-a", "hpc-b") for version in ("1.0", "2.0")])
    index(own)
    main = source(own, tmp_path / "cache")
    for verb, expected in ({"update": ["hpc-a"]}, ("2.0", "1.0")), ({"update_all": True}, ("2.0", "2.0")):
        prefix = tmp_path / "environment"
        shutil.rmtree(prefix, ignore_errors=True)
        engine.create(main, ["hpc-a <2", "hpc-b <2"], prefix, Notes())
        engine.change(main, prefix, Notes(), install=["hpc-a", "hpc-b"])  # takes the limits back
        engine.change(main, prefix, Notes(), **verb)  # type: ignore[arg-type]
        assert tuple(versions(prefix).values()) == expected


def test_update_keeps_to_what_was_asked_for_and_says_so(channel: Path, cache: Path, prefix: Path) -> None:
    main, notes = source(channel, cache), Notes()
    engine.create(main, ["hpc-tiny 1.*"], prefix, Notes())
    done = engine.change(main, prefix, notes, update=["hpc-tiny"])
    assert versions(prefix) == {"hpc-tiny": "1.1"}
    assert "hpc-tiny stays at 1.1, because “hpc-tiny 1.*” was asked for" in notes.said()
    assert done.requested == ["hpc-tiny 1.*"]
    engine.change(main, prefix, Notes(), update=["hpc-tiny >=2"])
    assert versions(prefix) == {"hpc-tiny": "2.0"}


def test_an_update_pulls_what_it_needs_along(tmp_path: Path) -> None:
    """Whatever the order of the names: what the update is about is decided before what could stay."""
    own = tmp_path / "channel"
    libraries = [tiny("hpc-library", version) for version in ("1.0", "2.0")]
    fill(own, [*libraries, *(tiny("hpc-user", n, depends=[f"hpc-library >={n}"]) for n in ("1.0", "2.0"))])
    index(own)
    main, prefix = source(own, tmp_path / "cache"), tmp_path / "environment"
    engine.create(main, ["hpc-user <2", "hpc-library <2"], prefix, Notes())
    engine.change(main, prefix, Notes(), install=["hpc-library", "hpc-user"])
    assert set(versions(prefix).values()) == {"1.0"}
    engine.change(main, prefix, Notes(), update=["hpc-user"])
    assert set(versions(prefix).values()) == {"2.0"}


@pytest.fixture
def pythons(tmp_path: Path) -> Path:
    """A channel with two minor versions of something that is called python."""
    own = tmp_path / "pythons"
    fill(own, [tiny("python", version) for version in ("3.11.1", "3.11.2", "3.12.1")])
    write(own, tiny("hpc-modern", depends=["python >=3.12"]))
    index(own)
    return own


def test_python_keeps_its_series_unless_it_is_named(pythons: Path, prefix: Path, tmp_path: Path) -> None:
    main = source(pythons, tmp_path / "cache")
    engine.create(main, ["python ==3.11.1"], prefix, Notes())
    engine.change(main, prefix, Notes(), install=["python 3.11.*"])
    engine.change(main, prefix, Notes(), update_all=True)
    assert versions(prefix) == {"python": "3.11.2"}
    with pytest.raises(RequirementsConflict) as caught:
        engine.change(main, prefix, Notes(), install=["hpc-modern"])
    assert any("Python stays 3.11.*" in hint for hint in caught.value.hints)
    engine.change(main, prefix, Notes(), install=["hpc-modern", "python 3.12.*"])
    assert versions(prefix) == {"hpc-modern": "1.0", "python": "3.12.1"}


def test_what_is_no_environment_is_left_alone(channel: Path, cache: Path, prefix: Path) -> None:
    with pytest.raises(InvalidRequest, match="is no conda environment"):
        engine.change(source(channel, cache), prefix, Notes(), install=["hpc-tiny"])
    assert not prefix.exists()
    with pytest.raises(InvalidRequest, match="Nothing is to be changed"):
        engine.change(source(channel, cache), prefix, Notes())


# -- removal ----------------------------------------------------------------


@pytest.fixture
def family(tmp_path: Path) -> Path:
    """Packages that need each other: top → middle → deep, other → deep."""
    own = tmp_path / "family"
    needs = {"top": ["middle"], "middle": ["deep"], "other": ["deep"], "deep": [], "alone": []}
    fill(own, [tiny(f"hpc-{name}", depends=[f"hpc-{each}" for each in some]) for name, some in needs.items()])
    index(own)
    return own


def test_remove_drops_what_only_it_needed(family: Path, prefix: Path, tmp_path: Path) -> None:
    main = source(family, tmp_path / "cache")
    engine.create(main, ["hpc-top", "hpc-other"], prefix, Notes())
    done = engine.change(main, prefix, Notes(), remove=["hpc-top"])
    assert [each.name for each in done.remove] == ["hpc-middle", "hpc-top"]
    assert set(versions(prefix)) == {"hpc-other", "hpc-deep"}
    assert conda_says.requested(prefix) == {"hpc-other": "hpc-other"}


def test_what_a_request_needs_is_not_removed(family: Path, prefix: Path, tmp_path: Path) -> None:
    main = source(family, tmp_path / "cache")
    engine.create(main, ["hpc-top", "hpc-deep"], prefix, Notes())
    before = tree(prefix)
    with pytest.raises(RequirementsConflict, match="hpc-deep can not be removed, because hpc-top needs it"):
        engine.change(main, prefix, Notes(), remove=["hpc-deep"])
    with pytest.raises(PackageNotFound, match="hpc-alone is not installed"):
        engine.change(main, prefix, Notes(), remove=["hpc-alone"])
    assert tree(prefix) == before
    engine.change(main, prefix, Notes(), remove=["hpc-deep", "hpc-top"])
    assert versions(prefix) == {}


def test_removal_asks_no_channel_and_changes_nothing_else(family: Path, prefix: Path, tmp_path: Path) -> None:
    engine.create(source(family, tmp_path / "cache"), ["hpc-top", "hpc-alone"], prefix, Notes())
    shutil.rmtree(family)
    engine.change(source(family, tmp_path / "cache"), prefix, Notes(), remove=["hpc-alone"])
    assert set(versions(prefix)) == {"hpc-top", "hpc-middle", "hpc-deep"}


def test_an_environment_of_unknown_origin_loses_only_what_is_named(family: Path, prefix: Path, tmp_path: Path) -> None:
    """With no history and no requests all packages are orphans, and none of them may go unasked."""
    main = source(family, tmp_path / "cache")
    engine.create(main, ["hpc-top", "hpc-alone"], prefix, Notes())
    (prefix / "conda-meta/history").write_bytes(b"")
    for path in (prefix / "conda-meta").glob("*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "requested_specs": [], "requested_spec": None}))
    engine.change(main, prefix, Notes(), install=["hpc-other"])
    assert set(versions(prefix)) == {"hpc-top", "hpc-middle", "hpc-deep", "hpc-alone", "hpc-other"}
    engine.change(main, prefix, Notes(), remove=["hpc-alone"])
    assert set(versions(prefix)) == {"hpc-top", "hpc-middle", "hpc-deep", "hpc-other"}


# -- channels, policy and computers -----------------------------------------


def test_the_first_channel_with_a_name_has_it(channel: Path, other_channel: Path, cache: Path, tmp_path: Path) -> None:
    """A higher version in a later channel is never taken, be it asked for: that is how confusion begins."""
    urls = [channel.as_uri(), other_channel.as_uri()]

    def found(*specs: str, priority: str, notes: Notes | None = None) -> str:
        strict = source(channel, cache, channels=urls, priority=priority)
        return engine.plan(strict, specs, report=notes).install[0].version

    assert found("hpc-tiny", priority="strict") == "2.0"
    assert found("hpc-tiny", priority="disabled") == "3.0"
    assert found("hpc-tiny", priority="flexible") == "2.0"
    assert found("hpc-tiny 3.*", priority="flexible") == "3.0"
    assert found(f"{urls[1]}::hpc-tiny", priority="strict") == "3.0"
    with pytest.raises(RequirementsConflict) as caught:
        found("hpc-tiny 3.*", priority="strict")
    assert any("hides the same packages of later ones" in hint for hint in caught.value.hints)


def test_flexible_priority_says_when_it_gives_way(
    channel: Path, other_channel: Path, cache: Path, prefix: Path
) -> None:
    notes, urls = Notes(), [channel.as_uri(), other_channel.as_uri()]
    main = source(channel, cache, channels=urls, priority="flexible")
    engine.create(main, ["hpc-tiny 3.*"], prefix, notes)
    assert "channel_priority is flexible" in notes.said("warning")


def test_pinned_packages_hold(channel: Path, cache: Path) -> None:
    pinned = source(channel, cache, constraints=["hpc-tiny=1.0"])  # conda's own way to write it
    assert [each.version for each in engine.plan(pinned, ["hpc-tiny"]).install] == ["1.0"]
    with pytest.raises(RequirementsConflict) as caught:
        engine.plan(pinned, ["hpc-needs-new"])
    assert any("pinned by the configuration" in hint for hint in caught.value.hints)


def test_virtual_packages_can_be_said(channel: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(**said: str) -> list[str]:
        return [each.name for each in engine.plan(source(channel, cache, virtual_packages=said), ["hpc-cuda"]).install]

    assert plan(cuda="12.4") == ["hpc-cuda"]
    with pytest.raises(RequirementsConflict, match="no NVIDIA driver"):
        plan(cuda="11.8")
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "12.1")
    assert plan() == ["hpc-cuda"]
    with pytest.raises(RequirementsConflict):
        plan(cuda="")  # what a request says counts more than the variable


def test_offline_uses_the_cache_alone(channel_server: ChannelServer, tmp_path: Path) -> None:
    url, cache = channel_server.url(), tmp_path / "cache"
    engine.create(source(url, cache), ["hpc-tiny"], tmp_path / "first", Notes())
    channel_server.behave()
    offline = source(url, cache, offline=True)
    engine.create(offline, ["hpc-tiny"], tmp_path / "second", Notes())
    assert versions(tmp_path / "second") == {"hpc-tiny": "2.0"}
    shutil.rmtree(cache / "pkgs")
    with pytest.raises(HpcenvError, match=r"offline\), and this is not in the cache: hpc-tiny-2.0-0.conda"):
        engine.create(offline, ["hpc-tiny"], tmp_path / "third", Notes())
    with pytest.raises(HpcenvError, match=r"offline\), and this is not in the cache"):
        engine.plan(source(url, tmp_path / "empty", offline=True), ["hpc-tiny"])
    assert channel_server.asked == []


# -- exact packages ---------------------------------------------------------


def pins(prefix: Path, **digests: str) -> list[PinnedPackage]:
    return [
        PinnedPackage(url=each.url, **(digests or {"sha256": each.sha256, "md5": each.md5})) for each in read(prefix)
    ]


def test_recreated_from_its_own_list(channel_server: ChannelServer, tmp_path: Path) -> None:
    """The same records, though no index is asked; over the network and into a cold cache."""
    url = channel_server.url()
    first, second = tmp_path / "first", tmp_path / "second"
    engine.create(source(url, tmp_path / "cache"), ["pip", "hpc-needs-old"], first, Notes())
    channel_server.behave()
    engine.install_pinned(source(url, tmp_path / "cold"), pins(first), second, Notes())
    assert channel_server.paths("*repodata*") == []
    assert channel_server.paths("*/shards/*") == []
    told = engine.explicit(first)
    assert told == engine.explicit(second)
    assert told.splitlines()[1:3] == [f"# platform: {SUBDIR}", "@EXPLICIT"]
    for path in (first / "conda-meta").glob("*.json"):
        one, two = json.loads(path.read_text()), json.loads((second / "conda-meta" / path.name).read_text())
        for key in ("depends", "constrains", "noarch", "sha256", "md5", "url", "files", "license"):
            assert one.get(key) == two.get(key), (path.name, key)
    assert conda_says.requested(second) == {"pip": "pip", "python": "python", "hpc-needs-old": "hpc-needs-old"}
    done = subprocess.run([second / "bin/pip", "--version"], capture_output=True, text=True, check=True)
    assert str(second) in done.stdout


def test_a_prefix_becomes_exactly_the_list(channel: Path, cache: Path, tmp_path: Path) -> None:
    main = source(channel, cache)
    engine.create(main, ["hpc-needs-old"], tmp_path / "wanted", Notes())
    engine.create(main, ["hpc-needs-new", "hpc-linked"], tmp_path / "other", Notes())
    engine.install_pinned(main, pins(tmp_path / "wanted"), tmp_path / "other", Notes(), ["hpc-needs-old"])
    assert versions(tmp_path / "other") == {"hpc-needs-old": "1.0", "hpc-tiny": "1.1"}
    assert conda_says.requested(tmp_path / "other") == {"hpc-needs-old": "hpc-needs-old"}


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_another_hash_is_refused(channel_server: ChannelServer, tmp_path: Path, kind: str) -> None:
    url = f"{channel_server.url()}/noarch/hpc-tiny-2.0-0.conda"
    wrong = PinnedPackage(url=url, **{kind: "0" * (64 if kind == "sha256" else 32)})
    with pytest.raises(BuildFailed, match=r"What arrived of hpc-tiny-2.0-0.conda is not what"):
        engine.install_pinned(
            source(channel_server.url(), tmp_path / "cache"), [wrong], tmp_path / "environment", Notes()
        )
    assert read(tmp_path / "environment") == []


def test_an_archive_under_a_false_name_is_refused(channel: Path, tmp_path: Path) -> None:
    own = tmp_path / "channel/noarch"
    own.mkdir(parents=True)
    shutil.copyfile(channel / "noarch/hpc-linked-1.0-0.conda", own / "numpy-9.9-0.conda")
    false = PinnedPackage(url=(own / "numpy-9.9-0.conda").as_uri())
    with pytest.raises(Refused, match="holds another package than its name says"):
        engine.install_pinned(source(tmp_path, tmp_path / "cache"), [false], tmp_path / "environment", Notes())
    assert read(tmp_path / "environment") == []


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("https://host.example/c/osx-arm64/numpy-2.0-0.conda", InvalidRequest, "is for osx-arm64"),
        ("https://host.example/c/noarch/numpy.conda", InvalidRequest, "is not the address of a conda package"),
        ("https://me:canary@host.example/c/noarch/numpy-2.0-0.conda", Refused, "credentials"),
    ],
)
def test_odd_addresses_are_refused(tmp_path: Path, url: str, error: type[HpcenvError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        engine.install_pinned(
            source(tmp_path, tmp_path / "cache"), [PinnedPackage(url=url)], tmp_path / "environment", Notes()
        )
    assert "canary" not in str(caught.value.body())


def test_lockfile_names_every_package(python: Path, channel: Path) -> None:
    text = engine.lock(python, [channel.as_uri()])
    for each in read(python):
        assert Path(each.url).name in text
        assert each.sha256 in text


# -- when it fails ----------------------------------------------------------


def test_a_download_that_fails_leaves_the_environment_as_it_was(channel_server: ChannelServer, tmp_path: Path) -> None:
    """rattler would have unlinked the old version by then."""
    main, prefix = source(channel_server.url(), tmp_path / "cache"), tmp_path / "environment"
    engine.create(main, ["hpc-needs-old"], prefix, Notes())
    before = tree(prefix)
    channel_server.misbehave("*/hpc-tiny-2.0*", Status(404))
    with pytest.raises(HpcenvError, match="404"):
        engine.change(main, prefix, Notes(), install=["hpc-needs-new", "hpc-linked"], remove=["hpc-needs-old"])
    assert tree(prefix) == before
    assert not engine.unfinished(prefix)
    assert not list((tmp_path / "cache/pkgs").glob(".hpc-*"))


def test_a_link_that_fails_is_put_back(tmp_path: Path) -> None:
    """Where a new version has a file, somebody has a folder; what was linked before it comes to that goes again."""
    own, prefix = tmp_path / "channel", tmp_path / "environment"
    new = {"lib/hpc/text": "two\n", "lib/hpc/new": "", "etc/hpc/more/new": ""}
    fill(own, [tiny("hpc-a", files={"lib/hpc/text": "one\n"}), tiny("hpc-a", "2.0", files=new), tiny("hpc-b", files={
        f"lib/b/{number}": "b" for number in range(50)
    })])  # fmt: skip
    index(own)
    main, notes = source(own, tmp_path / "cache"), Notes()
    engine.create(main, ["hpc-a <2"], prefix, Notes())
    (prefix / "lib/hpc/new").mkdir()
    (prefix / "lib/hpc/new/mine").write_text("precious")
    (prefix / "etc/hpc/more").mkdir(parents=True)
    (prefix / "etc/hpc/more/new").write_text("precious, too")  # a link over it would succeed
    before = tree(prefix)
    with pytest.raises(HpcenvError) as caught:
        engine.change(main, prefix, notes, install=["hpc-a >=2", "hpc-b"])
    assert "lib/hpc/new" in caught.value.reason
    assert "as it was before" in notes.said()
    assert {path: what for path, what in tree(prefix).items() if path != "etc/hpc/more/new"} == {
        path: what for path, what in before.items() if path != "etc/hpc/more/new"
    }
    assert (prefix / "etc/hpc/more/new").exists()
    assert not engine.unfinished(prefix)


def _stops_in(step: str) -> Notes:
    return Notes(lambda notes: notes.steps[-1:] == [step])


def test_cancelled_in_a_download_nothing_goes_on(channel_server: ChannelServer, tmp_path: Path) -> None:
    channel_server.misbehave("*.conda", Slow(400))
    main = source(channel_server.url(), tmp_path / "cache")
    with pytest.raises(Cancelled):
        engine.create(main, ["hpc-tiny", "hpc-linked"], tmp_path / "environment", _stops_in("download"))
    assert engines(tmp_path) == []
    assert [path.name for path in (tmp_path / "cache/pkgs").glob("hpc-*")] == []
    channel_server.behave()
    engine.create(main, ["hpc-tiny"], tmp_path / "again", Notes())
    assert versions(tmp_path / "again") == {"hpc-tiny": "2.0"}


def test_cancelled_while_linking_nothing_is_written_any_more(channel: Path, cache: Path, prefix: Path) -> None:
    """In the worker's own process rattler would link on for seconds, over whatever removes the prefix."""
    with pytest.raises(Cancelled):
        engine.create(source(channel, cache, copy=True), ["python", "numpy", "pip"], prefix, _stops_in("link"))
    assert engines(prefix) == []
    before = tree(prefix)
    time.sleep(0.5)  # who writes on would do so for seconds
    assert tree(prefix) == before


def test_a_change_is_not_stopped_half_way(channel: Path, cache: Path, prefix: Path) -> None:
    main = source(channel, cache)
    engine.create(main, ["hpc-tiny <2"], prefix, Notes())
    engine.change(main, prefix, _stops_in("link"), update=["hpc-tiny >=2"])
    assert versions(prefix) == {"hpc-tiny": "2.0"}
    assert conda_says.requested(prefix) == {"hpc-tiny": "hpc-tiny >=2"}


def test_a_change_can_be_stopped_before(channel_server: ChannelServer, tmp_path: Path) -> None:
    main, prefix = source(channel_server.url(), tmp_path / "cache"), tmp_path / "environment"
    engine.create(main, ["hpc-tiny <2"], prefix, Notes())
    before = tree(prefix)
    channel_server.misbehave("*.conda", Slow(400))
    with pytest.raises(Cancelled):
        engine.change(main, prefix, _stops_in("download"), update=["hpc-tiny >=2"])
    assert tree(prefix) == before
    assert engines(tmp_path) == []


def test_an_engine_that_dies_is_told_from_one_that_answers(
    channel: Path, cache: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_hpcenv.managers.conda.running.PROGRAM", "/dev/null/nothing.py")
    with pytest.raises(BuildFailed, match="ended without an answer"):
        engine.create(source(channel, cache), ["hpc-tiny"], prefix, Notes())


def test_a_prefix_of_256_bytes_is_refused(channel: Path, cache: Path, tmp_path: Path) -> None:
    long = tmp_path / "x" / ("y" * (254 - len(os.fsencode(tmp_path))))
    assert len(os.fsencode(long)) == 257
    with pytest.raises(PathTooLong, match="257 bytes"):
        engine.create(source(channel, cache), ["hpc-tiny"], long, Notes())
    assert not long.parent.exists()


@pytest.mark.parametrize(
    "channels", [["https://me:canary@host.example/c"], ["https://host.example/t/canary-token/c"]], ids=["user", "token"]
)
def test_credentials_in_a_channel_are_refused(tmp_path: Path, channels: list[str]) -> None:
    with pytest.raises(Refused) as caught:
        engine.plan(source(tmp_path, tmp_path / "cache", channels=channels), ["hpc-tiny"])
    assert "canary" not in str(caught.value.body())
    with pytest.raises(Refused) as caught:
        engine.plan(source(tmp_path, tmp_path / "cache"), [f"{channels[0]}::hpc-tiny"])
    assert "canary" not in str(caught.value.body())


# -- scripts of packages ----------------------------------------------------


def test_scripts_do_not_run_unless_the_site_says_so(channel: Path, cache: Path, prefix: Path) -> None:
    notes = Notes()
    engine.create(source(channel, cache), ["hpc-post-link"], prefix, notes)
    assert not (prefix / "hpc-post-link-ran").exists()
    assert "post-link scripts, which were not run: hpc-post-link." in notes.said("warning")


def test_scripts_run_where_the_site_wants_it(tmp_path: Path) -> None:
    own, prefix = tmp_path / "channel", tmp_path / "environment"
    gone = File(b'#!/bin/sh\necho "bye $PKG_NAME" >"$PREFIX/../said"\n', 0o755)
    said = '#!/bin/sh\necho hello >"$PREFIX/.messages.txt"\ntouch "$PREFIX/ran-$PKG_NAME-$PKG_VERSION-$PKG_BUILDNUM"\n'
    after = '#!/bin/sh\ntest -e "$PREFIX/ran-hpc-first-1.0-0" && touch "$PREFIX/ran-last"\n'
    fill(own, [
        tiny("hpc-first", post_link=said, files={"bin/.hpc-first-pre-unlink.sh": gone}),
        tiny("hpc-a-last", depends=["hpc-first"], post_link=after),
    ])  # fmt: skip
    index(own)
    main, notes = source(own, tmp_path / "cache", link_scripts=True), Notes()
    engine.create(main, ["hpc-a-last"], prefix, notes)
    assert sorted(path.name for path in prefix.glob("ran-*")) == ["ran-hpc-first-1.0-0", "ran-last"]
    assert ("output", "hello") in notes.lines
    assert not (prefix / ".messages.txt").exists()
    engine.change(main, prefix, Notes(), remove=["hpc-a-last"])
    assert (tmp_path / "said").read_text() == "bye hpc-first\n"


def test_a_script_that_fails_is_named_with_what_it_said(channel: Path, cache: Path, prefix: Path) -> None:
    with pytest.raises(BuildFailed) as caught:
        engine.create(source(channel, cache, link_scripts=True), ["hpc-post-link-fails"], prefix, Notes())
    assert "post-link script of hpc-post-link-fails failed with status 3" in caught.value.message
    assert caught.value.reason == "it went wrong"
    assert conda_says.requested(prefix) == {"hpc-post-link-fails": "hpc-post-link-fails"}


# -- copies -----------------------------------------------------------------


def test_copies_are_young_and_nobody_elses(channel: Path, cache: Path, prefix: Path) -> None:
    begun = time.time() - 2
    engine.create(source(channel, cache, copy=True), ["hpc-tiny", "hpc-linked"], prefix, Notes())
    files = [path for path in prefix.rglob("*") if not path.is_dir()]
    assert files
    assert all(path.lstat().st_nlink == 1 and path.lstat().st_mtime > begun for path in files)


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder on another filesystem than the temporary one."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    if folder.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("/dev/shm is on the filesystem of the temporary folder")
    yield folder
    shutil.rmtree(folder)


def test_a_cache_on_another_filesystem_is_copied_from_and_that_is_said(
    channel: Path, elsewhere: Path, prefix: Path
) -> None:
    notes = Notes()
    engine.create(source(channel, elsewhere), ["hpc-tiny", "hpc-linked"], prefix, notes)
    assert "can not be hardlinked" in notes.said("warning")
    files = [path for path in (prefix / "share").rglob("*") if path.is_file()]
    assert all(path.stat().st_nlink == 1 and not path.is_symlink() for path in files)
    assert (prefix / "lib/hpc/link").resolve() == prefix / "lib/hpc/real"
