"""Use an environment that a colleague shares: decide once to trust it, and get a kernel of one's own.

Nothing is copied but its record and the list of its packages, and nothing is written where the environment lies. What
its owner changes in its packages counts at once; what she changes in its record, once it is used again.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from .. import activation, kernels
from ..catalog.used import Used, UsedStore
from ..errors import BrokenRecord, HpcenvError, Refused, WrongState
from ..files import unreadable
from ..models import Environment, Kernel, ModuleSet, Record, utc_now
from ..modules import system
from ..names import kernel_name
from ..process import environment
from ..site import Site
from ..site.target import current, for_others
from ..trust import Decision, Writer, decide, who_can_write, writers_below
from .surroundings import captured_again

#: What a kernel imports before it runs anything; at a start these are looked at again, and all files when it is used.
KERNEL_PACKAGES = (
    *("ipykernel", "IPython", "jupyter_client", "jupyter_core", "zmq", "tornado", "traitlets", "comm", "debugpy"),
    *("psutil", "dateutil", "matplotlib_inline", "prompt_toolkit", "pygments", "decorator", "jedi"),
)
_NAMED = 3  # of those who could write it
_VERSION = re.compile(r"(\d{1,2}\.\d{1,3}(?:\.\d{1,3})?\S{0,20})?")


def check_usable(row: Environment, record: Record) -> None:
    """Raise unless *row* is a colleague's, is shared, and its record is of where it lies."""
    if row.origin != "shared":
        raise WrongState(
            f"{row.name} is yours already." if row.origin == "own" else f"{row.name} is nobody's to share.",
            hints=["Choose its kernel." if row.origin == "own" else "Adopt it with “jupyter hpcenv adopt PREFIX”."],
        )
    if row.state not in ("ready", "module_missing"):
        raise WrongState(f"{row.name} can not be used. {row.message}", hints=["Ask its owner."])
    if record.shared is None:
        raise Refused(
            f"{row.owner or 'Its owner'} has not shared {row.name}.",
            hints=["Ask the owner to run “jupyter hpcenv share”; it is then checked that nobody else can write it."],
        )
    if record.name != os.path.basename(row.prefix) or not _VERSION.fullmatch(record.python):  # noqa: PTH119
        raise BrokenRecord(f"The record of {row.prefix} is of another environment, {record.name!r}.")


def starts_of(record: Record) -> list[Path]:
    """Return what a start depends on, as far as it is there: what its Python reads before anything else."""
    prefix, minor = Path(record.prefix), ".".join(record.python.split(".")[:2])
    lib = prefix / "lib"
    below = [lib / f"python{minor}", lib / f"python{minor}" / "site-packages"] if minor else []
    places = [prefix / "bin", prefix / "bin" / "python", prefix / "pyvenv.cfg", prefix / "conda-meta"]
    of_kernel = [below[-1] / name for name in KERNEL_PACKAGES] if below else []
    packages = [each for package in of_kernel for each in (package, package / "__init__.py")]
    hooks = sorted(below[-1].glob("*.pth")) if below else []
    return [place for place in (*places, prefix / ".hpcenv", lib, *below, *packages, *hooks) if place.exists()]


def trusted(record: Record) -> Decision:
    """Return what there is to know of a colleague's prefix; raises `Refused` if not only its owner could write it."""
    prefix = Path(record.prefix)
    try:
        owner = prefix.lstat().st_uid
        decision, writers = decide(prefix, owner, starts_of(record))
        below = None if writers else writers_below(prefix, owner)
        others = [*writers, *([below] if below else [])]
        for folder in record.modules.modulepath if record.modules else []:
            if os.path.isdir(folder):  # noqa: PTH112
                others += who_can_write(Path(folder), {owner, os.geteuid()})
    except OSError as error:
        raise unreadable(error, prefix) from error
    if others:
        raise distrusted(record.name, others)
    return decision


def distrusted(name: str, writers: Iterable[Writer]) -> Refused:
    """Return the error that names those who could change what an environment runs."""
    named = [str(writer) for writer in dict.fromkeys(writers)]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return Refused(
        f"{name} is not used, because not only its owner can change it: {'; '.join(named[:_NAMED])}{more}.",
        hints=[
            "Have the owner take that right away (chmod go-w).",
            "In a folder that many can write, have staff set the sticky bit (chmod +t).",
        ],
    )


def use(
    row: Environment, record: Record, store: UsedStore, site: Site, packages: str, *, modulefile: bool = False
) -> Used:
    """Decide to trust what *record* describes, prove its kernel as this user, publish it, and keep the decision.

    Raises `Refused` with who could change it, and what a kernel raises that does not start.
    """
    check_usable(row, record)
    here = current(site.target_variables)
    part = for_others(record, here)
    if part is None:
        raise WrongState(
            f"{row.name} has builds for {', '.join([record.target, *record.builds])}, and this computer is {here}.",
            hints=["Use it on a computer of such a kind.", "Or ask its owner to build it for this kind."],
        )
    own = kernels.checked(msgspec.structs.replace(part, id=row.id, name=row.name, location=row.location))
    decision = trusted(own)
    if own.modules is not None:
        own = msgspec.structs.replace(own, modules=_loaded_here(own.modules, site))
    title = own.display_name or own.name
    named = [Kernel(name=kernel_name(row.location, row.name), display_name=title)] if own.kernelspec else []
    own = msgspec.structs.replace(own, kernels=named)
    return keep("used", own, decision, store, site, packages, modulefile=modulefile)


def keep(
    kind: str,
    record: Record,
    decision: Decision,
    store: UsedStore,
    site: Site,
    packages: str,
    *,
    modulefile: bool,
) -> Used:
    """Prove *record* as this user, and make its launch script, kernel and modulefile in this user's folders."""
    fresh = record.id not in store.all()
    folder = store.folder(record.id)
    at = utc_now()
    try:
        start = kernels.write_start(record, site, folder)
        if record.python:
            around = environment([*site.passthrough, *site.target_variables])
            env = {**around, "PYTHONDONTWRITEBYTECODE": "1"}
            proof = kernels.prove(record, start, env, _never, float(site.preflight_timeout))
            record = msgspec.structs.replace(record, preflight=proof)
        if modulefile:
            dialect = "lmod" if system(site).name == "lmod" else "tcl"
            record = msgspec.structs.replace(record, activation=[dialect])
            activation.install(dialect, record, site)
        used = Used(kind="adopted" if kind == "adopted" else "used", record=record, trust=decision, at=at)
        listed = store.write(used, packages)
        about = {"owner": record.owner, "packages": str(listed), "since": at[:10]}
        for kernel in record.kernels:
            kernels.publish_used(record, kernel, site, start, decision, about)
    except BaseException:
        if fresh:
            with contextlib.suppress(HpcenvError, OSError):
                forget(record, store, site)
        raise
    return used


def forget(record: Record, store: UsedStore, site: Site) -> None:
    """Take away what was made for an environment that is used or adopted; the environment itself is not touched."""
    published = kernels.published(site)
    for kernel in record.kernels:
        if published.get(kernel.name, {}).get("environment") == record.id:
            kernels.unpublish(kernel.name, site)
    with contextlib.suppress(HpcenvError):  # what stays finds no environment and says so
        activation.uninstall(record, site)
    store.forget(record.id)


def _loaded_here(modules: ModuleSet, site: Site) -> ModuleSet:
    """Capture the same modules by this user's own module system: its start file is not its owner's to name."""
    return captured_again(msgspec.structs.replace(modules, init=""), site).modules


def _never() -> None:
    """Stand for a check whether somebody has cancelled."""
