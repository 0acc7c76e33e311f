"""Gather what a client needs to know of the site before it asks for anything."""

from __future__ import annotations

import socket
from typing import Any

import msgspec

from .. import modules, policy
from .._version import __version__
from ..errors import BrokenPolicy
from ..managers.pythons import find_pythons
from ..names import NAME_PATTERN, RESERVED
from ..site.config import username
from ..site.locations import all_locations
from ..site.quotas import with_quotas
from . import presets
from .means import Means


def gather(means: Means) -> dict[str, Any]:
    """Return the body of ``GET site``; reads the disk, so call it in a thread."""
    site, managers = means.site, means.managers
    return {
        "version": __version__,
        "user": username(),
        "host": socket.gethostname(),
        "cluster": site.cluster,
        "managers": [msgspec.to_builtins(manager.probe()) for manager in managers.values()],
        "pythons": msgspec.to_builtins(find_pythons(site)),
        "locations": msgspec.to_builtins(with_quotas(site, all_locations(site))),
        "module_system": modules.system(site).name,
        "presets": msgspec.to_builtins(presets.known(means.site)),
        "policy": {
            "allow_editable": site.allow_editable,
            "allow_vcs": site.allow_vcs,
            "allow_urls": site.allow_urls,
            **_rules(),
        },
        "name_pattern": NAME_PATTERN,
        "reserved_names": sorted(RESERVED),
        "trash_days": site.trash_days,
        "contact": site.contact,
    }


def _rules() -> dict[str, Any]:
    """Return what the site's policy says, file by file; one that can not be read hides none of the other facts."""
    try:
        found = policy.policies()
    except BrokenPolicy as error:
        return {"files": [], "message": error.message}
    files = [
        {
            "path": each.path,
            "contact": each.contact,
            "default": {name: value for name, value in msgspec.to_builtins(each.default).items() if value},
            "enforced": policy.rules_of(each),
            "reasons": each.reasons,
            "preferred": each.preferred,
            "hook": each.hook is not None,
        }
        for each in found
    ]
    return {"files": files, "message": ""}
