"""Say what a failure of rattler means, in an error of ours; its own words stay as the reason.

The sentences are those of py-rattler 0.28; tests/conda/test_problems.py provokes each of them. What is not known
becomes `BuildFailed`. Credentials never get through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from ... import typed
from ...errors import (
    BuildFailed,
    DiskFull,
    DoesNotFit,
    HpcenvError,
    IndexUnreachable,
    InvalidRequest,
    InvalidRequirement,
    LocationUnavailable,
    PackageNotFound,
    PathTooLong,
    Refused,
    RequirementsConflict,
)
from ...site.fits import EMPTY, amount
from ..output import clean
from .credentials import shown
from .installed import name_of
from .network_problems import LATER, NETWORK_HINT, Policy, hidden, not_cached, of_network, package_in

_SHOWN = 60  # lines of a reason
_OFFERED = 5  # versions or names

_OWNER = re.compile(r" ?\[channel=\"[^\"]*\"\]")  # we put it there, for the order of the channels
_FULL = re.compile(r"No space left on device|Disk quota exceeded|\bos error (?:28|122)\b")
_NOT_ALLOWED = re.compile(r"Permission denied|Read-only file system|Operation not permitted|\bos error (?:1|13|30)\b")
_NO_CANDIDATES = re.compile(r"No candidates were found for (.+?)\.?$", re.MULTILINE)
_NONE_BELOW = re.compile(r"─ (.+?), for which no candidates were found")
_EXCLUDED = re.compile(r"the constraint (.+?) cannot be fulfilled")
_TORN = re.compile(
    r"Invalid checksum|invalid zip|Invalid Zip|failed to (?:extract|unpack|iterate)|unexpected end of file"
)
_ESCAPES = re.compile(r"unsafe metadata|path separators|dotted identifier|not a valid package name")


class Failed(Exception):
    """rattler could not do what it was asked for; *kind* is the name of what it raised."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


class Facts(Protocol):
    """What there is of a name; see `running.Looked`."""

    versions: list[str]
    near: list[str]


def missing(failure: Failed) -> list[str]:
    """Return the names of packages that the solver found nothing for; worth a look what there is instead."""
    specs = [*_NO_CANDIDATES.findall(failure.text), *_NONE_BELOW.findall(failure.text)]
    names = dict.fromkeys(name_of(spec) for spec in specs)
    return [name for name in names if name and not name.startswith("__")]


class _Room(msgspec.Struct):
    what: str
    needed: int
    left: int
    where: str


def _no_room(text: str) -> DoesNotFit:
    told = typed.of_json(text, _Room)
    if told.what == "bytes":
        needed, left = f"at least {amount(told.needed)}", amount(told.left)
    else:
        needed, left = f"at least {told.needed:,} files", f"{told.left:,}"
    return DoesNotFit(
        f"The packages do not fit into {told.where}: they need {needed}, and {left} are left. Nothing was fetched.",
        hints=[EMPTY],
    )


