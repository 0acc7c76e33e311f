"""Solve, fetch and link with rattler: ``transaction.py FOLDER``, a program of its own that `running` starts.

Not in the worker's process, because rattler can not be stopped there: a cancelled transaction goes on to link and to
download for seconds, over whatever cleans up after it. This process is killed instead. It also may crash when its
interpreter ends, so it ends by ``os._exit`` and is judged by the answer that it wrote. To start fast it imports nothing
of jupyter_hpcenv.

FOLDER holds ``request.json`` and gets ``answer.json``. What happens meanwhile goes to standard output, a line of JSON
each, after a token that nothing else can know.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import json
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from rattler import (
        Client,
        Config,
        PackageCache,
        PackageRecord,
        RepoDataRecord,
    )

    from .fetching import Fetcher
    from .solving import Solver

T = TypeVar("T")

_TICK = 0.2  # seconds between two looks at how far it is
_PR_SET_PDEATHSIG = 1


class Stalled(Exception):
    """Nothing has come for longer than is allowed."""


class NotCached(Exception):
    """Packages that would have to be downloaded, and that is not allowed."""


class WrongPackage(Exception):
    """An archive holds another package than its name says."""


class NotThere(Exception):
    """rattler does not find in its cache what was put there."""


class Follower:
    """Count what rattler reports while it links; it calls from its own threads, and swallows what is raised there."""

    def __init__(self, total: int) -> None:
        self._lock = threading.Lock()
        self._linked = 0
        self._total = total

    def figures(self) -> dict[str, int | None]:
        """Return how far it is, as `models.Progress` has it."""
        with self._lock:
            return {"packages_done": self._linked, "packages_total": self._total}

    def on_link_complete(self, index: int) -> None:
        """Note that a package is in the prefix."""
        with self._lock:
            self._linked += 1

    def __getattr__(self, name: str) -> Callable[..., int]:
        """Pass over what else rattler reports."""
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *_: 0


class Work:
    """Carry out the verbs of one request, in their order."""

    def __init__(self, request: Mapping[str, Any], folder: Path) -> None:
        from rattler import Config, PackageCache, Subdir, ValidationMode

        self._request = request
        self._folder = folder
        self._packages = Path(request["cache"]) / "pkgs"
        self._config: Config = Config.from_toml(_toml(request))
        mode = ValidationMode.full() if request["verify"] else ValidationMode.skip()
        self._store: PackageCache = PackageCache.new_layered([str(self._packages)], validation_mode=mode)
        self._platforms = [Subdir.current(), Subdir("noarch")]
        self._records: list[RepoDataRecord] = []
        self._coming: list[RepoDataRecord] = []
        self._fetcher: Fetcher | None = None
        self._told: object = None
        self.answer: dict[str, Any] = {}

    async def run(self) -> None:
        """Do all that is asked; what it found is in `answer`."""
        for verb in self._request["do"]:
            await getattr(self, f"_{verb}")()

    def tell(self, **event: object) -> None:
        """Send an event."""
        print(f"{self._request['token']} {json.dumps(event)}", flush=True)  # noqa: T201

    async def _watched(
        self, work: Coroutine[Any, Any, T], step: str, figures: Callable[[], dict[str, int | None]]
    ) -> T:
        """Wait for *work* and tell how far it is."""
        task = asyncio.ensure_future(work)
        try:
            while True:
                await asyncio.wait({task}, timeout=_TICK)
                if self._told != (now := (step, figures())):
                    self._told = now
                    self.tell(step=step, progress=now[1])
                if task.done():
                    return task.result()
                self._check()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    def _check(self) -> None:
        """Raise `Stalled` when downloads stand still."""
        seconds, waiting = self._fetcher.silence() if self._fetcher is not None else (0.0, [])
        if waiting and seconds > self._request["patience"]:
            raise Stalled(", ".join(waiting))

    # -- records --------------------------------------------------------

    def _solver(self) -> Solver:
        client = self._client(timeout=2 * self._request["patience"])
        return part("solving").Solver(self._request, self._platforms, client)  # type: ignore[no-any-return]

    def _client(self, timeout: int | None = None) -> Client:
        from rattler import Client

        return Client.from_config(self._config, max_retries=self._request["retries"], timeout=timeout)

    async def _solve(self) -> None:
        """Go on with what the solver chooses."""
        self.tell(step="solve")
        solver = self._solver()
        await self._take(await solver.solve())
        self.answer["kept"], self.answer["relaxed"] = solver.held, solver.relaxed
        self.answer["virtual"] = solver.virtual

    async def _look(self) -> None:
        """Find out what there is instead of some names."""
        self.answer["looked"] = await self._solver().look(self._request["look"])

    async def _search(self) -> None:
        """Find names that have a word in them."""
        self.answer["found"] = await self._solver().search(self._request["query"], self._request["limit"])

    async def _take(self, records: Sequence[RepoDataRecord]) -> None:
        """Go on with these records; write them down for a later request, and say what they are."""
        self._records = list(records)
        index = await self._store.index()
        folder = self._folder / "after"
        folder.mkdir(exist_ok=True)
        told = []
        for record in records:
            about = _as_json(record)
            (folder / f"{about['name']}.json").write_text(json.dumps(about))
            cached = index.contains_record(record)
            files = self._count(about) if cached else None
            told.append({**about, "cached": cached, "files": files})
        self.answer["records"] = told
        self.tell(detail=f"{len(told)} packages")

    def _count(self, about: Mapping[str, Any]) -> int | None:
        stem = "{name}-{version}-{build}".format(**about)
        try:
            with (self._packages / stem / "info" / "paths.json").open() as file:
                return len(json.load(file)["paths"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    async def _read(self) -> None:
        """Go on with the records that an earlier request, or the prefix itself, holds."""
        from rattler import PrefixRecord

        self._records = [PrefixRecord.from_path(Path(path)) for path in self._request["records"]]

    async def _pinned(self) -> None:
        """Go on with exact packages; the archives say what they need, for an index may not know them any more."""
        self.tell(step="solve")
        self._records = [_from_url(**each) for each in self._request["pinned"]]
        await self._fetch()
        await self._take([self._as_archived(record) for record in self._records])

    def _as_archived(self, record: RepoDataRecord) -> RepoDataRecord:
        from rattler import PackageRecord, RepoDataRecord

        folder = self._packages / part("fetching").stem_of(record)
        digests = {"sha256": _hexadecimal(record.sha256), "md5": _hexadecimal(record.md5)}
        whole = PackageRecord.from_index_json(folder / "info" / "index.json", record.size, **digests)
        if _identity(whole) != _identity(record):
            raise WrongPackage(record.file_name)
        return RepoDataRecord(whole, record.file_name, record.url, str(record.channel))

    # -- packages -------------------------------------------------------

    async def _fetch(self) -> None:
        """Bring what the prefix does not have into the cache, before anything in the prefix is touched."""
        from rattler import PrefixRecord

        self.tell(step="download")
        installed = [PrefixRecord.from_path(Path(path)) for path in self._request["installed"].values()]
        there = {(*_identity(record), record.url) for record in installed}
        self._coming = [each for each in self._records if (*_identity(each), each.url) not in there]
        missing = await self._missing()
        if self._request["offline"] and (afar := [each for each in missing if not each.url.startswith("file:")]):
            raise NotCached(", ".join(sorted(each.file_name for each in afar)))
        part("weighing").check(self._request, self._packages, self._coming, missing)
        if missing:
            self._fetcher = part("fetching").Fetcher(self._packages, self._client(), self._request["retries"])
            await self._watched(self._fetcher.bring(missing), "download", self._fetcher.figures)
            self._fetcher = None
        if missing and (lost := await self._missing()):
            raise NotThere(", ".join(each.file_name for each in lost))

    async def _missing(self) -> list[RepoDataRecord]:
        index = await self._store.index()
        return [record for record in self._coming if not index.contains_record(record)]

    async def _judge(self) -> None:
        """Let the worker look at the packages, and go on once it says so; if it does not, it ends this process."""
        python = next((each for each in self._records if each.name.normalized == "python"), None)
        library = ""
        if python is not None:
            minor = ".".join(str(python.version).split(".")[:2])
            library = python.python_site_packages_path or f"lib/python{minor}/site-packages"
        items = [
            {
                "file": each.file_name,
                "name": each.name.normalized,
                "version": str(each.version),
                "build": str(each.build),
            }
            for each in self._coming
        ]
        (self._folder / "coming.json").write_text(json.dumps({"items": items, "library": library}))
        self.tell(judge=True)
        while not (self._folder / "go").exists():
            await asyncio.sleep(0.002)

    async def _link(self) -> None:
        """Let the prefix hold the records and nothing else."""
        self.tell(step="link")
        follower = Follower(len(self._coming))
        await self._watched(self._install(follower), "link", follower.figures)

    async def _install(self, follower: Follower) -> None:
        from rattler import install

        await install(
            self._records,
            self._request["prefix"],
            package_cache=self._store,
            config=self._config,
            client=self._client(),
            reporter=cast(Any, follower),
            execute_link_scripts=False,
            show_progress=False,
        )

    async def _lock(self) -> None:
        """Write the records as rattler's lockfile."""
        from rattler import LockChannel, LockFile, LockPlatform

        platform = LockPlatform(str(self._platforms[0]))
        lock = LockFile([platform])
        lock.set_channels("default", [LockChannel(url) for url in self._request["channels"]])
        for record in sorted(self._records, key=lambda each: each.name.normalized):
            lock.add_conda_package("default", platform, record)
        path = self._folder / "lock.yml"
        lock.to_path(path)
        self.answer["lock"] = path.read_text()


