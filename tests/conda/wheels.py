"""Turn wheels into conda packages: pure ones into noarch packages, compiled ones into this architecture's."""

from __future__ import annotations

import base64
import configparser
import email.message
import email.parser
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from virtualenv.seed.wheels.embed import get_embed_wheel

from . import compiled
from .archives import PLACEHOLDER, File, Package

MINOR = "{}.{}".format(*sys.version_info)
PLATLIB = f"lib/python{MINOR}/site-packages"

#: Parts of wheels that no test needs: tests, and thousands of stubs that jedi has for packages which are not here.
LEFT_OUT = ("/tests/", "jedi/third_party/django-stubs/", "jedi/third_party/typeshed/stubs/")

#: What packages of one minor version of Python need.
THIS_PYTHON = (
    f"python >={MINOR},<{sys.version_info[0]}.{sys.version_info[1] + 1}.0a0",
    f"python_abi {MINOR}.* *_cp{MINOR.replace('.', '')}",
)


def fetch(requirements: Sequence[str], cache: Path) -> list[Path]:
    """Return wheels of *requirements* and all that these need; the network is asked only the first time."""
    inputs = "\n".join([sys.version, *requirements])
    folder = cache / hashlib.sha256(inputs.encode()).hexdigest()[:16]
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as beside:
            _download(requirements, Path(beside) / "wheels")
            keep(Path(beside) / "wheels", folder)
    return sorted(folder.glob("*.whl"))


def keep(made: Path, folder: Path) -> None:
    """Give what was made its name; who made the same at the same time was first, and its work is taken."""
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _download(requirements: Sequence[str], folder: Path) -> None:
    # The pip that virtualenv carries: the test environment need not hold one.
    carried = get_embed_wheel("pip", MINOR)
    assert carried is not None
    command = [sys.executable, f"{carried.path}/pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--only-binary=:all:", "--dest", str(folder), *requirements]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, f"pip could not fetch the wheels of the conda test channel:\n{done.stderr}"


class Wheel:
    """A wheel that is read."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path)
        names = self._archive.namelist()
        self.dist_info = next(name.split("/")[0] for name in names if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        self.metadata = self._headers("METADATA")
        self.name = canonicalize_name(self.metadata["Name"])
        self.version = str(self.metadata["Version"])
        self.pure = self._headers("WHEEL")["Root-Is-Purelib"].lower() == "true"
        self.library = "site-packages" if self.pure else PLATLIB
        self.entry_points = self._entry_points() if f"{self.dist_info}/entry_points.txt" in names else []

    def _headers(self, name: str) -> email.message.Message:
        return email.parser.BytesParser().parsebytes(self._archive.read(f"{self.dist_info}/{name}"))

    def _entry_points(self) -> list[str]:
        parser = configparser.RawConfigParser(delimiters=("=",))
        parser.optionxform = str  # names are not to be lower-cased
        parser.read_string(self._archive.read(f"{self.dist_info}/entry_points.txt").decode())
        programs = parser["console_scripts"] if parser.has_section("console_scripts") else {}
        return [f"{key} = {value}" for key, value in programs.items()]

    def depends(self) -> list[str]:
        """Return what it needs here, as match specs."""
        here = {**default_environment(), "extra": ""}
        every = map(Requirement, self.metadata.get_all("Requires-Dist") or [])
        needed = [each for each in every if each.marker is None or each.marker.evaluate(here)]
        return sorted(_spec(each) for each in needed)

    def files(self) -> dict[str, File]:
        """Return where its files go in a prefix, without what is left out."""
        held: dict[str, File] = {}
        for entry in self._archive.infolist():
            path = self._place(entry.filename)
            if not path or entry.is_dir():
                continue
            data, mode = self._archive.read(entry), (entry.external_attr >> 16) & 0o777 | 0o644
            if ".data/scripts/" in entry.filename:
                held[path] = _script(data)
            else:
                held[path] = File(data, mode)
        return held

    def _place(self, name: str) -> str:
        data = self.dist_info.removesuffix(".dist-info") + ".data/"
        if name == f"{self.dist_info}/RECORD" or any(part in name for part in LEFT_OUT):
            return ""
        if not name.startswith(data):
            return f"{self.library}/{name}"
        kind, _, rest = name.removeprefix(data).partition("/")
        folders = {
            "purelib": self.library,
            "platlib": self.library,
            "scripts": "python-scripts" if self.pure else "bin",
            "headers": f"include/python{MINOR}/{self.name}",
        }
        return f"{folders[kind]}/{rest}" if kind in folders else rest


def convert(path: Path) -> Package:
    """Return the conda package of a wheel."""
    wheel = Wheel(path)
    files = wheel.files()
    if not wheel.pure:  # such packages bring their own programs; for noarch ones the installer writes them
        files |= {f"bin/{_command(each)}": _launcher(each) for each in wheel.entry_points}
    files[f"{wheel.library}/{wheel.dist_info}/INSTALLER"] = File(b"conda\n")
    files[f"{wheel.library}/{wheel.dist_info}/RECORD"] = File("".join(_record(wheel, files)).encode())
    for name, held in list(files.items()):
        files |= compiled.beside(name, held)
    least = re.search(r">=\s*([\d.]+)", wheel.metadata["Requires-Python"] or "")
    return Package(
        wheel.name,
        wheel.version,
        "pyh0000_0" if wheel.pure else f"py{MINOR.replace('.', '')}h0000_0",
        depends=[*wheel.depends(), *([f"python >={least[1] if least else '3'}"] if wheel.pure else THIS_PYTHON)],
        noarch="python" if wheel.pure else "",
        files=files,
        entry_points=wheel.entry_points if wheel.pure else (),
    )


def _spec(requirement: Requirement) -> str:
    versions = ",".join(sorted(str(each).replace("===", "==") for each in requirement.specifier))
    return f"{canonicalize_name(requirement.name)} {versions}".strip()


def _command(entry_point: str) -> str:
    return entry_point.partition("=")[0].strip()


def _launcher(entry_point: str) -> File:
    module, _, function = entry_point.partition("=")[2].strip().partition(":")
    text = f"import sys\nfrom {module} import {function.split('.')[0]}\nsys.exit({function}())\n"
    return File(f"#!{PLACEHOLDER}/bin/python\n{text}".encode(), 0o755, "text")


def _script(data: bytes) -> File:
    if data.startswith(b"#!python"):
        return File(data.replace(b"#!python", f"#!{PLACEHOLDER}/bin/python".encode(), 1), 0o755, "text")
    return File(data, 0o755)


def _record(wheel: Wheel, files: dict[str, File]) -> Iterator[str]:
    """Lines of RECORD for what lies in site-packages; programs are left out, for their bytes depend on the prefix."""
    for path, held in sorted(files.items()):
        if path.startswith(f"{wheel.library}/"):
            digest = base64.urlsafe_b64encode(hashlib.sha256(held.data).digest()).rstrip(b"=").decode()
            yield f"{path.removeprefix(wheel.library + '/')},sha256={digest},{len(held.data)}\n"
    yield f"{wheel.dist_info}/RECORD,,\n"
