"""Check a create request before anything is claimed: all that can be known now is refused now."""

from __future__ import annotations

import os
from pathlib import Path

from ..catalog import Catalog
from ..errors import InvalidRequest, ManagerNotFound, NameTaken
from ..formats.requirements import Rules, parse_requirement, parse_requirements
from ..managers.contract import Manager
from ..models import Contents, CreateRequest
from ..names import check_display_name, check_name, check_variables, kernel_name
from ..site import Site
from . import placing


def check_words(request: CreateRequest) -> None:
    """Raise for a name, display name or variable that can not be."""
    check_name(request.name)
    if request.display_name:
        check_display_name(request.display_name)
    check_variables(request.variables)
    check_variables(request.build_variables)
    placing.check(request.on)
    if "\0" in request.python or len(request.python) > 4_096:
        raise InvalidRequest("That is no Python.", hints=["Give a version such as 3.12, or a path."])


def rules_of(site: Site) -> Rules:
    """Return what the site allows to be asked for."""
    return Rules(allow_editable=site.allow_editable, allow_vcs=site.allow_vcs, allow_urls=site.allow_urls)


def contents_of(request: CreateRequest, manager: Manager, site: Site) -> Contents | None:
    """Return what the request's file says, if it has one; raises `InvalidRequest` for what the manager can not use."""
    if manager.language == "conda":
        from ..formats import described  # YAML takes a while to import

        if request.extras or request.groups:
            raise InvalidRequest("Files of conda’s have no extras and no groups.", hints=["Leave them out."])
        return described.read(request.file, rules_of(site)) if request.file else None
    for given, what in (
        (request.channels, "Channels"),
        (request.virtual_packages, "Virtual packages"),
    ):
        if given:
            raise InvalidRequest(
                f"{what} can not be used by the manager {manager.name}.", hints=["Take the manager conda."]
            )
    text = text_of(request)
    if not text:
        if request.extras or request.groups:
            raise InvalidRequest("Extras and groups are those of a file.", hints=["Give a pyproject.toml."])
        return None
    if manager.name == "modules":
        raise InvalidRequest(
            "An environment of modules alone has no packages of its own.",
            hints=["Take the manager venv: it installs packages on top of what the modules bring."],
        )
    from ..formats import described_python

    return described_python.read(text, rules_of(site), request.extras, request.groups)


def text_of(request: CreateRequest) -> str:
    """Return the text of the request's file; that of its requirements where it is more than a list of names."""
    text = request.requirements
    if request.file or not text:
        return request.file
    from ..formats import described_python  # parsers, of which most requests need none

    return text if request.extras or request.groups or described_python.is_more_than_a_list(text) else ""


def requirements_of(request: CreateRequest, manager: Manager, site: Site) -> list[str]:
    """Return what the request asks for as canonical lines of the manager's language; raises `InvalidRequirement`."""
    if manager.language == "conda":
        if request.requirements:
            raise InvalidRequest(
                "The manager conda takes match specs, not the text of a requirements file.",
                hints=["Name the packages, or give an environment.yml; its “pip:” list may hold requirements."],
            )
        from ..formats import matchspecs

        return list(dict.fromkeys(matchspecs.parse(text) for text in request.packages))
    rules = rules_of(site)
    lines = [parse_requirement(text, rules) for text in request.packages]
    if request.requirements and text_of(request) != request.requirements:
        lines += parse_requirements(request.requirements, rules, None)
    return list(dict.fromkeys(lines))


def manager_of(request: CreateRequest, managers: dict[str, Manager]) -> Manager:
    """Return the environment manager that is asked for; raises `ManagerNotFound`."""
    try:
        return managers[request.manager]
    except KeyError:
        raise ManagerNotFound(
            f"There is no environment manager {request.manager!r}.",
            hints=[f"These are installed: {', '.join(sorted(managers)) or 'none'}."],
        ) from None


def check_free(catalog: Catalog, request: CreateRequest, location: str, prefix: Path) -> None:
    """Raise `NameTaken` if something has that name or prefix; called with the claim held."""
    if os.path.lexists(prefix):
        if not os.path.exists(prefix / ".hpcenv" / "environment.json"):  # noqa: PTH110  also where we may not look
            raise NameTaken(
                f"{prefix} exists already and is no environment of jupyter_hpcenv.",
                hints=["Choose another name, or delete what is there."],
            )
        raise _taken(request.name, location, mine=prefix.lstat().st_uid == os.geteuid())
    folded = request.name.lower()
    for row in catalog.environments(location=location):
        if row.name == request.name:
            raise _taken(row.name, location, mine=row.origin == "own", gone=row.state == "missing")
        if row.name.lower() == folded:
            raise NameTaken(
                f"{request.name} differs from {row.name} only by case; the kernels of both would have one name.",
                hints=["Choose a name that differs by more."],
            )
    for neighbour in _listed(prefix.parent):
        if neighbour.lower() == prefix.name.lower():
            raise NameTaken(
                f"{prefix.name} differs from {neighbour} in {prefix.parent} only by case.",
                hints=["Choose a name that differs by more."],
            )


def _taken(name: str, location: str, *, mine: bool, gone: bool = False) -> NameTaken:
    if not mine:
        return NameTaken(
            f"Somebody else has an environment {name} in {location} already.", hints=["Choose another name."]
        )
    return NameTaken(
        f"You have an environment {name} in {location} already" + (", whose prefix is gone." if gone else "."),
        hints=[
            *([f"Build it again: “jupyter hpcenv rebuild {name}”."] if gone else []),
            "Choose another name, or delete that one.",
        ],
    )


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []


def kernel_is_free(request: CreateRequest, location: str, site: Site) -> None:
    """Raise `NameTaken` if there is a kernelspec of the name that this one would get, whoever made it."""
    if not request.kernel:
        return
    folder = site.kernels_dir / kernel_name(location, request.name)
    if os.path.lexists(folder):
        raise NameTaken(
            f"A kernel of that name exists already, at {folder}.",
            hints=[
                "If its environment is gone, “jupyter hpcenv check --fix” puts the kernel aside.",
                "Or choose another name.",
            ],
        )
