"""Install, update and remove packages of a virtual environment with uv or pip, or say what that would do.

What was asked for before holds on: it goes along as constraints. Nothing that a person typed stands in an argument
list but canonical names, which are letters, digits and hyphens.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from .. import typed
from ..errors import PackageNotFound, RequirementsConflict
from ..files import read_regular, write_atomic
from ..models import Changes, Reporter
from ..process import run
from . import installers, packages
from .contract import Choice, Package
from .failures import failure
from .output import Watch, clean
from .prefixes import find_uv

_UV_PLAN = re.compile(r" ([+~-]) ([A-Za-z0-9._-]+)==(\S+)")
_PROGRESS = re.compile(r"(Checked|Found|Using|warning:) ")  # what uv says besides
_NAMED = 5  # sentences of a check that go into the log


def name_of(requirement: str) -> str:
    """Return the canonical name of a requirement; an empty text for an editable project, whose name nobody knows."""
    try:
        return str(canonicalize_name(Requirement(requirement).name))
    except InvalidRequirement:
        return ""


def is_name(requirement: str) -> bool:
    """Tell whether a requirement says no more than a name, in whatever spelling."""
    try:
        asked = Requirement(requirement)
    except InvalidRequirement:
        return False
    return not (asked.specifier or asked.url or asked.marker)


def check(changes: Changes, there: Iterable[Package], *, kernel: bool) -> None:
    """Refuse what can be known to fail.

    Raises `PackageNotFound` for what is not there to be updated or removed, and `RequirementsConflict` for the
    removal of what the environment itself needs.
    """
    known = {str(canonicalize_name(package.name)) for package in there}
    named = {name_of(line) for line in (*changes.update, *changes.remove)}
    if missing := sorted(named - known):
        raise PackageNotFound(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed in the environment.",
            hints=["List its packages to see what is there; what modules bring is not the environment’s to change."],
        )
    removed = {name_of(line) for line in changes.remove}
    needed = {"pip"} | ({"ipykernel"} if kernel else set())
    if held := sorted(removed & needed):
        raise RequirementsConflict(
            f"{held[0]} can not be removed, because the environment {'and its kernel need' if kernel else 'needs'} it.",
            hints=["Leave it, or delete the environment."],
        )
    if twice := sorted(removed & {name_of(line) for line in (*changes.install, *changes.update)}):
        raise RequirementsConflict(f"{twice[0]} is to be removed and to be installed.", hints=["Say one of the two."])


def check_needed(changes: Changes, needs: Mapping[str, set[str]]) -> None:
    """Raise `RequirementsConflict` where what is to be removed is needed by what stays."""
    removed = {name_of(line) for line in changes.remove}
    held = {
        name: sorted(wanted & removed) for name, wanted in needs.items() if name not in removed and wanted & removed
    }
    if held:
        wanted = sorted({each for every in held.values() for each in every})
        holders = sorted(held)
        named = ", ".join(holders[:_NAMED]) + (f" and {len(holders) - _NAMED} more" if len(holders) > _NAMED else "")
        raise RequirementsConflict(
            f"{' and '.join(wanted)} can not be removed, because {named} need{'s' if len(holders) == 1 else ''} it.",
            hints=[f"Remove {named} as well, if nobody uses it."],
        )


def asked_after(asked: Sequence[str], changes: Changes) -> list[str]:
    """Return the requirements that hold after a change; a bare name that is updated keeps what was asked of it."""
    bounds = [line for line in changes.update if not is_name(line)]
    new = {name_of(line) or line: line for line in (*bounds, *changes.install)}
    gone = {*new, *(name_of(line) for line in changes.remove)}
    return [*(line for line in asked if (name_of(line) or line) not in gone), *new.values()]


def plan(
    changes: Changes,
    choice: Choice,
    asked: Sequence[str],
    prefix: Path,
    env: Mapping[str, str],
    folder: Path,
    report: Reporter,
) -> dict[str, Any]:
    """Return what `change` would do, as plain data. Sizes are not known: installers do not tell them beforehand."""
    before = _versions(prefix)
    after = dict(before)
    lines = _wanted(changes, before)
    if lines:
        report.step("resolve")
        found = _dry_run(changes, choice, lines, asked, prefix, env, folder, report)
        after |= found
    for line in changes.remove:
        after.pop(name_of(line), None)
    return {**compared(before, after), "notes": _held(changes, asked, before, after)}


def change(
    changes: Changes,
    choice: Choice,
    asked: Sequence[str],
    prefix: Path,
    env: Mapping[str, str],
    folder: Path,
    report: Reporter,
    providers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Carry the change out and return what it did; raises what installers' failures mean."""
    before = _versions(prefix)
    known = set(_broken(choice, prefix, env, folder, report))
    lines = _wanted(changes, before)
    if lines:
        wanted = _files(folder, lines, asked, changes, choice)
        installers.install(choice, wanted, prefix, env, report, providers, _upgrades(changes, choice, lines))
    if changes.remove:
        report.step("install")
        uninstall(changes, choice, prefix, env, folder, report)
    new = [sentence for sentence in _broken(choice, prefix, env, folder, report) if sentence not in known]
    if new:
        raise RequirementsConflict(
            "The change would leave packages without what they need.",
            hints=["Ask for versions that go together, or remove what needs the others as well."],
            reason="\n".join(new),
        )
    after = _versions(prefix)
    return {**compared(before, after), "notes": _held(changes, asked, before, after)}


