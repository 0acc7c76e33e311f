"""Look at one environment: its Python, modules, scripts, packages and rights; see `machine` and `purged` for more."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from ..errors import BrokenRecord
from ..files import read_regular
from ..managers import packages
from ..models import EnvironmentDetail, Location
from ..trust import who_can_write
from . import machine, purged
from .conflicts import conflicts
from .finding import Finding
from .machine import Machine

#: Scripts of an environment that are looked at; more of them tell nothing new.
MOST_SCRIPTS = 500


def examine(detail: EnvironmentDetail, place: Location | None = None, computer: Machine | None = None) -> list[Finding]:
    """Return what is wrong with an environment of the user's own, worst first.

    *place* is the location that it lies at, *computer* the one that it is to run on: this one.
    """
    found = [finding for look in _LOOKS for finding in look(detail)]
    found += machine.examine(detail, computer or Machine())
    found += purged.examine(detail, place)
    return sorted(found, key=lambda each: each.severity != "broken")


def _python(detail: EnvironmentDetail) -> Iterator[Finding]:
    if detail.state == "missing" and detail.origin != "own":
        yield Finding(
            code="prefix_gone",
            message=detail.message,
            breaks="Your kernel of it explains why it does not start.",
            severity="broken",
            environment=detail.id,
            path=detail.prefix,
            advice=f"It is not yours to build again: ask {detail.owner or 'its owner'}. "
            f"“jupyter hpcenv unuse {detail.name}” takes your kernel of it away.",
        )
    elif detail.state == "missing":
        yield Finding(
            code="prefix_gone",
            message=detail.message or f"{detail.prefix} is not there any more.",
            breaks="Nothing of it can be used; its kernel explains why.",
            severity="broken",
            environment=detail.id,
            path=detail.prefix,
            fix="rebuild",
            advice="It is built again from what was kept of it: the same versions where they can still be had.",
        )
    elif detail.state == "python_gone":
        yield Finding(
            code="python_gone",
            message=detail.message or f"Its Python, {detail.python_path}, is gone.",
            breaks="Neither its kernel nor its programs start.",
            severity="broken",
            environment=detail.id,
            path=detail.python_path,
            fix="rebuild",
            advice="It is built again with a Python that is there; the old prefix goes to the trash.",
        )
    elif detail.manager == "venv" and _is_systems(detail.python_path):
        yield Finding(
            code="system_python",
            message=f"It stands on the operating system's Python, {detail.python_path}.",
            breaks="An upgrade of the system replaces that Python under it, and other nodes may have another one.",
            severity="risk",
            environment=detail.id,
            path=detail.python_path,
            advice="The Python of an environment can not be changed in place. Clone it with another one: "
            f"“jupyter hpcenv clone {detail.name} NEW-NAME --python VERSION”.",
        )


def _is_systems(python: str) -> bool:
    return python.startswith(("/usr/bin/", "/bin/")) and Path(python).resolve().parts[:3] in (
        ("/", "usr", "bin"),
        ("/", "bin"),
    )


def _modules(detail: EnvironmentDetail) -> Iterator[Finding]:
    for drift in detail.drift:
        gone = drift.kind == "gone"
        yield Finding(
            code="module_gone" if gone else "module_changed",
            message=drift.message,
            breaks="Its kernel does not start, and says why."
            if gone
            else "What was built on it may not fit any more; its kernel loads it as it is now.",
            severity="broken" if gone else "risk",
            environment=detail.id,
            fix="" if gone else "refresh",
            advice=f"We can not bring a module back. Take another: “jupyter hpcenv edit {detail.name} --module …”; or "
            "ask the site’s staff."
            if gone
            else "The modules are captured anew, and the kernel is proven with them; if it does not start, all stays.",
        )


def _kernels(detail: EnvironmentDetail) -> Iterator[Finding]:
    lost = [kernel for kernel in detail.kernels if not kernel.path and not kernel.source]
    for kernel in lost:
        yield Finding(
            code="kernel_unpublished",
            message=f"Its kernel {kernel.name} is not published.",
            breaks="It is not on the launcher, and notebooks that name it do not find it.",
            severity="broken",
            environment=detail.id,
            fix="refresh",
            advice="It is proven and published again.",
        )


_SHEBANG = re.compile(rb"#!\s*(?:/bin/sh\n'''exec' \"?)?(/[^\s\"']*/bin/python[0-9.]*)")


def _scripts(detail: EnvironmentDetail) -> Iterator[Finding]:
    if detail.state not in ("ready", "module_missing") or detail.manager == "modules":
        return
    own, elsewhere = os.path.realpath(detail.prefix), list[str]()
    with contextlib.suppress(OSError):
        for path in islice(sorted(Path(detail.prefix, "bin").iterdir()), MOST_SCRIPTS):
            with contextlib.suppress(OSError, BrokenRecord):
                if path.is_symlink() or not (match := _SHEBANG.match(read_regular(path, 1_000_000)[:500])):
                    continue
                python = os.fsdecode(match[1])
                if os.path.realpath(str(Path(python).parent.parent)) != own and not Path(python).exists():
                    elsewhere.append(path.name)
    if elsewhere:
        yield Finding(
            code="scripts_moved",
            message=f"{len(elsewhere)} of its programs ({', '.join(elsewhere[:3])}{', …' * (len(elsewhere) > 3)})"
            " begin with a Python that is not there: it was moved or copied.",
            breaks="They do not start, and “activate” leads to the old place.",
            severity="broken",
            environment=detail.id,
            path=f"{detail.prefix}/bin/{elsewhere[0]}",
            advice="Put it back where it was, or create it again from what is in it: “jupyter hpcenv clone”.",
        )


def _conflicts(detail: EnvironmentDetail) -> Iterator[Finding]:
    if detail.state not in ("ready", "module_missing") or detail.manager == "modules" or detail.modules:
        return  # what modules bring is not in the prefix
    if detail.system_site_packages or packages.sees_below(Path(detail.prefix)):
        return
    for sentence in conflicts(Path(detail.prefix), detail.python):
        name = sentence.split()[0]
        yield Finding(
            code="dependency_conflict",
            message=sentence,
            breaks=f"{name} may fail when it is imported or used.",
            severity="risk",
            environment=detail.id,
            advice="Which of the two gives way is for you to say: "
            f"“jupyter hpcenv install {detail.name} PACKAGE --dry-run” shows what would change.",
        )


def _user_site(detail: EnvironmentDetail) -> Iterator[Finding]:
    minor = ".".join(detail.python.split(".")[:2])
    folder = Path.home() / ".local/lib" / f"python{minor}" / "site-packages"
    names = sorted({path.name.partition("-")[0] for path in folder.glob("*.dist-info")})
    if not names:
        return
    conda = detail.manager == "conda"
    yield Finding(
        code="user_packages_in_conda" if conda else "user_packages",
        message=f"{folder} has {len(names)} package{'s' if len(names) > 1 else ''} ({', '.join(names[:3])}"
        f"{', …' if len(names) > 3 else ''})"
        + (", which “pip install --user” put there and conda does not know." if conda else "."),
        breaks="They do not reach its kernel; whoever starts its Python by hand gets them instead of its own."
        if conda or detail.system_site_packages
        else "They reach no kernel of ours, but every other Python of that version.",
        severity="risk",
        environment=detail.id,
        path=str(folder),
        advice="They may be used by something else, so we leave them. Install them into the environment, then "
        "“python -m pip uninstall NAME”.",
    )


def _rights(detail: EnvironmentDetail) -> Iterator[Finding]:
    if detail.manager == "modules" or detail.state == "missing":
        return
    writers = who_can_write(Path(detail.prefix), {os.geteuid()})
    if writers:
        yield Finding(
            code="others_can_write",
            message=f"Others can change it: {', '.join(str(each) for each in writers[:3])}.",
            breaks="Whoever can write it can have you run what they like.",
            severity="risk",
            environment=detail.id,
            path=detail.prefix,
            advice=f"Rights that you gave are yours to take: “chmod -R go-w {detail.prefix}”, and above it.",
        )


_LOOKS: tuple[Callable[[EnvironmentDetail], Iterator[Finding]], ...] = (
    _python,
    _modules,
    _kernels,
    _scripts,
    _conflicts,
    _rights,
    _user_site,
)
