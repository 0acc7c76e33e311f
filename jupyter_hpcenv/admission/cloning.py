"""Say what makes an environment again: the exact packages that are in it, whoever made it.

The source may be the user's own, a colleague's or another tool's: what is read there is parsed, and written anew.
Variables come along from one's own alone.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from ..errors import HpcenvError, InvalidRequest, ManagerNotFound, WrongState
from ..formats import hashes
from ..formats.requirements import Rules, parse_requirement
from ..managers import locking, packages
from ..managers.contract import Manager
from ..models import BY_PIP, Contents, CreateRequest, EnvironmentDetail, LockedPackage, Platform, Record
from ..names import secret_warnings
from . import check
from .means import Means

KIND = "clone"

#: What a clone is told by its source, so that a request can not say it as well.
_OF_SOURCE = ("packages", "requirements", "file", "modules", "collection", "channels", "extras", "groups")


def expand(request: CreateRequest, means: Means) -> tuple[CreateRequest, Contents]:
    """Return the create request that makes a clone, and what it is to hold; raises `WrongState`, `InvalidRequest`."""
    if given := [name for name in _OF_SOURCE if getattr(request, name)]:
        raise InvalidRequest(
            f"A clone holds what its source holds, so “{given[0]}” can not be asked for.",
            hints=["Leave it out, and change the clone afterwards."],
        )
    row = means.catalog.find(request.clone_of)
    never_had_python = row.origin == "foreign" and row.manager == "conda" and not row.python
    if row.state not in ("ready", "module_missing") and not never_had_python:
        raise WrongState(f"What is in {row.name} can not be told. {row.message}", hints=["List the environments."])
    manager = means.managers.get(row.manager)
    if manager is None:
        raise ManagerNotFound(
            f"{row.name} was made by “{row.manager}”, which is not installed here.",
            hints=[f"These are installed: {', '.join(sorted(means.managers)) or 'none'}."],
        )
    own = row.origin == "own"
    record = _described(row) if row.origin == "foreign" else means.catalog.record(row.id)
    if record.manager == "conda":
        contents = _of_conda(record, manager, request, check.rules_of(means.site))
    else:
        contents = _of_venv(record, check.rules_of(means.site)) if record.manager == "venv" else Contents(kind=KIND)
    if own and record.variables:
        contents.warnings += secret_warnings(record.variables)
    elif record.variables:
        contents.warnings.append(f"The variables of {record.name} are not taken over, for it is not yours.")
    contents.source = record.prefix if own else ""
    python = request.python or (_interpreter(record) if own else "")
    return msgspec.structs.replace(
        request,
        manager=record.manager,
        python="" if contents.pinned else python,
        system_site_packages=record.system_site_packages if record.manager == "venv" else None,
        modules=list(record.modules.asked) if record.modules else [],
        build_variables={**(record.build_variables if own else {}), **request.build_variables},
        virtual_packages={**record.virtual_packages, **request.virtual_packages},
        variables={**(record.variables if own else {}), **request.variables},
        kernel=request.kernel and (bool(record.kernelspec) or row.origin in ("foreign", "adopted")),
    ), contents


def _described(row: EnvironmentDetail) -> Record:
    """Return what a record would say of an environment that another tool made."""
    return Record(
        id=row.id,
        name=row.name,
        location="",
        prefix=row.prefix,
        manager=row.manager,
        creator="",
        installer="",
        python=row.python,
        python_path="",
        system_site_packages=row.manager == "venv" and packages.sees_below(Path(row.prefix)),
        display_name=row.name,
        platform=Platform(cluster="", os="", arch=""),
        owner="",
        created="",
        changed="",
        operation="",
    )


def _interpreter(record: Record) -> str:
    """Return the interpreter that a virtual environment was made from, if it is there and no module's."""
    there = record.manager == "venv" and record.modules is None and Path(record.python_path).exists()
    return record.python_path if there else ""


def _of_venv(record: Record, rules: Rules) -> Contents:
    """Return the exact packages of a virtual environment; project folders are installed from where they are."""
    prefix = Path(record.prefix)
    folders: dict[str, str] = {}
    for each in packages.list_packages(prefix):
        kind, _, url = each.source.partition(" ")
        if kind == "editable" and urlsplit(url).scheme == "file":
            folders[each.name] = parse_requirement(f"-e {unquote(urlsplit(url).path)}", rules)
    contents = exact(prefix, rules, list(folders))
    contents.python = record.python
    there = {each.name for each in contents.locked}
    asked = [text for text in record.packages if _named(text, rules) in there]
    contents.pip = asked or hashes.pins(contents.locked)
    contents.pip += [text for text in folders.values() if text not in contents.pip]
    return contents


def exact(prefix: Path, rules: Rules, without: list[str]) -> Contents:
    """Return the exact packages in *prefix*, whose digests nobody has written down; raises `WrongState`."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    left_out = {str(canonicalize_name(name)) for name in without}
    locked: list[LockedPackage] = []
    for text in locking.lock(prefix, left_out):
        found = Requirement(parse_requirement(text, rules))
        version = str(found.specifier).removeprefix("==")
        url, _, fragment = (found.url or "").partition("#")
        kept = [part for part in fragment.split("&") if part.startswith("subdirectory=")]
        sums = [part.replace("=", ":", 1) for part in fragment.split("&") if part.startswith("sha")]
        whole = f"{url}#{kept[0]}" if kept else url
        locked.append(hashes.package(found.name, version if not url else "", sums, url=whole, rules=rules))
    return Contents(kind=KIND, locked=locked)


def _named(text: str, rules: Rules) -> str:
    """Return the canonical name of the package that a request of a record asks for; empty for what can not be taken."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    with contextlib.suppress(HpcenvError, InvalidRequirement):
        return str(canonicalize_name(Requirement(parse_requirement(text, rules)).name))
    return ""


def _of_conda(record: Record, manager: Manager, request: CreateRequest, rules: Rules) -> Contents:
    """Return the exact packages of a conda environment, from the cache or the channels that had them."""
    from ..formats import explicit

    found = manager.contents(record)
    contents = explicit.read(explicit.write(found.pinned)) if found.pinned else Contents(kind=KIND)
    contents.kind, contents.warnings = KIND, found.warnings
    contents.pip = [parse_requirement(text, rules) for text in found.pip]
    asked = [text for text in record.packages if not text.startswith(BY_PIP)]
    if request.python and request.python.split(".")[:2] != record.python.split(".")[:2]:
        from ..formats import matchspecs

        if not asked:
            raise InvalidRequest(
                f"What was asked for in {record.name} is not known, so it can not be had with another Python.",
                hints=["Leave the Python out.", "Or write it down (environment.yml), and change that."],
            )
        contents.pinned, contents.specs = [], without_python([matchspecs.parse(text) for text in asked])
        contents.channels = list(record.channels)
        contents.warnings.append(
            f"The exact packages are for Python {record.python}; what was asked for is looked for anew."
        )
    contents.asked = asked
    return contents


def without_python(specs: list[str]) -> list[str]:
    """Return match specs without that of Python, in whose place another one was asked for."""
    from ..formats import matchspecs

    return [spec for spec in specs if matchspecs.name_of(spec) != "python"]
