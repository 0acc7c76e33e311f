"""Say what a failure of conda, mamba or micromamba means, in an error of ours; their own words stay as the reason.

conda names its exceptions, so those are taken at their names (conda 4.12 to 26.7). mamba only talks; its sentences are
those of libmamba 1.5 to 2.8. What is not known becomes `BuildFailed`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...errors import (
    BuildFailed,
    Busy,
    DiskFull,
    HpcenvError,
    IndexUnreachable,
    InvalidRequirement,
    LocationUnavailable,
    PackageNotFound,
    PathTooLong,
    Refused,
    RequirementsConflict,
    WrongState,
)
from .command_output import answer, failures, paragraph
from .find_command import Program

_NOT_FOUND = ("PackagesNotFoundError", "PackagesNotFoundInChannelsError", "ResolvePackageNotFound")
_NOT_INSTALLED = ("PackageNotInstalledError", "PackagesNotFoundInPrefixError")
_CONFLICT = ("UnsatisfiableError", "LibMambaUnsatisfiableError", "SpecsConfigurationConflictError")
_REFUSED = (
    *("OperationNotAllowed", "ChannelNotAllowed", "ChannelDenied", "DisallowedPackageError"),
    *("EnvironmentIsFrozenError", "RemoveError"),
)
_SPOILT = ("ChecksumMismatchError", "CondaVerificationError", "SafetyError", "CorruptedEnvironmentError")
_NO_PLACE = (
    *("NotWritableError", "EnvironmentNotWritableError", "NoWritablePkgsDirError", "NoWritableEnvsDirError"),
    *("CondaFileIOError", "PermissionError"),
)
_NO_ENVIRONMENT = ("DirectoryNotACondaEnvironmentError", "EnvironmentLocationNotFound", "CondaEnvironmentError")
_UNREADABLE = ("InvalidSpec", "InvalidMatchSpec", "InvalidVersionSpec", "CondaUpdatePackageError")

_FULL = re.compile(r"No space left on device|Disk quota exceeded|\[Errno (?:28|122)\]|OSError\((?:28|122),")
_VIRTUAL = re.compile(r"(?<![\w-])__(\w+)")
_MISSING = (
    re.compile(r"nothing provides requested ([A-Za-z0-9_][\w.-]*)"),
    re.compile(r"(?:^|[├└]─ |\n)\s*([A-Za-z0-9_][\w.-]*)(?: [^,;\n]*?)? does not exist \(perhaps a typo"),
    re.compile(r"(?:^|[├└]─ |\n)\s*([A-Za-z0-9_][\w.-]*)(?: [^,;\n]*?)? is missing, but is required"),
)
_UNSOLVED = re.compile(
    r"Could not solve for environment specs|Encountered problems while solving"
    r"|The following packages? (?:are incompatible|could not be installed)"
)
_ELSEWHERE = re.compile(
    r"Package is not installed in prefix|Could not find packages to remove|are missing from the target environment"
)
_DOWNLOAD = re.compile(
    r"Download error|Failed to download|Could(?:n't| not) resolve host|Multiple errors occurr?ed|Subdir .* not loaded"
    r"|Failed to fetch|repodata.* not (?:loaded|found)|Transfer finalized, status: [45]|No packages for "
)
_STATUS = re.compile(r"(?:status|HTTP|error:?)\D{0,3}\b([45]\d\d)\b")
_BROKEN = re.compile(r"doesn't match expectation|has incorrect|incorrect download|ChecksumMismatch|extraction failed")
_CLOSED = re.compile(
    r"Permission denied|Read-only file system|not writable|any writable cache directory", re.IGNORECASE
)
_NO_PREFIX = re.compile(
    r"No prefix found at|Prefix does not exist|Non-conda folder exists|not a (?:valid )?conda environment"
)
_LOCKS = re.compile(r"LockFile (?:acquisition failed|can't be set)|Could not set lock")
_SCRIPT = re.compile(
    r"(?:(pre|post)-(un)?link script failed for package (\S+)|failed to execute pre/post link script for (\S+))"
)

_NETWORK_HINTS = [
    "See whether this machine reaches the channel, and try again; what arrived is in the cache.",
    "Or try again on a node with internet, for example a login node.",
]


def problem(program: Program, text: str, noise: Sequence[str], *, offline: bool = False) -> HpcenvError:
    """Return the error that the output of *program* means; called when it ended with a failure, or without an answer.

    *text* is all it said, *noise* what of that was no JSON.
    """
    found = failures(text)
    said = _said(program, text, found, noise)
    flat = "\n".join([said, *(str(error.get("caused_by", "")) for error in found), *noise])
    if _FULL.search(flat) or any(error["exception_name"] == "NoSpaceLeftError" for error in found):
        return DiskFull(
            "The disk or the quota is full, so the packages could not be installed.",
            hints=["Empty the trash, or choose a location with more room.", "The cache of packages counts as well."],
            reason=said,
        )
    for error in found:
        if known := _by_name(program, error, said, offline):
            return known
    return _by_words(program, flat, said, offline) or BuildFailed(
        f"{program.name} could not install the packages.",
        hints=["See in the log what it said last.", "Or take the built-in engine, which needs no program."],
        reason=said,
    )


def _said(program: Program, text: str, found: Sequence[Mapping[str, Any]], noise: Sequence[str]) -> str:
    """Return what it said, for people: the messages of its errors, else what it logged, else what it printed last."""
    messages = [_message(error) for error in found]
    if program.dialect == "libmamba" or not any(messages):
        document = answer(text)
        messages += _texts(document.get("solver_problems"))
        for record in document.get("log_history") or ():
            if isinstance(record, dict) and record.get("level") in ("error", "critical", "warning"):
                messages.append(str(record.get("message", "")))
    distinct = dict.fromkeys(filter(None, (paragraph(message) for message in messages)))
    return "\n".join(distinct) or "\n".join(noise[-40:])


def _message(error: Mapping[str, Any]) -> str:
    """Return the message of an error; ``response_details`` and ``traceback`` stay out: they hold headers and paths."""
    message = error.get("message") or error.get("error")
    if not isinstance(message, str) or error.get("exception_name") == "tuple":
        return ""
    return message


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _by_name(program: Program, error: Mapping[str, Any], said: str, offline: bool) -> HpcenvError | None:
    """Return the error for an exception of conda's by its name, or None."""
    name = error["exception_name"]
    if name in _NOT_FOUND:
        return _not_found(_texts(error.get("packages")) or _texts(error.get("bad_deps")), said, offline)
    if name in _NOT_INSTALLED:
        missing = error.get("package_name") or error.get("packages")
        return _not_installed(_texts(missing), said)
    if name in _CONFLICT:
        return _conflict(said, offline)
    if name in _REFUSED:
        return Refused(
            f"{program.name} refuses it, because of how it is configured here.",
            hints=["See which .condarc says so; “conda config --show-sources” lists them.", "Ask who configured it."],
            reason=said,
        )
    if name in _SPOILT:
        return _spoilt(said)
    if name in _NO_PLACE:
        return _closed(program, said)
    if name in _NO_ENVIRONMENT:
        return _no_environment(said)
    if name in _UNREADABLE:
        return InvalidRequirement(
            f"{program.name} does not understand a match spec.",
            hints=["Write it like numpy, numpy=2.1 or numpy>=2,<3."],
            reason=said,
        )
    return _rarely(program, name, error, said)


