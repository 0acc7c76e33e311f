from __future__ import annotations

from typing import Any

import pytest

from jupyter_hpcenv.errors import (
    BuildFailed,
    DiskFull,
    HpcenvError,
    IndexUnreachable,
    PackageNotFound,
    RequirementsConflict,
)
from jupyter_hpcenv.managers.installers import Watch, clean, failure, size_in


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
    assert seen.of("detail") == ["34 packages", "2 packages", "34 packages"]
    last = seen.of("progress")[-1]
    assert last.bytes_total == size_in("(15.8MiB)") + size_in("(11.5MiB)")
    assert last.bytes_done == size_in("(15.8MiB)")


def test_pip_tells_its_phases() -> None:
    seen = follow(
        "pip",
        "Collecting numpy\n  Downloading numpy-2.0-cp312.whl (18.0 MB)\nCollecting six\n"
        "  Using cached six-1.17.0-py2.py3-none-any.whl (11 kB)\n"
        "Installing collected packages: six, numpy\nSuccessfully installed numpy-2.0 six-1.17.0\n",
    )
    assert seen.of("step") == ["resolve", "install"]
    assert seen.of("detail")[-1] == "2 packages"
    assert seen.of("progress")[0].bytes_done == 18_000_000
    assert seen.of("progress")[0].bytes_total is None


def test_colours_and_credentials_never_reach_the_log() -> None:
    raw = "\x1b[1mLooking in indexes: https://me:s3cr3t@example.org/simple\x1b[0m\x1b]52;c;x\x07"
    assert clean(raw) == "Looking in indexes: https://…@example.org/simple"


def test_errors_and_warnings_have_their_kind() -> None:
    seen = follow("uv", "warning: odd\nerror: broken\n  × No solution found\nplain\n")
    assert (len(seen.of("warning")), len(seen.of("error")), seen.of("output")) == (1, 2, ["plain"])


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (
            "  × No solution found when resolving dependencies:\n  ╰─▶ Because nosuchpkg was not found in the package "
            "registry and you require\n      nosuchpkg, we can conclude that your requirements are unsatisfiable.",
            PackageNotFound,
        ),
        (
            "  × No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of six==99 and you "
            "require six==99,\n      we can conclude that your requirements are unsatisfiable.",
            PackageNotFound,
        ),
        (
            "  ╰─▶ Because numba==0.59.1 depends on numpy>=1.22,<1.27 and you require\n      numpy>=2.1, we can "
            "conclude that your requirements are unsatisfiable.",
            RequirementsConflict,
        ),
        ("ERROR: ResolutionImpossible: for help visit x", RequirementsConflict),
        (
            "ERROR: Could not find a version that satisfies the requirement nosuch (from versions: none)\n"
            "ERROR: No matching distribution found for nosuch",
            PackageNotFound,
        ),
        (
            "ERROR: Could not find a version that satisfies the requirement six==99 (from versions: 1.0, 1.1)\n"
            "ERROR: No matching distribution found for six==99",
            PackageNotFound,
        ),
        ("error: Failed to fetch: `http://127.0.0.1:1/x/`\n  Caused by: tcp connect error", IndexUnreachable),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", DiskFull),
        ("error: failed to write: Disk quota exceeded (os error 122)", DiskFull),
        ("  × Failed to build `fitsio==1.0`\n  ├─▶ The build backend returned an error", BuildFailed),
        ("something new", BuildFailed),
    ],
)
def test_failures_mean_errors_with_hints(said: str, error: type[HpcenvError]) -> None:
    found = failure("uv", said.splitlines())
    assert type(found) is error
    assert found.hints
    assert said.splitlines()[0] in found.reason
