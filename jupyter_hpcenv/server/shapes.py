"""The shapes of answers that are put together from facts rather than kept: named here for openapi.json.

tests/server/test_openapi.py holds the real answers against them.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ..admission.exporting import Exported as Exported
from ..admission.modules import ModuleCheck as ModuleCheck
from ..admission.presets import PresetFacts
from ..admission.undoing import Undo as Undo
from ..admission.using import Activation as Activation
from ..doctor import Finding as Finding
from ..lifecycle.health import Health as Health
from ..managers.contract import Hit as Hit
from ..managers.contract import ManagerFacts
from ..models import Location, PythonFact
from ..modules import Available


class Error(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The flat body of every error; ``reason`` is a detail, often a program's own words."""

    message: str
    reason: str
    code: str
    hints: list[str]


class PolicyFile(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What one file of the site's policy says."""

    path: str
    contact: str
    default: dict[str, str]
    enforced: dict[str, Any]
    """Its rules, by name; those that it leaves out allow anything."""
    reasons: dict[str, str]
    preferred: dict[str, str]
    """Packages for which the site has something better, and what that is."""
    hook: bool
    """Whether a program of the site is asked about each request."""


class SitePolicy(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What may be asked for here."""

    allow_editable: bool
    allow_vcs: bool
    allow_urls: bool
    files: list[PolicyFile]
    message: str
    """Why the policy can not be read, so that nothing can be changed; empty if it can."""


class SiteFacts(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a client must know before it asks for anything."""

    version: str
    user: str
    host: str
    cluster: str
    managers: list[ManagerFacts]
    pythons: list[PythonFact]
    locations: list[Location]
    module_system: str
    presets: list[PresetFacts]
    policy: SitePolicy
    name_pattern: str
    reserved_names: list[str]
    trash_days: int
    contact: str


class ModuleListing(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Modules of the site; `total` counts those beyond the limit too."""

    system: Literal["lmod", "tcl", "none"]
    version: str
    total: int
    modules: list[Available]


class ModulesAtHand(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is loaded in the server's own environment, which is not that of a person's shell."""

    system: Literal["lmod", "tcl", "none"]
    loaded: list[str]
    collections: list[str]


class PublishedKernel(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A kernelspec of ours: the user's own, or one that staff published for everybody."""

    name: str
    display_name: str
    path: str
    environment: str
    """Id; empty for an orphan."""
    location: str
    state: Literal["ready", "orphan"]
