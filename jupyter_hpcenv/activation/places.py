"""Put activation files where the module system or a person looks for them, and take them away again.

An environment has one name in a folder. A file there that was made for another environment, or by
somebody else, is never replaced and never removed: the id in its first lines tells.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ..errors import BrokenRecord, HpcenvError, InvalidRequest, NameTaken
from ..files import explain, read_regular, write_atomic
from ..models import ActivationFile, Record
from ..names import check_name
from ..site import Site
from ..site.quoting import sh
from .text import DIALECTS, check_dialect, render_activation

_ENDINGS = {
    "lmod": ".lua",
    "tcl": "",
    "bash": ".sh",
    "csh": ".csh",
    "fish": ".fish",
    "sbatch": ".sbatch",
    "pbs": ".pbs",
}
_MODULEFILES = ("lmod", "tcl")
_LIMIT = 1_000_000


def folder_of(dialect: str, site: Site) -> Path:
    """Return the folder of a dialect's files: what the site says of it, else one in the user's data folder."""
    check_dialect(dialect)
    kind = dialect if dialect in _MODULEFILES else "scripts"
    chosen = site.activation_dirs.get(dialect) or site.activation_dirs.get(kind)
    if not chosen:
        return site.data_dir / (f"modulefiles/{dialect}" if dialect in _MODULEFILES else "scripts")
    text = os.path.expandvars(chosen.replace("{data_dir}", str(site.data_dir)))
    path = Path(text).expanduser()
    if not path.is_absolute() or "$" in text:
        raise InvalidRequest(
            f"c.Site.activation_dirs[{dialect!r}] is {text!r}, which is no absolute path.",
            hints=["Give an absolute path; variables in it must be set."],
        )
    return path


def module_name(record: Record, *, several: bool = False) -> str:
    """Return what to load: a version of “hpcenv”, of which a module system loads one, or a module of its own."""
    check_name(record.name)
    return f"hpcenv-{record.name}" if several else f"hpcenv/{record.name}"


def install_path(dialect: str, record: Record, site: Site, *, several: bool = False) -> Path:
    """Return where the activation file of an environment goes."""
    folder = folder_of(dialect, site)
    if dialect in _MODULEFILES:
        return folder / (module_name(record, several=several) + _ENDINGS[dialect])
    check_name(record.name)
    return folder / f"{record.name}{'-several' if several else ''}{_ENDINGS[dialect]}"


def use_line(dialect: str, site: Site) -> str:
    """Return the command that makes the module system look into our folder; empty for scripts, which need none."""
    return f"module use {sh(str(folder_of(dialect, site)))}" if dialect in _MODULEFILES else ""


def files_of(record: Record, site: Site, *, own: bool) -> list[ActivationFile]:
    """Return the activation files that a record says were installed; of an environment of one's own, without a look.

    Somebody else's lie in the data folder of that user, which is not known here, or in one that the site has for
    all of them: there a look tells. Called by whoever lists environments, so nothing is raised.
    """
    found = []
    for dialect in record.activation:
        name, path = "", ""
        with contextlib.suppress(HpcenvError):  # what the site configured is wrong: said when a file is installed
            name = module_name(record) if dialect in _MODULEFILES else ""
            path = str(install_path(dialect, record, site))
        if own or (path and is_for(Path(path), record.id)):
            found.append(ActivationFile(dialect=dialect, name=name, path=path))
    return found


def install(dialect: str, record: Record, site: Site, *, several: bool = False) -> Path:
    """Write the activation file of an environment and return its path; replaces an older one of its own.

    Called on demand, and again whenever the record changed. Raises `NameTaken` where another environment's
    file, or a file that we did not make, has the name, and what `render_activation` raises: then nothing is written.
    """
    text = render_activation(dialect, record, site, several=several)
    path = install_path(dialect, record, site, several=several)
    if os.path.lexists(path) and not is_for(path, record.id):
        raise NameTaken(
            f"{path} is there already, and was not made for the environment at {record.prefix or record.name!r}.",
            hints=["Remove that file, or set c.Site.activation_dirs to another folder."],
        )
    try:
        # Not private: Lmod shows root no folder of root's that others can not read. The data folder above is private.
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise explain(error, path) from error
    write_atomic(path, text.encode(), 0o644)
    return path


def installed(record: Record, site: Site) -> dict[str, list[Path]]:
    """Return the activation files that an environment has, by dialect."""
    found: dict[str, list[Path]] = {}
    for dialect in DIALECTS:
        for several in (False, True):
            path = install_path(dialect, record, site, several=several)
            if is_for(path, record.id):
                found.setdefault(dialect, []).append(path)
    return found


def uninstall(record: Record, site: Site) -> list[Path]:
    """Remove all activation files of an environment and return their paths; those of others stay."""
    gone = []
    for paths in installed(record, site).values():
        for path in paths:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise explain(error, path) from error
            gone.append(path)
    return gone


def is_for(path: Path, environment: str) -> bool:
    """Tell whether an activation file was made for the environment of that id."""
    try:
        return f"({environment})".encode() in read_regular(path, _LIMIT)[:2000]
    except (OSError, BrokenRecord):
        return False
