"""Say what the last act was that can be undone, and undo it: a change of packages, or a deletion."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from ..catalog import earlier as kept
from ..catalog import history
from ..errors import Busy, NotFound, WrongState
from ..files import server_time
from ..lifecycle import delete, packages
from ..managers.contract import Manager
from ..models import Earlier, Environment, Operation, Record, Target, Ticket, TrashItem, UndoRequest, utc_now
from ..names import new_operation_id
from ..site import Site
from ..site.config import username
from . import packages as changes
from .creating import Means

_NAMED = 5


class Undo(msgspec.Struct, kw_only=True, frozen=True):
    """What can be undone of an environment, or why nothing can."""

    what: Literal["delete", "change", ""]
    """Empty: nothing can be undone, and `sentence` says why."""
    at: str = ""
    """When it was done."""
    user: str = ""
    """Who did it."""
    sentence: str
    """What undoing would do, for a person."""
    until: str = ""
    """Until when it can be undone."""
    plan: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    """What would come, change and go, as a plan of a change tells it; absent for a deletion."""


def states(row: Environment) -> tuple[str, ...]:
    """Return in which states the packages of an environment can be changed; conda's Python can come again."""
    return ("ready", "python_gone") if row.manager == "conda" else ("ready",)


def of_deleted(reference: str, means: Means) -> TrashItem:
    """Return the deleted environment that is meant; raises `NotFound`."""
    try:
        return delete.find_item(means.catalog, reference)
    except NotFound:
        raise NotFound(
            f"There is no environment {reference!r}, and none in the trash.",
            hints=["List the environments, and the trash: “jupyter hpcenv trash”."],
        ) from None


def look_deleted(item: TrashItem) -> Undo:
    """Return how a deletion would be undone."""
    return Undo(
        what="delete",
        at=item.deleted,
        user=username(),
        sentence=f"{item.name} was deleted. Undoing that puts it back to {item.prefix}, with its kernel.",
        until=item.expires,
    )


def look(row: Environment, manager: Manager, means: Means) -> Undo:
    """Return how the last change of packages would be undone, or why it can not be."""
    record = means.catalog.record(row.id)
    try:
        earlier = last(record, manager, means)
        plan = manager.plan_undo(record, earlier)
    except (Busy, WrongState) as error:
        return Undo(what="", sentence=" ".join([error.message, *error.hints]))
    counts = [(len(plan["install"]), "comes back"), (len(plan["change"]), "changes"), (len(plan["remove"]), "goes")]
    told = [f"{count} package{'' if count == 1 else 's'} {_many(word, count)}" for count, word in counts if count]
    return Undo(
        what="change",
        at=earlier.at,
        user=earlier.user,
        sentence=f"Undoing the last change of {row.name}: {', '.join(told) or 'no package is another one'}.",
        until=_until(earlier, means.site.trash_days),
        plan=plan,
    )


def _many(word: str, count: int) -> str:
    return word if count == 1 else {"comes back": "come back", "changes": "change", "goes": "go"}[word]


def last(record: Record, manager: Manager, means: Means) -> Earlier:
    """Return what was there before the last change; raises `WrongState` where that can not be had, `Busy`."""
    if packages.note_of(Path(record.prefix)) is not None:
        raise Busy(
            f"A change of {record.name} has not come to its end, or was killed and is being put right.",
            hints=["Try again in a moment."],
        )
    found = kept.read(record.id, record.operation, means.site)
    if found is None or _until(found, means.site.trash_days) < utc_now():
        events = [event.verb for event in history.read(record.id, means.site)]
        if {"change", "undo"} & set(events):
            days = means.site.trash_days
            raise WrongState(
                f"What was in {record.name} before its last change is not kept any more: that is for {days} days.",
                hints=["Ask for the versions that you want with “install”; “history” tells what they were."],
            )
        raise WrongState(
            f"No packages of {record.name} were changed since it was made.", hints=["There is nothing to undo."]
        )
    _check_nobody_else(record, found, manager)
    return found


def _check_nobody_else(record: Record, found: Earlier, manager: Manager) -> None:
    if found.after is None:
        return
    now = {each.name: each.version for each in manager.list_packages(Path(record.prefix))}
    differing = sorted(name for name in {*now, *found.after} if now.get(name) != found.after.get(name))
    if differing:
        more = f" and {len(differing) - _NAMED} more" if len(differing) > _NAMED else ""
        raise WrongState(
            f"{record.name} was changed by another tool since: {', '.join(differing[:_NAMED])}{more}.",
            hints=["Undoing would undo that as well. Ask for the versions that you want with “install”."],
        )


def ticket(record: Record, request: UndoRequest, key: str, manager: Manager, root: Path, means: Means) -> Ticket:
    """Return the operation that undoes the last change, or plans that."""
    earlier = last(record, manager, means)
    work = packages.Work(
        choice=manager.decide_undo(record, earlier), changes=manager.undoing(record, earlier), earlier=earlier
    )
    identifier, said = new_operation_id(), asked(request)
    return changes.of_work(record, work, manager, root, identifier, key, means, said, dry_run=request.dry_run)


def asked(request: UndoRequest) -> dict[str, Any]:
    """Return the request as its operation shows it."""
    return {"undo": True, "dry_run": request.dry_run}


def ended(item: TrashItem, request: UndoRequest) -> Operation:
    """Return an operation that is finished, as what brought a deleted environment back; it is kept nowhere."""
    now = utc_now()
    return Operation(
        id=new_operation_id(),
        verb="restore",
        state="succeeded",
        cancelling=False,
        environment=Target(id=item.id, name=item.name, location=item.location, prefix=item.prefix),
        request=asked(request),
        submitted=now,
        started=now,
        finished=now,
        user=username(),
        host="",
        step=0,
        steps=[],
        progress=None,
        error=None,
        result={"environment": item.id, "prefix": item.prefix},
        log_size=0,
    )


def forget_old(site: Site) -> None:
    """Remove what is kept longer than the trash keeps what was deleted."""
    now = server_time(kept.folder(site))
    if now is not None:
        kept.forget_old(site, now, site.trash_days * 86_400)


def _until(earlier: Earlier, days: int) -> str:
    at = datetime.datetime.fromisoformat(earlier.at.replace("Z", "+00:00")) + datetime.timedelta(days=days)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
