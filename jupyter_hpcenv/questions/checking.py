"""Look through everything that a site has set up, and tell each fault with why it matters and what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import BrokenConfiguration
from ..site import Site
from ..site.configuration import Configuration
from ..site.proofreading import Finding
from . import configured, packages, surroundings
from .fault import Fault


def look(
    file: str = "", definitions: Sequence[str] = (), *, templates: Callable[[Site], list[Finding]]
) -> tuple[list[Fault], list[str]]:
    """Return what is wrong, worst first, and the configuration files that were read; nothing is changed.

    *templates* renders the site's templates for samples. A fault hides no other: what can not be read or used is told
    and left out. Raises `InvalidRequest` for a *file* that is not there.
    """
    from jupyter_core.paths import jupyter_config_path

    broken: list[BrokenConfiguration] = []
    read = Configuration(file, definitions, broken=broken)
    site, good, wrong = configured.values(read)
    faults = [
        *configured.files(read, broken),
        *configured.names(read),
        *wrong,
        *surroundings.policies([Path(folder) for folder in jupyter_config_path()]),
        *configured.locations(site),
        *configured.templates(site, templates),
        *surroundings.module_system(site),
        *surroundings.pythons(site),
        *packages.packages(site, good),
        *packages.conda_command(site, good),
        *packages.pip_files(),
        *packages.conda_files(),
    ]
    return sorted(faults, key=lambda each: each.severity != "broken"), [str(path) for path, _ in read.sources]
