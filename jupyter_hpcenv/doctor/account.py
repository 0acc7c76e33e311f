"""Look at an account: its kernelspecs, the folders where Jupyter looks for them, its start-up files and its places."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from jupyter_core.paths import jupyter_path

from .. import typed
from ..errors import BrokenRecord
from ..files import read_regular
from ..models import Location
from ..trust import who_can_write
from .finding import Finding

#: Of a quota, from which on it is nearly full.
NEARLY = 0.9

#: Files that shells read when they start, below the home.
STARTUP = (".bashrc", ".bash_profile", ".profile", ".zshrc", ".tcshrc", ".cshrc", ".config/fish/config.fish")


class Stray(NamedTuple):
    """A cache of packages that lies in the user's home though there is another place for it."""

    name: str
    path: str
    location: str
    """Where it could be."""


def examine_account(
    places: Sequence[Location],
    captured: Sequence[str] = (),
    orphans: Mapping[str, str] | None = None,
    strays: Sequence[Stray] = (),
) -> list[Finding]:
    """Return what is wrong with the user's account, worst first.

    *places* are the site's locations as they stand now, *captured* folders that modules of environments bring,
    *orphans* our kernelspecs, name and folder, whose environment is gone for good, *strays* caches on home.
    """
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _kernelspecs,
        lambda: _full(places),
        _conda_init,
        lambda: _pythonpath(captured),
        lambda: _orphans(orphans or {}),
        lambda: _strays(strays),
    )
    found = [finding for look in looks for finding in look()]
    return sorted(found, key=lambda each: each.severity != "broken")


def _kernelspecs() -> Iterator[Finding]:
    for folder in map(Path, jupyter_path("kernels")):
        try:
            specs = sorted(each for each in folder.iterdir() if (each / "kernel.json").is_file())
        except FileNotFoundError:
            continue
        except NotADirectoryError:
            continue
        except OSError as error:
            yield Finding(
                code="kernels_unreadable",
                message=f"{folder} can not be read: {(error.strerror or str(error)).lower()}.",
                breaks="Jupyter looks there for kernels, and may show none at all.",
                severity="broken",
                path=str(folder),
                advice="Its rights are its owner’s to mend; or take the folder above it out of JUPYTER_PATH.",
            )
            continue
        for spec in specs:
            yield from _kernelspec(spec)


def _kernelspec(folder: Path) -> Iterator[Finding]:
    facts = _read(folder)
    if facts is None:
        return
    argv = [word for word in facts.get("argv") or [] if isinstance(word, str)]
    program = argv[0].replace("{resource_dir}", str(folder)) if argv else ""
    own = _is_own(folder)
    if program.startswith("/") and not Path(program).exists():
        yield Finding(
            code="kernel_stale",
            message=f"The kernel {folder.name} starts {program}, which is not there.",
            breaks="It is on the launcher and does not start.",
            severity="broken",
            path=str(folder),
            fix="put_aside" if own else "",
            advice="It is put aside, from where it can come back."
            if own
            else "It is not yours to take away. Ask who put it there.",
        )
    metadata = facts.get("metadata")
    if "ipykernel" in " ".join(argv) and not (isinstance(metadata, dict) and metadata.get("supported_encryption")):
        yield Finding(
            code="kernel_without_encryption",
            message=f"The kernel {folder.name} does not say that it can speak encrypted.",
            breaks="A server that requires encryption does not start it; else others on this computer may listen.",
            severity="risk",
            path=str(folder),
            advice="The tool that made it has to write it anew, with a recent ipykernel: "
            f"“{argv[0]} -m ipykernel install --user --name {folder.name}”.",
        )
    if own and (writers := who_can_write(folder / "kernel.json", {os.geteuid()})):
        yield Finding(
            code="kernel_writable",
            message=f"Others can change the kernel {folder.name}: {', '.join(str(each) for each in writers[:3])}.",
            breaks="Whoever can write it can have you run what they like.",
            severity="risk",
            path=str(folder),
            advice=f"Rights that you gave are yours to take: “chmod -R go-w {folder}”, and the folders above it.",
        )
    elif not own and folder.stat().st_uid not in (0, os.geteuid()) and _below_home(folder):
        yield Finding(
            code="kernel_planted",
            message=f"The kernel {folder.name} in your folder belongs to another user (uid {folder.stat().st_uid}).",
            breaks="It runs as you, and what it runs is theirs to choose.",
            severity="risk",
            path=str(folder),
            advice="Ask them what it is, and remove it if you did not want it; we touch no one else’s files.",
        )