def explain(
    failure: Failed,
    source: Policy,
    prefix: str = "",
    looked: Mapping[str, Facts] | None = None,
    held: Sequence[str] = (),
) -> HpcenvError:
    """Return the error that *failure* means.

    *looked* is what was found out about the `missing` names, *held* the constraints that nobody asked for.
    """
    said, text = _reason(failure.text), failure.text
    if failure.kind == "SolverError":
        return _unsolved(text, said, source, looked or {}, {name_of(spec): spec for spec in held})
    if failure.kind in ("InvalidSpec", "InvalidMatchSpecError", "InvalidPackageNameError"):
        return InvalidRequirement(f"A match spec can not be read: {_first(said)}.", hints=_SPEC_HINTS, reason=said)
    if failure.kind in ("InvalidVersionError", "VirtualPackageOverrideError"):
        return InvalidRequest(
            f"A virtual package has no usable version: {_first(said)}.",
            hints=["Write versions as in 12.4; see the virtual packages asked for and CONDA_OVERRIDE_* variables."],
            reason=said,
        )
    if failure.kind == "Stalled":
        return IndexUnreachable(
            f"The channel stopped sending in the middle of {said}.", hints=[LATER, NETWORK_HINT], reason=said
        )
    if failure.kind == "NotCached":
        return not_cached(said)
    if failure.kind == "Unsafe":
        return Refused(
            f"A package has a name that would lead out of the package cache: {_first(said)}.",
            hints=[_TELL_CHANNEL],
            reason=said,
        )
    if failure.kind == "WrongPackage":
        return Refused(
            f"{said} was not installed: it holds another package than its name says.",
            hints=[_TELL_CHANNEL],
            reason=said,
        )
    if failure.kind == "NoRoom":
        return _no_room(failure.text)
    if failure.kind == "NotThere":
        return BuildFailed(
            f"py-rattler does not find in the cache what was put there: {source.cache}.",
            hints=["Install py-rattler 0.28, or have the cache put on another filesystem."],
            reason=said,
        )
    if _FULL.search(text):
        return DiskFull(
            "The disk or the quota is full, so the packages could not be installed.",
            hints=[
                "Empty the trash, or choose a location with more room.",
                f"The cache of packages counts as well: {source.cache}.",
                "“No space” may also mean that no more files are allowed: see your quota of files.",
            ],
            reason=said,
        )
    return _of_files(failure, said, source, prefix) or of_network(text, said, source) or _unknown(failure, said)


_TELL_CHANNEL = "Tell the people who keep the channel; until then choose another version, or another channel."
_SPEC_HINTS = ["Write a match spec as in “numpy >=1.26,<2”, “python 3.12.*” or “conda-forge::gdal”."]


# -- the solver -------------------------------------------------------------


def _unsolved(
    text: str, said: str, source: Policy, looked: Mapping[str, Facts], held: Mapping[str, str]
) -> HpcenvError:
    none = [*_NO_CANDIDATES.findall(text), *_NONE_BELOW.findall(text)]
    if virtual := [spec for spec in none if name_of(spec).startswith("__")]:
        return _not_this_computer(virtual, said)
    if (match := _NO_CANDIDATES.search(text)) and name_of(match[1]) not in held:
        return _not_found(match[1].removesuffix(" *"), said, source, looked)
    hints = [_of_constraint(spec) for spec in _EXCLUDED.findall(text)]
    for spec in none:
        name = name_of(spec)
        facts = looked.get(name)
        if name in held:  # they take part before candidates are counted
            hints.append(_of_constraint(held[name]))
        elif facts is not None:
            what = f"only {_some(facts.versions)} of it" if facts.versions else "none of it"
            hints.append(
                f"“{spec}” is needed, and the channels have {what}: add the one that does. {_channels(source)}"
            )
    hints.append("Loosen or leave out one of the requests that are named.")
    if "is excluded because" in text and len(source.channels) > 1:
        hints.append(
            "A channel that comes first hides the same packages of later ones: change the order, or name the channel "
            "with the package, as in “bioconda::samtools”."
        )
    return RequirementsConflict("The requests exclude each other.", hints=dict.fromkeys(hints), reason=said)


def _of_constraint(spec: str) -> str:
    if name_of(spec) == "python":
        return f"Python stays {spec.removeprefix('python ')}: ask for another Python by its version, too."
    return f"“{spec}” is pinned by the configuration (pinned_packages)."


def _not_this_computer(specs: Sequence[str], said: str) -> RequirementsConflict:
    names = list(dict.fromkeys(name_of(spec).removeprefix("__") for spec in specs))
    listed = ", ".join(dict.fromkeys(spec.removesuffix(" *") for spec in specs))
    if "cuda" in names:
        return RequirementsConflict(
            f"This computer has no NVIDIA driver that would do: {listed} is needed.",
            hints=[
                "To build for a computer with a GPU, say which CUDA its driver supports: the virtual package cuda, "
                "for example 12.4 (nvidia-smi shows it there), or CONDA_OVERRIDE_CUDA=12.4.",
                "Or choose a variant for processors alone, often with “cpu” in its build.",
            ],
            reason=said,
        )
    return RequirementsConflict(
        f"The packages need another kind of computer: {listed}.",
        hints=[
            f"If it is for other nodes, give their virtual packages: {', '.join(names)}.",
            "Or loosen the version, so that an older package fits.",
        ],
        reason=said,
    )


