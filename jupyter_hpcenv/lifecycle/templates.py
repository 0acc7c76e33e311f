"""Check the site's templates against sample environments, before anybody's kernel depends on them."""

from __future__ import annotations

from pathlib import Path

from .. import activation, kernels
from ..activation.text import SAMPLE_MODULES
from ..errors import HpcenvError
from ..models import Platform, Record
from ..site import Site
from ..site.proofreading import Finding, check_templates, folders_of, unused

_VARIABLES = {"OMP_NUM_THREADS": "${SLURM_CPUS_PER_TASK:-1}", "TITLE": '100% "it\'s" `$x` [y] {z\\'}


def require(site: Site, location: str) -> None:
    """Raise `HpcenvError` if a template that the site wrote for a location gives what its shell can not read.

    Called before an environment is made or changed. Without templates of the site nothing is looked at.
    """
    if not site.templates_for(location):
        return
    for finding in _check(_at(site, location)):
        if finding.fatal:
            raise HpcenvError(
                finding.message,
                hints=["Correct the template, then see with “jupyter hpcenv templates check”."],
            )


def check(site: Site) -> list[Finding]:
    """Return what is wrong with the site's templates; empty: all can be rendered, and the real shells can read them.

    Those that a location has for itself are looked at too, and files that nothing uses are named.
    """
    places = [site]
    for location, value in site.locations.items():
        if isinstance(value, dict) and value.get("templates"):
            places.append(_at(site, location))
    strays = [unused(place) for place in places]
    findings = [finding for place in places for finding in _check(place)]
    for stray in (each for found in strays for each in found):
        folder = str(Path(stray.path).parent)
        looked = [found for place, found in zip(places, strays, strict=True) if folder in folders_of(place)]
        if all(stray in found for found in looked):  # else the templates of some location include it
            findings.append(stray)
    return list(dict.fromkeys(findings))


def _at(site: Site, location: str) -> Site:
    """Return *site* with the templates that count in a location."""
    folders = site.templates_for(location)
    return Site(**{**site.trait_values(template_dirs=True, locations=True), "template_dirs": folders})


def _check(site: Site) -> list[Finding]:
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
