"""Read what a request asks for: Python, tools, exact packages; keep that in a choice, and read it there again."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path

from ...errors import InvalidRequest
from ...models import BY_PIP, CreateRequest, PinnedPackage
from . import installed
from .plan import Source
from .settings import Settings

_VERSION = re.compile(r"\d+(?:\.\d+){0,2}")
_PYTHON = re.compile(r"(?:.*::)?python\s+(?:==)?(\d+\.\d+(?:\.\d+)?)(?:\.\*)?(?:[\s\[].*)?")


def check(request: CreateRequest) -> None:
    """Refuse what no conda environment can be."""
    if unfit := [word for word in (request.creator, request.installer) if word]:
        raise InvalidRequest(
            f"“{unfit[0]}” builds no conda environments.", hints=["Leave creator and installer out, or take venv."]
        )
    if request.system_site_packages:
        raise InvalidRequest(
            "A conda environment has a Python of its own, and no other Python's packages.",
            hints=["Leave that out, or take the manager venv."],
        )


def python(wanted: str) -> list[str]:
    """Return the match spec of the Python that was asked for, if one was."""
    if not wanted.strip():
        return []
    if not _VERSION.fullmatch(wanted.strip()):
        raise InvalidRequest(
            f"“{wanted}” is no version of Python; a conda environment gets its Python from the channels.",
            hints=["Give a version such as 3.12, or leave it out."],
        )
    return [f"python {wanted.strip()}.*" if wanted.count(".") < 2 else f"python {wanted.strip()}"]


def tools(specs: list[str], kernel: bool, pip: bool, settings: Settings) -> list[str]:
    """Return what is installed unasked: what the kernel needs, and pip where it will be used."""
    names = {installed.name_of(spec) for spec in specs}
    wanted = ["ipykernel"] if kernel else []
    if pip or (kernel and settings.add_pip_as_python_dependency):
        wanted.append("pip")
    return [name for name in wanted if name not in names]


def version_in(specs: list[str], pinned: list[PinnedPackage]) -> str:
    """Return the version of Python that is asked for, as far as it is said; empty where the solver may choose."""
    for each in pinned:
        if match := re.search(r"/python-(\d[\w.]*)-[^/]*$", each.url):
            return match[1]
    for spec in specs:
        if installed.name_of(spec) == "python" and (match := _PYTHON.fullmatch(spec)):
            return match[1]
    return ""


def virtual(request: CreateRequest, site: Mapping[str, str]) -> dict[str, str]:
    """Return the virtual packages that are not to be those of this computer: the request's word is the last."""
    start = "CONDA_OVERRIDE_"
    said = {name.removeprefix(start).lower(): text for name, text in os.environ.items() if name.startswith(start)}
    wanted = {name.removeprefix("__"): version for name, version in request.virtual_packages.items()}
    found = {**site, **said, **wanted}
    for name, version in found.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name) or not re.fullmatch(r"[\w.+!-]{0,60}", version):
            raise InvalidRequest(
                f"“{name[:60]}={version[:60]}” is no version of a virtual package.",
                hints=["Write, for example, cuda=12.4 or glibc=2.28."],
            )
    return found


def channel_of(package: PinnedPackage) -> str:
    """Return the URL of the channel that a package comes from."""
    return package.url.rsplit("/", 2)[0]


def pinned(lines: list[str]) -> list[PinnedPackage]:
    """Return exact packages as a choice keeps them."""
    found = (line.rsplit(" ", 2) for line in lines)
    return [PinnedPackage(url=url, sha256=sha.strip("-"), md5=md5.strip("-")) for url, sha, md5 in found]


def words(options: Mapping[str, str | bool | list[str]], name: str) -> list[str]:
    """Return a list of a choice's options."""
    value = options.get(name)
    return list(value) if isinstance(value, list) else []


def by_pip(options: Mapping[str, str | bool | list[str]]) -> list[str]:
    """Return what pip is to install, as a record has it."""
    return [f"{BY_PIP}{line}" for line in words(options, "pip")]


def source(options: Mapping[str, str | bool | list[str]], settings: Settings, *, link_scripts: bool) -> Source:
    """Return what the engine is given for a choice; proxies come from *settings*, for they may hold a password."""
    overrides = dict(word.split("=", 1) for word in words(options, "virtual"))
    return Source(
        channels=words(options, "channels"),
        priority=str(options["priority"]),
        cache=str(options["cache"]),
        offline=bool(options["offline"]),
        proxies=settings.proxy_servers,
        ssl_verify=str(options["ssl_verify"]),
        constraints=words(options, "constraints"),
        virtual_packages=overrides,
        link_scripts=link_scripts,
        copy=bool(options["copy"]),
        retries=settings.remote_max_retries,
        patience=max(1, math.ceil(settings.remote_read_timeout_secs)),
        connecting=settings.remote_connect_timeout_secs,
    )


def python_in(prefix: Path) -> str:
    """Return the version of the Python that is in *prefix*; an empty text where there is none."""
    return next((each.version for each in installed.read(prefix) if each.name == "python"), "")
