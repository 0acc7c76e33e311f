"""What a program is to do with an environment: one transaction after the other, as conda and mamba know them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal
from urllib.parse import unquote

import msgspec

from ...errors import InvalidRequest, InvalidRequirement
from ...models import PinnedPackage
from .command_output import Actions, Part
from .credentials import holds_secret, shown
from .installed import Installed, name_of, platform_of

Verb = Literal["install", "update", "remove"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SPEC = re.compile(r"(?:[A-Za-z0-9][\w./+-]*::)?[A-Za-z0-9_][A-Za-z0-9_.-]*(?:[ =<>!~*\[][\x20-\x7e]*)?", re.ASCII)
_PACKAGE = re.compile(r"""(?:https?|file)://[!-"$-~]+\.(?:conda|tar\.bz2)""")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction."""

    verb: Verb
    words: tuple[str, ...] = ()
    """Match specs to install or update, or names to remove."""
    everything: bool = False
    """Update all packages."""
    pinned: tuple[PinnedPackage, ...] = ()
    """Exact packages to install, instead of `words`."""
    alone: bool = False
    """Do that to `words` alone, whatever they need and whatever needs them."""


def jobs(
    install: Sequence[str],
    update: Sequence[str],
    update_all: bool,
    remove: Sequence[str],
    earlier: Mapping[str, str],
) -> list[Job]:
    """Return the transactions of a change; *earlier* are the match specs that were asked with, by name.

    An update keeps to them, as our own engine does; to conda it would lift them.
    """
    found = [Job(verb="remove", words=tuple(remove))] if remove else []
    if update_all:
        found.append(Job(verb="update", everything=True))
    if update and not update_all:
        held = (earlier.get(name_of(spec), spec) if _is_name(spec) else spec for spec in update)
        found.append(Job(verb="update", words=tuple(held)))
    wanted = [*(spec for spec in update if update_all and not _is_name(spec)), *install]
    return [*found, Job(verb="install", words=tuple(wanted))] if wanted else found


def wanted(planned: Iterable[Job], earlier: Mapping[str, str]) -> dict[str, str]:
    """Return the match specs that hold after *planned*, by name."""
    standing = dict(earlier)
    for job in planned:
        for word in job.words:
            if job.verb == "remove":
                standing.pop(name_of(word), None)
            elif job.verb == "install" or not _is_name(word):
                standing[name_of(word)] = word
    return standing


def holding(job: Job, earlier: Mapping[str, str]) -> list[str]:
    """Return earlier requests as constraints on *job*: programs loosen them silently where that suits them."""
    named = {name_of(word) for word in job.words}
    specs = (re.sub(r"^.*::", "", spec) for name, spec in earlier.items() if name not in named)
    return [spec for spec in specs if not _is_name(spec)] if job.verb != "remove" else []


def _is_name(spec: str) -> bool:
    return name_of(spec) == spec.strip().lower()


def check(job: Job) -> None:
    """Raise `InvalidRequirement` for what a program could take for an option, a file or a URL."""
    for word in job.words:
        pattern = _NAME if job.verb == "remove" else _SPEC
        file = re.search(r"\.(?:conda|tar\.bz2)\s*$|[\[,]\s*(?:url|fn)\s*=", word)
        if not pattern.fullmatch(word) or file or ("://" in word and "[" not in word):
            raise InvalidRequirement(
                f"“{shown(word)}” can not be given to conda as a package.",
                hints=["Write it like numpy or numpy=2.1; to remove a package, give its name alone."],
            )
    here = (platform_of([]), "noarch")
    for each in job.pinned:
        if not _PACKAGE.fullmatch(each.url) or holds_secret(each.url):
            raise InvalidRequirement(
                f"“{shown(each.url)}” is not the URL of a conda package.",
                hints=["An exact package is told by a URL that ends in .conda or .tar.bz2, without credentials."],
            )
        if each.url.split("/")[-2] not in here:
            raise InvalidRequest(
                f"{each.url.rpartition('/')[2]} is for another kind of computer than this one, {here[0]}.",
                hints=["Take a list or lockfile that was made for this kind of computer."],
            )


def exact(job: Job, before: Iterable[Installed]) -> Actions:
    """Return what installing exact packages does."""
    there = {each.url for each in before}
    link = [part for each in job.pinned if (part := part_of(each)).url not in there]
    return Actions(fetch={part.stem: part for part in link}, link=link)


def part_of(package: PinnedPackage) -> Part:
    """Return what the URL of a package says of it."""
    head, _, file = package.url.rpartition("/")
    channel, _, subdir = head.rpartition("/")
    stem = unquote(re.sub(r"\.(?:conda|tar\.bz2)$", "", file))
    name, version, build = stem.rsplit("-", 2) if stem.count("-") >= 2 else (stem, "", "")
    return Part(name=name, version=version, build=build, channel=channel, subdir=subdir, url=package.url, size=0)


def fetching(plan: Actions) -> Job:
    """Return the transaction by which conda fetches exact packages alone; given their list it links them as well."""
    specs = (f"{part.name} =={part.version} {part.build}" for part in plan.link)
    return Job(verb="install", words=tuple(specs), alone=True)


def tops(packages: Sequence[Installed]) -> list[str]:
    """Return the names of the packages that no other one needs; Python counts as one of them."""
    needed = {name for each in packages for name in each.needs if name != each.name}
    return sorted(each.name for each in packages if each.name not in needed or each.name == "python")
