"""Read what conda, mamba and micromamba print when they are asked for JSON.

Their answers are one document, as a rule. Around it there may be warnings, a banner, lines of progress that end in NUL
(conda before 24; later ones print them to terminals alone, mamba never does), a document that says “all is well” on
standard error, or two documents for one answer (mamba 1). So whatever can be read as an object is taken, and the
words between are kept for the log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ...models import Reporter
from ..output import clean, kind_of

_LARGEST = 50_000_000  # characters; the longest answers have a few hundred packages with 3 kB each
_TRIES = 200  # places where a document may begin, after which the rest is taken for noise

_PROGRESS = re.compile(r'\{"fetch": ?".*"progress": ?[\d.]+\}$')
_TOKEN = re.compile(r"(/t/)[^/\s]+")

#: Documents that end a program early although nothing is wrong.
HARMLESS = frozenset({"CondaExitZero", "DryRunExit", "CondaSystemExit"})


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A package of a plan; what a program does not say is empty."""

    name: str
    version: str
    build: str
    channel: str
    """URL of the channel, without the folder of the architecture, or its name."""
    subdir: str
    url: str
    size: int

    @property
    def stem(self) -> str:
        """File name without ending; also the name of its record in an environment."""
        return f"{self.name}-{self.version}-{self.build}"


class Actions(msgspec.Struct, kw_only=True):
    """What a program would do, or has done."""

    fetch: dict[str, Part] = {}
    """By stem."""
    link: list[Part] = []
    unlink: list[Part] = []


class Said:
    """Take the lines of a program; `text` keeps all of them, the log gets those that are no JSON."""

    def __init__(self, report: Reporter) -> None:
        self.noise: list[str] = []
        self._lines: list[str] = []
        self._size = 0
        self._inside = False
        self._told: set[str] = set()
        self._report = report

    @property
    def text(self) -> str:
        """Everything that was said, without marks of progress."""
        return "\n".join(self._lines)

    def line(self, raw: str) -> None:
        """Take one line."""
        line = raw.strip("\0").rstrip()
        if not line or _PROGRESS.match(line) or self._size > _LARGEST:
            return
        self._lines.append(line)
        self._size += len(line)
        if not self._is_json(line) and (text := shown(line)) and text not in self._told:
            self._told.add(text)  # conda says some things once for each folder of each channel
            self.noise.append(text)
            self._report.line(_kind(text), text)

    def _is_json(self, line: str) -> bool:
        """Tell whether a line belongs to a document: they are indented, and begin and end at the margin."""
        if self._inside:
            self._inside = not re.match(r"\}\{?", line) or line.startswith("}{")
            return True
        self._inside = line == "{"
        return self._inside or (line.startswith("{") and line.endswith("}"))


def _kind(text: str) -> Any:
    return "error" if text.startswith("critical") else kind_of(text)


def shown(text: str) -> str:
    """Return a line for people: no colours, no credentials, no tokens in paths."""
    return _TOKEN.sub(r"\1…", clean(text))


def paragraph(text: str, most: int = 60) -> str:
    """Return a longer text for people, line by line, its empty lines left out."""
    lines = [line for line in map(shown, text.splitlines()) if line]
    return "\n".join(lines[:most])


def documents(text: str) -> list[dict[str, Any]]:
    """Return the JSON objects in *text*, in their order, whatever stands between them."""
    decoder, found, position = json.JSONDecoder(strict=False), [], 0
    for _ in range(_TRIES):
        start = text.find("{", position)
        if start < 0:
            break
        try:
            value, position = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            following = re.compile(r"^\{|(?<=\})\{", re.MULTILINE).search(text, start + 1)
            if following is None:
                break
            position = following.start()
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def answer(text: str) -> dict[str, Any]:
    """Return the document that answers, the last that says whether it worked or what is done; else an empty one."""
    found = [each for each in documents(text) if "success" in each or isinstance(each.get("actions"), dict)]
    return found[-1] if found else {}


def failures(text: str) -> list[dict[str, Any]]:
    """Return the errors that conda describes, innermost first unpacked; harmless ends are none."""
    return [error for document in documents(text) for error in _leaves(document)]


def _leaves(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    nested = document.get("errors")
    if isinstance(nested, list):
        for each in nested:
            if isinstance(each, dict):
                yield from _leaves(each)
    elif isinstance(name := document.get("exception_name"), str) and name not in HARMLESS:
        yield dict(document)
    elif name is None and isinstance(document.get("error"), str) and "success" not in document:
        yield {**document, "exception_name": ""}


def actions(document: Mapping[str, Any]) -> Actions:
    """Return what *document* says that is done; programs leave out what is empty, or say null."""
    said = document.get("actions")
    if isinstance(said, list):  # as conda 4.4 did for a while
        said = next((each for each in said if isinstance(each, dict)), {})
    if not isinstance(said, dict):
        return Actions()
    fetch = {part.stem: part for part in _parts(said.get("FETCH"))}
    link = [_complete(part, fetch.get(part.stem)) for part in _parts(said.get("LINK"))]
    return Actions(fetch=fetch, link=link, unlink=list(_parts(said.get("UNLINK"))))


def _parts(listed: Any) -> Iterator[Part]:
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and isinstance(each.get("name"), str):
            yield _part(each)


def _part(said: Mapping[str, Any]) -> Part:
    """Return one package: conda gives the whole record of what is fetched, and a few words of what is linked."""

    def text(*keys: str) -> str:
        return next((said[key] for key in keys if isinstance(said.get(key), str) and said[key]), "")

    size = said.get("size")
    subdir = text("subdir", "platform")
    channel = text("base_url", "channel")
    if subdir and channel.rstrip("/").endswith(f"/{subdir}"):
        channel = channel.rstrip("/").removesuffix(f"/{subdir}")
    return Part(
        name=text("name"),
        version=text("version"),
        build=text("build_string", "build"),
        channel=shown(channel),
        subdir=subdir,
        url=text("url"),
        size=size if isinstance(size, int) and size > 0 else 0,
    )


def _complete(part: Part, fetched: Part | None) -> Part:
    """Return what is linked with what is known from its being fetched; a channel’s URL says more than its name."""
    if fetched is None:
        return part
    return msgspec.structs.replace(
        part,
        url=part.url or fetched.url,
        size=part.size or fetched.size,
        channel=part.channel if "://" in part.channel else fetched.channel,
    )
