"""Take and give back the right to change one environment.

A claim is a file ``<root>/.hpcenv/claims/<name>`` that everybody who shares the location sees. It is
made whole beside its place and linked into it, which fails if another is there: that works on NFS,
needs no daemon, and never shows an empty file. Its age is kept fresh by the worker's heartbeat.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import secrets
from collections.abc import Callable, Container, Iterator
from pathlib import Path

import msgspec

from . import typed
from .errors import BrokenRecord, Busy, Refused
from .files import PROBE, Watch, explain, read_regular, sync_folder, write_atomic
from .models import Process, utc_now
from .process import identity, is_alive

#: Seconds without a heartbeat after which a claim from elsewhere counts as abandoned (12 heartbeats).
STALE = 180.0
#: The same for a claim whose worker waits in a queue, where nobody keeps it fresh.
STALE_IN_QUEUE = 30 * 86_400.0


class Claim(msgspec.Struct, kw_only=True):
    """Who may change the environment now."""

    holder: str
    """An operation id, or a random word for a change that is made at once."""
    verb: str
    user: str
    process: Process
    at: str
    queued: bool = False
    """Whether its worker waits in a queue: then nobody's death is the holder's."""


def path_of(root: Path, name: str) -> Path:
    """Return where the claim on *name* lies; names that differ only by case share one."""
    return root / ".hpcenv" / "claims" / name.lower()


def look(root: Path, name: str) -> None:
    """Raise `Busy` if somebody holds the claim on *name* now; takes nothing."""
    place = path_of(root, name)
    found = read(place)
    if found is not None and not abandoned(place, found):
        raise _busy(name, found, place)


def take(root: Path, name: str, holder: str, verb: str, user: str, *, queued: bool = False) -> Claim:
    """Take the claim on *name*, or raise `Busy` with who has it; an abandoned one is replaced."""
    place = path_of(root, name)
    claim = Claim(holder=holder, verb=verb, user=user, process=identity(), at=utc_now(), queued=queued)
    _held.add(holder)
    try:
        folder_for(root)
        temporary = place.with_name(f"{PROBE}{secrets.token_hex(6)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            os.write(descriptor, msgspec.json.encode(claim))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            _link(temporary, place, name)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(place.parent)
    except OSError as error:
        release(root, name, holder)  # the link may have been made
        raise explain(error, place) from error
    except (Busy, Refused):
        _held.discard(holder)
        raise
    return claim


_watch = Watch()

#: What this process holds; its other claims are leftovers of a release that failed.
_held: set[str] = set()


def folder_for(root: Path) -> Path:
    """Create the folder of claims with the permissions of the location itself, so that its sharers can use it."""
    mode = root.stat().st_mode & 0o3777
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in (".hpcenv", "claims"):
            made = False
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=handle)
                made = True
            try:
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                    raise
                raise Refused(
                    f"{part} in {root} is a link or a file, so no claim is taken there.",
                    hints=["Look at what it is and who made it, and remove it."],
                ) from error
            os.close(handle)
            handle = below
            if made:
                os.fchmod(handle, mode)
    finally:
        os.close(handle)
    return root / ".hpcenv" / "claims"


def _link(temporary: Path, place: Path, name: str) -> None:
    for _ in range(3):
        try:
            os.link(temporary, place)
            return
        except FileExistsError:
            found = read(place)
            if found is None:
                continue  # given back in this moment
            if not abandoned(place, found):
                raise _busy(name, found, place) from None
            _set_aside(place, found)
        except OSError as error:
            # An NFS server may have made the link and lost the answer: look before deciding.
            if temporary.stat().st_nlink == 2:
                return
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK):
                raise
            _create(temporary, place)  # a filesystem without hard links
            return
    raise Busy(f"Somebody else is changing {name} at the same time.", hints=["Try again in a moment."])


def _create(temporary: Path, place: Path) -> None:
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, temporary.read_bytes())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _busy(name: str, found: Claim, place: Path) -> Busy:
    whose = _owner(place)
    if not found.holder:
        return Busy(
            f"Somebody may be changing {name}: there is a claim on it at {place}, which belongs to "
            f"{whose or 'you'}, but it can not be read.",
            hints=["Try again in some minutes.", f"If it stays, {_advice(whose)}"],
        )
    doing = {"create": "being built", "delete": "being deleted", "restore": "being restored"}.get(
        found.verb, "being changed"
    )
    return Busy(
        f"{name} is {doing} by {found.user} on {found.process.host} since {found.at}.",
        hints=["Wait until that is done, or cancel it.", *([_doubt(place, whose)] if whose else [])],
        reason=found.holder,
    )


def _doubt(place: Path, whose: str) -> str:
    return f"The claim {place} belongs to {whose}, whoever it names. If nothing is being done, {_advice(whose)}"


def _advice(whose: str) -> str:
    who = f"{whose}, or staff," if whose else "you"
    return f"{who} can remove that file; or choose another name."


def _owner(place: Path) -> str:
    """Return who made the file, which the words in it can not change; empty for this user."""
    try:
        uid = place.lstat().st_uid
    except OSError:
        return "somebody"
    if uid == os.geteuid():
        return ""
    with contextlib.suppress(KeyError):
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    return f"uid {uid}"


def read(place: Path) -> Claim | None:
    """Return the claim at *place*, or None if there is none; a damaged one counts as nobody's."""
    try:
        return typed.of_json(read_regular(place, 10_000), Claim)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (BrokenRecord, msgspec.DecodeError):
        nobody = Process(host="", boot="", pid_namespace="", pid=0, start=0)
        return Claim(holder="", verb="", user="somebody", process=nobody, at="")


