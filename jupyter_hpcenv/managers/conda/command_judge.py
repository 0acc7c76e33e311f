"""Judge what conda, mamba or micromamba plan, and what they have done; they have no means for it themselves."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from ... import typed
from ...errors import BrokenRecord, BuildFailed, PackageNotFound, Refused, RequirementsConflict
from ...files import read_regular
from ...models import PinnedPackage
from .command_cache import archive, is_linked, throw_away, unpacked
from .command_jobs import Job
from .command_output import Actions, Part, shown
from .find_command import Program
from .installed import Installed, name_of

_LARGEST = 64_000_000  # bytes of a record


class Cached(msgspec.Struct):
    """What we read of the record that a package has in the cache."""

    url: str = ""
    size: int = 0
    sha256: str | None = None
    md5: str | None = None


def cached(tree: Path | None) -> Cached:
    """Return what the record of an unpacked package says, or nothing where there is none."""
    if tree is not None:
        with contextlib.suppress(OSError, BrokenRecord, msgspec.DecodeError):
            return typed.of_json(read_regular(tree / "info" / "repodata_record.json", _LARGEST), Cached)
    return Cached()


def channels(program: Program, decided: Iterable[str], plan: Actions, caches: Sequence[Path]) -> None:
    """Raise `Refused` for a package from elsewhere: a match spec or a configuration can bring in other channels."""
    known = [_bare(channel) for channel in decided]
    for part in plan.link:
        place = _bare(part.url or part.channel)
        if "://" not in place:
            place = _bare(cached(unpacked(caches, part)).url) or place
        if not any(place == each or place.startswith(f"{each}/") or each.endswith(f"/{place}") for each in known):
            raise Refused(
                f"{program.name} would take {part.name} from {shown(place) or 'somewhere'}, which is none of the "
                "channels that were decided.",
                hints=["Name that channel among those of the environment, if it is allowed.", "Or leave it out."],
            )


def _bare(url: str) -> str:
    """Return a URL as channels are compared: without credentials, token, and slash at its end."""
    text = re.sub(r"^(\w+://)[^/@]*@", r"\1", url)
    text = re.sub(r"^file:/+", "file:///", text)
    return re.sub(r"(://[^/]+)/t/[^/]+", r"\1", text).rstrip("/")


def presence(job: Job, before: Iterable[Installed]) -> None:
    """Raise `PackageNotFound` for what is to be updated or removed and is not there; mamba would say nothing."""
    there = {each.name for each in before}
    missing = [name for word in job.words if (name := name_of(word)) not in there]
    if missing and job.verb != "install":
        raise PackageNotFound(
            f"The environment has no {_names(missing)} that could be {job.verb.rstrip('e')}ed.",
            hints=["List its packages to see what is there."],
        )


def losses(job: Job, plan: Actions, earlier: Mapping[str, str]) -> None:
    """Raise `RequirementsConflict` where something would go that somebody asked for, and that nobody removes."""
    stays = {part.name for part in plan.link}
    removed = {name_of(word) for word in job.words} if job.verb == "remove" else set()
    lost = [part.name for part in plan.unlink if part.name in earlier and part.name not in stays | removed]
    if lost:
        raise RequirementsConflict(
            f"This would take away what was asked for: {_names(lost)}.",
            hints=["Remove that too, if it is not needed any more.", "Or leave things as they are."],
        )


def scripts(program: Program, name: str, found: Sequence[str]) -> None:
    """Raise `Refused` where a package brings scripts that *program* would run; it can not be told not to."""
    if found:
        raise Refused(
            f"The package {name} brings a {found[0]} script that {program.name} would run, which is not allowed here.",
            hints=[
                "Leave it out, or ask staff to allow link scripts (c.CondaManager.link_scripts).",
                "Or take the built-in engine, which can leave them out.",
            ],
        )


def proof(program: Program, linked: Sequence[Part], unlinked: Sequence[Part], prefix: Path) -> None:
    """Raise `BuildFailed` unless the records in *prefix* are those that there should be."""
    new = {part.stem for part in linked}
    wrong = [part.name for part in linked if not is_linked(prefix, part)]
    wrong += [part.name for part in unlinked if part.stem not in new and is_linked(prefix, part)]
    if wrong:
        raise BuildFailed(
            f"{program.name} ended as if all was well, but these packages are not as it said: {_names(wrong)}.",
            hints=["Try again.", "Or take the built-in engine, which needs no program."],
        )


def digest(package: PinnedPackage, part: Part, caches: Sequence[Path]) -> None:
    """Raise `BuildFailed` where what is in the cache is not the package that was meant.

    conda takes what it was told for the digest of a package that is in its cache already, and writes that into the
    environment's records, so they prove nothing.
    """
    wanted = package.sha256 or package.md5
    if not wanted:
        return
    path = archive(caches, part)
    if path is not None:
        found = _digest(path, "sha256" if package.sha256 else "md5")
    else:
        record = cached(unpacked(caches, part))
        found = (record.sha256 if package.sha256 else record.md5) or ""
    if found != wanted.lower():
        for each in (path, unpacked(caches, part)):
            if each is not None:
                throw_away(each, caches)
        raise BuildFailed(
            f"{part.stem} is not the package that was meant: its checksum differs.",
            hints=["Try again: it is downloaded anew.", "If that fails as well, the list or the channel is wrong."],
            reason=f"wanted {wanted}, found {found or 'none'}",
        )


def _digest(path: Path, kind: str) -> str:
    state = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    return state.hexdigest()


def _names(several: Sequence[str]) -> str:
    """Return a few names for a sentence, and how many more there are."""
    most = 5
    rest = f" and {len(several) - most} more" if len(several) > most else ""
    return ", ".join(several[:most]) + rest
