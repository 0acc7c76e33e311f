"""Close a folder to all but some groups and users, and tell whether it is closed so.

One group is done by the folder's group and mode, which every filesystem knows; more take a POSIX access list. Both
forms are read back and compared, so that what somebody changed by hand is found.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
import struct
from pathlib import Path

from ..errors import InvalidRequest, Refused
from .words import Visible

_ACL = "system.posix_acl_access"
_VERSION = 2
_OWNER, _USER, _OWNING_GROUP, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_ALL, _ENTER, _NOTHING = 7, 5, 0
_NO_ID = 0xFFFFFFFF

OPEN, CLOSED = 0o755, 0o750


def group_id(name: str) -> int:
    """Return the number of a group; raises `InvalidRequest`."""
    try:
        return _number(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        raise InvalidRequest(
            f"There is no group {name!r} here.", hints=["Correct “visible” in the manifest."]
        ) from None


def user_id(name: str) -> int:
    """Return the number of a user; raises `InvalidRequest`."""
    try:
        return _number(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError):
        raise InvalidRequest(f"There is no user {name!r} here.", hints=["Correct “visible” in the manifest."]) from None


def _number(text: str) -> int:
    number = int(text)
    if number >= _NO_ID:
        raise ValueError(text)
    return number


def check(visible: Visible) -> None:
    """Raise `InvalidRequest` for a group or user that there is not: what they alone may see must not be built."""
    for name in visible.groups:
        group_id(name)
    for name in visible.users:
        user_id(name)


def is_as(folder: Path, visible: Visible) -> bool:
    """Tell whether *folder* is open to those of *visible* and nobody else; raises OSError."""
    facts, listed = folder.stat(), _listed(folder)
    mode = stat.S_IMODE(facts.st_mode) & 0o777
    if visible.everybody:
        return not listed and mode & OPEN == OPEN and not mode & 0o022
    if (group := _single(visible)) is not None and not listed:
        return facts.st_gid == group and mode == CLOSED
    return listed == _list_of(visible)


def restrict(folder: Path, visible: Visible) -> None:
    """Open *folder* to those of *visible* and nobody else; raises `Refused` where that can not be said there."""
    if visible.everybody:
        _unlist(folder)
        folder.chmod(OPEN)
        return
    group = _single(visible)
    if group is not None and group in {*os.getgroups(), os.getegid()}:
        _unlist(folder)
        folder.chmod(0o700)  # closed before its group is another one
        os.chown(folder, -1, group)
        folder.chmod(CLOSED)
        return
    try:
        folder.chmod(0o700)
        os.setxattr(folder, _ACL, _list_of(visible))
    except OSError as error:
        raise Refused(
            f"{folder} can not be kept to {', '.join([*visible.groups, *visible.users])}: "
            f"{(error.strerror or str(error)).lower()}.",
            hints=[
                "One group works everywhere, if the build account is a member of it.",
                "Users, or more groups, need a filesystem with POSIX access lists.",
            ],
        ) from error


def _single(visible: Visible) -> int | None:
    return group_id(visible.groups[0]) if len(visible.groups) == 1 and not visible.users else None


def _list_of(visible: Visible) -> bytes:
    """Return the access list as Linux keeps it: a version, then tag, rights and id of each entry."""
    entries = [(_OWNER, _ALL, _NO_ID)]
    entries += [(_USER, _ENTER, number) for number in sorted(map(user_id, visible.users))]
    entries.append((_OWNING_GROUP, _NOTHING, _NO_ID))
    entries += [(_GROUP, _ENTER, number) for number in sorted(map(group_id, visible.groups))]
    entries += [(_MASK, _ENTER, _NO_ID), (_OTHER, _NOTHING, _NO_ID)]
    return struct.pack("<I", _VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def _listed(folder: Path) -> bytes:
    try:
        return os.getxattr(folder, _ACL)
    except OSError:  # it has none, or the filesystem knows none
        return b""


def _unlist(folder: Path) -> None:
    if _listed(folder):
        os.removexattr(folder, _ACL)
