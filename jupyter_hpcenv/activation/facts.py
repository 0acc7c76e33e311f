"""Gather what activation files say of an environment: from its record, or from a bare prefix."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..errors import BrokenRecord, InvalidRequest, NotFound
from ..files import read_regular
from ..models import ModuleSet, Platform, Rebuild, Record
from ..names import check_variables
from ..site import Site
from ..site.conda_prefix import Activation, is_conda, python_version, read_activation
from . import conda

_MODULE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+/@=,~-]*")
_VERSION = re.compile(r"^version(?:_info)?\s*=\s*(\d+\.\d+(?:\.\d+)?\S*)", re.MULTILINE)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a template may say of an environment; plain data."""

    id: str
    name: str
    prefix: str
    """Empty for an environment that is nothing but modules."""
    location: str = ""
    manager: str = "venv"
    python: str
    """Version."""
    packages: str = ""
    """The folder of the environment's own packages."""
    modules: ModuleSet | None = None
    variables: dict[str, str] = {}
    """The site's and the record's own; values may refer to a scheduler's variables."""
    platform: Platform
    partition: str = ""
    """Where it was built, if that is known."""
    several: bool = False
    """To be used together with other environments, rather than one at a time."""
    activation: Activation | None = None
    """What a conda environment does when it is activated; None for others."""
    hook: bool = False
    """To be activated by the user's own conda instead."""
    chooser: str = ""
    """The script that jobs source, where there are several builds to choose from."""
    rebuild: Rebuild | None = None
    """How a batch job makes it anew on the disk of its node; None: it uses the prefix where it is."""

    @property
    def label(self) -> str:
        """The name as a prompt may show it: shells expand ``$``, ``%``, ``!``, backticks and backslashes in there."""
        return re.sub(r"[^A-Za-z0-9._@+-]|^-", "_", self.name) or "environment"

    @property
    def minor(self) -> str:
        """Python's version without the patch level: packages of environments that agree in it fit together."""
        return ".".join(self.python.split(".")[:2])


def facts_of(
    record: Record, site: Site, *, several: bool = False, hook: bool = False, rebuild: Rebuild | None = None
) -> Facts:
    """Return the facts of an environment of ours; raises `InvalidRequest` for what no script could carry.

    What conda's activation does is read from the prefix: it changes with the packages.
    """
    variables = {**site.variables, **record.variables}
    check_variables(variables)
    prefix = "" if record.manager == "modules" else record.prefix  # its folder holds nothing to put on PATH
    return checked(
        Facts(
            id=record.id,
            name=record.name,
            prefix=prefix,
            location=record.location,
            manager=record.manager,
            python=record.python,
            packages=packages_of(Path(prefix), record.python) if prefix else "",
            modules=record.modules,
            variables=variables,
            platform=record.platform,
            partition="" if record.target else record.platform.partition,
            several=several,
            activation=read_activation(Path(prefix)) if record.manager == "conda" else None,
            hook=hook,
            chooser=f"{record.prefix}/.hpcenv/activate.sh" if record.target else "",
            rebuild=rebuild,
        )
    )


def for_prefix(prefix: Path, site: Site, *, name: str = "", several: bool = False, hook: bool = False) -> Facts:
    """Return the facts of any environment of venv or conda, known to us or not; raises `NotFound` if *prefix* is none.

    Nothing is started: ``pyvenv.cfg`` tells the version of Python (PEP 405), or the name of its record in
    ``conda-meta``. A conda environment need not have one.
    """
    path = Path(prefix).absolute()
    of_conda = is_conda(path)
    python = python_version(path) if of_conda else _venv_python(path)
    if not python and not of_conda:
        raise NotFound(
            f"{path} is no virtual environment: there is no pyvenv.cfg in it that tells the version of its Python; "
            "and as it has no conda-meta, it is none of conda.",
            hints=["Give the folder that holds bin/python and pyvenv.cfg, or conda-meta."],
        )
    variables = dict(site.variables)
    check_variables(variables)
    return checked(
        Facts(
            id=hashlib.sha256(str(path.resolve()).encode(errors="surrogateescape")).hexdigest()[:32],
            name=name or path.name,
            prefix=str(path),
            manager="conda" if of_conda else "venv",
            python=python,
            packages=packages_of(path, python) if python else "",
            variables=variables,
            platform=site.platform(),
            several=several,
            activation=read_activation(path) if of_conda else None,
            hook=hook,
        )
    )


