"""Refuse what can not work before anything is begun, and say what will be slow."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ...errors import BuildFailed, InvalidRequest, PathTooLong, Refused
from ...files import explain
from ...models import PinnedPackage, Reporter
from ...names import PREFIX_LIMIT
from . import cache
from .credentials import auth_hint, holds_secret, shown
from .installed import platform_of
from .plan import VERIFY, Source


def make_ready(source: Source, prefix: Path, report: Reporter) -> None:
    """Refuse what can not work for *prefix*, and make the folders that are needed."""
    check_source(source)
    length, folder = len(os.fsencode(prefix)), Path(source.cache)
    if length > PREFIX_LIMIT:
        raise PathTooLong(
            f"The prefix {prefix} has {length} bytes; packages have room for {PREFIX_LIMIT}.",
            hints=["Choose a shorter name, or a location with a shorter path."],
        )
    for path in (prefix, folder):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain(error, path) from error
    try:
        if not cache.takes_locks(folder):
            raise BuildFailed(
                f"The filesystem of the package cache refuses to lock files, so it can not be shared: {folder}.",
                hints=["Have the cache put on another filesystem, for example a local disk."],
            )
        if cache.is_busy(folder):
            report.line("output", "Another operation uses the package cache; this one goes on when that is done.")
    except OSError as error:
        raise explain(error, folder / cache.PACKAGES) from error
    if not source.copy and not cache.takes_hardlinks(folder, prefix):
        report.line(
            "warning",
            f"Packages are copied, because files of the cache can not be hardlinked from there: {folder}. That takes "
            "longer and more room; a cache on the same filesystem, under the same quota, would do better.",
        )


def check_source(source: Source) -> None:
    """Refuse credentials in channels, and certificates that are not there."""
    for url in source.channels:
        if holds_secret(url):
            raise Refused(
                f"The channel {shown(url)} has credentials in its address; they would stand in every environment.",
                hints=[auth_hint(url)],
            )
    if source.ssl_verify not in VERIFY and not Path(source.ssl_verify).exists():
        raise InvalidRequest(
            f"ssl_verify names certificates that are not there: {source.ssl_verify}.",
            hints=["Name a file that exists, or say true."],
        )


def check_specs(specs: Iterable[str]) -> None:
    """Refuse credentials in the channels of match specs."""
    for spec in specs:
        if holds_secret(spec.rpartition("::")[0]):
            raise Refused(
                f"A match spec has credentials in its channel: {shown(spec.rpartition('::')[0])}.",
                hints=[auth_hint(spec)],
            )


def check_pinned(pinned: Iterable[PinnedPackage]) -> None:
    """Refuse addresses with credentials, that are of no package, or of one for another kind of computer."""
    here = (platform_of([]), "noarch")
    for each in pinned:
        if holds_secret(each.url):
            raise Refused(f"{shown(each.url)} has credentials in its address.", hints=[auth_hint(each.url)])
        parts = unquote(urlsplit(each.url).path).split("/")
        name = parts[-1].removesuffix(".conda").removesuffix(".tar.bz2")
        if len(parts) < 3 or name == parts[-1] or name.count("-") < 2:
            raise InvalidRequest(
                f"{shown(each.url)} is not the address of a conda package.",
                hints=["They end in SUBDIR/NAME-VERSION-BUILD.conda or .tar.bz2."],
            )
        if parts[-2] not in here:
            raise InvalidRequest(
                f"{name} is for {parts[-2]}, and this computer is {here[0]}.",
                hints=["Take a list or lockfile that was made for this kind of computer."],
            )
