"""Show how an operation goes: a bar on a terminal, plain lines where there is none, nothing with ``--json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models import LogLine, Operation, Progress
from .clean import clean
from .follow import View
from .output import Output, size, styled, tell
from .session import is_terminal

if TYPE_CHECKING:
    from rich.progress import TaskID

_STYLES = {"warning": "33", "error": "31"}


def view_for(output: Output) -> View:
    """Return the view that fits where stderr goes."""
    if output.as_json:
        return Silent()
    return Bar() if is_terminal() else Lines()


def sentence(line: LogLine) -> str:
    """Return a line with one word before it that says what it is; most tools begin with that word themselves."""
    word, colon, rest = line.text.strip().partition(":")
    text = rest.strip() if colon and word.lower() == line.kind else line.text.strip()
    return f"{line.kind.capitalize()}: {text}"


class Silent:
    """Show nothing: a program reads the result."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def show(self, operation: Operation) -> None:
        """Show nothing."""

    def line(self, line: LogLine) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Say nothing."""


class Lines(Silent):
    """Print each step when it begins, and each warning and error."""

    def __init__(self) -> None:
        self._begun = 0
        self._waits = ""

    def show(self, operation: Operation) -> None:
        """Print the steps that began since the last look, and what it waits for; a quick step may be over already."""
        if operation.waiting and operation.waiting != self._waits:
            first, self._waits = not self._waits, operation.waiting
            self.say(self._waits)
            if first:
                self.say(f"Ctrl-C cancels it, as does “jupyter hpcenv cancel {operation.id}” from elsewhere.")
        for number, step in enumerate(operation.steps[: operation.step], 1):
            if number > self._begun:
                self._begun = number
                self.say(f"[{number}/{len(operation.steps)}] {step.title}")

    def line(self, line: LogLine) -> None:
        """Print a warning or an error."""
        if line.kind in _STYLES:
            self.say(sentence(line))

    def say(self, text: str) -> None:
        """Print a line."""
        tell(clean(text))


class Bar(Silent):
    """Draw one bar over all steps, with figures where they are known; warnings and errors stand above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Drawing

        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        # Texts come from manager plug-ins: no markup.
        self._drawing = Drawing(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[figures]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._task: TaskID = self._drawing.add_task("Waiting for the worker", total=None, figures="")

    def __enter__(self) -> Bar:
        self._drawing.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._drawing.stop()

    def show(self, operation: Operation) -> None:
        """Move the bar; within a step it moves only by figures that are known."""
        if not operation.step:
            if operation.waiting:
                self._drawing.update(self._task, description=clean(operation.waiting))
            return
        step = operation.steps[operation.step - 1]
        done = sum(each.state == "done" for each in operation.steps)
        self._drawing.update(
            self._task,
            description=clean(f"[{operation.step}/{len(operation.steps)}] {step.title}"),
            total=len(operation.steps),
            completed=done + share(operation.progress),
            figures=clean(figures(operation.progress) or step.detail),
        )

    def line(self, line: LogLine) -> None:
        """Print a warning or an error above the bar."""
        if line.kind in _STYLES:
            self.say(sentence(line), _STYLES[line.kind])

    def say(self, text: str, style: str = "") -> None:
        """Print a line above the bar."""
        from rich.text import Text

        shown = clean(text)
        self._console.print(Text.from_ansi(styled(shown, style)) if style else Text(shown), soft_wrap=True)


def share(progress: Progress | None) -> float:
    """Return how much of the running step is done, from 0 to 1; 0 where that is not known."""
    if progress is None:
        return 0.0
    for done, total in (
        (progress.bytes_done, progress.bytes_total),
        (progress.packages_done, progress.packages_total),
    ):
        if done is not None and total:
            return min(1.0, done / total)
    return 0.0


def figures(progress: Progress | None) -> str:
    """Return the figures that are known, for example ``12 of 34 packages, 1.2 MB of 40.0 MB``."""
    if progress is None:
        return ""
    parts = []
    if progress.packages_done is not None:
        total = f" of {progress.packages_total}" if progress.packages_total is not None else ""
        parts.append(f"{progress.packages_done}{total} packages")
    elif progress.packages_total is not None:
        parts.append(f"{progress.packages_total} packages")
    if progress.bytes_done is not None:
        total = f" of {size(progress.bytes_total)}" if progress.bytes_total is not None else ""
        parts.append(f"{size(progress.bytes_done)}{total}")
    elif progress.bytes_total is not None:
        parts.append(size(progress.bytes_total))
    return ", ".join(parts)
