"""Talk to jupyter_hpcenv from a notebook, with the verbs of the command line.

This file stands alone: it needs the standard library and nothing of the package, so it works in any
environment, also when it is copied there. It finds the server that started the kernel it runs in, and
gives that server's token to nobody else: the runtime file must be the user's own and private, its
process must live here and be the user's, and so must be the socket that listens. Redirects are not
followed, and the token travels only in the Authorization header.

    from jupyter_hpcenv.client import Client

    client = Client()
    client.create("climate", packages=["numpy", "pandas"])
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import os
import re
import socket
import ssl
import stat
import struct
import time
import urllib.parse
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # evaluated by type checkers only, so that older Pythons can import this file
    from collections.abc import Callable

    Row = dict[str, Any]
    Rows = list[dict[str, Any]]
    OnLine = Callable[[Row], object]

__all__ = ["Client", "HpcenvClientError"]

FINISHED = frozenset({"succeeded", "failed", "cancelled", "interrupted"})
_LARGEST_ANSWER = 64_000_000  # bytes
_LARGEST_FILE = 100_000  # bytes
_LISTEN = "0A"  # TCP_LISTEN of the Linux kernel, as /proc/net/tcp shows it


class HpcenvClientError(Exception):
    """What the server refused, or why none was asked; ``status`` is HTTP's, 0 where nothing was sent."""

    def __init__(self, message: str, code: str = "error", hints: tuple[str, ...] = (), status: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hints = tuple(hints)
        self.status = status

    def __str__(self) -> str:
        """Return the message and each hint on a line of its own, as a notebook shows them."""
        return "\n".join([self.message, *("→ " + hint for hint in self.hints)])


class Client:
    """The jupyter_hpcenv of one Jupyter Server.

    Without arguments, the server of the kernel that this runs in. With *url* (that of the server,
    with its base path and without “lab”), *token* is sent there, without further checks; a token in the
    URL's query is taken from it.
    """

    def __init__(self, url: str | None = None, token: str | None = None, timeout: float = 60.0) -> None:
        self.timeout = timeout
        self._server = _given(url, token) if url else _find(token)

    def __repr__(self) -> str:
        """Return where it leads, never the token."""
        return f"Client({self._server.url!r})"

    def __getstate__(self) -> object:
        """Refuse to be pickled: the token would end in a file."""
        raise TypeError("A Client is not pickled, because it holds a token; make a new one.")

    # -- environments -------------------------------------------------------

    def create(
        self,
        name: str,
        packages: tuple[str, ...] | Rows | object = (),
        *,
        preset: str = "",
        parameters: Row | None = None,
        wait: bool = True,
        on_line: OnLine | None = None,
        **request: Any,
    ) -> Row:
        """Create an environment and return it; with ``wait=False``, return the operation at once.

        *request* takes the other fields of the REST request: python, location, prefix, manager, installer,
        creator, requirements, file, extras, groups, system_site_packages, modules, collection, build_variables,
        channels, virtual_packages, variables, display_name, kernel, profile, and “on”: a dictionary of what a job of
        the batch system asks for (partition, constraint, account, qos, time, cpus, memory, gpus), to build there.
        Interrupting the cell cancels the build.
        A *preset* with its *parameters* fills the request first; what is asked for besides is added to its lists and
        mappings, and replaces its other values, as on the command line.
        *on_line* gets each line of the log as a dictionary.
        """
        if isinstance(packages, str):
            raise TypeError("packages is a list of requirements, not one text.")
        body = {"name": name, "packages": list(packages), **request}  # type: ignore[call-overload]
        if preset:
            body = _over(self.fill_preset(preset, **(parameters or {})), body)
        elif parameters:
            raise TypeError("parameters are those of a preset, and none is named.")
        ended = self._carried_out("environments", body, wait=wait, on_line=on_line)
        return self.show(ended["environment"]["id"]) if wait else ended

    def clone(self, source: str, name: str, *, wait: bool = True, on_line: OnLine | None = None, **request: Any) -> Row:
        """Make an environment again under another name, with exactly its packages, and return it.

        *request* takes location, prefix, python, variables, display_name and kernel, as `create` does.
        """
        return self.create(name, wait=wait, on_line=on_line, clone_of=source, **request)

    def change(
        self,
        reference: str,
        *,
        install: tuple[str, ...] | Rows | object = (),
        update: tuple[str, ...] | Rows | object = (),
        remove: tuple[str, ...] | Rows | object = (),
        update_all: bool = False,
        dry_run: bool = False,
        on_line: OnLine | None = None,
    ) -> Row:
        """Install, update and remove packages in one transaction; return what came, changed and went.

        With *dry_run* nothing is changed. A change after which the kernel does not start is taken back, and raises.
        """
        body: Row = {"update_all": update_all, "dry_run": dry_run}
        for name, texts in (("install", install), ("update", update), ("remove", remove)):
            if isinstance(texts, str):
                raise TypeError(f"{name} is a list of packages, not one text.")
            body[name] = list(texts)  # type: ignore[call-overload]
        ended = self._carried_out(f"environments/{self._id(reference)}/changes", body, wait=True, on_line=on_line)
        return _row(ended["result"] if dry_run else ended["result"].get("plan", {}))

    def targets(self) -> Row:
        """Return what the batch system offers: its partitions, with their features and longest times."""
        return _row(self._ask("GET", "targets"))

    def profiles(self) -> Rows:
        """Return what kernels may run in besides the server's own computer; give a name of one as “profile”."""
        return _rows(self._ask("GET", "profiles"))

    def packages(self, reference: str) -> Rows:
        """Return what is installed in an environment."""
        return _rows(self._ask("GET", f"environments/{self._id(reference)}/packages"))

    def export(self, reference: str, format: str = "") -> str:
        """Return what an environment holds as the text of a file; *format* is such as ``explicit.txt``."""
        return str(self._ask("GET", f"environments/{self._id(reference)}/export", format=format)["text"])

    def rebuild(self, reference: str, *, python: str = "", on_line: OnLine | None = None) -> Row:
        """Build an environment again whose prefix, or whose Python, is gone; return it with its “differences”."""
        return self._built_again(reference, "rebuild", {"python": python}, on_line)

    def move(self, reference: str, location: str, *, on_line: OnLine | None = None) -> Row:
        """Build an environment at another location, trash it where it was, and return it with its “differences”."""
        return self._built_again(reference, "move", {"location": location}, on_line)

    def build(self, reference: str, target: str = "", *, on_line: OnLine | None = None) -> Row:
        """Build an environment for one more kind of computer (empty: the server's); return it with “differences”."""
        return self._built_again(reference, "builds", {"target": target}, on_line)

    def drop_build(self, reference: str, target: str) -> None:
        """Remove the build of an environment for a kind of computer; the environment and its other builds stay."""
        self._ask("DELETE", f"environments/{self._id(reference)}/builds/{_part(target)}")

    def _built_again(self, reference: str, verb: str, body: Row, on_line: OnLine | None) -> Row:
        ended = self._carried_out(f"environments/{self._id(reference)}/{verb}", body, wait=True, on_line=on_line)
        differences = (ended["result"] or {}).get("differences", [])
        return {**self.show(ended["environment"]["id"]), "differences": differences}

    def share(self, reference: str, *, group: str = "", everybody: bool = False, on_line: OnLine | None = None) -> Row:
        """Let a group or everybody use an environment, and return it; nobody but its owner can change it."""
        body = {"group": group, "everybody": everybody}
        ended = self._carried_out(f"environments/{self._id(reference)}/share", body, wait=True, on_line=on_line)
        return self.show(ended["environment"]["id"])

    def unshare(self, reference: str, *, on_line: OnLine | None = None) -> Row:
        """Close an environment to all but its owner, and return it."""
        ended = self._carried_out(f"environments/{self._id(reference)}/unshare", {}, wait=True, on_line=on_line)
        return self.show(ended["environment"]["id"])

    def use(self, reference: str, *, modulefile: bool = False) -> Row:
        """Get a kernel for an environment that a colleague shares, and return it."""
        return _row(self._ask("POST", f"environments/{self._id(reference)}/use", body={"modulefile": modulefile}))

    def unuse(self, reference: str) -> None:
        """Take that kernel away again; the environment is not touched."""
        self._ask("POST", f"environments/{self._id(reference)}/unuse", body={})

    def adopt(self, prefix: str, *, kernel: bool = True, modulefile: bool = False) -> Row:
        """Give an environment that another tool made a kernel, and return it; nothing is written into it."""
        body = {"prefix": prefix, "kernel": kernel, "modulefile": modulefile}
        return _row(self._ask("POST", "adopted", body=body))

    def check(self, reference: str, *, hashes: bool = False) -> Row:
        """Return whether the files of an environment are as they were installed; with *hashes* each byte counts."""
        return _row(self._ask("GET", f"environments/{self._id(reference)}/health", hash="1" if hashes else ""))

    def findings(self, reference: str = "") -> Rows:
        """Return what is wrong with an environment; without one, with the account and all environments of one's own."""
        return _rows(self._ask("GET", f"environments/{self._id(reference)}/findings" if reference else "findings"))

    def history(self, reference: str) -> Rows:
        """Return what was done to an environment, by whom and when, the oldest first."""
        return _rows(self._ask("GET", f"environments/{self._id(reference)}/history"))

    def undo(self, reference: str, *, dry_run: bool = False, on_line: OnLine | None = None) -> Row:
        """Undo what was done last, a deletion or a change of packages; return what was done.

        With *dry_run*, return what could be undone and what that would change.
        """
        try:
            identifier = self._id(reference)
        except HpcenvClientError as error:
            if error.code != "not_found":
                raise
            identifier = self._trashed(reference)
        path = f"environments/{identifier}/undo"
        if dry_run:
            return _row(self._ask("GET", path))
        done = self._carried_out(path, {}, wait=False, on_line=None)
        if done["state"] not in FINISHED:
            done = self.follow(done["id"], on_line)
        if done["state"] != "succeeded":
            raise _failure(done)
        return _row(done["result"])

    def search(self, query: str, *, environment: str = "", manager: str = "", limit: int = 20) -> Rows:
        """Return where a package can be had; who could not be asked is a row without a version, with a note."""
        identifier = self._id(environment) if environment else ""
        return _rows(self._ask("GET", "search", query=query, environment=identifier, manager=manager, limit=str(limit)))

    def sizes(self) -> Rows:
        """Return how large environments are; where “measuring” is true, ask again for the figures."""
        return _rows(self._ask("GET", "sizes"))

    def caches(self) -> Rows:
        """Return where installers keep packages; where “measuring” is true, ask again for the figures."""
        return _rows(self._ask("GET", "caches"))

    def clean_caches(self, *names: str, dry_run: bool = False) -> Rows:
        """Clean caches, all without *names*, and return what went of each; with *dry_run* only say what would go."""
        return _rows(self._ask("POST", "caches/clean", body={"caches": list(names), "dry_run": dry_run}))

    def _carried_out(self, path: str, body: Row, *, wait: bool, on_line: OnLine | None) -> Row:
        """Submit an operation and return it: at once, or once it has succeeded; else its failure is raised."""
        # One key for both tries: if only the answer was lost, the second gets the same operation.
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        try:
            operation = self._ask("POST", path, body=body, headers=headers)
        except _LostError:
            operation = self._ask("POST", path, body=body, headers=headers)
        if not wait:
            return _row(operation)
        identifier = operation["id"]
        try:
            ended = self.follow(identifier, on_line)
        except KeyboardInterrupt:
            with contextlib.suppress(HpcenvClientError):
                self.cancel(identifier)
                self.follow(identifier, on_line)
            raise
        if ended["state"] != "succeeded":
            raise _failure(ended)
        return ended

    def list(self, query: str = "", *, location: str = "") -> Rows:
        """Return environments; with a *query*, those that have all its words."""
        return _rows(self._ask("GET", "environments", query=query, location=location))

    def show(self, reference: str) -> Row:
        """Return one environment: its id, NAME or LOCATION/NAME."""
        return _row(self._ask("GET", f"environments/{self._id(reference)}"))

    def delete(self, reference: str, *, now: bool = False, force: bool = False) -> Row:
        """Move an environment to the trash and return the item; with *now* it can not be restored."""
        path = f"environments/{self._id(reference)}"
        return _row(self._ask("DELETE", path, now="1" if now else "", force="1" if force else ""))

    def restore(self, reference: str) -> Row:
        """Bring an environment back from the trash and return it."""
        return _row(self._ask("POST", f"trash/{self._trashed(reference)}/restore", body={}))

    def trash(self) -> Rows:
        """Return what can be restored."""
        return _rows(self._ask("GET", "trash"))

    def empty(self, reference: str | None = None) -> Rows:
        """Remove one item, or all, of the trash for good, and return what went."""
        wanted = None if reference is None else self._trashed(reference)
        gone = [item for item in self.trash() if wanted in (None, item["id"])]
        for item in gone:
            self._ask("DELETE", f"trash/{item['id']}")
        return gone

    def kernels(self) -> Rows:
        """Return the kernels of environments."""
        return _rows(self._ask("GET", "kernels"))

    # -- operations ---------------------------------------------------------

    def operations(self) -> Rows:
        """Return operations, newest first."""
        return _rows(self._ask("GET", "operations"))

    def operation(self, identifier: str) -> Row:
        """Return one operation."""
        return _row(self._ask("GET", f"operations/{_part(identifier)}", no_track_activity="1"))

    def log(self, identifier: str, offset: int = 0) -> Row:
        """Return ``{lines, offset, complete}``: the log from byte *offset* on."""
        path = f"operations/{_part(identifier)}/log"
        return _row(self._ask("GET", path, offset=str(offset), no_track_activity="1"))

    def follow(self, identifier: str, on_line: OnLine | None = None) -> Row:
        """Wait until an operation is finished and return it; *on_line* gets each line of its log."""
        offset, pause = 0, 0.1
        while True:
            operation = self.operation(identifier)  # before the log: no line follows the final state
            if on_line is not None:
                offset = self._pass_on(identifier, offset, on_line)
            if operation["state"] in FINISHED:
                return operation
            time.sleep(pause)
            pause = min(1.0, pause * 1.3)

    def _pass_on(self, identifier: str, offset: int, on_line: OnLine) -> int:
        while True:
            part = self.log(identifier, offset)
            for line in part["lines"]:
                on_line(line)
            if part["complete"] or part["offset"] == offset:
                return int(part["offset"])
            offset = part["offset"]

    def cancel(self, identifier: str) -> Row:
        """Ask an operation to stop, and return it."""
        return _row(self._ask("POST", f"operations/{_part(identifier)}/cancel", body={}))

    # -- the site -----------------------------------------------------------

    def site(self) -> Row:
        """Return what the site offers: managers, Pythons, locations, rules."""
        return _row(self._ask("GET", "site"))

    def presets(self) -> Rows:
        """Return the requests that the site's staff prepared, each with the JSON Schema of its parameters."""
        return _rows(self.site().get("presets"))

    def fill_preset(self, preset: str, **parameters: Any) -> Row:
        """Return the request that a preset makes of *parameters*: give it to `create` as ``**request``."""
        filled = _row(self._ask("POST", f"presets/{_part(preset)}", body={"parameters": parameters}))
        return {name: value for name, value in filled.items() if name != "name"}

    def pythons(self) -> Rows:
        """Return the Pythons that environments can be made from."""
        return _rows(self.site().get("pythons"))

    def locations(self) -> Rows:
        """Return the places for environments."""
        return _rows(self.site().get("locations"))

    # -- asking -------------------------------------------------------------

    def _id(self, reference: str) -> str:
        if re.fullmatch(r"[0-9a-f]{32}", reference):
            return reference
        return _one(self.list(), reference, "environment")

    def _trashed(self, reference: str) -> str:
        items = self.trash()  # newest first, so the one deleted last is meant
        for item in items:
            if reference in (item["id"], item["name"], f"{item['location']}/{item['name']}"):
                return str(item["id"])
        raise HpcenvClientError(f"{reference!r} is not in the trash.", "not_found", status=404)

    def _ask(
        self, method: str, path: str, *, body: object = None, headers: dict[str, str] | None = None, **query: str
    ) -> Any:
        chosen = {name: value for name, value in query.items() if value}
        target = f"{self._server.base}hpcenv/{path}" + ("?" + urllib.parse.urlencode(chosen) if chosen else "")
        data = None if body is None else json.dumps(body).encode()
        status, content = _exchange(self._server, method, target, data, headers or {}, self.timeout)
        return _answer(self._server, status, content)


def _over(prepared: Row, asked: Row) -> Row:
    """Return a request as it was prepared, with what is asked for besides: lists and mappings grow, the rest wins."""
    whole = dict(prepared)
    for field, wanted in asked.items():
        there = prepared.get(field)
        if isinstance(wanted, list) and isinstance(there, list):
            wanted = [*there, *(each for each in wanted if each not in there)]
        elif isinstance(wanted, dict) and isinstance(there, dict):
            wanted = {**there, **wanted}
        whole[field] = wanted
    return whole


# -- servers ------------------------------------------------------------------


class _Secret:
    """Hold a token so that neither a repr nor a traceback with local variables shows it."""

    def __init__(self, text: str) -> None:
        self._text = text.strip()  # one that was read from a file ends in a line break
        if not (self._text.isascii() and self._text.isprintable()):
            raise HpcenvClientError(
                "The token has characters in it that no token has.",
                "invalid_request",
                ("Give the token alone, as the server printed it.",),
            )

    def header(self) -> dict[str, str]:
        """Return the header that proves who asks; none without a token."""
        return {"Authorization": f"token {self._text}"} if self._text else {}

    def out_of(self, text: str) -> str:
        """Return *text* without the token, should a server send it back."""
        return text.replace(self._text, "…") if self._text else text

    def __repr__(self) -> str:
        return "<token>"


class _Server(NamedTuple):
    url: str
    """For people: no token, no user."""
    secure: bool
    host: str
    port: int
    sock: str
    """Path of a UNIX socket, or empty."""
    base: str
    """Path, with a slash at both ends."""
    secret: _Secret
    found: bool
    """Found by us, so it must prove to be the user's own; otherwise the user named it."""


def _given(url: str, token: str | None) -> _Server:
    parts, query = _parts(url)
    return _server(parts, token if token is not None else query.get("token", [""])[0], found=False)


def _parts(url: str) -> tuple[urllib.parse.SplitResult, dict[str, Any]]:
    try:
        parts = urllib.parse.urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urllib.parse.urlsplit("")
    if parts.scheme not in ("http", "https", "http+unix") or not parts.hostname or parts.username is not None:
        raise HpcenvClientError(
            "That is no URL of a Jupyter Server.", "invalid_request", ("Give one like http://127.0.0.1:8888/.",)
        )
    return parts, urllib.parse.parse_qs(parts.query)


def _server(parts: urllib.parse.SplitResult, token: str, *, found: bool, base: str = "") -> _Server:
    secure = parts.scheme == "https"
    path = base or parts.path
    path = "/" + path.strip("/") + ("/" if path.strip("/") else "")
    host = parts.hostname or ""
    port = parts.port or (443 if secure else 80)
    shown, sock = (f"[{host}]" if ":" in host else host) + f":{port}", ""
    if parts.scheme == "http+unix":  # the socket's path, quoted, stands where a host would
        shown, sock = parts.netloc, urllib.parse.unquote(parts.netloc)
    url = f"{parts.scheme}://{shown}{path}"
    return _Server(url, secure, host, port, sock, path, _Secret(token), found)


def _find(token: str | None) -> _Server:
    """Return the server of this kernel, else the only one that runs; raises `HpcenvClientError`."""
    folder = _runtime_folder()
    parent = os.environ.get("JPY_PARENT_PID", "")
    if parent.isascii() and parent.isdigit():
        path = folder / f"jpserver-{int(parent)}.json"
        if path.exists() or path.is_symlink():
            return _described(path, token)  # if it is refused, no other one is guessed instead
    own, refused = [], []
    for path in sorted(folder.glob("jpserver-*.json")) if folder.is_dir() else []:
        try:
            own.append(_described(path, token))
        except HpcenvClientError as error:
            refused.append(error)
    if len(own) == 1:
        return own[0]
    if own:
        raise HpcenvClientError(
            f"{len(own)} Jupyter Servers of yours are running here: {', '.join(server.url for server in own)}.",
            "ambiguous",
            ("Say which: Client(url, token).",),
        )
    public = os.environ.get("JUPYTERHUB_PUBLIC_URL", "")
    if public.startswith("https://"):
        # A kernel on another node: the certificate of the hub's proxy proves who gets the token.
        return _server(_parts(public)[0], _hub_token() if token is None else token, found=False)
    if refused:
        raise refused[-1]
    raise HpcenvClientError(
        "No Jupyter Server of yours runs on this host.",
        "not_found",
        ("Run this in a notebook of the server, or name it: Client(url, token).",),
    )


def _runtime_folder() -> Path:
    """Return where Jupyter keeps its runtime files on Linux, as `jupyter_core.paths` finds it."""
    for variable, below in (("JUPYTER_RUNTIME_DIR", ""), ("JUPYTER_DATA_DIR", "runtime"), ("XDG_DATA_HOME", "")):
        value = os.environ.get(variable)
        if value:
            return Path(value, "jupyter", "runtime") if variable == "XDG_DATA_HOME" else Path(value, below)
    return Path(os.path.expanduser("~/.local/share/jupyter/runtime"))  # noqa: PTH111  never raises


def _described(path: Path, token: str | None) -> _Server:
    """Return the server that a runtime file describes, after all that can be checked without asking it."""
    info = _own_file(path)
    pid = info.get("pid")
    url = info.get("url")
    if not isinstance(pid, int) or not isinstance(url, str):
        raise _refused(f"{path} does not describe a server.")
    if path.name != f"jpserver-{pid}.json" or not _is_my_process(pid):
        raise _refused(f"{path} is of a process that is gone, or is not yours on this host.")
    parts, _ = _parts(url)
    base = str(info.get("base_url") or parts.path)
    chosen = token if token is not None else str(info.get("token") or "")
    if not chosen and base == os.environ.get("JUPYTERHUB_SERVICE_PREFIX"):
        chosen = _hub_token()  # a single-user server of a hub has no token of its own
    server = _server(parts, chosen, found=True, base=base)
    sock = info.get("sock")
    return server._replace(sock=sock) if isinstance(sock, str) and sock else server


def _hub_token() -> str:
    return os.environ.get("JUPYTERHUB_API_TOKEN", "")


def _refused(message: str) -> HpcenvClientError:
    return HpcenvClientError(
        message + " The token was not sent.", "refused", ("Name the server yourself: Client(url, token).",)
    )


def _own_file(path: Path) -> Row:
    """Return the JSON in a file that only this user could write and read; raises `HpcenvClientError`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(f"{path} can not be opened: {error.strerror}.") from None
    try:
        facts = os.fstat(descriptor)
        mode = stat.S_IMODE(facts.st_mode)
        if not stat.S_ISREG(facts.st_mode):
            raise _refused(f"{path} is not a regular file.")
        if facts.st_uid != os.geteuid():
            raise _refused(f"{path} belongs to another user (uid {facts.st_uid}).")
        if mode & 0o077:
            raise _refused(f"{path} can be reached by others (mode {mode:04o}).")
        data = os.read(descriptor, _LARGEST_FILE)
    finally:
        os.close(descriptor)
    try:
        info = json.loads(data)
    except (ValueError, RecursionError):
        info = None
    if not isinstance(info, dict):
        raise _refused(f"{path} is damaged.")
    return info


def _is_my_process(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return False
    facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return facts["Uid"].split()[1] == str(os.geteuid()) and facts["State"].split()[0] not in ("Z", "X")


# -- sockets ------------------------------------------------------------------


class _Listener(NamedTuple):
    family: int
    address: str
    uid: int
    inode: int


def _listeners(port: int) -> list[_Listener]:
    """Return the sockets that listen on a TCP port of this host (of this network namespace), as /proc shows them."""
    found = []
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        try:
            rows = Path(f"/proc/self/net/{name}").read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            host, _, number = fields[1].partition(":")
            if fields[3] == _LISTEN and int(number, 16) == port:
                words = [struct.pack("=I", int(host[i : i + 8], 16)) for i in range(0, len(host), 8)]
                address = socket.inet_ntop(family, b"".join(words))
                found.append(_Listener(int(family), address, int(fields[7]), int(fields[9])))
    return found


def _reachable_by(address: str, listener: _Listener) -> bool:
    """Tell whether a connection to *address* may end at *listener*; a wildcard of IPv6 takes IPv4, too."""
    asked, bound = ipaddress.ip_address(address), ipaddress.ip_address(listener.address)
    bound = getattr(bound, "ipv4_mapped", None) or bound
    if bound.is_unspecified:
        return bound.version == asked.version or bound.version == 6
    return asked == bound


def _own_address(port: int) -> tuple[str, list[_Listener]]:
    """Return an address of this host at which only this user's sockets answer, loopback first.

    The URL's host is not asked for: “localhost” may mean ::1, where somebody else listens.
    """
    for pause in (0.0, 0.02, 0.1, 0.3):  # while sockets come and go on the host, /proc may leave one out
        time.sleep(pause)
        every = _listeners(port)
        mine = [each for each in every if each.uid == os.geteuid()]
        if mine:
            break
    addresses = []
    for each in mine:
        address = ipaddress.ip_address(each.address)
        address = getattr(address, "ipv4_mapped", None) or address
        if address.is_unspecified:
            addresses += ["127.0.0.1", "::1"] if address.version == 6 else ["127.0.0.1"]
        else:
            addresses.append(str(address))
    for candidate in sorted(dict.fromkeys(addresses), key=lambda a: not ipaddress.ip_address(a).is_loopback):
        there = [each for each in every if _reachable_by(candidate, each)]
        if all(each.uid == os.geteuid() for each in there):
            return candidate, there
    others = sorted({each.uid for each in every} - {os.geteuid()})
    raise _refused(
        f"Port {port} is listened on by another user (uid {', '.join(map(str, others))})."
        if others
        else f"Nothing of yours listens on port {port} of this host."
    )


def _connect(server: _Server, timeout: float) -> socket.socket:
    """Return a connection to *server*, proven to end at this user's own process if the server was found."""
    if server.sock:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(timeout)
        link.connect(server.sock)
        peer = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
        if server.found and peer[1] != os.geteuid():
            link.close()
            raise _refused(f"{server.sock} is listened on by another user (uid {peer[1]}).")
        return link
    if not server.found:
        link = socket.create_connection((server.host, server.port), timeout)
        return ssl.create_default_context().wrap_socket(link, server_hostname=server.host) if server.secure else link
    address, before = _own_address(server.port)
    link = socket.create_connection((address, server.port), timeout)
    # A socket's inode number is not used again: the same listeners before and after had the port all the time.
    after = [each for each in _listeners(server.port) if _reachable_by(address, each)]
    if after != before:
        link.close()
        raise _refused(f"Another process took port {server.port} in this moment.")
    if not server.secure:
        return link
    # Such certificates are mostly the server's own; that the peer is the user's process is proven already.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(link, server_hostname=server.host)


class _LostError(HpcenvClientError):
    """The request may have arrived; only its answer did not."""


def _exchange(
    server: _Server, method: str, target: str, data: bytes | None, headers: dict[str, str], timeout: float
) -> tuple[int, bytes]:
    """Send one request and return status and body; a redirect is an answer like any other."""
    try:
        link = _connect(server, timeout)
    except OSError as error:
        raise HpcenvClientError(
            f"{server.url} can not be reached: {error.strerror or error}.",
            "unreachable",
            ("See whether the server runs.",),
        ) from None
    peer = link.getpeername()
    host = "localhost" if server.sock else peer[0] if server.found else server.host
    host = f"[{host}]" if ":" in host else host
    connection = http.client.HTTPConnection("localhost", timeout=timeout)
    connection.sock = link
    fixed = {"Host": host if server.sock else f"{host}:{server.port}", "Accept": "application/json"}
    if data is not None:
        fixed["Content-Type"] = "application/json"
    try:
        connection.request(method, target, body=data, headers={**headers, **fixed, **server.secret.header()})
        answer = connection.getresponse()
        content = answer.read(_LARGEST_ANSWER + 1)
    except (OSError, http.client.HTTPException) as error:
        raise _LostError(
            f"The connection to {server.url} was lost: {type(error).__name__}.", "unreachable", ("Try again.",)
        ) from None
    finally:
        connection.close()
    if len(content) > _LARGEST_ANSWER:
        raise HpcenvClientError(f"The answer of {server.url} is too long.", "bad_answer", status=answer.status)
    return answer.status, content


def _answer(server: _Server, status: int, content: bytes) -> Any:
    """Return what a good answer holds; raises `HpcenvClientError` for any other."""
    try:
        value = json.loads(content) if content.strip() else None
    except ValueError:
        value = None
    if 200 <= status < 300:
        return value
    if 300 <= status < 400:
        raise HpcenvClientError(
            f"{server.url} sent us elsewhere, which is not followed.",
            "redirected",
            ("See whether URL and token are right.",),
            status,
        )
    known = value if isinstance(value, dict) else {}
    if "code" in known:
        hints = tuple(server.secret.out_of(str(hint)) for hint in known.get("hints") or ())
        message = server.secret.out_of(str(known.get("message") or "The request was refused."))
        if known.get("reason"):
            message += "\n" + server.secret.out_of(str(known["reason"]))
        raise HpcenvClientError(message, str(known["code"]), hints, status)
    if status in (401, 403):
        raise HpcenvClientError(
            f"{server.url} does not accept the token.",
            "forbidden",
            ("A server that has only a password gives no token to its kernels: name one, Client(url, token).",),
            status,
        )
    if status == 404:
        raise HpcenvClientError(
            f"{server.url} does not have that; jupyter_hpcenv may not be enabled there.", "not_found", (), status
        )
    message = server.secret.out_of(str(known.get("message") or ""))
    raise HpcenvClientError(message or f"{server.url} answered with status {status}.", "error", (), status)


# -- answers ------------------------------------------------------------------


def _row(value: Any) -> Row:
    if not isinstance(value, dict):
        raise HpcenvClientError("The server's answer is not what it should be.", "bad_answer")
    return value


def _rows(value: Any) -> Rows:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise HpcenvClientError("The server's answer is not what it should be.", "bad_answer")
    return value


def _part(identifier: str) -> str:
    return urllib.parse.quote(identifier, safe="")


def _one(rows: Rows, reference: str, what: str) -> str:
    """Return the id of the one row that *reference* means; ours come before those of other tools."""
    named = [row for row in rows if reference in (row["name"], f"{row['location']}/{row['name']}")]
    found = [row for row in named if row.get("origin") != "foreign"] or named
    if not found:
        raise HpcenvClientError(f"There is no {what} {reference!r}.", "not_found", ("List them first.",), 404)
    if len(found) > 1:
        names = ", ".join(f"{row['location']}/{row['name']}" if row["location"] else row["id"] for row in found)
        raise HpcenvClientError(
            f"{reference!r} means more than one {what}.", "ambiguous", (f"Say which: {names}.",), 409
        )
    return str(found[0]["id"])


def _failure(operation: Row) -> HpcenvClientError:
    error = operation.get("error") or {}
    message = str(error.get("message") or f"The operation is {operation['state']}.")
    if error.get("reason"):
        message += "\n" + str(error["reason"])
    hints = tuple(str(hint) for hint in error.get("hints") or ())
    hints += (f"Read its log: client.log({operation['id']!r}).",)
    return HpcenvClientError(message, str(error.get("code") or operation["state"]), hints)
