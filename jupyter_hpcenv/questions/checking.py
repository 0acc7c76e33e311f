"""Look through everything that a site has set up, and tell each fault with why it matters and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from traitlets.config import Config, Configurable

from .. import policy
from ..errors import BrokenConfiguration, BrokenPolicy
from ..site import Site
from ..site.configuration import Configuration
from ..site.proofreading import Finding
from . import configured, lockouts, packages, queues, surroundings
from .fault import Fault


def look(
    file: str = "",
    definitions: Sequence[str] = (),
    *,
    templates: Callable[[Site], list[Finding]],
    kinds: Mapping[str, type[Configurable]],
    further: Callable[[Site, Config], Iterable[Fault]],
) -> tuple[list[Fault], list[str]]:
    """Return what is wrong, worst first, and the configuration files that were read; nothing is changed.

    *templates* renders the site's templates for samples; *kinds* are further sections of a configuration, and *further*
    looks at what they are about. A fault hides no other: what can not be read or used is told
    and left out. Raises `InvalidRequest` for a *file* that is not there.
    """
    from jupyter_core.paths import jupyter_config_path

    broken: list[BrokenConfiguration] = []
    read = Configuration(file, definitions, broken=broken)
    every = {**configured.KINDS, **kinds}
    site, good, wrong = configured.values(read, every)
    faults = [
        *configured.files(read, broken),
        *configured.names(read, every),
        *wrong,
        *surroundings.policies([Path(folder) for folder in jupyter_config_path()]),
        *lockouts.lockouts(site, _obeyed()),
        *configured.locations(site),
        *configured.templates(site, templates),
        *surroundings.module_system(site),
        *surroundings.pythons(site),
        *queues.queues(site),
        *packages.packages(site, good),
        *packages.conda_command(site, good),
        *packages.pip_files(),
        *packages.conda_files(),
        *further(site, good),
    ]
    return sorted(faults, key=lambda each: each.severity != "broken"), [str(path) for path, _ in read.sources]


def _obeyed() -> list[policy.Policy]:
    """Return the policies that are obeyed; none where one is broken, which is told by itself."""
    try:
        return policy.policies()
    except BrokenPolicy:
        return []
