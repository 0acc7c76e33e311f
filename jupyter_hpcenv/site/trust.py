"""Say who besides the user (and root) could change a file or folder.

Called before something is obeyed (a site's template) or offered to Jupyter (a kernels folder): what others
can write is input, never an instruction.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from pathlib import Path


def other_writers(path: Path) -> str:
    """Return who else may write *path*, for example ``everybody``; empty if nobody. Raises OSError.

    The group bits also show the mask of a POSIX ACL, so a named entry in one counts as the group. A
    group that is the user's own private one (named as the user, with no other member) is not others.
    """
    facts = path.stat()
    if facts.st_uid not in (0, os.geteuid()):
        return f"its owner (uid {facts.st_uid})"
    if facts.st_mode & stat.S_IWOTH:
        return "everybody"
    if facts.st_mode & stat.S_IWGRP and not _private_group(facts.st_gid, facts.st_uid):
        return f"group {_group_name(facts.st_gid)}"
    return ""


def other_movers(path: Path, *, known: bool = True) -> str:
    """Return who else could rename *path* away through a folder above it; empty if nobody. Raises OSError.

    A sticky folder, as /tmp is, lets only owners rename. With *known* false only “everybody” counts, not
    a group or an owner above: homes in a project's folder, and those of container images, are like that.
    """
    for folder in path.resolve().parents:
        facts = folder.stat()
        if facts.st_mode & stat.S_ISVTX and facts.st_uid in (0, os.geteuid()):
            continue
        writers = other_writers(folder) if known or facts.st_mode & stat.S_IWOTH else ""
        if writers:
            return f"{writers} through {folder}"
    return ""


def _private_group(gid: int, uid: int) -> bool:
    with contextlib.suppress(KeyError):
        group = grp.getgrgid(gid)
        person = pwd.getpwuid(uid)
        return group.gr_name == person.pw_name and set(group.gr_mem) <= {person.pw_name}
    return False


def _group_name(gid: int) -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return str(gid)
