"""Render the activation file of an environment in each dialect; pure, the same facts always give the same text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..errors import InvalidRequest
from ..models import ModuleSet, Platform, Record
from ..site import Site
from ..site.rendering import render
from .facts import Facts, checked, facts_of, values_of

#: The template of each dialect; a site can replace each.
TEMPLATES = {
    "lmod": "activate.lua.j2",
    "tcl": "activate.tcl.j2",
    "bash": "activate.sh.j2",
    "csh": "activate.csh.j2",
    "fish": "activate.fish.j2",
    "sbatch": "sbatch.j2",
    "pbs": "pbs.j2",
}

DIALECTS = tuple(TEMPLATES)

#: Where several environments can be in use at once: csh has no functions to keep track of them.
_SEVERAL = ("lmod", "tcl", "bash", "fish")


def render_activation(dialect: str, record: Record, site: Site, *, several: bool = False) -> str:
    """Return the activation file of an environment of ours.

    Raises `InvalidRequest` for an unknown dialect and for what the dialect can not carry, and what
    `jupyter_hpcenv.site.rendering.render` raises.
    """
    return render_facts(dialect, facts_of(record, site, several=several), site.templates_for(record.location))


def render_facts(dialect: str, facts: Facts, template_dirs: Sequence[str] = ()) -> str:
    """Return the activation file for *facts*; raises like `render_activation`."""
    check_dialect(dialect)
    if facts.several and dialect not in _SEVERAL:
        raise InvalidRequest(
            f"In {dialect}, one environment is used at a time.",
            hints=[f"For several at once, use one of: {', '.join(_SEVERAL)}."],
        )
    if dialect == "tcl":
        check_tcl(facts)
    return render(TEMPLATES[dialect], template_dirs, values_of(checked(facts)))


def check_tcl(facts: Facts) -> None:
    """Raise `InvalidRequest` for a value that Tcl Modules hands on unquoted, so that shells expand it (5.2 does)."""
    for name, value in facts.variables.items():
        if re.search(r"(?:^|:)[~=]", value):
            raise InvalidRequest(
                f"The value of {name} has a tilde or an equals sign at its beginning or after a colon; Tcl Modules "
                "does not quote that, so a shell would put something else in its place.",
                hints=["Write the folder out in full.", "Use another dialect."],
            )


def check_dialect(dialect: str) -> str:
    """Return *dialect* if there is one of that name; raise `InvalidRequest`."""
    if dialect not in TEMPLATES:
        raise InvalidRequest(f"There is no dialect {dialect!r}.", hints=[f"Use one of: {', '.join(DIALECTS)}."])
    return dialect


SAMPLE_MODULES = ModuleSet(
    system="lmod",
    init="/opt/modules/init/bash",
    modulepath=["/opt/modulefiles/it's new"],
    load=["gcc/12.3.0", "openmpi/4.1.5"],
)


def samples() -> dict[str, list[Mapping[str, object]]]:
    """Return sample values for each template of ours, for the check of a site's templates.

    They differ in all that templates ask about: modules or none, variables or none, alone or several.
    """
    modules = SAMPLE_MODULES
    plain = Facts(
        id="0123456789abcdef0123456789abcdef",
        name="sample",
        prefix="/opt/environments/it's a $sample",
        location="home",
        python="3.12.1",
        packages="/opt/environments/it's a $sample/lib/python3.12/site-packages",
        platform=Platform(cluster="cluster", os="debian12", arch="x86_64"),
    )
    variables = {"OMP_NUM_THREADS": "${SLURM_CPUS_PER_TASK:-1}", "TITLE": '100% "it\'s" `$x` [y] {z\\'}
    kinds = [
        plain,
        _but(plain, variables=variables, modules=modules, partition="compute"),
        _but(plain, prefix="", packages="", modules=modules),
        _but(plain, variables=variables, modules=modules, several=True),
    ]
    return {
        template: [values_of(facts) for facts in kinds if dialect in _SEVERAL or not facts.several]
        for dialect, template in TEMPLATES.items()
    }


def _but(facts: Facts, **changes: object) -> Facts:
    return Facts(**{**{name: getattr(facts, name) for name in Facts.__struct_fields__}, **changes})
