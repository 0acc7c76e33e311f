"""Decide about changes of an environment's packages, and find those that were killed in the middle."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import msgspec

from .. import kernels, policy
from ..errors import InvalidRequest
from ..formats.requirements import parse_requirement
from ..lifecycle import packages, share
from ..managers.contract import Manager
from ..models import BY_PIP, Changes, Record, Target, Ticket, utc_now
from ..site import Site
from ..site.config import username
from . import places
from .check import rules_of
from .creating import Means, effective


def canonical(changes: Changes, manager: Manager, site: Site) -> Changes:
    """Return the request with each text in the manager's canonical form; raises `InvalidRequirement`."""
    if manager.language == "conda":
        from ..formats import matchspecs

        def one(line: str) -> str:
            by_pip = line.strip().startswith(BY_PIP.strip())
            text = line.strip().removeprefix(BY_PIP.strip())
            return f"{BY_PIP}{parse_requirement(text, rules_of(site))}" if by_pip else matchspecs.parse(line)

        def parsed(lines: list[str]) -> list[str]:
            return list(dict.fromkeys(map(one, lines)))
    else:
        rules = rules_of(site)

        def parsed(lines: list[str]) -> list[str]:
            return list(dict.fromkeys(parse_requirement(line, rules) for line in lines))

    if not (changes.install or changes.update or changes.update_all or changes.remove):
        raise InvalidRequest("Nothing is to be changed.", hints=["Say what to install, update or remove."])
    return msgspec.structs.replace(
        changes, install=parsed(changes.install), update=parsed(changes.update), remove=parsed(changes.remove)
    )


def ticket(
    record: Record, changes: Changes, manager: Manager, root: Path, identifier: str, key: str, means: Means
) -> Ticket:
    """Return the operation that carries a change out, or plans it, with all that was decided."""
    _, site, _, _, modules = means
    wanted, notes = policy.consulted("change", changes, username())
    with policy.with_notes(notes):
        asked = canonical(wanted, manager, site)
        choice = manager.decide(record, asked)
    if manager.language == "conda":
        choice.warnings += modules.built_for_this(asked.install)
    else:
        choice.warnings += modules.has_them(asked.install, record.modules.load if record.modules else [])
    choice.warnings += notes
    work = packages.Work(choice=choice, changes=asked)
    request = msgspec.to_builtins(changes)
    return of_work(record, work, manager, root, identifier, key, means, request, dry_run=changes.dry_run)


def of_work(
    record: Record,
    work: packages.Work,
    manager: Manager,
    root: Path,
    identifier: str,
    key: str,
    means: Means,
    request: dict[str, Any],
    *,
    dry_run: bool,
) -> Ticket:
    """Return the operation that does what was decided, or plans it; running kernels are warned of."""
    asked_of_site = policy.flat(
        policy.Asked(
            manager=manager.name,
            installer=work.choice.installer,
            python=record.python,
            told=policy.told(work.changes),
        ),
        [*work.changes.install, *work.changes.update],
        specs=manager.language == "conda",
    )
    adds = bool(work.changes.install or work.changes.update or work.changes.update_all)
    policy.enter(asked_of_site, used=(lambda: places.taken(means.catalog)) if adds else None)
    policy.ask("change", asked_of_site, username())
    work.choice.warnings += policy.preferences(asked_of_site)
    if not dry_run and (warning := _running(record)):
        work.choice.warnings.append(warning)
    return Ticket(
        id=identifier,
        verb="plan_change" if dry_run else "change",
        target=target_of(record),
        root=str(root),
        request=request,
        config=effective(means.config, means.site, manager),
        work=msgspec.to_builtins(work),
        asked=msgspec.to_builtins(asked_of_site),
        steps=packages.plan_steps(manager, record) if dry_run else packages.steps(manager, record),
        submitted=utc_now(),
        user=username(),
        host=socket.gethostname(),
        idempotency_key=key,
    )


def repair_ticket(record: Record, root: Path, config: dict[str, Any], identifier: str) -> Ticket:
    """Return the operation that puts right what a killed change left."""
    return Ticket(
        id=identifier,
        verb="repair",
        target=target_of(record),
        root=str(root),
        request={},
        config=config,
        steps=packages.repair_steps(),
        submitted=utc_now(),
        user=username(),
        host=socket.gethostname(),
    )


def target_of(record: Record) -> Target:
    """Return the environment of a record as operations name it."""
    return Target(id=record.id, name=record.name, location=record.location, prefix=record.prefix)


def left_behind(prefix: Path) -> bool:
    """Tell whether a change of *prefix* was killed, and a repair is worth another try."""
    note = packages.note_of(prefix)
    if note is not None:
        return note.tries < packages.TRIES
    sharing = share.note_of(prefix)
    return sharing is not None and sharing.tries < share.TRIES


def _running(record: Record) -> str:
    """Return a sentence on the kernels that will not see a change, or an empty text."""
    pids = kernels.running(Path(record.prefix), [kernel.name for kernel in record.kernels])
    if not pids:
        return ""
    many = len(pids) > 1
    who = f"{len(pids)} kernel{'s' if many else ''} of {record.name} {'are' if many else 'is'} running"
    keep = "they keep what they have" if many else "it keeps what it has"
    return f"{who} (process {', '.join(map(str, pids))}): {keep} imported until restarted."
