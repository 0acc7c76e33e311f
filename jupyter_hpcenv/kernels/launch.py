"""Render and write the launch script, through which everything of an environment's Python is started.

It is POSIX sh, because a shell starts in 1.5 ms and Python in 15; with modules it is bash, which they need
anyway. A site can replace its template, or add lines of its own at the beginning and the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..errors import HpcenvError
from ..files import explain, write_atomic
from ..models import Build, ModuleSet, Record
from ..names import check_variable
from ..site import Site
from ..site.conda_prefix import RUNNER, Activation, default_name, read_activation
from ..site.loader import LOADER
from ..site.rendering import render
from ..site.target import SCRIPT, VARIABLES

TEMPLATE = "launch.sh.j2"

#: Variables that differ from start to start; a cached load does not depend on them.
FICKLE = frozenset({"JPY_PARENT_PID", "JPY_SESSION_NAME", "PWD", "OLDPWD", "SHLVL", "_"})

_TIMEOUT = 60  # as Site.module_timeout


def render_launch(
    record: Record,
    variables: Mapping[str, str],
    template_dirs: Sequence[str] = (),
    *,
    timeout: int = _TIMEOUT,
    cache: bool = True,
    activation: Activation | None = None,
    beside: Path | None = None,
    target_variables: Sequence[str] = VARIABLES,
    build_missing: bool = False,
) -> str:
    """Return the text of the launch script; pure.

    *variables* are the site's; the record's own win. *timeout* is for loading modules and for the scripts of a conda
    environment, *cache* for modules; *activation* is what a conda environment does when it is activated, as far as
    it is known; *beside* is the folder for what the script needs, if that is not the prefix's own; *target_variables*
    tell which of several builds is for a computer, and with *build_missing* one that is not there is begun. Raises
    `InvalidVariable` for a variable that may not be set, `HpcenvError` for a site's template that would leave modules,
    activation or the choice of a build out, and what `jupyter_hpcenv.site.rendering.render` raises.
    """
    values = _values(record, variables, timeout, cache, activation, beside, target_variables, build_missing)
    text = render(TEMPLATE, template_dirs, values)
    if record.target and SCRIPT.name not in text:
        raise HpcenvError(
            f"The site's template {TEMPLATE} does not choose among builds, and “{record.name}” has several.",
            hints=['Put {% if targets %}{% include "launch_targets.sh.j2" %}{% endif %} at its beginning.'],
        )
    if record.modules and "load.bash" not in text:
        raise HpcenvError(
            f"The site's template {TEMPLATE} does not load modules, and “{record.name}” needs some.",
            hints=['Put {% include "launch_modules.sh.j2" %} into it, as the built-in template has it.'],
        )
    if record.manager == "conda" and not (f"/{RUNNER.name}" in text and '"${hpcenv_program:-' in text):
        raise HpcenvError(
            f"The site's template {TEMPLATE} does not activate conda environments, and “{record.name}” is one.",
            hints=[
                'Put {% include "launch_conda.sh.j2" %} into it, and let it end in '
                'exec "${hpcenv_program:-$CONDA_PREFIX/bin/python}" "$@", as the built-in template does.'
            ],
        )
    return text


def samples(record: Record, modules: ModuleSet) -> dict[str, list[Mapping[str, object]]]:
    """Return values for the check of a site's template: those of a *record*, without modules and with them."""
    conda = msgspec.structs.replace(record, manager="conda", creator="rattler", installer="rattler")
    known = Activation(variables={"A": "b 'c'"}, digests=["0" * 64 + "  conda-meta/state"])
    kinds = [msgspec.structs.replace(each, modules=loaded) for each in (record, conda) for loaded in (None, modules)]
    kinds.append(msgspec.structs.replace(record, target="sample", builds={"other": _build_like(record)}))
    return {TEMPLATE: [_values(each, {}, _TIMEOUT, cache, known) for each in kinds for cache in (False, True)]}


def _build_like(record: Record) -> Build:
    return Build(
        target="other",
        prefix=f"{record.prefix}/.hpcenv/builds/other",
        python=record.python,
        python_path=record.python_path,
        platform=record.platform,
        created="",
        operation="",
    )


def _values(
    record: Record,
    variables: Mapping[str, str],
    timeout: int,
    cache: bool,
    activation: Activation | None,
    beside: Path | None = None,
    target_variables: Sequence[str] = VARIABLES,
    build_missing: bool = False,
) -> dict[str, Any]:
    """Return what the template may say of an environment; raises `InvalidVariable`."""
    merged = {**variables, **record.variables}
    for name, value in merged.items():
        check_variable(name, value)
    folder = beside or launch_path(Path(record.prefix)).parent
    loader = str(folder / LOADER.name)
    return {
        "id": record.id,
        "name": record.name,
        "location": record.location,
        "prefix": record.prefix,
        "manager": record.manager,
        "python": record.python,
        "cluster": record.platform.cluster,
        "kernel": bool(record.kernelspec),
        "only_modules": record.manager == "modules",
        "variables": [[name, value] for name, value in merged.items()],
        **_targets(record, folder, target_variables, build_missing),
        **_modules(record.modules, loader, timeout, cache),
        **_conda(record, activation or Activation(), timeout, str(folder / RUNNER.name)),
    }


