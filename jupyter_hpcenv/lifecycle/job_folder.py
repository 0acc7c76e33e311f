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

from .. import typed
from ..batch import load_batch_system
from ..batch.contract import PREFIX
from ..errors import BrokenRecord
from ..files import decode, make_private, read_regular, server_time, write_json
from ..models import Process
from ..process import identity, is_alive
from ..site import Site

_NODE = Path(__file__).parents[1] / "provisioner" / "node.py"
_SERVER = "server.json"
#: Seconds of silence after which a server on another computer is gone.
SILENCE = 600.0

#: The server's Python may not be there on the node, or not run on its processor.
_SHIM = """for python in "$1" python3 python; do
  "$python" -I -S -c "" 2>/dev/null && exec "$python" -I -S "$2" "$3"
done
echo "There is no Python on this node that could start the kernel: neither $1 nor python3." >&2
exit 127
"""


class JobFolder:
    """One such folder; its name is the job's."""

    def __init__(self, site: Site) -> None:
        self.name = f"{PREFIX}kernel-{secrets.token_hex(8)}"
        self.path = make_private(make_private(_all(site)) / self.name)
        self._process = identity()

    def prepare(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: str, connection: Mapping[str, Any], interface: str
    ) -> None:
        """Write what the node needs."""
        start = {
            "argv": list(argv),
            "env": dict(env),
            "cwd": cwd,
            "connection": dict(connection),
            "interface": interface,
            "boot": self._process.boot,
            "server": _addresses(),
        }
        write_json(self.path / _SERVER, self._process)
        write_json(self.path / "start.json", start)

    def beat(self) -> None:
        """Show to who sweeps that the server lives."""
        with contextlib.suppress(OSError):
            os.utime(self.path / _SERVER)

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
            found: dict[str, Any] = typed.of_json(read_regular(self.connection_file, 100_000))
            return found
        return None

    def remove(self) -> None:
        """Take the folder away, when the kernel has ended."""
        shutil.rmtree(self.path, ignore_errors=True)


def sweep(site: Site) -> int:
    """End the jobs of kernels whose server is gone without having ended them, and return how many folders went.

    A killed server takes its running jobs along, but what still waited in the queue may have been left.
    """
    done, folder = 0, _all(site)
    with contextlib.suppress(OSError):
        now = server_time(folder) if any(folder.iterdir()) else None
        for each in sorted(folder.iterdir()) if now is not None else []:
            if each.name.startswith(PREFIX) and _is_left(each, now or 0.0):
                load_batch_system(site.batch_system).cancel(each.name)
                shutil.rmtree(each, ignore_errors=True)
                done += 1
    return done


def _is_left(folder: Path, now: float) -> bool:
    """Tell whether the server that made a folder is gone."""
    try:
        server = decode(read_regular(folder / _SERVER, 10_000), Process, str(folder))
        silent = now - (folder / _SERVER).stat().st_mtime
    except (OSError, BrokenRecord):
        with contextlib.suppress(OSError):
            return now - folder.stat().st_mtime > SILENCE  # it died right at the beginning
        return False
    alive = is_alive(server)
    return silent > SILENCE if alive is None else not alive


def _all(site: Site) -> Path:
    return site.data_dir / "kernels"


def _addresses() -> list[str]:
    """Return this computer's addresses, as far as its name leads to them."""
    with contextlib.suppress(OSError):
        found = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET, socket.SOCK_DGRAM)
        return [each for each in dict.fromkeys(str(entry[4][0]) for entry in found) if not each.startswith("127.")]
    return []
