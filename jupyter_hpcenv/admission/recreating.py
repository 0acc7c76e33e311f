"""Fill a request with what a capsule says, or with what the environment is that it is a clone of."""

from __future__ import annotations

import msgspec

from ..errors import InvalidRequest
from ..managers.contract import Manager
from ..models import Contents, CreateRequest, Step
from ..names import check_display_name
from . import check, cloning
from .means import Means


def expand(request: CreateRequest, means: Means) -> tuple[CreateRequest, Contents | None]:
    """Return the request that is carried out, and what it is to hold if that is told by another thing than itself."""
    if request.clone_of:
        return cloning.expand(request, means)
    text = check.text_of(request)
    if text:
        from ..formats import described_python

        if described_python.is_capsule(text):
            return _of_capsule(request, text, means)
    return request, None


def _of_capsule(request: CreateRequest, text: str, means: Means) -> tuple[CreateRequest, Contents]:
    """Return the request with what a capsule says; what somebody asks for besides wins."""
    from ..formats import capsule

    found = capsule.read(text, check.rules_of(means.site))
    if request.manager not in ("venv", found.manager):
        raise InvalidRequest(
            f"The capsule is of an environment that {found.manager} made, and {request.manager} is asked for.",
            hints=["Leave the manager out."],
        )
    if request.extras or request.groups or request.channels:
        raise InvalidRequest(
            "A capsule says exactly what is to be installed, so extras, groups and channels can not be asked for.",
            hints=["Leave them out."],
        )
    contents = found.contents
    if found.display_name:
        check_display_name(found.display_name)
    machine = means.site.platform().arch
    if found.arch and found.arch != machine:
        contents.warnings.append(f"The capsule was made on another kind of computer: {found.arch}, not {machine}.")
    if found.manager == "venv":
        contents.python = found.python
    if request.python and found.manager == "conda" and not _same_minor(request.python, found.python):
        contents.warnings.append("With another Python, what was asked for is looked for anew.")
        contents = msgspec.structs.replace(contents, pinned=[], specs=cloning.without_python(contents.asked))
    elif found.manager == "conda":
        request = msgspec.structs.replace(request, python="")
    return msgspec.structs.replace(
        request,
        manager=found.manager,
        file="",
        requirements="",
        modules=request.modules or ([] if request.collection else found.modules),
        system_site_packages=_layered(request, found),
        display_name=request.display_name or found.display_name,
        kernel=request.kernel and found.kernel,
    ), contents


def _layered(request: CreateRequest, found: object) -> bool | None:
    if request.system_site_packages is None and getattr(found, "system_site_packages", False):
        return True
    return request.system_site_packages


def with_pip(steps: list[Step], manager: Manager, contents: Contents | None) -> list[Step]:
    """Return the steps of a create with that of pip, which a manager of conda knows only from the text of a file."""
    if manager.language != "conda" or not (contents and contents.pip) or any(step.name == "pip" for step in steps):
        return steps
    at = next((index for index, step in enumerate(steps) if step.name == "prove"), len(steps))
    return [*steps[:at], Step(name="pip", title="Install with pip"), *steps[at:]]


def _same_minor(one: str, other: str) -> bool:
    return one.split(".")[:2] == other.split(".")[:2]
