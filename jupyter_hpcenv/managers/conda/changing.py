"""Keep what leads back from a change of a conda environment, and go back: to the exact packages that were there.

A change that was killed while files were linked is finished first, by its journal; only then can one go back.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import msgspec
from packaging.utils import canonicalize_name

from ... import typed
from ...errors import BrokenRecord, InvalidRequest, PackageNotFound, RequirementsConflict
from ...files import explain, read_regular, write_json
from ...models import BY_PIP, Changes, PinnedPackage, Record, Reporter
from .. import changing as of_pips
from .. import snapshot
from ..contract import Package
from . import history, installed
from .applying import put_aside_back
from .channels import Channels
from .engines import Engine
from .installed import Installed
from .plan import Plan, Source

_TOOLS = ("ipykernel", "pip")


class Before(msgspec.Struct, kw_only=True):
    """What was in an environment before a change."""

    pinned: list[PinnedPackage]
    requested: list[str]
    """The match specs that were asked with."""


class Wish(TypedDict):
    """What an engine is asked to do."""

    install: list[str]
    update: list[str]
    update_all: bool
    remove: list[str]


def wish(changes: Changes) -> Wish:
    """Return what of a request engines are asked for."""
    conda = of_conda(changes)
    return Wish(install=conda.install, update=conda.update, update_all=conda.update_all, remove=conda.remove)


def of_conda(changes: Changes) -> Changes:
    """Return a request without what pip is asked for."""

    def kept(lines: list[str]) -> list[str]:
        return [line for line in lines if not line.startswith(BY_PIP)]

    return msgspec.structs.replace(
        changes, install=kept(changes.install), update=kept(changes.update), remove=kept(changes.remove)
    )


def of_pip(changes: Changes) -> Changes:
    """Return what pip is asked for, as requirements; what to update all means is conda's alone."""

    def kept(lines: list[str]) -> list[str]:
        return [line.removeprefix(BY_PIP) for line in lines if line.startswith(BY_PIP)]

    return Changes(install=kept(changes.install), update=kept(changes.update), remove=kept(changes.remove))


def said(changes: Changes) -> list[str]:
    """Return what pip is asked for, as a plan says it: what else pip brings along is known afterwards."""
    gone = [f"{of_pips.name_of(line)} (removed)" for line in changes.remove]
    return [*changes.install, *changes.update, *gone]


def told(plan: Plan, by_pip: list[str], warnings: list[str]) -> dict[str, Any]:
    """Return a plan as plain data, with what it was solved for among its notes."""
    notes = [f"Solved for a computer with {', '.join(plan.virtual)}."] if plan.virtual else []
    found: dict[str, Any] = msgspec.to_builtins(plan)
    return {**found, "notes": [*plan.notes, *notes], "pip": by_pip, "warnings": warnings}


def with_bounds(changes: Changes, by_pip: Sequence[str]) -> Changes:
    """Return what pip is asked for, held to what was asked of it before where only a name is to be updated."""
    earlier = {of_pips.name_of(line): line for line in by_pip}
    return msgspec.structs.replace(
        changes,
        update=[earlier.get(of_pips.name_of(line), line) if of_pips.is_name(line) else line for line in changes.update],
    )


def versions(by_pip: Sequence[Package]) -> dict[str, str]:
    """Return the versions of packages by canonical name."""
    return {str(canonicalize_name(each.name)): each.version for each in by_pip}


def with_pip(plan: dict[str, Any], before: dict[str, str], after: dict[str, str]) -> dict[str, Any]:
    """Return a plan that was carried out with what pip did besides."""
    done = of_pips.compared(before, after)
    return {**plan, **{what: [*plan[what], *done[what]] for what in ("install", "change", "remove")}}


def kept_requests(prefix: Path, record: Record, changes: Changes) -> list[str]:
    """Return the match specs that hold now, in the order in which they were asked for.

    Tools that came for the kernel and that nobody asked for are left out.
    """
    named = [installed.name_of(spec) for spec in (*record.packages, *changes.install, *changes.update)]
    order = {name: number for number, name in reversed(list(enumerate(named)))}
    held = {installed.name_of(spec): spec for spec in requested(prefix)}
    kept = [name for name in held if name not in _TOOLS or name in order]
    return [held[name] for name in sorted(kept, key=lambda name: order.get(name, len(order)))]


