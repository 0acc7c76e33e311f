"""Ask what a user, a group or a project may still use of a location: by quota, by lfs, or by a program of the site's.

A quota server may be slow or gone, so nobody waits long for one: what does not answer is said to be unknown, and an
answer holds for a minute. Programs are run as everywhere else, without a shell.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec

from .. import typed
from ..errors import HpcenvError
from ..models import Location
from ..patience import Patience, Slow
from ..process import environment, run
from .config import Site, username

#: Seconds for which an answer holds.
FRESH = 60.0

#: Seconds that somebody who asks waits; the program goes on, and its answer is there for who asks next.
WAIT = 2.0

_patience = Patience(WAIT)
_answers: dict[tuple[str, ...], tuple[float, Quota | str]] = {}
_guard = threading.Lock()

_NUMBER = re.compile(r"\[?(\d+)\]?\*?")


class Quota(NamedTuple):
    """What is used, and what may be; None where there is no limit, or none is known."""

    used_bytes: int | None = None
    limit_bytes: int | None = None
    used_files: int | None = None
    limit_files: int | None = None


class _Told(msgspec.Struct):
    """What a program of the site's prints: one JSON object with these fields, each of which may be left out."""

    used_bytes: int | None = None
    limit_bytes: int | None = None
    used_files: int | None = None
    limit_files: int | None = None


class Mount(NamedTuple):
    """The filesystem that a path lies on."""

    point: str
    kind: str
    source: str


def with_quotas(site: Site, locations: Sequence[Location]) -> list[Location]:
    """Fill in the quota of each location that can be used; all are asked at once, and none is waited for long."""
    asked = [location for location in locations if location.state == "ready" and location.root]
    if asked:
        with ThreadPoolExecutor(len(asked), "hpcenv-quota") as threads:
            list(threads.map(lambda location: _fill(site, location), asked))
    return list(locations)


def _fill(site: Site, location: Location) -> None:
    try:
        found = _patience.ask(f"quota {location.name} {location.root}", _asked, site, location)
    except Slow:
        location.quota_message = "The quota is not known: whoever keeps it does not answer now."
        return
    if isinstance(found, str):
        location.quota_message = found
    elif found is not None:
        location.used_bytes, location.quota_bytes = found.used_bytes, found.limit_bytes
        location.used_files, location.quota_files = found.used_files, found.limit_files


def _asked(site: Site, location: Location) -> Quota | str | None:
    """Return the quota, or why it is not known in a sentence; None where nobody keeps one."""
    mount = mount_of(location.root)
    argv = command(site, location, mount)
    if not argv:
        return None
    key = tuple(argv)
    with _guard:
        known = _answers.get(key)
    if known is not None and time.monotonic() - known[0] < FRESH:
        return known[1]
    answer: Quota | str
    try:
        done = run(argv, env=environment(site.passthrough), timeout=float(site.quota_timeout))
        found = _read(argv, list(done.tail), mount)
        if found is None and not done.ok:
            answer = f"The quota is not known: {argv[0]} ended with {done.returncode}."
        else:
            answer = found or Quota()
    except HpcenvError as error:
        answer = f"The quota is not known: {error.message}"
    with _guard:
        _answers[key] = (time.monotonic(), answer)
    return answer


def command(site: Site, location: Location, mount: Mount | None) -> list[str]:
    """Return the program that tells the quota of a location, as a list of words; empty: nobody is asked."""
    value = site.locations.get(location.name)
    chosen = value.get("quota", site.quota) if isinstance(value, dict) else site.quota
    if isinstance(chosen, list | tuple):
        words = {"{root}": location.root, "{location}": location.name, "{username}": username()}
        words |= {"{group}": location.group, "{project}": location.project}
        return [_filled(word, words) for word in chosen]
    if chosen == "auto":
        chosen = _found(mount)
    if chosen == "lfs":
        if location.project:
            return ["lfs", "quota", "-q", "-p", location.project, location.root]
        whose = ["-g", location.group] if location.group else ["-u", username()]
        return ["lfs", "quota", "-q", *whose, location.root]
    if chosen == "quota":
        return ["quota", "-v", "-w", "-p", *(["-g", location.group] if location.group else ["-u"])]
    return []


