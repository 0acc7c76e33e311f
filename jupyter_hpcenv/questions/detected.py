"""Look what a machine has that a site's configuration could name; the module system alone is started."""

from __future__ import annotations

import contextlib
import grp
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from .. import modules
from ..errors import BrokenRecord, HpcenvError
from ..files import read_regular
from ..managers import pipconf
from ..managers.conda.find_command import find_command
from ..managers.pythons import find_pythons
from ..models import PythonFact
from ..site import Site
from ..site.config import groupname

#: Variables by which centres tell people where there is room, with whether files there usually go after some time.
ROOMS = {
    **dict.fromkeys(("SCRATCH", "PSCRATCH", "WORK", "WORKSPACE"), True),
    **dict.fromkeys(("PROJECT", "PROJECT_HOME", "DATA"), False),
}

_PYTHON = re.compile(r"(?:cray-)?python3?", re.IGNORECASE)
_CONDA = re.compile(r"(?:anaconda|miniconda|miniforge|mambaforge|micromamba|mamba|conda)\d?", re.IGNORECASE)
_CLUSTER = re.compile(r"^\s*ClusterName\s*=\s*([\w.-]+)", re.IGNORECASE | re.MULTILINE)

#: The start file of EESSI's Lmod, as its documentation names it.
_EESSI = "/cvmfs/software.eessi.io/versions/*/init/lmod/bash"


class Detected(msgspec.Struct, kw_only=True):
    """What was found."""

    module_system: str = "none"
    module_init: str = ""
    module_version: str = ""
    python_modules: list[str] = []
    conda_modules: list[str] = []
    pythons: list[PythonFact] = []
    rooms: dict[str, str] = {}
    """Variables that name a folder here, and the folder."""
    groups: list[str] = []
    """The other groups of whoever asks."""
    scheduler: str = ""
    cluster: str = ""
    find_links: list[str] = []
    """Wheelhouses that pip is configured with."""
    conda_command: str = ""
    notes: list[str] = []
    """What could not be found out, and why."""


def detect(site: Site | None = None, environ: Mapping[str, str] | None = None) -> Detected:
    """Return what this machine has; *site* is what is configured by now."""
    env = os.environ if environ is None else environ
    site = site or Site()
    found = Detected(
        pythons=find_pythons(site),
        rooms={name: folder for name in ROOMS if Path(folder := env.get(name, "")).is_absolute()},
        groups=_groups(),
        scheduler="slurm" if shutil.which("sbatch") else "pbs" if shutil.which("qsub") else "",
        cluster=_cluster(env),
        find_links=pipconf.setting("find-links", env).split(),
    )
    with contextlib.suppress(HpcenvError):
        found.conda_command = find_command("", env)
    _modules(found, site, env)
    return found


def _modules(found: Detected, site: Site, env: Mapping[str, str]) -> None:
    try:
        system = modules.system(site, env)
    except HpcenvError as error:
        found.notes.append(error.message)
        return
    found.module_system, found.module_init, found.module_version = system.name, system.init, system.version
    try:
        names = [each.name for each in system.available()]
    except HpcenvError as error:
        found.notes.append(f"Which modules there are could not be asked: {error.message}")
        return
    found.python_modules = [name for name in names if _PYTHON.fullmatch(_bare(name))]
    found.conda_modules = [name for name in names if _CONDA.fullmatch(_bare(name))]


def _bare(module: str) -> str:
    """Return the name of a module without its version and the folders before it."""
    parts = module.split("/")
    return parts[-2] if len(parts) > 1 else parts[0]


def _groups() -> list[str]:
    names = []
    for number in os.getgroups():
        with contextlib.suppress(KeyError):
            names.append(grp.getgrgid(number).gr_name)
    return [name for name in dict.fromkeys(names) if name != groupname()]


def _cluster(env: Mapping[str, str]) -> str:
    if env.get("SLURM_CLUSTER_NAME"):
        return env["SLURM_CLUSTER_NAME"]
    with contextlib.suppress(OSError, BrokenRecord):
        text = read_regular(Path(env.get("SLURM_CONF") or "/etc/slurm/slurm.conf").resolve()).decode(errors="replace")
        if match := _CLUSTER.search(text):
            return match[1]
    return ""


def eessi_init() -> str:
    """Return the start file of EESSI's newest modules, or an empty text where EESSI is not mounted."""
    return max(map(str, Path("/").glob(_EESSI[1:])), default="")
