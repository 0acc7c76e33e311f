"""What the outcome of a modulefile depends on, as far as its text tells."""

from __future__ import annotations

import msgspec


class Verdict(msgspec.Struct, kw_only=True):
    """The judgement of one modulefile or default-version file."""

    live: str = ""
    """Why it has to be loaded each time, in one sentence; empty if the outcome follows from what is known."""
    reads: set[str] = set()
    """Variables that it reads by a literal name."""
    sets: set[str] = set()
    """Variables that it sets or extends by a literal name."""
    extends: set[str] = set()
    """Those of them whose outcome depends on what they were."""
    names: set[str] = set()
    """Modules that it names: to be loaded, needed or unloaded."""
    needs: list[frozenset[str]] = []
    """Of each set one has to be loaded in the end, under that name; else an alias or another file decided."""


class Impure(Exception):
    """Raised while reading a modulefile whose outcome can not be foreseen; its text says why."""
