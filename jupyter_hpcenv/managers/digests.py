"""Ask the index, through uv, which archives it has of exact packages, and their digests.

Installing leaves no digest behind: neither uv nor pip notes which archive it took. So what is told here is what the
index has of that version now. `uv pip compile` answers for a hundred packages in one question, and downloads none where
the index tells digests itself.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from ..errors import HpcenvError
from ..files import write_atomic
from ..models import LockedArchive, LockedPackage
from ..process import run
from . import pipconf
from .prefixes import find_uv

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Seconds for all questions, and how many there are: where one package is unknown, the others are asked for in halves.
PATIENCE, MOST_RUNS = 60.0, 40

_KINDS = {"sha256": 64, "sha384": 96, "sha512": 128}


def with_digests(
    packages: Sequence[LockedPackage], python: Path, env: Mapping[str, str], options: Sequence[str], folder: Path
) -> list[LockedPackage]:
    """Return *packages* with the archives and digests that the index has; as they were where it tells none.

    *options* are those of the installer, such as a wheelhouse; *folder* is a private one.
    """
    asked = [each for each in packages if not each.url and not each.hashes]
    if not asked or not find_uv():
        return list(packages)
    runs = [MOST_RUNS]
    found: dict[str, LockedPackage] = {}
    if pipconf.switched_on("no-index", env):
        options = [*options, "--no-index"]
    _ask(asked, python, _like_pip(env), options, folder, runs, found)
    return [found.get(each.name, each) for each in packages]


def _like_pip(env: Mapping[str, str]) -> dict[str, str]:
    """Return variables by which uv asks where pip would, for uv reads nothing of pip's."""
    told = dict(env)
    for name, variable in (("index-url", "UV_DEFAULT_INDEX"), ("extra-index-url", "UV_INDEX")):
        if value := pipconf.setting(name, env):
            told.setdefault(variable, value)
    if links := pipconf.setting("find-links", env):
        told.setdefault("UV_FIND_LINKS", ",".join(links.split()))
    return told


def _ask(
    packages: Sequence[LockedPackage],
    python: Path,
    env: Mapping[str, str],
    options: Sequence[str],
    folder: Path,
    runs: list[int],
    found: dict[str, LockedPackage],
) -> None:
    """Ask for all at once; where that fails, for the one half and the other, until it is known which are unknown."""
    if not packages or runs[0] <= 0:
        return
    runs[0] -= 1
    wanted, answer = folder / "wanted.in", folder / "pylock.toml"
    write_atomic(wanted, "".join(f"{each.name}=={each.version}\n" for each in packages).encode())
    answer.unlink(missing_ok=True)
    argv = [find_uv(), "pip", "compile", "--no-deps", "--no-header", "--no-annotate", "--quiet", "--color", "never"]
    argv += ["--generate-hashes", "--format", "pylock.toml", "--output-file", str(answer), "--python", str(python)]
    try:
        done = run(
            [*argv, *options, str(wanted)], env={**env, "UV_PYTHON_DOWNLOADS": "never"}, cwd=folder, timeout=PATIENCE
        )
        ok = done.ok and answer.exists()
    except HpcenvError:
        return  # it took too long, and will again
    if ok:
        found |= {each.name: each for each in _read(answer.read_text(errors="replace"), packages)}
    elif len(packages) > 1:
        half = len(packages) // 2
        for part in (packages[:half], packages[half:]):
            _ask(part, python, env, options, folder, runs, found)


def _read(text: str, packages: Sequence[LockedPackage]) -> list[LockedPackage]:
    try:
        listed = tomllib.loads(text).get("packages", [])
    except ValueError:
        return []
    by_name = {each.name: each for each in packages}
    found = []
    for entry in listed:
        one = by_name.get(str(entry.get("name")))
        if one is None:
            continue
        files = [*entry.get("wheels", []), *([entry["sdist"]] if "sdist" in entry else [])]
        if "archive" in entry:  # of a wheelhouse
            files.append(entry["archive"])
        archives = [each for file in files if (each := _archive(file)) is not None]
        sums = sorted({f"{kind}:{digest}" for each in archives for kind, digest in each.hashes.items()})
        known = [each for each in archives if each.url]
        found.append(msgspec.structs.replace(one, hashes=sums, archives=known))
    return found


def _archive(file: Mapping[str, Any]) -> LockedArchive | None:
    """Return an archive with its digests; without an address where that is a path, or could be a secret."""
    told = file.get("hashes") or {}
    sums = {
        kind: str(told[kind]).lower()
        for kind, length in _KINDS.items()
        if kind in told and re.fullmatch(rf"[0-9a-fA-F]{{{length}}}", str(told[kind]))
    }
    if not sums:
        return None
    parts = urlsplit("")
    with contextlib.suppress(ValueError):
        parts = urlsplit(str(file.get("url", "")))
    url = ""
    if parts.scheme in ("http", "https") and not parts.query and str(file["url"]).isprintable():
        url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    name = unquote(parts.path.rpartition("/")[2]) or str(file.get("path", "")).rpartition("/")[2]
    return LockedArchive(name=name, url=url, hashes=sums)
