"""Tell the site what was done, by whom and how it ended: one line of JSON an act, to a file or to syslog.

It is for staff who want to know what goes on, and no evidence: whoever acts writes it, as themself. That a line can
not be written keeps nothing from being done, so `note` never raises; it returns what is to be said about that.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import socket
import stat
import syslog
from pathlib import Path

from ..errors import LocationUnavailable
from ..models import Target, utc_now
from ..patience import Patience, Slow
from .config import Site
from .locations import expand

SYSLOG = "syslog"
DEV_LOG = "/dev/log"

#: Verbs that only say what another would do.
PLANS = ("plan", "plan_change")

#: Characters of one field; with all of them a line stays below what syslog daemons take.
_LONGEST = 200

_patience = Patience(2.0)


def note(site: Site, verb: str, target: Target, result: str, *, error: str = "", operation: str = "") -> str:
    """Write that *verb* was done to *target*; *result* is a state as operations have it, *error* the code of an error.

    Returns why that could not be written, in one sentence; empty where it was, or where nothing is to be written.
    """
    place = site.audit_log
    if not place or verb in PLANS:
        return ""
    uid = os.geteuid()
    line = _encoded(
        {
            "at": utc_now(),
            "user": _name(uid),
            "uid": uid,
            "host": socket.gethostname(),
            "verb": verb,
            "environment": target.id,
            "name": target.name,
            "location": target.location,
            "prefix": target.prefix,
            "result": result,
            "error": error,
            "operation": operation,
        }
    )
    try:
        _patience.ask(f"audit {place}", _write, site, place, line)
    except Slow:
        return f"What was done is missing in the site's audit log: {place} does not answer."
    except LocationUnavailable as error:
        return f"What was done is missing in the site's audit log: {error.message}"
    except OSError as error:
        return f"What was done is missing in the site's audit log: {place}: {(error.strerror or str(error)).lower()}."
    return ""


def unwritable(site: Site) -> str:
    """Return why no line can be written to the audit log by who asks, empty if it can; nothing is written."""
    try:
        return str(_patience.ask(f"look at audit {site.audit_log}", _unwritable, site, site.audit_log))
    except Slow:
        return "it does not answer"
    except LocationUnavailable as error:
        return error.message.rstrip(".")
    except OSError as error:
        return (error.strerror or str(error)).lower()


def _unwritable(site: Site, place: str) -> str:
    kind, _, path = place.partition(":")
    if kind == SYSLOG:
        listening = Path(path or DEV_LOG)
        return "" if stat.S_ISSOCK(listening.stat().st_mode) else f"{listening} is no socket"
    file = Path(expand(place, site))
    try:
        facts = file.lstat()
    except FileNotFoundError:
        folder = file.parent
        return "" if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK) else f"{folder} is not there, or closed"
    if not stat.S_ISREG(facts.st_mode):
        return "it is no regular file"
    return "" if os.access(file, os.W_OK) else "it is closed"


def _encoded(fields: dict[str, str | int]) -> bytes:
    """Return one line of ASCII: no character in it can end the line, steer a terminal or turn text around."""
    short = {name: value[:_LONGEST] if isinstance(value, str) else value for name, value in fields.items()}
    return json.dumps(short, ensure_ascii=True).replace("\x7f", "\\u007f").encode()


def _name(uid: int) -> str:
    """Return the login name by the password database: what variables say of it anybody can set."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _write(site: Site, place: str, line: bytes) -> None:
    kind, _, path = place.partition(":")
    if kind == SYSLOG:
        _send(path or DEV_LOG, line)
    else:
        _append(Path(expand(place, site)), line + b"\n")


def _append(path: Path, line: bytes) -> None:
    """Append in one call, so that lines of many who write at once do not mix; raises OSError."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no regular file")
        if os.write(descriptor, line) != len(line):
            raise OSError("it is full")
    finally:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _send(path: str, line: bytes) -> None:
    """Send to the daemon that listens at *path*; the C library's call would lose the line in silence without one."""
    priority = syslog.LOG_AUTHPRIV | syslog.LOG_INFO
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.settimeout(1.0)
        channel.connect(path)
        channel.send(b"<%d>jupyter_hpcenv[%d]: %s" % (priority, os.getpid(), line))
