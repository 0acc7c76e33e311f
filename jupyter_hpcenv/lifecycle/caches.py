"""Clean caches of packages: by the program whose cache it is, or package by package where it has no verb for that.

Each is looked at first, and left with a reason where it is in use, where environments link to it, or where it is not
wholly the user's own: a variable may name any folder, and uv for one removes all that is in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from ..catalog.caches import links_into, until
from ..catalog.sizes import Weight, weigh
from ..errors import HpcenvError
from ..files import server_time
from ..managers import caches as places
from ..managers import installers
from ..managers.caches import Place
from ..managers.conda import caches as conda
from ..managers.failures import failure
from ..managers.output import clean as plain
from ..managers.prefixes import find_uv
from ..models import CleanedCache, Environment
from ..patience import Slow
from ..process import environment, run
from ..site import Site

#: Seconds that a cache without a lock must have been left alone: a program on another host may be using it.
QUIET = 60.0

#: What uv keeps at the top of its cache.
_OF_UV = re.compile(r"\w[\w-]*-v\d+|\.lock|\.gitignore|\.git|CACHEDIR\.TAG|\.tmp\w+")

_PIP = re.compile(r"pip[\d.]*")
_CONDAS = ("conda", "mamba", "micromamba")


def why_not(place: Place, folder: Path, own: Collection[Path]) -> str:
    """Return why a cache at *folder*, resolved, can not be cleaned by us at all, in a sentence; empty if it can.

    *own* are folders of the user's that no cache can hold, such as home and environments.
    """
    if place.kind == "other":
        return "How it is cleaned only its own program knows."
    try:
        facts = folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return "It is not there: nothing has been put into it yet."
    except OSError as error:
        return f"It can not be looked at: {(error.strerror or str(error)).lower()}."
    if facts.st_uid != os.geteuid():
        return f"It belongs to another user (uid {facts.st_uid})."
    holds = next((each for each in own if each == folder or folder in each.parents), None)
    if holds is not None:
        return f"{holds} lies in it, so that it is more than a cache."
    if place.by_site and not os.access(folder, os.W_OK):
        return "The site has it, and it is not yours to write."
    return _odd(place, folder)


def _odd(place: Place, folder: Path) -> str:
    """Return what in the top of a cache should not be there, in a sentence."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    return f"{entry.name} in it is a link, which may lead anywhere."
                if entry.stat(follow_symlinks=False).st_uid != os.geteuid():
                    return f"{entry.name} in it belongs to another user."
                if place.kind == "uv" and not _OF_UV.fullmatch(entry.name):
                    return f"{entry.name} in it is not uv's, and uv would remove it with all the rest."
    except OSError as error:
        return f"It can not be read: {(error.strerror or str(error)).lower()}."
    return ""


def clean(place: Place, folder: Path, rows: Sequence[Environment], site: Site, *, dry_run: bool) -> CleanedCache:
    """Clean one cache, or with *dry_run* say what would go. *rows* are all environments that may link into it."""

    def left(reason: str) -> CleanedCache:
        return CleanedCache(name=place.name, path=str(folder), done=False, reason=reason)

    check = until(site.size_patience)
    try:
        if reason := _in_use(place, folder, check):
            return left(reason)
        try:
            linked = {target for row in rows for target in _links(row, folder, check)}
        except OSError as error:
            return left(
                f"Whether {error.filename} leads into it could not be seen: {(error.strerror or str(error)).lower()}."
            )
        if place.kind == "conda":
            return _clean_conda(place, folder, linked, check, dry_run=dry_run)
        if linked:
            names = sorted(row.name for row in rows if _links(row, folder, check))
            return left(f"{', '.join(names)} would break: its files are links into this cache.")
        if place.kind == "uv" and (said := places.uv_links_softly()):
            return left(f"{said} has uv make links into it, so that environments may need it that are not known here.")
        if reason := _not_own(folder, check):
            return left(reason)
        before = weigh(folder, check)
        after = _rest_of_pip(folder, check) if place.kind == "pip" else _rest_of_uv(folder)
        if not dry_run:
            _by_its_program(place, folder, site)
            after = weigh(folder, check) if folder.is_dir() else Weight()
    except Slow:
        return left(f"It took longer than {site.size_patience} s. What is not gone by then stays: clean it again.")
    except (HpcenvError, OSError) as error:
        return left(error.message if isinstance(error, HpcenvError) else f"{error}.")
    rest = f"{before.shared_files:,} files that environments share with it free nothing." if before.shared_files else ""
    return CleanedCache(
        name=place.name,
        path=str(folder),
        bytes=max(before.bytes - after.bytes, 0),
        files=max(before.files - after.files, 0),
        done=True,
        reason=rest,
    )


def _links(row: Environment, folder: Path, check: Callable[[], None]) -> set[Path]:
    """Return where an environment leads into a cache; one that is gone, or closed to us by others, is not ours."""
    try:
        return links_into(Path(row.prefix), [folder], check)
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except PermissionError:
        if Path(row.prefix).stat().st_uid == os.geteuid():
            raise
        return set()