def asked_after(by_pip: list[str], changes: Changes) -> list[str]:
    """Return what pip counts as asked for after a change."""
    return of_pips.asked_after(by_pip, changes)


def asks(changes: Changes) -> bool:
    """Tell whether anything is asked for."""
    return bool(changes.install or changes.update or changes.update_all or changes.remove)


def check_channels(changes: Changes, chosen: Channels) -> None:
    """Refuse packages of channels that the environment does not have: nothing could ever be found for them."""
    known = {*chosen.names, *chosen.urls, *(url.rstrip("/").rpartition("/")[2] for url in chosen.urls)}
    for spec in [*changes.install, *changes.update]:
        channel, marked, _ = spec.partition("::")
        # a subdir may stand behind it
        if marked and "://" not in channel and not {channel, channel.rpartition("/")[0]} & known:
            raise InvalidRequest(
                f"The environment takes nothing from a channel {channel}.",
                hints=[
                    f"Its channels: {', '.join(chosen.names)}.",
                    "Make an environment with that channel (--channel), or leave the channel out.",
                ],
            )


def check(changes: Changes, there: Sequence[Installed], by_pip: Sequence[Package], *, kernel: bool) -> None:
    """Refuse what is not there to be updated or removed, and to remove what the kernel needs."""
    of_pips.check(of_pip(changes), by_pip, kernel=False)
    changes = of_conda(changes)
    removed = {installed.name_of(spec) for spec in changes.remove}
    known = {each.name for each in there}
    if missing := sorted({*removed, *map(installed.name_of, changes.update)} - known):
        pips = [name for name in missing if name in versions(by_pip)]
        raise PackageNotFound(
            f"{' and '.join(missing)} {'is no conda package' if len(missing) == 1 else 'are no conda packages'} of the "
            "environment.",
            hints=[
                *(f"pip installed {name}: write “{BY_PIP}{name}”." for name in pips),
                "List its packages to see what is there.",
            ],
        )
    if kernel and (held := sorted(removed & {"ipykernel", "python"})):
        raise RequirementsConflict(
            f"{held[0]} can not be removed, because the environment’s kernel needs it.",
            hints=["Leave it, or delete the environment."],
        )


def keep(prefix: Path, changes: Changes, before: Path) -> None:
    """Write down which packages are in *prefix*; raises `DiskFull`, `LocationUnavailable`.

    Where pip will change something, the whole prefix is kept, by hardlinks: no list can bring back what pip replaces.
    """
    if asks(of_pip(changes)):
        snapshot.take(prefix, before)
        return
    try:
        write_json(before, Before(pinned=pinned(prefix), requested=requested(prefix)))
    except OSError as error:
        raise explain(error, before) from error


def aside_of(before: Path) -> Path:
    """Return where files are kept that belong to no package and that a change replaces."""
    return before.with_name(f"{before.name}.aside")


def back(engine: Engine, source: Source, prefix: Path, before: Path, report: Reporter) -> None:
    """Let *prefix* hold the packages that *before* names; does nothing where it does, or where nothing is kept."""
    if before.is_dir():
        snapshot.put_back(prefix, before)
        return
    engine.recover(source, prefix, report)
    try:
        kept = typed.of_json(read_regular(before, 20_000_000), Before)
    except FileNotFoundError:
        return
    except msgspec.DecodeError as error:
        raise BrokenRecord(f"{before} is damaged: {error}.", hints=["Create the environment again."]) from error
    if {each.url for each in kept.pinned} != {each.url for each in installed.read(prefix)}:
        engine.install_pinned(source, kept.pinned, prefix, report, kept.requested)
    put_aside_back(prefix, aside_of(before))


def pinned(prefix: Path) -> list[PinnedPackage]:
    """Return the exact packages in *prefix*, in an order in which each comes after what it needs."""
    return [
        PinnedPackage(url=each.url, sha256=each.sha256, md5="" if each.sha256 else each.md5)
        for each in installed.in_order(installed.read(prefix))
    ]


def requested(prefix: Path) -> list[str]:
    """Return the match specs that hold now, as the history says."""
    return [specs[0] for specs in history.requests(prefix, installed.read(prefix)).values()]
