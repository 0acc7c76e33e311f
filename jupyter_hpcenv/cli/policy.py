"""The verb about what the site allows: policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import table
from .session import Session, with_session

if TYPE_CHECKING:
    from ..policy import Policy
    from ..questions import Fault


@click.command()
@click.option(
    "--check",
    "file",
    metavar="FILE",
    help="Say whether a file would be understood, and whom it would lock out, before it is put in place.",
)
@with_session
def policy(session: Session, file: str | None) -> None:
    """Show what the site's policy says.

    Policy is read from etc/jupyter/hpcenv_policy.toml below / and below the Python that runs this, and from the files
    that HPCENV_POLICY names. All of them hold.
    """
    from ..policy import check, policies, rules_of

    found = [check(Path(file))] if file else policies()
    if not found:
        session.output.say("The site has no policy.")
    for fault in _lockouts(session, found) if file else ():
        session.output.warn(f"{fault.message} {fault.breaks} {fault.advice}")
    lines: list[str] = []
    for each in found:
        lines += [each.path + (f"  ({each.contact})" if each.contact else ""), *_table(each)]
    data = [
        {
            "path": each.path,
            "contact": each.contact,
            "enforced": rules_of(each),
            "reasons": each.reasons,
            "preferred": each.preferred,
            "hook": (each.hook.call or each.hook.run[0]) if each.hook else "",
        }
        for each in found
    ]
    session.output.result(data, lines)


def _lockouts(session: Session, found: list[Policy]) -> list[Fault]:
    """Return how a policy would lock people out here."""
    from ..questions import beside

    return beside(found, session.config_file, session.definitions)


def _table(each: Policy) -> list[str]:
    from ..policy import rules_of

    defaults = {name: getattr(each.default, name) for name in each.default.__struct_fields__}
    cells = [(f"  {name}", value, "default", "") for name, value in defaults.items() if value]
    cells += [
        (f"  {name}", json.dumps(value, ensure_ascii=False), "enforced", each.reasons.get(name, ""))
        for name, value in rules_of(each).items()
    ]
    if each.preferred:
        cells.append(("  preferred", json.dumps(each.preferred, ensure_ascii=False), "advice", ""))
    if each.hook:
        cells.append(("  hook", each.hook.call or each.hook.run[0], "enforced", "may refuse or change a request"))
    return table(("  RULE", "VALUE", "KIND", "WHY"), cells) if cells else ["  It has no rules."]


COMMANDS = (policy,)
