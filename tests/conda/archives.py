"""Write conda packages of any shape: what a package says of itself, what it holds, and what it ought not to hold.

Packages are made member by member rather than from folders, because the hostile ones (`evil`) hold members that no
folder could: paths that climb, links before the files that go through them, devices.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from conda_package_streaming.create import conda_builder

#: What stands for the prefix in files that name it; as long as conda's own, so that long prefixes fit.
PLACEHOLDER = "/opt/hpcenv_" + "placehold_" * 24

SUBDIR = {"x86_64": "linux-64", "ppc64le": "linux-ppc64le"}.get(platform.machine(), f"linux-{platform.machine()}")

#: Dates are fixed, so that the same inputs give the same bytes. 2024-01-01.
MOMENT = 1704067200


class File(NamedTuple):
    """A file of a package; *prefix* says how it names its prefix: "text", "binary" or not at all."""

    data: bytes
    mode: int = 0o644
    prefix: str = ""


class Member(NamedTuple):
    """A member of the archive as it is: nothing is checked, nothing is listed in paths.json."""

    header: tarfile.TarInfo
    data: bytes = b""


def member(name: str, data: bytes = b"", *, mode: int = 0o644, kind: bytes = tarfile.REGTYPE, link: str = "") -> Member:
    """Make an archive member by hand."""
    header = tarfile.TarInfo(name)
    header.mode, header.type, header.linkname = mode, kind, link
    header.mtime, header.size = MOMENT, len(data)
    return Member(header, data)


@dataclass
class Package:
    """A conda package; *noarch* is "generic", "python" or empty for one of this machine's architecture."""

    name: str
    version: str
    build: str = "0"
    depends: Sequence[str] = ()
    constrains: Sequence[str] = ()
    noarch: str = "generic"
    files: Mapping[str, File] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    entry_points: Sequence[str] = ()
    run_exports: Mapping[str, Sequence[str]] | None = None
    index: Mapping[str, Any] = field(default_factory=dict)
    """More keys of index.json, or other values of those that are there."""
    info: Mapping[str, bytes] = field(default_factory=dict)
    """Files below info/, also in place of those that are written anyway."""
    raw: Sequence[Member] = ()
    """Members that come last, as they are."""
    paths: Sequence[Mapping[str, Any]] = ()
    """More entries of paths.json, as they are."""

    @property
    def subdir(self) -> str:
        """The folder of the channel that it belongs to."""
        return "noarch" if self.noarch else SUBDIR

    @property
    def stem(self) -> str:
        """File name without ending."""
        return f"{self.name}-{self.version}-{self.build}"

    def about(self) -> dict[str, Any]:
        """Return what info/index.json says, and the channel's index after it."""
        number = self.build.rpartition("_")[2]
        said: dict[str, Any] = {
            "name": self.name,
            "version": self.version,
            "build": self.build,
            "build_number": int(number) if number.isdecimal() else 0,
            "depends": list(self.depends),
            "constrains": list(self.constrains),
            "subdir": self.subdir,
            "license": "BSD-3-Clause",
            "timestamp": MOMENT * 1000,
        }
        said |= {"noarch": self.noarch} if self.noarch else {"arch": platform.machine(), "platform": "linux"}
        return said | dict(self.index)


def tiny(
    name: str,
    version: str = "1.0",
    build: str = "0",
    *,
    depends: Sequence[str] = (),
    files: Mapping[str, str | bytes | File] | None = None,
    noarch: str = "generic",
    post_link: str | None = None,
    **more: Any,
) -> Package:
    """Make a small package; files may be given as text. *post_link* is the text of a post-link script."""
    held = {path: _file(each) for path, each in (files or {}).items()}
    if post_link is not None:
        held[f"bin/.{name}-post-link.sh"] = File(post_link.encode(), 0o755)
    return Package(name, version, build, depends=depends, files=held, noarch=noarch, **more)


def _file(given: str | bytes | File) -> File:
    if isinstance(given, File):
        return given
    return File(given.encode() if isinstance(given, str) else given)


def write(channel: Path, package: Package, *, ending: str = ".conda", level: int = 1) -> Path:
    """Write *package* into its folder of *channel*; *ending* is ``.conda`` or ``.tar.bz2``."""
    folder = channel / package.subdir
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (package.stem + ending)
    if ending == ".conda":
        with conda_builder(package.stem, folder, compression_level=level) as archive:
            _fill(archive, package)
    else:
        plain = io.BytesIO()
        with tarfile.TarFile(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
            _fill(archive, package)
        path.write_bytes(bz2.compress(plain.getvalue(), 1))
    return path


def _fill(archive: tarfile.TarFile, package: Package) -> None:
    for header, data in _members(package):
        archive.addfile(header, io.BytesIO(data))


def _members(package: Package) -> Iterator[Member]:
    for path, data in _info(package).items():
        yield member(f"info/{path}", data)
    for path, each in sorted(package.files.items()):
        yield member(path, each.data, mode=each.mode)
    for path, target in sorted(package.links.items()):
        yield member(path, kind=tarfile.SYMTYPE, link=target, mode=0o777)
    yield from package.raw


def _info(package: Package) -> dict[str, bytes]:
    paths = [_entry(path, each) for path, each in sorted(package.files.items())]
    empty = hashlib.sha256(b"").hexdigest()
    for path in sorted(package.links):
        paths.append({"_path": path, "path_type": "softlink", "sha256": empty, "size_in_bytes": 0})
    paths += [dict(each) for each in package.paths]
    info = {
        "index.json": _json(package.about()),
        "paths.json": _json({"paths": paths, "paths_version": 1}),
        "files": "".join(f"{each['_path']}\n" for each in paths).encode(),
        "about.json": _json({"summary": f"{package.name} for tests"}),
    }
    named = {path: each for path, each in package.files.items() if each.prefix}
    if named:
        lines = (f'"{PLACEHOLDER}" {each.prefix} "{path}"\n' for path, each in sorted(named.items()))
        info["has_prefix"] = "".join(lines).encode()
    if package.noarch == "python":
        kind = {"type": "python", "entry_points": list(package.entry_points)}
        info["link.json"] = _json({"noarch": kind, "package_metadata_version": 1})
    if package.run_exports is not None:
        info["run_exports.json"] = _json(package.run_exports)
    return info | dict(package.info)


def _entry(path: str, held: File) -> dict[str, Any]:
    told = {"_path": path, "path_type": "hardlink"}
    told |= {"sha256": hashlib.sha256(held.data).hexdigest(), "size_in_bytes": len(held.data)}
    return told | ({"prefix_placeholder": PLACEHOLDER, "file_mode": held.prefix} if held.prefix else {})


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()