def part(name: str) -> ModuleType:
    """Return another part of this program, which lies beside it."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def _toml(request: Mapping[str, Any]) -> str:
    """Return the configuration of rattler: nothing of the user's own, so that policy is not passed by."""
    lines = [f"allow-hard-links = {json.dumps(not request['copy'])}"]
    if request["ssl_verify"] == "false":
        lines.append("tls-no-verify = true")
    elif request["ssl_verify"] != "true" or os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
        lines.append('tls-root-certs = "system"')
    if proxies := {each: url for each, url in request["proxies"].items() if each in ("http", "https") and url}:
        lines += ["[proxy-config]", *(f"{each} = {json.dumps(url)}" for each, url in proxies.items())]
        if hosts := os.environ.get("no_proxy") or os.environ.get("NO_PROXY"):
            lines.append(f"non-proxy-hosts = {json.dumps([each.strip() for each in hosts.split(',') if each.strip()])}")
    return "\n".join(lines)


def _from_url(url: str, sha256: str, md5: str) -> RepoDataRecord:
    """Return what the address of a package says of it."""
    from rattler import PackageRecord, RepoDataRecord
    from rattler.package import BuildString

    _, subdir, name = unquote(urlsplit(url).path).rsplit("/", 2)
    stem = name.removesuffix(".conda").removesuffix(".tar.bz2")
    package, version, build = stem.rsplit("-", 2)
    record = PackageRecord(
        package,
        version,
        BuildString(build),
        0,
        subdir,
        sha256=bytes.fromhex(sha256) if sha256 else None,
        md5=bytes.fromhex(md5) if md5 else None,
    )
    return RepoDataRecord(record, name, url, url.rsplit("/", 2)[0])


