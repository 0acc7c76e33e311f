"""Look a package up where an installer would: in the configured indexes by its name, in folders of wheels by a word.

Indexes have no search by word any more. They are asked as installers ask them (PEP 503, 691, 700), all at once and for
a few seconds; nothing is followed to another host, and credentials in an address are neither sent nor shown.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
from packaging import tags
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from .. import typed
from ..errors import InvalidRequest
from . import index
from .configured import Places
from .contract import Hit

_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_MOST_FILES = 100_000  # of a folder


class File(msgspec.Struct, frozen=True, kw_only=True):
    """An archive, as an index has it."""

    filename: str
    size: int | None = None
    requires: str = ""
    yanked: bool | str = False


class _Entry(msgspec.Struct):
    filename: str
    size: int | None = None
    requires: str | None = msgspec.field(default=None, name="requires-python")
    yanked: bool | str = False


class _Page(msgspec.Struct):
    files: list[_Entry] = []


def check_word(query: str) -> str:
    """Return a word as it may stand in an address; raises `InvalidRequest`."""
    word = query.strip()
    if not _WORD.fullmatch(word):
        raise InvalidRequest(
            f"“{query[:100]}” is no name of a package, nor a part of one.",
            hints=["Give letters, digits, hyphens, dots and underscores, without a version."],
        )
    return word


def search(query: str, places: Places, python: str, limit: int, patience: float) -> list[Hit]:
    """Return what there is for *python* (a version), one hit a place; who did not answer says so in a note."""
    name = str(canonicalize_name(check_word(query)))
    found = [hit for place in places.folders for hit in _in_folder(name, place, python)]
    found += _asked(name, places.indexes, python, patience)
    if places.note:
        found.append(Hit(name=name, note=places.note))
    found.sort(key=lambda hit: (not hit.version, hit.name != name))
    return found[:limit]


def _asked(name: str, indexes: Sequence[str], python: str, patience: float) -> list[Hit]:
    answers: queue.SimpleQueue[tuple[str, Hit]] = queue.SimpleQueue()

    def put(place: str) -> None:
        answers.put((place, _in_index(name, place, python, patience)))

    for place in indexes:
        threading.Thread(target=put, args=(place,), daemon=True).start()  # nobody waits for one that hangs
    until, found = time.monotonic() + patience, dict[str, Hit]()
    while len(found) < len(indexes) and (left := until - time.monotonic()) > 0:
        with contextlib.suppress(queue.Empty):
            place, hit = answers.get(timeout=left)
            found[place] = hit
    late = f"It did not answer within {patience:g} s, so what it has is not known."
    return [found.get(each) or Hit(name=name, source=_index(each), note=late) for each in indexes]


def _index(url: str) -> str:
    return f"index {index.without_credentials(url)}"


def _in_index(name: str, place: str, python: str, patience: float) -> Hit:
    files = files_at(name, place, patience)
    if isinstance(files, str):
        return Hit(name=name, source=_index(place), note=files)
    return summed(name, files, _index(place), python)


def files_at(name: str, place: str, patience: float) -> list[File] | str:
    """Return the archives that an index has of a canonical name, or in a sentence why they are not known."""
    if not place.startswith(("https://", "http://")):
        return "It is no web address, so it was not asked."
    answer = index.fetch(f"{index.without_credentials(place).rstrip('/')}/{name}/", {"Accept": _ACCEPT}, patience)
    if isinstance(answer, str):
        return f"It could not be asked: {answer}."
    status, kind, body = answer
    if status == 404:
        return "It has no package of that name."
    if status in (401, 403):
        return "It wants a login, which a search does not send."
    if status != 200:
        return f"It could not be asked: it answered with status {status}."
    try:
        return _from_json(body) if "json" in kind else _from_html(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "It answered what is no page of an index."


def _from_json(body: bytes) -> list[File]:
    page = typed.of_json(body, _Page)
    return [
        File(filename=each.filename, size=each.size, requires=each.requires or "", yanked=each.yanked)
        for each in page.files
    ]


def _from_html(body: bytes) -> list[File]:
    parser = _Anchors()
    parser.feed(body.decode())
    return parser.files


class _Anchors(HTMLParser):
    """Read a page of an index in HTML (PEP 503, 592)."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[File] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the file that an anchor names."""
        said: Mapping[str, str | None] = dict(attrs)
        address = said.get("href") if tag == "a" else None
        if address:
            self.files.append(
                File(
                    filename=unquote(urlsplit(address).path.rpartition("/")[2]),
                    requires=said.get("data-requires-python") or "",
                    yanked=(said["data-yanked"] or True) if "data-yanked" in said else False,
                )
            )


