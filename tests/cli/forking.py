"""Run the command line in processes that are forked from one that has imported it.

To import costs nine tenths of what most commands do, and the tests run hundreds of them. Each is a process of its
own all the same, with its own streams, variables and folder, and ends as a process does. What an interpreter reads
at its start (PYTHONPATH, the locale) it could not get so: `can_fork` says who must start a real one, and
tests/cli/test_forking.py sees both give the same.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import pty
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

#: What commands import when they need it; the rest comes along.
PRELOADED = (
    *("jupyter_hpcenv.cli.app", "jupyter_hpcenv.cli.follow", "jupyter_hpcenv.cli.progress"),
    *("jupyter_hpcenv.cli.inputs", "jupyter_hpcenv.admission"),
    *("jupyter_hpcenv.site.configuration", "jupyter_hpcenv.site.proofreading"),
    *("jupyter_hpcenv.lifecycle.templates", "jupyter_hpcenv.managers.venv", "jupyter_hpcenv.managers.module_only"),
    *("jinja2.sandbox", "jinja2.async_utils", "packaging.requirements", "packaging.tags", "traitlets.config.loader"),
    *("rich.console", "rich.progress", "distlib.index", "logging.config", "importlib.metadata", "_strptime"),
)
#: What is read when an interpreter starts.
READ_AT_START = ("PYTHON", "LANG", "LC_", "MALLOC", "LD_")


def can_fork(given: Mapping[str, str]) -> bool:
    """Tell whether an interpreter with these variables starts as the one that is forked has started."""
    return _read_at_start(given) == _read_at_start(_surroundings())


def _read_at_start(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name.startswith(READ_AT_START)}


def _surroundings() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("LANG", "PATH") if name in os.environ}
    return {**kept, "HOME": "/nonexistent", "JUPYTER_PLATFORM_DIRS": "0"}


class Forks:
    """The process that is forked; one command at a time."""

    def __init__(self) -> None:
        self._door, theirs = socket.socketpair()
        with theirs:
            argv = [sys.executable, str(Path(__file__)), str(theirs.fileno())]
            self._process = subprocess.Popen(
                argv, env=_surroundings(), pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd="/"
            )

    def close(self) -> None:
        self._door.close()
        self._process.wait()

    def start(self, arguments: Sequence[str], env: Mapping[str, str], cwd: Path, *streams: int) -> None:
        """Start a command with those three streams; `wait` must follow."""
        said = json.dumps([list(arguments), dict(env), str(cwd)]).encode()
        with open_memory(said) as command:
            socket.send_fds(self._door, [b"x"], [command.fileno(), *streams])

    def wait(self) -> int:
        """Wait until it has ended and return how, as `subprocess` says it."""
        try:
            return os.waitstatus_to_exitcode(int(self._door.recv(16)))
        except BaseException:  # the test's time is over: who asks next must not get the answer to this
            self._process.kill()
            _forks.clear()
            raise


def open_memory(content: bytes = b"") -> io.FileIO:
    """Return a file in memory that has *content*, from its beginning."""
    file = io.FileIO(os.memfd_create("hpcenv-tests"), "r+")
    file.write(content)
    file.seek(0)
    return file


_forks: list[Forks] = []
_one_at_a_time = threading.Lock()


def forks() -> Forks:
    """Return the one of this test run; started at the first call."""
    if not _forks:
        _forks.append(Forks())
        atexit.register(_forks[0].close)
    return _forks[0]


def run(
    arguments: Sequence[str], env: Mapping[str, str], cwd: Path, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, as `subprocess.run` would."""
    with open_memory(stdin.encode()) as given, open_memory() as output, open_memory() as errors, _one_at_a_time:
        forks().start(arguments, env, cwd, given.fileno(), output.fileno(), errors.fileno())
        status = forks().wait()
        texts = []
        for stream in (output, errors):
            stream.seek(0)
            texts.append(io.TextIOWrapper(io.BytesIO(stream.read())).read())
    return subprocess.CompletedProcess(list(arguments), status, *texts)


def on_a_terminal(arguments: Sequence[str], env: Mapping[str, str], cwd: Path) -> tuple[int, str]:
    """Run one command with a terminal as all three streams; return exit code and what it was sent."""
    controller, terminal = pty.openpty()
    seen = b""
    with _one_at_a_time, os.fdopen(controller, "rb", buffering=0) as screen:
        forks().start(arguments, env, cwd, terminal, terminal, terminal)
        os.close(terminal)
        with contextlib.suppress(OSError):  # EIO: nobody has the terminal open any more
            while part := screen.read(65_536):
                seen += part
        return forks().wait(), seen.decode()


# -- the process that is forked ------------------------------------------------


def serve(door: socket.socket) -> list[str]:
    """Fork for each command, and return its arguments in the child; never returns in the parent."""
    started = dict(os.environ)
    while True:
        message, ancillary, *_ = door.recvmsg(1, socket.CMSG_SPACE(4 * array.array("i").itemsize))
        if not message:
            os._exit(0)
        handed = array.array("i", ancillary[0][2])
        child = os.fork()
        if child == 0:
            door.close()
            return become(started, *handed)
        for number in handed:
            os.close(number)
        door.sendall(str(os.waitpid(child, 0)[1]).encode())


def become(started: Mapping[str, str], command: int, *streams: int) -> list[str]:
    """Take the place that this command was given, and return its arguments."""
    with os.fdopen(command) as file:
        arguments, env, cwd = json.load(file)
    for number, handed in enumerate(streams):
        os.dup2(handed, number)
        os.close(handed)
    os.chdir(cwd)
    sys.path.insert(0, cwd)  # as ``python -m`` does
    os.environ.clear()
    os.environ.update(env)
    if "LC_CTYPE" in started:  # an interpreter that finds no locale sets it, and hands it on
        os.environ.setdefault("LC_CTYPE", started["LC_CTYPE"])
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        old = getattr(sys, name)
        drawn = number == 2 or os.isatty(number)
        mode = "w" if number else "r"
        new = open(number, mode, encoding=old.encoding, errors=old.errors, closefd=False)  # noqa: SIM115
        if number:
            new.reconfigure(line_buffering=drawn)  # type: ignore[union-attr]
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
    return list(arguments)


if __name__ == "__main__":
    sys.path.pop(0)  # this folder, which ``python -m`` would not have
    for each in PRELOADED:
        with contextlib.suppress(ImportError):  # who needs it will say so
            importlib.import_module(each)
    gc.freeze()  # what is never freed need not be copied in each child
    given = serve(socket.socket(fileno=int(sys.argv[1])))
    from jupyter_hpcenv.cli import main

    sys.argv = [str(Path(main.__code__.co_filename).with_name("__main__.py")), *given]
    sys.exit(main())
