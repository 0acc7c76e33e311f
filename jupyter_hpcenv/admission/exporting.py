"""Write down what an environment holds, in the files by which others make it again."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..errors import InvalidRequest
from ..managers.contract import Manager
from ..models import Contents, Record


class Exported(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A file that describes an environment."""

    format: str
    """As what it was asked for; also a good name for the file."""
    text: str
    notes: list[str] = []
    """What of the environment is not in it, a sentence each."""


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
    found = manager.contents(record)
    return Exported(
        format="requirements-full.txt", text=_lines(found.pip), notes=[*found.warnings, *_inherited(record)]
    )


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
}


def export(record: Record, manager: Manager, form: str) -> Exported:
    """Return *record*'s environment as a file of that *form*; empty: what was asked for.

    Raises `InvalidRequest` for a form that such an environment does not have.
    """
    known = dict(_CONDA if manager.language == "conda" else _PEP508)
    if record.manager == "modules":
        known = {}
    if record.modules:
        known["modules.txt"] = _modules
    if not form and known:
        form = next(iter(known))
    if form not in known:
        raise InvalidRequest(
            f"{record.name} can not be written as {form or 'a file'}.",
            hints=[f"These formats are known of it: {', '.join(known)}." if known else "Use it where it is."],
        )
    return known[form](record, manager)
