"""Bring packages into rattler's cache without linking anything; part of the program `transaction`.

rattler itself fetches only while it links. But a package has to be looked at before it is linked, and a change must not
begin before all that it needs is there. So archives are downloaded here, by rattler's client, checked by their digests,
unpacked by rattler beside their place in the cache, and put there under rattler's own lock, in rattler's layout: a
folder NAME-VERSION-BUILD, and beside it a file with a counter and the digest. If a later rattler has another layout, it
finds nothing there, and the transaction is refused.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import re
import shutil
import stat
import struct
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from rattler import Client, RepoDataRecord

T = TypeVar("T")

AT_ONCE = 8  # downloads
_PART = re.compile(r"[A-Za-z0-9_.+!~]+")  # of a folder's name; names themselves may have hyphens besides
_FORBIDDEN = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX | stat.S_IWGRP | stat.S_IWOTH


class FetchError(Exception):
    """A package could not be brought; the cause says why."""


class HashMismatch(Exception):
    """What arrived is not what was promised."""


class Unsafe(Exception):
    """A package whose name or build would lead out of the cache."""


class Fetcher:
    """Fetch the records of one transaction; what it has so far can be asked from the outside."""

    def __init__(self, packages: Path, client: Client, retries: int) -> None:
        self._packages = packages
        self._client = client
        self._retries = retries
        self._limit = asyncio.Semaphore(AT_ONCE)
        self._expected: dict[str, int] = {}
        self._coming: dict[str, Path] = {}
        self._here: dict[str, int] = {}
        self._total = 0
        self._ready = 0
        self._heard = (0, time.monotonic())

    def figures(self) -> dict[str, int | None]:
        """Return how far it is, as `models.Progress` has it; only what comes over the network has bytes."""
        total = sum(self._expected.values())
        done = min(self._bytes(), total)
        return {
            "packages_done": self._ready,
            "packages_total": self._total,
            "bytes_done": done if total else None,
            "bytes_total": total or None,
        }

    def silence(self) -> tuple[float, list[str]]:
        """Return for how long no byte has come, and what is being waited for."""
        now = self._bytes()
        if now != self._heard[0] or not self._coming:
            self._heard = (now, time.monotonic())
        return time.monotonic() - self._heard[1], sorted(self._coming)

    def _bytes(self) -> int:
        return sum(self._here.values()) + sum(_size(path) for path in self._coming.values())

    async def bring(self, records: Sequence[RepoDataRecord]) -> None:
        """Put *records* into the cache; when one fails, the others are given up, and nothing half of them stays."""
        self._expected = {each.file_name: each.size or 0 for each in records if not each.url.startswith("file:")}
        self._total = len(records)
        tasks = [asyncio.ensure_future(self._one(each)) for each in records]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, record: RepoDataRecord) -> None:
        stem = stem_of(record)
        async with self._limit:
            aside = Path(tempfile.mkdtemp(prefix=f".{stem}", dir=self._packages))
            try:
                archive = await self._archive(record, aside)
                digest = await _in_thread(lambda: _check(archive, record))
                await _in_thread(lambda: _unpack(archive, aside / "unpacked"))
                await self._publish(aside / "unpacked", self._packages / stem, digest)
            except HashMismatch:
                raise
            except Exception as error:
                raise FetchError(f"failed to fetch {record.file_name}") from error
            finally:
                await _in_thread(lambda: shutil.rmtree(aside, ignore_errors=True))
        self._ready += 1

    async def _archive(self, record: RepoDataRecord, aside: Path) -> Path:
        if record.url.startswith("file:"):
            return Path(unquote(urlsplit(record.url).path))
        target = aside / Path(record.file_name).name
        self._coming[record.file_name] = target
        try:
            await self._download(record.url, target)
            self._here[record.file_name] = _size(target)
        finally:
            del self._coming[record.file_name]
        return target

    async def _download(self, url: str, target: Path) -> None:
        """Download an archive; a connection that ends too early is tried again, an answer that refuses is not."""
        from rattler.package_streaming import download_to_path

        for attempt in range(self._retries + 1):
            try:
                await download_to_path(self._client, url, target)
            except Exception as error:
                if attempt == self._retries or "HTTP status client error" in str(error):
                    raise
                await asyncio.sleep(min(0.5 * 2**attempt, 10))
            else:
                return

    async def _publish(self, unpacked: Path, target: Path, digest: str) -> None:
        """Give what was unpacked its place, while no other transaction looks."""
        descriptor = os.open(self._packages / ".cache.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            while not _locked(descriptor):
                await asyncio.sleep(0.05)
            await _in_thread(lambda: _replace(unpacked, target, bytes.fromhex(digest)))
        finally:
            os.close(descriptor)


def stem_of(record: RepoDataRecord) -> str:
    """Return the name of a package's folder in the cache; raises `Unsafe` for one that is no name."""
    parts = (record.name.normalized, str(record.version), str(record.build))
    if not all(_PART.fullmatch(part.replace("-", "_") if part is parts[0] else part) for part in parts):
        raise Unsafe(f"{parts[0]}: {'-'.join(parts)!r} can not be the name of a folder")
    return "-".join(parts)


def subpaths(folder: Path) -> Iterable[Path]:
    """Return all that lies below *folder*, links not followed."""
    for here, folders, names in os.walk(folder):
        yield from (Path(here, name) for name in (*folders, *names))


def _check(archive: Path, record: RepoDataRecord) -> str:
    """Return the SHA-256 of an archive; raises `HashMismatch` if it, or where there is none the MD5, is not as said."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with archive.open("rb") as file:
        while chunk := file.read(1 << 20):
            sha256.update(chunk)
            if record.sha256 is None:
                md5.update(chunk)
    for wanted, found in ((record.sha256, sha256), (record.md5 if record.sha256 is None else None, md5)):
        if wanted is not None and wanted != found.digest():
            raise HashMismatch(f"failed to fetch {record.file_name}: expected {wanted.hex()}, got {found.hexdigest()}")
    return sha256.hexdigest()


def _unpack(archive: Path, target: Path) -> None:
    """Unpack an archive; nobody else gets the right to write, and nothing runs as somebody else."""
    from rattler.package_streaming import extract

    extract(archive, target)
    for path in subpaths(target):
        mode = path.lstat().st_mode
        if mode & _FORBIDDEN and (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            path.chmod(stat.S_IMODE(mode) & ~_FORBIDDEN)


def _replace(unpacked: Path, target: Path, digest: bytes) -> None:
    counter = target.with_name(f"{target.name}.lock")
    said = counter.read_bytes()[:8] if counter.exists() else b""
    number = struct.unpack(">Q", said)[0] + 1 if len(said) == 8 else 1
    counter.write_bytes(struct.pack(">Q", number) + digest)
    if target.exists():
        target.rename(unpacked.with_name("replaced"))
    unpacked.rename(target)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


async def _in_thread(work: Callable[[], T]) -> T:
    """Do *work* beside us, and wait for its end even when somebody gives up: it would write on behind us."""
    running = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
