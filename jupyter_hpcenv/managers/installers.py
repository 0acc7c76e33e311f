"""What uv and pip print, read: progress for people, and the errors that their failures mean."""

from __future__ import annotations

import re

from ..errors import (
    BuildFailed,
    DiskFull,
    HpcenvError,
    IndexUnreachable,
    PackageNotFound,
    RequirementsConflict,
)
from ..models import LineKind, Progress, Reporter

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_SECRET = re.compile(r"(//)[^/@\s]+@")
_SIZE = re.compile(r"\(([\d.]+)\s*([kKMG]i?)?B\)")
_UNITS = {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}


def clean(line: str) -> str:
    """Return a line without colours and credentials."""
    return _SECRET.sub(r"\1…@", _ANSI.sub("", line)).rstrip()


def size_in(line: str) -> int:
    """Return the bytes that a line such as ``Downloading x (1.2 MiB)`` names, or 0."""
    match = _SIZE.search(line)
    return int(float(match[1]) * _UNITS[match[2] or ""]) if match else 0


class Watch:
    """Follow an installer's output and tell the reporter which step runs and how far it is."""

    def __init__(self, report: Reporter, installer: str) -> None:
        self._read = self._uv if installer == "uv" else self._pip
        self._report = report
        self.lines: list[str] = []
        self._bytes_total = 0
        self._bytes_done = 0
        self._sizes: dict[str, int] = {}
        self._seen = 0
        self._total: int | None = None
        self._step = "resolve"

    def begin(self) -> None:
        """Begin with the first step that an installer has."""
        self._report.step("resolve")

    def _go(self, step: str) -> None:
        order = ("resolve", "download", "install")
        if order.index(step) > order.index(self._step):
            self._step = step
            self._report.step(step)

    def line(self, raw: str) -> None:
        """Take one line."""
        text = clean(raw)
        if not text:
            return
        self.lines.append(text)
        self._report.line(_kind(text), text)
        self._read(text)

    def _uv(self, text: str) -> None:
        """Read the lines that uv marks its phases with."""
        if match := re.match(r"Resolved (\d+) packages? in", text):
            self._total = int(match[1])
            self._report.detail(f"{match[1]} packages")
            self._go("download")
        elif match := re.match(r"Prepared (\d+) packages? in", text):
            self._report.detail(f"{match[1]} packages")
            self._go("install")
        elif match := re.match(r"Installed (\d+) packages? in", text):
            self._go("install")
            self._report.detail(f"{match[1]} packages")
        elif match := re.match(r"\s*Downloading (\S+) \(", text):
            self._sizes[match[1]] = size_in(text)
            self._bytes_total += size_in(text)
            self._figures()
        elif match := re.match(r"\s*Download(?:ed|ing) (\S+)$", text):
            self._bytes_done += self._sizes.pop(match[1], 0)
            self._figures()

    def _pip(self, text: str) -> None:
        """Read the lines that pip marks its phases with; it resolves while it downloads."""
        if re.match(r"Collecting ", text):
            self._seen += 1
            self._report.detail(f"{self._seen} packages so far")
        elif re.match(r"\s+(Downloading|Using cached) \S+\.(whl|tar\.gz|zip)", text):
            self._bytes_done += size_in(text)
            self._report.progress(Progress(packages_done=self._seen, bytes_done=self._bytes_done or None))
        elif match := re.match(r"Installing collected packages: (.+)", text):
            self._go("install")
            self._report.detail(f"{len(match[1].split(','))} packages")

    def _figures(self) -> None:
        self._report.progress(
            Progress(packages_total=self._total, bytes_done=self._bytes_done, bytes_total=self._bytes_total)
        )


def _kind(text: str) -> LineKind:
    if re.match(r"\s*(error|ERROR)\b|\s*[×╰]|  ╰─▶", text):
        return "error"
    return "warning" if re.match(r"\s*(warning|WARNING|DEPRECATION)\b", text) else "output"


def failure(tool: str, lines: list[str]) -> HpcenvError:
    """Return the error that an installer's last lines mean; its own words are the reason."""
    said = "\n".join(lines[-40:])
    flat = " ".join(said.split())
    if re.search(r"No space left on device|Disk quota exceeded|os error (28|122)\b", flat):
        return DiskFull(
            "The disk or the quota is full, so the packages could not be installed.",
            hints=["Empty the trash, or choose a location with more room.", "The cache of packages counts as well."],
            reason=said,
        )
    if match := re.search(r"(?:Because|because) (\S+) was not found in the package registry", flat):
        return _not_found(match[1], said)
    if match := re.search(r"(?:Because|because) there (?:is|are) no versions? of (\S+?)[ ,]", flat):
        return _no_version(match[1], said)
    if re.search(r"ResolutionImpossible|conflicting dependencies|requirements are unsatisfiable|unsatisfiable", flat):
        return RequirementsConflict(
            "The requirements exclude each other, or the Python that was chosen.",
            hints=["Loosen one of the requirements that are named below.", "Or choose another Python."],
            reason=said,
        )
    if match := re.search(r"No matching distribution found for ([^\s(]+)", flat):
        if "from versions: none" in flat:
            return _not_found(match[1], said)
        return _no_version(match[1], said)
    if re.search(
        r"Failed to fetch|error sending request|dns error|Connection refused|NewConnectionError|Max retries exceeded"
        r"|ConnectTimeout|Could not connect|Network is unreachable|tcp connect error",
        flat,
    ):
        return IndexUnreachable(
            "The package index did not answer while packages were being fetched.",
            hints=["See whether this machine reaches the internet, and try again; what arrived is in the cache."],
            reason=said,
        )
    if match := re.search(r"Failed to build [`']?([\w.-]+)|Failed building (?:wheel|editable) for ([\w.-]+)", flat):
        return BuildFailed(
            f"The package {match[1] or match[2]} has no ready wheel for this machine, and building it failed.",
            hints=["Choose a version that has a wheel, or another Python.", "Its own words are below."],
            reason=said,
        )
    if re.search(r"requires a different Python|Requires-Python|requires Python", flat):
        return RequirementsConflict(
            "A package needs another Python than the one that was chosen.",
            hints=["Choose a Python that satisfies it, or another version of the package."],
            reason=said,
        )
    return BuildFailed(f"{tool} could not install the packages.", hints=["Its own words are below."], reason=said)


def _not_found(name: str, said: str) -> PackageNotFound:
    bare = re.split(r"[=<>!~;\[]", name)[0].strip("`'\".,")
    return PackageNotFound(
        f"The package index has no package {bare!r}.",
        hints=["See how it is spelled there; the name to import is not always the name to install."],
        reason=said,
    )


def _no_version(name: str, said: str) -> PackageNotFound:
    shown = name.strip("`'\".,")
    return PackageNotFound(
        f"No version satisfies {shown!r} for this Python.",
        hints=["Loosen the version, or choose another Python."],
        reason=said,
    )
