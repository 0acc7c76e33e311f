"""What a look at a site's configuration may find."""

from __future__ import annotations

from typing import Literal

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong with how a site is configured."""

    code: str
    """A word for scripts, such as ``unknown_trait``."""
    message: str
    """What is wrong, in one sentence."""
    breaks: str
    """Why that matters, in one sentence."""
    advice: str
    """What to do."""
    severity: Literal["broken", "risk"] = "broken"
    """``broken``: something does not hold or work as it says; ``risk``: it may surprise."""
    path: str = ""
    """The file or folder that is meant, if there is one."""
