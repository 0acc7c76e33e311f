"""Compare a manifest with what is there, and say what is to be done about each environment.

Nothing is started and nothing is changed here; a run over what is as it should be costs some stats for each.
"""

from __future__ import annotations

import contextlib
import datetime
import fnmatch
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..catalog import glance
from ..errors import HpcenvError, InvalidRequest
from ..models import Environment, Record
from ..site import Site
from ..site.locations import default_name, root_of
from . import access, publishing, releases
from .settings import Manifest
from .words import Act, Document, Entry, Step

#: Says in a sentence what is wrong with the files of an environment; empty: nothing.
Look = Callable[[Environment, Record], str]


#: Why an older release is left that the name still leads to.
IN_USE = "Everybody is given it now."


class Found(NamedTuple):
    """An environment of the account's own that is there, or was."""

    row: Environment
    record: Record | None
    """None where it can not be read."""


class Wanted(NamedTuple):
    """An entry of the manifest, and what there is of it."""

    step: Step
    entry: Entry | None
    found: Found | None
    root: Path


def plan(
    document: Document,
    there: Sequence[Found],
    site: Site,
    settings: Manifest,
    *,
    look: Look | None = None,
    today: datetime.date | None = None,
) -> list[Wanted]:
    """Return a step for each entry, in the manifest's order, then what the manifest does not ask for any more."""
    return _Planner(document, there, site, settings, look, today or datetime.date.today()).steps()


