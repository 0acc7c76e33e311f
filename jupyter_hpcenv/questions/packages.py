"""Look where packages come from: indexes, wheelhouses, and the files that configure pip and conda."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator
from pathlib import Path

from traitlets.config import Config

from ..errors import BrokenPolicy, BrokenRecord, HpcenvError
from ..files import read_regular
from ..managers import configured, index, pipconf
from ..managers.conda import settings
from ..managers.conda.find_command import find_command
from ..managers.conda.manager import CondaManager
from ..managers.venv import VenvManager
from ..site import Site
from .fault import Fault

#: Where a pip.conf is often put, and pip does not look.
UNREAD_PIP = (
    "/etc/pip/pip.conf",
    "/etc/xdg/pip.conf",
    "/etc/pip.ini",
    "~/.pip.conf",
    "~/pip.conf",
    "~/.config/pip.conf",
)

_PATIENCE = 3.0  # seconds for the package index


def packages(site: Site, config: Config) -> Iterator[Fault]:
    """Yield what is wrong with where packages come from, as it is configured for venv."""
    manager = VenvManager(config=config, site=site)
    installer = manager.installer or ("pip" if pipconf.steering() or manager.find_links else "uv")
    options: dict[str, str | bool | list[str]] = {
        "index_url": manager.index_url,
        "find_links": list(manager.find_links),
        "no_index": manager.no_index,
    }
    try:
        places = configured.places(installer, options)
    except BrokenPolicy:
        return  # told as what it is
    for link in manager.find_links:
        if link.startswith("/") and not os.access(link, os.R_OK):
            yield Fault(
                code="wheelhouse_missing",
                message=f"The wheelhouse {link} is not there, or can not be read.",
                breaks="Packages that lie there alone can not be installed.",
                advice="Correct c.VenvManager.find_links, or mount it.",
                path=link,
            )
    if manager.no_index and not places.folders:
        yield Fault(
            code="no_packages",
            message="c.VenvManager.no_index is set, and no wheelhouse is.",
            breaks="No package can be installed.",
            advice="Set c.VenvManager.find_links, or take no_index out.",
        )
    for url in places.indexes:
        try:
            index.probe(url, [], _PATIENCE)
        except HpcenvError as error:
            yield Fault(
                code="index_unreachable",
                message=error.message,
                breaks="No Python package can be installed from here.",
                advice=" ".join(error.hints),
            )


def pip_files(root: Path = Path("/")) -> Iterator[Fault]:
    """Yield what is wrong with the files that configure pip; absolute places lie below *root*."""
    for text in UNREAD_PIP:
        path = Path.home() / text[2:] if text.startswith("~") else root / text[1:]
        if path.is_file():
            yield Fault(
                code="pip_conf_unread",
                message=f"pip does not read {path}.",
                breaks="What it says of caches, indexes or wheels holds for nobody.",
                advice="Move it to /etc/pip.conf or /etc/xdg/pip/pip.conf, for one user to ~/.config/pip/pip.conf.",
                path=str(path),
            )
    for path in pipconf.site_files(os.environ):
        place = root / str(path)[1:]
        if place.is_file():
            yield from _pip_file(place)


def _pip_file(path: Path) -> Iterator[Fault]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(read_regular(path.resolve(), 1_000_000).decode())
    except (OSError, UnicodeDecodeError, BrokenRecord, configparser.Error) as error:
        yield Fault(
            code="pip_conf_broken",
            message=f"{path} can not be read: {str(error).splitlines()[0]}.",
            breaks="pip ends with an error for everybody.",
            advice="Correct it.",
            path=str(path),
        )
        return
    for section in parser.sections():
        for name, value in parser.items(section):
            if re.search(r"\$\{?\w|\{\w+\}", value) and name.replace("_", "-") in ("cache-dir", "log", "find-links"):
                yield Fault(
                    code="pip_conf_variable",
                    message=f"{path} sets {name} to {value}, and pip fills in no variables there.",
                    breaks="pip makes a folder of that very name wherever somebody stands, or finds nothing.",
                    advice="Set the variable PIP_CACHE_DIR (PIP_FIND_LINKS) in a modulefile instead; “jupyter hpcenv "
                    "setup” writes one.",
                    path=str(path),
                )


def conda_command(site: Site, config: Config) -> Iterator[Fault]:
    """Yield what is wrong with the conda that the site has chosen to run."""
    manager = CondaManager(config=config, site=site)
    if manager.engine != "command":
        return
    try:
        find_command(manager.command, os.environ)
    except HpcenvError as error:
        yield Fault(
            code="conda_missing",
            message=error.message,
            breaks="No conda environment can be made, unless a module brings the program.",
            advice="Correct c.CondaManager.command, or take c.CondaManager.engine out.",
        )


def conda_files() -> Iterator[Fault]:
    """Yield what is wrong with conda's configuration."""
    try:
        found = settings.load()
    except HpcenvError as error:
        yield Fault(
            code="condarc_broken",
            message=error.message,
            breaks="No conda environment can be made while it is so, because it may hold rules.",
            advice=" ".join(error.hints) or "Correct it.",
        )
        return
    for text in found.warnings:
        yield Fault(
            code="condarc_unheeded",
            message=text,
            breaks="It does not do what it should.",
            advice="Correct it, or take it out.",
            severity="risk",
        )
