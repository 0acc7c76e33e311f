"""Write down what an environment holds, in the files by which others make it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from ..errors import InvalidRequest
from ..formats.requirements import Rules
from ..managers.contract import Manager
from ..models import BY_PIP, Contents, LockedPackage, Record
from . import cloning


class Exported(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A file that describes an environment."""

    format: str
    """As what it was asked for; also a good name for the file."""
    text: str
    notes: list[str] = []
    """What of the environment is not in it, a sentence each."""
    formats: list[str] = []
    """As what this environment can be written; the first is taken where none is named."""


def _requested(record: Record, manager: Manager) -> Exported:
    from ..formats import environment_yml

    found = environment_yml.of_requests(record.packages)
    found = msgspec.structs.replace(found, name=record.name, channels=record.channels, variables=record.variables)
    return Exported(format="environment.yml", text=environment_yml.write(found))


def _full(record: Record, manager: Manager) -> Exported:
    from ..formats import environment_yml

    found = manager.contents(record)
    return Exported(format="environment-full.yml", text=environment_yml.write(found, full=True), notes=found.warnings)


def _explicit(record: Record, manager: Manager) -> Exported:
    from ..formats import explicit

    found = manager.contents(record)
    return Exported(
        format="explicit.txt",
        text=explicit.write(found.pinned),
        notes=[*found.warnings, *_by_pip(found), *_variables(record)],
    )


def _lockfile(record: Record, manager: Manager) -> Exported:
    return Exported(
        format="pixi.lock",
        text=manager.lockfile(record),
        notes=[*_by_pip(manager.contents(record)), *_variables(record)],
    )


def _by_pip(found: Contents) -> list[str]:
    if not found.pip:
        return []
    return [f"What pip installed is not in it: {', '.join(found.pip)}. An environment-full.yml has that, too."]


def _requirements(record: Record, manager: Manager) -> Exported:
    return Exported(format="requirements.txt", text=_lines(record.packages), notes=_inherited(record))


def _pinned(record: Record, manager: Manager) -> Exported:
    found = manager.exact(record)
    notes = [f"Not in it, because no list can tell an installer how to get it: {each}." for each in found.warnings]
    return Exported(format="requirements-full.txt", text=_lines(found.pip), notes=[*notes, *_inherited(record)])


def _inherited(record: Record) -> list[str]:
    notes = [f"It was made with Python {record.python}, which is not in it."] if record.python else []
    return [*notes, *_variables(record), *_on_modules(record)]


def _variables(record: Record) -> list[str]:
    return [f"Its variables are not in it: {', '.join(record.variables)}."] if record.variables else []


def _on_modules(record: Record) -> list[str]:
    if not record.modules:
        return []
    return [f"It stands on modules, which are not in it: {', '.join(record.modules.load)} (format modules.txt)."]


def _modules(record: Record, manager: Manager) -> Exported:
    return Exported(format="modules.txt", text=_lines(record.modules.load if record.modules else []))


def _hashed(record: Record, manager: Manager) -> Exported:
    from ..formats import hashes

    packages, notes = _exact(record, manager)
    unknown = [f"{each.name} {each.version}".strip() for each in packages if not each.hashes]
    if unknown:
        notes.insert(0, f"{_WITHOUT.format(', '.join(unknown))} They stand in comments, which installers skip.")
    return Exported(format="requirements-hashed.txt", text=hashes.write(packages), notes=[*notes, *_inherited(record)])


def _pylock(record: Record, manager: Manager) -> Exported:
    from ..formats import pylock

    packages, notes = _exact(record, manager)
    known = [each for each in packages if each.hashes and (each.archives or each.url.startswith("https://"))]
    if unknown := [f"{each.name} {each.version}".strip() for each in packages if each not in known]:
        notes.insert(0, f"{_WITHOUT.format(', '.join(unknown))} They are not in it.")
    requires = f">={'.'.join(record.python.split('.')[:2])}" if record.python else ""
    notes += [*_variables(record), *_on_modules(record)]
    return Exported(format="pylock.toml", text=pylock.write(known, requires), notes=notes)


