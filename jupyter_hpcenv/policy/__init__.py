"""The site's policy: what environments may be, and the one gate that every request passes."""

from .gate import Asked, check_channels, enter, flat, link_scripts, preferences, with_defaults
from .hook import ask, consulted, told
from .reading import Policy, check, places, policies, rules_of

__all__ = [
    "Asked",
    "Policy",
    "ask",
    "check",
    "check_channels",
    "consulted",
    "enter",
    "flat",
    "link_scripts",
    "places",
    "policies",
    "preferences",
    "rules_of",
    "told",
    "with_defaults",
]
