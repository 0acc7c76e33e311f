"""Set a user up with the verbs that there are, and look through a site's configuration with its templates."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from traitlets.config import Config

from .. import questions
from ..errors import HpcenvError, NotFound
from ..lifecycle.templates import check as check_templates
from ..manifest import Manifest
from ..models import AdoptRequest
from ..site.configuration import Configuration
from ..site.locations import all_locations
from . import caching, looking

if TYPE_CHECKING:
    from .desk import Admission


class Own(msgspec.Struct, kw_only=True):
    """What was done for a user, and what is left for her to do."""

    files: list[questions.Written] = []
    adopted: list[str] = []
    """Names of the environments that have a kernel now."""
    moving: caching.Moving | None = None
    """Lines for a start-up file, by which caches leave the home."""
    notes: list[str] = []
    """What could not be done, and why, a sentence each."""


def look(file: str, definitions: Sequence[str]) -> tuple[list[questions.Fault], list[str]]:
    """Return what is wrong with the site's configuration, and the files that were read; works where no desk does."""
    return questions.look(
        file, definitions, templates=check_templates, kinds={"Manifest": Manifest}, further=looking.faults
    )


def offer(desk: Admission) -> questions.Offer:
    """Return what a user can choose from."""
    places = all_locations(desk.site)
    better = caching.better(places)
    strays = [each.place.name for each in caching.find(desk.site, desk.managers) if caching.is_stray(each)]
    return questions.Offer(
        locations=[each.name for each in places if each.state == "ready"],
        location=next((each.name for each in places if each.default), ""),
        strays=strays,
        caches=better.name if better is not None else "",
        foreign={row.prefix: row.name for row in desk.catalog.environments() if row.origin == "foreign"},
    )


def carry_out(desk: Admission, answers: questions.OwnAnswers, *, force: bool = False, dry_run: bool = False) -> Own:
    """Do what was answered; raises `NotFound` before anything is done for a location that there is not.

    Start-up files are the user's alone to edit: for caches the lines are told. An environment that can not be adopted
    is named, and hinders no other.
    """
    from jupyter_core.paths import jupyter_config_dir

    done, choice = Own(), offer(desk)
    for name in filter(None, (answers.location, answers.caches)):
        _known(name, desk)
    if answers.caches:
        done.moving = desk.caching.moving(answers.caches)
    if answers.location and answers.location != choice.location:
        path = Path(jupyter_config_dir()) / questions.CONFIGURATION
        file = questions.Written(
            path=str(path), what="your default location", text=questions.own_file(answers.location)
        )
        done.files = questions.write([file], force=force, dry_run=dry_run)
        if not dry_run and (winner := _winner(path, answers.location)):
            done.notes.append(f"{winner} wins over your own file, so it stays as it is: ask staff, or say --location.")
    for prefix in _to_adopt(answers, choice):
        if dry_run:
            done.notes.append(f"{prefix} would be adopted.")
            continue
        try:
            done.adopted.append(desk.adopt(AdoptRequest(prefix=prefix)).name)
        except HpcenvError as error:
            done.notes.append(" ".join([error.message, *error.hints]))
    return done


def _winner(own: Path, location: str) -> str:
    """Return the file whose default location counts instead of the user's own; empty if hers does.

    Which folder wins is Jupyter's to say: JUPYTER_CONFIG_PATH, or the environment that Jupyter runs in, may.
    """
    said = [(path, config["Site"]["default_location"]) for path, config in Configuration().sources if _says(config)]
    return str(said[-1][0]) if said and said[-1][0] != own and said[-1][1] != location else ""


def _says(config: Config) -> bool:
    return "Site" in config and "default_location" in config["Site"]


def _to_adopt(answers: questions.OwnAnswers, choice: questions.Offer) -> list[str]:
    homes = [os.path.expanduser(each) for each in answers.adopt if each != questions.ALL]  # noqa: PTH111  raises for nobody
    named = [str(Path(each).absolute()) for each in homes]
    return list(dict.fromkeys([*named, *(choice.foreign if questions.ALL in answers.adopt else [])]))


def _known(name: str, desk: Admission) -> None:
    if name not in desk.site.locations:
        meant = difflib.get_close_matches(name, list(desk.site.locations), 1, 0.6)
        these = f"These exist: {', '.join(desk.site.locations)}."
        raise NotFound(f"There is no location {name!r}.", hints=[f"Did you mean {meant[0]}?" if meant else these])
