"""Read a manifest strictly: a key that is not known is a mistake, and the nearest known one is named."""

from __future__ import annotations

import contextlib
import datetime
import difflib
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..errors import BrokenRecord, HpcenvError, InvalidRequest, NotFound, Refused
from ..files import read_regular
from ..formats.described_python import looks_described
from ..formats.plain_text import clean
from ..formats.strict_yaml import Node, load
from ..models import CreateRequest
from ..names import LOCATION_PATTERN, NAME_PATTERN, check_name
from ..trust import who_can_write
from .words import Document, Entry, Target, Visible

LONGEST = 2_000_000
VERSION = "1"

_TEXTS = ("manager", "python", "location", "installer", "display_name")
_LISTS = ("packages", "channels", "modules")
_MAPPINGS = ("variables", "build_variables", "virtual_packages")
_SWITCHES = ("kernel", "system_site_packages")
_SHARED = (*_TEXTS, *_LISTS, *_MAPPINGS, *_SWITCHES, "visible", "targets", "retire")
_ENTRY = ("name", "release", "from", "lock", "test", "notes", *_SHARED)
_PER_USER = ("name", "from", "lock", "notes", *(key for key in _SHARED if key not in ("visible", "retire")))
_TOP = ("version", "label", "keep", "defaults", "environments", "per_user")

#: Lockfiles that are taken where they lie beside the file that “from” names.
_LOCKS = {
    "conda": ("pixi.lock", "conda-lock.yml"),
    "venv": ("pylock.toml",),
}


def read(path: Path, *, configured: bool = False) -> Document:
    """Return what the manifest at *path* asks for; *configured*: the site's configuration names it.

    Raises `NotFound`, `Refused` for one that others could have written, and `InvalidRequest` with the line. Whoever
    applies a manifest runs what it says, so only they and root may write it and the files that it names; of one that
    the configuration names, its owner may, too.
    """
    path = path.absolute()
    trusted = {os.geteuid()}
    if configured:
        with contextlib.suppress(OSError):  # it is told below
            trusted.add(path.stat().st_uid)
    root = load(clean(_text(path, "manifest", trusted), limit=LONGEST, what="The manifest"))
    try:
        return _document(root, path, trusted)
    except HpcenvError as error:
        named = f"{path.name}: {error.message[:1].lower()}{error.message[1:]}"
        raise type(error)(named, hints=error.hints, reason=error.reason) from error


def _document(root: Node, path: Path, trusted: Collection[int]) -> Document:
    top = _known(root, _TOP, "A manifest")
    if "version" not in top or top["version"].text("“version”") != VERSION:
        place = top.get("version", root)
        place.refuse("this is no manifest of version 1.", "Begin it with “version: 1”.")
    label = top["label"].text("“label”") if "label" in top else path.stem
    if not re.fullmatch(NAME_PATTERN, label):
        top.get("label", root).refuse(
            f"{label!r} can not be a label.", "Give one of letters, digits, dots and hyphens: “label: site”."
        )
    keep = None
    if "keep" in top:
        text = top["keep"].text("“keep”")
        if not re.fullmatch(r"[0-9]{1,3}", text):
            top["keep"].refuse("“keep” is how many older releases stay.", "Write a number, such as “keep: 1”.")
        keep = int(text)
    defaults = _known(top["defaults"], _SHARED, "“defaults”") if _filled(top, "defaults") else {}
    folder = path.parent
    entries = [_entry(each, defaults, folder, _ENTRY, trusted) for each in _items(top, "environments")]
    given = {key: node for key, node in defaults.items() if key in _PER_USER and key != "location"}
    per_user = [_entry(each, given, folder, _PER_USER, trusted) for each in _items(top, "per_user")]
    return Document(
        path=str(path),
        label=label,
        labelled="label" in top,
        keep=keep,
        environments=entries,
        per_user=per_user,
    )


def _items(top: Mapping[str, Node], key: str) -> list[Node]:
    return top[key].items(f"“{key}”") if _filled(top, key) else []


def _filled(entries: Mapping[str, Node], key: str) -> bool:
    return key in entries and entries[key].value is not None


def _known(node: Node, keys: Collection[str], what: str) -> dict[str, Node]:
    """Return the pairs of a mapping; raise for a key that is none of *keys*, with the nearest of them."""
    found = node.entries(what)
    for key, value in found.items():
        if key not in keys:
            near = difflib.get_close_matches(key, keys, 1)
            known = f"Did you mean “{near[0]}”?" if near else f"These are known: {', '.join(keys)}."
            value.refuse(f"{what} has no key “{key}”.", known)
    return found


