"""Render the activation file of an environment in each dialect; pure, the same facts always give the same text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from ..errors import HpcenvError, InvalidRequest
from ..models import ModuleSet, Platform, Rebuild, Record
from ..site import Site, quoting
from ..site.conda_prefix import Activation
from ..site.quoting import HERE_END
from ..site.rendering import render
from .choice import TEMPLATES as CHOICES
from .choice import refuse, render_choice
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

#: Batch jobs, whose nodes have disks of their own.
JOBS = ("sbatch", "pbs")

#: Where conda's own hook for shells can be used.
HOOKS = ("bash", *JOBS)

_QUOTES = {"csh": quoting.csh, "fish": quoting.fish, "lmod": quoting.lua, "tcl": quoting.tcl}
_EXPANDED = re.compile(r"(?:^|:)[~=]")

#: Where several environments can be in use at once: csh has no functions to keep track of them.
_SEVERAL = ("lmod", "tcl", "bash", "fish")


def render_activation(
    dialect: str,
    record: Record,
    site: Site,
    *,
    several: bool = False,
    hook: bool = False,
    rebuild: Rebuild | None = None,
) -> str:
    """Return the activation file of an environment of ours; with *rebuild*, of a copy on the node of a batch job.

    With *hook* the user's own conda activates it.

    Raises `InvalidRequest` for an unknown dialect and for what the dialect can not carry, and what
    `jupyter_hpcenv.site.rendering.render` raises.
    """
    check_dialect(dialect)
    if record.target and rebuild is None:
        if several or hook:
            raise refuse(record)
        if dialect in CHOICES:
            return render_choice(dialect, record, site, lambda alone: render_activation(dialect, alone, site))
    facts = facts_of(record, site, several=several, hook=hook, rebuild=rebuild)
    return render_facts(dialect, facts, site.templates_for(record.location))


def render_facts(dialect: str, facts: Facts, template_dirs: Sequence[str] = ()) -> str:
    """Return the activation file for *facts*; raises like `render_activation`."""
    check_dialect(dialect)
    if facts.several and dialect not in _SEVERAL:
        why = ", because that shell has no functions to keep track of more" if dialect == "csh" else ""
        raise InvalidRequest(
            f"In {dialect}, one environment is used at a time{why}.",
            hints=[f"For several at once, use one of: {', '.join(_SEVERAL)}.", "Or leave --several out."],
        )
    if facts.rebuild and dialect not in JOBS:
        raise InvalidRequest(
            f"In {dialect}, an environment is used where it is: only the node of a batch job has a disk of its own.",
            hints=[f"Use one of: {', '.join(JOBS)}."],
        )
    if facts.hook and dialect not in HOOKS:
        raise InvalidRequest(
            f"In {dialect}, conda's own activation can not be used.", hints=[f"Use one of: {', '.join(HOOKS)}."]
        )
    if dialect == "tcl":
        check_tcl(facts)
    text = render(TEMPLATES[dialect], template_dirs, values_of(checked(facts), _writable(dialect)))
    if facts.rebuild and f"\n{HERE_END}\n" not in text:
        raise HpcenvError(
            f"The site's template {TEMPLATES[dialect]} or batch.sh.j2 makes no copy on the node of a job.",
            hints=['Put {% include "node_local.sh.j2" %} into it, as the built-in batch.sh.j2 has it.'],
        )
    return text


def _writable(dialect: str) -> Callable[[str], bool]:
    """Return what tells whether the dialect can carry a text."""
    quote = _QUOTES.get(dialect, quoting.sh)

    def writable(text: str) -> bool:
        try:
            quote(text)
        except InvalidRequest:
            return False
        return dialect != "tcl" or not _EXPANDED.search(text)

    return writable


def check_tcl(facts: Facts) -> None:
    """Raise `InvalidRequest` for a value that Tcl Modules hands on unquoted, so that shells expand it (5.2 does)."""
    for name, value in facts.variables.items():
        if _EXPANDED.search(value):
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

SAMPLE_REBUILDS = [
    Rebuild(python="/usr/bin/python3", installer="uv", lock=["numpy==2.1.3"]),
    Rebuild(
        python="/opt/it's python/bin/python3",
        system_site_packages=True,
        installer="pip",
        lock=["numpy==2.1.3", "own @ https://example.org/own-1.tar.gz#subdirectory=a"],
        options=["--no-index", "--find-links", "/opt/it's wheels"],
        variables={"MPICC": "mpicc -O2"},
        dropped=["PIP_TARGET"],
    ),
]
SAMPLE_CONDA_REBUILDS = [
    Rebuild(installer="conda", explicit=["@EXPLICIT", "https://example.org/c/noarch/a-1-0.conda"], lock=lock)
    for lock in ([], ["own==1"])
]


def samples() -> dict[str, list[Mapping[str, object]]]:
    """Return sample values for each template of ours, for the check of a site's templates.

    They differ in all that templates ask about: modules or none, variables or none, alone or several, here or copied.
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
    conda = _but(
        plain,
        manager="conda",
        activation=Activation(variables={"A": "it's"}, exports={"B": "$x"}, active=["gdal.sh"], csh_names=["C"]),
    )
    kinds = [
        plain,
        _but(plain, variables=variables, modules=modules, partition="compute"),
        _but(plain, chooser="/opt/environments/it's a $sample/.hpcenv/activate.sh"),
        _but(plain, prefix="", packages="", modules=modules),
        _but(plain, variables=variables, modules=modules, several=True),
        *(_but(plain, rebuild=rebuild) for rebuild in SAMPLE_REBUILDS),
        conda,
        *(_but(conda, rebuild=rebuild) for rebuild in SAMPLE_CONDA_REBUILDS),
        _but(conda, variables=variables, modules=modules),
        _but(conda, modules=modules, hook=True),
        _but(conda, python="", packages="", activation=Activation()),
    ]
    return {
        template: [
            values_of(facts)
            for facts in kinds
            if (dialect in _SEVERAL or not facts.several)
            and (dialect in JOBS or not facts.rebuild)
            and (dialect in HOOKS or not facts.hook)
        ]
        for dialect, template in TEMPLATES.items()
    }


def _but(facts: Facts, **changes: object) -> Facts:
    return Facts(**{**{name: getattr(facts, name) for name in Facts.__struct_fields__}, **changes})
