"""What a look at an environment or an account may find."""

from __future__ import annotations

from typing import Literal

import msgspec

#: What can be done about a finding: build again, render and prove again, or put a folder aside.
Fix = Literal["", "rebuild", "refresh", "put_aside"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong, what it breaks, and what can be done."""

    code: str
    """A word for scripts, such as ``python_gone``."""
    message: str
    """What is wrong, in one sentence."""
    breaks: str
    """What that breaks, in one sentence."""
    severity: Literal["broken", "risk"]
    """``broken``: something does not work now; ``risk``: it may surprise."""
    environment: str = ""
    """Id of the environment; empty where the account is meant."""
    path: str = ""
    """The file or folder that is meant, if there is one."""
    fix: Fix = ""
    """What mends it; empty where there is nothing that we could do."""
    advice: str
    """What the fix will do; or why there is none, and what a person can do."""
