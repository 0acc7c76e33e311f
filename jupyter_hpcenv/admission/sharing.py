"""Decide about sharing, using what others share, and adopting what other tools made."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Any

import msgspec

from .. import policy
from ..catalog import Catalog
from ..catalog.foreign import foreign_id
from ..catalog.used import Used
from ..errors import HpcenvError, InvalidRequest, NotFound, Refused, WrongState
from ..lifecycle import adopt, share, use
from ..managers.contract import Manager
from ..models import (
    AdoptRequest,
    EnvironmentDetail,
    Record,
    ShareRequest,
    Sharing,
    Ticket,
    TrashItem,
    UseRequest,
    utc_now,
)
from ..site import Site
from ..site.config import username
from .creating import Means, effective
from .packages import target_of


def sharing_of(request: ShareRequest) -> Sharing:
    """Return with whom *request* shares; raises `InvalidRequest` unless it says so in one way."""
    if bool(request.group) is request.everybody:
        raise InvalidRequest("Share with a group or with everybody.", hints=["Say “--group G” or “--everybody”."])
    if request.group.startswith("-") or not request.group.isprintable():
        raise InvalidRequest(f"{request.group!r} is no group.", hints=["Name one of your groups (“id”)."])
    return Sharing(group=request.group)


def check_place(record: Record, site: Site) -> None:
    """Raise `Refused` where the site does not let environments be shared."""
    value = site.locations.get(record.location)
    if isinstance(value, dict) and value.get("sharing"):
        return
    allowed = [name for name, each in site.locations.items() if isinstance(each, dict) and each.get("sharing")]
    hints = [f"Move it to one that is: “jupyter hpcenv move {record.name} {each}”." for each in allowed[:3]]
    raise Refused(
        f"{record.name} can not be shared, because the location {record.location} is not for sharing.",
        hints=hints or [f"Ask {site.contact or 'the staff of this centre'} for a location with “sharing”: True."],
    )


def ticket(
    record: Record, sharing: Sharing | None, manager: Manager, root: Path, identifier: str, key: str, means: Means
) -> Ticket:
    """Return the operation that shares an environment, or with None takes that back."""
    verb = "share" if sharing else "unshare"
    asked_of_site = policy.Asked(manager=manager.name, sharing=sharing is not None, told=asked(sharing))
    policy.enter(asked_of_site)
    policy.ask(verb, asked_of_site, username())
    if sharing is not None:
        check_place(record, means.site)
        share.check_reachable(record, sharing)
    elif record.shared is None:
        raise WrongState(f"{record.name} is not shared.", hints=["Nothing has to be done."])
    return Ticket(
        id=identifier,
        verb=verb,
        target=target_of(record),
        root=str(root),
        request=asked(sharing),
        config=effective(means.config, means.site, manager),
        work=msgspec.to_builtins(share.Work(sharing=sharing)),
        asked=msgspec.to_builtins(asked_of_site),
        steps=share.steps(sharing),
        submitted=utc_now(),
        user=username(),
        host=socket.gethostname(),
        idempotency_key=key,
    )


def asked(sharing: Sharing | None) -> dict[str, Any]:
    """Return the request as an operation shows it."""
    return dict(msgspec.to_builtins(sharing)) if sharing else {}


def begin_using(reference: str, request: UseRequest, means: Means) -> EnvironmentDetail:
    """Use what a colleague shares, and return it as it is shown then."""
    catalog = means.catalog
    row = catalog.find(reference)
    if row.state not in ("ready", "module_missing"):
        raise WrongState(f"{row.name} can not be used. {row.message}", hints=["Ask its owner."])
    record = _record_of(row, catalog)
    packages = _listed(row.manager, row.prefix, means)
    use.use(row, record, catalog.used, means.site, packages, modulefile=request.modulefile)
    return catalog.find(row.id)


def _record_of(row: EnvironmentDetail, catalog: Catalog) -> Record:
    if row.origin == "foreign":
        raise WrongState(
            f"{row.name} was made by another tool, and nobody shares it.",
            hints=[f"Adopt it: jupyter hpcenv adopt {row.prefix}"],
        )
    return catalog.record(row.id)


def stop_using(reference: str, means: Means) -> Used:
    """Forget that an environment is used or adopted; the environment itself is not touched."""
    used = used_of(reference, means.catalog)
    use.forget(used.record, means.catalog.used, means.site)
    return used


def used_of(reference: str, catalog: Catalog) -> Used:
    """Return what is kept of the environment that *reference* means, be it still there or not; raises `NotFound`."""
    location, _, name = reference.rpartition("/")
    for identifier, used in catalog.used.all().items():
        record = used.record
        if reference in (identifier, foreign_id(Path(record.prefix))) or (
            record.name == name and location in ("", record.location)
        ):
            return used
    raise NotFound(f"You do not use an environment {reference!r}.", hints=["List the environments to see what exists."])


def begin_adopting(request: AdoptRequest, means: Means) -> EnvironmentDetail:
    """Adopt a prefix of another tool, and return it as it is shown then."""
    prefix = adopt.place(request.prefix, means.site)
    manager = "conda" if (prefix / "conda-meta").is_dir() else "venv"
    packages = _listed(manager, str(prefix), means)
    used, warnings = adopt.adopt(
        prefix, means.catalog.used, means.site, packages, kernel=request.kernel, modulefile=request.modulefile
    )
    return msgspec.structs.replace(means.catalog.find(used.record.id), warnings=warnings)


def forgotten(row: EnvironmentDetail, means: Means) -> TrashItem:
    """Forget an adopted environment, and return what a door shows of that; nothing is in a trash."""
    stop_using(row.id, means)
    now = utc_now()
    return TrashItem(
        id=row.id,
        name=row.name,
        location=row.location,
        prefix=row.prefix,
        path="",
        python=row.python,
        deleted=now,
        expires=now,
    )


def _listed(manager: str, prefix: str, means: Means) -> str:
    """Return what is installed in a prefix, a line each, as far as its files tell."""
    found = means.managers.get(manager)
    with contextlib.suppress(HpcenvError, OSError):
        if found is not None:
            listed = found.list_packages(Path(prefix))
            return "".join(f"{package.name}=={package.version}\n" for package in listed)
    return ""
