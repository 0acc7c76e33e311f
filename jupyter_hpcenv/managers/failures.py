"""Say what an installer's failure means, in an error of ours; its own words stay as the reason.

The sentences are those of uv 0.8 to 0.13 and pip 23 to 26; what is not known becomes `BuildFailed`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..errors import (
    BuildFailed,
    DiskFull,
    HpcenvError,
    IndexUnreachable,
    PackageNotFound,
    RequirementsConflict,
)
from . import missing

_SHOWN = 40  # lines
_NEWEST = 10  # versions of the hundreds that pip lists

_FULL = re.compile(r"No space left on device|Disk quota exceeded|\bos error (?:28|122)\b|\[Errno (?:28|122)\]")
_NETWORK = re.compile(
    r"Failed to fetch|error sending request|dns error|tcp connect error|after connection broken by"
    r"|NewConnectionError|Max retries exceeded|ConnectTimeout|ReadTimeout|Network is unreachable"
    r"|Network connectivity is disabled|Connection (?:refused|reset)|Temporary failure in name resolution"
)
_ANSWERED = re.compile(r"HTTP status (?:client|server) error \((\d{3}[^)]*)\)|HTTP error (\d{3})|(\d{3}) Client Error")
_BUILD = re.compile(
    r"Failed to build (?:installable wheels for some pyproject\.toml based projects \()?[`'(]?([^\s`')]+)"
    r"|Failed building (?:wheel|editable) for ([\w.-]+)"
)
_BACKEND = re.compile(
    r"build backend returned an error|subprocess-exited-with-error|metadata-generation-failed|BackendUnavailable"
    r"|not available in the build environment"
)
_LOCKS = re.compile(r"[Ff]ailed to lock `([^`]+)`: .*?\(os error \d+\)")
_OTHER = re.compile(
    r"Hash mismatch for `([^`]+)`|DO NOT MATCH THE HASHES FROM .*?contents carefully\S* .*?tampered with them\. (\S+)"
)
_VERSIONS = re.compile(r"(\(from versions: )([^()]+)\)")
_WITHDRAWN = re.compile(r"Ignored the following yanked versions: ([^\s,]+(?:, [^\s,]+)*)|(\S+==\S+) was yanked")
_LOCK_AGAIN = "If the versions were changed by hand, lock again."
_PYTHON = re.compile(r"does not satisfy Python|requires a different Python|Requires-Python|requires Python")


def failure(installer: str, lines: Sequence[str], providers: Mapping[str, str] | None = None) -> HpcenvError:
    """Return the error that an installer's *lines* (clean ones) mean; called when it ended with a failure.

    *providers* is the site's table of modules, by what a build may miss.
    """
    said = "\n".join(map(_shorter, lines[-_SHOWN:]))
    flat = " ".join(" ".join(lines[-200:]).split())
    if _FULL.search(flat):
        return DiskFull(
            "The disk or the quota is full, so the packages could not be installed.",
            hints=["Empty the trash, or choose a location with more room.", "The cache of packages counts as well."],
            reason=said,
        )
    if refused := no_locks(lines):
        return refused
    if match := _OTHER.search(flat):
        return BuildFailed(
            f"The archive of {(match[1] or match[2]).strip('.,:')} is not the one that the file names by its digest.",
            hints=["Do not use it before you know why: ask who made the file, or who runs the index.", _LOCK_AGAIN],
            reason=said,
        )
    if _BACKEND.search(flat) or _BUILD.search(flat):
        return _not_built(flat, said, missing.find(lines), providers or {})
    if "No solution found" in flat or "requirements are unsatisfiable" in flat:
        return _unsolved_by_uv(flat, said)
    if re.search(r"ResolutionImpossible|conflicting dependencies", flat):
        return _conflict(said)
    match = re.search(r"No matching distribution found for ([^\s(]+)", flat)
    if match and not ("from versions: none" in flat and _NETWORK.search(flat)):
        if _PYTHON.search(flat) and "from versions: none" in flat:  # pip lists there what it left out for any reason
            return _other_python(said)
        return _not_found(match[1], said) if "from versions: none" in flat else _no_version(match[1], flat, said)
    if (answer := _ANSWERED.search(flat)) and not match:
        return IndexUnreachable(
            f"The package index answered {(answer[1] or answer[2] or answer[3]).strip()} and gave no packages.",
            hints=["See whether it wants a login (netrc, keyring), or try again later."],
            reason=said,
        )
    if _NETWORK.search(flat):
        return IndexUnreachable(
            "The package index did not answer while packages were being fetched.",
            hints=["See whether this machine reaches the internet, and try again; what arrived is in the cache."],
            reason=said,
        )
    if _PYTHON.search(flat):
        return _other_python(said)
    return BuildFailed(
        f"{installer} could not install the packages.", hints=["See in the log what it said last."], reason=said
    )


def _shorter(line: str) -> str:
    """Return a line with the newest of the versions that it lists; pip lists all that there ever were, oldest first."""

    def newest(match: re.Match[str]) -> str:
        versions = match[2].split(", ")
        cut = "…, " * (len(versions) > _NEWEST)
        return f"{match[1]}{cut}{', '.join(versions[-_NEWEST:])})"

    return _VERSIONS.sub(newest, line)


def no_locks(lines: Sequence[str]) -> BuildFailed | None:
    """Return the error that says that uv could not lock its cache, which some network filesystems refuse; else None."""
    match = _LOCKS.search(" ".join(" ".join(lines[-200:]).split()))
    if match is None:
        return None
    return BuildFailed(
        f"uv can not work, because the filesystem of its cache refuses to lock files: {match[1]}.",
        hints=[
            "Choose pip, which needs no locks: installer pip, creator venv.",
            "Or set UV_CACHE_DIR to a folder on another filesystem, for example one on a local disk.",
        ],
        reason="\n".join(lines[-_SHOWN:]),
    )


def _unsolved_by_uv(flat: str, said: str) -> HpcenvError:
    if match := re.search(r"[Bb]ecause (\S+) was not found in the (?:package registry|provided package)", flat):
        return _not_found(match[1], said)
    if _PYTHON.search(flat):
        return _other_python(said)
    unknown = re.search(r"[Bb]ecause there (?:is|are) no versions? of ([^\s,]+)", flat)
    only = re.search(r"[Bb]ecause only (?:the following versions of )?([\w.-]+)", flat)
    found = unknown or only
    if found and flat.count("depends on") == 0:
        return _no_version(found[1], flat, said)
    if re.search(r"network was disabled|Packages were unavailable because", flat):
        return IndexUnreachable(
            "The packages are not in the cache, and the network is switched off for uv.",
            hints=["Unset UV_OFFLINE, or try again where there is a network."],
            reason=said,
        )
    return _conflict(said)


def _conflict(said: str) -> RequirementsConflict:
    fixed = "(constraint)" in said
    return RequirementsConflict(
        "The requirements exclude each other.",
        hints=[
            *(["A module fixes the version that is called a constraint: choose another one."] if fixed else []),
            "Loosen one of the requirements that the installer names.",
            "Or make an environment with another Python.",
        ],
        reason=said,
    )


def _other_python(said: str) -> RequirementsConflict:
    return RequirementsConflict(
        "A package needs another Python than the one that was chosen.",
        hints=["Choose another Python, or another version of the package."],
        reason=said,
    )


def _not_built(flat: str, said: str, without: missing.Missing | None, providers: Mapping[str, str]) -> BuildFailed:
    match = _BUILD.search(flat)
    name = (match[1] or match[2]).rstrip(".,:") if match else ""
    who = f"The package {name}" if name and "/" not in name else "A package"
    failed = f"{who} has no wheel for this machine and this Python, and building it failed"
    if without is not None:
        return BuildFailed(
            f"{failed}: {without.words} is missing.", hints=missing.hints(without, providers), reason=said
        )
    return BuildFailed(
        f"{failed}.",
        hints=[
            "See in the log why building it failed; often a compiler or a library is missing.",
            "Choose a version that has a wheel, or another Python.",
        ],
        reason=said,
    )


def _not_found(requirement: str, said: str) -> PackageNotFound:
    name = re.split(r"[=<>!~;\[]", requirement.strip("`'\".,"))[0]
    return PackageNotFound(
        f"The package index has no package “{name}”.",
        hints=["See how it is spelled there; the name to import is not always the name to install."],
        reason=said,
    )


def _no_version(requirement: str, flat: str, said: str) -> PackageNotFound:
    wanted = requirement.strip("`'\".,")
    withdrawn = [found[0] or found[1] for found in _WITHDRAWN.findall(flat)]
    if withdrawn:
        return PackageNotFound(
            f"No version of the package satisfies “{wanted}”: its author withdrew (yanked) {', '.join(withdrawn)}.",
            hints=[
                "Loosen the version; the log may say why it was withdrawn.",
                "If you must have a withdrawn version, ask for exactly that one with “==”.",
            ],
            reason=said,
        )
    return PackageNotFound(
        f"No version of the package satisfies “{wanted}” for this Python.",
        hints=["Loosen the version, or choose another Python."],
        reason=said,
    )
