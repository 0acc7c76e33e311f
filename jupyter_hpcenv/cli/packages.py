"""The verbs for what is installed in an environment: packages, install, update, remove, repair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .output import table
from .session import Session, with_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..managers.contract import Package
    from ..models import Changes, Operation

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
_REFERENCE = click.argument("reference", metavar="ENVIRONMENT")


@click.command()
@_REFERENCE
@click.option("--own", is_flag=True, help="Only what is installed in it.")
@click.option("--inherited", is_flag=True, help="Only what it sees of its modules, or of the Python below.")
@with_session
def packages(session: Session, reference: str, own: bool, inherited: bool) -> None:
    """List the packages of an environment: its own, and those that it inherits.

    Files are read, nothing is started. ENVIRONMENT is its id, NAME or LOCATION/NAME.
    """
    if own and inherited:
        raise click.UsageError("--own and --inherited exclude each other.")
    found = [
        each
        for each in session.admission.packages(reference, inherited=not own)
        if each.inherited is inherited or not (own or inherited)
    ]
    if not found:
        session.output.say("It inherits no packages." if inherited else "No packages are installed in it.")
    session.output.result(found, _listed(found) if found else [])


def _listed(found: list[Package]) -> list[str]:
    """Return a table; a column for what is inherited and for notes only where there are such."""
    several = any(each.inherited or each.note for each in found)
    head = ("PACKAGE", "VERSION", "", "FROM", "")
    cells = [
        (each.name, each.version, "inherited" if each.inherited else "own", each.source, each.note) for each in found
    ]
    if several:
        return table(head, cells)
    return table((*head[:2], head[3]), [(*cell[:2], cell[3]) for cell in cells])


@click.command()
@_REFERENCE
@click.argument("wanted", nargs=-1, required=True, metavar="PACKAGE...")
@_DRY_RUN
@with_session
def install(session: Session, reference: str, wanted: tuple[str, ...], dry_run: bool) -> int:
    """Install packages into an environment.

    Each PACKAGE is a requirement such as “pandas>=2”, or in a conda environment a match spec. What was asked for
    earlier holds on. The kernel is proven afterwards; if it does not start, everything is put back.
    """
    from ..models import Changes

    return _change(session, reference, Changes(install=list(wanted), dry_run=dry_run))


@click.command()
@_REFERENCE
@click.argument("wanted", nargs=-1, metavar="[PACKAGE]...")
@click.option("--all", "everything", is_flag=True, help="All packages.")
@click.option(
    "--all-environments", "everywhere", is_flag=True, help="One PACKAGE, wherever it is; no ENVIRONMENT then."
)
@_DRY_RUN
@with_session
def update(
    session: Session, reference: str, wanted: tuple[str, ...], everything: bool, everywhere: bool, dry_run: bool
) -> int:
    """Update packages of an environment to the newest versions that fit.

    A version that was asked for earlier stays: install the package anew to lift that. The kernel is proven
    afterwards; if it does not start, everything is put back. With --all-environments (“update PACKAGE
    --all-environments”) each environment of yours is a change of its own: one that fails hinders no other.
    """
    from ..models import Changes

    if everywhere:
        if wanted or everything:
            raise click.UsageError("With --all-environments name one PACKAGE, and no ENVIRONMENT.")
        return _everywhere(session, reference, dry_run)
    if bool(wanted) is everything:
        raise click.UsageError("Give PACKAGEs, or --all.")
    return _change(session, reference, Changes(update=list(wanted), update_all=everything, dry_run=dry_run))


@click.command()
@_REFERENCE
@click.argument("unwanted", nargs=-1, required=True, metavar="PACKAGE...")
@_DRY_RUN
@with_session
def remove(session: Session, reference: str, unwanted: tuple[str, ...], dry_run: bool) -> int:
    """Remove packages from an environment.

    From a conda environment goes also what only they needed. The kernel is proven afterwards; if it does not start,
    everything is put back. To remove the environment itself, see “delete”.
    """
    from ..models import Changes

    return _change(session, reference, Changes(remove=list(unwanted), dry_run=dry_run))


@click.command()
@_REFERENCE
@click.option(
    "--format",
    "form",
    metavar="FORMAT",
    default="",
    help="environment.yml, environment-full.yml, explicit.txt or pixi.lock of a conda environment; requirements.txt, "
    "requirements-full.txt, requirements-hashed.txt or pylock.toml of others; modules.txt; capsule.json. Default: what "
    "was asked for.",
)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    default="",
    help="Write it there, in the format that FILE is called; default: print it.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@with_session
def export(session: Session, reference: str, form: str, output: str, force: bool) -> None:
    """Write down what an environment holds, so that others can make it again.

    “create --file” reads these files. The full ones have exact versions, the others what was asked for.
    """
    from pathlib import Path

    from ..admission.exporting import FORMATS
    from ..errors import NameTaken
    from ..files import explain

    name = Path(output).name if output not in ("", "-") else ""
    if name and not form and name in FORMATS:
        form = name  # who writes a file of that name wants that format
    if name and not force and Path(output).is_file():
        raise NameTaken(f"{output} is there already.", hints=["Name another file, or say --force to replace it."])
    found = session.admission.export(reference, form)
    for note in found.notes:
        session.output.warn(note)
    if output in ("", "-"):
        session.output.result(found, found.text.splitlines())
        return
    try:
        Path(output).write_text(found.text)  # through a link, or to a device, as one expects of an output
    except OSError as error:
        raise explain(error, Path(output).absolute()) from error
    session.output.result(found, [f"Wrote {output}."])


@click.command()
@_REFERENCE
@with_session
def repair(session: Session, reference: str) -> int:
    """Put right what a killed change of packages left.

    Servers and commands that change something do this unasked; this is for when that did not succeed.
    """
    admission = session.admission
    operation = followed(session, lambda: admission.repair(reference))
    session.output.result(operation.result, [f"{operation.environment.name} is as it should be."])
    return 0


def _change(session: Session, reference: str, changes: Changes) -> int:
    from .planned import lines

    admission = session.admission
    operation = followed(session, lambda: admission.change_packages(reference, changes))
    result = operation.result or {}
    plan = result if changes.dry_run else result.get("plan")
    if plan is None:  # its worker died after all was done, and what it did was not noted
        session.output.result(result, [f"Changed {operation.environment.name}."])
        return 0
    end = "Nothing was changed." if changes.dry_run else f"Changed {operation.environment.name}."
    session.output.result(result, lines(plan, end))
    return 0


def _everywhere(session: Session, package: str, dry_run: bool) -> int:
    from ..errors import HpcenvError

    found, told, status = session.admission.holders(package), list[dict[str, object]](), 0
    shown: list[str] = [] if found else [f"No environment of yours has {package}."]
    for each in found:
        facts: dict[str, object] = {"environment": each.environment, "name": each.name, "version": each.version}
        told.append(facts)
        shown.append(f"{each.location}/{each.name}: {package} {each.version}")
        if each.pinned:
            facts["pinned"] = each.pinned
            shown.append(f"  Skipped: it was asked for as “{each.pinned}”.")
            continue
        try:
            facts["plan"], said = _updated(session, each.environment, package, dry_run)
            shown += [f"  {line}" for line in said]
        except HpcenvError as error:
            facts["error"], status = error.body(), error.exit_code
            shown.append(f"  Not changed: {error.message}")
    session.output.result(told, shown)
    return status


def _updated(session: Session, identifier: str, package: str, dry_run: bool) -> tuple[object, list[str]]:
    from ..models import Changes
    from .planned import lines

    changes = Changes(update=[package], dry_run=dry_run)
    done = followed(session, lambda: session.admission.change_packages(identifier, changes))
    result = done.result or {}
    plan = result if dry_run else result.get("plan")
    end = "Nothing was changed." if dry_run else "Changed."
    return plan, lines(plan, end) if plan else [end]


def followed(session: Session, begin: Callable[[], Operation]) -> Operation:
    """Begin an operation and follow it to its end; raises its error where it did not succeed."""
    from . import failure
    from .follow import Stop, follow
    from .progress import view_for

    admission = session.admission
    with Stop() as stop, view_for(session.output) as view:
        operation = follow(admission.operations, begin(), view, stop)
    if operation.state == "interrupted":
        admission.reconcile()
        operation = admission.operations.get(operation.id)
    if operation.state != "succeeded":
        raise failure.of(operation)
    return operation


COMMANDS = (packages, install, update, remove, export, repair)