def _entry(
    node: Node, defaults: Mapping[str, Node], folder: Path, keys: Collection[str], trusted: Collection[int]
) -> Entry:
    own = _known(node, keys, "An environment")
    said = {**defaults, **own}
    if "name" not in own:
        node.refuse("this environment has no name.", "Give it one: “name: torch”.")
    name = check_name(own["name"].text("“name”"))
    release = own["release"].text("“release”") if _filled(own, "release") else ""
    if release and not re.fullmatch(NAME_PATTERN, release):
        own["release"].refuse(f"{release!r} can not be a release.", "Use letters, digits, dots and hyphens: “2026.11”.")
    check_name(f"{name}-{release}" if release else name)
    retire = said["retire"].text("“retire”") if _filled(said, "retire") else ""
    if retire:
        try:
            datetime.date.fromisoformat(retire if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", retire) else "")
        except ValueError:
            said["retire"].refuse(f"“{retire}” is no day.", "Write it as “2027-06-01”.")
    request, file = _request(name, said, folder, trusted)
    return Entry(
        name=name,
        release=release,
        request=request,
        file=file,
        test=own["test"].text("“test”") if _filled(own, "test") else "",
        visible=_visible(said.get("visible")),
        retire=retire,
        targets=_targets(said.get("targets")),
        notes=own["notes"].text("“notes”") if _filled(own, "notes") else "",
        line=node.line,
    )


def _request(name: str, said: Mapping[str, Node], folder: Path, trusted: Collection[int]) -> tuple[CreateRequest, str]:
    """Return what is asked for, and the file that describes it, if one does."""
    values: dict[str, Any] = {"name": name}
    for key in _TEXTS:
        if _filled(said, key):
            values[key] = said[key].text(f"“{key}”")
    if "location" in values and not re.fullmatch(LOCATION_PATTERN, values["location"]):
        said["location"].refuse("that names no location.", "See “jupyter hpcenv locations”.")
    for key in _LISTS:
        if _filled(said, key):
            values[key] = [each.text(f"Each of “{key}”") for each in said[key].items(f"“{key}”")]
    for key in _MAPPINGS:
        if _filled(said, key):
            pairs = said[key].entries(f"“{key}”")
            values[key] = {word: value.text(f"“{word}”") for word, value in pairs.items()}
    for key in _SWITCHES:
        if _filled(said, key):
            values[key] = _switch(said[key], key)
    request = CreateRequest(**values)
    if _filled(said, "from") or _filled(said, "lock"):
        return _described(request, said, folder, trusted)
    return request, ""


def _switch(node: Node, key: str) -> bool:
    text = node.text(f"“{key}”")
    if text not in ("true", "false"):
        node.refuse(f"“{key}” is true or false.", f"Write “{key}: true” or “{key}: false”.")
    return text == "true"


def _described(
    request: CreateRequest, said: Mapping[str, Node], folder: Path, trusted: Collection[int]
) -> tuple[CreateRequest, str]:
    """Return the request with the text of its file, and which one; a lockfile beside it is taken instead of it."""
    key = "lock" if _filled(said, "lock") else "from"
    place = folder / said[key].text(f"“{key}”")
    if key == "from":
        beside = [place.parent / each for each in _LOCKS.get(request.manager, ())]
        place = next((each for each in beside if each.is_file()), place)
    text = _text(place, "file", trusted)
    if request.manager == "conda" or looks_described(text) or place.name == "Pipfile":
        return msgspec.structs.replace(request, file=text), str(place)
    return msgspec.structs.replace(request, requirements=text), str(place)


def _visible(node: Node | None) -> Visible:
    if node is None or node.value is None:
        return Visible()
    said = _known(node, ("groups", "users"), "“visible”")
    lists = {key: [each.text("A name") for each in value.items(f"“{key}”")] for key, value in said.items()}
    return Visible(**{key: sorted(set(names)) for key, names in lists.items()})


def _targets(node: Node | None) -> list[Target]:
    if node is None or node.value is None:
        return []
    found = []
    for each in node.items("“targets”"):
        said = _known(each, Target.__struct_fields__, "A target")
        found.append(Target(**{key: value.text(f"“{key}”") for key, value in said.items()}))
    return found


def _text(path: Path, what: str, trusted: Collection[int]) -> str:
    """Return the text of a file that only the *trusted* can write: whoever else can decides what is built and run."""
    try:
        if writers := who_can_write(path, trusted):
            raise Refused(
                f"The {what} {path} is not taken: others could say there what is built "
                f"({', '.join(map(str, writers[:3]))}).",
                hints=[
                    "It must belong to root or to the account that applies it.",
                    f"Take the right of others to write away, also in the folders above it: “chmod go-w {path}”.",
                ],
            )
        return read_regular(path.resolve(), LONGEST).decode()
    except FileNotFoundError:
        raise NotFound(f"There is no {what} {path}.", hints=["Correct the path."]) from None
    except (OSError, BrokenRecord) as error:
        raise InvalidRequest(f"The {what} {path} can not be read: {error}.", hints=["See whose it is."]) from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The {what} {path} is not text in UTF-8.", hints=["Save it as UTF-8."]) from error
