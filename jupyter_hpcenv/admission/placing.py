"""Decide whether an operation's worker is a job of the batch system, and what that job asks for."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import msgspec

from .. import typed
from ..batch import load_batch_system
from ..catalog import Catalog
from ..errors import HpcenvError, InvalidRequest, WrongState
from ..managers.contract import Manager
from ..models import BatchFacts, BatchRequest, Step, Ticket
from ..names import check_batch_words
from ..site import Site
from ..site.batch import asked_for, merged
from ..site.target import current

#: Verbs that build or change a prefix, and so belong on the machines that it is for.
BUILDS = frozenset({"create", "change", "undo", "rebuild", "move", "repair", "build"})


def check(asked: BatchRequest | None) -> None:
    """Raise `InvalidRequest` where a user's words for the batch system can be none."""
    if asked is None:
        return
    check_batch_words(msgspec.structs.asdict(asked))
    if asked.options:
        raise InvalidRequest(
            "Further options of the batch system are the site's to set, not a request's.",
            hints=["Leave “options” out; partition, constraint, account, qos, time, cpus, memory and gpus are there."],
        )


def facts(site: Site) -> BatchFacts:
    """Return what the batch system offers; that there is none, or that it is silent, is said and not raised."""
    said = {name: str(facts.get("description", "")) for name, facts in site.targets.items()}
    found = BatchFacts(where=site.build_where, target=current(site.target_variables), targets=said)
    try:
        system = load_batch_system(site.batch_system)
        found.system = system.name
        found.partitions = system.partitions()
    except HpcenvError as error:
        found.message = error.message
    return found


def place(ticket: Ticket, site: Site, catalog: Catalog, managers: Mapping[str, Manager]) -> None:
    """Write into *ticket* what its worker asks of the batch system, if it is to be a job."""
    if ticket.batch is None:
        if ticket.verb not in BUILDS:
            return
        ticket.batch = _wanted(ticket, site, catalog)
    if ticket.batch is not None and site.batch_offline:
        if ticket.verb != "create":
            ticket.batch = None  # what it needs could not be fetched apart, and a job would not reach it
            return
        wanted = (ticket.work.get("effective") or ticket.request)["manager"]
        if not managers[wanted].fetches:
            raise WrongState(
                f"The nodes of jobs have no network, and the manager {wanted} can not fetch packages beforehand.",
                hints=["Build it here, without a partition; or let the manager venv make it."],
            )
        ticket.fetch = True
        ticket.steps = [Step(name="fetch", title="Fetch packages, for a node without network"), *ticket.steps]
    if ticket.batch is not None:
        ticket.batch_system = load_batch_system(site.batch_system).name


def _wanted(ticket: Ticket, site: Site, catalog: Catalog) -> BatchRequest | None:
    asked, target = _asked(ticket, catalog), _target(ticket, catalog)
    for_target = site.target_request(target) if target else None
    if asked is None and target not in ("", current(site.target_variables)):
        asked = for_target
        if asked is None and ticket.verb != "repair":  # which brings back what was there, and builds nothing
            raise WrongState(
                f"{ticket.target.name} is for computers that are {target}, and this one is "
                f"{current(site.target_variables)}.",
                hints=["Do so on a computer of that kind.", "“jupyter hpcenv targets” lists what the site has."],
            )
    here: dict[str, Any] = dict(site.batch_locations.get(ticket.target.location, {}))
    always = here.pop("always", False)
    if asked is None and site.build_where != "sbatch" and not always:
        return None
    usual = asked_for(site.batch, "c.Site.batch")
    return merged(
        usual, asked_for(here, "c.Site.batch_locations"), for_target or BatchRequest(), asked or BatchRequest()
    )


def _asked(ticket: Ticket, catalog: Catalog) -> BatchRequest | None:
    """Return what the request asks for; a change asks for what the environment was built with."""
    if ticket.verb == "create":
        on = (ticket.work.get("effective") or ticket.request).get("on")
        return typed.of_value(on, BatchRequest) if on is not None else None
    if ticket.verb == "build":  # for another kind of computer than the rest of it
        return None
    with contextlib.suppress(HpcenvError):
        return catalog.record(ticket.target.id).on
    return None


def _target(ticket: Ticket, catalog: Catalog) -> str:
    """Return for which kind of computer the work is; empty for an environment that has one build."""
    if ticket.verb in ("create", "build"):
        return str(ticket.work.get("target", ""))
    with contextlib.suppress(HpcenvError):
        return catalog.record(ticket.target.id).target
    return ""
