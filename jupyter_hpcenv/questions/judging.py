"""Judge answers before anything is written: what could not be written, or would not be understood later, is refused."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from traitlets import TraitError

from ..errors import HpcenvError, InvalidRequest
from ..formats.plain_text import shown
from ..managers import pipconf
from ..managers.conda.condarc import SITE as CONDARC
from ..managers.conda.manager import CondaManager
from ..managers.venv import VenvManager
from ..site import Site
from .answers import Answers
from .folders import Folder
from .settings import settings

#: Environment managers that a site can name.
MANAGERS = ("venv", "conda", "modules")


def check(answers: Answers) -> None:
    """Raise `InvalidRequest` for the first answer that could not be written, or would not be understood later."""
    for text in _texts(msgspec.to_builtins(answers)):
        if not text.isprintable():
            raise InvalidRequest(
                f"An answer has invisible characters in it, or more than one line: {shown(text)!r}.",
                hints=["Give each as one line of printable characters."],
            )
    _traits(answers)
    if answers.default_location and answers.default_location not in answers.locations:
        _unknown("location", answers.default_location, answers.locations)
    for name in answers.managers:
        if name not in MANAGERS:
            _unknown("environment manager", name, MANAGERS)
    for path in filter(None, [answers.module_init, *answers.module_path]):
        _refuse_unless(path.startswith("/"), path, "is not an absolute path")
    roots = [place.root for place in answers.locations.values()]
    for path in [*roots, *answers.python_paths, *answers.python_folders]:
        _refuse_unless(path.startswith(("/", "~", "$", "{")), path, "is not an absolute path")
    for name in [*answers.no_binary, *answers.denied, *answers.preferred]:
        good = re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name)
        _refuse_unless(good is not None, name, "is no name of a package")
    for link in answers.find_links:
        known = re.fullmatch(r"(/|https?://|file://)\S+", link)
        _refuse_unless(known is not None, link, "is neither a folder nor an address without blanks")
    for url in filter(None, [answers.index_url, *answers.find_links, *answers.channels]):
        _refuse_unless("@" not in urlsplit(url).netloc, shown(url), "has a user name or a password in it")
        _refuse_unless(not re.search(r"\s", url) and "/t/" not in url, shown(url), "has a blank or a token in it")
    if answers.no_index and not answers.find_links:
        raise InvalidRequest(
            "Nothing is to be asked but a wheelhouse, and there is none.",
            hints=['Name it: find_links = ["/apps/wheelhouse"].', "Or answer no_index = false."],
        )
    if answers.index_url:
        _refuse_unless(answers.index_url.startswith(("https://", "http://")), answers.index_url, "is no address")
    for folder in filter(None, [answers.caches, answers.conda_envs]):
        Folder(folder)
    _refuse_unless((answers.environments or 0) >= 0, str(answers.environments), "is less than none")
    _places(answers)


def _places(answers: Answers) -> None:
    read = [str(path) for path in pipconf.site_files(os.environ)]
    if answers.pip_conf and answers.pip_conf not in read:
        raise InvalidRequest(
            f"pip does not read {answers.pip_conf}.", hints=[f"It reads {' and '.join(read)}; write one of these."]
        )
    known = [path for path in CONDARC if path.startswith("/") and not path.endswith(".d")]
    if answers.condarc and answers.condarc not in known and not _is_below(answers.condarc, known):
        raise InvalidRequest(
            f"conda does not read {answers.condarc} for everybody.", hints=[f"It reads {', '.join(known)}."]
        )


def _is_below(path: str, known: Iterable[str]) -> bool:
    """Tell whether conda reads *path* for all who take the site's own installation of it: beside its programs."""
    file = Path(path)
    return file.is_absolute() and file.name in (".condarc", "condarc") and (file.parent / "conda-meta").is_dir()


def _traits(answers: Answers) -> None:
    """Let the traits themselves judge what they will be given."""
    by_kind: dict[str, dict[str, Any]] = {}
    for each in settings(answers):
        if each.given:
            by_kind.setdefault(each.kind, {})[each.trait] = each.value
    try:
        site = Site(**by_kind.get("Site", {}))
        VenvManager(site=site, **by_kind.get("VenvManager", {}))
        CondaManager(site=site, **by_kind.get("CondaManager", {}))
    except (TraitError, HpcenvError) as error:
        raise InvalidRequest(
            f"An answer can not be used: {shown(str(error))}.", hints=["Correct it; the text names its trait."]
        ) from error


def _unknown(what: str, name: str, known: Iterable[str]) -> None:
    meant = difflib.get_close_matches(name, list(known), 1, 0.6)
    raise InvalidRequest(
        f"There is no {what} {shown(name)!r} among the answers.",
        hints=[f"Did you mean {meant[0]}?" if meant else f"These are: {', '.join(known) or 'none'}."],
    )


def _refuse_unless(good: bool, text: str, why: str) -> None:
    if not good:
        raise InvalidRequest(f"The answer {text!r} {why}.", hints=["Correct it."])


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from (key, *_texts(each))
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
