"""The verbs that change an environment that is there: edit, refresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .session import Session, with_session

if TYPE_CHECKING:
    from ..models import EnvironmentPatch


@click.command()
@click.argument("reference", metavar="ENVIRONMENT")
@click.option("--module", "modules", metavar="MODULE", multiple=True, help="Its modules from now on; repeatable.")
@click.option("--modules-file", metavar="FILE", default="", help="The same from a file, one module a line.")
@click.option("--no-modules", is_flag=True, help="From now on it has none.")
@click.option("--var", "variables", metavar="NAME=VALUE", multiple=True, help="Set a variable; repeatable.")
@click.option("--unset", metavar="NAME", multiple=True, help="Take a variable away; repeatable.")
@click.option("--display-name", metavar="TEXT", default="", help="What Jupyter shows.")
@click.option("--profile", metavar="PROFILE", default="", help="Let its kernel run in a job; see “profiles”.")
@click.option("--no-profile", is_flag=True, help="From now on its kernel runs beside the server.")
@with_session
def edit(
    session: Session,
    reference: str,
    modules: tuple[str, ...],
    modules_file: str,
    no_modules: bool,
    variables: tuple[str, ...],
    unset: tuple[str, ...],
    display_name: str,
    profile: str,
    no_profile: bool,
) -> None:
    """Change modules, variables, the display name or the profile of its kernel.

    The kernel is proven first; if it does not start, all stays as it is.
    ENVIRONMENT is its id, NAME or LOCATION/NAME.
    """
    from ..models import EnvironmentPatch
    from ..names import secret_warnings
    from .environments import described
    from .inputs import modules_of, variable

    if sum(map(bool, (modules, modules_file, no_modules))) > 1:
        raise click.UsageError("--module, --modules-file and --no-modules exclude each other.")
    if profile and no_profile:
        raise click.UsageError("--profile and --no-profile exclude each other.")
    patch = EnvironmentPatch()
    if modules or modules_file or no_modules:
        patch.modules = modules_of(modules, modules_file)
    if variables or unset:
        patch.variables = {**dict(variable(text) for text in variables), **dict.fromkeys(unset)}
    if display_name:
        patch.display_name = display_name
    if profile or no_profile:
        patch.profile = profile
    _check_changes(patch)
    admission = session.admission
    admission.reconcile()
    environment = admission.patch(reference, patch)
    for warning in (*environment.warnings, *secret_warnings(text.partition("=")[0] for text in variables)):
        session.output.warn(warning)
    session.output.result(environment, [f"Changed {environment.name}.", *described(environment)[1:]])


def _check_changes(patch: EnvironmentPatch) -> None:
    from ..models import EnvironmentPatch

    if patch == EnvironmentPatch():
        raise click.UsageError("Nothing to change: give --module, --var, --unset, --display-name or --profile.")


@click.command()
@click.argument("reference", required=False, metavar="[ENVIRONMENT]")
@click.option("--all", "everything", is_flag=True, help="All environments of yours.")
@with_session
def refresh(session: Session, reference: str | None, everything: bool) -> int:
    """Write launch scripts, kernels and activation files anew.

    For after the site has changed its templates or modules: modules are captured again, and the kernel is
    proven before anything is replaced. ENVIRONMENT is its id, NAME or LOCATION/NAME.
    """
    from ..errors import HpcenvError

    if (reference is None) is not everything:
        raise click.UsageError("Give ENVIRONMENT, or --all.")
    admission = session.admission
    admission.reconcile()
    if reference is not None:
        detail = admission.refresh(reference)
        session.output.result(detail, [f"Refreshed {detail.name}."])
        return 0
    done, failed = [], 0
    for row in admission.catalog.environments():
        if row.origin != "own" or row.state == "missing":
            continue
        outcome = {"id": row.id, "name": row.name, "ok": True, "message": "Refreshed."}
        try:
            admission.refresh(row.id)
        except HpcenvError as error:
            outcome.update(ok=False, message=error.message)
            failed = failed or error.exit_code
        done.append(outcome)
    if not done:
        session.output.say("There are no environments of yours.")
    session.output.result(done, [f"{each['name']}: {each['message']}" for each in done])
    return failed


COMMANDS = (edit, refresh)
