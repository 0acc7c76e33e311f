"""Follow what uv and pip print, and tell the reporter which step runs and how far it is.

Figures are what the tools say. uv prints one line when a large download begins and one when it ends, and
nothing for small ones; pip says the bytes of every file when asked for raw progress.
"""

from __future__ import annotations

import re

from ..models import LineKind, Progress, Reporter

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")
_SECRET = re.compile(r"(\w://)[^/@\s]+@")
_QUERY = re.compile(r"([?&](?:\w*token|password|api_?key|sig(?:nature)?|secret)=)[^&\s#)\"'`]+", re.IGNORECASE)
_SIZE = re.compile(r"\(([\d.]+) ?([kKMGT]?i?)B\)")
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_ORDER = ("resolve", "download", "install")


def clean(line: str) -> str:
    """Return a line without colours, control characters and credentials."""
    text = _SECRET.sub(r"\1…@", _ANSI.sub("", line))
    text = _QUERY.sub(r"\1…", text)
    return "".join(c for c in text.expandtabs(4) if c.isprintable()).rstrip()


def size_in(line: str) -> int:
    """Return the bytes that a line such as ``Downloading x (1.2MiB)`` names, or 0."""
    match = _SIZE.search(line)
    if not match:
        return 0
    step = 1024 if match[2].endswith("i") else 1000
    return int(float(match[1]) * step ** _UNITS[match[2][:1].lower()])


def kind_of(text: str) -> LineKind:
    """Return the kind of a line by the word that it begins with."""
    if re.match(r"\s*(error|ERROR)\b|\s*[×╰]", text):
        return "error"
    return "warning" if re.match(r"\s*(warning|WARNING|DEPRECATION|Reason for being yanked)\b", text) else "output"


class Watch:
    """Take an installer's lines one by one; ``lines`` keeps what it said, without progress marks."""

    def __init__(self, report: Reporter, installer: str) -> None:
        self.lines: list[str] = []
        self._report = report
        self._read = self._uv if installer == "uv" else self._pip
        self._step = ""
        self._sizes: dict[str, int] = {}
        self._announced: int | None = None  # bytes of the downloads that uv has named so far
        self._collected = 0
        self._total: int | None = None
        self._finished = 0  # bytes of files that are here
        self._current = 0  # bytes of the file that is coming

    def begin(self) -> None:
        """Begin with the first step that an installer has."""
        self._go("resolve")

    def end(self) -> None:
        """Pass the steps that the installer had nothing to do in (all is there already)."""
        self._go("install")

    def line(self, raw: str) -> None:
        """Take one line."""
        text = clean(raw)
        if not text:
            return
        if match := re.match(r"Progress (\d+) of (\d+)$", text):
            self._raw(int(match[1]), int(match[2]))
            return
        self.lines.append(text)
        self._read(text)
        self._report.line(kind_of(text), text)

    def _go(self, step: str) -> None:
        before = _ORDER.index(self._step) + 1 if self._step else 0
        for each in _ORDER[before : _ORDER.index(step) + 1]:
            self._step = each
            self._report.step(each)

    def _figures(self, done: int | None = None) -> None:
        arrived = self._finished + self._current or (None if self._announced is None else 0)
        self._report.progress(
            Progress(packages_done=done, packages_total=self._total, bytes_done=arrived, bytes_total=self._announced)
        )

    def _uv(self, text: str) -> None:
        if match := re.match(r"(Resolved|Prepared|Installed) (\d+) packages? in", text):
            number = int(match[2])
            self._report.detail(f"{number} package{'' if number == 1 else 's'}")
            if match[1] == "Resolved":
                self._total = number
            self._go("download" if match[1] == "Resolved" else "install")
            self._figures(number if match[1] == "Installed" else None)
        elif match := re.match(r" *Downloading (\S+) \(", text):
            self._sizes[match[1]] = size_in(text)
            self._announced = (self._announced or 0) + size_in(text)
            self._report.detail(" ".join(text.split()))
            self._figures()
        elif match := re.match(r" *Downloaded (\S+)$", text):
            self._finished += self._sizes.pop(match[1], 0)
            self._figures()

    def _pip(self, text: str) -> None:
        if re.match(r"(Collecting|Obtaining) ", text):
            self._collected += 1
            self._report.detail(f"{self._collected} packages so far")
        elif re.match(r" *Downloading \S+\.(whl|tar\.\w+|zip|tgz)\b(?!\.metadata)", text):
            # pip resolves while it downloads where the index has no separate metadata
            self._go("download")
            self._finished += self._current
            self._current = size_in(text)
            self._report.detail(" ".join(text.split()))
            self._figures()
        elif match := re.match(r"Installing collected packages: (.+)", text):
            self._total = len(match[1].split(","))
            self._finished += self._current
            self._current = 0
            self._go("install")
            self._report.detail(f"{self._total} package{'' if self._total == 1 else 's'}")
            self._figures()
        elif text.startswith("Successfully installed "):
            self._figures(self._total)

    def _raw(self, done: int, total: int) -> None:
        self._current = min(done, total)
        self._figures()
