"""What one user answers for herself: where environments lie, where caches lie, and what is adopted."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ..site.rendering import render
from .answers import read
from .asking import Prompt

_TEMPLATES = Path(__file__).parent / "templates"

#: Stands for all environments that other tools have made.
ALL = "all"


class OwnAnswers(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Everything that a user is asked. Empty: it stays as it is."""

    location: str = ""
    """Which location is taken when nobody says where."""
    caches: str = ""
    """The location to which caches are to be moved."""
    adopt: list[str] = []
    """Prefixes of other tools to adopt, or “all”."""


class Offer(msgspec.Struct, kw_only=True):
    """What a user can choose from."""

    locations: list[str]
    """Those that can be written now."""
    location: str = ""
    """The one that is taken now."""
    strays: list[str] = []
    """Caches that lie in the home."""
    caches: str = ""
    """Where there is room for them; empty: nowhere."""
    foreign: dict[str, str] = {}
    """Environments of other tools, prefix and name."""


def read_own(text: str, file: str) -> OwnAnswers:
    """Return the answers in a file of TOML, or of YAML by its name; raises `InvalidRequest`."""
    return OwnAnswers(**read(text, file, OwnAnswers))


def ask_own(offer: Offer, prompt: Prompt) -> OwnAnswers:
    """Return the answers of whoever sits at *prompt*."""
    answers = OwnAnswers()
    if len(offer.locations) > 1:
        answers.location = prompt.choice(
            "Where shall environments lie?",
            "Taken when you say nothing else; best is what is large and not purged.",
            tuple(offer.locations),
            offer.location or offer.locations[0],
        )
    if offer.strays and offer.caches:
        told = f"{', '.join(offer.strays)} keep{'s' * (len(offer.strays) == 1)} packages in your home"
        if prompt.yes(f"Shall caches lie in {offer.caches}?", f"{told}, which is small.", True):
            answers.caches = offer.caches
    for prefix, name in offer.foreign.items():
        if prompt.yes(
            f"Shall {name} ({prefix}) have a kernel?", "Another tool made it; nothing is written there.", False
        ):
            answers.adopt.append(prefix)
    return answers


def own_file(location: str) -> str:
    """Return the user's configuration; raises `InvalidRequest` for what can not be written."""
    return render("own.py.j2", (), {"location": location}, package=_TEMPLATES)