def _clean_conda(
    place: Place, folder: Path, linked: Collection[Path], check: Callable[[], None], *, dry_run: bool
) -> CleanedCache:
    taken = conda.clean(folder, linked, dry_run=dry_run, check=check)
    reason = f"{taken.kept:,} packages stay: environments are linked to them." if taken.kept else ""
    if taken.busy:
        reason = "Somebody is using it now."
    return CleanedCache(
        name=place.name, path=str(folder), bytes=taken.bytes, files=taken.files, done=not taken.busy, reason=reason
    )


def _by_its_program(place: Place, folder: Path, site: Site) -> None:
    """Let uv or pip empty its own cache; raises `BuildFailed` with what it says."""
    env = environment(site.passthrough)
    commands = [[find_uv(), "cache", "clean", "--no-config", "--cache-dir", str(folder)]]
    if place.kind == "pip":
        pip = installers.carried_pip()
        commands = [
            [*pip, "cache", "purge", "--cache-dir", str(each)]
            for each in (folder, *sorted((folder / "hpcenv").glob("*")))
        ]
        env = {name: value for name, value in env.items() if not name.startswith("PIP_")}
        env["PIP_CONFIG_FILE"] = os.devnull
    for argv in commands:
        done = run(argv, env=env, timeout=float(site.size_patience))
        if not done.ok:
            raise failure(place.kind, [plain(line) for line in done.tail])


def _rest_of_uv(folder: Path) -> Weight:
    """Return what ``uv cache clean`` leaves: the folder, and the lock that others may wait for."""
    there = [each.lstat() for each in (folder, folder / ".lock") if os.path.lexists(each)]
    return Weight(bytes=sum(each.st_blocks * 512 for each in there), files=len(there))


def _rest_of_pip(folder: Path, check: Callable[[], None]) -> Weight:
    """Return what ``pip cache purge`` leaves: folders of its own, and what it did not put there."""
    weight = Weight()
    for here, folders, names in os.walk(folder):
        check()
        top = Path(here).relative_to(folder).parts
        inside = top[2:] if top[:1] == ("hpcenv",) else top
        for name in (*folders, *names):
            goes = inside[:1] and inside[0] in ("http", "http-v2", "wheels", "selfcheck")
            if not (goes and name in names):
                facts = Path(here, name).lstat()
                weight.bytes, weight.files = weight.bytes + facts.st_blocks * 512, weight.files + 1
    weight.files += 1
    return weight


# -- who uses it -----------------------------------------------------------------


def _in_use(place: Place, folder: Path, check: Callable[[], None]) -> str:
    """Return who is using a cache now, in a sentence; empty where nobody is."""
    if place.kind == "uv":
        return _locked(folder / ".lock")
    if place.kind == "conda" and ((reason := _locked(folder / "pkgs" / ".cache.lock")) or place.ours):
        return reason
    for pid, words, env in _programs():
        if _is_of(place, folder, words, env):
            return f"{Path(words[0]).name} (process {pid}) is using it now."
    silence = _silence(folder, check)
    if silence < QUIET:
        return f"It changed {silence:.0f} s ago, so that something may be using it. Try again in a minute."
    return ""


def _is_of(place: Place, folder: Path, words: list[str], env: dict[str, str]) -> bool:
    """Tell whether a program is of the kind that a cache is for, and would take that cache."""
    names = [Path(word).name for word in words[:3]]
    if place.kind == "conda":
        return any(name in _CONDAS for name in names[:2])
    of_python = names[0].startswith("python") and (
        words[1:3] == ["-m", "pip"] or _PIP.fullmatch(names[1] if names[1:] else "")
    )
    is_pip = bool(_PIP.fullmatch(names[0]) or of_python)  # “uv pip” has a cache of its own
    return is_pip and os.path.realpath(places.pip(env).path) == str(folder)


def _programs() -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Yield process, words and variables of the programs of this user on this computer (proc(5))."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if entry.stat().st_uid != os.geteuid():
                    continue
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                pairs = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
                if words[0]:
                    yield entry.name, words, dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def _locked(path: Path) -> str:
    """Return in a sentence that somebody holds a lock, or that nobody can tell; empty where nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return f"Its lock can not be opened: {(error.strerror or str(error)).lower()}."
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "Something is being built from it now, on this computer or another."
    except OSError:
        return "Its filesystem can not lock files, so nobody can tell whether it is in use."
    finally:
        os.close(descriptor)
    return ""


def _silence(folder: Path, check: Callable[[], None]) -> float:
    """Return for how many seconds no folder of a cache has changed, by the file server's clock if it can be asked."""
    newest = max((Path(here).stat().st_mtime for here, _, _ in _walked(folder, check)), default=0.0)
    now = server_time(folder.parent)
    return (time.time() if now is None else now) - newest


def _not_own(folder: Path, check: Callable[[], None]) -> str:
    """Return what in a cache belongs to somebody else, in a sentence."""
    for here, folders, names in _walked(folder, check):
        for name in (*folders, *names):
            facts = Path(here, name).lstat()
            if facts.st_uid != os.geteuid() and not stat.S_ISLNK(facts.st_mode):
                return f"{Path(here, name).relative_to(folder)} in it belongs to another user (uid {facts.st_uid})."
    return ""


def _walked(folder: Path, check: Callable[[], None]) -> Iterator[tuple[str, list[str], list[str]]]:
    for each in os.walk(folder):
        check()
        yield each
