"""Say who could change a file or folder: its own permissions, and those of every folder on the way to it.

Called before another user's environment is used, or a prefix of another tool is adopted: whoever can write it, or
rename it away, could have others run what they like. The way is walked as the kernel walks it, by folder
descriptors and link by link, so that nothing is believed because of how a path is spelt. What can not be told, such
as an ACL of a kind that is not known, counts as writable.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat
import struct
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import msgspec

_ACL = "system.posix_acl_access"
_ACL_VERSION = 2
_OWNER, _USER, _OWNING_GROUP, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_MAY_WRITE, _MAY_ENTER = 2, 1
_NO_ID = 0xFFFFFFFF
_LINKS = 40  # as many as Linux follows

#: What a filesystem says that keeps no such attribute.
_NONE = (errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP)


class Writer(NamedTuple):
    """Somebody who could change what lies at a path."""

    who: str
    """As a person reads it: ``everybody``, ``group team``, ``uid 1234``."""
    where: str
    """The path itself, or a folder above it."""

    def __str__(self) -> str:
        return f"{self.who} through {self.where}"


class Step(NamedTuple):
    """A file, folder or link on the way to a path, by its real place."""

    path: str
    facts: os.stat_result
    writers: tuple[Writer, ...]
    """Who could change it or, for a folder, what it holds."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What was found when somebody decided to run what lies in a prefix; looked at again at each start."""

    uid: int
    """Of its owner, who may change it at any time."""
    inode: int
    device: int
    boot: str
    """Of this computer: on another one, or after its next start, the number of the device says nothing."""
    python: str = ""
    """The interpreter, with all links resolved; empty if there is none."""
    folders: list[str]
    """Those above, in which nobody else may rename anything."""
    inside: list[str]
    """What nobody else may write: the prefix first, then what a start depends on, and the interpreter."""
    allowed: list[str] = []
    """``uid:gid:mode`` of those among them that a group may write which is one person's own."""


class UnknownAcl(ValueError):
    """An ACL that can not be read as what it should be."""


def who_can_write(path: Path, trusted: Collection[int] = ()) -> tuple[Writer, ...]:
    """Return who besides root and the *trusted* uids could change *path*, or put something else in its place.

    Empty: nobody. Raises OSError for what is not there or can not be entered.
    """
    return tuple(dict.fromkeys(writer for step in walk(path, trusted) for writer in step.writers))


def walk(path: Path, trusted: Collection[int] = ()) -> list[Step]:
    """Return every folder and link on the way to *path*, and what lies there, each with who could change it.

    A folder that is sticky lets only owners rename what is in it; the owners of what we pass are looked at anyway.
    """
    known = frozenset(trusted) | {0}
    if not path.is_absolute():
        raise ValueError(f"{path} is not absolute")
    left = [part for part in reversed(path.parts[1:]) if part]
    places = [""]
    handles = [os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]
    found: dict[str, Step] = {}
    links = 0
    try:
        while True:
            facts = os.fstat(handles[-1])
            place = "/".join(places) or "/"
            last = not left
            found[place] = Step(place, facts, writers_of(handles[-1], facts, place, known, above=not last))
            if last:
                return list(found.values())
            name = left.pop()
            if name in ("", "."):
                continue
            if name == "..":
                if len(handles) > 1:
                    os.close(handles.pop())
                    places.pop()
                continue
            handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handles[-1])
            facts = os.fstat(handle)
            if not stat.S_ISLNK(facts.st_mode):
                handles.append(handle)
                places.append(name)
                continue
            try:
                links += 1
                if links > _LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
                target = os.readlink("", dir_fd=handle)
            finally:
                os.close(handle)
            place = "/".join([*places, name])
            found[place] = Step(place, facts, _owner(facts, place, known))
            if target.startswith("/"):
                for each in handles[1:]:
                    os.close(each)
                del handles[1:], places[1:]
            left += [part for part in reversed(target.split("/")) if part]
    finally:
        for each in handles:
            os.close(each)


