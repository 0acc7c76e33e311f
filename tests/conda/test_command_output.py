"""What conda, mamba and micromamba print, and what it means; most of it as the real ones have printed it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.errors import (
    BuildFailed,
    Busy,
    DiskFull,
    HpcenvError,
    IndexUnreachable,
    InvalidRequirement,
    LocationUnavailable,
    PackageNotFound,
    PathTooLong,
    Refused,
    RequirementsConflict,
    WrongState,
)
from jupyter_hpcenv.managers.conda.command_cache import Look, archive, scripts_of, throw_away, unpacked
from jupyter_hpcenv.managers.conda.command_output import Actions, Part, Said, actions, answer, documents, failures
from jupyter_hpcenv.managers.conda.command_problems import problem
from jupyter_hpcenv.managers.conda.find_command import Program
from jupyter_hpcenv.managers.conda.installed import name_of, read
from jupyter_hpcenv.process import run

from .engine_contract import Report

CONDA = Program(path="/c", name="conda", version="26.7.1", dialect="conda")
MAMBA = Program(path="/m", name="micromamba", version="2.8.1", dialect="libmamba")


def error(name: str, message: str = "", **keys: Any) -> str:
    """An error as conda prints it."""
    said = {"caused_by": "None", "error": f"{name}: {message}", "exception_name": name, "message": message, **keys}
    return json.dumps(dict(sorted(said.items())), indent=2) + "\n\n"


def several(*errors: str) -> str:
    return json.dumps({"errors": [json.loads(each) for each in errors], "exception_name": "CondaMultiError"}, indent=2)


def logged(*messages: str, **keys: Any) -> str:
    """What mamba 2.8 prints."""
    said = [{"level": "error", "message": message, "source": "libmamba"} for message in messages]
    return json.dumps({"success": False, "log_history": said, **keys}, indent=4)


# -- documents --------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"success": true}',
        '{\n  "success": true\n}',
        'WARNING: {this} is no JSON\n{"success": true}\nand {neither is this',
        '{\n  "a": [\n{"success": true}',
        '{\n  "success": true\n}{\n  "x": 1\n}',
        'noise{"success": true}',
        '{"success": true, "message": "one\ntwo"}',
        "{" * 50 + '\n{"success": true}',
    ],
)
def test_an_answer_is_found_whatever_stands_around_it(text: str) -> None:
    assert answer(text)["success"] is True


@pytest.mark.parametrize("text", ["", "null", "[]", "{", "{]}", '"success"', "{" * 100_000, '[{"a": 1}' * 3])
def test_where_there_is_no_answer_there_is_none(text: str) -> None:
    assert answer(text) == {}


def test_the_last_of_two_answers_counts_and_a_harmless_end_is_no_error() -> None:
    two = '{"actions": {"FETCH": [], "LINK": null}, "success": true}\n{"success": true, "message": "done"}'
    assert answer(two)["message"] == "done"
    ended = error("CondaExitZero", "Package caches prepared.") + error("DryRunExit")
    assert failures(ended) == []
    assert len(documents(ended)) == 2


def test_errors_of_errors_are_unpacked() -> None:
    inner = several(error("LinkError", "a"), '{"exception_name": "tuple", "message": "()"}')
    assert [each["exception_name"] for each in failures(several(inner, error("X")))] == ["LinkError", "tuple", "X"]


def test_long_lines_are_not_cut() -> None:
    said = Said(Report())
    script = f"import json; print(json.dumps({{'success': True, 'message': 'x' * {300_000}}}, indent=1))"
    run([os.sys.executable, "-c", script], env={}, on_line=said.line, longest=1_000_000)  # type: ignore[attr-defined]
    assert len(answer(said.text)["message"]) == 300_000


def test_lines_of_json_stay_out_of_the_log_and_others_come_in_once() -> None:
    report = Report()
    said = Said(report)
    progress = '{"fetch":"a | 1 MB | ","finished":false,"maxval":1,"progress":0.500000}'
    lines = [progress, f"\0{progress}", "\0{", '  "success": true', "}", "WARNING twice", "WARNING twice", "{not json"]
    for line in [*lines, '{"success": false}', "\x1b[31mhttps://me:pw@host/t/abc-123/x\x1b[0m"]:
        said.line(line)
    assert report.lines == [
        ("warning", "WARNING twice"),
        ("output", "{not json"),
        ("output", "https://…@host/t/…/x"),
    ]
    assert [each["success"] for each in documents(said.text)] == [True, False]
    assert "progress" not in said.text


# -- actions ----------------------------------------------------------------


def test_conda_says_little_of_what_it_links_and_all_of_what_it_fetches() -> None:
    short = {"base_url": "https://h/c", "build_string": "0", "channel": "c", "name": "x", "platform": "noarch"}
    whole = {"name": "x", "version": "1", "build": "0", "channel": "https://h/c/noarch", "subdir": "noarch", "size": 7}
    whole |= {"url": "https://h/c/noarch/x-1-0.conda", "arch": None}
    there = {**short, "name": "y", "version": "2"}
    found = actions({"actions": {"FETCH": [whole], "LINK": [{**short, "version": "1"}, there], "PREFIX": "/p"}})
    new, old = found.link
    assert (new.url, new.size, new.channel, new.stem) == (whole["url"], 7, "https://h/c", "x-1-0")
    assert (old.url, old.size, old.channel) == ("", 0, "https://h/c")
    assert found.fetch.keys() == {"x-1-0"}
    assert found.unlink == []


@pytest.mark.parametrize(
    "said",
    [None, [], "x", {"LINK": None}, {"LINK": "x"}, {"LINK": [None, 1, {}, {"name": 1}]}, {"FETCH": {"name": "x"}}],
)
def test_actions_that_mean_nothing_are_none(said: Any) -> None:
    assert actions({"actions": said}) == Actions()


# -- problems ---------------------------------------------------------------

MISSING = "The following packages are not available from current channels:\n\n  - numpi\n"
UNKNOWN = "does not exist (perhaps a typo or a missing channel)."
TREE = "Could not solve for environment specs\n    The following package could not be installed\n    └─ {}"

PROBLEMS = [
    (CONDA, error("PackagesNotFoundInChannelsError", MISSING, packages=["numpi"]), PackageNotFound, "“numpi”"),
    (CONDA, error("PackagesNotFoundError", MISSING, packages=["a[version='>=7']"]), PackageNotFound, ">=7"),
    (CONDA, error("ResolvePackageNotFound", "\n  - a==7", bad_deps="a==7"), PackageNotFound, "“a==7”"),
    (CONDA, error("PackageNotInstalledError", "x", package_name="six"), PackageNotFound, "no “six” that"),
    (CONDA, error("PackagesNotFoundInPrefixError", "x", package_name=["six"]), PackageNotFound, "no “six” that"),
    (CONDA, error("UnsatisfiableError", "incompatible with each other:\n a -> b"), RequirementsConflict, "exclude"),
    (CONDA, error("LibMambaUnsatisfiableError", "└─ a is not installable"), RequirementsConflict, "exclude"),
    (CONDA, error("SpecsConfigurationConflictError", "pinned"), RequirementsConflict, "exclude"),
    (
        CONDA,
        error("UnsatisfiableError", "with your system:\n  - a -> __cuda[version='>=12']"),
        RequirementsConflict,
        "__cuda",
    ),
    (
        CONDA,
        error("CondaHTTPError", "HTTP 000", status_code="000", url="https://h:1/c"),
        IndexUnreachable,
        "h:1 did not",
    ),
    (CONDA, error("CondaHTTPError", "HTTP 401", status_code=401, url="https://h/c"), IndexUnreachable, "wants a login"),
    (
        CONDA,
        error("CondaHTTPError", "HTTP 403", status_code=403, url="https://u:pw@h/c"),
        IndexUnreachable,
        " h answered 403",
    ),
    (
        CONDA,
        error("CondaHTTPError", "HTTP 404", status_code=404, url="https://h/c"),
        IndexUnreachable,
        "no such channel",
    ),
    (CONDA, error("CondaHTTPError", "HTTP 503", status_code=503, url="https://h/c"), IndexUnreachable, "answered 503"),
    (CONDA, error("UnavailableInvalidChannel", "x", status_code=404, channel_url="https://h/c"), IndexUnreachable, "h"),
    (CONDA, error("CondaSSLError", "certificate"), IndexUnreachable, "did not answer"),
    (CONDA, error("ProxyError"), IndexUnreachable, "did not answer"),
    (CONDA, error("NoSpaceLeftError", "No space left on devices."), DiskFull, "disk or the quota is full"),
    (CONDA, error("CondaError", "it failed", caused_by="OSError(28, 'No space left on device')"), DiskFull, "full"),
    (CONDA, error("CondaError", "it failed", caused_by="OSError(122, 'x')"), DiskFull, "full"),
    (CONDA, several(error("ChecksumMismatchError", "a"), error("ChecksumMismatchError", "a")), BuildFailed, "checksum"),
    (CONDA, error("CondaVerificationError", "corrupted"), BuildFailed, "checksum"),
    (CONDA, error("SafetyError", "sha256 mismatch"), BuildFailed, "checksum"),
    (CONDA, error("DirectoryNotACondaEnvironmentError", "x"), WrongState, "not a conda environment"),
    (CONDA, error("EnvironmentLocationNotFound", "x"), WrongState, "not a conda environment"),
    (CONDA, error("EnvironmentNotWritableError", "x"), LocationUnavailable, "may not write"),
    (CONDA, error("NoWritablePkgsDirError", "x"), LocationUnavailable, "may not write"),
    (CONDA, error("OperationNotAllowed", "Overriding channels has been disabled."), Refused, "conda refuses"),
    (CONDA, error("ChannelDenied", "x"), Refused, "conda refuses"),
    (CONDA, error("InvalidMatchSpec", "Invalid spec 'a=='"), InvalidRequirement, "does not understand"),
    (CONDA, error("LockError", "x"), Busy, "already"),
    (CONDA, error("PaddingError", "x"), PathTooLong, "longer than"),
    (CONDA, error("CondaMemoryError", "x"), BuildFailed, "out of memory"),
    (CONDA, error("AttributeError", "", traceback="Traceback …", command="conda"), BuildFailed, "itself failed"),
    (
        CONDA,
        several(error("LinkError", "post-link script failed for package h/c::a-1-0\n")),
        BuildFailed,
        "script of a-1-0",
    ),
    (CONDA, error("LinkError", "something else"), BuildFailed, "could not install"),
    (CONDA, "Traceback (most recent call last):\nModuleNotFoundError: conda", BuildFailed, "could not install"),
    (CONDA, "", BuildFailed, "could not install"),
    (
        MAMBA,
        logged(TREE.format("numpi =* * " + UNKNOWN)),
        PackageNotFound,
        "numpi",
    ),
    (MAMBA, logged(solver_problems=["nothing provides requested xyz"]), PackageNotFound, "“xyz”"),
    (
        MAMBA,
        logged(
            TREE.format(
                "a =* * can not be installed, it requires\n   └─ __cuda >=12 *, which is missing on the system."
            )
        ),
        RequirementsConflict,
        "__cuda",
    ),
    (
        MAMBA,
        logged(TREE.format("a =* * is not installable because it conflicts with b.")),
        RequirementsConflict,
        "exclude",
    ),
    (
        MAMBA,
        logged(
            "Multiple errors occurred:\nDownload error (6) Could not resolve hostname [https://h.org/c/noarch/repodata.json]"
        ),
        IndexUnreachable,
        "h.org did not",
    ),
    (
        MAMBA,
        logged("Failed to download package from https://h.org/c/x.conda (status 404)"),
        IndexUnreachable,
        "no such",
    ),
    (
        MAMBA,
        logged("File not valid: SHA256 doesn't match expectation /c/x.conda\nExpected: 1\nActual: 2\n"),
        BuildFailed,
        "checksum",
    ),
    (MAMBA, logged("Package is not installed in prefix.\nprefix: /p\npackage name: six\n"), PackageNotFound, "“six”"),
    (MAMBA, logged("failed to execute pre/post link script for x"), BuildFailed, "script of x"),
    (
        MAMBA,
        logged("filesystem error: cannot create directories: Permission denied [/c]"),
        LocationUnavailable,
        "may not",
    ),
    (MAMBA, logged("Could not write to file /c/x.conda: No space left on device"), DiskFull, "full"),
    (MAMBA, logged("LockFile can't be set at '/c/pkgs'"), BuildFailed, "refuses to lock"),
    (MAMBA, logged("No prefix found at: /p"), WrongState, "not a conda environment"),
    (
        MAMBA,
        "error    libmamba " + TREE.format("b =7 * " + UNKNOWN),
        PackageNotFound,
        "“b”",
    ),
    (
        MAMBA,
        "critical libmamba Download error (28) Timeout was reached [http://h/c]\nnull",
        IndexUnreachable,
        "h did not",
    ),
    (MAMBA, logged("something new"), BuildFailed, "could not install"),
]


@pytest.mark.parametrize(("program", "text", "kind", "words"), PROBLEMS, ids=[f"{case[1][:50]!r}" for case in PROBLEMS])
def test_a_failure_is_said_in_words_that_tell_what_to_do(
    program: Program, text: str, kind: type[HpcenvError], words: str
) -> None:
    said = Said(Report())
    for line in text.splitlines():
        said.line(line)
    found = problem(program, said.text, said.noise)
    assert type(found) is kind, found.message
    assert words in found.message
    assert found.hints
    assert "pw" not in found.message + found.reason


def test_what_holds_secrets_stays_out_of_the_reason() -> None:
    message = "HTTP 403 FORBIDDEN for url <https://me:hunter2@h/t/tk-9/c>\nx"
    told = {"response_details": "> Authorization: Basic aHVudGVyMg==", "traceback": "/home/me/secret.py"}
    text = error("CondaHTTPError", message, status_code=403, url="https://me:hunter2@h/c", **told)
    found = problem(CONDA, text, [])
    assert "FORBIDDEN" in found.reason
    for secret in ("hunter2", "tk-9", "aHVudGVyMg", "secret.py"):
        assert secret not in found.reason + found.message + "".join(found.hints)


# -- the disk ---------------------------------------------------------------


def part(url: str = "https://h:1/c/noarch/x-1-0.conda", size: int = 100, name: str = "x") -> Part:
    return Part(name=name, version="1", build="0", channel="https://h:1/c", subdir="noarch", url=url, size=size)


@pytest.mark.parametrize("folder", [".", "https/h_1/c/noarch"])
def test_packages_are_found_in_both_layouts_of_a_cache(tmp_path: Path, folder: str) -> None:
    assert unpacked([tmp_path], part()) is None
    tree = tmp_path / folder / "x-1-0"
    (tree / "info").mkdir(parents=True)
    assert unpacked([tmp_path], part()) is None  # half unpacked
    (tree / "info" / "index.json").write_text("{}")
    assert unpacked([tmp_path / "none", tmp_path], part()) == tree
    assert archive([tmp_path], part()) is None
    (tree.parent / "x-1-0.conda").write_text("")
    assert archive([tmp_path], part()) == tree.parent / "x-1-0.conda"
    assert scripts_of(tree, "x") == []
    (tree / "bin").mkdir()
    (tree / "bin" / ".x-post-link.sh").symlink_to("/nowhere")
    (tree / "bin" / ".y-pre-link.sh").write_text("")
    assert scripts_of(tree, "x") == ["post-link"]
    assert scripts_of(tree, "x", unlink=True) == []


def test_bytes_that_have_arrived_are_counted_while_they_arrive(tmp_path: Path) -> None:
    report, planned = Report(), Actions(fetch={"x": part(), "y": part(size=50, name="y")}, link=[part()])
    look = Look(report, planned, [tmp_path], tmp_path / "prefix", "download")
    look.look()
    (tmp_path / "x-1-0.conda.partial").write_bytes(b"x" * 40)
    look.look()
    look.look()  # nothing new, nothing said
    (tmp_path / "x-1-0.conda.partial").rename(tmp_path / "x-1-0.conda")
    (tmp_path / "x-1-0.conda").write_bytes(b"x" * 120)
    look.look()
    assert [(each.packages_done, each.bytes_done, each.bytes_total) for each in report.figures] == [
        (0, 0, 150),
        (0, 40, 150),
        (1, 100, 150),
    ]
    (tmp_path / "prefix" / "conda-meta").mkdir(parents=True)
    (tmp_path / "prefix" / "conda-meta" / "x-1-0.json").write_text("{}")
    look.look()
    look.look()
    assert report.steps == ["link"]
    assert (report.figures[-1].packages_done, report.figures[-1].packages_total) == (1, 1)


def test_only_what_lies_in_our_cache_is_thrown_away(tmp_path: Path) -> None:
    cache, other = tmp_path / "cache", tmp_path / "other"
    for folder in (cache, other):
        (folder / "x-1-0").mkdir(parents=True)
    (cache / "out").symlink_to(other)
    for path in (other / "x-1-0", cache / "out" / "x-1-0", cache / ".." / "other" / "x-1-0", cache / "none"):
        throw_away(path, [cache])
    assert (other / "x-1-0").is_dir()
    throw_away(cache / "x-1-0", [cache])
    assert not (cache / "x-1-0").exists()
    throw_away(cache, [cache])
    assert cache.is_dir()


def test_what_conda_writes_of_requests_is_read_as_it_means_it(tmp_path: Path) -> None:
    meta = tmp_path / "conda-meta"
    meta.mkdir()
    (meta / "history").write_text("")
    for name, spec in (("dependency", "None"), ("asked", "https://h:1/c/noarch::asked==1=0")):
        record = {"name": name, "version": "1", "build": "0", "requested_spec": spec}
        (meta / f"{name}-1-0.json").write_text(json.dumps(record))
    assert {each.name: each.requested for each in read(tmp_path)} == {
        "asked": "https://h:1/c/noarch::asked==1=0",
        "dependency": "",  # conda before 26.3 wrote “None” there
    }
    assert name_of("https://h:1/c/noarch::asked==1=0") == "asked"
    assert name_of("file:///c::asked[version='>=1']") == "asked"
