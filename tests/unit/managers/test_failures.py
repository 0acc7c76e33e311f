from __future__ import annotations

import pytest

from jupyter_hpcenv.errors import (
    BuildFailed,
    DiskFull,
    HpcenvError,
    IndexUnreachable,
    PackageNotFound,
    RequirementsConflict,
)
from jupyter_hpcenv.managers.failures import failure


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
        (
            "error: No solution found when resolving dependencies\n  cause: Because there is no version of six==99 and "
            "you require six==99, we can conclude that your requirements are unsatisfiable.",
            PackageNotFound,
        ),
        (
            "error: No solution found when resolving dependencies\n  cause: Because you require six==1.16 "
            "and six==1.17, we can conclude that your requirements are unsatisfiable.",
            RequirementsConflict,
        ),
        (
            "error: No solution found when resolving dependencies\n  cause: Because the current Python version "
            "(3.10.13) does not satisfy Python>=3.12 and x==1 depends on Python>=3.12, we can conclude that your "
            "requirements are unsatisfiable.",
            RequirementsConflict,
        ),
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by "
            "'NewConnectionError(\"Connection refused\")'\n"
            "ERROR: Could not find a version that satisfies the requirement six (from versions: none)\n"
            "ERROR: No matching distribution found for six",
            IndexUnreachable,
        ),
        ("error: Failed to fetch: x\n  cause: HTTP status client error (403 Forbidden) for url (x)", IndexUnreachable),
        (
            "Getting requirements to build editable: finished with status 'error'\n"
            "  error: subprocess-exited-with-error\n"
            "ERROR: Failed to build 'file:///x' when getting requirements to build editable",
            BuildFailed,
        ),
        (
            "error: The build backend returned an error\n  cause: Call to `setuptools.build_meta` failed\n"
            "  urllib.error.URLError: Connection refused",
            BuildFailed,
        ),
    ],
)
def test_failures_mean_errors_with_hints(said: str, error: type[HpcenvError]) -> None:
    found = failure("uv", said.splitlines())
    assert type(found) is error
    assert found.hints
    assert said.splitlines()[0] in found.reason


def test_the_package_that_could_not_be_built_is_named() -> None:
    error = failure("uv", ["  × Failed to build `fitsio==1.0`", "  ├─▶ The build backend returned an error"])
    assert "fitsio==1.0" in error.message
    error = failure("pip", ["  error: subprocess-exited-with-error", "ERROR: Failed building wheel for fitsio"])
    assert "fitsio" in error.message


@pytest.mark.parametrize(
    "said",
    [
        "ERROR: Ignored the following yanked versions: 2.32.0, 2.32.1\n"
        "ERROR: Could not find a version that satisfies the requirement six>=2.32 (from versions: 1.0, 1.1)\n"
        "ERROR: No matching distribution found for six>=2.32",
        "  × No solution found when resolving dependencies:\n  ╰─▶ Because only the following versions of six are "
        "available:\n          six<=2.32.0\n      and six==2.32.0 was yanked (reason: broken), we can conclude that "
        "six>=2.32 cannot be used.\n      And because you require six>=2.32, we can conclude that your requirements "
        "are unsatisfiable.",
    ],
    ids=["pip", "uv"],
)
def test_what_its_author_withdrew_is_said(said: str) -> None:
    error = failure("pip", said.splitlines())
    assert isinstance(error, PackageNotFound)
    assert "withdrew (yanked)" in error.message
    assert "2.32.0" in error.message


def test_of_hundreds_of_versions_the_newest_are_shown() -> None:
    all_of_them = ", ".join(f"1.{number}" for number in range(300))
    line = f"ERROR: Could not find a version that satisfies the requirement six==99 (from versions: {all_of_them})"
    error = failure("pip", [line, "ERROR: No matching distribution found for six==99"])
    assert "(from versions: …, 1.290, 1.291," in error.reason
    assert error.reason.count("1.") == 10