def _rarely(program: Program, name: str, error: Mapping[str, Any], said: str) -> HpcenvError | None:
    if name in ("CondaHTTPError", "CondaSSLError", "ProxyError", "UnavailableInvalidChannel", "OfflineError"):
        url = error.get("url") or error.get("channel_url")
        return _unreachable(str(error.get("status_code", "")), str(url or ""), said)
    if name in ("LockError", "CondaHistoryError"):
        return Busy(
            f"{program.name} is at work on the same cache or environment already.",
            hints=["Try again when that has ended."],
            reason=said,
        )
    if name in ("PaddingError", "BinaryPrefixReplacementError"):
        return PathTooLong(
            "The path of the environment is longer than a package can take in.",
            hints=["Choose a location with a shorter path, or a shorter name."],
            reason=said,
        )
    if name in ("CondaMemoryError", "MemoryError"):
        return BuildFailed(
            f"{program.name} ran out of memory.",
            hints=["Try again on a node that allows more, or narrow the versions down, which makes solving easier."],
            reason=said,
        )
    if name == "LinkError" and (script := _SCRIPT.search(said)):
        return _script(script, said)
    if "traceback" in error:
        return BuildFailed(
            f"{program.name} itself failed ({name}).",
            hints=["See whether its installation is whole.", "Or take the built-in engine, which needs no program."],
            reason=said,
        )
    return None


def _by_words(program: Program, flat: str, said: str, offline: bool) -> HpcenvError | None:
    """Return the error for what mamba says, or what stands in an error of conda's that we do not know; or None."""
    if _ELSEWHERE.search(flat):
        found = re.search(r"package name: (\S+)", flat) or re.search(r"^ - (\S+)", flat, re.MULTILINE)
        return _not_installed([found[1]] if found else [], said)
    if script := _SCRIPT.search(flat):
        return _script(script, said)
    names = dict.fromkeys(match[1] for pattern in _MISSING for match in pattern.finditer(flat))
    wanting = [name for name in names if not name.startswith("__")]
    if wanting:
        return _not_found(wanting, said, offline)
    if names or _UNSOLVED.search(flat):
        return _conflict(said, offline)
    if _BROKEN.search(flat):
        return _spoilt(said)
    if _DOWNLOAD.search(flat):
        status = _STATUS.search(flat)
        url = re.search(r"https?://[^\s\]\"'>]+", flat)
        return _unreachable(status[1] if status else "", url[0] if url else "", said)
    if _LOCKS.search(flat):
        return BuildFailed(
            f"{program.name} can not work, because the filesystem of its cache refuses to lock files.",
            hints=["Have staff put the package cache on another filesystem.", "Or take the built-in engine."],
            reason=said,
        )
    if _CLOSED.search(flat):
        return _closed(program, said)
    return _no_environment(said) if _NO_PREFIX.search(flat) else None


