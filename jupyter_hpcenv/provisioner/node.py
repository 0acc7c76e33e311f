"""Become a kernel on the node of its job: ``python node.py FOLDER``.

Runs by whatever Python the node has, from 3.6 on, with the standard library alone. It takes what the server has
left in the folder, writes where the kernel will listen, and ends in an exec of the kernel's own launch script, so that
signals of the batch system reach the kernel. Where the kernel may outlive its server, it stays beside it instead, and
ends it when no server has shown itself for as long as the site allows.
"""

import fcntl
import json
import os
import signal
import socket
import struct
import sys
import time

PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
_SIOCGIFADDR = 0x8915
#: Seconds between two looks whether a server is there, and that a kernel has to end.
_LOOK, _GRACE = 20.0, 10.0
#: Bytes of what the kernel writes past Jupyter that are kept.
_LONGEST = 1000000


def main(folder: str) -> None:
    """Do all that; returns only where something is wrong."""
    with open(os.path.join(folder, "start.json")) as file:
        start = json.load(file)
    if os.path.exists(os.path.join(folder, "connection.json")):
        raise SystemExit("This job began once before; a kernel whose node failed is not begun a second time.")
    keep = start.get("keep", 0)
    if keep and silence(folder) > keep:
        raise SystemExit("The server that wanted this kernel is gone.")
    connection = dict(start["connection"], ip=address(start["interface"], start["boot"], start["server"]))
    connection.update(zip(PORTS, ports(connection["ip"])))
    write(os.path.join(folder, "connection.json"), json.dumps(connection))
    env = dict(os.environ, **start["env"])
    env.pop("JPY_PARENT_PID", None)
    try:
        os.chdir(start["cwd"])
    except OSError as error:
        os.chdir(os.path.expanduser("~"))
        sys.stderr.write(f"{start['cwd']}: {error.strerror}; the kernel begins in your home.\n")
    if keep:
        stay(folder, keep, start["argv"], env)
    os.execvpe(start["argv"][0], start["argv"], env)


def stay(folder: str, keep: float, argv: "list[str]", env: "dict[str, str]") -> None:
    """Start the kernel, and see to its end; returns only in the process that is to become it."""
    awaited = {signal.SIGCHLD, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    kernel = os.fork()
    if kernel == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, awaited)
        return
    until, alone = float("inf"), 0
    while True:
        told = signal.sigtimedwait(awaited, min(_LOOK, keep / 3))
        found, status = os.waitpid(kernel, os.WNOHANG)
        if found:
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            if os.path.isdir(folder):
                write(os.path.join(folder, "ended.json"), json.dumps({"code": code}))
            os._exit(0 if code == 0 else 1)
        if told is not None and told.si_signo == signal.SIGTERM:
            os.kill(kernel, signal.SIGTERM)
        elif time.time() > until:
            os.kill(kernel, signal.SIGKILL)
        elif told is None:
            alone = alone + 1 if silence(folder) > keep else 0
            if alone > 1:  # a file server may err once
                sys.stderr.write("No server has asked for this kernel any more, so it ends.\n")
                os.kill(kernel, signal.SIGTERM)
                until = min(until, time.time() + _GRACE)
            shorten(os.path.join(folder, "job.out"))


def silence(folder: str) -> float:
    """Return the seconds since a server has shown itself, by the file server's clock; inf when it has cleared up."""
    try:
        seen = os.stat(os.path.join(folder, "server.json")).st_mtime
        mark = os.path.join(folder, "node")
        with open(mark, "w"):
            os.utime(mark)
        return os.stat(mark).st_mtime - seen
    except FileNotFoundError:
        return float("inf")
    except OSError:
        return 0.0  # the file server is away: nothing is known


def shorten(path: str) -> None:
    """Empty what the batch system writes to, when it has grown long."""
    try:
        if os.path.getsize(path) > _LONGEST:
            os.truncate(path, 0)
    except OSError:
        pass


def address(interface: str, server_boot: str, server: "list[str]") -> str:
    """Return the address at which the server reaches this node."""
    if interface:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            packed = struct.pack("256s", interface.encode()[:15])
            return socket.inet_ntoa(fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, packed)[20:24])
    if server_boot == boot():
        return "127.0.0.1"  # the server's own computer is the node
    problem = "its name leads to no address"
    for target in server:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))  # sends nothing: it only chooses the route
                return str(probe.getsockname()[0])
        except OSError as error:
            problem = str(error.strerror)
    raise SystemExit(f"No route leads from this node to the server ({', '.join(server)}): {problem}.")


def boot() -> str:
    """Return the id of this computer's start."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return "unknown"


def ports(ip: str) -> "list[int]":
    """Return a free port for each channel."""
    sockets = [socket.socket() for _ in PORTS]
    try:
        for each in sockets:
            each.bind((ip, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def write(path: str, text: str) -> None:
    """Write it in one step, for this user alone: it holds the keys of the connection."""
    descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".new", path)


if __name__ == "__main__":
    main(sys.argv[1])
