"""The site's presets: requests that staff prepared, as files that only they can write.

They lie in ``etc/jupyter/hpcenv_presets`` below / and below the Python that runs this, in the folders of
`Site.preset_folders`, and in packages that name themselves by the entry point `GROUP`. A preset proposes and decides
nothing: what it makes is a request, which passes the same gate as any other.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import msgspec

from ..errors import BrokenRecord, HpcenvError, InvalidRequest, NotFound, Refused
from ..files import read_regular
from ..formats import preset as formats
from ..models import CreateRequest
from ..names import new_operation_id
from ..site import Site
from ..trust import who_can_write
from . import creating
from .means import Means

FOLDER = Path("etc") / "jupyter" / "hpcenv_presets"
GROUP = "jupyter_hpcenv.presets"

_LARGEST_FILE = 5_000_000
_MOST = 500


class PresetFacts(msgspec.Struct, kw_only=True):
    """A preset for who chooses one."""

    name: str
    title: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema of the object with all parameters."""
    path: str
    message: str = ""
    """Why it can not be used; empty if it can."""


class Checked(msgspec.Struct, kw_only=True):
    """What a check of a preset found, for one choice of its parameters."""

    name: str
    path: str
    parameters: dict[str, Any] = {}
    message: str = ""
    """What is wrong; empty where nothing is."""
    hints: list[str] = []


def known(site: Site) -> list[PresetFacts]:
    """Return the presets of the site, as staff order them; those that can not be used come last, and say why."""
    good: list[tuple[int, PresetFacts]] = []
    bad: list[PresetFacts] = []
    for path in _files(site):
        try:
            found, _ = _read(path)
        except HpcenvError as error:
            bad.append(
                PresetFacts(
                    name=path.stem,
                    title=path.stem,
                    description="",
                    parameters={},
                    path=str(path),
                    message=error.message,
                )
            )
            continue
        facts = PresetFacts(
            name=found.name,
            title=found.title,
            description=found.description,
            parameters=found.schema(),
            path=str(path),
        )
        good.append((found.order, facts))
    return [facts for _, facts in sorted(good, key=lambda pair: (pair[0], pair[1].title))] + bad


def fill(name: str, parameters: dict[str, Any], means: Means) -> CreateRequest:
    """Return the request that a preset makes of *parameters*; its name is left open.

    Raises `NotFound`, `InvalidRequest` for parameters that are not as they should be, and for a broken preset.
    """
    for path in _files(means.site):
        if path.stem == name:
            found, text = _read(path)
            return found.fill(parameters, text)
    there = ", ".join(path.stem for path in _files(means.site))
    raise NotFound(f"There is no preset {name}.", hints=[f"These are there: {there or 'none'}."])


def check(means: Means, paths: list[Path] | None = None) -> list[Checked]:
    """Return what would become of each preset, once for each choice that its parameters leave; nothing is built.

    Everything is looked at that a create looks at before it claims anything: modules, Python, packages, indexes,
    channels, policy. Raises nothing: what is wrong is in the answer.
    """
    found = []
    for path in paths if paths is not None else _files(means.site):
        try:
            preset, text = _read(path)
        except HpcenvError as error:
            found.append(Checked(name=path.stem, path=str(path), message=error.message, hints=list(error.hints)))
            continue
        for values in _choices(preset):
            one = Checked(name=preset.name, path=str(path), parameters=values)
            try:
                request = msgspec.structs.replace(
                    preset.fill(values, text), name=f"check-{preset.name}"[:63].rstrip("-_")
                )
                creating.ticket("plan", request, new_operation_id(), "", means)
            except HpcenvError as error:
                one.message, one.hints = error.message, list(error.hints)
            found.append(one)
    return found


def _choices(preset: formats.Preset) -> Iterator[dict[str, Any]]:
    """Return the parameters as they are when nothing is chosen, and with each one that can be chosen from a few."""
    defaults = {name: each["default"] for name, each in preset.parameters.items() if "default" in each}
    for name, each in preset.parameters.items():
        if name not in defaults:
            defaults[name] = each.get(
                "enum", [each.get("minimum", {"boolean": False, "string": ""}.get(each["type"], 0))]
            )[0]
    yield defaults
    for name, each in preset.parameters.items():
        for value in each.get("enum", [True, False] if each["type"] == "boolean" else []):
            if value != defaults[name]:
                yield {**defaults, name: value}


def folder_of(text: str) -> Path:
    """Return the folder that an item of `Site.preset_folders` means."""
    return Path(os.path.expandvars(text)).expanduser()


def _files(site: Site) -> list[Path]:
    """Return the files of all presets; of two with one name the first, which is the whole system's."""
    folders = [Path("/") / FOLDER, Path(sys.prefix) / FOLDER]
    folders += map(folder_of, site.preset_folders)
    found: dict[str, Path] = {}
    for folder in itertools.chain(folders, _packages()):
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208
        except OSError:
            continue
        for path in map(Path(folder).joinpath, names[:_MOST]):
            if path.suffix in (".yaml", ".yml") and not path.name.startswith("."):
                found.setdefault(path.stem, path)
    return list(found.values())


def _packages() -> Iterator[Path]:
    """Return the folders of packages that bring presets; nothing of them is imported."""
    for entry in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        package, _, rest = entry.module.partition(".")
        try:
            spec = importlib.util.find_spec(package)
        except (ImportError, ValueError):
            continue
        for folder in (spec.submodule_search_locations or []) if spec else []:
            yield Path(folder, *rest.split(".")) if rest else Path(folder)


def _read(path: Path) -> tuple[formats.Preset, str]:
    """Return a preset and the text of its file; raises `Refused` where others could have written either."""
    preset = formats.read(path.stem, _text(path))
    return preset, _text(path.parent / preset.file) if preset.file else ""


def _text(path: Path) -> str:
    try:
        owner = path.stat().st_uid
        if writers := who_can_write(path, [owner]):
            raise Refused(
                f"{path} is not taken: others than its owner can change it ({', '.join(map(str, writers[:3]))}).",
                hints=["Take their right to write away, also in the folders above it."],
            )
        return read_regular(path.resolve(), _LARGEST_FILE).decode()
    except (OSError, BrokenRecord, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path} can not be read: {error}.", hints=["Mend it, or take it away."]) from error
