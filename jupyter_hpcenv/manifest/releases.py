"""Keep the releases of an environment side by side, and let its name lead to one of them.

A release lies at ``<location>/.versions/<name>/<release>`` for ever, where it was built. ``<location>/<name>`` is a
relative link, which is replaced by a rename: whoever starts a kernel gets the old release or the new one.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from pathlib import Path

from ..errors import BrokenRecord, NameTaken
from ..files import explain, read_regular, sync_folder, write_atomic
from ..names import NAME_PATTERN

VERSIONS = ".versions"
_LONGEST = 1_000_000
_HELD = ".held-back"
_ORDER = ".order"
_NEXT = ".next-"


def folder_of(root: Path, name: str) -> Path:
    """Return where the releases of an environment lie."""
    return root / VERSIONS / name


def prefix_of(root: Path, name: str, release: str) -> Path:
    """Return the prefix of a release."""
    return folder_of(root, name) / release


def current(root: Path, name: str) -> str:
    """Return the release that *name* leads to, empty where it leads nowhere yet.

    Raises `NameTaken` where something else than such a link has the name.
    """
    link = root / name
    try:
        target = os.readlink(link)  # noqa: PTH115
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise NameTaken(
            f"{link} is there and is no link to a release.",
            hints=["Delete that environment, or give the manifest's another name."],
        ) from error
    match = re.fullmatch(rf"{re.escape(VERSIONS)}/{re.escape(name)}/({NAME_PATTERN})", target)
    if match is None:
        raise NameTaken(f"{link} is a link that was not made by us.", hints=["Look at what it is, and remove it."])
    return match[1]


def switch(root: Path, name: str, release: str) -> None:
    """Let *name* lead to *release*, in one step."""
    folder = folder_of(root, name)
    known = order(root, name) or list(filter(None, [current(root, name)]))
    known = known[: known.index(release)] if release in known else known  # what came after it was gone back from
    write_atomic(folder / _ORDER, "".join(f"{each}\n" for each in [*known, release]).encode(), 0o644)
    aside = folder / f"{_NEXT}{secrets.token_hex(6)}"
    try:
        for left in folder.glob(f"{_NEXT}*"):  # of a run that was killed; nobody else has the claim on the name
            left.unlink(missing_ok=True)
        os.symlink(f"{VERSIONS}/{name}/{release}", aside)  # noqa: PTH211
        os.rename(aside, root / name)  # noqa: PTH104
        sync_folder(root)
    except OSError as error:
        raise explain(error, root / name) from error


def take_down(root: Path, name: str) -> None:
    """Remove the link *name*, if it is one of ours."""
    if current(root, name):
        (root / name).unlink(missing_ok=True)
        sync_folder(root)


def order(root: Path, name: str) -> list[str]:
    """Return the releases that people were given up to the one in use, in that order; empty: that is not known."""
    with contextlib.suppress(OSError, BrokenRecord):
        return read_regular(folder_of(root, name) / _ORDER, _LONGEST).decode(errors="replace").split()
    return []


def held_back(root: Path, name: str) -> str:
    """Return the release that somebody went back from, and that is not taken again; empty: there is none."""
    with contextlib.suppress(OSError, BrokenRecord):
        return read_regular(folder_of(root, name) / _HELD, 200).decode(errors="replace").strip()
    return ""


def hold(root: Path, name: str, release: str) -> None:
    """Remember that *release* is not to be taken again; empty: forget what was remembered."""
    place = folder_of(root, name) / _HELD
    if release:
        write_atomic(place, f"{release}\n".encode(), 0o644)
    else:
        place.unlink(missing_ok=True)
