"""Say how a batch job makes a conda environment anew on its node: by an explicit list, and pip for what pip installed.

rattler is in no job; but an explicit list is all that micromamba, mamba or conda need to link the very same packages.
"""

from __future__ import annotations

from pathlib import Path

from packaging.utils import canonicalize_name

from ...errors import WrongState
from ...models import PinnedPackage, Rebuild
from .. import locking, packages, pipconf
from . import command_jobs, installed


def rebuild(prefix: Path) -> Rebuild:
    """Return what makes a copy of *prefix*; raises `WrongState` where none can be made, and says of what."""
    there = installed.read(prefix)
    if not there:
        raise WrongState(
            f"There are no records of conda packages in {prefix}.", hints=["Use the environment where it is."]
        )
    if unknown := [each.name for each in there if not each.url]:
        raise WrongState(
            f"Of {', '.join(unknown[:10])} it is not known where they came from, so no list can name them.",
            hints=["Use the environment where it is: a batch script without --node-local does."],
        )
    pinned = tuple(PinnedPackage(url=each.url, sha256=each.sha256, md5=each.md5) for each in there)
    command_jobs.check(command_jobs.Job(verb="install", pinned=pinned))
    versions = {canonicalize_name(each.name): each.version for each in there}
    by_pip = {canonicalize_name(each.name): each.version for each in packages.list_packages(prefix, not_by="conda")}
    names = {name for name, version in versions.items() if by_pip.get(name, version) == version}  # pip replaces some
    return Rebuild(
        installer="conda",
        explicit=[line for line in installed.explicit(prefix).splitlines() if not line.startswith("#")],
        lock=locking.lock(prefix, names, "conda"),
        dropped=sorted(pipconf.DROPPED),
    )