def _read(folder: Path) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, BrokenRecord, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        spec = typed.of_json(read_regular(folder / "kernel.json", 1_000_000))
        return spec if isinstance(spec, dict) else None
    return None


def _is_own(folder: Path) -> bool:
    facts = folder.lstat()
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid() and folder.parent.stat().st_uid == os.geteuid()


def _below_home(folder: Path) -> bool:
    return folder.resolve().is_relative_to(Path.home().resolve())


def _full(places: Sequence[Location]) -> Iterator[Finding]:
    for place in places:
        for what, used, limit in (
            ("bytes", place.used_bytes, place.quota_bytes),
            ("files", place.used_files, place.quota_files),
        ):
            if used is not None and limit and used >= NEARLY * limit:
                yield Finding(
                    code="quota_nearly_full",
                    message=f"{place.name} is {used / limit:.0%} full: {used:,} of {limit:,} {what}.",
                    breaks="What is installed or saved there may fail halfway.",
                    severity="risk",
                    path=place.root,
                    advice="“jupyter hpcenv sizes” shows what takes the room; “jupyter hpcenv trash --empty” frees "
                    "what was deleted. What can go is for you to say.",
                )


def _orphans(orphans: Mapping[str, str]) -> Iterator[Finding]:
    for name, folder in orphans.items():
        yield Finding(
            code="kernel_orphan",
            message=f"The kernel {name} is of an environment of ours that was deleted, and nothing is kept of it.",
            breaks="It is on the launcher, and can only explain that it can not start.",
            severity="broken",
            path=folder,
            fix="put_aside",
            advice="It is put aside, from where it can come back.",
        )


def _strays(strays: Sequence[Stray]) -> Iterator[Finding]:
    for each in strays:
        yield Finding(
            code="cache_on_home",
            message=f"The cache of {each.name} lies in your home, at {each.path}.",
            breaks="It grows with each environment, and a full home keeps you from saving notebooks and logging in.",
            severity="risk",
            path=each.path,
            advice="Where it is your start-up files say, which are yours alone to edit: “jupyter hpcenv caches "
            f"--move-off-home {each.location}” prints the lines, “jupyter hpcenv caches --clean” makes room.",
        )


def _conda_init() -> Iterator[Finding]:
    for name in STARTUP:
        path = Path.home() / name
        text = ""
        with contextlib.suppress(OSError, BrokenRecord):
            text = read_regular(path, 1_000_000).decode(errors="replace")
        if ">>> conda initialize >>>" in text or ">>> mamba initialize >>>" in text:
            yield Finding(
                code="conda_init",
                message=f"“conda init” wrote a block into {path}.",
                breaks="It puts its base Python before what modules load, in each shell and in batch jobs.",
                severity="risk",
                path=str(path),
                advice="Your start-up files are yours alone to edit. Environments of ours need no such block: "
                "remove it with “conda init --reverse”, or say “conda config --set auto_activate_base false”.",
            )


_FOLDER = re.compile(r"/[^\s\"'{}()\[\],;:]+/[^\s\"'{}()\[\],;:]+")


def _named_by_modules() -> Iterator[str]:
    """Yield the folders that the modulefiles name which are loaded here; what lies below them is a module's doing."""
    home = Path.home()
    for file in os.environ.get("_LMFILES_", "").split(os.pathsep):
        with contextlib.suppress(OSError, BrokenRecord):
            text = read_regular(Path(file), 1_000_000).decode(errors="replace")
            yield from (each for each in _FOLDER.findall(text) if not home.is_relative_to(each))


def _pythonpath(captured: Sequence[str]) -> Iterator[Finding]:
    known = [*captured, *_named_by_modules()] if os.environ.get("PYTHONPATH") else []
    leaks = [
        each
        for each in os.environ.get("PYTHONPATH", "").split(os.pathsep)
        if each and not any(Path(each).is_relative_to(folder) for folder in known)
    ]
    if leaks:
        yield Finding(
            code="pythonpath",
            message=f"PYTHONPATH is set to {os.pathsep.join(leaks)}.",
            breaks="What lies there is imported before the packages of any environment that is activated here; kernels "
            "of ours start without it.",
            severity="risk",
            path=leaks[0],
            advice="Where it is set only you know: look into your start-up files, and at loaded modules.",
        )
