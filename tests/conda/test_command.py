"""The engine that lets conda, mamba or micromamba build: with a fake of them, and with the real ones where they are."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_hpcenv.errors import (
    BuildFailed,
    Cancelled,
    HpcenvError,
    IndexUnreachable,
    InvalidRequest,
    InvalidRequirement,
    ManagerNotFound,
    PackageNotFound,
    Refused,
    WrongState,
)
from jupyter_hpcenv.managers.conda.command import CommandEngine
from jupyter_hpcenv.managers.conda.find_command import find_command, identify
from jupyter_hpcenv.managers.conda.plan import Source
from jupyter_hpcenv.models import PinnedPackage
from jupyter_hpcenv.process import identity

from .engine_contract import EngineContract, Report, files_of, records, requested

FAKE, SITE = Path(__file__).with_name("fake_conda.py"), sysconfig.get_path("purelib")

#: Each kind of program that there is: name, and the version that decides what it prints.
KINDS = {
    "conda 26": ("conda", "26.7.1"),
    "conda 23": ("conda", "23.3.1"),
    "mamba 1": ("mamba", "1.5.8"),
    "mamba 2": ("mamba", "2.8.1"),
    "micromamba 1": ("micromamba", "1.5.8"),
    "micromamba 2": ("micromamba", "2.8.1"),
}


#: One of each way to answer.
WAYS = ("conda 26", "mamba 1", "micromamba 1", "micromamba 2")


class Fakes:
    """Programs that pretend; `told` is how they are to misbehave."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self._told: dict[str, Any] = {"log": str(self.log)}
        (folder / "bin").mkdir(parents=True)
        self.tell()

    def tell(self, **told: Any) -> None:
        self._told |= told
        (self.folder / "told.json").write_text(json.dumps(self._told))

    def add(self, name: str, folder: str = "bin") -> Path:
        path = self.folder / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nFAKE_SITE="{SITE}" exec "{sys.executable}" -S "{FAKE}" {name} "$@"\n')
        path.chmod(0o755)
        return path

    @property
    def environ(self) -> dict[str, str]:
        return {
            "HOME": os.environ["HOME"],
            "PATH": f"{self.folder}/bin:/usr/bin:/bin",
            "FAKE_CONDA": str(self.folder / "told.json"),
        }

    def engine(self, kind: str = "conda 26") -> CommandEngine:
        name, version = KINDS[kind]
        self.tell(version=version)
        self.add(name)
        engine = engine_of(name, self.environ)
        self.log.unlink()
        return engine

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


def engine_of(wanted: str, environ: Mapping[str, str]) -> CommandEngine:
    return CommandEngine(identify(find_command(wanted, environ), environ), environ)


@pytest.fixture
def fakes(tmp_path: Path) -> Fakes:
    return Fakes(tmp_path / "fakes")


@pytest.fixture
def source(channel: Path, tmp_path: Path) -> Source:
    return Source(channels=[f"file://{channel}"], cache=str(tmp_path / "cache"))


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return tmp_path / "environment"


# -- the contract -----------------------------------------------------------


class TestEachKindKeepsTheContract(EngineContract):
    @pytest.fixture(params=["conda 23", "mamba 1", "mamba 2"])
    def engine(self, request: pytest.FixtureRequest, fakes: Fakes) -> CommandEngine:
        fakes.tell(noise=True)
        return fakes.engine(request.param)


REAL = [name for name in ("conda", "mamba", "micromamba") if shutil.which(name)]


@pytest.mark.skipif(not REAL, reason="no conda, mamba or micromamba here, and no registry that tests may ask has them")
class TestTheRealOnesKeepTheContract(EngineContract):
    """Skipped without them also where everything else has to be there."""

    @pytest.fixture(params=REAL)
    def engine(self, request: pytest.FixtureRequest) -> CommandEngine:
        kept = ("HOME", "PATH", "CONDA_SOLVER")
        return engine_of(request.param, {name: os.environ[name] for name in kept if name in os.environ})


# -- finding ----------------------------------------------------------------


def test_mamba_comes_before_conda_and_conda_before_micromamba(fakes: Fakes) -> None:
    for name in ("micromamba", "conda", "mamba"):
        fakes.add(name)
        assert Path(find_command("", fakes.environ)).name == name
    assert Path(find_command("conda", fakes.environ)).name == "conda"


