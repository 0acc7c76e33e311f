"""Write the files of a site, each whole or not at all; what is there already is never replaced unasked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from .. import policy
from ..errors import BrokenRecord, NameTaken
from ..files import explain, read_regular, write_atomic, write_once
from ..policy.reading import VARIABLE
from . import texts
from .answers import Answers
from .folders import Folder

#: The files in the folder, and what of a site each is.
CONFIGURATION, POLICY = "jupyter_hpcenv_config.py", "hpcenv_policy.toml"
OWN = "hpcenv"
"""The folder beside them for all else."""

_LARGEST = 1_000_000


class Written(msgspec.Struct, kw_only=True):
    """A file, and what became of it."""

    path: str
    what: str
    """What it is for, in a few words."""
    done: Literal["written", "unchanged", "would be written", "would be replaced", "planned"] = "planned"
    text: str
    """What is in it."""


def plan(answers: Answers, into: Path) -> list[Written]:
    """Return the files of a site, in the order in which they are written; raises `InvalidRequest`.

    What decides something comes last, so that who is stopped halfway has decided nothing.
    """
    own = into / OWN
    found = [
        (own / "answers.toml", "the answers, to write the same again", texts.again(answers)),
        (own / "templates" / "README", "the folder for your own templates", texts.README),
        (own / "samples" / "pip.conf", "settings of pip", texts.pip_conf(answers)),
        (own / "samples" / "condarc", "settings of conda", texts.condarc(answers)),
        (
            own / "modulefiles" / "lmod" / "python-settings.lua",
            "for your module of Python, for Lmod",
            texts.modulefile(answers, "lua"),
        ),
        (
            own / "modulefiles" / "tcl" / "python-settings",
            "for your module of Python, for Environment Modules",
            texts.modulefile(answers, "tcl"),
        ),
    ]
    if answers.pip_conf:
        found.append((Path(answers.pip_conf), "settings of pip for everybody", texts.pip_conf(answers)))
    if answers.condarc:
        found.append((Path(answers.condarc), "settings of conda for everybody", texts.condarc(answers)))
    found.append((into / POLICY, "the policy", texts.policy(answers)))
    configuration = texts.configuration(answers, str(own / "templates"))
    found.append((into / CONFIGURATION, "the configuration", configuration))
    return [Written(path=str(path), what=what, text=text) for path, what, text in found]


def write(files: Sequence[Written], *, force: bool = False, dry_run: bool = False) -> list[Written]:
    """Write *files*, readable for all, and return what became of each.

    Raises `NameTaken` before anything is written where one is there with another content, unless *force*.
    """
    done = [msgspec.structs.replace(each, done=_state(each)) for each in files]
    taken = [each.path for each in done if each.done == "would be replaced"]
    if taken and not force and not dry_run:
        raise NameTaken(
            f"{', '.join(taken)} {'is' if len(taken) == 1 else 'are'} there already, with another content.",
            hints=[
                "See what would be written: --dry-run.",
                "Replace what is there: --force. Or write elsewhere: --into FOLDER.",
            ],
        )
    if dry_run:
        return done
    for each in done:
        if each.done == "unchanged":
            continue
        path, data = Path(each.path), each.text.encode()
        _make(path.parent)
        if force:
            write_atomic(path, data, 0o644)
        elif not write_once(path, data, 0o644):
            raise NameTaken(f"{path} came meanwhile.", hints=["Look who else sets this site up, and try again."])
        each.done = "written"
    return done


def notes(answers: Answers, into: Path) -> list[str]:
    """Return what is left to do by hand so that what was written counts, a sentence each."""
    told = []
    if not _is_read(into):
        told.append(
            f"Jupyter does not read {into}: have JUPYTER_CONFIG_PATH={into} in everybody's server and shell, "
            "which then wins over people's own files, or write into a folder that “jupyter --paths” lists."
        )
    obeyed = policy.places()
    if not _is_obeyed(into):
        told.append(f"The policy is not obeyed there: put it at {obeyed[0]}, or at {obeyed[1]}.")
    if not answers.pip_conf:
        told.append(f"pip reads {into / OWN}/samples/pip.conf only as /etc/pip.conf or /etc/xdg/pip/pip.conf.")
    if not answers.condarc:
        told.append(f"conda reads {into / OWN}/samples/condarc only as /etc/conda/.condarc, or where it is installed.")
    if answers.module_system in ("lmod", "tcl"):
        told.append(
            f"Let your module of Python load python-settings from {into / OWN}/modulefiles/{answers.module_system}, "
            "and give JupyterHub's servers the same variables (c.Spawner.environment)."
        )
    shared = [each for each in (answers.caches, answers.conda_envs) if each and not Folder(each).needs]
    if shared:
        told.append(f"{' and '.join(shared)} would be one folder for all users: pip takes no cache of somebody else's.")
    return told


def variables(into: Path) -> dict[str, str]:
    """Return the variables by which what was written counts before it is where Jupyter reads it; empty if it is."""
    if _is_read(into):
        return {}
    return {"JUPYTER_CONFIG_PATH": str(into), **({} if _is_obeyed(into) else {VARIABLE: str(into / POLICY)})}


def _is_read(into: Path) -> bool:
    from jupyter_core.paths import jupyter_config_path

    return os.path.realpath(into) in {os.path.realpath(folder) for folder in jupyter_config_path()}


def _is_obeyed(into: Path) -> bool:
    return os.path.realpath(into / POLICY) in {os.path.realpath(path) for path in policy.places()}


def _state(file: Written) -> Literal["unchanged", "would be written", "would be replaced"]:
    path = Path(file.path)
    if not os.path.lexists(path):
        return "would be written"
    with contextlib.suppress(OSError, BrokenRecord):
        if not path.is_symlink() and read_regular(path, _LARGEST) == file.text.encode():
            return "unchanged"
    return "would be replaced"


def _make(folder: Path) -> None:
    """Make a folder and those above it, open to all and writable for their owner alone, whatever the umask says."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        for each in reversed(missing):
            each.mkdir(exist_ok=True)
            each.chmod(0o755)
    except OSError as error:
        raise explain(error, folder) from error
