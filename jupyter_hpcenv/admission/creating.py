"""Decide about a create: check all that can be known now, and write down what the worker is to do."""

from __future__ import annotations

import socket
from typing import Any

import msgspec
from traitlets.config import Config

from .. import claims, policy
from ..lifecycle import create, templates
from ..lifecycle.surroundings import surroundings
from ..managers.contract import Manager
from ..models import CreateRequest, Target, Ticket, utc_now
from ..names import new_environment_id
from ..site import Site
from ..site.config import username
from ..site.locations import place_for
from . import check, places, recreating, targets
from .means import Means as Means


def ticket(verb: str, asked_for: CreateRequest, identifier: str, idempotency_key: str, means: Means) -> Ticket:
    """Check a request and return the operation that carries it out (or plans it), with all that was decided."""
    check.check_words(asked_for)
    wanted, notes = policy.consulted(verb, policy.with_defaults(asked_for), username())
    with policy.with_notes(notes):
        return _decided(verb, asked_for, wanted, notes, identifier, idempotency_key, means)


def _decided(
    verb: str,
    asked_for: CreateRequest,
    wanted: CreateRequest,
    notes: list[str],
    identifier: str,
    idempotency_key: str,
    means: Means,
) -> Ticket:
    """Return the operation for what is *wanted*: what was asked for, with what the site's policy made of it."""
    config, site, catalog, managers, modules = means
    request, contents = recreating.expand(wanted, means)
    if request.profile:
        site.profile(request.profile)
    manager = check.manager_of(request, managers)
    contents = contents or check.contents_of(request, manager, site)
    requirements = check.requirements_of(request, manager, site)
    if contents is not None and manager.language == "pep508":
        requirements = list(dict.fromkeys([*requirements, *contents.pip]))
    location, root, prefix = place_for(site, request.name, request.location, request.prefix)
    claims.look(root, request.name)
    check.check_free(catalog, request, location, prefix)
    places.check_fits(site, location, prefix, places.least(site), "An environment")
    check.kernel_is_free(request, location, site)
    asked = request.modules if request.collection else modules.with_python(request.modules, request.python)
    captured = modules.capture(asked, request.collection)
    around = surroundings(captured, request.build_variables)
    choice = manager.check(request, requirements, around, contents)
    if manager.language == "conda":
        choice.warnings += modules.built_for_this([*requirements, *(contents.specs if contents else [])])
    else:
        choice.warnings += modules.has_them(requirements, around.modules)
    asked_of_site = policy.flat(
        policy.Asked(
            manager=manager.name,
            location=location,
            installer=choice.installer,
            python=choice.python.version,
            python_path=choice.python.path,
            modules=list(captured.modules.load) if captured else [],
            more=verb != "plan",
            told=policy.told(wanted),
        ),
        [] if contents is not None and manager.language == "pep508" else requirements,
        contents,
        specs=manager.language == "conda",
    )
    policy.enter(
        asked_of_site,
        lambda: sum(row.origin == "own" for row in catalog.environments()),
        lambda: places.taken(catalog),
    )
    policy.ask(verb, asked_of_site, username())
    choice.warnings += [*notes, *policy.preferences(asked_of_site)]
    work = create.Work(
        requirements=requirements,
        choice=choice,
        modules=captured.modules if captured else None,
        variables={**(contents.variables if contents else {}), **request.variables},
        source=contents.source if contents else "",
        effective=request if request is not asked_for else None,
        target=targets.first(request, site),
    )
    short = ".".join(work.choice.python.version.split(".")[:2])
    location, root, prefix = place_for(site, request.name, request.location, request.prefix, short)
    target = Target(id=new_environment_id(), name=request.name, location=location, prefix=str(prefix))
    create.rehearse(request, work, target, site)
    templates.require(site, location)
    planning = verb == "plan"
    steps = create.steps(manager, request, modules=captured is not None)
    return Ticket(
        id=identifier,
        verb=verb,
        target=target,
        root=str(root),
        request=msgspec.to_builtins(asked_for),
        config=effective(config, site, manager),
        work=msgspec.to_builtins(work),
        asked=msgspec.to_builtins(asked_of_site),
        steps=manager.plan_steps() if planning else recreating.with_pip(steps, manager, contents),
        submitted=utc_now(),
        user=username(),
        host=socket.gethostname(),
        idempotency_key=idempotency_key,
    )


def effective(config: Config, site: Site, manager: Manager) -> dict[str, Any]:
    """Return the configuration that travels with an operation: the site's, and the manager's section."""
    section = type(manager).__name__
    kept: dict[str, Any] = {"Site": site.effective()}
    if section in config:
        kept[section] = msgspec.to_builtins(dict(config[section]), enc_hook=str)
    return kept
