"""List what is installed in a prefix, from the metadata files there; nothing is started."""

from __future__ import annotations

import contextlib
import re
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec
from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from .. import typed
from ..errors import BrokenRecord
from ..files import read_regular
from .contract import Package

_LARGEST = 5_000_000  # bytes; the long description of a package is part of its metadata


class _Origin(msgspec.Struct):
    """What ``direct_url.json`` says (PEP 610) of a package that did not come from an index."""

    url: str
    dir_info: dict[str, bool] = {}


def list_packages(prefix: Path, *, not_by: str = "") -> list[Package]:
    """Return the packages in the prefix's own site-packages, by name; what it inherits is not among them.

    Those that the installer *not_by* says are its own (PEP 376's ``INSTALLER``) are left out.
    """
    found: dict[str, Package] = {}
    for lib in ("lib", "lib64"):
        for folder in sorted(prefix.glob(f"{lib}/python3.*/site-packages/*.dist-info")):
            package = read(folder)
            if package is not None and not (not_by and installer_of(folder) == not_by):
                found.setdefault(canonicalize_name(package.name), package)
    return [found[name] for name in sorted(found)]


def sees_below(prefix: Path) -> bool:
    """Tell whether a virtual environment sees the packages of its Python, as its ``pyvenv.cfg`` says."""
    with contextlib.suppress(OSError, BrokenRecord):
        text = read_regular(prefix / "pyvenv.cfg", 100_000).decode(errors="replace")
        return re.search(r"(?im)^include-system-site-packages\s*=\s*true\s*$", text) is not None
    return False


def requirements(prefix: Path) -> dict[str, list[str]]:
    """Return by canonical name what each package of the prefix's own says that it requires, as it says it."""
    found: dict[str, list[str]] = {}
    for folder in prefix.glob("lib/python3.*/site-packages/*.dist-info"):
        fields = _fields(folder)
        name = fields.get("Name") if fields else None
        if fields is not None and name:
            found.setdefault(str(canonicalize_name(name.strip())), []).extend(fields.get_all("Requires-Dist") or [])
    return found


def needs(prefix: Path, python: str) -> dict[str, set[str]]:
    """Return by canonical name what each package of the prefix's own requires, extras apart, under *python*."""
    under = {"python_version": ".".join(python.split(".")[:2]), "python_full_version": python, "extra": ""}
    found: dict[str, set[str]] = {}
    for name, texts in requirements(prefix).items():
        wanted = found.setdefault(name, set())
        for text in texts:
            with contextlib.suppress(InvalidRequirement, UndefinedEnvironmentName):
                requirement = Requirement(text)
                if requirement.marker is None or requirement.marker.evaluate(under):
                    wanted.add(str(canonicalize_name(requirement.name)))
    return found


def _fields(folder: Path) -> Message | None:
    try:
        text = read_regular(folder / "METADATA", _LARGEST).decode(errors="replace")
    except (OSError, BrokenRecord):
        return None
    return HeaderParser().parsestr(text.partition("\n\n")[0])


def read(folder: Path, file: str = "METADATA") -> Package | None:
    """Return what a ``.dist-info`` folder describes, or None where its metadata can not be read."""
    try:
        head = read_regular(folder / file, _LARGEST).partition(b"\n\n")[0].partition(b"\r\n\r\n")[0]
    except (OSError, BrokenRecord):
        return None
    name, version = _NAME.search(head), _VERSION.search(head)  # a parser of headers takes ten times as long
    if name is None or version is None:
        return None
    return Package(
        name=name[1].decode(errors="replace").strip(),
        version=version[1].decode(errors="replace").strip(),
        source=_source(folder),
    )


_FIELD = rb"(?im)^%s[ \t]*:[ \t]*(\S[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)"
_NAME, _VERSION = (re.compile(_FIELD % field) for field in (b"Name", b"Version"))


def installer_of(folder: Path) -> str:
    """Return which installer says that it put a package there."""
    with contextlib.suppress(OSError, BrokenRecord):
        return read_regular(folder / "INSTALLER", 1_000).decode(errors="replace").strip()
    return ""


def _source(folder: Path) -> str:
    """Return where a package came from: a URL, an editable folder, or ``index``."""
    with contextlib.suppress(OSError, BrokenRecord, msgspec.DecodeError, ValueError):
        origin = typed.of_json(read_regular(folder / "direct_url.json", 100_000), _Origin)
        parts = urlsplit(origin.url)
        url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
        return f"editable {url}" if origin.dir_info.get("editable") else url
    return "index"
