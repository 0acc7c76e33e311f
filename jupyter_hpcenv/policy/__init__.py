"""The site's policy: what environments may be, and the one gate that every request passes."""

from .gate import (
    Asked,
    check_amounts,
    check_channels,
    enter,
    flat,
    forbids_python,
    link_scripts,
    preferences,
    refusal,
    with_defaults,
)
from .hook import ask, consulted, told, with_notes
from .reading import Policy, check, places, policies, rules_of

__all__ = [
    "Asked",
    "Policy",
    "ask",
    "check",
    "check_amounts",
    "check_channels",
    "consulted",
    "enter",
    "flat",
    "forbids_python",
    "link_scripts",
    "places",
    "policies",
    "preferences",
    "refusal",
    "rules_of",
    "told",
    "with_defaults",
    "with_notes",
]
