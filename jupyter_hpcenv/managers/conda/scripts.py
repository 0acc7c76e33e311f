"""Run the scripts that packages bring for when they are linked and unlinked, or say which did not run.

They may do anything as the user, so they run only where the site wants it. They see what conda shows them:
PREFIX, PKG_NAME, PKG_VERSION and PKG_BUILDNUM, and what they leave in ``.messages.txt`` is for the user.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from ...errors import BrokenRecord, BuildFailed
from ...files import read_regular
from ...models import Reporter
from ...process import environment, run
from ..output import clean
from .installed import Installed, in_order

When = Literal["post-link", "pre-unlink"]

_MESSAGES = ".messages.txt"
_SHOWN = 40  # lines


def script_of(prefix: Path, package: Installed, when: When) -> Path:
    """Return where the script of a package lies, if it has one."""
    return prefix / "bin" / f".{package.name}-{when}.sh"


def run_scripts(prefix: Path, packages: Iterable[Installed], when: When, report: Reporter, *, allowed: bool) -> None:
    """Run the scripts of *packages*, those that others need first; name them in the log where it is not *allowed*.

    Raises `BuildFailed` with the package and what its script said.
    """
    having = [each for each in in_order(packages) if script_of(prefix, each, when).is_file()]
    if having and not allowed:
        names = ", ".join(each.name for each in having)
        report.line(
            "warning",
            f"These packages have {when} scripts, which were not run: {names}. If something does not work, "
            "their documentation says what the script would do; the site decides whether scripts run.",
        )
        return
    for package in having if when == "post-link" else reversed(having):
        _run(prefix, package, when, report)


def _run(prefix: Path, package: Installed, when: When, report: Reporter) -> None:
    report.line("output", f"Running the {when} script of {package.name}.")
    told: list[str] = []

    def on_line(raw: str) -> None:
        if text := clean(raw):
            told.append(text)
            report.line("output", text)

    script = script_of(prefix, package, when)
    done = run(["bash", str(script)], env=_environment(prefix, package), on_line=on_line, check=report.check)
    with contextlib.suppress(OSError, BrokenRecord):
        for line in read_regular(prefix / _MESSAGES).decode(errors="replace").splitlines():
            on_line(line)
        (prefix / _MESSAGES).unlink()
    if not done.ok:
        raise BuildFailed(
            f"The {when} script of {package.name} failed with status {done.returncode}.",
            hints=["See below what it said.", "Leave the package out, or have the site switch scripts off."],
            reason="\n".join(told[-_SHOWN:]) or "It said nothing.",
        )


def _environment(prefix: Path, package: Installed) -> dict[str, str]:
    extra = {
        "PREFIX": str(prefix),
        "ROOT_PREFIX": str(prefix),
        "CONDA_PREFIX": str(prefix),
        "PKG_NAME": package.name,
        "PKG_VERSION": package.version,
        "PKG_BUILDNUM": str(package.build_number),
        "PATH": os.pathsep.join([str(prefix / "bin"), os.environ.get("PATH", os.defpath)]),
    }
    return environment((), extra)