def _targets(record: Record, folder: Path, variables: Sequence[str], build_missing: bool) -> dict[str, Any]:
    """Return what the templates need to know of further builds."""
    if not record.target:
        return {"targets": False}
    return {
        "targets": True,
        "target": record.target,
        "target_script": str(folder / SCRIPT.name),
        "target_variables": list(variables),
        "builds": [
            {"target": name, "prefix": build.prefix, "stale": build.edition != record.edition}
            for name, build in record.builds.items()
        ],
        "build_missing": build_missing,
        "built_for": ", ".join([record.target, *record.builds]),
    }


def _conda(record: Record, activation: Activation, timeout: int, runner: str) -> dict[str, Any]:
    """Return what the templates need to know of a conda environment."""
    if record.manager != "conda":
        return {"conda": False}
    return {
        "conda": True,
        "conda_name": default_name(record.prefix),
        "runner": runner,
        "timeout": str(timeout),
        "settled": bool(activation.settled and activation.digests),
        "digests": activation.digests or [],
        "exports": [[name, value] for name, value in {**activation.variables, **activation.exports}.items()],
    }


def _what_counts(modules: ModuleSet) -> bytes:
    """Return what decides how modules are loaded; what they bring follows from that."""
    facts = msgspec.to_builtins(modules)
    del facts["brings"]
    return msgspec.json.encode(facts)


def _modules(modules: ModuleSet | None, loader: str, timeout: int, cache: bool) -> dict[str, Any]:
    """Return what the templates need to know of the modules."""
    if modules is None:
        return {"modules": False}
    return {
        "modules": True,
        "loader": loader,
        "timeout": str(timeout),
        "init": modules.init,
        "purge": modules.purge,
        "modulepath": ":".join(modules.modulepath),
        "load": modules.load,
        "cache": cache and _may_be_cached(modules),
        # The loader too: what an older one made of the same modules may differ.
        "digest": hashlib.sha256(_what_counts(modules) + LOADER.read_bytes()).hexdigest()[:32],
        "home": modules.home,
        "watch": modules.watch,
        "state": hashlib.sha256(modules.state.rstrip("\n").encode(errors="surrogateescape") + b"\n").hexdigest(),
    }


def _may_be_cached(modules: ModuleSet) -> bool:
    """Tell whether the outcome of loading depends on nothing but what the launch script compares."""
    texts = [*modules.watch, *modules.state.split("\n")]
    return (
        not modules.live
        and bool(modules.watch)
        and bool(modules.state.strip())
        and not FICKLE & set(modules.reads)
        and all(character.isprintable() for text in texts for character in text)
    )


def rehearse_launch(record: Record, site: Site) -> None:
    """Render the launch script of *record* and write nothing: what `render_launch` raises is known before a change."""
    _rendered(record, site)


def render_for(record: Record, site: Site, folder: Path) -> str:
    """Return the launch script of an environment that is somebody else's; what it needs lies beside it in *folder*."""
    return _rendered(record, site, folder)


def _rendered(record: Record, site: Site, beside: Path | None = None) -> str:
    return render_launch(
        record,
        site.variables,
        site.templates_for(record.location),
        timeout=site.module_timeout,
        cache=site.module_cache,
        activation=read_activation(Path(record.prefix)) if record.manager == "conda" else None,
        beside=beside,
        target_variables=site.target_variables,
        build_missing=site.build_missing,
    )


def launch_path(prefix: Path) -> Path:
    """Return where the launch script of an environment lies."""
    return prefix / ".hpcenv" / "launch"


def loader_path(prefix: Path) -> Path:
    """Return where the script lies that loads an environment's modules."""
    return prefix / ".hpcenv" / "load.bash"


def runner_path(prefix: Path) -> Path:
    """Return where the script lies that runs what conda's activation runs."""
    return prefix / ".hpcenv" / RUNNER.name


def write_launch(record: Record, site: Site, guard: Callable[[], None] | None = None, *, name: str = "launch") -> Path:
    """Write the launch script of an environment and return its path; called on creation and on every change.

    The script that loads modules, and the one that runs those of a conda environment, are put beside it first, so
    that nothing of jupyter_hpcenv is needed at a start. *guard* raises when somebody else builds there by now. With
    another *name* it lies beside the one in use, to be proven first.
    """
    path, loader = launch_path(Path(record.prefix)).with_name(name), loader_path(Path(record.prefix))
    text = _rendered(record, site)
    try:
        path.parent.mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        raise explain(error, path) from error
    if record.modules:
        write_atomic(loader, LOADER.read_bytes(), 0o644, guard)
    if record.manager == "conda":
        write_atomic(runner_path(Path(record.prefix)), RUNNER.read_bytes(), 0o644, guard)
    write_atomic(path, text.encode(), 0o755, guard)
    return path
