"""Ready answers for the kinds of sites there are; what was found on the machine fills in the rest.

A profile says what such sites have in common and nothing of one of them: names of modules are those that EasyBuild
and Cray use everywhere.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import InvalidRequest
from .answers import Answers, Place
from .detected import ROOMS, Detected, eessi_init

#: What a failed build misses, by the names that EasyBuild gives its modules.
_EASYBUILD = {
    "mpi.h": "OpenMPI",
    "hdf5.h": "HDF5",
    "netcdf.h": "netCDF",
    "fftw3.h": "FFTW",
    "gsl/gsl_version.h": "GSL",
    "cblas.h": "OpenBLAS",
    "gfortran": "GCC",
    "cmake": "CMake",
    "rustc": "Rust",
    "numpy": "SciPy-bundle",
}

#: The same by the names of Cray's programming environment.
_CRAY = {
    "mpi.h": "cray-mpich",
    "hdf5.h": "cray-hdf5",
    "netcdf.h": "cray-netcdf",
    "fftw3.h": "cray-fftw",
    "cblas.h": "cray-libsci",
    "gfortran": "PrgEnv-gnu",
    "numpy": "cray-python",
}

#: Packages that talk to the network of the machine, so that a wheel from elsewhere is the wrong one.
_MPI = ["mpi4py", "h5py", "netCDF4"]

#: What each profile says.
PROFILES: dict[str, dict[str, Any]] = {
    "plain-lmod": {"module_system": "lmod", "no_binary": ["mpi4py"]},
    "easybuild": {
        "module_system": "lmod",
        "module_hints": _EASYBUILD,
        "python_module": "Python",
        "no_binary": _MPI,
        "preferred": dict.fromkeys(
            ("numpy", "scipy", "pandas"), "The module SciPy-bundle has it, built for this cluster."
        ),
    },
    "cray": {
        "module_purge": "default",  # the programming environment that a login loads must stay
        "module_hints": _CRAY,
        "python_module": "cray-python",
        "no_binary": _MPI,
    },
    "alliance": {
        "module_system": "lmod",
        "module_hints": {"mpi.h": "openmpi", "hdf5.h": "hdf5", "netcdf.h": "netcdf", "numpy": "scipy-stack"},
        "python_module": "python",
        "hide_system_python": True,
        "installer": "pip",
        "no_index": True,
        "managers": ["venv", "modules"],
    },
    "conda-only": {
        "module_system": "none",
        "managers": ["conda"],
        "channels": ["conda-forge"],
    },
    "laptop": {"module_system": "none", "caches": "", "conda_envs": ""},
}


def propose(found: Detected, profile: str = "") -> Answers:
    """Return the answers that *found* suggests, as *profile* has them; raises `InvalidRequest` for an unknown one."""
    if profile and profile not in PROFILES:
        raise InvalidRequest(f"There is no profile {profile!r}.", hints=[f"These exist: {', '.join(PROFILES)}."])
    said = PROFILES.get(profile, {})
    answers = Answers(
        profile=profile,
        cluster=found.cluster,
        module_system=found.module_system,
        module_init=found.module_init,
        python_module=_common(found.python_modules),
        channels=["conda-forge"],
        locations={"home": Place(root="{data_dir}/environments", description="Your home folder.")},
        find_links=found.find_links if profile == "alliance" else [],
    )
    if profile != "laptop":
        _with_rooms(answers, found)
    answers = msgspec.structs.replace(answers, **said)
    if profile == "easybuild" and (init := eessi_init()):
        answers.module_init = init
    elif answers.module_system != found.module_system:
        answers.module_init = ""  # of another one
    if answers.python_module and not any(_bare(name) == answers.python_module for name in found.python_modules):
        answers.python_module = _common(found.python_modules) or answers.python_module
    return answers


def _with_rooms(answers: Answers, found: Detected) -> None:
    """Add a location for each variable that tells where there is room; the first that is kept is where caches go."""
    for name in found.rooms:
        purged = ROOMS[name]
        text = (
            "Fast, and large; files that are not used go after some time." if purged else "Kept, and larger than home."
        )
        answers.locations[name.lower().replace("_", "-")] = Place(
            root=f"${name}/environments", description=text, backed_up=False if purged else None
        )
    order = sorted(found.rooms, key=lambda name: ROOMS[name])
    if order:
        answers.default_location = order[0].lower().replace("_", "-")
        answers.caches = f"${order[0]}/caches"
        answers.conda_envs = f"${order[0]}/conda/envs"


def _bare(module: str) -> str:
    return module.partition("/")[0]


def _common(names: list[str]) -> str:
    return _bare(names[0]) if names else ""
