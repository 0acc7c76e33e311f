"""Four kinds of centres as small trees: what their modules set, and in which order Python then looks for packages.

Each function writes a tree below *root* for the interpreter *python*, whose file is named as python3.12 is, and
returns what a user there types and sees.
"""

from __future__ import annotations

import textwrap
import zipfile
from pathlib import Path
from typing import NamedTuple

#: What EasyBuild's Python does at its start, in short: the prefixes of modules come behind a virtual environment, and
#: before what Python itself has.
_SITECUSTOMIZE = """
import os, site, sys
lib = "lib/python%d.%d/site-packages" % sys.version_info[:2]
for prefix in os.environ.get("EBPYTHONPREFIXES", "").split(os.pathsep):
    folder = os.path.join(prefix, lib)
    if prefix and os.path.isdir(folder):
        site.addsitedir(folder)
sys.path.sort(key=os.path.join(sys.base_prefix, lib).__eq__)
"""


class Profile(NamedTuple):
    """A centre."""

    system: str
    modulepath: str
    load: list[str]
    """What a user names for an environment."""
    login: tuple[str, ...] = ()
    """What a login shell there has loaded already."""
    variables: tuple[tuple[str, str], ...] = ()
    """What it has set besides."""


def plain(root: Path, python: str) -> Profile:
    """Lmod with a compiler and a Python, and no word about packages."""
    core = root / "Core"
    _lua(core / "gcc/12.2", f'family("compiler")\nsetenv("CC", "gcc")\nprepend_path("MODULEPATH", "{root}/gcc-12.2")')
    _lua(core / "python/3.11", _python_lua(python))
    _lua(root / "gcc-12.2/fftw/3.3", 'setenv("FFTW_DIR", "/opt/fftw")')
    return Profile("lmod", str(core), ["gcc/12.2", "fftw/3.3", "python/3.11"])


def easybuild(root: Path, python: str, kernel: Path) -> Profile:
    """A hierarchy as EasyBuild and EESSI make it: packages of modules by EBPYTHONPREFIXES and a sitecustomize.

    *kernel* is a prefix with ipykernel: the module JupyterLab of such a centre.
    """
    core, compiler, sw = root / "Core", root / "Compiler/GCC/12.3.0", root / "software"
    _text(sw / "python/sitecustomize.py", _SITECUSTOMIZE)
    bundle = sw / "bundle/lib" / Path(python).name / "site-packages"
    for name, version in (("numpy", "1.25.1"), ("layer_low", "1.0"), ("layer_mid", "1.0")):
        installed(bundle, name, version)
    _text(sw / "tools/layer_mid.py", '__version__ = "tools"\n')
    _text(sw / "tools/layer_top.py", '__version__ = "tools"\n')
    _lua(core / "GCCcore/12.3.0", f'setenv("EBROOTGCCCORE", "{sw}/GCCcore")')
    _lua(
        core / "GCC/12.3.0",
        f'depends_on("GCCcore/12.3.0")\nfamily("compiler")\nprepend_path("MODULEPATH", "{compiler}")',
    )
    _lua(
        core / "Python/3.11.3-GCCcore-12.3.0",
        f'depends_on("GCCcore/12.3.0")\nprepend_path("PYTHONPATH", "{sw}/python")\n' + _python_lua(python),
    )
    for name, more in (
        (
            "SciPy-bundle/2023.07-gfbf-2023a",
            f'extensions("numpy/1.25.1")\nprepend_path("EBPYTHONPREFIXES", "{sw}/bundle")',
        ),
        ("JupyterLab/4.0.5-GCCcore-12.3.0", f'prepend_path("EBPYTHONPREFIXES", "{kernel}")'),
        ("tools/1.0-GCC-12.3.0", f'prepend_path("PYTHONPATH", "{sw}/tools")'),
    ):
        _lua(compiler / name, f'depends_on("Python/3.11.3-GCCcore-12.3.0")\n{more}')
    load = [
        *("GCC/12.3.0", "SciPy-bundle/2023.07-gfbf-2023a", "JupyterLab/4.0.5-GCCcore-12.3.0"),
        "tools/1.0-GCC-12.3.0",
    ]
    return Profile("lmod", str(core), load)