class _Planner:
    """One comparison."""

    def __init__(
        self,
        document: Document,
        there: Sequence[Found],
        site: Site,
        settings: Manifest,
        look: Look | None,
        today: datetime.date,
    ) -> None:
        self._document, self._site, self._settings = document, site, settings
        self._look, self._today = look, today
        self._there = {(each.row.location, each.row.name): each for each in there}
        self._default = ""
        self._platform = site.platform()
        self._names: set[tuple[str, str]] = set()
        self._kept: set[tuple[str, str]] = set()
        self._others: set[tuple[str, str]] = set()

    def steps(self) -> list[Wanted]:
        found = [self._one(entry) for entry in self._document.environments]
        return [*found, *self._rest()]

    def _one(self, entry: Entry) -> Wanted:
        step = Step(name=entry.name, release=entry.release, file=entry.file, act="unchanged")
        if not self._is_for_here(entry):
            with contextlib.suppress(HpcenvError):  # what another machine has built in a location of both is its own
                self._others.add((entry.request.location or self._default_location(), entry.name))
            return self._with(step, "skipped", "It is for another kind of machine.", entry)
        try:
            step.location = entry.request.location or self._default_location()
            root = root_of(self._site, step.location)
        except HpcenvError as error:
            return self._failed(step, error, entry)
        there = self._there.get((step.location, entry.own_name))
        self._kept.add((step.location, entry.own_name))
        try:
            self._check_once(step.location, entry)
            act, why = self._act(entry, there, root, step.location)
        except HpcenvError as error:
            return self._failed(step, error, entry)
        except OSError as error:
            return self._failed(step, HpcenvError(f"It can not be looked at: {error}."), entry)
        if entry.file and act in ("build", "change", "replace"):
            why = f"{why} Its packages are those of {entry.file}.".strip()
        return self._with(step, act, why, entry, there, root)

    def _act(self, entry: Entry, there: Found | None, root: Path, location: str) -> tuple[Act, str]:
        if entry.retired(self._today):
            return self._of_retired(entry, there, location)
        access.check(entry.visible)
        now = releases.current(root, entry.name) if entry.release else ""
        if not entry.release and (root / entry.name).is_symlink():
            raise InvalidRequest(
                f"{entry.name} has releases, and the manifest names none.",
                hints=["Name the release again, or give the environment without releases another name."],
            )
        if there is None:
            return "build", ""
        record = there.record
        if record is None or there.row.state in ("newer", "slow"):
            raise InvalidRequest(f"{entry.own_name} can not be read. {there.row.message}", hints=["See what it is."])
        told = record.preinstalled
        if told is None or told.label != self._document.label:
            whose = f"the manifest “{told.label}” made it" if told else "no manifest made it"
            raise InvalidRequest(
                f"{entry.own_name} is in {location} already, and {whose}.",
                hints=["Delete that one, or take another name."],
            )
        wanted = entry.preinstalled(self._document.label)
        if told.digest != wanted.digest:
            if entry.release:
                raise InvalidRequest(
                    f"The manifest asks for something else in {entry.name} than its release {entry.release} has, and "
                    "releases do not change.",
                    hints=["Give it another release."],
                )
            same = told.rest == wanted.rest and not (entry.request.file or entry.request.requirements)
            ordinary = same and there.row.state == "ready" and not glance.gone(record)
            return ("change", "Its packages are others now.") if ordinary else ("replace", "It is another one now.")
        if why := self._damage(there, record):
            return "repair", why
        if entry.release and now != entry.release and releases.held_back(root, entry.name) == entry.release:
            return "held", f"Somebody went back to {now}; the manifest's next release is taken again."
        return self._unfinished(entry, record, root, now)

    def _unfinished(self, entry: Entry, record: Record, root: Path, now: str) -> tuple[Act, str]:
        """Return what is left to do about an environment that is built."""
        assert record.preinstalled is not None
        if entry.test_digest != record.preinstalled.tested and entry.test:
            return "finish", "Its test was not passed yet."
        if entry.release and now != entry.release:
            return "finish", f"{entry.name} leads to {now} still." if now else f"{entry.name} leads nowhere yet."
        if not access.is_as(publishing.closed_folder(entry, root), entry.visible):
            return "finish", "Others can use it than the manifest says."
        wanted = publishing.publications(entry, record, root, self._settings, self._site)
        if not publishing.stands(wanted, self._settings):
            return "finish", "Its kernel is not published as it should be."
        return "unchanged", ""

    def _of_retired(self, entry: Entry, there: Found | None, location: str) -> tuple[Act, str]:
        if publishing.is_published(location, entry.name, self._settings):
            return "retire", f"It is not offered any more since {entry.retire}."
        told = there.record.preinstalled if there and there.record else None
        mine = told is not None and told.label == self._document.label
        return "prune" if mine else "skipped", f"It was retired on {entry.retire}."

    def _damage(self, there: Found, record: Record) -> str:
        if there.row.state in ("missing", "python_gone", "broken"):
            return there.row.message
        if there.row.state == "module_missing":
            raise InvalidRequest(there.row.message, hints=["Name modules that are there, and give it another release."])
        return glance.gone(record) or (self._look(there.row, record) if self._look else "")

    def _rest(self) -> Iterator[Wanted]:
        """Yield what carries this manifest's label and is not asked for: entries that went, and older releases."""
        mine: dict[tuple[str, str], list[Found]] = {}
        for each in self._there.values():
            told = each.record.preinstalled if each.record else None
            if told is not None and told.label == self._document.label:
                mine.setdefault((each.row.location, told.name), []).append(each)
        keep = self._settings.keep if self._document.keep is None else self._document.keep
        for (location, name), group in sorted(mine.items()):
            with contextlib.suppress(HpcenvError):
                yield from self._older(location, name, group, keep)

    def _older(self, location: str, name: str, group: list[Found], keep: int) -> Iterator[Wanted]:
        root = root_of(self._site, location)
        asked = (location, name) in self._names
        if not asked and (location, name) in self._others:
            return
        now = ""
        with contextlib.suppress(HpcenvError):
            now = releases.current(root, name)
        rest = [each for each in group if (location, each.row.name) not in self._kept and each.record is not None]
        order = releases.order(root, name)

        def age(each: Found) -> tuple[int, str]:
            """Go by when people got it; clocks may be set back between two builds."""
            told = each.record.preinstalled if each.record else None
            release = told.release if told else ""
            return order.index(release) if release in order else -1, each.record.created if each.record else ""

        rest.sort(key=age, reverse=True)
        if held := releases.held_back(root, name):  # nobody wants to go back to it
            rest.sort(key=lambda each: each.row.name == f"{name}-{held}")
        kept = 0
        for each in rest:
            assert each.record is not None
            assert each.record.preinstalled is not None
            release = each.record.preinstalled.release
            step = Step(name=name, release=release, location=location, act="unchanged")
            if asked and release:
                if release == now or kept < keep:
                    kept += release != now
                    why = IN_USE if release == now else "It is kept for a rollback."
                    yield self._with(step, "left", why, None, each, root)
                else:
                    yield self._with(step, "prune", "A newer release is in use.", None, each, root)
            elif not asked:
                yield self._with(step, "prune", "The manifest does not ask for it any more.", None, each, root)

    def _is_for_here(self, entry: Entry) -> bool:
        here = {"os": self._platform.os, "arch": self._platform.arch, "cluster": self._platform.cluster}
        return not entry.targets or any(
            all(fnmatch.fnmatchcase(here[word], getattr(target, word) or "*") for word in here)
            for target in entry.targets
        )

    def _check_once(self, location: str, entry: Entry) -> None:
        """Raise for an entry that comes twice; kernels and files of two would have one name."""
        own, shared = (location, entry.own_name.lower()), (location, entry.name.lower())
        taken = {(place, word.lower()) for place, word in self._names}
        if own in taken or shared in taken:
            name = entry.own_name if own in taken else entry.name
            raise InvalidRequest(
                f"The manifest has two environments {name} in {location}.", hints=["Keep one of them."]
            )
        self._names |= {(location, entry.name), (location, entry.own_name)}

    def _default_location(self) -> str:
        self._default = self._default or default_name(self._site)
        return self._default

    def _failed(self, step: Step, error: HpcenvError, entry: Entry) -> Wanted:
        step.fail(error)
        return self._with(step, "error", "", entry)

    @staticmethod
    def _with(
        step: Step,
        act: Act,
        why: str,
        entry: Entry | None,
        found: Found | None = None,
        root: Path = Path(os.sep),
    ) -> Wanted:
        step.act, step.why = act, why
        return Wanted(step, entry, found, root)