def _as_json(record: RepoDataRecord) -> dict[str, Any]:
    """Return a record as ``conda-meta`` has it, before its files are known."""
    about: dict[str, Any] = json.loads(record.to_json())
    for unknown in ("files", "paths_data", "link", "requested_specs", "requested_spec", "extracted_package_dir"):
        about.pop(unknown, None)
    more = {"fn": record.file_name, "url": record.url, "channel": str(record.channel)}
    return {**about, **more, "files": [], "paths_data": {"paths_version": 1, "paths": []}}


def _identity(record: PackageRecord) -> tuple[str, ...]:
    return (record.name.normalized, str(record.version), str(record.build))


def _hexadecimal(digest: bytes | None) -> str | None:
    return digest.hex() if digest else None


def _explain(error: BaseException) -> dict[str, str]:
    """Return an exception in words, with those that led to it."""
    texts: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        texts.append(str(cause))
        cause = cause.__cause__
    trace = "".join(traceback.format_exception(error)[-3:])
    return {"kind": type(error).__name__, "text": "\n".join(texts), "trace": trace}


def _prepare(request: Mapping[str, Any]) -> None:
    """End together with the worker; where half a change is worse than a late end, do not end at its signals."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != request["parent"]:
        os._exit(1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN if request["steadfast"] else signal.SIG_DFL)


def main(folder: Path) -> None:
    """Answer the request in *folder*; never returns."""
    request = json.loads((folder / "request.json").read_text())
    _prepare(request)
    answer: dict[str, Any]
    try:
        work = Work(request, folder)
        warnings.showwarning = lambda message, *_, **__: work.tell(warning=str(message)[:2000])
        warnings.simplefilter("always")
        asyncio.new_event_loop().run_until_complete(work.run())
        answer = work.answer
    except BaseException as error:  # noqa: BLE001  whatever it was, who asked has to know
        answer = {"error": _explain(error)}
    (folder / "answer.new").write_text(json.dumps(answer))
    (folder / "answer.new").rename(folder / "answer.json")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]  # this folder: its names must not hide others'
    main(Path(sys.argv[1]))
