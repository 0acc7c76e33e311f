"""Decide what a change asks of the solver: from what is installed, what was asked for before, and what is asked now.

As in conda, requests decide what stays: packages that somebody asked for, and what these need. What came along with a
package goes with it, unless something else needs it. A package that nobody asked for and nothing needs is left alone
until it is named, for in an environment of unknown origin that would be all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from ...errors import PackageNotFound, RequirementsConflict
from .installed import Installed, name_of, reachable


class Wish(msgspec.Struct, kw_only=True):
    """What the solver gets."""

    asked: list[str] = []
    """Match specs that are asked for now."""
    kept: dict[str, list[str]] = {}
    """Earlier requests by name: match specs, the likeliest first; the first that fits what is installed holds."""
    roots: list[str] = []
    """Packages that stay although nobody asked for them."""
    first: list[str] = []
    """Packages that the change is about: the solver decides about them before it does about others."""
    locked: list[str] = []
    """Packages that keep their version if they can."""
    constraints: list[str] = []
    gone: list[str] = []
    """Packages that go, with what only they needed."""
    taken_back: list[str] = []
    """Packages whose earlier request does not hold any more."""
    solve: bool = True
    """False where packages only go: then nothing else may change, and no channel is asked."""


def decide(
    packages: Sequence[Installed],
    earlier: Mapping[str, Sequence[str]],
    *,
    install: Sequence[str] = (),
    update: Sequence[str] = (),
    update_all: bool = False,
    remove: Sequence[str] = (),
) -> Wish:
    """Return what a change asks of the solver; *earlier* is what `history.requests` says.

    What is installed by name alone takes an earlier version request back; what is updated by name alone keeps it.
    Raises `PackageNotFound` for what is to be updated or removed and is not there, `RequirementsConflict` for
    the removal of what something else needs that was asked for.
    """
    every = {each.name: each for each in packages}
    removed = {name_of(spec) for spec in remove}
    _check_there(every, [*(name_of(spec) for spec in update), *removed])
    asked: dict[str, list[str]] = {}
    for spec in [*(spec for spec in update if not _is_name(spec)), *install]:
        asked.setdefault(name_of(spec), []).append(spec)
    kept = {name: list(specs) for name, specs in earlier.items() if name not in asked and name not in removed}
    wanted = [*kept, *(name for name in asked if name in every)]
    gone = _going(every, removed, wanted)
    stay = {name: each for name, each in every.items() if name not in gone}
    updated = {name_of(spec) for spec in update}
    left = {*_loose(stay, wanted), *(name for name in updated if name not in asked and name not in kept)}
    return Wish(
        asked=[spec for specs in asked.values() for spec in specs],
        kept=kept,
        roots=sorted(left),
        first=[*asked, *sorted(updated - asked.keys())],
        locked=[] if update_all else sorted(stay.keys() - updated),
        constraints=_series(every, asked),
        gone=sorted(gone),
        taken_back=sorted(name for name in removed if name in earlier),
        solve=bool(install or update or update_all),
    )


def _is_name(spec: str) -> bool:
    return name_of(spec) == spec.strip().lower()


def _check_there(every: Mapping[str, Installed], names: Sequence[str]) -> None:
    if missing := sorted({name for name in names if name not in every}):
        raise PackageNotFound(
            f"{_listed(missing)} {'is' if len(missing) == 1 else 'are'} not installed in the environment.",
            hints=["List its packages to see what is there."],
        )


def _going(every: Mapping[str, Installed], removed: Collection[str], wanted: Sequence[str]) -> set[str]:
    """Return *removed*, what needs them without having been asked for, and what nothing needs without them."""
    if not removed:
        return set()
    needed = reachable(every, wanted)
    if held := sorted(needed & set(removed)):
        holders = sorted(name for name in wanted if reachable(every, [name]) & set(held))
        raise RequirementsConflict(
            f"{_listed(held)} can not be removed, because {_listed(holders)} "
            f"{'needs' if len(holders) == 1 else 'need'} it and {'was' if len(holders) == 1 else 'were'} asked for.",
            hints=[f"Remove {_listed(holders)} as well, if nobody uses it."],
        )
    base = set(removed)
    while more := {name for name, each in every.items() if name not in base and each.needs & base}:
        base |= more
    below = reachable(every, base)
    others = reachable(every, every.keys() - needed - below)
    return base | (below - needed - others)


def _loose(stay: Mapping[str, Installed], wanted: Sequence[str]) -> list[str]:
    """Return the fewest names by which all stays that no request reaches."""
    left = stay.keys() - reachable(stay, wanted)
    needed = {each for name in left for each in stay[name].needs if each != name}
    tops = sorted(left - needed)
    while rest := sorted(left - reachable(stay, tops)):  # circles have no top
        tops.append(rest[0])
    return tops


def _series(every: Mapping[str, Installed], asked: Collection[str]) -> list[str]:
    """Keep Python's minor version unless Python itself is asked for: what pip installed would be lost with it."""
    python = every.get("python")
    if python is None or "python" in asked:
        return []
    return [f"python {'.'.join(python.version.split('.')[:2])}.*"]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
