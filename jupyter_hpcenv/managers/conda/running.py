"""Run a transaction in a process of its own, follow it, and stop it when somebody asks for that."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from ... import typed
from ...errors import BuildFailed
from ...files import remove_tree
from ...models import PinnedPackage, Progress, Reporter
from ...process import environment, run, working_folder
from ..output import clean
from .cache import PACKAGES
from .inspection import Coming, inspect
from .plan import VERIFY, Source
from .problems import Failed, explain, missing

PROGRAM = Path(__file__).with_name("transaction.py")

#: Variables that the engine reads besides those that every program gets.
_ENGINE = ("CONDA_OVERRIDE_*", "RATTLER_AUTH_FILE", "AWS_*", "GOOGLE_*")

Verb = Literal["solve", "read", "pinned", "fetch", "judge", "link", "look", "lock", "search"]


class Request(msgspec.Struct, kw_only=True):
    """What `transaction` is told besides the source; `do` says in which order."""

    do: Sequence[Verb]
    asked: list[str] = []
    kept: dict[str, list[str]] = {}
    roots: list[str] = []
    first: list[str] = []
    constraints: list[str] = []
    locked: list[str] = []
    """Paths of records, as `records`."""
    installed: dict[str, str] = {}
    """Path of its record by name."""
    records: list[str] = []
    pinned: list[PinnedPackage] = []
    prefix: str = ""
    look: list[str] = []
    query: str = ""
    limit: int = 0
    steadfast: bool = False
    """Whether it goes on when it is told to end: a prefix of somebody's is half changed."""


class Solved(msgspec.Struct, kw_only=True):
    """A package as the engine chose it."""

    name: str
    version: str
    build: str
    channel: str
    url: str
    subdir: str = ""
    size: int | None = None
    cached: bool = False
    files: int | None = None


class Looked(msgspec.Struct, kw_only=True):
    """What there is of a name."""

    versions: list[str] = []
    near: list[str] = []


class Found(msgspec.Struct, kw_only=True):
    """What a channel has of a name that matches."""

    name: str
    channel: str
    version: str
    build: str
    versions: int
    builds: int
    size: int | None = None


class _Error(msgspec.Struct, kw_only=True):
    kind: str
    text: str
    trace: str = ""


class Answer(msgspec.Struct, kw_only=True):
    """What came of a request."""

    records: list[Solved] = []
    kept: dict[str, str] = {}
    """Earlier requests as they were held to."""
    relaxed: bool = False
    """Whether the order of the channels had to be given up."""
    virtual: list[str] = []
    """The virtual packages that were solved for, such as ``__glibc=2.36``."""
    looked: dict[str, Looked] = {}
    found: list[Found] = []
    lock: str = ""
    error: _Error | None = None


class Transaction:
    """A folder for requests that belong together; what one leaves there, such as chosen records, the next may use."""

    def __init__(self, source: Source, folder: str = "") -> None:
        self._source = source
        self.folder = Path(folder or working_folder())

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # the worker looks again for what processes left in the temporary folder
            remove_tree(self.folder)

    @property
    def packages(self) -> Path:
        """Where the cache has packages unpacked."""
        return Path(self._source.cache) / PACKAGES

    @property
    def records(self) -> list[str]:
        """The records that the last request chose."""
        return sorted(str(path) for path in (self.folder / "after").glob("*.json"))

    def ask(self, request: Request, report: Reporter, *, check: bool = True) -> Answer:
        """Return the answer; raises what it means when rattler could not do it, and what ``report.check`` raises.

        Without *check* nobody can stop it.
        """
        try:
            return self._ask(request, report, check=check)
        except Failed as failure:
            looked: dict[str, Looked] = {}
            if failure.kind == "SolverError" and (names := missing(failure)):
                with contextlib.suppress(Failed, BuildFailed):  # what is there instead is nice to know, no more
                    looked = self._ask(Request(do=["look"], look=names), report, check=check).looked
            held = [*self._source.constraints, *request.constraints]
            raise explain(failure, self._source, request.prefix, looked, held) from failure

    def _ask(self, request: Request, report: Reporter, *, check: bool) -> Answer:
        token = secrets.token_hex(16)
        self._write(request, token)
        follow = _Follow(token, report, lambda: self._judge(request, report))
        done = run(
            [sys.executable, *_safe_path(), str(PROGRAM), str(self.folder)],
            env=self._environment(),
            cwd=self.folder,
            on_line=follow.line,
            check=report.check if check else None,
        )
        answer = self._read(follow)
        if answer is None:
            raise BuildFailed(
                f"The conda engine ended without an answer (status {done.returncode}).",
                hints=["Try again. If it happens again, there may be too little memory: see ulimit -v and the job's."],
                reason="\n".join(follow.lines[-20:]),
            )
        if answer.error is not None:
            raise Failed(answer.error.kind, answer.error.text)
        return answer

    def _judge(self, request: Request, report: Reporter) -> None:
        """Let the engine go on if what it is about to link does no harm; what is raised here ends it."""
        coming = typed.of_json((self.folder / "coming.json").read_bytes(), Coming)
        for warning in inspect(self.packages, Path(request.prefix), coming):
            report.line("warning", clean(warning))
        (self.folder / "go").touch()

    def _write(self, request: Request, token: str) -> None:
        for name in ("answer.json", "go"):
            (self.folder / name).unlink(missing_ok=True)
        source, own = msgspec.to_builtins(self._source), msgspec.to_builtins(request)
        constraints = [*self._source.constraints, *request.constraints]
        said = {**source, **own, "constraints": constraints, "token": token, "parent": os.getpid()}
        path = self.folder / "request.json"
        path.unlink(missing_ok=True)
        path.touch(0o600)  # a proxy's address may hold a password
        path.write_bytes(msgspec.json.encode(said))

    def _environment(self) -> dict[str, str]:
        """Return the variables of the engine; conda's own libraries let REQUESTS_CA_BUNDLE count more than others."""
        extra: dict[str, str] = {}
        said = self._source.ssl_verify
        if said == "true":
            said = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or said
        if said not in VERIFY:
            extra["SSL_CERT_DIR" if Path(said).is_dir() else "SSL_CERT_FILE"] = said
        return environment(_ENGINE, extra)

    def _read(self, follow: _Follow) -> Answer | None:
        try:
            return typed.of_json((self.folder / "answer.json").read_bytes(), Answer)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            follow.lines.append(str(error))
            return None


class _Follow:
    """Take the engine's lines: events after the token, anything else is for the log."""

    def __init__(self, token: str, report: Reporter, judge: Callable[[], None]) -> None:
        self.lines: list[str] = []
        self._token = token + " "
        self._report = report
        self._judge = judge
        self._step = ""

    def line(self, text: str) -> None:
        if not text.startswith(self._token):
            if said := clean(text):
                self.lines.append(said)
                self._report.line("output", said)
            return
        event: Mapping[str, Any] = typed.of_json(text.removeprefix(self._token))
        if warning := event.get("warning"):
            self._report.line("warning", clean(str(warning)))
        if event.get("judge"):
            self._judge()
        if detail := event.get("detail"):
            self._report.detail(str(detail))
        step = event.get("step", "")
        if step and step != self._step:
            self._step = step
            self._report.step(step)
        if figures := event.get("progress"):
            self._report.progress(typed.of_value(figures, Progress))


def _safe_path() -> list[str]:
    return ["-P"] if sys.version_info >= (3, 11) else []
