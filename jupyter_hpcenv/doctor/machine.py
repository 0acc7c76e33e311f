"""Hold an environment against the computer that it is looked at from: its C library, its GPUs and their driver.

Files are read and nothing is started: what is installed tells by names, versions and tags what it needs.
"""

from __future__ import annotations

import contextlib
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import BrokenRecord
from ..files import read_regular
from ..managers import packages
from ..models import EnvironmentDetail
from ..site.config import glibc, os_release
from .finding import Finding

#: The oldest driver for each major version of CUDA's runtime (NVIDIA, “CUDA Compatibility”, minor versions).
OLDEST_DRIVERS = {"9": "384.81", "10": "410.48", "11": "450.80.02", "12": "525.60.13", "13": "580.65.06"}

#: Packages of the runtime: their version is CUDA's.
_RUNTIMES = re.compile(r"nvidia-cuda-runtime(?:-cu\d+)?|cuda-version|cudatoolkit|pytorch-cuda|cuda-cudart")

#: What brings a driver's newer half along; then the one of the computer may be older.
_COMPATIBLE = ("cuda-compat", "cuda-compat-impl")


class Machine(NamedTuple):
    """What a look needs to know of a computer; the tests' is made up below a folder."""

    root: Path = Path("/")
    """Where /proc and /dev are."""
    libc: str = glibc()
    system: str = os_release()
    arch: str = platform.machine()
    target: str = ""
    """What the site calls this kind of computer; empty: nothing is said of builds."""
    cluster: str = ""
    """Empty: nothing is said of clusters."""

    def driver(self) -> str:
        """Return the version of NVIDIA's driver, or an empty text."""
        with contextlib.suppress(OSError):
            text = (self.root / "proc/driver/nvidia/version").read_text(errors="replace")
            if match := re.search(r"Kernel Module\D*?\s(?:for \S+\s+)?(\d+(?:\.\d+)+)\s", text):
                return match[1]
        return ""

    def gpu(self) -> str:
        """Return what shows that there is a GPU to compute with, or an empty text."""
        there = (self.root / "proc/driver/nvidia/version", self.root / "dev/nvidia0", self.root / "dev/kfd")
        return next((f"/{path.relative_to(self.root)}" for path in there if path.exists()), "")


class _Had(NamedTuple):
    name: str
    version: str
    build: str = ""
    """Conda's; empty for wheels."""


def examine(detail: EnvironmentDetail, machine: Machine) -> Iterator[Finding]:
    """Yield what does not fit."""
    if detail.target and machine.target:
        yield from _builds(detail, machine)
        if machine.target != detail.target:
            return  # its own prefix, which the rest is about, is not for this computer
    yield from _architecture(detail, machine)
    yield from _cluster(detail, machine)
    if detail.manager == "modules" or detail.state not in ("ready", "module_missing"):
        return
    prefix = Path(detail.prefix)
    yield from _libc(detail, prefix, machine)
    if machine.gpu():
        had = list(_had(prefix))
        yield from _driver(detail, had, machine)
        yield from _cpu_builds(detail, had, machine)


def _architecture(detail: EnvironmentDetail, machine: Machine) -> Iterator[Finding]:
    built = detail.platform
    if built is not None and built.arch and built.arch != machine.arch:
        yield Finding(
            code="other_architecture",
            message=f"It was built for {built.arch}, and this computer is {machine.arch}.",
            breaks="Its programs do not start here.",
            severity="broken",
            environment=detail.id,
            advice="It works where it was built. Clone it on this kind of computer to have it here, too.",
        )


def _builds(detail: EnvironmentDetail, machine: Machine) -> Iterator[Finding]:
    build = detail.builds.get(machine.target)
    if machine.target == detail.target or (build is not None and build.edition == detail.edition):
        return
    known = ", ".join([detail.target, *detail.builds])
    yield Finding(
        code="build_missing" if build is None else "build_stale",
        message=f"It has builds for {known}, and this computer is {machine.target}."
        if build is None
        else f"Its packages were changed since it was built for {machine.target}.",
        breaks="Its kernel does not start here, and explains why.",
        severity="broken",
        environment=detail.id,
        advice=f"“jupyter hpcenv build {detail.name} --target {machine.target}” builds it for this kind of computer.",
    )


def _cluster(detail: EnvironmentDetail, machine: Machine) -> Iterator[Finding]:
    built = detail.platform
    if built is not None and built.cluster and machine.cluster and built.cluster != machine.cluster:
        yield Finding(
            code="other_cluster",
            message=f"It was built on the cluster {built.cluster}, and this is {machine.cluster}.",
            breaks="Modules, libraries and folders that it uses may be missing here.",
            severity="risk",
            environment=detail.id,
            advice=f"It works where it was built. To have it here, too: “jupyter hpcenv clone {detail.name} NEW-NAME”.",
        )


