"""Load modules in a shell of its own and read what that gave.

The script of `site.loader` does it, the same that kernels use, so that a kernel gets what was captured. Success is
judged by what is loaded in the end, never by a status alone.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .. import process
from ..errors import InvalidRequest, ModuleFailed, NoModuleSystem
from ..models import ModuleSet
from ..site.loader import ENDED, LOADER, NO_STATE, NO_SYSTEM, NOT_LOADED
from . import bringing, failures, watching
from .contract import Captured
from .search import means

if TYPE_CHECKING:
    from .real import RealSystem

#: What a module may be called on our side of the shell: no option, no space, no sign that separates names.
_NAME = re.compile(r"(?!\.{1,2}/)[A-Za-z0-9_.][A-Za-z0-9_.+@=,~/-]{0,254}")
_COLLECTION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@=,~-]{0,254}")

_WAS = "hpcenv_was_"
_OWN = re.compile(r"_|SHLVL|PWD|OLDPWD|BASH_FUNC_.*|hpcenv_.*")
#: So that what the systems say can be understood; taken out again.
_LANGUAGE = {
    "LMOD_LANG": "en",
    "LMOD_PAGER": "none",
    "MODULES_PAGER": "",
    "LMOD_COLORIZE": "no",
    "MODULES_COLOR": "never",
}
#: What the systems themselves say of an ordinary load or purge.
_CHATTER = re.compile(
    r"(?:Loading|Unloading|Switching) \S+(?: <[A-Za-z:]+>)?|\s*(?:Loading|Unloading) requirement: .*"
    r"|\s*Unloading useless .*"
    r"|\s*ERROR: Unload of sticky module skipped|\s*WARNING: Unload of sticky module forced"
    r"|The following modules were not unloaded:|\s*\(Use \"module --force purge\" to unload all\):?"
    r"|(?:\s*\d+\) \S+)+\s*"
    r"|Restoring modules from .*|Running \"module reset\".*|Resetting modules to system default.*"
)


class Loaded(NamedTuple):
    """How a load ended."""

    status: int
    environ: dict[str, str]
    """All variables afterwards; empty if the shell did not come so far."""
    was: dict[str, str]
    """MODULEPATH, PATH, PYTHONPATH and EBPYTHONPREFIXES before the modules came."""
    messages: list[str]
    missing: list[str]
    """Names that the script did not find among the loaded ones."""


def check_names(asked: Sequence[str], collection: str) -> None:
    """Raise `InvalidRequest` for what can not be a module's or a collection's name."""
    for name in asked:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or "//" in name or "/../" in name:
            raise InvalidRequest(
                f"{name!r} can not name a module.",
                hints=["Write it as the module system lists it, for example gcc/12.3.0."],
            )
    if collection and not _COLLECTION.fullmatch(collection):
        raise InvalidRequest(
            f"{collection!r} can not name a collection of modules.",
            hints=["Write it as “module savelist” shows it."],
        )
    if collection and asked:
        raise InvalidRequest(
            "Modules and a collection exclude each other.", hints=["Give either the modules or the collection."]
        )


def capture(
    system: RealSystem, asked: Sequence[str], *, collection: str, purge: str, timeout: float | None
) -> Captured:
    """Return what loading *asked* (or the collection) gives; see `ModuleSystem.capture`."""
    asked = list(dict.fromkeys(asked))
    check_names(asked, collection)
    policy = purge or system.site.module_purge
    seconds = system.site.module_timeout if timeout is None else timeout
    names = [f"restore {collection}"] if collection else asked
    done = load(system, names, policy, seconds)
    _ended(system, done, names)
    if collection and done.status == NOT_LOADED:
        raise failures.collection(system, collection, done.messages)
    loaded = [name for name in done.environ.get("LOADEDMODULES", "").split(":") if name]
    resolved = {} if collection else _resolved(asked, loaded, system.alternates(done.environ))
    missing = [name for name in asked if name not in resolved]
    if missing or (done.status == NOT_LOADED and not done.environ):
        raise failures.explain(system, asked, missing, loaded, done)
    for name, full in resolved.items():
        if "/" in name and full != name and (error := failures.mistaken(system, name, full)):
            raise error
    listed = watching.read_modules(loaded, done.environ.get("_LMFILES_", "").split(":"))
    modules = ModuleSet(
        system=system.name,
        version=system.version,
        init=system.init,
        purge=policy,
        modulepath=_folders(done, collection),
        asked=list(asked),
        load=list(dict.fromkeys(resolved.values())) if not collection else loaded,
        loaded={watching.target(system.site): listed},
        messages=done.messages,
        home=done.environ.get("HOME", ""),
    )
    modules.brings = bringing.folders(done.environ, done.was, _python(done), listed)
    watching.observe(system, modules, listed, done.environ)
    if not modules.live and any(not _CHATTER.fullmatch(line) for line in done.messages):
        modules.live = "The modules said something when they were loaded, and it is to be seen each time."
    return Captured(
        modules=modules,
        environ={name: value for name, value in done.environ.items() if not _OWN.fullmatch(name)},
        brings_packages=_brings_packages(done),
        python=_python(done),
    )


def searched(system: RealSystem) -> str:
    """Return MODULEPATH as it is after the start file and the purge; empty if that can not be learned."""
    done = load(system, [], system.site.module_purge, system.site.module_timeout)
    return done.was.get("MODULEPATH", "")


def load(system: RealSystem, names: Sequence[str], purge: str, seconds: float) -> Loaded:
    """Run the script; raises `ModuleFailed` if it takes longer than *seconds*."""
    base = system.base()
    messages: list[str] = []
    what = ", ".join(names) or "the start file of the module system"
    with tempfile.TemporaryDirectory(prefix="hpcenv-") as name:
        state = Path(name, "state")
        form = ["environ", str(state), system.init, purge, ":".join(system.site.module_path)]
        done = process.run(
            ["bash", "-p", str(LOADER), *form, *names],
            env={**base, **_LANGUAGE},
            cwd=Path(name),
            on_line=messages.append,
            check=_limit(what, seconds, messages),
        )
        try:
            entries = state.read_bytes().decode("utf-8", "surrogateescape").split("\0")
        except OSError:
            entries = []
    pairs = dict(entry.split("=", 1) for entry in entries if "=" in entry)
    was = {name.removeprefix(_WAS): value for name, value in pairs.items() if name.startswith(_WAS)}
    environ = {name: value for name, value in pairs.items() if not name.startswith(_WAS)}
    for name in _LANGUAGE:
        environ.pop(name, None)
        if name in base and environ:
            environ[name] = base[name]
    missing: list[str] = []
    if messages and messages[-1].startswith("Not loaded:"):
        missing = messages.pop().partition(":")[2].split()
    elif done.returncode == NOT_LOADED and messages:
        messages.pop()
    return Loaded(done.returncode, environ, was, messages, missing)


def _limit(what: str, seconds: float, messages: Sequence[str]) -> Callable[[], None]:
    deadline = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > deadline:
            raise ModuleFailed(
                f"Loading {what} took longer than {seconds:g} seconds and was stopped.",
                hints=[
                    "Load it in a terminal to see what it waits for.",
                    "Staff can allow more: c.Site.module_timeout.",
                ],
                reason="\n".join(messages[-20:]),
            )

    return check


def _ended(system: RealSystem, done: Loaded, names: Sequence[str]) -> None:
    """Raise for everything that ended the script before it could tell what is loaded."""
    if done.status in (0, NOT_LOADED) and (done.environ or done.status == NOT_LOADED):
        return
    reason = "\n".join(done.messages[-20:])
    if done.status == NO_SYSTEM:
        raise NoModuleSystem(
            "The module system could not be started.",
            hints=[f"Have staff see whether {system.init or 'its start file'} defines “module”."],
            reason=reason,
        )
    if done.status == NO_STATE:
        raise ModuleFailed(
            "What loading the modules gave could not be written.",
            hints=["Make room in the folder for temporary files, or set TMPDIR to another one."],
            reason=reason,
        )
    which = names[0] if len(names) == 1 else f"one of {', '.join(names)}"
    ended = "ended the shell that loaded it" if done.status in (0, ENDED) else f"failed with status {done.status}"
    raise ModuleFailed(
        f"Loading {which} {ended}.",
        hints=["Load it in a terminal to see what it does.", "Leave the module out, or tell staff."],
        reason=reason,
    )


def _resolved(asked: Sequence[str], loaded: Sequence[str], alternates: Mapping[str, str]) -> dict[str, str]:
    """Return the full name of each module that was asked for and is loaded."""
    found = {}
    for name in asked:
        folded = name.casefold()
        choices = [
            *(full for full in loaded if full == name),
            *(full for full in (alternates.get(name, ""),) if full in loaded),
            *(full for full in loaded if means(name, full)),
            *(full for full in loaded if means(folded, full.casefold())),
        ]
        if choices:
            found[name] = choices[0]
    return found


def _brings_packages(done: Loaded) -> bool:
    return any(
        done.environ.get(name, "") and done.environ.get(name, "") != done.was.get(name, "")
        for name in ("PYTHONPATH", "EBPYTHONPREFIXES")
    )


def _python(done: Loaded) -> str:
    """Return the first Python on PATH if a module brought it."""
    path = done.environ.get("PATH", "")
    before = done.was.get("PATH", "").split(":")
    for program in ("python3", "python"):
        found = shutil.which(program, path=path)
        if found and os.path.dirname(found) not in before:  # noqa: PTH120  as it stands on PATH
            return found
    return ""


def _folders(done: Loaded, collection: str) -> list[str]:
    """Return where modules were looked for; a collection adds folders of its own, which only the outcome shows."""
    after = done.environ.get("MODULEPATH", "").split(":") if collection else []
    return list(dict.fromkeys(folder for folder in [*done.was.get("MODULEPATH", "").split(":"), *after] if folder))