def decide(prefix: Path, owner: int, starts: Collection[Path]) -> tuple[Decision, tuple[Writer, ...]]:
    """Return what there is to know of *prefix* and of what a start depends on, and who else could change that.

    *starts* are paths in the prefix; a link among them is followed, as a start would. Only root, *owner* and this user
    are trusted. Raises OSError.
    """
    trusted = {owner, os.geteuid()}
    folders: dict[str, os.stat_result] = {}
    inside: dict[str, os.stat_result] = {}
    found: list[Writer] = []
    for target in (prefix, *starts):
        *above, last = walk(target, trusted)
        inside[last.path] = last.facts
        folders.update({each.path: each.facts for each in above if not stat.S_ISLNK(each.facts.st_mode)})
        found += [writer for step in (*above, last) for writer in step.writers]
    for place in inside:
        folders.pop(place, None)
    top = next(iter(inside.values()))
    python = prefix / "bin" / "python"
    wide = [*folders.values(), *inside.values()]
    decision = Decision(
        uid=top.st_uid,
        inode=top.st_ino,
        device=top.st_dev,
        boot=boot(),
        python=os.path.realpath(python) if python in starts else "",
        folders=list(folders),
        inside=list(inside),
        allowed=sorted({_line(facts) for facts in wide if facts.st_mode & 0o020 and not facts.st_mode & 0o002}),
    )
    return decision, tuple(dict.fromkeys(found))