def test_a_path_is_taken_as_it_is_and_must_be_a_program(fakes: Fakes, home: Path) -> None:
    path = fakes.add("conda", "elsewhere")
    assert find_command(str(path), fakes.environ) == str(path)
    (home / "bin").mkdir()
    (home / "bin" / "conda").symlink_to(path)
    assert find_command("~/bin/conda", fakes.environ) == f"{home}/bin/conda"
    path.chmod(0o644)
    for wanted in (str(path), str(path.parent), "elsewhere/conda", "/nowhere/conda"):
        with pytest.raises(ManagerNotFound, match="not a program"):
            find_command(wanted, fakes.environ)


def test_an_initialised_shell_tells_where_its_program_is(fakes: Fakes) -> None:
    path = fakes.add("conda", "elsewhere")
    assert find_command("", {**fakes.environ, "CONDA_EXE": str(path)}) == str(path)
    assert find_command("", {**fakes.environ, "CONDA_EXE": "conda", "MAMBA_EXE": str(path)}) == str(path)
    with pytest.raises(ManagerNotFound, match="no mamba on PATH"):
        find_command("mamba", {**fakes.environ, "MAMBA_EXE": str(path)})


def test_what_modules_put_on_path_is_found_and_relative_folders_are_not(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fakes.add("conda", "module")
    monkeypatch.chdir(path.parent)
    with pytest.raises(ManagerNotFound) as caught:
        find_command("", {**fakes.environ, "PATH": ".:module::"})
    assert "module" in caught.value.hints[0]
    assert find_command("", {**fakes.environ, "PATH": f".:{path.parent}"}) == str(path)


@pytest.mark.parametrize(
    ("name", "version", "known", "dialect"),
    [
        ("conda", "4.12.0", ("conda", "4.12.0"), "conda"),
        ("mamba", "1.5.8", ("mamba", "1.5.8"), "conda"),
        ("mamba", "2.0.5", ("mamba", "2.0.5"), "libmamba"),
        ("micromamba", "1.5.10", ("micromamba", "1.5.10"), "libmamba"),
    ],
)
def test_a_program_is_known_by_what_it_says(
    fakes: Fakes, name: str, version: str, known: tuple[str, str], dialect: str
) -> None:
    fakes.tell(version=version)
    program = identify(str(fakes.add(name)), fakes.environ)
    assert (program.name, program.version) == known
    assert program.dialect == dialect
    identify(program.path, fakes.environ)
    assert [call["argv"] for call in fakes.calls] == [["--version"]]  # asked once


@pytest.mark.parametrize(("name", "version"), [("conda", "4.11.0"), ("mamba", "1.4.9"), ("micromamba", "0.27.0")])
def test_a_program_that_is_too_old_is_refused_with_what_would_do(fakes: Fakes, name: str, version: str) -> None:
    fakes.tell(version=version)
    with pytest.raises(ManagerNotFound, match=r"too old; possible are conda 4\.12, mamba 1\.5, micromamba 1\.5 and"):
        identify(str(fakes.add(name)), fakes.environ)


def test_a_program_that_is_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "conda"
    for text in ("echo no such thing", "echo conda 26.7.1; exit 3"):
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        with pytest.raises(ManagerNotFound, match="did not say its version"):
            identify(str(path), {"PATH": "/usr/bin:/bin"})
        path.unlink()


# -- running ----------------------------------------------------------------


@pytest.mark.parametrize("kind", WAYS)
def test_no_word_of_a_person_stands_where_an_option_could(
    fakes: Fakes, kind: str, source: Source, prefix: Path
) -> None:
    engine = fakes.engine(kind)
    engine.create(source, ["hpc-needs-old", "hpc-tiny <2"], prefix, Report())
    engine.change(source, prefix, Report(), install=["hpc-exports"], update=["hpc-tiny"])
    engine.change(source, prefix, Report(), remove=["hpc-exports"])
    words = {"hpc-needs-old", "hpc-tiny <2", "hpc-exports"}
    assert {word for call in fakes.calls for word in call["argv"] if "--" in call["argv"]} >= words
    for call in fakes.calls:
        argv = call["argv"]
        options = argv[: argv.index("--")] if "--" in argv else argv
        assert not any("hpc-" in word and "/" not in word for word in options), argv
        assert {"--json", "--yes", "--prefix"} <= set(options)
        assert [options[index + 1] for index, word in enumerate(options) if word == "-c"] in (source.channels, [])
        if kind.startswith("conda") or kind == "mamba 1":
            assert "--override-channels" in options
        else:
            assert call["files"]["mambarc"][1] == "0o600"
            assert "channels" not in json.loads(call["files"]["mambarc"][0])


@pytest.mark.parametrize(
    ("verb", "word"),
    [
        *(("install", word) for word in ("--clone=/", "-c", "", "a\nb", "https://example.org/x.conda", "./x.tar.bz2")),
        *(("install", word) for word in ("x.conda", "@file", "numpy[url=https://example.org/x]", "a; b", "../x")),
        *(("install", word) for word in ("https://example.org/c::x", "$(id)", "`id`", "numpy\x00", "ü")),
        *(("update", word) for word in ("--all", "-p/", "x\ty")),
        *(("remove", word) for word in ("--all", "numpy=1", "python *", "a b", "-")),
    ],
)
def test_what_could_be_an_option_a_file_or_a_url_never_reaches_a_program(
    fakes: Fakes, source: Source, prefix: Path, verb: str, word: str
) -> None:
    engine = fakes.engine()
    engine.create(source, ["hpc-tiny"], prefix, Report())
    fakes.log.unlink()
    with pytest.raises(HpcenvError):
        engine.change(source, prefix, Report(), **{verb: [word]})
    assert fakes.calls == []


def test_the_surroundings_have_no_say(fakes: Fakes, source: Source, prefix: Path) -> None:
    poison = dict.fromkeys(
        (
            *("CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_SUBDIR", "CONDA_DRY_RUN", "CONDA_CHANNELS", "CONDA_JSON"),
            *("CONDA_FORCE", "CONDA_ALWAYS_SOFTLINK", "CONDA_PINNED_PACKAGES", "CONDA_OVERRIDE_CHANNELS_ENABLED"),
            *("MAMBA_NO_RC", "MAMBA_ALWAYS_SOFTLINK", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "BASH_ENV", "_CE_M"),
        ),
        "poison",
    )
    kept = {"CONDA_SOLVER": "classic", "https_proxy": "http://proxy:3128", "SSL_CERT_FILE": "/certs"}
    for kind in ("conda 26", "mamba 2"):
        fakes.engine(kind)
        environ = {**fakes.environ, **poison, **kept, "CONDARC": "/mine", "CONDA_PKGS_DIRS": "/elsewhere"}
        engine_of(KINDS[kind][0], environ).create(source, ["hpc-tiny"], prefix / kind, Report())
    for call in fakes.calls:
        if call["argv"] != ["--version"]:
            assert "poison" not in call["env"].values()
            assert kept.items() <= call["env"].items()
            assert call["env"]["CONDA_PKGS_DIRS"] == f"{source.cache}/conda-pkgs"
            assert call["env"].get("CONDARC") == ("/mine" if call["program"] == "conda" else None)


def test_what_was_decided_is_what_a_program_is_told(fakes: Fakes, source: Source, prefix: Path) -> None:
    told = msgspec.structs.replace(
        source,
        priority="disabled",
        proxies={"https": "http://proxy:3128"},
        ssl_verify="false",
        constraints=["hpc-tiny <2", "hpc-exports 1.*"],
        virtual_packages={"cuda": "12.4", "glibc": ""},
        copy=True,
        retries=7,
    )
    fakes.engine("conda 26").create(told, ["hpc-tiny"], prefix / "a", Report())
    plan, download, apply = fakes.calls
    assert plan["argv"][0] == "install"
    assert ["--dry-run" in call["argv"] for call in fakes.calls] == [True, False, False]
    assert ["--download-only" in call["argv"] for call in fakes.calls] == [False, True, False]
    assert all("--no-channel-priority" in call["argv"] for call in fakes.calls)
    env = apply["env"]
    assert (env["CONDA_SSL_VERIFY"], env["CONDA_ALWAYS_COPY"], env["CONDA_REMOTE_MAX_RETRIES"]) == (
        "false",
        "true",
        "7",
    )
    assert env["CONDA_PINNED_PACKAGES"] == "hpc-tiny <2&hpc-exports 1.*"
    assert (env["CONDA_OVERRIDE_CUDA"], env["CONDA_OVERRIDE_GLIBC"]) == ("12.4", "")
    assert env["https_proxy"] == "http://proxy:3128"
    assert "CONDA_LOCAL_REPODATA_TTL" not in plan["env"]
    assert download["env"]["CONDA_LOCAL_REPODATA_TTL"] == env["CONDA_LOCAL_REPODATA_TTL"] == "86400"

    fakes.log.unlink()
    fakes.engine("micromamba 2").create(told, ["hpc-tiny"], prefix / "b", Report())
    settings = json.loads(fakes.calls[-1]["files"]["mambarc"][0])
    assert settings["ssl_verify"] == "<false>"
    assert settings["pinned_packages"] == ["hpc-tiny <2", "hpc-exports 1.*"]
    assert settings["proxy_servers"] == {"https": "http://proxy:3128"}
    assert (settings["always_copy"], settings["remote_max_retries"], settings["channel_priority"]) == (
        True,
        7,
        "disabled",
    )
    assert fakes.calls[-1]["env"]["CONDA_OVERRIDE_CUDA"] == "12.4"


def test_offline_is_passed_on_and_said_where_something_is_missing(fakes: Fakes, source: Source, prefix: Path) -> None:
    for kind in ("conda 26", "micromamba 2"):
        engine = fakes.engine(kind)
        with pytest.raises(IndexUnreachable, match="without a network"):
            engine.create(msgspec.structs.replace(source, offline=True), ["hpc-tiny"], prefix / kind, Report())
        assert "--offline" in fakes.calls[-1]["argv"]


@pytest.mark.parametrize("kind", KINDS)
def test_exact_packages_stand_in_a_private_file_that_goes_away(
    fakes: Fakes, kind: str, source: Source, prefix: Path
) -> None:
    engine = fakes.engine(kind)
    (found,) = engine.create(source, ["hpc-tiny"], prefix / "a", Report())
    fakes.log.unlink()
    package = PinnedPackage(url=found.url, sha256=found.sha256, md5=found.md5)
    engine.install_pinned(source, [package], prefix / "b", Report())
    (call,) = fakes.calls
    text, mode = call["files"]["explicit.txt"]
    digest = found.md5 if kind in ("conda 23", "mamba 1") else f"sha256:{found.sha256}"
    assert text == f"@EXPLICIT\n{found.url}#{digest}\n"
    assert mode == "0o600"
    listed = Path(call["argv"][call["argv"].index("--file") + 1])
    assert not listed.parent.exists()
    assert not any("hpc-tiny" in word for word in call["argv"])


def test_exact_packages_for_another_computer_or_with_credentials_are_refused(
    fakes: Fakes, source: Source, prefix: Path
) -> None:
    engine = fakes.engine()
    for url, error in (
        ("https://example.org/c/win-64/x-1-0.conda", InvalidRequest),
        ("https://me:secret@example.org/c/noarch/x-1-0.conda", InvalidRequirement),
        ("https://example.org/c/noarch/x-1-0.conda#--prefix=/", InvalidRequirement),
        ("https://example.org/c/noarch/x-1-0.conda\n-p /", InvalidRequirement),
        ("--prefix=/x.conda", InvalidRequirement),
    ):
        with pytest.raises(error) as caught:
            engine.install_pinned(source, [PinnedPackage(url=url)], prefix, Report())
        assert "secret" not in caught.value.message
    with pytest.raises(Refused, match="credentials"):
        engine.create(msgspec.structs.replace(source, channels=["https://me:secret@x/c"]), ["x"], prefix, Report())
    assert fakes.calls == []


# -- judging ----------------------------------------------------------------


@pytest.mark.parametrize("kind", WAYS)
def test_a_package_from_a_channel_that_nobody_decided_on_is_refused(
    fakes: Fakes, kind: str, source: Source, prefix: Path, other_channel: Path
) -> None:
    engine = fakes.engine(kind)
    spec = f'hpc-tiny *[channel="file://{other_channel}"]'
    with pytest.raises(Refused, match="none of the channels"):
        engine.create(source, [spec], prefix, Report())
    assert records(prefix) == {}
    both = msgspec.structs.replace(source, channels=[*source.channels, f"file://{other_channel}"])
    engine.create(both, [spec], prefix / "both", Report())
    assert records(prefix / "both") == {"hpc-tiny": "3.0"}


@pytest.mark.parametrize("kind", ["conda 26", "mamba 1", "micromamba 2"])
def test_link_scripts_are_seen_before_they_could_run(fakes: Fakes, kind: str, source: Source, prefix: Path) -> None:
    engine = fakes.engine(kind)
    engine.create(source, ["hpc-tiny"], prefix, Report())
    before = files_of(prefix)
    with pytest.raises(Refused, match="hpc-post-link brings a post-link script"):
        engine.change(source, prefix, Report(), install=["hpc-post-link"])
    assert files_of(prefix) == before
    url = f"{source.channels[0]}/noarch/hpc-post-link-1.0-0.conda"
    with pytest.raises(Refused, match="post-link"):
        engine.install_pinned(source, [PinnedPackage(url=url)], prefix / "exact", Report())
    assert records(prefix / "exact") == {}


def test_a_link_script_that_fails_is_named(fakes: Fakes, source: Source, prefix: Path) -> None:
    allowed = msgspec.structs.replace(source, link_scripts=True)
    with pytest.raises(BuildFailed, match="link script of hpc-post-link-fails"):
        fakes.engine().create(allowed, ["hpc-post-link-fails"], prefix, Report())


def test_a_package_that_lies_in_another_cache_is_looked_at_there(
    fakes: Fakes, source: Source, prefix: Path, tmp_path: Path
) -> None:
    engine = fakes.engine()
    fakes.tell(unscanned=str(tmp_path / "other cache"))
    with pytest.raises(Refused, match="hpc-post-link brings a post-link script"):
        engine.create(source, ["hpc-post-link"], prefix, Report())
    engine.create(source, ["hpc-tiny"], prefix / "fine", Report())
    assert records(prefix / "fine") == {"hpc-tiny": "2.0"}
    fakes.tell(unnamed=True)
    with pytest.raises(Refused, match="hpc-exports brings a hidden script"):
        engine.create(source, ["hpc-exports"], prefix / "hidden", Report())


@pytest.mark.parametrize("kind", WAYS)
def test_a_program_that_lies_is_found_out(fakes: Fakes, kind: str, source: Source, prefix: Path) -> None:
    engine = fakes.engine(kind)
    allowed = msgspec.structs.replace(source, link_scripts=True)
    engine.create(allowed, ["hpc-tiny"], prefix, Report())
    fakes.tell(lie=True)
    with pytest.raises(BuildFailed, match="not as it said: hpc-exports"):
        engine.change(allowed, prefix, Report(), install=["hpc-exports"])
    with pytest.raises(BuildFailed, match="not as it said: hpc-tiny"):
        engine.change(allowed, prefix, Report(), remove=["hpc-tiny"])
    url = f"{source.channels[0]}/noarch/hpc-tiny-1.0-0.conda"
    with pytest.raises(BuildFailed, match="not as it said: hpc-tiny"):
        engine.install_pinned(allowed, [PinnedPackage(url=url)], prefix / "exact", Report())


@pytest.mark.parametrize(
    "said", ["", "critical libmamba Download error (28) Timeout was reached\n", '{"success": false}']
)
def test_an_end_without_an_answer_is_a_failure_whatever_the_status(
    fakes: Fakes, source: Source, prefix: Path, said: str
) -> None:
    engine = fakes.engine("mamba 1")
    for mode in ("plan", "apply"):
        fakes.tell(answers={mode: {"text": said, "status": 0}})
        with pytest.raises(HpcenvError) as caught:
            engine.create(source, ["hpc-tiny"], prefix / mode, Report())
        assert isinstance(caught.value, IndexUnreachable if "Timeout" in said else BuildFailed)


def test_a_failure_that_takes_many_words_is_read_to_its_end(fakes: Fakes, source: Source, prefix: Path) -> None:
    engine = fakes.engine()
    message = "The following packages are not available:\n" + "\n".join(f"  - package-{i}" for i in range(5_000))
    text = json.dumps({"error": message, "exception_name": "PackagesNotFoundError", "packages": ["last"]}, indent=2)
    fakes.tell(answers={"plan": {"text": text, "status": 1}})
    with pytest.raises(PackageNotFound, match="last"):
        engine.create(source, ["hpc-tiny"], prefix, Report())


def test_an_archive_that_is_spoilt_in_the_cache_is_fetched_anew_at_the_next_try(
    fakes: Fakes, source: Source, prefix: Path
) -> None:
    engine = fakes.engine()
    (found,) = engine.create(source, ["hpc-tiny"], prefix / "first", Report())
    (spoilt,) = Path(source.cache).rglob("hpc-tiny-*.conda")
    spoilt.write_bytes(b"spoilt")
    package = PinnedPackage(url=found.url, sha256=found.sha256)
    with pytest.raises(BuildFailed, match="not the package that was meant"):
        engine.install_pinned(source, [package], prefix / "second", Report())
    assert records(prefix / "second") == {}
    engine.install_pinned(source, [package], prefix / "third", Report())
    assert records(prefix / "third") == {"hpc-tiny": "2.0"}


def test_other_places_than_environments_are_left_alone(fakes: Fakes, source: Source, prefix: Path) -> None:
    engine = fakes.engine()
    prefix.mkdir()
    with pytest.raises(WrongState, match="not a conda environment"):
        engine.change(source, prefix, Report(), install=["hpc-tiny"])
    with pytest.raises(WrongState, match="not a conda environment"):
        engine.plan(source, prefix=prefix, install=["hpc-tiny"])
    assert list(prefix.iterdir()) == []
    engine.create(source, ["hpc-tiny"], prefix, Report())
    with pytest.raises(WrongState, match="already"):
        engine.create(source, ["hpc-exports"], prefix, Report())
    assert fakes.calls[-1]["argv"][-1] == "hpc-tiny"


# -- what a person sees -----------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_noise_goes_to_the_log_without_secrets_and_documents_do_not(
    fakes: Fakes, kind: str, source: Source, prefix: Path
) -> None:
    fakes.tell(noise=True)
    report = Report()
    fakes.engine(kind).create(source, ["hpc-needs-old"], prefix, report)
    assert "+ hpc-tiny 1.1 0 (file://" in report.text
    assert "2 packages" in report.details
    assert "Retrying" in report.text
    assert ("warning", "warning  libmamba 'repo.anaconda.com'") in report.lines
    for hidden in ("hunter2", "tk-1234", "\x1b", "\0", '"fetch"', '"actions"', '"LINK"', "log_history"):
        assert hidden not in report.text


