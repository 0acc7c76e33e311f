"""Find the environments that hold a package, for a change of it in all of them; say what one of them inherits."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..catalog import Catalog
from ..errors import HpcenvError
from ..managers import inherited
from ..managers.contract import Manager, Package
from ..models import BY_PIP


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """An own environment in which a package is."""

    environment: str
    """Its id."""
    name: str
    location: str
    version: str
    """Of the package, as it is installed."""
    pinned: str = ""
    """The request that holds the version; empty where it may change."""


def holders(package: str, catalog: Catalog, managers: Mapping[str, Manager]) -> list[Holder]:
    """Return the user's own environments that hold *package* and can be changed, by name."""
    wanted, found = canonicalize_name(package), []
    for row in catalog.environments():
        if row.origin != "own" or row.state != "ready" or row.manager not in managers:
            continue
        with contextlib.suppress(HpcenvError, OSError):  # it goes at this moment, or can not be read
            there = managers[row.manager].list_packages(Path(row.prefix))
            version = next((each.version for each in there if canonicalize_name(each.name) == wanted), None)
            if version is not None:
                pinned = next((text for text in catalog.record(row.id).packages if _pins(text, wanted)), "")
                found.append(
                    Holder(environment=row.id, name=row.name, location=row.location, version=version, pinned=pinned)
                )
    return found


def with_inherited(own: Sequence[Package], identifier: str, catalog: Catalog) -> list[Package]:
    """Return packages with what the environment inherits; of one without a record that is not known."""
    try:
        record = catalog.record(identifier)
    except HpcenvError:
        return list(own)
    return inherited.with_inherited(own, record)


def _pins(text: str, name: str) -> bool:
    """Tell whether what was asked for, a requirement or a canonical match spec, leaves one version of *name* only."""
    with contextlib.suppress(InvalidRequirement):
        requirement = Requirement(text.removeprefix(BY_PIP))
        same = canonicalize_name(requirement.name) == name
        return same and any(each.operator in ("==", "===") for each in requirement.specifier)
    words = text.split("::")[-1].split()
    return len(words) > 1 and canonicalize_name(words[0]) == name and words[1][0] not in "<>!*"