def _not_found(spec: str, said: str, source: Policy, looked: Mapping[str, Facts]) -> PackageNotFound:
    name = name_of(spec)
    facts = looked.get(name)
    if facts is not None and facts.versions:
        return PackageNotFound(
            f"No version of {name} satisfies “{spec}” here. There are {_some(facts.versions)}.",
            hints=[
                "Loosen the version.",
                "If a version that is listed fits, it needs another build, channel or computer.",
            ],
            reason=said,
        )
    hints = [f"Did you mean {_either(facts.near)}?"] if facts is not None and facts.near else []
    hints.append("The name to import is not always the name to install.")
    return PackageNotFound(f"No channel has a package “{name}”. {_channels(source)}", hints=hints, reason=said)


def _channels(source: Policy) -> str:
    return f"Asked were {', '.join(shown(url) for url in source.channels)}." if source.channels else "There are none."


def _some(versions: Sequence[str]) -> str:
    return ", ".join(versions[:_OFFERED]) + (", …" if len(versions) > _OFFERED else "")


def _either(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


# -- files ------------------------------------------------------------------


def _of_files(failure: Failed, said: str, source: Policy, prefix: str) -> HpcenvError | None:
    text = failure.text
    package = package_in(text)
    if "cannot be longer than the placeholder" in text or re.search(r"File name too long|\bos error 36\b", text):
        return PathTooLong(
            f"The prefix is too long for {package}, which has room for a shorter one: {prefix}.",
            hints=["Choose a shorter name, or a location with a shorter path."],
            reason=said,
        )
    if failure.kind == "HashMismatch":
        return BuildFailed(
            f"What arrived of {package} is not what the channel's index promises; it was not installed.",
            hints=[
                "Try again: a mirror may be behind. If it stays so, do not trust the mirror, and tell who keeps it."
            ],
            reason=said,
        )
    if _TORN.search(text):
        return _damaged(package, said)
    if "there is no python version specified" in text:
        return RequirementsConflict(
            f"{package} needs a Python to be installed with it, and there is none in the list.",
            hints=["Add python."],
            reason=said,
        )
    if "global cache lock" in text or "cache directory" in text:
        return _no_cache(text, said, source)
    if _ESCAPES.search(text):
        return Refused(
            f"{package} would write outside of the environment; it was not installed.",
            hints=[_TELL_CHANNEL],
            reason=said,
        )
    if _NOT_ALLOWED.search(text) or "failed to create the prefix" in text:
        where = source.cache if source.cache and source.cache in text else prefix
        return LocationUnavailable(
            f"{where} can not be written.",
            hints=["See whether the folder exists, is mounted, and belongs to you."],
            reason=said,
        )
    return None


def _damaged(package: str, said: str) -> BuildFailed:
    return BuildFailed(
        f"The archive of {package} is damaged; it was not installed.",
        hints=["Try again: a proxy or mirror may have sent a page of its own instead.", _TELL_CHANNEL],
        reason=said,
    )


def _no_cache(text: str, said: str, source: Policy) -> HpcenvError:
    if "failed to acquire write lock" in text:
        return BuildFailed(
            f"The filesystem of the package cache refuses to lock files, so it can not be shared: {source.cache}.",
            hints=["Have the cache put on another filesystem, for example a local disk."],
            reason=said,
        )
    return LocationUnavailable(
        f"The package cache can not be written: {source.cache}.",
        hints=["See whether the folder exists, is mounted, and belongs to you or your group."],
        reason=said,
    )


# -- words ------------------------------------------------------------------


def _unknown(failure: Failed, said: str) -> BuildFailed:
    if failure.kind == "FetchError":
        return _damaged(package_in(failure.text), said)
    return BuildFailed(
        f"The conda engine could not do it ({failure.kind}).", hints=["See in the log what it said last."], reason=said
    )


def _reason(text: str) -> str:
    lines = [hidden(clean(_OWNER.sub("", line))) for line in text.splitlines()]
    return "\n".join([line for line in lines if line.strip()][:_SHOWN])


def _first(said: str) -> str:
    return said.splitlines()[0].rstrip(".") if said else "it is empty"