def _filled(word: str, words: dict[str, str]) -> str:
    """Replace the words in braces, each once: what they are replaced by is not looked at again."""
    return re.sub(r"\{\w+\}", lambda match: words.get(match[0], match[0]), word)


def _found(mount: Mount | None) -> str:
    """Return the program that is there for such a filesystem; empty where there is none."""
    if mount is not None and mount.kind == "lustre" and shutil.which("lfs"):
        return "lfs"
    if mount is not None and (mount.source.startswith("/dev/") or ":" in mount.source):
        return "quota" if shutil.which("quota") else ""
    return ""


def mount_of(path: str, table: str = "/proc/self/mountinfo") -> Mount | None:
    """Return the filesystem that *path*, which is resolved, lies on, as Linux lists it (proc(5)); None if not told."""
    try:
        lines = Path(table).read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    best: Mount | None = None
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        if len(fields) < 5 or len(rest) < 2:
            continue
        point = _unescaped(fields[4])
        holds = path == point or path.startswith(point.rstrip("/") + "/")
        if holds and (best is None or len(point) >= len(best.point)):  # what was mounted later hides what was before
            best = Mount(point, rest[0], _unescaped(rest[1]))
    return best


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _read(argv: Sequence[str], lines: Sequence[str], mount: Mount | None) -> Quota | None:
    if argv[0] == "lfs":
        return read_lfs(lines)
    if argv[0] == "quota":
        return read_quota(lines, mount.source if mount else "")
    return read_told(lines)


def read_told(lines: Sequence[str]) -> Quota | None:
    """Return what a program of the site's printed; None where it is not what `_Told` says."""
    try:
        told = typed.of_json("\n".join(lines), _Told)
    except msgspec.DecodeError:
        return None
    figures = (told.used_bytes, told.limit_bytes, told.used_files, told.limit_files)
    return Quota(*figures) if all(figure is None or figure >= 0 for figure in figures) else None


def read_lfs(lines: Sequence[str]) -> Quota | None:
    """Return what ``lfs quota -q`` printed: a path, then eight columns, on a line of their own after a long path."""
    words = " ".join(lines).split()
    for start in range(1, len(words) - 6):
        if _NUMBER.fullmatch(words[start]) and not _NUMBER.fullmatch(words[start - 1]):
            return _columns(words[start:])
    return None


def read_quota(lines: Sequence[str], source: str) -> Quota | None:
    """Return what ``quota -w -p`` printed of the filesystem *source*; of another one nothing is concluded."""
    for line in lines:
        words = line.split()
        if len(words) >= 9 and words[0] == source:
            return _columns(words[1:])
    return None


def _columns(words: Sequence[str]) -> Quota | None:
    """Return what eight columns say: kilobytes used, soft and hard limit, grace, then the same of files."""
    numbers = [_NUMBER.fullmatch(word) for word in words[:8]]
    if len(numbers) < 7 or not all(numbers[index] for index in (0, 1, 2, 4, 5, 6)):
        return None
    used, soft, hard, files, files_soft, files_hard = (
        int(found[1]) for index in (0, 1, 2, 4, 5, 6) if (found := numbers[index]) is not None
    )
    return Quota(
        used * 1024,
        (hard or soft) * 1024 or None,
        files,
        (files_hard or files_soft) or None,
    )


def room(location: Location) -> tuple[int | None, int | None]:
    """Return how many bytes and files fit into a location, by its filesystem and its quota; None: not known."""
    left_bytes = _left(location.quota_bytes, location.used_bytes)
    left_files = _left(location.quota_files, location.used_files)
    return _least(location.free_bytes, left_bytes), _least(location.free_files, left_files)


def _left(limit: int | None, used: int | None) -> int | None:
    return None if limit is None or used is None else max(limit - used, 0)


def _least(*figures: int | None) -> int | None:
    return min((figure for figure in figures if figure is not None), default=None)
