"""Start, watch and stop programs: the only place in the project that does.

Every program gets an argument list (never a shell string), an allow-listed environment, no standard
input, and a working folder that nobody else can write. Children stay in the process group of their
worker, so that a signal to the group reaches them all (a child in a session of its own would escape).
"""

from __future__ import annotations

import codecs
import contextlib
import fnmatch
import hashlib
import os
import re
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from .errors import BuildFailed, HpcenvError
from .models import Process

#: Names and patterns that children may inherit: what programs need to find home, network and certificates.
ALLOWED = (
    *("HOME", "USER", "LOGNAME", "SHELL", "PATH", "TERM", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "XDG_*"),
    *("LD_LIBRARY_PATH", "KRB5CCNAME", "NETRC", "PIP_*", "UV_*", "VIRTUALENV_*"),
    *("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("CONDARC", "CONDA_ROOT", "CONDA_EXE", "MAMBA_EXE", "RATTLER_AUTH_FILE", "HPCENV_POLICY", "SLURM_CONF"),
    *("RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS", "MAX_JOBS", "CMAKE_BUILD_PARALLEL_LEVEL"),
)

#: Variables by which builders are told how many threads or processes they may use.
THREADS = (
    *("RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS", "MAX_JOBS", "CMAKE_BUILD_PARALLEL_LEVEL"),
    *("UV_CONCURRENT_BUILDS", "UV_CONCURRENT_INSTALLS"),
)

#: Downloads wait for the network, not for processors: only a limit on processes caps them. 50 is uv's own number.
DOWNLOADS, _MOST_DOWNLOADS = "UV_CONCURRENT_DOWNLOADS", 50

#: Set in every child of an operation, so that strays can be told from other programs of the user.
MARKER = "HPCENV_OPERATION"

_TAIL = 200
_LONGEST_LINE = 8_192


def environment(
    passthrough: Sequence[str] = (),
    extra: Mapping[str, str] | None = None,
    source: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the allow-listed environment for a child: known names, the site's patterns, then *extra*."""
    inherited = os.environ if source is None else source
    patterns = [*ALLOWED, *passthrough, MARKER]
    kept = {k: v for k, v in inherited.items() if any(fnmatch.fnmatchcase(k, p) for p in patterns)}
    kept.setdefault("PATH", os.defpath)
    kept.update(extra or {})
    return kept


def thread_caps(source: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return caps on threads for builders, by the processors and processes that this user may use here.

    A login node shows all its processors and allows few of them; a builder that starts a thread for each
    dies of ``ulimit -u``. What the user has set already is not in the answer.
    """
    inherited = os.environ if source is None else source
    count, downloads = len(os.sched_getaffinity(0)), _MOST_DOWNLOADS
    limit = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if limit != resource.RLIM_INFINITY:
        count, downloads = (max(1, min(number, limit // 32)) for number in (count, downloads))
    caps = {**dict.fromkeys(THREADS, str(count)), DOWNLOADS: str(downloads)}
    return {name: number for name, number in caps.items() if name not in inherited}


class Completed:
    """A program that has ended: ``returncode`` and the last lines that it wrote."""

    def __init__(self, returncode: int, tail: Sequence[str]) -> None:
        self.returncode = returncode
        self.tail = list(tail)

    @property
    def ok(self) -> bool:
        """Tell whether the program said that it worked."""
        return self.returncode == 0


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    check: Callable[[], None] | None = None,
    timeout: float | None = None,
    longest: int = _LONGEST_LINE,
) -> Completed:
    """Run a program to its end, giving each line of its output to *on_line*.

    *check* is called at least every 0.2 s and may raise (a cancelled operation does): the program
    and its descendants are then stopped and the exception goes on. Lines are cut at *longest* characters.
    Raises `BuildFailed` when the program can not be started or takes longer than *timeout* seconds.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    tail: deque[str] = deque(maxlen=_TAIL)
    with _folder(cwd) as folder:
        child = _popen(argv, env, folder)
        try:
            for line in _lines(child, check, deadline, argv[0], longest):
                tail.append(line[:_LONGEST_LINE])
                if on_line is not None:
                    on_line(line)
            return Completed(child.wait(), tail)
        finally:
            if child.poll() is None:
                _stop(child, 2.0)
            if child.stdout is not None:
                child.stdout.close()


class Child:
    """A program that runs beside us, such as the kernel of a preflight."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path | None) -> None:
        self._own_folder = None if cwd else working_folder()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  closed in stop()
        try:
            self._process = _popen(argv, env, Path(cwd or self._own_folder or "/"), self._output.fileno())
        except BaseException:
            self._tidy()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        return self._process.poll()

    def output(self, limit: int = 20_000) -> str:
        """Return the last *limit* bytes of what it wrote on both streams."""
        descriptor = self._output.fileno()
        size = os.fstat(descriptor).st_size
        start = max(0, size - limit)
        return os.pread(descriptor, limit, start).decode(errors="replace")

    def stop(self, grace: float = 2.0) -> int:
        """End it and its descendants (INT, TERM, KILL) and return its exit status."""
        try:
            if self._process.poll() is None:
                _stop(self._process, grace)
            return self._process.wait()
        finally:
            self._tidy()

    def _tidy(self) -> None:
        self._output.close()
        if self._own_folder:
            shutil.rmtree(self._own_folder, ignore_errors=True)


def start(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None) -> Child:
    """Start a program beside us; the caller must `Child.stop` it."""
    return Child(argv, env, cwd)


#: Runs the words after it. They get SIGTERM when the thread that started us ends, as in a server that is killed.
_BOUND = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Bound:
    """A program that runs for as long as it likes, but never longer than the thread of ours that started it.

    It has a session of its own, so that Ctrl-C in our terminal is not for it. *on_line* gets each line of its output,
    on another thread.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], on_line: Callable[[str], None]) -> None:
        self._on_line, self._tail = on_line, deque[str](maxlen=_TAIL)
        wrapped = [sys.executable, "-I", "-S", "-c", _BOUND, str(os.getpid()), *argv]
        self._process = _popen(wrapped, env, Path("/"), session=True)
        self._reader = threading.Thread(target=self._read, name=f"hpcenv-bound-{self._process.pid}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        return self._process.poll()

    def said(self) -> list[str]:
        """Return the last lines that it wrote: all of them once it has ended."""
        if self._process.poll() is not None:
            self._reader.join(1.0)  # a descendant may hold the pipe open
        return list(self._tail)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for raw in iter(lambda: output.readline(_LONGEST_LINE), b""):
                line = raw.decode(errors="replace").rstrip()
                if line:
                    self._tail.append(line)
                    self._on_line(line)


def spawn_worker(argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> int:
    """Start a worker in a session of its own, so that it outlives this process; return its pid.

    What it prints itself (a crash, before its own log is open) goes to *log*.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            close_fds=True,
        )
    child.returncode = 0  # nobody waits for it; reap_workers() does
    _workers.append(child.pid)
    return child.pid


def reap_workers() -> None:
    """Collect workers of this process that have ended, so that they do not stay as zombies."""
    for pid in list(_workers):
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                continue
        with contextlib.suppress(ValueError):  # another thread was faster
            _workers.remove(pid)


_workers: list[int] = []


# -- identity ---------------------------------------------------------------


def identity(pid: int | None = None) -> Process:
    """Return who a process is; raises ProcessLookupError if there is none of that pid."""
    number = os.getpid() if pid is None else pid
    started = _start_time(number)
    if started is None:
        raise ProcessLookupError(number)
    return Process(
        host=socket.gethostname(),
        boot=_boot_id(),
        pid_namespace=_pid_namespace(),
        pid=number,
        start=started,
    )


def is_alive(process: Process) -> bool | None:
    """Tell whether that very process lives; None when this host can not tell."""
    if process.host != socket.gethostname():
        return None
    if process.boot != _boot_id():
        return False
    if process.pid_namespace != _pid_namespace():
        return None
    return _start_time(process.pid) == process.start


def terminate(process: Process, number: signal.Signals = signal.SIGTERM) -> bool:
    """Send a signal to that very process, never to another that got its pid; tell whether it went."""
    if not is_alive(process):
        return False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process.pid, number)
        return True
    return False


def wake(process: Process) -> None:
    """Let that very process go on if somebody stopped it (SIGSTOP, a debugger): it can not obey while it is stopped."""
    terminate(process, signal.SIGCONT)


def kill(process: Process) -> bool:
    """Kill that very process, which did not end when it was asked to; tell whether it was there to be killed."""
    return terminate(process, signal.SIGKILL)


def stop_marked(operation: str) -> int:
    """Kill this user's processes on this host that carry the marker of *operation*; return how many.

    Used when a worker died and its children may still write: they are found by their environment.
    """
    killed = 0
    for pid in _marked(operation):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed


def is_marked(operation: str) -> bool:
    """Tell whether a process of this user on this host carries the marker of *operation*: its worker, or a child."""
    return next(_marked(operation), None) is not None


def _marked(operation: str) -> Iterator[int]:
    wanted = f"{MARKER}={operation}".encode()
    for pid in _pids():
        with contextlib.suppress(OSError):
            if pid != os.getpid() and wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                yield pid


def _pids() -> list[int]:
    with contextlib.suppress(OSError):
        return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]  # noqa: PTH208
    return []


def _boot_id() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def _pid_namespace() -> str:
    with contextlib.suppress(OSError):
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    return ""


def _start_time(pid: int) -> int | None:
    fields = _stat(pid)
    return None if fields is None or fields[0] in ("Z", "X") else int(fields[19])


def _stat(pid: int) -> list[str] | None:
    """Return /proc/PID/stat from the state on; the command before it may hold any character."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


# -- working folders --------------------------------------------------------

_FOLDER = re.compile(r"hpcenv-([0-9a-f]{8})-([0-9a-f]{8})-(\d+)-(\d+)-\w+")
_LEFT = 86_400.0  # seconds; far longer than a program of ours lives that nobody sees


def working_folder() -> str:
    """Make a private folder for a program to work in; its name says whose it is, so that `left_folders` can tell."""
    here = identity()
    machine, boot = _words(here)
    return tempfile.mkdtemp(prefix=f"hpcenv-{machine}-{boot}-{here.pid}-{here.start}-")


def _words(process: Process) -> tuple[str, str]:
    """Return a word for the host (with its pid namespace, in which a pid means something), and one for its boot."""
    texts = (f"{process.host}\n{process.pid_namespace}", process.boot)
    machine, boot = (hashlib.sha256(text.encode()).hexdigest()[:8] for text in texts)
    return machine, boot


def left_folders() -> list[Path]:
    """Return the working folders that processes of this user left here when they were killed; the worker removes them.

    Only those of this host, older than a day, whose process is gone: a folder of another host may be in use.
    """
    (machine, boot), found = _words(identity()), []
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            name = _FOLDER.fullmatch(entry.name)
            if name is None or name[1] != machine:
                continue
            with contextlib.suppress(OSError):
                facts = entry.stat(follow_symlinks=False)
                alive = name[2] == boot and _start_time(int(name[3])) == int(name[4])
                if facts.st_uid == os.geteuid() and time.time() - facts.st_mtime > _LEFT and not alive:
                    found.append(Path(entry.path))
    return found


# -- running and stopping ---------------------------------------------------


@contextlib.contextmanager
def _folder(cwd: Path | None) -> Iterator[Path]:
    if cwd is not None:
        yield cwd
        return
    fresh = working_folder()
    try:
        yield Path(fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _popen(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    output: int = subprocess.PIPE,
    *,
    session: bool = False,
) -> subprocess.Popen[bytes]:
    for argument in argv:
        if "\0" in argument:
            raise BuildFailed(f"An argument of {argv[0]} has a NUL byte in it.")
    try:
        return subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            close_fds=True,
            start_new_session=session,
        )
    except OSError as error:
        raise BuildFailed(
            f"{argv[0]} could not be started: {error.strerror}.",
            hints=["See whether the program is installed and may be executed."],
        ) from error


def _lines(
    child: subprocess.Popen[bytes],
    check: Callable[[], None] | None,
    deadline: float | None,
    program: str,
    longest: int = _LONGEST_LINE,
) -> Iterator[str]:
    """Yield lines until the program has ended *and* closed its output, or only its children hold it."""
    assert child.stdout is not None
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pending = ""
    os.set_blocking(child.stdout.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            ended = child.poll() is not None  # asked first: what it wrote before it ended is in the pipe by now
            ready = selector.select(0 if ended else 0.1)
            if check is not None:
                check()
            if deadline is not None and time.monotonic() > deadline:
                raise BuildFailed(f"{Path(program).name} took too long and was stopped.")
            if not ready:
                if ended:
                    break  # a grandchild may keep the pipe open for ever
                continue
            chunk = os.read(child.stdout.fileno(), 65_536)
            if not chunk:
                break
            *whole, pending = re.split(r"\r\n|\n|\r", pending + decoder.decode(chunk))
            yield from (line[:longest] for line in whole if line.strip())
            pending = pending[-longest:]
    pending += decoder.decode(b"", final=True)
    if pending.strip():
        yield pending


def _stop(child: subprocess.Popen[bytes], grace: float) -> None:
    """Ask, insist, force; descendants that were there at the beginning get the same."""
    family = [child.pid, *_descendants(child.pid)]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        for pid in family:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        until = time.monotonic() + grace
        while time.monotonic() < until:
            child.poll()
            # of the child only wait() tells: while its threads live on, /proc shows it as a zombie already
            if child.returncode is not None and not any(_start_time(pid) is not None for pid in family[1:]):
                return
            time.sleep(0.02)
        family = list(dict.fromkeys([*family, *_descendants(child.pid)]))
    if child.poll() is None:
        raise HpcenvError(f"Process {child.pid} did not end, even when it was killed.")


def _descendants(pid: int) -> list[int]:
    """Return the pids below *pid* as /proc shows them now."""
    children: dict[int, list[int]] = {}
    for other in _pids():
        fields = _stat(other)
        if fields is not None:
            children.setdefault(int(fields[1]), []).append(other)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found
