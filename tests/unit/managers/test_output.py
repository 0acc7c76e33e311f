from __future__ import annotations

from typing import Any

import pytest

from jupyter_hpcenv.managers.output import Watch, clean, size_in


class Recorder:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []

    def step(self, name: str) -> None:
        self.said.append(("step", name))

    def detail(self, text: str) -> None:
        self.said.append(("detail", text))

    def line(self, kind: str, text: str) -> None:
        self.said.append((kind, text))

    def progress(self, progress: Any) -> None:
        self.said.append(("progress", progress))

    def check(self) -> None:
        pass

    def of(self, kind: str) -> list[Any]:
        return [value for what, value in self.said if what == kind]


def follow(installer: str, lines: str) -> Recorder:
    recorder = Recorder()
    watch = Watch(recorder, installer)  # type: ignore[arg-type]
    watch.begin()
    for line in lines.splitlines():
        watch.line(line)
    return recorder


def test_uv_tells_its_phases_and_sizes() -> None:
    seen = follow(
        "uv",
        "Using Python 3.12.1 environment at: x\nResolved 34 packages in 372ms\nDownloading numpy (15.8MiB)\n"
        "Downloading pandas (11.5MiB)\n Downloaded numpy\nPrepared 2 packages in 1s\n"
        "Installed 34 packages in 30ms\n + six==1\n",
    )
    assert seen.of("step") == ["resolve", "download", "install"]
    assert seen.of("detail") == [
        *("34 packages", "Downloading numpy (15.8MiB)", "Downloading pandas (11.5MiB)"),
        *("2 packages", "34 packages"),
    ]
    last = seen.of("progress")[-1]
    assert (last.packages_done, last.packages_total) == (34, 34)
    assert last.bytes_total == size_in("(15.8MiB)") + size_in("(11.5MiB)")
    assert last.bytes_done == size_in("(15.8MiB)")


def test_pip_tells_its_phases_and_the_bytes_that_came() -> None:
    seen = follow(
        "pip",
        "Collecting numpy\n  Downloading numpy-2.0-cp312.whl.metadata (62 kB)\n"
        "  Downloading numpy-2.0-cp312.whl (18.0 MB)\nProgress 0 of 18000000\nProgress 9000000 of 18000000\n"
        "Progress 18000000 of 18000000\nCollecting six\n  Using cached six-1.17.0-py2.py3-none-any.whl (11 kB)\n"
        "Installing collected packages: six, numpy\nSuccessfully installed numpy-2.0 six-1.17.0\n",
    )
    assert seen.of("step") == ["resolve", "download", "install"]
    assert seen.of("detail")[-1] == "2 packages"
    assert [each.bytes_done for each in seen.of("progress")][1:4] == [None, 9_000_000, 18_000_000]
    assert {each.bytes_total for each in seen.of("progress")} == {None}
    assert (seen.of("progress")[-1].packages_done, seen.of("progress")[-1].packages_total) == (2, 2)
    assert not [line for line in seen.of("output") if line.startswith("Progress")]


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_steps_without_work_are_passed_in_order(installer: str) -> None:
    recorder = Recorder()
    watch = Watch(recorder, installer)  # type: ignore[arg-type]
    watch.begin()
    watch.line("Audited 1 package in 1ms")
    watch.end()
    assert recorder.of("step") == ["resolve", "download", "install"]


def test_colours_and_credentials_never_reach_the_log() -> None:
    raw = "\x1b[1mLooking in indexes: https://me:s3cr3t@example.org/simple\x1b[0m\x1b]52;c;x\x07"
    assert clean("x?access_token=s3cr3t&a=1") == "x?access_token=…&a=1"
    assert clean("a\x07b\u202ec") == "abc"
    assert clean(raw) == "Looking in indexes: https://…@example.org/simple"


def test_errors_and_warnings_have_their_kind() -> None:
    seen = follow("uv", "warning: odd\nerror: broken\n  × No solution found\nplain\n")
    assert (len(seen.of("warning")), len(seen.of("error")), seen.of("output")) == (1, 2, ["plain"])
