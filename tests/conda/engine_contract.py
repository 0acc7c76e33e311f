"""What every engine of the manager conda does, whether it is rattler or a program of the site's.

A test class inherits from `EngineContract` and gives it the fixtures `engine`, `source` and `prefix`. The engine is
asked through its verbs alone, and what became of the prefix is read by an oracle of this file, which knows conda's
documented formats and nothing of our code.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_hpcenv.errors import Cancelled, HpcenvError, PackageNotFound, Refused, RequirementsConflict
from jupyter_hpcenv.managers.conda.plan import Source
from jupyter_hpcenv.models import LineKind, PinnedPackage, Progress

STEPS = ["solve", "download", "link"]


class Report:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.details: list[str] = []
        self.lines: list[tuple[LineKind, str]] = []
        self.figures: list[Progress] = []

    def step(self, name: str) -> None:
        self.steps.append(name)

    def detail(self, text: str) -> None:
        self.details.append(text)

    def line(self, kind: LineKind, text: str) -> None:
        self.lines.append((kind, text))

    def progress(self, progress: Progress | None) -> None:
        if progress is not None:
            self.figures.append(progress)

    def check(self) -> None:
        pass

    @property
    def text(self) -> str:
        return "\n".join(text for _, text in self.lines)


class Stopped(Report):
    """A reporter of an operation that somebody cancelled."""

    def check(self) -> None:
        raise Cancelled("stopped")


# -- the oracle -------------------------------------------------------------


def records(prefix: Path) -> dict[str, str]:
    """Return the versions in an environment by name, as its records tell."""
    found = [json.loads(path.read_text()) for path in (prefix / "conda-meta").glob("*.json")]
    return {each["name"]: each["version"] for each in found}


def requested(prefix: Path) -> dict[str, str]:
    """Return the match specs that conda would take from the history for what the user asked for, by name.

    As its documentation has it: an entry begins with ``==>``, counts if it has a command, and its ``remove specs`` go
    before its ``update specs`` come.
    """
    standing: dict[str, str] = {}
    for entry in re.split(r"^==> .* <==$", (prefix / "conda-meta" / "history").read_text(), flags=re.MULTILINE)[1:]:
        if "# cmd:" not in entry:
            continue
        for word in ("remove", "update", "neutered"):
            for match in re.finditer(rf"^# {word} specs: (\[.*\])$", entry, re.MULTILINE):
                for spec in ast.literal_eval(match[1]):
                    name = re.match(r"(?:.*::)?([\w.-]+)", spec)
                    assert name, spec
                    standing.pop(name[1], None)
                    if word != "remove":
                        standing[name[1]] = spec
    return standing


def files_of(prefix: Path) -> dict[str, tuple[Any, ...]]:
    """Return everything below a folder, so that two looks can be compared."""
    return dict(_walk(prefix))


def _walk(folder: Path) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        yield str(path.relative_to(folder)), (facts.st_mode, facts.st_mtime_ns, content)


# -- the contract -----------------------------------------------------------


class EngineContract:
    """Each test is a promise that managers and people rely on."""

    def test_create_installs_what_is_asked_for_and_what_that_needs(
        self, engine: Any, source: Source, prefix: Path
    ) -> None:
        report = Report()
        found = engine.create(source, ["hpc-needs-old"], prefix, report)
        assert {each.name: each.version for each in found} == {"hpc-needs-old": "1.0", "hpc-tiny": "1.1"}
        assert {each.name: each.requested for each in found} == {"hpc-needs-old": "hpc-needs-old", "hpc-tiny": ""}
        assert all(each.url.startswith(source.channels[0]) and each.sha256 for each in found)
        assert records(prefix) == {"hpc-needs-old": "1.0", "hpc-tiny": "1.1"}
        assert (prefix / "share/hpc-tiny/version").read_text() == "1.1\n"
        assert requested(prefix) == {"hpc-needs-old": "hpc-needs-old"}
        begun = list(dict.fromkeys(report.steps))
        assert begun == [step for step in STEPS if step in begun]
        assert (begun[0], begun[-1]) == ("solve", "link")

    def test_what_marks_the_folder_as_ours_stays(self, engine: Any, source: Source, prefix: Path) -> None:
        (prefix / ".hpcenv").mkdir(parents=True)
        (prefix / ".hpcenv" / "operation").write_text("of ours")
        engine.create(source, ["hpc-tiny"], prefix, Report())
        assert (prefix / ".hpcenv" / "operation").read_text() == "of ours"

    def test_changes_come_and_go(self, engine: Any, source: Source, prefix: Path) -> None:
        engine.create(source, ["hpc-needs-old"], prefix, Report())

        done = engine.change(source, prefix, Report(), install=["hpc-exports"])
        assert [(each.name, each.version) for each in done.install] == [("hpc-exports", "1.0")]
        assert not done.remove
        assert not done.change
        assert requested(prefix).keys() == {"hpc-needs-old", "hpc-exports"}

        done = engine.change(source, prefix, Report(), remove=["hpc-needs-old"])
        assert "hpc-needs-old" in {each.name for each in done.remove}
        assert not done.install
        assert requested(prefix).keys() == {"hpc-exports"}
        assert not records(prefix).keys() & {"hpc-needs-old"}

    def test_an_update_takes_the_newest_that_the_requests_allow(
        self, engine: Any, source: Source, prefix: Path
    ) -> None:
        engine.create(source, ["hpc-tiny 1.0.*"], prefix, Report())
        engine.change(source, prefix, Report(), install=["hpc-tiny <2"])
        done = engine.change(source, prefix, Report(), update=["hpc-tiny"])
        assert records(prefix) == {"hpc-tiny": "1.1"}
        assert done.requested == ["hpc-tiny <2"]
        assert requested(prefix) == {"hpc-tiny": "hpc-tiny <2"}
        engine.change(source, prefix, Report(), install=["hpc-tiny >=2"])
        assert records(prefix) == {"hpc-tiny": "2.0"}
        assert (prefix / "share/hpc-tiny/only-2.0").exists()
        assert not (prefix / "share/hpc-tiny/only-1.0").exists()
        assert not (prefix / "share/hpc-tiny/only-1.1").exists()

    def test_updating_all_keeps_to_the_requests(self, engine: Any, source: Source, prefix: Path) -> None:
        engine.create(source, ["hpc-tiny 1.0.*", "hpc-exports"], prefix, Report())
        engine.change(source, prefix, Report(), install=["hpc-tiny <2"])
        done = engine.change(source, prefix, Report(), update_all=True)
        assert records(prefix)["hpc-tiny"] == "1.1"
        assert [each.name for each in done.change] in (["hpc-tiny"], [])  # installing it anew may have updated it
        assert requested(prefix) == {"hpc-tiny": "hpc-tiny <2", "hpc-exports": "hpc-exports"}

    def test_what_came_along_stays_once_it_is_asked_for(self, engine: Any, source: Source, prefix: Path) -> None:
        engine.create(source, ["hpc-needs-old"], prefix, Report())
        engine.change(source, prefix, Report(), install=["hpc-tiny"])
        assert requested(prefix).keys() == {"hpc-needs-old", "hpc-tiny"}
        engine.change(source, prefix, Report(), remove=["hpc-needs-old"])
        assert records(prefix).keys() == {"hpc-tiny"}

    def test_nothing_goes_that_was_asked_for_unless_it_is_named(
        self, engine: Any, source: Source, prefix: Path
    ) -> None:
        engine.create(source, ["hpc-needs-old"], prefix, Report())
        before = files_of(prefix)
        with pytest.raises(RequirementsConflict, match="hpc-needs-old"):
            engine.change(source, prefix, Report(), remove=["hpc-tiny"])
        assert files_of(prefix) == before

    def test_plans_leave_everything_as_it_is(self, engine: Any, source: Source, prefix: Path) -> None:
        engine.create(source, ["hpc-needs-old"], prefix, Report())
        before = files_of(prefix)
        new = engine.plan(source, ["hpc-exports"])
        assert [each.name for each in new.install] == ["hpc-exports"]
        assert new.requested == ["hpc-exports"]
        found = engine.plan(source, prefix=prefix, install=["hpc-linked"])
        assert [each.name for each in found.install] == ["hpc-linked"]
        gone = engine.plan(source, prefix=prefix, remove=["hpc-needs-old"])
        assert "hpc-needs-old" in {each.name for each in gone.remove}
        assert engine.plan(source, prefix=prefix, install=["hpc-needs-old"]).empty
        assert files_of(prefix) == before

    def test_a_plan_knows_what_is_to_be_downloaded(self, engine: Any, source: Source, prefix: Path) -> None:
        plan = engine.plan(source, ["hpc-tiny"])
        (package,) = plan.install
        archive = Path(package.url.removeprefix("file://"))
        assert (package.version, package.cached, package.bytes) == ("2.0", False, archive.stat().st_size)
        assert plan.download_bytes == archive.stat().st_size
        engine.create(source, ["hpc-tiny"], prefix, Report())
        plan = engine.plan(source, ["hpc-tiny"])
        assert plan.install[0].cached
        assert plan.download_bytes == 0
        assert plan.files == 3

    def test_an_unknown_package_is_named(self, engine: Any, source: Source, prefix: Path) -> None:
        with pytest.raises(PackageNotFound, match="hpc-no-such-thing"):
            engine.create(source, ["hpc-no-such-thing"], prefix, Report())
        engine.create(source, ["hpc-tiny"], prefix / "other", Report())
        for change in ({"remove": ["hpc-exports"]}, {"update": ["hpc-exports"]}):
            with pytest.raises(PackageNotFound, match="hpc-exports"):
                engine.change(source, prefix / "other", Report(), **change)

    def test_requests_that_exclude_each_other(self, engine: Any, source: Source, prefix: Path) -> None:
        with pytest.raises(RequirementsConflict) as caught:
            engine.create(source, ["hpc-needs-old", "hpc-needs-new"], prefix, Report())
        assert "hpc-needs-" in caught.value.reason
        assert caught.value.hints
        assert records(prefix) == {}

    def test_a_constraint_holds_for_what_comes_along(self, engine: Any, source: Source, prefix: Path) -> None:
        source = msgspec.structs.replace(source, constraints=["hpc-tiny <2"])
        engine.create(source, ["hpc-tiny"], prefix, Report())
        assert records(prefix) == {"hpc-tiny": "1.1"}

    def test_virtual_packages_are_as_they_are_told(self, engine: Any, source: Source, prefix: Path) -> None:
        without = msgspec.structs.replace(source, virtual_packages={"cuda": ""})
        with pytest.raises(RequirementsConflict, match="__cuda"):
            engine.create(without, ["hpc-cuda"], prefix / "without", Report())
        engine.create(
            msgspec.structs.replace(source, virtual_packages={"cuda": "12.4"}), ["hpc-cuda"], prefix, Report()
        )
        assert records(prefix) == {"hpc-cuda": "12.0"}

    def test_link_scripts_do_not_run_unasked(self, engine: Any, source: Source, prefix: Path) -> None:
        try:
            engine.create(source, ["hpc-post-link"], prefix, Report())
        except Refused:  # who can not leave the script out may refuse the package
            assert records(prefix) == {}
        assert not (prefix / "hpc-post-link-ran").exists()
        allowed = msgspec.structs.replace(source, link_scripts=True)
        engine.create(allowed, ["hpc-post-link"], prefix / "allowed", Report())
        assert (prefix / "allowed" / "hpc-post-link-ran").read_text() == "hpc-post-link\n"

    def test_an_exact_list_gives_the_same_packages(self, engine: Any, source: Source, prefix: Path) -> None:
        engine.create(source, ["hpc-needs-old", "hpc-exports"], prefix / "a", Report())
        pinned = [
            PinnedPackage(url=each["url"], sha256=each["sha256"])
            for path in (prefix / "a" / "conda-meta").glob("*.json")
            for each in [json.loads(path.read_text())]
        ]
        found = engine.install_pinned(source, pinned, prefix / "b", Report())
        assert records(prefix / "b") == records(prefix / "a") == {each.name: each.version for each in found}
        assert requested(prefix / "b").keys() == {"hpc-needs-old", "hpc-exports"}
        engine.create(source, ["hpc-linked"], prefix / "c", Report())
        engine.install_pinned(source, pinned, prefix / "c", Report())
        assert records(prefix / "c") == records(prefix / "a")
        assert not (prefix / "c" / "lib" / "hpc" / "real").exists()
        assert requested(prefix / "c").keys() == {"hpc-needs-old", "hpc-exports"}

    @pytest.mark.parametrize("warm", [False, True])
    def test_an_exact_package_of_another_digest_is_refused(
        self, engine: Any, source: Source, prefix: Path, warm: bool
    ) -> None:
        if warm:
            engine.create(source, ["hpc-tiny"], prefix / "warm", Report())
        url = engine.plan(source, ["hpc-tiny"]).install[0].url
        with pytest.raises(HpcenvError):
            engine.install_pinned(source, [PinnedPackage(url=url, sha256="0" * 64)], prefix / "new", Report())
        engine.create(source, ["hpc-tiny"], prefix / "again", Report())
        assert records(prefix / "again") == {"hpc-tiny": "2.0"}

    def test_copies_share_no_bytes_with_the_cache_and_are_of_today(
        self, engine: Any, source: Source, prefix: Path
    ) -> None:
        engine.create(source, ["hpc-tiny"], prefix / "linked", Report())
        assert (prefix / "linked/share/hpc-tiny/same").stat().st_nlink > 1
        engine.create(msgspec.structs.replace(source, copy=True), ["hpc-tiny"], prefix / "copied", Report())
        facts = (prefix / "copied/share/hpc-tiny/same").stat()
        assert facts.st_nlink == 1
        assert facts.st_mtime > (prefix / "linked/share/hpc-tiny/same").stat().st_mtime + 86_400

    def test_a_cancelled_operation_ends(self, engine: Any, source: Source, prefix: Path) -> None:
        with pytest.raises(Cancelled):
            engine.create(source, ["hpc-tiny"], prefix, Stopped())
        assert records(prefix) == {}
