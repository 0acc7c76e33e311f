"""Publish the kernels of a manifest's environments for everybody, and tell whether they stand as they should.

A kernelspec leads to ``<location>/<name>``, so that it stays the same while releases come and go; only its title tells
the release, and the day from which it is not offered any more.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from .. import kernels, typed
from ..errors import BrokenRecord, HpcenvError
from ..files import read_regular
from ..kernels.kernelspec import kernel_json, render_stub
from ..kernels.languages import Language, language_of
from ..models import Kernel, Record
from ..names import check_display_name, kernel_name
from ..site import Site
from . import access
from .releases import folder_of
from .settings import Manifest
from .words import Entry, Visible


class Publication(NamedTuple):
    """One kernel of an environment, as everybody is to see it."""

    record: Record
    """With the name that everybody knows, the path that leads to the release, and an id that all releases share."""
    kernel: Kernel
    stub: str
    spec: dict[str, Any]
    visible: Visible


def title_of(entry: Entry) -> str:
    """Return what the launcher shows; raises `InvalidName` where that is too long."""
    words = [entry.request.display_name or entry.name]
    words += [entry.release] if entry.release else []
    words += [f"(until {entry.retire})"] if entry.retire else []
    return check_display_name(" ".join(words))


def closed_folder(entry: Entry, root: Path) -> Path:
    """Return the folder whose permissions say who may use an environment."""
    return folder_of(root, entry.name) if entry.release else root / entry.name


def close(entry: Entry, root: Path, remember: Callable[[], None]) -> None:
    """Keep out whom the manifest keeps out, before anything is built there; *remember* is called before a change."""
    if entry.visible.everybody:
        return
    folder = closed_folder(entry, root)
    if entry.release:
        folder.parent.mkdir(mode=0o755, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
    if folder.is_dir() and not access.is_as(folder, entry.visible):
        remember()
        access.restrict(folder, entry.visible)


def publications(entry: Entry, record: Record, root: Path, settings: Manifest, site: Site) -> list[Publication]:
    """Return what is to be published of an environment; nothing where it has no kernel."""
    shown = msgspec.structs.replace(
        record,
        id=hashlib.sha256(os.fsencode(root / entry.name)).hexdigest()[:32],
        name=entry.name,
        prefix=str(root / entry.name),
    )
    title, found = title_of(entry), []
    for kernel in record.kernels:
        language: Language | None = None
        if kernel.source:
            try:
                language = language_of(Path(record.prefix), kernel.source)
            except HpcenvError:  # it went with its package
                continue
        name = kernel_name(record.location, entry.name, kernel.source)
        told = Kernel(
            name=name, display_name=f"{title}: {kernel.source}" if kernel.source else title, source=kernel.source
        )
        stub = render_stub(shown, told, sys.executable if site.explain else "", language=language)
        spec = kernel_json(shown, told, settings.kernels / name, language)
        found.append(Publication(shown, told, stub, spec, entry.visible))
    return found


def stands(wanted: list[Publication], settings: Manifest) -> bool:
    """Tell whether everybody sees just that."""
    try:
        for each in wanted:
            folder = settings.kernels / each.kernel.name
            if read_regular(folder / "launch").decode() != each.stub:
                return False
            if typed.of_json(read_regular(folder / "kernel.json")) != each.spec:
                return False
            if not access.is_as(folder, each.visible):
                return False
    except (OSError, BrokenRecord, msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def publish(wanted: list[Publication], settings: Manifest, site: Site) -> None:
    """Put the kernelspecs where everybody finds them; raises what `kernels.publish` raises."""
    for each in wanted:
        kernels.publish(
            each.record,
            each.kernel,
            site,
            stub=each.stub,
            into=settings.kernels,
            restrict=lambda folder, visible=each.visible: access.restrict(folder, visible),  # type: ignore[misc]
        )


def withdraw(location: str, name: str, settings: Manifest, site: Site) -> list[str]:
    """Take all kernelspecs of an environment away, and return their names."""
    own = kernel_name(location, name)
    there = [each for each in _names(settings.kernels) if each == own or each.startswith(f"{own}-")]
    gone = [each for each in there if _environment(settings.kernels / each) == (location, name)]
    for each in gone:
        kernels.unpublish(each, site, settings.kernels)
    return gone


def is_published(location: str, name: str, settings: Manifest) -> bool:
    """Tell whether anybody is shown a kernel of it."""
    return _environment(settings.kernels / kernel_name(location, name)) == (location, name)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return []


def _environment(folder: Path) -> tuple[str, str]:
    """Return location and name of the environment that a kernelspec of ours is for."""
    try:
        told = typed.of_json(read_regular(folder / "kernel.json"))["metadata"]["hpcenv"]
        return str(told["location"]), str(told["name"])
    except (OSError, BrokenRecord, msgspec.DecodeError, KeyError, TypeError):
        return "", ""