def _libc(detail: EnvironmentDetail, prefix: Path, machine: Machine) -> Iterator[Finding]:
    """Compare the C library here with what packages say that they need, then with that of where it was built."""
    if not machine.libc:
        return
    needed, package = max(_needed(prefix), default=((0,), ""))
    advice = (
        f"It works where it was built ({detail.platform.os if detail.platform else 'elsewhere'}). Clone it here: "
        f"“jupyter hpcenv clone {detail.name} NEW-NAME”."
    )
    if needed > _numbers(machine.libc):
        yield Finding(
            code="glibc_older",
            message=f"{package} needs glibc {'.'.join(map(str, needed))}, and this computer has {machine.libc}.",
            breaks=f"{package} can not be imported here.",
            severity="broken",
            environment=detail.id,
            advice=advice,
        )
        return
    built = detail.platform
    if built is None:
        return
    if built.glibc and _numbers(built.glibc) > _numbers(machine.libc):
        yield Finding(
            code="glibc_older",
            message=f"It was built with glibc {built.glibc}, and this computer has {machine.libc}.",
            breaks="What was compiled for it there may not start here.",
            severity="risk",
            environment=detail.id,
            advice=advice,
        )
    elif built.os and built.os != machine.system:
        yield Finding(
            code="other_system",
            message=f"It was built on {built.os}, and this computer runs {machine.system}.",
            breaks="What was compiled for it there may miss libraries here.",
            severity="risk",
            environment=detail.id,
            advice=advice,
        )


_WHEEL = re.compile(rb"(?m)^Tag: \S+-manylinux_(\d+)_(\d+)_")
_OLD_TAGS = {b"manylinux1": (2, 5), b"manylinux2010": (2, 12), b"manylinux2014": (2, 17)}
_GLIBC = re.compile(rb'"__glibc >=(\d+)\.(\d+)')


def _needed(prefix: Path) -> Iterator[tuple[tuple[int, ...], str]]:
    """Yield which glibc each package needs at least: by its best tag (PEP 600), or conda's virtual package."""
    for path in prefix.glob("lib/python3.*/site-packages/*.dist-info/WHEEL"):
        text = _bytes(path)
        found = [(int(major), int(minor)) for major, minor in _WHEEL.findall(text)]
        found += [version for tag, version in _OLD_TAGS.items() if tag in text]
        if found:
            yield min(found), path.parent.name.partition("-")[0]
    for path in prefix.glob("conda-meta/*.json"):
        for major, minor in _GLIBC.findall(_bytes(path)):
            yield (int(major), int(minor)), path.stem.rsplit("-", 2)[0]


def _bytes(path: Path) -> bytes:
    with contextlib.suppress(OSError, BrokenRecord):
        return read_regular(path, 64_000_000)
    return b""


def _had(prefix: Path) -> Iterator[_Had]:
    for package in packages.list_packages(prefix, not_by="conda"):
        yield _Had(package.name.lower().replace("_", "-"), package.version)
    for path in prefix.glob("conda-meta/*-*-*.json"):
        yield _Had(*path.stem.rsplit("-", 2))


def _driver(detail: EnvironmentDetail, had: list[_Had], machine: Machine) -> Iterator[Finding]:
    driver = machine.driver()
    if not driver or any(each.name in _COMPATIBLE for each in had):
        return
    for each in had:
        cuda = _cuda_of(each)
        oldest = OLDEST_DRIVERS.get(cuda.partition(".")[0]) if cuda else None
        if oldest is not None and _numbers(driver) < _numbers(oldest):
            yield Finding(
                code="driver_too_old",
                message=f"{each.name} {each.version} brings CUDA {cuda}, which needs driver "
                f"{oldest}; this computer has {driver}.",
                breaks="Programs see no GPU here, or stop with “CUDA driver version is insufficient”.",
                severity="broken",
                environment=detail.id,
                advice="The driver is for staff to renew. Or take packages for an older CUDA: “jupyter hpcenv install "
                f"{detail.name} PACKAGE --dry-run” shows what would change; or work on nodes with a newer driver.",
            )
            return  # the others of it say the same


def _cuda_of(package: _Had) -> str:
    """Return the CUDA that a package brings, or an empty text."""
    if _RUNTIMES.fullmatch(package.name):
        return package.version
    if match := re.search(r"\+cu(\d{2})(\d)\b", package.version):  # as in torch's own index
        return f"{match[1]}.{match[2]}"
    return ""


def _cpu_builds(detail: EnvironmentDetail, had: list[_Had], machine: Machine) -> Iterator[Finding]:
    names = {each.name for each in had}
    for each in had:
        if not _is_for_cpus(each, names):
            continue
        yield Finding(
            code="cpu_build",
            message=f"{each.name} {each.version} was built for processors alone, and this computer has a GPU "
            f"({machine.gpu()}).",
            breaks="It computes without the GPU, without a word, and much slower.",
            severity="risk",
            environment=detail.id,
            advice="Which build fits depends on the driver, and it may be what you want on other nodes. Ask for one "
            f"with “jupyter hpcenv install {detail.name} PACKAGE --dry-run”, which shows what would change.",
        )


def _is_for_cpus(package: _Had, names: set[str]) -> bool:
    if package.build:
        known = ("pytorch", "libtorch", "jaxlib", "tensorflow", "tensorflow-base")
        return package.name in known and re.search(r"(?:^|_)cpu(?:_|$)", package.build) is not None
    if package.name == "torch":
        return package.version.endswith("+cpu")
    if package.name == "jaxlib":
        plugins = re.compile(r"jax-(?:cuda|rocm)\d*-(?:plugin|pjrt)")
        return "+cuda" not in package.version and not any(plugins.fullmatch(name) for name in names)
    return package.name == "tensorflow-cpu"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
