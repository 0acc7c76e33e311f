"""Take and give back the right to change one environment.

A claim is a file ``<root>/.hpcenv/claims/<name>`` that everybody who shares the location sees. It is
made whole beside its place and linked into it, which fails if another is there: that works on NFS,
needs no daemon, and never shows an empty file. Its age is kept fresh by the worker's heartbeat.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from pathlib import Path

import msgspec

from .errors import BrokenRecord, Busy
from .files import explain, read_regular, sync_folder, write_atomic
from .models import Process, utc_now
from .process import identity, is_alive

#: Seconds without a heartbeat after which a claim from elsewhere counts as abandoned (12 heartbeats).
STALE = 180.0


class Claim(msgspec.Struct, kw_only=True):
    """Who may change the environment now."""

    holder: str
    """An operation id, or a random word for a change that is made at once."""
    verb: str
    user: str
    process: Process
    at: str


def path_of(root: Path, name: str) -> Path:
    """Return where the claim on *name* lies; names that differ only by case share one."""
    return root / ".hpcenv" / "claims" / name.lower()


def take(root: Path, name: str, holder: str, verb: str, user: str) -> Claim:
    """Take the claim on *name*, or raise `Busy` with who has it; an abandoned one is replaced."""
    place = path_of(root, name)
    claim = Claim(holder=holder, verb=verb, user=user, process=identity(), at=utc_now())
    try:
        folder_for(root)
        temporary = place.with_name(f".tmp-{secrets.token_hex(6)}")
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
        raise explain(error, place) from error
    return claim


def folder_for(root: Path) -> Path:
    """Create the folder of claims with the permissions of the location itself, so that its sharers can use it."""
    folder = root / ".hpcenv" / "claims"
    mode = root.stat().st_mode & 0o3777
    for part in (folder.parent, folder):
        with contextlib.suppress(FileExistsError):
            part.mkdir()
            part.chmod(mode)
    return folder


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
                raise _busy(name, found) from None
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


def _busy(name: str, found: Claim) -> Busy:
    doing = {"create": "being built", "delete": "being deleted", "restore": "being restored"}.get(
        found.verb, "being changed"
    )
    return Busy(
        f"{name} is {doing} by {found.user} on {found.process.host} since {found.at}.",
        hints=["Wait until that is done, or cancel it."],
        reason=found.holder,
    )


def read(place: Path) -> Claim | None:
    """Return the claim at *place*, or None if there is none; a damaged one counts as nobody's."""
    try:
        return msgspec.json.decode(read_regular(place, 10_000), type=Claim)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (BrokenRecord, msgspec.DecodeError):
        nobody = Process(host="", boot="", pid_namespace="", pid=0, start=0)
        return Claim(holder="", verb="", user="somebody", process=nobody, at="")


def abandoned(place: Path, claim: Claim) -> bool:
    """Tell whether the holder is surely gone: dead on this host, or silent for longer than `STALE`.

    A worker's process is written into the claim when it starts (see `renew`), so here a dead process
    means a dead holder. Elsewhere only silence counts, by the file server's own clock.
    """
    alive = is_alive(claim.process)
    if alive is not None:
        return not alive
    return _age(place) > STALE


def _age(place: Path) -> float:
    """Return seconds since the last heartbeat, by the clock of the file server that holds the claim."""
    probe = place.with_name(f".tmp-{secrets.token_hex(6)}")
    try:
        probe.touch(exist_ok=False)
        now = probe.stat().st_mtime
        probe.unlink()
    except OSError:
        now = time.time()
    try:
        return now - place.stat(follow_symlinks=False).st_mtime
    except OSError:
        return 0.0


def _set_aside(place: Path, expected: Claim) -> None:
    """Take an abandoned claim away; if another one stood there after all, put it back."""
    aside = place.with_name(f".tmp-{secrets.token_hex(6)}")
    try:
        os.rename(place, aside)  # noqa: PTH104
    except FileNotFoundError:
        return
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


def adopt(root: Path, name: str, holder: str) -> bool:
    """Write this process into a claim that was taken for it (a worker does so first); tell whether it held."""
    place = path_of(root, name)
    found = read(place)
    if found is None or found.holder != holder:
        return False
    write_atomic(place, msgspec.json.encode(msgspec.structs.replace(found, process=identity())), 0o644)
    return True


def release(root: Path, name: str, holder: str) -> None:
    """Give the claim back, if it is *holder*'s."""
    place = path_of(root, name)
    found = read(place)
    if found is not None and found.holder == holder:
        place.unlink(missing_ok=True)
