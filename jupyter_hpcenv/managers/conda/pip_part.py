"""Install the pip packages of a conda environment, by the pip that is in it.

They come after conda's, and pip is told not to touch what conda installed except where a requirement asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import BuildFailed
from ...files import remove_tree, write_atomic
from ...models import Changes, LineKind, Progress, Reporter
from ...process import run, working_folder
from .. import only, pipconf
from ..failures import failure
from ..output import Watch


class _OneStep:
    """A reporter whose steps are one: pip's own steps have no place among conda's."""

    def __init__(self, report: Reporter) -> None:
        self._report = report

    def step(self, name: str) -> None:
        """Stay in the step that runs."""

    def detail(self, text: str) -> None:
        """Say something short about the running step."""
        self._report.detail(text)

    def line(self, kind: LineKind, text: str) -> None:
        """Append a line to the log."""
        self._report.line(kind, text)

    def progress(self, progress: Progress | None) -> None:
        """Replace the figures of the running step."""
        self._report.progress(progress)

    def check(self) -> None:
        """Raise `Cancelled` if somebody asked for it."""
        self._report.check()


def environment_for_pip(inherited: Mapping[str, str], prefix: Path) -> dict[str, str]:
    """Return the variables for pip in *prefix*: it must not think of a virtual environment, or of the user's folder."""
    env = {name: value for name, value in inherited.items() if name not in pipconf.DROPPED}
    env.pop("VIRTUAL_ENV", None)
    env.update(
        CONDA_PREFIX=str(prefix),
        PATH=f"{prefix}/bin:{inherited.get('PATH', '/usr/local/bin:/usr/bin:/bin')}",
        PIP_USER="0",
        PIP_REQUIRE_VIRTUALENV="0",
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        PIP_NO_INPUT="1",
        NO_COLOR="1",
        PYTHONNOUSERSITE="1",
    )
    return only.environment(env)


def install(
    lines: Sequence[str],
    prefix: Path,
    inherited: Mapping[str, str],
    report: Reporter,
    *,
    upgrade: bool = False,
    alone: bool = False,
) -> None:
    """Install requirements into *prefix*, with *alone* without what they need.

    Raises what `jupyter_hpcenv.managers.failures.failure` finds.
    """
    options = ["install", "--no-compile", "--progress-bar", "raw", *only.options(only.sources())]
    options += ["--upgrade"] if upgrade else []
    options += ["--no-deps"] if alone else []
    _run(options, lines, prefix, inherited, report)


def change(changes: Changes, prefix: Path, inherited: Mapping[str, str], report: Reporter) -> None:
    """Install, update and remove what pip is asked for."""
    if changes.install:
        install(changes.install, prefix, inherited, report)
    if changes.update:
        install(changes.update, prefix, inherited, report, upgrade=True)
    if changes.remove:
        remove(changes.remove, prefix, inherited, report)


def remove(names: Sequence[str], prefix: Path, inherited: Mapping[str, str], report: Reporter) -> None:
    """Remove packages that pip installed."""
    _run(["uninstall", "--yes"], names, prefix, inherited, report)


def _run(
    options: Sequence[str], lines: Sequence[str], prefix: Path, inherited: Mapping[str, str], report: Reporter
) -> None:
    python = prefix / "bin" / "python"
    if not python.exists():
        raise BuildFailed(
            "Packages for pip were asked for, and there is no Python in the environment.",
            hints=["Add python and pip to the packages."],
        )
    watch = Watch(_OneStep(report), "pip")
    folder = Path(working_folder())
    try:
        wanted = folder / "requirements.txt"
        write_atomic(wanted, "".join(f"{line}\n" for line in lines).encode())
        done = run(
            [str(python), "-m", "pip", *options, "--no-color", "-r", str(wanted)],
            env=environment_for_pip(inherited, prefix),
            cwd=folder,
            on_line=watch.line,
            check=report.check,
        )
    finally:
        remove_tree(folder)
    if not done.ok:
        raise failure("pip", watch.lines)