def _held(changes: Changes, asked: Sequence[str], before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Say of packages that were to be updated why they stay."""
    named = {name_of(line) for line in changes.update if is_name(line)}
    earlier = {name_of(line): line for line in asked if not is_name(line)}
    stay = {
        name: line
        for name, line in earlier.items()
        if (name in named or changes.update_all) and name in before and before[name] == after.get(name)
    }
    if len(stay) > _NAMED:
        listed = ", ".join([*stay.values()][:_NAMED])
        return [f"{len(stay)} packages stay as they were asked for: {listed}, …; install one by its name to lift that."]
    return [
        f"{name} stays at {before[name]}: nothing newer was found that fits “{line}”, which was asked for. “install "
        f"{name}” lifts that, and an update then takes the newest."
        for name, line in stay.items()
    ]


def compared(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any]:
    """Return the difference of two lists of versions, in the shape that conda's plans have."""
    return {
        "install": [_entry(name, after[name]) for name in sorted(after.keys() - before.keys())],
        "change": [
            {"name": name, "old": _entry(name, before[name]), "new": _entry(name, after[name])}
            for name in sorted(after.keys() & before.keys())
            if after[name] != before[name]
        ],
        "remove": [_entry(name, before[name]) for name in sorted(before.keys() - after.keys())],
        "download_bytes": None,
        "files": None,
        "pip": [],
        "notes": [],
        "warnings": [],
    }


def _entry(name: str, version: str) -> dict[str, Any]:
    return {
        "name": name,
        "version": version,
        "build": "",
        "channel": "",
        "url": "",
        "bytes": 0,
        "cached": False,
        "files": None,
    }


def _versions(prefix: Path) -> dict[str, str]:
    return {str(canonicalize_name(each.name)): each.version for each in packages.list_packages(prefix)}


def _wanted(changes: Changes, there: Mapping[str, str]) -> list[str]:
    """Return what the installer is asked for: all that is there, where all is to be updated."""
    lines = [*changes.install, *changes.update]
    if changes.update_all:
        named = {name_of(line) for line in (*lines, *changes.remove)}
        lines += sorted(there.keys() - named)
    return list(dict.fromkeys(lines))


def _files(folder: Path, lines: Sequence[str], asked: Sequence[str], changes: Changes, choice: Choice) -> Path:
    """Write requirements and constraints; the modules' constraints, where there are any, lie there already.

    What was asked for before goes along, so that what it needs is held to as well; but not where pip would update it.
    """
    named = {name_of(line) for line in (*changes.install, *changes.remove)}
    named |= {name_of(line) for line in changes.update if not is_name(line)}
    bounds, along = [], []
    upgrading = choice.installer != "uv" and bool(changes.update or changes.update_all)
    for line in asked:
        with contextlib.suppress(InvalidRequirement):
            earlier = Requirement(line)
            if earlier.url or name_of(line) in named:
                continue
            if not upgrading:
                along.append(line)
            elif earlier.specifier:
                mark = f" ; {earlier.marker}" if earlier.marker else ""
                bounds.append(f"{earlier.name}{earlier.specifier}{mark}")
    place = folder / "constraints.txt"
    held = place.read_text().splitlines() if place.exists() else []
    if held or bounds:
        write_atomic(place, "".join(f"{line}\n" for line in [*held, *bounds]).encode())
    return installers.write_requirements(folder, [*lines, *along], kernel=False, constrained=bool(held or bounds))


def _upgrades(changes: Changes, choice: Choice, lines: Sequence[str]) -> list[str]:
    """Return the options by which packages that are there get other versions."""
    if not (changes.update or changes.update_all):
        return []
    if choice.installer != "uv":
        return ["--upgrade"]
    names = [name_of(line) for line in (lines if changes.update_all else changes.update)]
    return [word for name in names if name for word in ("--upgrade-package", name)]


def _dry_run(
    changes: Changes,
    choice: Choice,
    lines: Sequence[str],
    asked: Sequence[str],
    prefix: Path,
    env: Mapping[str, str],
    folder: Path,
    report: Reporter,
) -> dict[str, str]:
    """Return the versions of what would be installed."""
    wanted = _files(folder, lines, asked, changes, choice)
    told = folder / "report.json"
    watch = Watch(report, choice.installer)
    options = ["--dry-run", *_upgrades(changes, choice, lines)]
    if choice.installer != "uv":
        options += ["--quiet", "--report", str(told)]
    done = run(
        [*installers.command(choice, prefix), *options, *installers.options(choice), "-r", str(wanted)],
        env=env,
        cwd=folder,
        on_line=watch.line,
        check=report.check,
    )
    if not done.ok:
        raise failure(choice.installer, watch.lines)
    if choice.installer == "uv":
        found = (_UV_PLAN.fullmatch(clean(line).rstrip()) for line in watch.lines)
        return {str(canonicalize_name(each[2])): each[3] for each in found if each and each[1] != "-"}
    planned = typed.of_json(read_regular(told, 50_000_000), _Report)
    return {str(canonicalize_name(each.metadata.name)): each.metadata.version for each in planned.install}


class _Metadata(msgspec.Struct):
    name: str
    version: str


class _Item(msgspec.Struct):
    metadata: _Metadata


class _Report(msgspec.Struct):
    """What pip says that it would install (the format of ``pip install --report``, version 1)."""

    install: list[_Item]


def uninstall(
    changes: Changes, choice: Choice, prefix: Path, env: Mapping[str, str], folder: Path, report: Reporter
) -> None:
    """Remove what *changes* names; raises what installers' failures mean."""
    listed = folder / "remove.txt"
    write_atomic(listed, "".join(f"{name_of(line)}\n" for line in changes.remove).encode())
    python = str(prefix / "bin" / "python")
    if choice.installer == "uv":
        argv = [find_uv(), "pip", "uninstall", "--python", python, "--color", "never", "-r", str(listed)]
    else:
        argv = [python, "-m", "pip", "uninstall", "--yes", "--no-color", "-r", str(listed)]
    watch = Watch(report, choice.installer)
    done = run(argv, env=env, cwd=folder, on_line=watch.line, check=report.check)
    if not done.ok:
        raise failure(choice.installer, watch.lines)


def _broken(choice: Choice, prefix: Path, env: Mapping[str, str], folder: Path, report: Reporter) -> list[str]:
    """Return what packages of the prefix miss by now, a sentence each, as the installer finds it."""
    python = str(prefix / "bin" / "python")
    if choice.installer == "uv":
        argv = [find_uv(), "pip", "check", "--python", python, "--color", "never"]
    else:
        argv = [python, "-m", "pip", "check", "--no-color"]
    done = run(argv, env=env, cwd=folder, check=report.check)
    lines = [clean(line).strip() for line in done.tail]
    return [] if done.ok else [line for line in lines if line and not _PROGRESS.match(line)]
