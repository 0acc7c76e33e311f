"""Decide about building an environment for one more kind of computer."""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec

from .. import policy
from ..errors import WrongState
from ..lifecycle import builds, templates
from ..managers.contract import Manager
from ..models import Record, Ticket, utc_now
from ..site import Site
from ..site.config import username
from ..site.target import told
from . import rebuilding
from .creating import Means, effective
from .packages import target_of
from .targets import check, check_reachable, here


def ticket(record: Record, asked: str, manager: Manager, root: Path, identifier: str, key: str, means: Means) -> Ticket:
    """Return the operation that builds *record*'s environment for the target *asked*; raises what can be known to fail.

    Without one it is for this computer.
    """
    config, site, _, _, modules = means
    target = (check([asked]) if asked else [here(site)])[0]
    main = record.target or _written(record, site)
    if not main:
        raise WrongState(
            f"It was not written down for which kind of computer {record.name} was built.",
            hints=["Create it again, with “--target” for each kind of computer."],
        )
    if target == main:
        raise WrongState(
            f"{record.name} itself is the build for {target}.",
            hints=[
                "To build it for another kind of computer, name that one, or do so there.",
                "To have other packages in it, use “update”.",
            ],
        )
    if target != here(site):
        check_reachable(target, here(site), site, record.name)
    captured = modules.capture(record.modules.load) if record.modules else None
    request = rebuilding.request_of(record, record.location)
    kept = rebuilding.kept_of(record, manager, site, moving=True)
    work = builds.Work(
        target=target,
        prefix=str(builds.place_of(record, target, identifier)),
        main=main,
        again=rebuilding.work_of(record, request, manager, captured, kept, target=target),
    )
    asked_of_site = policy.Asked(
        manager=manager.name,
        location=record.location,
        installer=work.again.asked.choice.installer,
        python=work.again.asked.choice.python.version,
        python_path=work.again.asked.choice.python.path,
        modules=list(captured.modules.load) if captured else [],
        told=policy.told(request),
    )
    policy.enter(asked_of_site)
    policy.ask("build", asked_of_site, username())
    templates.require(site, record.location)
    return Ticket(
        id=identifier,
        verb="build",
        target=target_of(record),
        root=str(root),
        request={"target": asked},
        asked=msgspec.to_builtins(asked_of_site),
        config=effective(config, site, manager),
        work=msgspec.to_builtins(work),
        steps=rebuilding.steps_of(request, manager, captured, kept),
        submitted=utc_now(),
        user=username(),
        host=socket.gethostname(),
        idempotency_key=key,
    )


def _written(record: Record, site: Site) -> str:
    """Return what was written down of where it was built, if that is a name of the kind that is in use here."""
    built = record.platform
    by_machine = built.target.startswith(f"{built.os}-")
    return built.target if by_machine != told(site.target_variables) else ""