def _not_found(wanted: Iterable[str], said: str, offline: bool) -> HpcenvError:
    listed = list(dict.fromkeys(wanted))
    if offline:
        return _offline(said)
    names = ", ".join(f"“{each}”" for each in listed)
    constrained = any(re.search(r"[\s=<>!~\[]", each) for each in listed)
    if virtual := [found[1] for each in listed if (found := _VIRTUAL.match(each))]:
        return _virtual(virtual[0], said)
    return PackageNotFound(
        f"The channels have no package that satisfies {names}." if names else "The channels do not have a package.",
        hints=[
            *(["Loosen the version."] if constrained else []),
            "See how it is spelled, and whether it comes from another channel.",
        ],
        reason=said,
    )


def _not_installed(names: Sequence[str], said: str) -> PackageNotFound:
    listed = ", ".join(f"“{name}”" for name in names) or "package of that name"
    return PackageNotFound(
        f"The environment has no {listed} that could be updated or removed.",
        hints=["See in the list of its packages how it is spelled."],
        reason=said,
    )


def _conflict(said: str, offline: bool) -> HpcenvError:
    if offline:
        return _offline(said)
    if (virtual := _VIRTUAL.search(said)) and re.search(r"your system|nothing provides|missing|not exist", said):
        return _virtual(virtual[1], said)
    strict = "strict" in said
    return RequirementsConflict(
        "The requirements exclude each other.",
        hints=[
            "Loosen one of the requirements that are named.",
            *(["Or take another order of channels: each package comes from the first that has it."] if strict else []),
        ],
        reason=said,
    )


def _virtual(name: str, said: str) -> RequirementsConflict:
    example = ", for example cuda=12.4" if name == "cuda" else ""
    return RequirementsConflict(
        f"A package needs “__{name}”, which this computer does not have, or not in that version.",
        hints=[f"If it is meant for a computer that has it, set the virtual package {name}{example}."],
        reason=said,
    )


def _offline(said: str) -> IndexUnreachable:
    return IndexUnreachable(
        "The packages are not in the cache, and conda is configured to work without a network.",
        hints=["Take “offline” out of the configuration, or try again where there is a network."],
        reason=said,
    )


def _unreachable(status: str, url: str, said: str) -> IndexUnreachable:
    where = f" {host[1]}" if (host := re.match(r"\w+://(?:[^@/]*@)?([^/]+)", url)) else ""
    if status in ("401", "403", "407"):
        return IndexUnreachable(
            f"The channel{where} answered {status}: it wants a login.",
            hints=["Give credentials as its owner says: netrc, an authentication file, or a proxy’s login."],
            reason=said,
        )
    if status == "404":
        return IndexUnreachable(
            f"There is no such channel, or it lacks a package{where and f' ({where.strip()})'}.",
            hints=["See how the channel is spelled.", "Where a package is gone, solve anew instead of by a lockfile."],
            reason=said,
        )
    if status[:1] in ("4", "5"):
        return IndexUnreachable(
            f"The channel{where} answered {status} and gave no packages.", hints=["Try again later."], reason=said
        )
    return IndexUnreachable(f"The channel{where} did not answer.", hints=_NETWORK_HINTS, reason=said)


def _spoilt(said: str) -> BuildFailed:
    return BuildFailed(
        "A package is not what its channel says it is: its size or checksum differs. It was not installed.",
        hints=[
            "Try again: it is downloaded anew.",
            "If that fails as well, the channel or its mirror is at fault; tell who runs it.",
        ],
        reason=said,
    )


def _closed(program: Program, said: str) -> LocationUnavailable:
    return LocationUnavailable(
        f"{program.name} may not write where it has to.",
        hints=["See whether the location and the package cache belong to you, and are mounted for writing."],
        reason=said,
    )


def _no_environment(said: str) -> WrongState:
    return WrongState(
        "The prefix is not a conda environment, or not any more.",
        hints=["Rebuild the environment; its record tells what was in it."],
        reason=said,
    )


def _script(found: re.Match[str], said: str) -> BuildFailed:
    package = (found[3] or found[4] or "").rpartition("::")[2].rpartition("/")[2] or "a package"
    return BuildFailed(
        f"A link script of {package} failed, so nothing was installed.",
        hints=["See in the log what the script said.", "Choose another version of the package, or leave it out."],
        reason=said,
    )