def _venv_python(prefix: Path) -> str:
    text = ""
    with contextlib.suppress(OSError, BrokenRecord):
        text = read_regular(prefix / "pyvenv.cfg", 100_000).decode(errors="replace")
    version = _VERSION.search(text)
    return version[1] if version else ""


def packages_of(prefix: Path, python: str) -> str:
    """Return the folder of a prefix's own packages."""
    return str(prefix / "lib" / f"python{'.'.join(python.split('.')[:2])}" / "site-packages")


def checked(facts: Facts) -> Facts:
    """Return *facts* if each shell and module system can carry them; raise `InvalidRequest` with what can not be."""
    if facts.prefix and not facts.prefix.startswith("/"):
        raise InvalidRequest(
            f"{facts.prefix!r} is no absolute path.", hints=["Give the whole path of the environment."]
        )
    modules = facts.modules
    folders = modules.modulepath if modules else []
    _check_paths([*([facts.prefix] if facts.prefix else []), *folders])
    for module in modules.load if modules else []:
        if not _MODULE.fullmatch(module):
            raise InvalidRequest(
                f"{module[:80]!r} can not be written as the name of a module into a script.",
                hints=["Use the full name of a module, such as gcc/12.3.0."],
            )
    if facts.several and not facts.packages:
        raise InvalidRequest(
            f"{facts.name!r} has no packages of a Python of its own, so it can not be used together with other "
            "environments.",
            hints=["Use it alone.", "Load its modules, if it has some."],
        )
    if facts.hook and (facts.manager != "conda" or facts.several):
        raise InvalidRequest(
            f"conda can not activate {facts.name!r} so: it activates one conda environment at a time.",
            hints=["Leave the option out: the file works without conda, too."],
        )
    return facts


def _check_paths(paths: list[str]) -> None:
    for path in paths:
        if ":" in path:
            raise InvalidRequest(
                f"{path[:200]!r} has a colon in it, and colons separate the folders of PATH.",
                hints=["Move it to a folder without a colon."],
            )


def values_of(facts: Facts, writable: Callable[[str], bool] = lambda _: True) -> Mapping[str, object]:
    """Return *facts* as the plain values that templates get.

    *writable* tells whether a text of a conda environment can be written in the dialect; what can not is left out,
    because it is not from a request that could be refused.
    """
    modules = facts.modules or ModuleSet(system="")
    home = "CONDA_PREFIX" if facts.manager == "conda" else "VIRTUAL_ENV"
    of_conda = _conda(facts, writable)
    variables = [[name, value] for name, value in facts.variables.items()]
    own = ["PYTHONHOME", "PYTHONNOUSERSITE", home, "VIRTUAL_ENV_PROMPT"] if facts.prefix else []
    if of_conda["conda"]:
        own = ["PYTHONHOME", "PYTHONNOUSERSITE", "VIRTUAL_ENV", *of_conda["touched"]]
    touched = [*own, *(name for name in facts.variables if name not in own)]
    platform = facts.platform
    with_python = f" with Python {facts.python}" if facts.python else ""
    return {
        "id": facts.id,
        "short": facts.id[:12],
        "name": facts.name,
        "label": facts.label,
        "about": f"The environment {facts.name}{with_python}, made by jupyter_hpcenv.",
        "location": facts.location,
        "manager": facts.manager,
        "python": facts.python,
        "minor": facts.minor,
        "prefix": facts.prefix,
        "bin": f"{facts.prefix}/bin" if facts.prefix else "",
        "interpreter": f"{facts.prefix}/bin/python" if facts.prefix and facts.python else "",
        "packages": facts.packages,
        "home_variable": home,
        "module_system": modules.system,
        "load": list(modules.load),
        "modulepath": list(modules.modulepath),
        "purge": modules.purge,
        "init": modules.init,
        "init_csh": _init_for(modules.init, "csh"),
        "init_fish": _init_for(modules.init, "fish"),
        "variables": variables,
        "touched": ["PATH", *touched] if facts.prefix else touched,
        "undo_csh": undo_csh(touched, bool(facts.prefix), bool(modules.load), scripts=of_conda["conda"]),
        **{name: value for name, value in of_conda.items() if name != "touched"},
        "cluster": platform.cluster,
        "os": platform.os,
        "arch": platform.arch,
        "built": " ".join(filter(None, [platform.cluster, f"({platform.os}, {platform.arch})"])),
        "partition": facts.partition,
        "several": facts.several,
        "chooser": facts.chooser,
        "rebuild": _rebuild_values(facts.rebuild) if facts.rebuild else None,
    }


