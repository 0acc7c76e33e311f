"""Drive the conda engine in tests: a reporter that remembers, and can ask to stop where a test wants it."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_hpcenv.errors import Cancelled
from jupyter_hpcenv.managers.conda.plan import Source
from jupyter_hpcenv.managers.conda.running import PROGRAM
from jupyter_hpcenv.models import LineKind, Progress


class Notes:
    """A reporter that keeps all it is told; *stop* says after each word whether somebody asks to stop."""

    def __init__(self, stop: Callable[[Notes], bool] = lambda notes: False) -> None:
        self.steps: list[str] = []
        self.lines: list[tuple[str, str]] = []
        self.figures: list[tuple[str, Progress]] = []
        self.checks = 0
        self._stop = stop

    def step(self, name: str) -> None:
        if name not in self.steps[-1:]:
            self.steps.append(name)

    def detail(self, text: str) -> None:
        pass

    def line(self, kind: LineKind, text: str) -> None:
        self.lines.append((kind, text))

    def progress(self, progress: Progress | None) -> None:
        if progress is not None:
            self.figures.append((self.steps[-1], progress))

    def check(self) -> None:
        self.checks += 1
        if self._stop(self):
            raise Cancelled("Somebody asked for it.")

    def said(self, kind: str = "") -> str:
        """Return the lines of a kind, or all, as one text."""
        return "\n".join(text for each, text in self.lines if kind in ("", each))


def source(channel: Path | str, cache: Path, **more: Any) -> Source:
    """Return a source with one channel, or those that *more* names."""
    first = f"file://{channel}" if isinstance(channel, Path) else channel
    return Source(**{"channels": [first], "cache": str(cache), "retries": 0, **more})


def engines(path: Path) -> list[int]:
    """Return the pids of engines, whoever started them, whose request names *path*."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if (
                os.fsencode(PROGRAM) in words
                and str(path) in (Path(os.fsdecode(words[-2])) / "request.json").read_text()
            ):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def wait_for_no_engine(path: Path) -> None:
    """Come back when no engine works on *path* any more."""
    until = time.monotonic() + 60
    while engines(path):
        assert time.monotonic() < until, "an engine goes on and on"
        time.sleep(0.02)


def tree(folder: Path) -> dict[str, str]:
    """Return what lies below *folder*: paths with type, mode and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        what = os.readlink(path) if path.is_symlink() else ""
        if stat.S_ISREG(facts.st_mode):
            what = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(folder))] = f"{stat.filemode(facts.st_mode)} {what}"
    return found