def cray(root: Path, python: str, system: str) -> Profile:
    """A machine whose defaults are there at login and are to stay: sticky in Tcl, Lmod's own list in Lmod."""
    top = root / system
    if system == "tcl":
        _tcl(top / "craype-x86-rome/1", "setenv CRAY_CPU_TARGET x86-rome")
        _tcl(top / "PrgEnv-gnu/8.4", "setenv PE_ENV GNU")
        for name in ("craype-x86-rome/1", "PrgEnv-gnu/8.4"):
            _text(top / name.split("/")[0] / ".modulerc", f"#%Module1.0\nmodule-tag sticky {name}\n")
        _tcl(top / "cray-python/3.11.7", f"prepend-path PATH {Path(python).parent}\nsetenv CRAY_PYTHON_LEVEL 3.11.7")
        _tcl(top / "perftools/23", "setenv PERFTOOLS 1")
        variables: tuple[tuple[str, str], ...] = ()
    else:
        _lua(top / "craype-x86-rome/1", 'setenv("CRAY_CPU_TARGET", "x86-rome")')
        _lua(top / "PrgEnv-gnu/8.4", 'family("PrgEnv")\nsetenv("PE_ENV", "GNU")')
        _lua(top / "cray-python/3.11.7", _python_lua(python) + '\nsetenv("CRAY_PYTHON_LEVEL", "3.11.7")')
        _lua(top / "perftools/23", 'setenv("PERFTOOLS", "1")')
        variables = (("LMOD_SYSTEM_DEFAULT_MODULES", "craype-x86-rome/1:PrgEnv-gnu/8.4"),)
    login = ("craype-x86-rome/1", "PrgEnv-gnu/8.4", "perftools/23")
    return Profile(system, str(top), ["cray-python/3.11.7"], login, variables)


def alliance(root: Path, python: str, wheelhouse: Path) -> Profile:
    """A standard environment that points pip to a wheelhouse, and to nothing else."""
    core = root / "Core"
    _text(root / "pip.conf", f"[global]\nno-index = true\n[install]\nfind-links = {wheelhouse}\nprefer-binary = true\n")
    _lua(
        core / "StdEnv/2023",
        f'add_property("lmod", "sticky")\nsetenv("PIP_CONFIG_FILE", "{root}/pip.conf")\n'
        f'prepend_path("MODULEPATH", "{root}/gentoo")',
    )
    _lua(root / "gentoo/python/3.11.5", _python_lua(python))
    return Profile("lmod", str(core), ["StdEnv/2023", "python/3.11.5"])


def mpi(root: Path, python: str, hdf5: Path) -> Profile:
    """Lmod with an MPI in a folder of its own, the HDF5 that was built with it at *hdf5*, and a stack of packages.

    The stack lies in ``stack`` below *root*, for whoever fills it. Besides the compiler on PATH there is one in
    ``mpi/libexec`` that leaves ``mpicc.used`` behind.
    """
    core, programs = root / "Core", root / "mpi/bin"
    programs.mkdir(parents=True)
    for name in ("mpicc", "mpirun"):
        (programs / name).symlink_to(f"/usr/bin/{name}.openmpi")
    compiler = root / "mpi/libexec/mpicc"
    _text(compiler, '#!/bin/sh\n: >"$0.used"\nexec /usr/bin/mpicc.openmpi "$@"')
    compiler.chmod(0o755)
    _lua(core / "OpenMPI/4.1", f'family("mpi")\nprepend_path("PATH", "{programs}")')
    _lua(core / "HDF5/1.10", f'depends_on("OpenMPI/4.1")\nsetenv("HDF5_DIR", "{hdf5}")\nsetenv("HDF5_MPI", "ON")')
    _lua(core / "Python/3.11", _python_lua(python))
    _lua(core / "stack/1.0", f'depends_on("Python/3.11")\nprepend_path("PYTHONPATH", "{root}/stack")')
    return Profile("lmod", str(core), ["OpenMPI/4.1", "Python/3.11"])


# -- pieces -----------------------------------------------------------------


def wheel(folder: Path, name: str, version: str, *requires: str) -> Path:
    """Write a wheel of one module that knows its version, and return its path."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    files = {f"{name}.py": f'__version__ = "{version}"\n', **_metadata(name, version, requires)}
    record = f"{name}-{version}.dist-info/RECORD"
    files[record] = "".join(f"{each},,\n" for each in (*files, record))
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for each, text in files.items():
            archive.writestr(each, text)
    return path


def installed(folder: Path, name: str, version: str) -> None:
    """Write a package of one module into a folder of packages."""
    files = {f"{name}.py": f'__version__ = "{version}"\n', **_metadata(name, version, ())}
    files[f"{name}-{version}.dist-info/INSTALLER"] = "EasyBuild\n"
    files[f"{name}-{version}.dist-info/RECORD"] = "".join(f"{each},,\n" for each in files)
    for each, text in files.items():
        _text(folder / each, text)


def _metadata(name: str, version: str, requires: tuple[str, ...]) -> dict[str, str]:
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    return {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }


def _python_lua(python: str) -> str:
    return f'family("python")\nprepend_path("PATH", "{Path(python).parent}")'


def _lua(path: Path, text: str) -> None:
    _text(path.with_name(f"{path.name}.lua"), text)


def _tcl(path: Path, text: str) -> None:
    _text(path, "#%Module1.0\n" + text)


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).strip("\n") + "\n")
