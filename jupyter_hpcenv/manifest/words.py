"""What a manifest says, and what is to be done about it."""

from __future__ import annotations

import datetime
import hashlib
from typing import Literal

import msgspec

from ..errors import HpcenvError
from ..models import CreateRequest, Preinstalled

#: Fields of a request that decide nothing about what is built.
_NAMES = frozenset({"name", "prefix", "location", "display_name", "clone_of"})

Act = Literal[
    "unchanged", "build", "repair", "change", "replace", "finish", "retire", "held", "skipped", "left", "prune", "error"
]

#: Acts that build or remove something, of which a run may be asked to do only so many.
COSTLY: frozenset[str] = frozenset({"build", "repair", "change", "replace", "prune"})

#: Acts after which something is not as it was before.
CHANGING: frozenset[str] = COSTLY | {"finish", "retire"}


class Visible(msgspec.Struct, frozen=True, kw_only=True):
    """Who may use an environment; without groups and users everybody."""

    groups: list[str] = []
    users: list[str] = []

    @property
    def everybody(self) -> bool:
        """Whether nobody is left out."""
        return not self.groups and not self.users


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of machine; what is empty may be anything."""

    os: str = ""
    arch: str = ""
    cluster: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An environment that a manifest asks for."""

    name: str
    release: str = ""
    request: CreateRequest
    """As it is handed in, but for the prefix of a release."""
    file: str = ""
    """The file that describes it, which may be a lockfile beside the one that is named; empty: none does."""
    test: str = ""
    """A Python statement that must not raise before everybody gets it."""
    visible: Visible = Visible()
    retire: str = ""
    """The day from which it is not offered any more, as ISO 8601 has it."""
    targets: list[Target] = []
    notes: str = ""
    line: int = 0

    @property
    def own_name(self) -> str:
        """What the environment is called where each release is one of its own."""
        return f"{self.name}-{self.release}" if self.release else self.name

    def preinstalled(self, label: str, tested: str = "") -> Preinstalled:
        """Return what the record of the environment will say of the manifest."""
        asked = {key: value for key, value in msgspec.to_builtins(self.request).items() if key not in _NAMES}
        digest = _digest(asked)
        rest = _digest({**asked, "packages": []})
        return Preinstalled(label=label, name=self.name, release=self.release, digest=digest, rest=rest, tested=tested)

    @property
    def test_digest(self) -> str:
        """What tells one test from another; empty where there is none."""
        return hashlib.sha256(self.test.encode()).hexdigest() if self.test else ""

    def retired(self, today: datetime.date) -> bool:
        """Tell whether it is offered no more."""
        return bool(self.retire) and datetime.date.fromisoformat(self.retire) <= today


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A whole manifest."""

    path: str
    label: str
    labelled: bool = True
    """Whether the manifest says that itself; else its file's name is its label, as that of others may be."""
    keep: int | None = None
    """How many releases besides the one in use are kept; None: as configured."""
    environments: list[Entry]
    per_user: list[Entry] = []


class Step(msgspec.Struct, kw_only=True):
    """What is to be done about one environment, and what became of it."""

    name: str
    release: str = ""
    location: str = ""
    act: Act
    why: str = ""
    """In a sentence or two; empty where nothing need be said."""
    file: str = ""
    """The file that its packages come from, if one is named; a lockfile beside that is taken instead."""
    done: bool = False
    error: str = ""
    """What went wrong; empty otherwise."""
    code: str = ""
    """That of the error, as REST has it; empty where it has none."""
    hints: list[str] = []
    operation: str = ""
    """Id of the operation that did it."""

    def fail(self, error: HpcenvError) -> None:
        """Note what went wrong."""
        self.error, self.code = error.message, error.code
        self.hints = [*error.hints, *([error.reason] if error.reason else [])]


def _digest(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
