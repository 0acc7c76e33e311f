"""The verbs about using environments outside Jupyter: activation; and about the site's templates."""

from __future__ import annotations

import click

from .output import table
from .session import Session, with_session

_DIALECTS = ("lmod", "tcl", "bash", "csh", "fish", "sbatch", "pbs")


@click.command()
@click.argument("reference", required=False, metavar="[ENVIRONMENT]")
@click.option("--dialect", type=click.Choice(_DIALECTS), default=None, help="Default: that of your login shell.")
@click.option("--install", is_flag=True, help="Put the file where the module system or a person looks for it.")
@click.option("--several", is_flag=True, help="For use together with others of the same Python; not for csh and jobs.")
@click.option("--node-local", is_flag=True, help="For sbatch and pbs: make it anew on the disk of the job’s node.")
@click.option("--conda-hook", "hook", is_flag=True, help="For bash, sbatch and pbs: let your own conda activate it.")
@click.option("--prefix", metavar="PATH", default="", help="Any environment of venv or conda, instead of ENVIRONMENT.")
@with_session
def activation(
    session: Session,
    reference: str | None,
    dialect: str | None,
    install: bool,
    several: bool,
    node_local: bool,
    hook: bool,
    prefix: str,
) -> None:
    """Print the file by which a shell, a module system or a batch job uses an environment.

    With --install it is written where it belongs, kept in step with the environment, and what to type is
    printed instead. With --node-local the job installs the very same packages on its node's disk when it starts,
    which spares a slow shared filesystem; they are listed in the file. No file needs conda, unless it is made with
    --conda-hook. ENVIRONMENT is its id, NAME or LOCATION/NAME.
    """
    if (reference is None) is not bool(prefix):
        raise click.UsageError("Give ENVIRONMENT, or --prefix.")
    if install and (prefix or several):
        raise click.UsageError("--install goes with ENVIRONMENT, and not with --several or --prefix: save the text.")
    if node_local and (prefix or several or install):
        raise click.UsageError("--node-local goes with ENVIRONMENT and --dialect alone: save the text.")
    if hook and (several or node_local or install):
        raise click.UsageError("--conda-hook goes with ENVIRONMENT or --prefix, and --dialect: save the text.")
    if reference is None:
        _of_prefix(session, prefix, dialect or "bash", several=several, hook=hook)
        return
    admission = session.admission
    if install:
        if dialect is None:
            raise click.UsageError("--install goes with --dialect.")
        admission.reconcile()
        found = admission.install_activation(reference, dialect)
        lines = [f"Installed {found.path}. Use it with:", *filter(None, [found.use, found.command])]
        if dialect in ("sbatch", "pbs"):
            lines = [f"Wrote {found.path}.", "Copy it, write your own commands at its end, and submit the copy."]
    else:
        if node_local:
            found = admission.node_local(reference, dialect or "")
        else:
            found = admission.activation(reference, dialect or "", several=several, hook=hook)
        lines = found.text.splitlines() or [found.command]
    session.output.result(found, lines)


def _of_prefix(session: Session, prefix: str, dialect: str, *, several: bool, hook: bool) -> None:
    from pathlib import Path

    from ..activation import for_prefix, render_facts

    site = session.admission.site
    facts = for_prefix(Path(prefix), site, several=several, hook=hook)
    text = render_facts(dialect, facts, site.template_dirs)
    session.output.result({"dialect": dialect, "text": text}, text.splitlines())


@click.group()
def templates() -> None:
    """See and check the templates that scripts are made from."""


@templates.command("list")
@with_session
def list_(session: Session) -> None:
    """List the templates, and where each comes from."""
    from ..site.proofreading import list_templates

    found = list_templates(session.admission.site)
    cells = [(each.name, "the site’s" if each.own else "built in", each.path) for each in found]
    session.output.result(found, table(("NAME", "WHOSE", "PATH"), cells))


@templates.command()
@click.argument("name", metavar="NAME")
@click.option("--built-in", is_flag=True, help="The one that comes along, whatever the site has.")
@with_session
def show(session: Session, name: str, built_in: bool) -> None:
    """Print a template as it would be used."""
    from ..site.proofreading import show_template

    text = show_template(name, session.admission.site, built_in=built_in)
    session.output.result({"name": name, "text": text}, text.splitlines())


@templates.command()
@with_session
def check(session: Session) -> int:
    """Render each template for sample environments, and let the real shells read what comes of it."""
    from ..lifecycle.templates import check as check_templates

    findings = check_templates(session.admission.site)
    if not findings:
        session.output.say("All templates can be rendered, and the shells can read what they give.")
    session.output.result(findings, [finding.message for finding in findings])
    return 1 if any(finding.fatal for finding in findings) else 0


COMMANDS = (activation, templates)
