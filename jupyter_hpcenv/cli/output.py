"""Print results, warnings and errors: one JSON object for programs, or lines for people."""

from __future__ import annotations

import datetime
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import click

from ..errors import HpcenvError
from .clean import clean, clean_lines

SCHEMA = "jupyter_hpcenv/1"


class Output:
    """What one command prints. Results go to stdout; all else goes to stderr."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._answered = False

    def result(self, data: Any, lines: Iterable[str]) -> None:
        """Print the result: *data* (structs or plain values) with ``--json``, else *lines*."""
        if self.as_json:
            import msgspec

            self.document({"schema": SCHEMA, "ok": True, "data": msgspec.to_builtins(data)})
            return
        for line in lines:
            click.echo(clean(line))
        sys.stdout.flush()

    def document(self, value: Any) -> None:
        """Print *value* as one line of ASCII JSON, in which no character can steer a terminal."""
        self._answered = True
        click.echo(json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f"))
        sys.stdout.flush()

    def error(self, error: HpcenvError) -> None:
        """Print what went wrong: message, reason, and each hint as a line of its own."""
        body = error.body()
        if self.as_json:
            if not self._answered:
                self.document({"schema": SCHEMA, "ok": False, "error": body})
            return
        tell(styled("Error: ", "31;1") + styled(clean(error.message), "1"))
        for line in clean_lines(error.reason):
            tell(styled("  " + line, "2"))
        for hint in error.hints:  # one may be what another program said, over several lines
            for number, line in enumerate(clean_lines(hint)):
                tell(("  " if number else "→ ") + line)

    def warn(self, text: str) -> None:
        """Print a warning; it goes to stderr with ``--json``, too."""
        tell(styled("Warning: ", "33;1") + clean(text))

    def say(self, text: str) -> None:
        """Print something about the way to the result; nothing with ``--json``."""
        if not self.as_json:
            tell(clean(text))


def tell(line: str) -> None:
    """Write a line, which is clean already, to stderr."""
    click.echo(line, err=True)


def styled(text: str, code: str) -> str:
    """Return *text* in one of our own styles where stderr is a terminal that shows them."""
    return f"\x1b[{code}m{text}\x1b[0m" if colours(sys.stderr) else text


def colours(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal whose owner has nothing against colours (see no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows under their heads, in columns as wide as what is in them."""
    cells = [[clean(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def pairs(facts: Iterable[tuple[str, str]]) -> list[str]:
    """Return facts as indented lines; one without a value is left out."""
    known = [(name, value) for name, value in facts if value]
    width = max((len(name) for name, _ in known), default=0)
    return [f"  {name.ljust(width)}  {value}" for name, value in known]


def moment(text: str) -> str:
    """Return an ISO 8601 time in UTC as people here read it; what is no time stays as it is."""
    try:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return text


def size(count: int) -> str:
    """Return bytes as a person reads them, in powers of 1,000."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"
