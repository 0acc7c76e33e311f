"""Keep what this user decided to use though it is not theirs to write: a colleague's environment, or another tool's.

Each lies in a private folder of the user's data folder, together with the launch script that was rendered for it and
a list of its packages, which outlives the environment.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from ..errors import BrokenRecord, NotFound
from ..files import decode, explain, make_private, read_regular, remove_tree, write_atomic, write_json
from ..models import RECORD_VERSION, Environment, EnvironmentState, Kernel, Record
from ..names import is_environment_id
from ..site import Site
from ..trust import Decision
from .records import Stamp, stamp_of

_FILE, PACKAGES = "used.json", "packages.txt"
_LIMIT = 4_000_000


class Used(msgspec.Struct, kw_only=True, frozen=True):
    """One decision."""

    version: int = RECORD_VERSION
    kind: Literal["used", "adopted"]
    record: Record
    """As it was then; what its owner changes later does not reach it until it is used again."""
    trust: Decision
    at: str


class UsedStore:
    """The decisions of one user; safe to use from threads."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._kept: dict[str, tuple[Stamp, Used]] = {}

    def all(self) -> Mapping[str, Used]:
        """Return the decisions by the id of the environment; damaged ones are left out."""
        root = f"{self._site.data_dir}/used"
        found: dict[str, tuple[Stamp, Used]] = {}
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(root)):  # noqa: PTH208
                path = f"{root}/{name}/{_FILE}"
                with contextlib.suppress(OSError, BrokenRecord):
                    stamp = stamp_of(os.stat(path, follow_symlinks=False))  # noqa: PTH116
                    known = self._kept.get(name)
                    if known is None or known[0] != stamp:
                        known = (stamp, decode(read_regular(Path(path), _LIMIT), Used, path))
                    if is_environment_id(name) and known[1].record.id == name:
                        found[name] = known
        self._kept = found
        return {name: used for name, (_, used) in found.items()}

    def get(self, identifier: str) -> Used:
        """Return the decision about an environment; raises `NotFound`."""
        found = self.all().get(identifier)
        if found is None:
            raise NotFound("You do not use that environment.", hints=["List the environments to see which are used."])
        return found

    def folder(self, identifier: str) -> Path:
        """Return the private folder for an environment, made if need be."""
        return make_private(make_private(self._site.data_dir / "used") / identifier)

    def write(self, used: Used, packages: str) -> Path:
        """Write a decision and the list of packages, whose path is returned."""
        folder = self.folder(used.record.id)
        write_atomic(folder / PACKAGES, packages.encode())
        write_json(folder / _FILE, used)
        return folder / PACKAGES

    def forget(self, identifier: str) -> None:
        """Remove a decision with all that was made for it."""
        if is_environment_id(identifier):
            folder = self._site.data_dir / "used" / identifier
            with contextlib.suppress(FileNotFoundError):
                try:
                    (folder / _FILE).unlink(missing_ok=True)  # first: what is left then is no decision
                    remove_tree(folder)
                except OSError as error:
                    if folder.exists():
                        raise explain(error, folder) from error


def state_of(used: Used) -> EnvironmentState:
    """Return how what is used stands; asks the filesystem that it lies on, which may hang."""
    record = used.record
    if not os.access(record.prefix, os.X_OK):  # gone, or closed by its owner
        return "missing"
    if record.python and not os.path.exists(f"{record.prefix}/bin/python"):  # noqa: PTH110
        return "python_gone"
    return "ready"


def row_of(used: Used, published: Mapping[str, str], state: EnvironmentState) -> Environment:
    """Return the row of an environment that is used or adopted, from what is known of it."""
    record = used.record
    message = {
        "missing": f"Its prefix {record.prefix} is gone, or closed to you; the list of its packages is kept.",
        "python_gone": "Its Python is gone.",
        "slow": f"The filesystem of {record.prefix} does not answer now.",
    }.get(state, "")
    kernels = [
        Kernel(name=kernel.name, display_name=kernel.display_name, path=published.get(kernel.name, ""))
        for kernel in record.kernels
    ]
    return Environment(
        id=record.id,
        name=record.name,
        location=record.location if used.kind == "used" else "",
        prefix=record.prefix,
        manager=record.manager,
        installer=record.installer,
        python=record.python,
        state=state,
        origin="shared" if used.kind == "used" else "adopted",
        kernels=kernels,
        display_name=record.display_name,
        owner=record.owner,
        message=message,
    )