def taken(root: Path, name: str) -> bool:
    """Tell whether somebody who may be alive has the claim on *name*."""
    found = read(path_of(root, name))
    return found is not None and not abandoned(path_of(root, name), found)


def abandoned(place: Path, claim: Claim) -> bool:
    """Tell whether the holder is surely gone: dead on this host, or silent for longer than `STALE`.

    A worker's process is written into the claim when it starts (see `renew`), so here a dead process
    means a dead holder. Elsewhere only silence counts, by the file server's own clock.
    """
    if claim.queued:
        return _watch.silence(place) > STALE_IN_QUEUE
    alive = is_alive(claim.process)
    if alive and claim.process == identity():
        return claim.holder not in _held
    if alive is not None:
        return not alive
    return _watch.silence(place) > STALE


def _set_aside(place: Path, expected: Claim) -> None:
    """Take an abandoned claim away; if another one stood there after all, put it back."""
    aside = place.with_name(f"{PROBE}{secrets.token_hex(6)}")
    try:
        os.rename(place, aside)  # noqa: PTH104
    except FileNotFoundError:
        return
    except PermissionError as error:
        whose = _owner(place)
        raise Refused(
            f"There is an old claim at {place}, which belongs to {whose or 'you'} and which you may not remove.",
            hints=[_advice(whose).capitalize()],
        ) from error
    if read(aside) != expected:
        with contextlib.suppress(FileExistsError):
            os.link(aside, place)
    aside.unlink(missing_ok=True)


def renew(root: Path, name: str, holder: str) -> bool:
    """Refresh the claim (a worker does so at each heartbeat); tell whether it is still *holder*'s."""
    place = path_of(root, name)
    found = read(place)
    if found is None or found.holder != holder:
        return False
    with contextlib.suppress(OSError):
        os.utime(place)
    return True


def adopt(root: Path, name: str, holder: str, *, queued: bool = False) -> bool:
    """Write this process into a claim that was taken for it (a worker does so first); tell whether it held.

    With *queued* it is given back to the queue: a worker does so that ends before its time.
    """
    place = path_of(root, name)
    found = read(place)
    if found is None or found.holder != holder:
        return False

    def guard() -> None:
        if read(place) != found:
            raise Busy(f"Somebody else has taken over the change of {name}.", hints=["Try again in a moment."])

    _held.add(holder)
    write_atomic(place, _mine(found, queued), 0o644, guard)
    return True


def _mine(claim: Claim, queued: bool) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(claim, process=identity(), queued=queued))


def release(root: Path, name: str, holder: str) -> None:
    """Give the claim back, if it is *holder*'s; one that can not be removed counts as abandoned from now on."""
    _held.discard(holder)
    place = path_of(root, name)
    found = read(place)
    if found is not None and found.holder == holder:
        with contextlib.suppress(OSError):
            place.unlink()


@contextlib.contextmanager
def held(root: Path, name: str, verb: str, user: str) -> Iterator[Callable[[], None]]:
    """Hold the claim on *name* for a change that is made at once, and give what guards each step; both raise `Busy`.

    A host that slept for minutes wakes up with its claim taken over, and must not go on.
    """
    holder = f"{verb}-{secrets.token_hex(8)}"

    def guard() -> None:
        renew(root, name, holder)
        found = read(path_of(root, name))  # last of all: what follows is the step that is guarded
        if found is None or found.holder != holder:
            raise Busy(
                f"Somebody else has taken over the change of {name}, because this one was silent for minutes.",
                hints=[f"Look how {name} stands now, and try again."],
            )

    take(root, name, holder, verb, user)
    try:
        yield guard
    finally:
        release(root, name, holder)


def clear(root: Path, working: Container[str]) -> int:
    """Take away this user's claims whose holder is surely gone, and what a crash left beside them.

    The claims of the operations *working* stay: their worker may be about to adopt them. Called by
    `reconcile`; returns how many claims went.
    """
    cleared = 0
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(path_of(root, "x").parent) as entries:
        for entry in entries:
            place = Path(entry.path)
            if entry.stat(follow_symlinks=False).st_uid != os.geteuid():
                continue
            if entry.name.startswith("."):
                if _watch.silence(place) > STALE:
                    place.unlink(missing_ok=True)
                continue
            found = read(place)
            if found is None or found.holder in working:
                continue
            # one that waited in a queue, and whose operation is over or forgotten, is judged like any other
            if abandoned(place, msgspec.structs.replace(found, queued=False)):
                _set_aside(place, found)
                cleared += 1
    return cleared
