"""Look at what a site's configuration leans on: the policy, the module system, and Pythons."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .. import modules, policy
from ..errors import BrokenPolicy, HpcenvError, LocationUnavailable
from ..managers.pythons import find_pythons
from ..policy.reading import FILE, VARIABLE
from ..site import Site
from ..site.locations import expand
from ..trust import who_can_write
from .fault import Fault

_NAME = FILE.name


def policies(folders: list[Path]) -> Iterator[Fault]:
    """Yield what is wrong with the site's policy; *folders* are those of Jupyter's configuration."""
    read = policy.places()
    for path in read:
        try:
            there = os.path.lexists(path) or str(path) in os.environ.get(VARIABLE, "").split(os.pathsep)
            if there:
                policy.check(path)
        except BrokenPolicy as error:
            yield _policy(path, error)
    obeyed = {Path(os.path.realpath(path)) for path in read}
    for folder in folders:
        path = folder / _NAME
        if path.is_file() and Path(os.path.realpath(path)) not in obeyed:
            yield Fault(
                code="policy_not_obeyed",
                message=f"{path} is not read as a policy.",
                breaks="None of its rules holds.",
                advice=f"Move it to {read[0]}, or to {read[1]}, or name it in {VARIABLE}.",
                path=str(path),
            )


def _policy(path: Path, error: BrokenPolicy) -> Fault:
    try:
        facts = path.stat()
        writers = who_can_write(path.absolute(), [facts.st_uid])
    except OSError:
        writers = ()
    if writers:
        return Fault(
            code="policy_writable",
            message=f"The policy {path} can be changed by others: {', '.join(map(str, writers[:3]))}.",
            breaks="A rule that others can take away is none, so every change is refused.",
            advice=f"Take that right: “chmod go-w {path}”, and of the folders above it.",
            path=str(path),
        )
    return Fault(
        code="policy_broken",
        message=error.message,
        breaks="Every change is refused until it is understood.",
        advice=f"Correct it, and see with “jupyter hpcenv policy --check {path}”.",
        path=str(path),
    )


def module_system(site: Site) -> Iterator[Fault]:
    """Yield what is wrong with the module system as it is configured."""
    if site.module_init and site.module_system != "none" and not Path(site.module_init).is_file():
        yield Fault(
            code="module_init_missing",
            message=f"The module system's start file {site.module_init} is not there.",
            breaks="Kernels with modules do not start.",
            advice="Correct c.Site.module_init, or leave it out: then it is looked for.",
            path=site.module_init,
        )
        return
    try:
        found = modules.system(site)
    except HpcenvError as error:
        yield Fault(
            code="module_system_missing",
            message=error.message,
            breaks="No module can be shown or loaded.",
            advice="Name its start file for bash in c.Site.module_init; or set c.Site.module_system to “none”.",
        )
        return
    for folder in site.module_path:
        if not os.access(folder, os.R_OK | os.X_OK) or not Path(folder).is_dir():
            yield Fault(
                code="module_path_missing",
                message=f"The folder of modulefiles {folder} is not there, or can not be read.",
                breaks="Its modules are not found.",
                advice="Correct c.Site.module_path, or mount it.",
                path=folder,
            )
    if found.name == "none":
        return
    try:
        empty = not found.available()
    except HpcenvError as error:
        yield Fault(
            code="modules_unlisted",
            message=error.message,
            breaks="People see no modules to choose from.",
            advice=" ".join(error.hints) or "See whether “module avail” works in a terminal.",
        )
        return
    if empty:
        yield Fault(
            code="no_modules",
            message=f"The module system ({found.name}, {found.init or found.home}) knows no module.",
            breaks="People see none to choose from.",
            advice="Set c.Site.module_path, or let a file of yours set MODULEPATH and be c.Site.module_init.",
            severity="risk",
        )


def pythons(site: Site) -> Iterator[Fault]:
    """Yield what is wrong with the Pythons that people are offered."""
    for text in site.python_paths:
        try:
            path = Path(expand(text, site))
            gone = not (path.is_file() and os.access(path, os.X_OK))
        except LocationUnavailable:
            gone = True
        if gone:
            yield Fault(
                code="python_missing",
                message=f"The Python {text} is not there, or can not be run.",
                breaks="It is left out of the list, and another one is the default.",
                advice="Correct c.Site.python_paths.",
                path=text,
            )
    for text in site.python_folders:
        try:
            gone = not Path(expand(text, site)).is_dir()
        except LocationUnavailable:
            gone = True
        if gone:
            yield Fault(
                code="python_folder_missing",
                message=f"The folder of Pythons {text} is not there.",
                breaks="None of it is offered.",
                advice="Correct c.Site.python_folders.",
                path=text,
            )
    found = find_pythons(site)
    if not found:
        yield Fault(
            code="no_python",
            message="There is no Python to build on.",
            breaks="No virtual environment can be made without a module that brings one.",
            advice="Name one in c.Site.python_paths, or do not hide the operating system's own.",
        )
    elif not any(_makes_environments(Path(each.real), each.version) for each in found):
        yield Fault(
            code="no_python_with_venv",
            message=f"No Python here has both venv and ensurepip: {', '.join(each.path for each in found[:4])}.",
            breaks="“python -m venv” fails for people in a terminal; ours takes uv or virtualenv instead.",
            advice="Install what the distribution splits off (Debian: python3-venv), or offer another Python.",
            severity="risk",
        )


def _makes_environments(real: Path, version: str) -> bool:
    short = ".".join(version.split(".")[:2])
    library = real.parent.parent / "lib" / f"python{short}"
    return all((library / name / "__init__.py").is_file() for name in ("venv", "ensurepip"))
