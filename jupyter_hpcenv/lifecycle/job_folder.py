"""The folder that server and node share for one start of a kernel: what it needs, and where it listens.

It lies in the user's own data folder, which nodes see, and is closed to everybody else: it holds the keys of the
connection and the kernel's variables, which the batch system thus never gets.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from .. import claims, typed
from ..batch import BatchSystem, load_batch_system
from ..batch.contract import PREFIX
from ..errors import BrokenRecord, Busy, LocationUnavailable
from ..files import decode, make_private, read_regular, server_time, write_atomic, write_json
from ..models import BatchRequest, Process
from ..process import identity, is_alive
from ..site import Site
from ..site.config import username
from ..site.quoting import sh

_NODE = Path(__file__).parents[1] / "provisioner" / "node.py"
_SERVER, _KERNEL, _SESSIONS, _ENDED, _OUT = "server.json", "kernel.json", "sessions.json", "ended.json", "job.out"
#: Seconds of silence after which a server on another computer is gone, and after which its kernels may be taken over.
SILENCE, ABSENT = 600.0, 180.0

#: The server's Python may not be there on the node, or not run on its processor.
_SHIM = (
    'for python in "$1" python3 python; do "$python" -I -S -c "" 2>/dev/null && exec "$python" -I -S "$2" "$3"; done; '
    'echo "There is no Python on this node that could start the kernel: neither $1 nor python3." >&2; exit 127'
)


class KernelFacts(msgspec.Struct, kw_only=True):
    """What the next server has to know of a kernel that outlives its own."""

    id: str
    name: str
    """That of its kernelspec."""
    keep: float
    """Seconds without a server after which the kernel ends."""
    cwd: str = ""
    session: str = ""
    """What JPY_SESSION_NAME was."""


class Session(msgspec.Struct, kw_only=True):
    """A session of Jupyter Server with a kernel."""

    path: str
    name: str = ""
    type: str = "notebook"
    root: str = ""
    """The folder below which that server shows files; *path* begins there."""


class JobFolder:
    """One such folder; its name is the job's."""

    def __init__(self, site: Site, name: str = "") -> None:
        self.name = name or f"{PREFIX}kernel-{secrets.token_hex(8)}"
        self.path = _all(site) / self.name if name else make_private(make_private(_all(site)) / self.name)
        self._process = identity()

    def prepare(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        connection: Mapping[str, Any],
        interface: str,
        keep: float = 0,
    ) -> None:
        """Write what the node needs; with *keep* the kernel goes on for so many seconds without a server."""
        start = {
            "argv": list(argv),
            "env": dict(env),
            "cwd": cwd,
            "connection": dict(connection),
            "interface": interface,
            "boot": self._process.boot,
            "server": _addresses(),
            "keep": keep,
        }
        write_json(self.path / _SERVER, self._process)
        write_json(self.path / "start.json", start)

    def beat(self) -> bool:
        """Show to who sweeps, and to the node, that the server lives; tell whether the kernel is still this one's."""
        with contextlib.suppress(OSError):
            with contextlib.suppress(BrokenRecord):  # a damaged one is nobody else's
                if decode(read_regular(self.path / _SERVER, 10_000), Process, str(self.path)) != self._process:
                    return False
            os.utime(self.path / _SERVER)
        return True

    def send(self, system: BatchSystem, request: BatchRequest) -> None:
        """Queue the kernel as a job of its own; raises `BatchRefused` and `BatchUnavailable`."""
        script = self.path / "job.sh"
        write_atomic(script, f"#!/bin/sh\nexec {' '.join(map(sh, self.program()))}\n".encode(), 0o700)
        system.submit(script, self.name, request, self.path / _OUT, again=False)

    def describe(self, kernel: KernelFacts) -> None:
        """Write down what the next server has to know."""
        write_json(self.path / _KERNEL, kernel)

    def note(self, sessions: Sequence[Session]) -> None:
        """Write down which sessions the kernel has."""
        with contextlib.suppress(LocationUnavailable):  # the kernel may just have ended
            write_json(self.path / _SESSIONS, list(sessions))

    def sessions(self) -> list[Session]:
        """Return the sessions that the kernel had when somebody looked last; before that, the one it began with."""
        with contextlib.suppress(OSError, BrokenRecord, msgspec.DecodeError):
            return typed.of_json(read_regular(self.path / _SESSIONS, 1_000_000), list[Session])
        return []

    def kernel(self) -> KernelFacts | None:
        """Return what is known of a kernel that outlives its server; None for every other one."""
        with contextlib.suppress(OSError, BrokenRecord, msgspec.DecodeError):
            return typed.of_json(read_regular(self.path / _KERNEL, 100_000), KernelFacts)
        return None

    def ended(self) -> int | None:
        """Return how a kernel that outlives its server has ended; None as long as it has not said so."""
        with contextlib.suppress(OSError, BrokenRecord, msgspec.DecodeError):
            return typed.of_json(read_regular(self.path / _ENDED, 10_000), _Ended).code
        return None

    def said(self) -> list[str]:
        """Return the last lines that a job of its own has written."""
        with contextlib.suppress(OSError), (self.path / _OUT).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 10_000))
            return file.read().decode(errors="replace").splitlines()
        return []

    def take_over(self, site: Site) -> bool:
        """Make the kernel this process's, unless its server lives or another was quicker; tell whether it worked."""
        with contextlib.suppress(Busy), claims.held(_all(site), self.name, "attach", username()):
            if _is_left(self.path, server_time(_all(site)) or 0.0, ABSENT):
                write_json(self.path / _SERVER, self._process)
                return True
        return False

    @property
    def is_mine(self) -> bool:
        """Tell whether this process is the kernel's server."""
        with contextlib.suppress(OSError, BrokenRecord):
            return decode(read_regular(self.path / _SERVER, 10_000), Process, str(self.path)) == self._process
        return False

    def program(self) -> list[str]:
        """Return what the job runs."""
        return ["/bin/sh", "-c", _SHIM, "hpcenv-kernel", sys.executable, str(_NODE), str(self.path)]

    @property
    def connection_file(self) -> Path:
        """What the kernel reads."""
        return self.path / "connection.json"

    def connection(self) -> dict[str, Any] | None:
        """Return where the kernel listens, once the node has written it."""
        with contextlib.suppress(OSError, BrokenRecord, msgspec.DecodeError):
            return typed.of_json(read_regular(self.connection_file, 100_000), dict[str, Any])
        return None

    def begun(self) -> bool:
        """Tell whether the node has begun the kernel, from the file's being there alone."""
        return self.connection_file.exists()

    def remove(self) -> None:
        """Take the folder away, when the kernel has ended."""
        shutil.rmtree(self.path, ignore_errors=True)


