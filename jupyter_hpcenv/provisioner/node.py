"""Become a kernel on the node of its job: ``python node.py FOLDER``.

Runs by whatever Python the node has, from 3.6 on, with the standard library alone. It takes what the server has
left in the folder, writes where the kernel will listen, and ends in an exec of the kernel's own launch script, so that
signals of the batch system reach the kernel.
"""

import fcntl
import json
import os
import socket
import struct
import sys

PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
_SIOCGIFADDR = 0x8915


def main(folder: str) -> None:
    """Do all that; returns only where something is wrong."""
    with open(os.path.join(folder, "start.json")) as file:
        start = json.load(file)
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
    os.execvpe(start["argv"][0], start["argv"], env)


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
