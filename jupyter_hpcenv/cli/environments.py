"""The verbs about environments that exist, or did: list, show, delete, restore, trash, kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .output import moment, pairs, table
from .session import Session, with_session

if TYPE_CHECKING:
    from ..models import Environment, EnvironmentDetail, TrashItem


def described(environment: EnvironmentDetail, activation: str = "") -> list[str]:
    """Return what a person wants to know of one environment; what is empty is left out."""
    status = "is ready." if environment.state == "ready" else f"can not be used. {environment.message}"
    made_by = " ".join(dict.fromkeys(word for word in (environment.manager, environment.creator) if word))
    tools = ", ".join(f"{tool} {version}" for tool, version in environment.tools.items())
    return [
        f"{environment.name} {status}",
        *pairs(
            [
                ("Location", environment.location),
                ("Prefix", environment.prefix),
                ("Python", environment.python),
                ("Made by", made_by),
                ("Filled by", environment.installer),
                ("Tools", tools),
                ("Packages", ", ".join(environment.packages)),
                ("Channels", ", ".join(environment.channels)),
                ("Modules", ", ".join(environment.modules.load if environment.modules else [])),
                *(("Module", drift.message) for drift in environment.drift),
                *(("Build", line) for line in _builds(environment)),
                *((f"For {f.dialect}", " ".join(filter(None, [f.name, f.path]))) for f in environment.activation),
                *(("Variable", f"{name}={_shown(name, value)}") for name, value in environment.variables.items()),
                *(
                    ("Kernel", f"{kernel.name} “{kernel.display_name}”" + ("" if kernel.path else ", not published"))
                    for kernel in environment.kernels
                ),
                ("Runs in", f"a job with the profile {environment.profile}" if environment.profile else ""),
                ("Owner", environment.owner if environment.origin != "own" else ""),
                ("Shared with", environment.shared.whom if environment.shared else ""),
                ("Created", moment(environment.created)),
                ("Activate", activation),
                ("Id", environment.id),
            ]
        ),
    ]


def _builds(environment: EnvironmentDetail) -> list[str]:
    """Return a line for each kind of computer that it is built for; none for an environment with one build."""
    if not environment.target:
        return []
    old = "older than its packages: build it anew"
    return [
        f"{environment.target}, in its own prefix",
        *(
            ", ".join([name, moment(each.created), *([old] if each.edition != environment.edition else [])])
            for name, each in environment.builds.items()
        ),
    ]


def _shown(name: str, value: str) -> str:
    """Return a variable's value as a screen may show it: not that of a secret, which ``--json`` tells."""
    from ..names import looks_secret

    return "(hidden)" if looks_secret(name) else value


@click.command("list")
@click.argument("query", nargs=-1, metavar="[WORD]...")
@click.option("--location", default="", metavar="LOCATION", help="Only those in LOCATION.")
@with_session
def list_(session: Session, query: tuple[str, ...], location: str) -> None:
    """List environments.

    With WORDs, only those that have all of them in their name, state, Python, location or kernel. Below an
    environment stand the modulefiles and scripts that were installed for it, if there are any.
    """
    admission = session.admission
    if location:
        from ..site.locations import root_of

        root_of(admission.site, location)  # a misspelt one is an error, not an empty list
    rows = admission.catalog.environments(location=location, query=" ".join(query))
    if admission.catch_up():
        rows = admission.catalog.environments(location=location, query=" ".join(query))
    head = ("NAME", "STATE", "PYTHON", "LOCATION", "KERNEL", "PREFIX")
    cells = [
        (
            row.name,
            row.state.replace("_", " "),
            row.python,
            row.location or f"({row.manager or 'other tool'})",
            ", ".join(kernel.name for kernel in row.kernels if kernel.path),
            row.prefix,
        )
        for row in rows
    ]
    if not rows:
        session.output.say(
            "No environment matches."
            if query or location
            else "No environments yet. Create one with “jupyter hpcenv create NAME”."
        )
    session.output.result(rows, _with_files(rows, table(head, cells)) if rows else [])


