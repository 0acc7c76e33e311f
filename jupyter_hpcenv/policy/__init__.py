"""The site's policy: what environments may be, and the one gate that every request passes."""

from .gate import Asked, check_channels, enter, flat, with_defaults
from .reading import Policy, check, policies, rules_of

__all__ = ["Asked", "Policy", "check", "check_channels", "enter", "flat", "policies", "rules_of", "with_defaults"]
