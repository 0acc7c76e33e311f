"""Keep what conda remembers of an environment: ``conda-meta/history``.

conda learns from the history which packages somebody asked for; what is not asked for goes when nothing needs it
any more. An environment without one loses nearly everything at the first ``conda remove``. The format is that of
conda's own ``history.py``: entries that begin with a date, ``-`` and ``+`` lines for packages, comments for requests.
Each entry of ours ends in all the requests that hold, so that one entry that got lost does no harm.
"""

from __future__ import annotations

import ast
import contextlib
import re
import shlex
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from ...files import read_regular, write_atomic
from .installed import META, Installed, name_of
from .registered import register, unregister

__all__ = ["Entry", "add", "asked_for", "dist", "path_of", "read", "register", "requests", "unregister"]

_LARGEST = 64_000_000  # bytes
_HEAD = re.compile(r"==>\s*(.+?)\s*<==")
_SPECS = re.compile(r"#\s*(\w+)\s*specs:\s*(.+)?")
_CMD = re.compile(r"#\s*cmd:\s*(.+)")
_DIST = re.compile(r"[+-](?:\S.*::)?[^-\s].*-[^-\s]+-[^-\s]+")
_WANTED, _UNWANTED = ("update", "install", "create"), ("remove", "uninstall")
_ALIAS = "https://conda.anaconda.org/"
_DEFAULTS = {"https://repo.anaconda.com/pkgs/main": "defaults", "https://repo.anaconda.com/pkgs/r": "defaults"}


class Entry(msgspec.Struct, kw_only=True):
    """What one transaction left in the history."""

    date: str
    command: str = ""
    lines: list[str] = []
    """Packages that went (``-``) and came (``+``)."""
    removed: list[str] = []
    updated: list[str] = []
    neutered: list[str] = []
    """Requests that conda loosened, because they could not hold."""


def path_of(prefix: Path) -> Path:
    """Return where the history of *prefix* lies."""
    return prefix / META / "history"


def read(prefix: Path) -> list[Entry]:
    """Return the entries, oldest first; lines that mean nothing are passed over, as a crash may leave them."""
    return _parse(_text(prefix))