def _conda(facts: Facts, writable: Callable[[str], bool]) -> dict[str, Any]:
    if facts.activation is None or not facts.prefix or facts.several:
        return conda.NONE
    return conda.values_of(facts.prefix, facts.activation, writable, hook=facts.hook, won=facts.variables)


def _rebuild_values(rebuild: Rebuild) -> dict[str, object]:
    values: dict[str, object] = msgspec.to_builtins(rebuild)
    return {**values, "variables": [[name, value] for name, value in rebuild.variables.items()]}


def _init_for(init: str, shell: str) -> str:
    """Return the module system's start file for another shell; both systems keep them in one folder."""
    return f"{init.removesuffix('/bash')}/{shell}" if init.endswith("/init/bash") else ""


def undo_csh(touched: list[str], prefix: bool, modules: bool, *, scripts: bool = False) -> str:
    """Return the body of csh's alias ``deactivate``; with *scripts* those of a conda environment's packages run first.

    An alias is one line without ``if``; ``test`` with ``&&`` and ``||`` does the same. A shell expands the
    variables of a command only when it comes to it, so that one which is not set does no harm behind a ``test``.
    """
    lines = []
    if scripts:
        lines += [
            "set _hpcenv_ours = `test x$PATH:q = x$_hpcenv_set_path:q && echo 1`",
            'eval "`printenv _HPCENV_SCRIPTS | env LC_ALL=C /bin/sh -s deactivate.d down`"',
            "test x$_hpcenv_ours = x1 && set _hpcenv_set_path = $PATH:q",
            "unset _hpcenv_ours",
            "unsetenv _HPCENV_SCRIPTS",
        ]
    if prefix:
        lines += [
            "test x$PATH:q = x$_hpcenv_set_path:q && setenv PATH $_hpcenv_old_PATH:q"
            ' || setenv PATH "`printenv _HPCENV_CUT | /bin/sh`"',
            "unset _hpcenv_old_PATH _hpcenv_set_path",
            "unsetenv _HPCENV_ENTRY",
            "unsetenv _HPCENV_CUT",
        ]
    for name in touched:
        lines += [
            f"test $?_hpcenv_old_{name} = 1 && setenv {name} $_hpcenv_old_{name}:q || unsetenv {name}",
            f"unset _hpcenv_old_{name}",
        ]
    lines += ["test $?_hpcenv_old_prompt = 1 && set prompt = $_hpcenv_old_prompt:q", "unset _hpcenv_old_prompt"]
    if modules:
        lines += [
            "test $#_hpcenv_loaded -gt 0 && module unload $_hpcenv_loaded:q",
            "test $#_hpcenv_used -gt 0 && module unuse $_hpcenv_used:q",
            'test x"`printenv LOADEDMODULES`" = x && eval $_hpcenv_started:q',
        ]
    lines += ["unset _hpcenv_loaded _hpcenv_used _hpcenv_started _hpcenv_active", "unalias deactivate", "rehash"]
    return "; ".join(lines)
