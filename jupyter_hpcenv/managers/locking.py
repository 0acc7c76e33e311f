"""Say exactly what is installed in a prefix, in lines that an installer reads: the lockfile of a virtual environment.

It is read from the metadata there, and a package is free to write there what it likes: names, versions and addresses
are parsed, and written anew.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from .. import typed
from ..errors import BrokenRecord, WrongState
from ..files import read_regular
from . import packages
from .contract import Package

#: What an installer brings along itself; the copy is filled by that of the environment.
_TOOLS = frozenset({"pip"})
_SAFE = re.compile(r"[a-z+]+://[A-Za-z0-9._~!()*,=:@%/+-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_FOLDER = re.compile(r"[A-Za-z0-9._/-]+")
_DIGESTS = {"sha256": 64, "sha384": 96, "sha512": 128}
_MOST_NAMED = 10


class _Vcs(msgspec.Struct):
    vcs: str
    commit_id: str


class _Archive(msgspec.Struct):
    hash: str = ""
    hashes: dict[str, str] = {}


class _Origin(msgspec.Struct):
    """What ``direct_url.json`` says (PEP 610) of a package that did not come from an index."""

    url: str
    subdirectory: str | None = ""
    dir_info: dict[str, bool] | None = None
    vcs_info: _Vcs | None = None
    archive_info: _Archive | None = None


class _UnlockedError(Exception):
    """Why a package can not be installed again, in a few words."""


def lock(prefix: Path, without: Collection[str] = (), not_by: str = "") -> list[str]:
    """Return a requirement for each package of the prefix's own, exact, and with its digest where one is known.

    Left out are the canonical names *without*, and what the installer *not_by* says is its own.
    Indexes leave no digest behind. Raises `WrongState` with the names of what no index or repository has: editable
    ones, and what was installed from a folder or file.
    """
    found, refused = lines(prefix, without, not_by)
    if refused:
        more = len(refused) - _MOST_NAMED
        named = ", ".join(refused[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        raise WrongState(
            f"No list can tell an installer how to get again what is in {prefix.name}: {named}.",
            hints=[
                "Install these from an index or from version control, then try again.",
                "Or use the environment where it is: a batch script without --node-local does.",
            ],
        )
    return found


def lines(prefix: Path, without: Collection[str] = (), not_by: str = "") -> tuple[list[str], list[str]]:
    """Return the requirements of `lock`, and what no list can tell an installer how to get again, with the reason."""
    known: dict[str, str] = {}
    refused = []
    for folder in _metadata(prefix):
        package = packages.read(folder)
        name = package.name if package else folder.stem.partition("-")[0]
        if canonicalize_name(name) in without or (not_by and packages.installer_of(folder) == not_by):
            continue
        try:
            known.setdefault(str(canonicalize_name(name)), _line(folder, package))
        except _UnlockedError as error:
            refused.append(f"{_shown(name)} ({error})")
    return [known[name] for name in sorted(known) if name not in _TOOLS], refused


def _metadata(prefix: Path) -> list[Path]:
    """Return what describes the prefix's own packages, of old kinds too."""
    kinds = ("*.dist-info", "*.egg-info", "*.egg-link")
    found: dict[str, Path] = {}
    for lib in ("lib", "lib64"):  # one may be a link to the other
        for kind in kinds:
            for path in sorted(prefix.glob(f"{lib}/python3.*/site-packages/{kind}")):
                found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _shown(name: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in name[:80])


def _line(folder: Path, package: Package | None) -> str:
    if folder.suffix != ".dist-info":
        raise _UnlockedError("installed in an old way that does not tell where it is from")
    if package is None:
        raise _UnlockedError("its metadata can not be read")
    try:
        plain, number = str(canonicalize_name(package.name, validate=True)), str(Version(package.version))
    except (InvalidName, InvalidVersion):
        raise _UnlockedError("its name or version is none that an index can have") from None
    origin = _origin(folder)
    return f"{plain}=={number}" if origin is None else f"{plain} @ {_address(origin)}"


def _origin(folder: Path) -> _Origin | None:
    try:
        return typed.of_json(read_regular(folder / "direct_url.json", 100_000), _Origin)
    except FileNotFoundError:
        return None
    except (OSError, BrokenRecord, msgspec.DecodeError) as error:
        raise _UnlockedError("where it is from can not be read") from error


def _address(origin: _Origin) -> str:
    """Return the URL that an installer takes, without credentials; raises `_UnlockedError`."""
    parts = urlsplit("")
    with contextlib.suppress(ValueError):
        parts = urlsplit(origin.url)
    if origin.dir_info is not None:
        kind = "editable" if origin.dir_info.get("editable") else "from a folder"
        raise _UnlockedError(f"{kind}: {_shown(parts.path)}")
    if parts.scheme == "file":
        raise _UnlockedError(f"from a file: {_shown(parts.path)}")
    if parts.query:
        raise _UnlockedError("its address has a query, which may be a secret")
    user, _, host = parts.netloc.rpartition("@")
    keep = parts.scheme in ("ssh", "git+ssh") and re.fullmatch(
        r"[A-Za-z0-9._-]+", user
    )  # “git”, of which nobody learns
    url = urlunsplit(parts._replace(netloc=f"{user}@{host}" if keep else host, query="", fragment=""))
    fragments = [f"subdirectory={origin.subdirectory}"] if origin.subdirectory else []
    if origin.subdirectory and not _FOLDER.fullmatch(origin.subdirectory):
        raise _UnlockedError("its address can not be written into a list")
    if origin.vcs_info is not None:
        if origin.vcs_info.vcs != "git" or not _COMMIT.fullmatch(origin.vcs_info.commit_id):
            raise _UnlockedError("from version control, and no commit of git is noted")
        url = f"git+{url.removeprefix('git+')}@{origin.vcs_info.commit_id}"
    elif parts.scheme not in ("https", "http"):
        raise _UnlockedError("its address can not be written into a list")
    else:
        fragments += _digest(origin.archive_info)
    if not _SAFE.fullmatch(url):
        raise _UnlockedError("its address can not be written into a list")
    return url + ("#" + "&".join(fragments) if fragments else "")


def _digest(archive: _Archive | None) -> list[str]:
    """Return the digest of an archive as a part of its URL: installers compare it, and do not ask for others then."""
    if archive is None:
        return []
    name, _, value = archive.hash.partition("=")
    for kind, length in _DIGESTS.items():
        text = archive.hashes.get(kind, "") or (value if name == kind else "")
        if re.fullmatch(rf"[0-9a-f]{{{length}}}", text):
            return [f"{kind}={text}"]
    return []
