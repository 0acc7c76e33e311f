"""Ask the doctor, and carry out what it advises with the verbs that there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from .. import doctor, kernels
from ..catalog import Catalog
from ..doctor import Finding
from ..errors import HpcenvError
from ..managers.contract import Manager
from ..models import EnvironmentDetail, Operation
from ..site import Site
from ..site.locations import all_locations, describe
from ..site.quotas import with_quotas
from ..site.target import current
from . import caching


class Done(msgspec.Struct, kw_only=True):
    """What became of a finding that was to be mended."""

    code: str
    environment: str = ""
    path: str = ""
    done: bool
    message: str
    """What was done, or why it could not be."""
    operation: str = ""
    """Id of the operation that does it; empty for what is done at once."""
    undo: str = ""
    """The word by which what was put aside comes back; empty where there is another way."""


class Verbs(NamedTuple):
    """What mends an environment."""

    rebuild: Callable[[str], Operation]
    refresh: Callable[[str], EnvironmentDetail]


def examine(catalog: Catalog, reference: str = "", managers: Mapping[str, Manager] | None = None) -> list[Finding]:
    """Return what is wrong with an environment; without one, with the account and all own environments.

    *managers* know where caches are.
    """
    site = catalog.site
    if reference:
        detail = catalog.find(reference)
        place = describe(site, detail.location) if detail.location in site.locations else None
        return doctor.examine(detail, place, _computer(site))
    rows = [row for row in catalog.environments() if row.origin == "own"]
    places = with_quotas(site, all_locations(site))
    elsewhere = caching.better(places)
    strays = [
        doctor.Stray(each.place.name, str(each.folder), elsewhere.name)
        for each in caching.find(site, managers or {})
        if elsewhere is not None and caching.is_stray(each)
    ]
    details = [catalog.find(row.id) for row in rows]
    brought = [each.path for detail in details if detail.modules for each in detail.modules.brings]
    found = doctor.examine_account(places, brought, orphans=_orphans(catalog), strays=strays)
    by_name, computer = {place.name: place for place in places}, _computer(site)
    for detail in details:
        found += doctor.examine(detail, by_name.get(detail.location), computer)
    once: dict[tuple[str, str, str], Finding] = {}
    for each in found:  # what is meant is one folder of the account, however many environments it concerns
        once.setdefault((each.code, each.path, "" if each.code.startswith("user_") else each.environment), each)
    return list(once.values())


def _computer(site: Site) -> doctor.Machine:
    """Return this computer, with the names that the site has for it; a guessed name of a cluster tells nothing."""
    known = "cluster" in site.config.get("Site", {})
    return doctor.Machine(target=current(site.target_variables), cluster=site.cluster if known else "")


def _orphans(catalog: Catalog) -> dict[str, str]:
    """Return our kernelspecs whose environment is neither there nor in the trash, and of which no record is kept."""
    known = {row.id for row in catalog.environments()} | {item.id for item in catalog.trash()}
    known |= set(catalog.records.copies_by_id())
    published = kernels.published(catalog.site)
    gone = [name for name, spec in published.items() if str(spec.get("environment", "")) not in known]
    return {name: str(catalog.site.kernels_dir / name) for name in gone}


#: What a fix would do, for who only asks.
_WOULD = {
    "rebuild": "It would be built again; what is left of it goes to the trash.",
    "refresh": "It would be proven again, and what is rendered from it written anew.",
    "put_aside": "It would be put aside, from where “check --put-back” brings it back.",
}


def mend(found: list[Finding], catalog: Catalog, verbs: Verbs, *, dry_run: bool = False) -> list[Done]:
    """Carry out each fix there is, or with *dry_run* only say so; one that fails hinders no other."""
    done, asked = [], set[tuple[str, str]]()
    for each in found:
        if not each.fix or (each.fix, each.environment or each.path) in asked:
            continue  # two findings may have one fix
        asked.add((each.fix, each.environment or each.path))
        said = Done(code=each.code, environment=each.environment, path=each.path, done=not dry_run, message="")
        if dry_run:
            said.message = _WOULD[each.fix]
            done.append(said)
            continue
        try:
            if each.fix == "rebuild":
                said.operation = verbs.rebuild(each.environment).id
                said.message = "It is being built again."
            elif each.fix == "refresh":
                verbs.refresh(each.environment)
                said.message = "It was proven again, and what is rendered from it was written anew."
            else:
                said.undo = doctor.put_aside(Path(each.path), catalog.site)
                said.message = "It was put aside."
        except HpcenvError as error:
            said.done, said.message = False, error.message
        done.append(said)
    return done