def _in_folder(name: str, place: str, python: str) -> list[Hit]:
    if urlsplit(place).scheme in ("http", "https"):
        page = index.without_credentials(place)
        return [Hit(name=name, source=f"page {page}", note="Pages of wheels have no fixed form, so it was not read.")]
    folder = _folder(place)
    try:
        found = files_in(folder)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        return [Hit(name=name, source=f"folder {folder}", note=f"It could not be read: {why}.")]
    return [summed(each, files, f"folder {folder}", python) for each, files in sorted(found.items()) if name in each]


def _folder(place: str) -> Path:
    parts = urlsplit(place)
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(place).expanduser()


def files_in(folder: Path) -> dict[str, list[File]]:
    """Return the archives in a folder by canonical name; raises OSError."""
    found: dict[str, list[File]] = {}
    with os.scandir(folder) as entries:
        for _, entry in zip(range(_MOST_FILES), entries, strict=False):
            release = _release(entry.name)
            if release is not None:
                with contextlib.suppress(OSError):
                    found.setdefault(release[0], []).append(File(filename=entry.name, size=entry.stat().st_size))
    return found


def size_of(name: str, version: str, places: Places, python: str, patience: float) -> int | None:
    """Return the bytes of the smallest archive that an installer could take; None where nobody tells it."""
    fitting = _tags(python)
    sizes: list[int] = []
    for place in places.folders:
        with contextlib.suppress(OSError):
            if urlsplit(place).scheme not in ("http", "https"):
                sizes += _sizes(files_in(_folder(place)).get(name, []), version, python, fitting)
    for place in places.indexes:
        files = files_at(name, place, patience)
        if not isinstance(files, str):
            sizes += _sizes(files, version, python, fitting)
    return min(sizes, default=None)


def _sizes(files: Iterable[File], version: str, python: str, fitting: frozenset[tags.Tag]) -> list[int]:
    found = []
    for file in files:
        release = _release(file.filename)
        if release and file.size is not None and str(release[1]) == version and _fits(file, python, fitting):
            found.append(file.size)
    return found


def _release(filename: str) -> tuple[str, Version] | None:
    """Return the canonical name and version of an archive, or None for another file."""
    with contextlib.suppress(InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
        else:
            name, version = parse_sdist_filename(filename)
        return str(name), version
    return None


def summed(name: str, files: Iterable[File], source: str, python: str) -> Hit:
    """Return the newest version that fits, as installers choose: no yanked one, and no pre-release where others are."""
    fitting = _tags(python)
    there: dict[Version, list[tuple[File, bool]]] = {}
    for file in files:
        release = _release(file.filename)
        if release is not None and release[0] == name:
            there.setdefault(release[1], []).append((file, _fits(file, python, fitting)))
    if not there:
        return Hit(name=name, source=source, note="It has no archive of it.")
    usable = {
        version: fit
        for version, every in there.items()
        if (fit := [file for file, fits in every if fits and file.yanked is False])
    }
    stable = [version for version in usable if not version.is_prerelease]
    newest = max(there)
    if not usable:
        return Hit(name=name, versions=len(there), source=source, note=f"None of its versions fits Python {python}.")
    chosen = max(stable or usable)
    wheels = [file for file in usable[chosen] if file.filename.endswith(".whl")]
    best = (wheels or usable[chosen])[0]
    notes = [] if wheels else ["It has to be built from source."]
    if newest != chosen:
        notes.append(f"{newest} {_why_not(there[newest], newest, python)}.")
    yanked = sorted(version for version, every in there.items() if all(file.yanked is not False for file, _ in every))
    if yanked and yanked != [newest]:
        notes.append(f"Withdrawn: {', '.join(map(str, yanked[-5:]))}{' and others' if len(yanked) > 5 else ''}.")
    return Hit(name=name, version=str(chosen), versions=len(there), source=source, size=best.size, note=" ".join(notes))


def _why_not(every: Sequence[tuple[File, bool]], version: Version, python: str) -> str:
    if all(file.yanked is not False for file, _ in every):
        return "was withdrawn"
    if any(fits for _, fits in every) and version.is_prerelease:
        return "is a pre-release"
    needs = next((file.requires for file, _ in every if file.requires), "")
    return f"needs Python {needs}" if needs else f"has no archive for Python {python} on this computer"


def _fits(file: File, python: str, fitting: frozenset[tags.Tag]) -> bool:
    with contextlib.suppress(InvalidSpecifier):
        if file.requires and not SpecifierSet(file.requires).contains(python, prereleases=True):
            return False
    if not file.filename.endswith(".whl"):
        return True
    with contextlib.suppress(InvalidWheelFilename, InvalidVersion):
        return not fitting.isdisjoint(parse_wheel_filename(file.filename)[3])
    return False


def _tags(python: str) -> frozenset[tags.Tag]:
    """Return the tags of wheels that a CPython of that version takes on this computer."""
    major, minor = (int(number) for number in python.split(".")[:2])
    platforms = list(tags.platform_tags())
    own = tags.cpython_tags((major, minor), platforms=platforms)
    return frozenset([*own, *tags.compatible_tags((major, minor), f"cp{major}{minor}", platforms)])
