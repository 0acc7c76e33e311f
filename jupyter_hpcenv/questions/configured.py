"""Look through a site's configuration fault by fault: files, traits, values, locations, templates."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from traitlets import TraitError
from traitlets.config import Config, Configurable

from ..errors import HpcenvError
from ..files import SILENT
from ..managers.conda.manager import CondaManager
from ..managers.venv import VenvManager
from ..site import Site
from ..site.configuration import FILES, Configuration
from ..site.locations import all_locations
from ..site.proofreading import Finding
from ..trust import who_can_write
from .detected import ROOMS
from .fault import Fault

#: What a configuration of ours can be about.
KINDS: dict[str, type[Configurable]] = {"Site": Site, "VenvManager": VenvManager, "CondaManager": CondaManager}

#: Those that are made for a site.
_OF_A_SITE = (VenvManager, CondaManager)

#: Sections that Jupyter has, which nobody misspelt.
_JUPYTERS = ("HpcenvApp", "JupyterApp", "ServerApp", "ExtensionApp", "Application", "NotebookApp", "LabApp")


def files(read: Configuration, broken: list[Any]) -> Iterator[Fault]:
    """Yield what is wrong with the files themselves."""
    for error in broken:
        yield Fault(
            code="configuration_unreadable",
            message=error.message,
            breaks="Nothing is done for anybody while it is so, because the file may hold rules.",
            advice=f"{error.reason}. Correct the file, or take it away.",
        )
    for path, _ in read.sources:
        try:
            writers = who_can_write(path.absolute(), {os.geteuid(), path.stat().st_uid})
        except OSError as error:
            if error.errno in SILENT:
                continue
            writers = ()
        if writers:
            yield Fault(
                code="configuration_writable",
                message=f"{path} can be changed by others: {', '.join(map(str, writers[:3]))}.",
                breaks="It is a program that runs in the server of everybody who reads it.",
                advice=f"Take that right: “chmod go-w {path}”, and of the folders above it.",
                severity="risk",
                path=str(path),
            )


def names(read: Configuration, kinds: Mapping[str, type[Configurable]]) -> Iterator[Fault]:
    """Yield sections and traits that do not exist in *kinds*: they are obeyed by nobody, and nobody is told."""
    for path, config in read.sources:
        own = path.stem == FILES[-1]
        for section, values in config.items():
            if section in kinds:
                for trait in values:
                    if trait not in (known := kinds[section].class_trait_names(config=True)):
                        yield _unknown(f"c.{section}.{trait}", trait, known, f"c.{section}.", path)
            elif own and section not in _JUPYTERS and not section.startswith("_"):
                yield _unknown(f"c.{section}", section, kinds, "c.", path)


def _unknown(what: str, name: str, known: Any, start: str, path: Path) -> Fault:
    meant = difflib.get_close_matches(name, list(known), 1, 0.6)
    return Fault(
        code="unknown_trait",
        message=f"{what} in {path} is nothing that can be configured.",
        breaks="It does nothing, and what it should do does not happen.",
        advice=f"Did you mean {start}{meant[0]}?" if meant else "Look it up in the reference, or take it out.",
        path=str(path),
    )


def values(read: Configuration, kinds: Mapping[str, type[Configurable]] = KINDS) -> tuple[Site, Config, list[Fault]]:
    """Return the site and the configuration without the values that can not be used, and a fault for each of those."""
    faults, good = [], Config()
    for section, kind in kinds.items():
        for trait, value in read.config.get(section, {}).items():
            if trait not in kind.class_trait_names(config=True):
                continue
            try:
                _made(kind, section, {trait: value})
            except (TraitError, HpcenvError) as error:
                where = next((str(path) for path, config in reversed(read.sources) if trait in config[section]), "")
                faults.append(
                    Fault(
                        code="wrong_value",
                        message=f"c.{section}.{trait} has a value that can not be used{f': {where}' if where else ''}.",
                        breaks="Nothing is done for anybody while it stands there.",
                        advice=f"{error} Correct it, or take it out.",
                        path=where,
                    )
                )
            else:
                good[section][trait] = value
    return Site(config=good), good, faults


def _made(kind: type[Configurable], section: str, said: Mapping[str, Any]) -> None:
    made = kind(config=Config({section: dict(said)}), **({"site": Site(config=Config())} if kind in _OF_A_SITE else {}))
    for trait in said:
        getattr(made, trait)  # what appends to a default is put together only when it is asked for


def locations(site: Site) -> Iterator[Fault]:
    """Yield what is wrong with the places where environments may lie."""
    places, home = all_locations(site), Path(os.path.realpath(Path.home()))
    ready = [place.name for place in places if place.state == "ready"]
    if site.default_location and site.default_location not in site.locations:
        meant = difflib.get_close_matches(site.default_location, list(site.locations), 1, 0.6)
        yield Fault(
            code="default_location_unknown",
            message=f"c.Site.default_location is “{site.default_location}”, and there is no such location.",
            breaks="Whoever does not say where gets an error.",
            advice=f"Did you mean {meant[0]}?" if meant else f"Take one of {', '.join(site.locations)}.",
        )
    for place in places:
        if place.state == "unwritable" and ready and not place.default:
            yield Fault(
                code="location_unwritable",
                message=f"The location {place.name} is closed to you: {place.message}",
                breaks=f"Who is in your place makes environments elsewhere ({', '.join(ready)}), and may use what is "
                "there.",
                advice="Leave it so if it is meant for an account that builds for everybody. If users are to make "
                "environments there, give each a folder of their own; never open one folder to all.",
                severity="risk",
                path=place.root,
            )
        elif place.state != "ready":
            yield Fault(
                code=f"location_{place.state}",
                message=f"The location {place.name} can not be used: {place.message}",
                breaks="No environment can be made there by whoever is in your place now.",
                advice="Make the folder above it, for each user one that is theirs to write, or correct "
                "c.Site.locations. A variable may be set for users and not for you.",
                severity="risk" if place.state == "slow" else "broken",
                path=place.root,
            )
        elif place.sharing and (mode := _loose(Path(place.root))):
            yield Fault(
                code="location_not_sticky",
                message=f"{place.root} is for sharing, and who may write there can rename what others have ({mode}).",
                breaks="A colleague could put another environment in place of a shared one, so “use” refuses them.",
                advice=f"Set the sticky bit: “chmod +t {place.root}”.",
                path=place.root,
            )
        elif Path(place.root).is_relative_to(home) and place.default and (elsewhere := _elsewhere(home)):
            yield Fault(
                code="location_on_home",
                message=f"Environments lie in the homes unless somebody says otherwise ({place.name}, {place.root}).",
                breaks="An environment has tens of thousands of files, and a full home keeps people from logging in.",
                advice=f"There is {elsewhere}: make it a location, and c.Site.default_location.",
                severity="risk",
                path=place.root,
            )


def _loose(root: Path) -> str:
    """Return the mode of a folder in which others can rename what is not theirs; empty if they can not."""
    try:
        mode = root.stat().st_mode
    except OSError:
        return ""
    return f"mode {stat.S_IMODE(mode):o}" if mode & 0o022 and not mode & stat.S_ISVTX else ""


def _elsewhere(home: Path) -> str:
    """Return a variable that names room outside the homes, with its folder; empty if there is none."""
    for name in ROOMS:
        folder = Path(os.environ.get(name) or "-")
        if folder.is_absolute() and folder.is_dir() and not Path(os.path.realpath(folder)).is_relative_to(home):
            return f"${name} ({folder})"
    return ""


def templates(site: Site, check: Callable[[Site], list[Finding]]) -> Iterator[Fault]:
    """Yield what is wrong with the site's templates; *check* renders them for samples."""
    once = {each.message: each for each in check(site)}  # a folder that is refused is so for each template
    for each in once.values():
        yield Fault(
            code="template_wrong" if each.fatal else "template_unread",
            message=each.message,
            breaks="No environment can be made or changed while it is so; else kernels would not start."
            if each.fatal
            else "Whether it does what it should is not known.",
            advice="Correct it, and see with “jupyter hpcenv templates check”.",
            severity="broken" if each.fatal else "risk",
            path=each.path,
        )