class _Ended(msgspec.Struct):
    code: int


def waiting(site: Site) -> list[JobFolder]:
    """Return what kernels run without a server, and may be taken over by this process."""
    found: list[JobFolder] = []
    folder = _all(site)
    with contextlib.suppress(OSError):
        now = 0.0
        for each in sorted(folder.iterdir()):
            if each.name.startswith(PREFIX) and (each / _KERNEL).exists() and (each / "connection.json").exists():
                now = now or server_time(folder) or 0.0
                if _is_left(each, now, ABSENT) and _is_kept(site, each, now):
                    found.append(JobFolder(site, each.name))
    return found


def end_waiting(site: Site) -> None:
    """End the jobs of this process's kernels that have not begun; raises what the batch system says."""
    for each in sorted(_all(site).iterdir()):
        folder = JobFolder(site, each.name)
        if each.name.startswith(PREFIX) and folder.is_mine and not folder.begun():
            load_batch_system(site.batch_system).cancel(each.name)
            folder.remove()


def sweep(site: Site) -> int:
    """End the jobs of kernels whose server is gone without having ended them, and return how many folders went.

    A killed server takes its running jobs along, but what still waited in the queue may have been left. A kernel that
    outlives its server is let be for as long as it may.
    """
    done, folder = 0, _all(site)
    with contextlib.suppress(OSError):
        now = server_time(folder) if any(folder.iterdir()) else None
        for each in sorted(folder.iterdir()) if now is not None else []:
            if each.name.startswith(PREFIX) and _is_left(each, now or 0.0) and not _is_kept(site, each, now or 0.0):
                load_batch_system(site.batch_system).cancel(each.name)
                shutil.rmtree(each, ignore_errors=True)
                done += 1
    return done


def _is_kept(site: Site, folder: Path, now: float) -> bool:
    """Tell whether a kernel without a server runs, and may go on."""
    kernel = JobFolder(site, folder.name).kernel()
    if kernel is None or not (folder / "connection.json").exists() or (folder / _ENDED).exists():
        return False
    with contextlib.suppress(OSError):
        return now - (folder / _SERVER).stat().st_mtime <= kernel.keep
    return False


def _is_left(folder: Path, now: float, patience: float = SILENCE) -> bool:
    """Tell whether the server that made a folder is gone."""
    try:
        server = decode(read_regular(folder / _SERVER, 10_000), Process, str(folder))
        silent = now - (folder / _SERVER).stat().st_mtime
    except (OSError, BrokenRecord):
        with contextlib.suppress(OSError):
            return now - folder.stat().st_mtime > SILENCE  # it died right at the beginning
        return False
    alive = is_alive(server)
    return silent > patience if alive is None else not alive


def _all(site: Site) -> Path:
    return site.data_dir / "kernels"


def _addresses() -> list[str]:
    """Return this computer's addresses, as far as its name leads to them."""
    with contextlib.suppress(OSError):
        found = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET, socket.SOCK_DGRAM)
        return [each for each in dict.fromkeys(str(entry[4][0]) for entry in found) if not each.startswith("127.")]
    return []
