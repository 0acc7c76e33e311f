"""An installer that believes everything: what evil packages do to it, they can do.

It shows that they are evil, so that a test in which they do no harm shows something of the installer that is tested.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from conda_package_streaming.package_streaming import stream_conda_component

MODULES = "lib/python3.11/site-packages"

#: Older versions of Python always trust archives fully, and take no argument for it.
TRUST: dict[str, Any] = {"filter": "fully_trusted"} if hasattr(tarfile, "data_filter") else {}


class Found(NamedTuple):
    """A package of a channel: its archive, the name that the index gives to this, and the rest that it says."""

    archive: Path
    file: str
    record: dict[str, Any]

    @property
    def stem(self) -> str:
        """What folders and notes are named after."""
        return "{name}-{version}-{build}".format(**self.record)


def install(channel: Path, specs: tuple[str, ...], prefix: Path, cache: Path) -> None:
    """Install packages by name, one after the other, each with all that it needs first."""
    index = {each.record["name"]: each for each in _index(channel)}
    for spec in specs:
        wanted = _closure(index, spec if spec in index else list(index)[-1])
        modules = next((each.record.get("python_site_packages_path", MODULES) for each in wanted), MODULES)
        for package in wanted:
            unpacked = _unpack(package, cache)
            _link(package, unpacked, prefix, modules)
            _note(package, unpacked, prefix)


def _index(channel: Path) -> Iterator[Found]:
    for path in sorted(channel.glob("*/repodata.json")):
        told = json.loads(path.read_text())
        for file, record in {**told["packages"], **told["packages.conda"]}.items():
            yield Found(path.parent / Path(file).name, file, record)
        if base := told["info"].get("channel_relations", {}).get("base"):
            yield from _index(channel / base)


def _closure(index: dict[str, Found], name: str) -> list[Found]:
    needs = (each.split()[0] for each in index[name].record["depends"])
    return [*(package for need in needs for package in _closure(index, need)), index[name]]


def _unpack(package: Found, cache: Path) -> Path:
    folder = _plain(cache / package.stem)
    folder.mkdir(parents=True, exist_ok=True)
    _write(cache / package.file, package.archive.read_bytes())
    for component in ("pkg", "info"):
        with package.archive.open("rb") as file:
            for archive, each in stream_conda_component(package.archive.name, file, component):
                archive.umask = 0  # rights, too, are as the package says
                with contextlib.suppress(FileExistsError):
                    archive.extract(each, folder, **TRUST)
    (folder / "info/repodata_record.json").write_text(json.dumps(package.record))
    return folder


def _link(package: Found, unpacked: Path, prefix: Path, modules: str) -> None:
    for entry in json.loads((unpacked / "info/paths.json").read_text())["paths"]:
        path = entry["_path"]
        if package.record.get("noarch") == "python":
            path = path.replace("site-packages/", f"{modules}/", 1).replace("python-scripts/", "bin/", 1)
        _place(unpacked / entry["_path"], prefix / path, entry, str(prefix))
    link = unpacked / "info/link.json"
    for entry_point in json.loads(link.read_text())["noarch"]["entry_points"] if link.exists() else []:
        _program(entry_point, prefix)


def _place(source: Path, destination: Path, entry: dict[str, Any], prefix: str) -> None:
    old = entry.get("prefix_placeholder")
    data = source.read_bytes() if old else b""
    folder = _plain(destination.parent)
    folder.mkdir(parents=True, exist_ok=True)
    destination = folder / destination.name
    destination.unlink(missing_ok=True)
    if old:
        destination.write_bytes(data.replace(old.encode(), prefix.encode()))
    elif entry["path_type"] == "softlink":
        destination.symlink_to(os.readlink(source))
    else:
        os.link(source, destination, follow_symlinks=False)


def _program(entry_point: str, prefix: Path) -> None:
    name, _, target = entry_point.partition(" = ")
    module, _, function = target.partition(":")
    path = _plain(prefix / "bin" / name)
    path.unlink(missing_ok=True)
    _write(path, f"#!python\nimport {module}\n{module}.{function}()\n".encode())
    if module == "os":  # as its user would
        subprocess.run([sys.executable, str(path)], check=False, capture_output=True)


def _note(package: Found, unpacked: Path, prefix: Path) -> None:
    own = json.loads((unpacked / "info/index.json").read_text())
    _write(prefix / "conda-meta" / (package._replace(record=own).stem + ".json"), b"{}")
    with (prefix / "conda-meta/history").open("a") as history:
        history.write(f"+{package.stem}\n")


def _plain(path: Path) -> Path:
    """Go up wherever a path says so, whether or not what comes before is there."""
    return Path(os.path.normpath(path))


def _write(path: Path, data: bytes) -> None:
    _plain(path).parent.mkdir(parents=True, exist_ok=True)
    _plain(path).write_bytes(data)
