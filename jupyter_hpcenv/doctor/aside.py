"""Put folders aside that lead nowhere, in the user's data folder, and put them back."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import msgspec

from ..errors import BrokenRecord, NameTaken, NotFound, Refused
from ..files import decode, explain, make_private, read_regular, write_json
from ..site import Site


class Aside(msgspec.Struct, kw_only=True):
    """Where something was that lies aside."""

    path: str


def put_aside(path: Path, site: Site) -> str:
    """Rename a kernelspec folder of the user's own out of the way; return the word by which it comes back.

    It stays on its filesystem, and nothing is copied: raises `Refused` where that can not be done.
    """
    folder = path.parent
    if path.is_symlink() or folder.name != "kernels":
        raise Refused(f"{path} is no kernelspec folder.", hints=["Look at it, and remove it by hand."])
    word = secrets.token_hex(4)
    home = _home(site)
    note = home / f"{word}.json"
    write_json(note, Aside(path=str(path)))
    try:
        path.rename(home / word)
    except OSError as error:
        note.unlink(missing_ok=True)
        raise explain(error, path) from error
    return word


def put_back(word: str, site: Site) -> Path:
    """Rename what lies aside to where it was; raises `NotFound`, or `NameTaken` where something is there by now."""
    home = _home(site)
    if not re.fullmatch(r"[0-9a-f]{8}", word):
        raise NotFound(f"{word!r} is no word of what lies aside.", hints=["It has eight digits, a to f."])
    note = home / f"{word}.json"
    try:
        there = Path(decode(read_regular(note), Aside, str(note)).path)
    except (OSError, BrokenRecord):
        raise NotFound(f"Nothing lies aside as {word!r}.", hints=[f"Look into {home}."]) from None
    if there.exists() or there.is_symlink():
        raise NameTaken(f"{there} is there again.", hints=["Remove or rename it first."])
    try:
        (home / word).rename(there)
    except OSError as error:
        raise explain(error, there) from error
    note.unlink(missing_ok=True)
    return there


def _home(site: Site) -> Path:
    folder = site.data_dir / "aside"
    make_private(folder)
    return folder