def _with_files(rows: list[Environment], lines: list[str]) -> list[str]:
    """Return the *lines* of a table of *rows*, below each what is installed for it: dialect, name to load, path."""
    found = lines[:1]
    for row, line in zip(rows, lines[1:], strict=True):
        found += [line, *(f"  {' '.join(filter(None, [f.dialect, f.name, f.path]))}" for f in row.activation)]
    return found


@click.command()
@click.argument("reference", metavar="ENVIRONMENT")
@with_session
def show(session: Session, reference: str) -> None:
    """Show one environment.

    ENVIRONMENT is its id, NAME or LOCATION/NAME.
    """
    environment = session.admission.catalog.find(reference)
    if session.admission.catch_up():
        environment = session.admission.catalog.find(environment.id)
    activation = ""
    if environment.state == "ready" and environment.manager in ("venv", "conda") and not session.output.as_json:
        activation = session.admission.activation(environment.id).command
    session.output.result(environment, described(environment, activation))


@click.command()
@click.argument("reference", metavar="ENVIRONMENT")
@click.option("--now", is_flag=True, help="Remove it at once; it can not be restored.")
@click.option("--force", is_flag=True, help="Delete it even while a kernel of it is running.")
@with_session
def delete(session: Session, reference: str, now: bool, force: bool) -> None:
    """Move an environment to the trash.

    Its kernel leaves the launcher at once. One that was adopted is forgotten, and nothing is done to its prefix.
    ENVIRONMENT is its id, NAME or LOCATION/NAME.
    """
    admission = session.admission
    admission.reconcile()
    adopted = admission.catalog.find(reference).origin == "adopted"
    item = admission.delete(reference, now=now, force=force)
    if now:
        admission.sweep()
    session.output.result(item, _deleted(item, adopted=adopted))


def _deleted(item: TrashItem, *, adopted: bool = False) -> list[str]:
    if not item.path and adopted:
        return [f"Forgot {item.name}. Nothing was done to {item.prefix}."]
    if not item.path:
        return [f"Deleted {item.name} for good."]
    return [
        f"Deleted {item.name}. It stays in the trash until {moment(item.expires)}.",
        f"Restore it with: jupyter hpcenv restore {item.id}",
    ]


@click.command()
@click.argument("reference", metavar="ENVIRONMENT")
@with_session
def restore(session: Session, reference: str) -> None:
    """Bring a deleted environment back.

    ENVIRONMENT is its id, NAME or LOCATION/NAME; of several of one name, the one deleted last is meant.
    """
    admission = session.admission
    admission.reconcile()
    environment = admission.restore(reference)
    session.output.result(environment, [f"{environment.name} is back.", *described(environment)[1:]])


@click.command()
@click.argument("reference", required=False, metavar="[ENVIRONMENT]")
@click.option("--empty", is_flag=True, help="Remove ENVIRONMENT, or all that is in the trash, for good.")
@with_session
def trash(session: Session, reference: str | None, empty: bool) -> None:
    """List what can be restored, or empty the trash."""
    admission = session.admission
    if reference is not None and not empty:
        raise click.UsageError("ENVIRONMENT goes with --empty.")
    if empty:
        items = admission.empty(reference)
        admission.sweep()
        gone = [f"Removed {item.name} for good." for item in items]
        session.output.result(items, gone or ["The trash was empty."])
        return
    items = admission.catalog.trash()
    if not items:
        session.output.say("The trash is empty.")
    head = ("NAME", "LOCATION", "PYTHON", "DELETED", "KEPT UNTIL", "ID")
    cells = [
        (item.name, item.location, item.python, moment(item.deleted), moment(item.expires), item.id) for item in items
    ]
    session.output.result(items, table(head, cells) if items else [])


@click.command()
@with_session
def kernels(session: Session) -> None:
    """List the kernels of environments."""
    found = session.admission.kernels()
    if not found:
        session.output.say("No kernels are published.")
    head = ("NAME", "DISPLAY NAME", "LOCATION", "STATE", "PATH")
    cells = [tuple(each[key] for key in ("name", "display_name", "location", "state", "path")) for each in found]
    session.output.result(found, table(head, cells) if found else [])


COMMANDS = (list_, show, delete, restore, trash, kernels)