def boot() -> str:
    """Return what tells one start of one computer from another, or an empty text."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def _line(facts: os.stat_result) -> str:
    return f"{facts.st_uid}:{facts.st_gid}:{stat.S_IMODE(facts.st_mode):o}"


def writers_below(prefix: Path, owner: int) -> Writer | None:
    """Return somebody who could write a file or folder below *prefix*, or None; looks at all but links.

    Hidden files at its top, such as the lock that uv lets everybody write, are read by no Python.
    """
    known = frozenset({0, owner, os.geteuid()})
    waiting = [str(prefix)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                facts = entry.stat(follow_symlinks=False)
                hidden = entry.name.startswith(".") and entry.path == f"{prefix}/{entry.name}"
                if stat.S_ISLNK(facts.st_mode) or (hidden and not stat.S_ISDIR(facts.st_mode)):
                    continue
                if writer := _plainly(facts, entry.path, known):
                    return writer
                if stat.S_ISDIR(facts.st_mode) and os.access(entry.path, os.R_OK | os.X_OK):
                    waiting.append(entry.path)
    return None


def _plainly(facts: os.stat_result, place: str, known: Collection[int]) -> Writer | None:
    """Tell by its mode alone who may write a file: an ACL that lets somebody shows in the bits of the group."""
    for writer in _owner(facts, place, known):
        return writer
    if facts.st_mode & stat.S_IWOTH:
        return Writer("everybody", place)
    if facts.st_mode & stat.S_IWGRP and not _is_private(facts.st_gid, known):
        return Writer(f"group {_group(facts.st_gid)}", place)
    return None


def writers_of(
    handle: int, facts: os.stat_result, place: str, known: Collection[int], *, above: bool = False
) -> tuple[Writer, ...]:
    """Return who besides the *known* uids may write what is open; *above*: who could rename what is in that folder."""
    found = list(_owner(facts, place, known))
    if above and facts.st_mode & stat.S_ISVTX:
        return tuple(found)
    if facts.st_mode & stat.S_IWOTH:
        found.append(Writer("everybody", place))
    try:
        acl = _acl(handle)
    except UnknownAcl as error:
        return (*found, Writer(f"somebody whom an access list names that can not be read ({error})", place))
    private = _is_private(facts.st_gid, known)
    if acl is None:
        if facts.st_mode & stat.S_IWGRP and not private:
            found.append(Writer(f"group {_group(facts.st_gid)}", place))
        return tuple(found)
    for tag, identifier in acl:
        if tag == _USER and identifier not in known:
            found.append(Writer(f"{_user(identifier)} by an access list", place))
        elif tag == _GROUP and not _is_private(identifier, known):
            found.append(Writer(f"group {_group(identifier)} by an access list", place))
        elif tag == _OWNING_GROUP and not private:
            found.append(Writer(f"group {_group(facts.st_gid)}", place))
    return tuple(found)


def _owner(facts: os.stat_result, place: str, known: Collection[int]) -> tuple[Writer, ...]:
    return () if facts.st_uid in known else (Writer(_user(facts.st_uid), place),)


def _acl(handle: int) -> list[tuple[int, int]] | None:
    """Return tag and id of each entry that lets somebody write, or None where there is no ACL; raises `UnknownAcl`."""
    name = f"/proc/self/fd/{handle}"  # the descriptor itself may be opened for nothing but this
    try:
        for attribute in os.listxattr(name):
            if "acl" in attribute.lower() and not attribute.startswith("system.posix_acl_"):
                raise UnknownAcl(attribute)
        data = os.getxattr(name, _ACL)
    except OSError as error:
        if error.errno in _NONE:
            return None
        raise UnknownAcl(error.strerror or str(error)) from error
    kinds = (_USER, _OWNING_GROUP, _GROUP)
    return [
        (tag, identifier) for tag, allowed, identifier in acl_entries(data) if tag in kinds and allowed & _MAY_WRITE
    ]


def acl_entries(data: bytes) -> list[tuple[int, int, int]]:
    """Return tag, permissions and id of the entries of a POSIX ACL, with its mask applied.

    Strict: what is not exactly such an ACL, as Linux keeps it in an extended attribute, is `UnknownAcl`.
    """
    if len(data) < 4 or (len(data) - 4) % 8 or struct.unpack_from("<I", data)[0] != _ACL_VERSION:
        raise UnknownAcl("its form")
    entries = [struct.unpack_from("<HHI", data, offset) for offset in range(4, len(data), 8)]
    tags = [tag for tag, _, _ in entries]
    if any(tags.count(tag) != 1 for tag in (_OWNER, _OWNING_GROUP, _OTHER)) or tags.count(_MASK) > 1:
        raise UnknownAcl("its entries")
    if (_USER in tags or _GROUP in tags) and _MASK not in tags:
        raise UnknownAcl("no mask")
    for tag, allowed, identifier in entries:
        if tag not in (_OWNER, _USER, _OWNING_GROUP, _GROUP, _MASK, _OTHER) or allowed > 7:
            raise UnknownAcl("an entry")
        if tag in (_USER, _GROUP) and identifier == _NO_ID:
            raise UnknownAcl("an entry")
    mask = next((allowed for tag, allowed, _ in entries if tag == _MASK), 7)
    masked = (_USER, _OWNING_GROUP, _GROUP)
    return [(tag, allowed & mask if tag in masked else allowed, identifier) for tag, allowed, identifier in entries]


def may_enter(path: str, facts: os.stat_result, gid: int | None) -> bool:
    """Tell whether members of a group, or with None everybody, get through a folder, or may run a program."""
    if facts.st_mode & stat.S_IXOTH:
        return True
    if gid is None:
        return False
    if facts.st_gid == gid:
        return bool(facts.st_mode & stat.S_IXGRP)
    with contextlib.suppress(OSError, UnknownAcl):
        entries = acl_entries(os.getxattr(path, _ACL, follow_symlinks=False))
        return any(tag == _GROUP and identifier == gid and allowed & _MAY_ENTER for tag, allowed, identifier in entries)
    return False


def _is_private(gid: int, known: Collection[int]) -> bool:
    """Tell whether a group is one of the known users' own: called as the user, with no other member."""
    with contextlib.suppress(KeyError):
        group = grp.getgrgid(gid)
        person = pwd.getpwnam(group.gr_name)
        return person.pw_uid in known and person.pw_gid == gid and set(group.gr_mem) <= {group.gr_name}
    return False


def _group(gid: int) -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return str(gid)


def _user(uid: int) -> str:
    with contextlib.suppress(KeyError):
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    return f"uid {uid}"
