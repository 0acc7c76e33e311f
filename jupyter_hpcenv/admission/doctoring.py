"""Ask the doctor, and carry out what it advises with the verbs that there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from .. import doctor
from ..catalog import Catalog
from ..doctor import Finding
from ..errors import HpcenvError
from ..models import EnvironmentDetail, Operation
from ..site.locations import all_locations
from ..site.quotas import with_quotas


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


def examine(catalog: Catalog, reference: str = "") -> list[Finding]:
    """Return what is wrong with an environment; without one, with the account and all own environments."""
    if reference:
        return doctor.examine(catalog.find(reference))
    rows = [row for row in catalog.environments() if row.origin == "own"]
    site = catalog.site
    found = doctor.examine_account(with_quotas(site, all_locations(site)))
    for row in rows:
        found += doctor.examine(catalog.find(row.id))
    once: dict[tuple[str, str, str], Finding] = {}
    for each in found:  # what is meant is one folder of the account, however many environments it concerns
        once.setdefault((each.code, each.path, "" if each.code.startswith("user_") else each.environment), each)
    return list(once.values())


def mend(found: list[Finding], catalog: Catalog, verbs: Verbs) -> list[Done]:
    """Carry out each fix there is; one that fails hinders no other."""
    done, asked = [], set[tuple[str, str]]()
    for each in found:
        if not each.fix or (each.fix, each.environment or each.path) in asked:
            continue  # two findings may have one fix
        asked.add((each.fix, each.environment or each.path))
        said = Done(code=each.code, environment=each.environment, path=each.path, done=True, message="")
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
