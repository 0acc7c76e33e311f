"""Adopt an environment that another tool made: give it a kernel and activation, and never write into it.

What is kept lies in the user's data folder. To delete an adopted environment is to forget it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .. import kernels
from ..catalog.foreign import describe, foreign_id
from ..catalog.used import Used, UsedStore
from ..errors import HpcenvError, InvalidName, InvalidRequest, NotFound, PreflightFailed, Refused, WrongState
from ..files import unreadable
from ..models import Kernel, Record, utc_now
from ..names import check_name, kernel_name, suggestion
from ..process import environment
from ..site import Site
from ..site.config import username
from ..site.locations import root_of
from ..trust import Decision, decide, writers_below
from .use import distrusted, keep, starts_of

#: What stands for a location in the names of their kernels.
ADOPTED = "adopted"

_OURS = (".hpcenv", ".trash-", ".gone-")


def place(text: str, site: Site) -> Path:
    """Return the real prefix that *text* means, if it may be adopted; raises what is wrong with it.

    Only what a marker file of venv or conda says to be an environment is one; a folder that holds a home, a location
    or a conda installation is none that somebody can have meant.
    """
    asked = Path(os.path.expanduser(text))  # noqa: PTH111
    if not asked.is_absolute() or "\0" in text or not text.isprintable() or ":" in text:
        raise InvalidRequest(f"{text!r} is not the absolute path of a prefix.", hints=["Give the whole path."])
    try:
        prefix = Path(os.path.realpath(asked, strict=True))
        if not stat.S_ISDIR(prefix.stat().st_mode):
            raise NotADirectoryError(20, os.strerror(20), str(prefix))
    except FileNotFoundError:
        raise NotFound(f"There is no {asked}.", hints=["Correct the path."]) from None
    except OSError as error:
        raise unreadable(error, asked) from error
    for what, kept in _kept(site):
        if kept == prefix or kept.is_relative_to(prefix):
            raise Refused(f"{prefix} holds {what}, so it is not adopted.", hints=["Name the prefix itself."])
    if any(part.startswith(_OURS) for part in prefix.parts):
        raise Refused(f"{prefix} lies in a folder that jupyter_hpcenv keeps for itself.", hints=["Choose another."])
    if os.path.lexists(prefix / ".hpcenv" / "environment.json"):
        raise Refused(
            f"{prefix} was made by jupyter_hpcenv.", hints=["If a colleague shares it: “jupyter hpcenv use NAME”."]
        )
    if is_base(prefix):
        raise Refused(
            f"{prefix} is an installation of conda itself.",
            hints=["Make an environment: what is installed into this one can break conda."],
        )
    return prefix


def _kept(site: Site) -> list[tuple[str, Path]]:
    """Return folders that lie in no environment, with what they are called."""
    found = [("your home folder", Path.home()), ("the data of jupyter_hpcenv", site.data_dir)]
    for name in site.locations:
        try:
            found.append((f"the location {name}", root_of(site, name)))
        except HpcenvError:
            continue
    return [(what, Path(os.path.realpath(path))) for what, path in found]


def is_base(prefix: Path) -> bool:
    """Tell whether a prefix is conda's own, in which it is installed itself."""
    meta = prefix / "conda-meta"
    return meta.is_dir() and ((prefix / "condabin").exists() or any(meta.glob("conda-[0-9]*.json")))


def adopt(
    prefix: Path, store: UsedStore, site: Site, packages: str, *, kernel: bool, modulefile: bool
) -> tuple[Used, list[str]]:
    """Adopt what lies at a real *prefix*, which `place` has let through; return what is kept, and warnings.

    Raises `Refused` where others could change what it runs, `WrongState` where there is no ipykernel for a kernel.
    """
    row = describe(prefix)
    if row is None:
        raise Refused(
            f"{prefix} is no environment: it has neither pyvenv.cfg nor conda-meta.",
            hints=["Give the folder that holds bin/python."],
        )
    if row.state != "ready":
        raise WrongState(f"{prefix} can not be adopted. {row.message}", hints=["Make it again with its own tool."])
    name = _name(row.name)
    record = Record(
        id=foreign_id(prefix),
        name=name,
        location="",
        prefix=str(prefix),
        manager=row.manager,
        creator="",
        installer="",
        python=row.python,
        python_path=os.path.realpath(prefix / "bin" / "python"),
        display_name=f"{name} (Python {'.'.join(row.python.split('.')[:2])})",
        platform=site.platform(),
        owner=username() if prefix.stat().st_uid == os.geteuid() else f"uid {prefix.stat().st_uid}",
        created=utc_now(),
        changed=utc_now(),
        operation="",
    )
    decision, warnings = _trusted(record)
    if kernel:
        record.kernelspec = _kernelspec(prefix, site)  # runs its Python, so it is trusted first
        called = kernel_name(ADOPTED, name)
        taken = kernels.published(site).get(called, {})
        if taken and taken.get("environment") != record.id:
            called = f"{called[:56]}-{record.id[:6]}"
        record.kernels = [Kernel(name=called, display_name=record.display_name)]
    return keep("adopted", record, decision, store, site, packages, modulefile=modulefile), warnings


def _name(name: str) -> str:
    try:
        return check_name(suggestion(name))
    except InvalidName:  # a reserved word
        return check_name(f"my-{suggestion(name)}"[:63])


def _kernelspec(prefix: Path, site: Site) -> dict[str, object]:
    try:
        return kernels.derive(prefix, "", {**environment(site.passthrough), "PYTHONDONTWRITEBYTECODE": "1"})
    except PreflightFailed as error:
        raise WrongState(
            f"{prefix} has no ipykernel, so it can be no kernel.",
            hints=[
                f"Install it: {prefix}/bin/python -m pip install ipykernel",
                "Or adopt it without a kernel (--no-kernel).",
            ],
            reason=error.reason,
        ) from error


def _trusted(record: Record) -> tuple[Decision, list[str]]:
    """Return what there is to know of the prefix; who could rename it away only through a folder above is a warning.

    That holds for what is this user's own, whose place was theirs to choose. Of somebody else's nothing is let pass.
    """
    prefix = Path(record.prefix)
    try:
        owner = prefix.stat().st_uid
        decision, writers = decide(prefix, owner, starts_of(record))
        below = writers_below(prefix, owner)
    except OSError as error:
        raise unreadable(error, prefix) from error
    others = [*writers, *([below] if below else [])]
    above = {str(parent) for parent in prefix.parents}
    if owner == os.geteuid():
        mild = [each for each in others if each.where in above and each.who != "everybody"]
        others = [each for each in others if each not in mild]
        warnings = [f"{each} could put another environment in its place." for each in mild]
    else:
        warnings = []
    if others:
        raise distrusted(record.name, others)
    return decision, warnings
