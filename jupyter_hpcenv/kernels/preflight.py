"""Prove that an environment's kernel starts and is of that environment, before anybody can choose it.

Speaks the few messages that it needs over pyzmq (45 ms to import; jupyter_client takes 180). The answer
is read from the shell reply: output on iopub can be missed by a client that has just connected.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .. import process
from ..errors import BuildFailed, PreflightFailed
from ..files import remove_tree, write_atomic
from ..models import Preflight, Record, utc_now
from .facts import CONNECTION_FILE

_DELIMITER = b"<IDS|MSG>"
_EXPRESSIONS = {"prefix": "__import__('sys').prefix", "version": "__import__('sys').version"}
_LAST_LINES = 30
_FAREWELL = 5.0  # seconds that a kernel gets to end by itself

#: What a kernel's own words mean, and what to do.
_MEANINGS = (
    (r"No module named '?ipykernel", "Let ipykernel be installed, or create the environment without a kernel."),
    (
        r"No module named '?([\w.]+)",
        "A package that the kernel needs is missing or damaged: {0}. Add it to the packages.",
    ),
    (
        r"([\w.+-]+\.so[\w.]*): cannot open shared object",
        "The library {0} is missing here: load the module that has it.",
    ),
    (r"GLIBC(?:XX)?_[\d.]+' not found", "A package was built for a newer system: choose an older version of it."),
    (
        r"Permission denied|cannot execute",
        "See whether the filesystem of the location allows programs (mount option noexec).",
    ),
    (
        r"MemoryError|Cannot allocate memory|Killed",
        "There is too little memory here: create the environment elsewhere.",
    ),
    (r"No space left|Disk quota exceeded", "Free some space in your home folder and in the temporary folder."),
)


def warm() -> None:
    """Import the messaging library in the background; called while packages are being installed."""
    threading.Thread(target=__import__, args=("zmq",), name="hpcenv-warm", daemon=True).start()


def prove(
    record: Record,
    launch: Path,
    env: Mapping[str, str],
    check: Callable[[], None],
    timeout: float = 60.0,
) -> Preflight:
    """Start what *record* describes through its launch script, see that it is itself, and stop it again.

    With a kernelspec the kernel is started with exactly its arguments; without one, Python is. *check*
    is called often and may raise (a cancelled operation does). Raises `PreflightFailed`, whose reason
    holds the last lines of the kernel's own output. No process is left, whatever happens.
    """
    started = time.monotonic()
    try:
        if record.kernelspec:
            answer, answered = _ask_kernel(record, launch, env, check, started + timeout)
        else:
            answer, answered = _ask_python(record, launch, env, check, timeout)
    except PreflightFailed:
        raise
    except BuildFailed as error:  # it could not even be started, or took too long
        raise PreflightFailed(error.message, hints=error.hints, reason=error.reason) from error
    _compare(record, answer)
    return Preflight(
        kind="kernel" if record.kernelspec else "import", seconds=round(answered - started, 3), at=utc_now()
    )


def _compare(record: Record, answer: Mapping[str, str]) -> None:
    prefix, version = answer["prefix"], answer["version"]
    try:
        same = os.path.samefile(prefix, record.prefix)  # noqa: PTH121
    except OSError:
        same = False
    if not same and record.manager != "modules":  # its Python is wherever the modules have it
        raise PreflightFailed(
            f"What starts is not this environment: its sys.prefix is {prefix} instead of {record.prefix}.",
            hints=["See whether a template or a module of the site changes what Python starts."],
        )
    wanted = ".".join(record.python.split(".")[:2])
    if not re.match(re.escape(wanted) + r"(?!\d)", version):
        raise PreflightFailed(
            f"What starts is Python {version.split()[0]} instead of {record.python}.",
            hints=["The Python that the environment was made from has changed: choose another one."],
        )


# -- without a kernel -------------------------------------------------------


def _ask_python(
    record: Record, launch: Path, env: Mapping[str, str], check: Callable[[], None], timeout: float
) -> tuple[dict[str, str], float]:
    """Return what Python says of itself, and when it had said it."""
    code = "import json, sys; print(json.dumps({'prefix': sys.prefix, 'version': sys.version}))"
    completed = process.run([str(launch), "-c", code], env=env, check=check, timeout=timeout)
    if not completed.ok:
        raise _failed(f"Python of “{record.name}” ended with status {completed.returncode}.", completed.tail)
    for line in reversed(completed.tail):
        try:
            answer = json.loads(line)
            return {"prefix": str(answer["prefix"]), "version": str(answer["version"])}, time.monotonic()
        except (ValueError, KeyError, TypeError):
            continue
    raise _failed(f"Python of “{record.name}” started, but did not answer.", completed.tail)


# -- with a kernel ----------------------------------------------------------


def _ask_kernel(
    record: Record, launch: Path, env: Mapping[str, str], check: Callable[[], None], deadline: float
) -> tuple[dict[str, str], float]:
    """Return what the kernel says of itself, and when it had said it: its end is not part of its start."""
    with _private_folder() as folder:
        connection = folder / "kernel.json"
        key = secrets.token_hex(32)
        # Port 0: the kernel chooses free ones and writes them back, so nobody can be faster to take them.
        ports = {f"{channel}_port": 0 for channel in ("shell", "iopub", "stdin", "hb", "control")}
        facts = {**ports, "ip": "127.0.0.1", "transport": "tcp", "key": key, "signature_scheme": "hmac-sha256"}
        write_atomic(connection, json.dumps(facts).encode(), 0o600)
        arguments = [str(connection) if each == CONNECTION_FILE else each for each in record.kernelspec["argv"]]
        # JPY_PARENT_PID: the kernel ends itself when this process dies. IPYTHONDIR: the user's own start-up
        # files prove nothing about the environment, and a history on a slow home would delay it.
        surroundings = {**env, "JPY_PARENT_PID": str(os.getpid()), "IPYTHONDIR": str(folder / "ipython")}
        child = process.start([str(launch), *arguments], env=surroundings, cwd=folder)
        try:
            return _converse(record, child, connection, key.encode(), check, deadline)
        finally:
            child.stop()


def _converse(
    record: Record, child: process.Child, connection: Path, key: bytes, check: Callable[[], None], deadline: float
) -> tuple[dict[str, str], float]:
    import zmq

    def watch(what: str) -> None:
        check()
        status = child.poll()
        if status is not None:
            raise _failed(
                f"The kernel of “{record.name}” ended before it {what} ({_ending(status)}).",
                child.output().splitlines(),
            )
        if time.monotonic() > deadline:
            raise _failed(f"The kernel of “{record.name}” took too long until it {what}.", child.output().splitlines())

    ports = _ports(connection)
    while ports is None:
        watch("listened")
        time.sleep(0.01)
        ports = _ports(connection)
    context = zmq.Context()
    try:
        context.linger = 0
        shell = context.socket(zmq.DEALER)
        shell.connect(f"tcp://127.0.0.1:{ports['shell_port']}")
        request = {
            "code": "",
            "silent": True,
            "store_history": False,
            "user_expressions": _EXPRESSIONS,
            "allow_stdin": False,
            "stop_on_error": True,
        }
        asked = _send(shell, key, "execute_request", request)
        reply = None
        while reply is None:
            watch("answered")
            if shell.poll(50):
                reply = _reply_to(asked, shell.recv_multipart(), key)
        answered = time.monotonic()
        control = context.socket(zmq.DEALER)
        control.connect(f"tcp://127.0.0.1:{ports['control_port']}")
        _send(control, key, "shutdown_request", {"restart": False})
        patience = min(deadline, time.monotonic() + _FAREWELL)
        while child.poll() is None and time.monotonic() < patience:
            check()
            control.poll(20)
            if control.poll(0):
                control.recv_multipart()
        return _answers(record, reply, child), answered
    finally:
        context.destroy(linger=0)


def _ports(connection: Path) -> dict[str, int] | None:
    """Return the ports that the kernel chose, or None while it has not (or is just writing them)."""
    try:
        facts = json.loads(connection.read_bytes())
        ports = {name: int(facts[name]) for name in ("shell_port", "control_port")}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return ports if all(ports.values()) else None


def _send(socket: Any, key: bytes, kind: str, content: Mapping[str, Any]) -> str:
    """Send a message of the Jupyter protocol and return its id."""
    identity = secrets.token_hex(16)
    header = {
        "msg_id": identity,
        "msg_type": kind,
        "session": secrets.token_hex(16),
        "username": "jupyter_hpcenv",
        "date": utc_now(),
        "version": "5.3",
    }
    parts = [json.dumps(part).encode() for part in (header, {}, {}, content)]
    socket.send_multipart([_DELIMITER, _signature(key, parts), *parts])
    return identity


def _reply_to(asked: str, frames: list[bytes], key: bytes) -> dict[str, Any] | None:
    """Return the content of the reply to the message *asked*; None for any other, or with a wrong signature."""
    try:
        start = frames.index(_DELIMITER) + 1
        signature, parts = frames[start], frames[start + 1 : start + 5]
        if not hmac.compare_digest(signature, _signature(key, parts)):
            return None
        parent, content = json.loads(parts[1]), json.loads(parts[3])
        return content if parent["msg_id"] == asked and isinstance(content, dict) else None
    except (ValueError, IndexError, KeyError, TypeError):
        return None


def _signature(key: bytes, parts: list[bytes]) -> bytes:
    return hmac.new(key, b"".join(parts), hashlib.sha256).hexdigest().encode()


def _answers(record: Record, reply: Mapping[str, Any], child: process.Child) -> dict[str, str]:
    """Return the values of the expressions; the kernel sends them as a display of their repr."""
    try:
        values = reply["user_expressions"]
        return {name: _text(values[name]["data"]["text/plain"]) for name in _EXPRESSIONS}
    except (KeyError, TypeError, ValueError):
        raise _failed(
            f"The kernel of “{record.name}” answered, but could not evaluate an expression.",
            child.output().splitlines(),
        ) from None


def _text(shown: str) -> str:
    import ast

    value = ast.literal_eval(shown)
    if not isinstance(value, str):
        raise TypeError(shown)
    return value


# -- saying what went wrong -------------------------------------------------


def _failed(message: str, tail: list[str]) -> PreflightFailed:
    lines = [line for line in tail if line.strip()][-_LAST_LINES:]
    own_words = "\n".join(lines)
    hints = []
    for pattern, meaning in _MEANINGS:
        found = re.search(pattern, own_words)
        if found:
            hints.append(meaning.format(*found.groups()))
            break
    return PreflightFailed(message, hints=hints or ["Read what the kernel itself said."], reason=own_words)


def _ending(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else f"exit status {status}"


@contextmanager
def _private_folder() -> Iterator[Path]:
    folder = Path(process.working_folder())
    try:
        yield folder
    finally:
        with suppress(OSError):
            remove_tree(folder)