def test_figures_are_what_lies_on_the_disk(fakes: Fakes, source: Source, prefix: Path, channel: Path) -> None:
    report = Report()
    fakes.engine().create(source, ["hpc-needs-old"], prefix, report)
    sizes = [(channel / f"noarch/{name}.conda").stat().st_size for name in ("hpc-needs-old-1.0-0", "hpc-tiny-1.1-0")]
    downloads = [each for each in report.figures if each.bytes_total is not None]
    assert {each.bytes_total for each in downloads} == {sum(sizes)}
    assert (downloads[-1].bytes_done, downloads[-1].packages_done) == (sum(sizes), 2)
    links = [each for each in report.figures if each.bytes_total is None]
    assert (links[-1].packages_done, links[-1].packages_total) == (2, 2)


# -- cancelling -------------------------------------------------------------


class CancelledOnceIn(Report):
    """Cancels as soon as the file is there, in which the program has written who it is."""

    def __init__(self, pids: Path) -> None:
        super().__init__()
        self.pids = pids

    def check(self) -> None:
        if self.pids.exists():
            raise Cancelled("stopped")


def lives(pid: int) -> bool:
    try:
        identity(pid)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_a_cancelled_operation_ends_the_program_and_its_children(
    fakes: Fakes, source: Source, prefix: Path, tmp_path: Path, mode: str
) -> None:
    engine = fakes.engine()
    fakes.tell(hang=mode, pids=str(tmp_path / "pids"))
    with pytest.raises(Cancelled):
        engine.create(source, ["hpc-tiny"], prefix, CancelledOnceIn(tmp_path / "pids"))
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    assert not any(map(lives, pids))


