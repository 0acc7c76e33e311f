"""Check the site's templates against sample environments, before anybody's kernel depends on them."""

from __future__ import annotations

from .. import activation, kernels
from ..activation.text import SAMPLE_MODULES
from ..errors import HpcenvError
from ..models import Platform, Record
from ..site import Site
from ..site.proofreading import Finding, check_templates

_VARIABLES = {"OMP_NUM_THREADS": "${SLURM_CPUS_PER_TASK:-1}", "TITLE": '100% "it\'s" `$x` [y] {z\\'}


def require(site: Site, location: str) -> None:
    """Raise `HpcenvError` if a template that the site wrote for a location gives what its shell can not read.

    Called before an environment is made or changed. Without templates of the site nothing is looked at.
    """
    folders = site.templates_for(location)
    if not folders:
        return
    own = Site(**{**site.trait_values(template_dirs=True, locations=True), "template_dirs": folders})
    for finding in check(own):
        if finding.fatal:
            raise HpcenvError(
                finding.message,
                hints=["Correct the template, then see with “jupyter hpcenv templates check”."],
            )


def check(site: Site) -> list[Finding]:
    """Return what is wrong with the site's templates; empty: all can be rendered, and the real shells can read them."""
    record = Record(
        id="0123456789abcdef0123456789abcdef",
        name="sample",
        location="home",
        prefix="/opt/environments/it's a $sample",
        manager="venv",
        creator="uv",
        installer="uv",
        python="3.12.1",
        python_path="/usr/bin/python3",
        variables=_VARIABLES,
        display_name="Sample",
        kernelspec={"argv": []},
        platform=Platform(cluster="cluster", os="debian12", arch="x86_64"),
        owner="",
        created="",
        changed="",
        operation="",
    )
    return check_templates(site, {**activation.samples(), **kernels.samples(record, SAMPLE_MODULES)})
