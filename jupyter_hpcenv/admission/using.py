"""Say how an environment is used outside Jupyter: the lines to type, and the file behind them."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from .. import activation as files
from ..errors import InvalidRequest
from ..lifecycle.faces import needs_scripts, script_of
from ..models import Environment, Rebuild, Record
from ..site import Site
from ..site.quoting import csh, fish, sh

#: By the names of shells; the Bourne family has one script.
_SHELLS = {"sh": "bash", "bash": "bash", "csh": "csh", "fish": "fish"}
_JOBS = {"sbatch": "sbatch", "pbs": "qsub"}


class Activation(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How something outside Jupyter uses an environment."""

    dialect: str
    command: str
    """What to type."""
    text: str = ""
    """The whole file; empty where the environment's own ``bin/activate`` is all there is to it."""
    path: str = ""
    """Where the file lies; empty while it is not installed."""
    use: str = ""
    """What to type before, so that the module system finds the file; empty for scripts."""


def installable(dialect: str) -> str:
    """Return the dialect of a file that can be installed; raises `InvalidRequest`."""
    chosen = _SHELLS.get(dialect, dialect)
    if chosen not in files.DIALECTS:
        raise InvalidRequest(f"There is no dialect {dialect!r}.", hints=[f"Use one of: {', '.join(files.DIALECTS)}."])
    return chosen


def activation(
    row: Environment, record: Record | None, site: Site, dialect: str, *, several: bool, hook: bool = False
) -> Activation:
    """Return how *row* is used in *dialect*; empty: that of the user's login shell. Raises `InvalidRequest`.

    What is activated by the user's own conda, with *hook*, is never installed: the text is all there is.
    """
    wanted = dialect or _dialect_of(os.environ.get("SHELL", "sh"))
    chosen = installable(wanted)
    if hook and record is not None:
        text = files.render_activation(chosen, record, site, several=several, hook=True)
        name = f"{record.name}.{'sh' if chosen == 'bash' else chosen}"
        command = f"{_JOBS[chosen]} {sh(name)}" if chosen in _JOBS else _source(wanted, Path(name))
        return Activation(dialect=wanted, command=command, text=text)
    if record is None or (chosen in _SHELLS.values() and not several):
        return _sourced(row, record, site, wanted, chosen)
    text = files.render_activation(chosen, record, site, several=several)
    path = files.install_path(chosen, record, site, several=several)
    found = path in files.installed(record, site).get(chosen, [])
    if chosen in ("lmod", "tcl"):
        command = f"module load {sh(files.module_name(record, several=several))}"
    elif chosen in _JOBS:
        command = f"{_JOBS[chosen]} {sh(str(path) if found else f'{record.name}.{chosen}')}"
    else:
        command = _source(wanted, path)
    return Activation(
        dialect=wanted,
        command=command,
        text=text,
        path=str(path) if found else "",
        use=files.use_line(chosen, site),
    )


def node_local(record: Record, rebuild: Rebuild, site: Site, dialect: str) -> Activation:
    """Return the frame of a batch job that makes a copy of an environment on its node; never installed."""
    text = files.render_activation(dialect, record, site, rebuild=rebuild)
    return Activation(dialect=dialect, command=f"{_JOBS[dialect]} {sh(f'{record.name}.{dialect}')}", text=text)


def _sourced(row: Environment, record: Record | None, site: Site, wanted: str, chosen: str) -> Activation:
    """Return how a shell sources an environment's script: ours in the prefix, or the one of any venv."""
    if chosen not in _SHELLS.values():
        raise InvalidRequest(
            f"{row.name} was made by another tool, so there is no {chosen} file of it.",
            hints=["Use sh, csh or fish."],
        )
    if record is not None and needs_scripts(record):
        path = script_of(record, chosen)
        text = files.render_activation(chosen, record, site)
        return Activation(dialect=wanted, command=_source(wanted, path), text=text, path=str(path))
    if row.manager == "conda":  # conda puts no script into an environment; whoever has it will use it
        facts = files.for_prefix(Path(row.prefix), site, name=row.name)
        text = files.render_facts(chosen, facts, site.template_dirs)
        return Activation(dialect=wanted, command=f"conda activate {sh(row.prefix)}", text=text)
    ending = "" if chosen == "bash" else f".{chosen}"
    return Activation(dialect=wanted, command=_source(wanted, Path(row.prefix) / "bin" / f"activate{ending}"))


def _source(dialect: str, path: Path) -> str:
    if dialect == "csh":
        return f"source {csh(str(path))}"
    return f"source {fish(str(path))}" if dialect == "fish" else f". {sh(str(path))}"


def _dialect_of(shell: str) -> str:
    return {"csh": "csh", "tcsh": "csh", "fish": "fish"}.get(Path(shell).name, "sh")