# -- files ------------------------------------------------------------------


def test_nothing_is_left_behind(fakes: Fakes, source: Source, prefix: Path, tmp_path: Path, monkeypatch: Any) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    engine = fakes.engine("micromamba 2")
    engine.create(source, ["hpc-tiny"], prefix, Report())
    engine.plan(source, ["hpc-exports"])
    with pytest.raises(HpcenvError):
        engine.change(source, prefix, Report(), install=["hpc-nothing"])
    assert list(temporary.iterdir()) == []


def test_history_that_a_program_wrote_is_put_right_only_where_it_is_wrong(
    fakes: Fakes, source: Source, prefix: Path
) -> None:
    engine = fakes.engine()
    engine.create(source, ["hpc-needs-old"], prefix, Report())
    text = (prefix / "conda-meta" / "history").read_text()
    assert text.count("==>") == 1
    assert "# cmd: conda install" in text
    engine.change(source, prefix, Report(), install=["hpc-tiny <2"])
    assert (prefix / "conda-meta" / "history").read_text().count("==>") == 2
    assert requested(prefix) == {"hpc-needs-old": "hpc-needs-old", "hpc-tiny": "hpc-tiny <2"}
    assert stat.S_IMODE((prefix / "conda-meta").stat().st_mode) & 0o700 == 0o700


@pytest.fixture(autouse=True)
def _no_program_is_known_before() -> Iterator[None]:
    from jupyter_hpcenv.managers.conda import find_command as module

    module._known.clear()
    yield
    module._known.clear()