_WITHOUT = (
    "No digest is known of {}: the index that is configured does not have them, does not tell one, or was not reached; "
    "or they are from version control."
)


def _exact(record: Record, manager: Manager) -> tuple[list[LockedPackage], list[str]]:
    """Return the exact packages of a virtual environment with their digests, and what can not be among them."""
    prefix = Path(record.prefix)
    own = {
        each.name: each.source.removeprefix("editable ")
        for each in manager.list_packages(prefix)
        if each.source.startswith(("editable ", "file:"))
    }
    notes = [f"{name} is not in it: it is from {_folder(source)}." for name, source in own.items()]
    return manager.with_digests(record, cloning.exact(prefix, Rules(), list(own)).locked), notes


def _folder(source: str) -> str:
    return "a folder or file of this computer" if source.startswith("file:") else "version control"


def _capsule(record: Record, manager: Manager) -> Exported:
    from ..formats import capsule, matchspecs

    contents, notes = Contents(kind=capsule.KIND), list[str]()
    if manager.language == "conda":
        found = manager.contents(record)
        contents.pinned, contents.channels, notes = found.pinned, record.channels, list(found.warnings)
        contents.asked = [text if text.startswith(BY_PIP) else matchspecs.parse(text) for text in record.packages]
        pins = (line.partition("==") for line in found.pip)
        contents.locked = [LockedPackage(name=name, version=version) for name, _, version in pins]
    elif record.manager == "venv":
        contents.locked, notes = _exact(record, manager)
        contents.pip = list(record.packages)
    text, more = capsule.write(
        capsule.Capsule(
            name=record.name,
            manager=record.manager,
            python=record.python,
            os=record.platform.os,
            arch=record.platform.arch,
            system_site_packages=record.system_site_packages,
            modules=record.modules.load if record.modules else [],
            kernel=bool(record.kernelspec),
            display_name="" if record.display_name == _usual(record) else record.display_name,
            contents=contents,
        )
    )
    return Exported(format="capsule.json", text=text, notes=[*notes, *more, *_variables(record)])


def _usual(record: Record) -> str:
    """Return the display name that an environment gets unasked, which would be wrong under another name."""
    return f"{record.name} (Python {'.'.join(record.python.split('.')[:2])})"


def _lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


_CONDA: dict[str, Callable[[Record, Manager], Exported]] = {
    "environment.yml": _requested,
    "environment-full.yml": _full,
    "explicit.txt": _explicit,
    "pixi.lock": _lockfile,
}
_PEP508: dict[str, Callable[[Record, Manager], Exported]] = {
    "requirements.txt": _requirements,
    "requirements-full.txt": _pinned,
    "requirements-hashed.txt": _hashed,
    "pylock.toml": _pylock,
}


#: Each is what files of it are usually called.
FORMATS = frozenset({*_CONDA, *_PEP508, "modules.txt", "capsule.json"})


def export(record: Record, manager: Manager, form: str) -> Exported:
    """Return *record*'s environment as a file of that *form*; empty: what was asked for.

    Raises `InvalidRequest` for a form that such an environment does not have.
    """
    known = dict(_CONDA if manager.language == "conda" else _PEP508)
    if record.manager == "modules":
        known = {}
    if record.modules:
        known["modules.txt"] = _modules
    if record.manager in ("venv", "conda", "modules"):
        known["capsule.json"] = _capsule
    if not form and known:
        form = next(iter(known))
    if form not in known:
        raise InvalidRequest(
            f"{record.name} can not be written as {form or 'a file'}.",
            hints=[f"These formats are known of it: {', '.join(known)}." if known else "Use it where it is."],
        )
    return msgspec.structs.replace(known[form](record, manager), formats=list(known))