def _text(prefix: Path) -> str:
    try:
        return read_regular(path_of(prefix), _LARGEST).decode(errors="surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _parse(text: str) -> list[Entry]:
    entries: list[Entry] = []
    for raw in text.splitlines():
        line = raw.strip()
        if head := _HEAD.match(line):
            entries.append(Entry(date=head[1]))
        elif not line or not entries:
            continue
        elif not line.startswith("#"):
            entries[-1].lines.append(line)
        elif command := _CMD.match(line):
            entries[-1].command = command[1]
        elif (match := _SPECS.match(line)) and (specs := _specs(match[2] or "")):
            if match[1] in _WANTED:
                entries[-1].updated = specs
            elif match[1] in _UNWANTED:
                entries[-1].removed = specs
            elif match[1] == "neutered":
                entries[-1].neutered = specs
    return entries


def _specs(text: str) -> list[str]:
    """Return the match specs of a comment; conda before 4.5 wrote them with commas, which also part versions."""
    if text.startswith("["):
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return []
        return [each for each in found if isinstance(each, str) and each and not each.endswith("@")]
    if "[" in text:
        return []
    specs: list[str] = []
    for part in text.split(","):
        if re.match(r"[=<>!~]", part) and specs:
            specs[-1] += f",{part}"
        elif part.strip():
            specs.append(part.strip())
    return [each for each in specs if not each.endswith("@")]


def asked_for(entries: Iterable[Entry]) -> dict[str, str]:
    """Return the match specs that *entries* leave standing, by name of the package, as conda counts them."""
    standing: dict[str, str] = {}
    for entry in entries:
        if not entry.command:  # conda passes over such an entry
            continue
        for spec in entry.removed:
            standing.pop(name_of(spec), None)
        for spec in [*entry.updated, *entry.neutered]:
            standing[name_of(spec)] = spec
    return standing


def requests(prefix: Path, packages: Sequence[Installed]) -> dict[str, list[str]]:
    """Return for each installed package that was asked for the match specs that may say how, the likeliest first.

    The history counts first, as for conda. What only the package's own record says counts too: rattler and pixi
    write no history, and a transaction that was killed may not have come to it.
    """
    standing = asked_for(read(prefix))
    found = {}
    for each in packages:
        specs = [spec for spec in (standing.get(each.name), each.requested) if spec]
        if specs:
            found[each.name] = list(dict.fromkeys([*specs, each.name]))
    return found


# -- writing ----------------------------------------------------------------


def add(
    prefix: Path,
    command: Sequence[str],
    packages: Iterable[Installed],
    wanted: Sequence[str],
    gone: Sequence[str] = (),
) -> None:
    """Add the entry of a transaction after which *packages* are installed and *wanted* are all requests that hold.

    *gone* are requests that were taken back. The file is replaced whole: a crash leaves it as it was.
    Raises `LocationUnavailable`, `DiskFull`.
    """
    text = _mended(_text(prefix))
    now = {dist(each): each for each in packages}
    last = _state(_parse(text))
    lines = [*(f"-{each}" for each in sorted(last - now.keys())), *(f"+{each}" for each in sorted(now.keys() - last))]
    if not lines and now:
        # conda takes an entry without packages for an empty environment: say again what is there
        names = {name_of(spec) for spec in wanted}
        lines.append("+" + next((name for name, each in sorted(now.items()) if each.name in names), min(now)))
    comments = [f"# cmd: {' '.join(shlex.quote(_line(word)) for word in command)}"]
    specs = [("remove", gone), ("update", wanted)]
    told = [f"# {word} specs: {[_line(each) for each in some]}" for word, some in specs if some]
    entry = [f"==> {time.strftime('%Y-%m-%d %H:%M:%S')} <==", *comments, *lines, *told]
    data = (text + "\n".join(entry) + "\n").encode(errors="surrogateescape")
    write_atomic(path_of(prefix), data, _mode(path_of(prefix)))


def dist(package: Installed) -> str:
    """Return how conda's history names a package: channel, architecture, name, version and build."""
    channel = _DEFAULTS.get(package.channel, package.channel)
    if channel.startswith(_ALIAS):
        channel = channel.removeprefix(_ALIAS)
    folder = f"/{package.subdir}" if package.subdir else ""
    return f"{channel}{folder}::{package.name}-{package.version}-{package.build}"


def _state(entries: Iterable[Entry]) -> set[str]:
    """Return the packages that the history knows of; as for conda, an entry without any says that there are none."""
    state: set[str] = set()
    for entry in entries:
        if any(line.startswith(("-", "+")) for line in entry.lines):
            state -= {line[1:] for line in entry.lines if line.startswith("-")}
            state |= {line[1:] for line in entry.lines if line.startswith("+")}
        else:
            state = set(entry.lines)
    return state


def _mended(text: str) -> str:
    """Return *text* without what a torn write left, at which conda would stop: comments that can not be read."""
    whole = not text or text.endswith("\n")
    lines = text.splitlines()
    kept = [line for line in lines if _readable(line.strip())]
    if not whole and kept and kept[-1] == lines[-1] and not _complete(lines[-1].strip()):
        kept.pop()
    return "".join(f"{line}\n" for line in kept)


def _readable(line: str) -> bool:
    match = _SPECS.match(line)
    return match is None or "[" not in (match[2] or "") or bool(_specs(match[2])) or match[2].strip() == "[]"


def _complete(line: str) -> bool:
    """Tell whether a last line without its end can be whole."""
    return bool(_HEAD.match(line) or _DIST.fullmatch(line) or (_SPECS.match(line) and line.endswith("]")))


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def _mode(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_mode & 0o777
    return 0o644
