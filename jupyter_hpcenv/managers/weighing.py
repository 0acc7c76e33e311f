"""Tell before anything is fetched whether what an installer has chosen fits, where there is little room.

Where there is plenty nobody waits for that. What is counted is certain to be needed: an archive takes at least its own
size when it is unpacked, and brings some files. What is not known counts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import DoesNotFit
from ..models import Changes, Location, Reporter
from ..site import Site
from ..site.fits import EMPTY, Need, amount, elsewhere, place_of
from ..site.quotas import room
from . import changing, installers
from .configured import places
from .contract import Choice, Surroundings
from .installers import existing_cache, links

#: With more than this there is room for any environment.
PLENTY = Need(bytes=10_000_000_000, files=100_000)
_LEAST = 4  # files that a package has: the folder of its metadata, METADATA, WHEEL and RECORD
_AT_ONCE = 8
_PATIENCE = 5.0


def is_tight(place: Location) -> bool:
    """Tell whether it is worth a look before something is installed."""
    free_bytes, free_files = room(place)
    few_bytes = free_bytes is not None and free_bytes < (PLENTY.bytes or 0)
    return few_bytes or (free_files is not None and free_files < (PLENTY.files or 0))


def before_create(
    choice: Choice,
    requirements: Sequence[str],
    prefix: Path,
    env: Mapping[str, str],
    folder: Path,
    around: Surroundings,
    report: Reporter,
    site: Site,
) -> None:
    """Raise `DoesNotFit` where what is asked for is certain not to fit; *folder* is for the installer's files."""
    place = place_of(site, prefix)
    if not is_tight(place):
        return
    locked = choice.options.get("locked")
    if isinstance(locked, list) and locked:
        exacts = (line.partition(" --hash")[0].partition("==") for line in locked if " @ " not in line)
        check({name: version for name, _, version in exacts}, choice, place, prefix, env, report, site)
        return
    installers.write_constraints(folder, around)
    wanted = Changes(install=[*requirements, *(["ipykernel"] if choice.kernel else [])])
    if wanted.install:
        told = changing.plan(wanted, choice, [], prefix, env, folder, report)
        check({each["name"]: each["version"] for each in told["install"]}, choice, place, prefix, env, report, site)


def before_change(
    changes: Changes,
    choice: Choice,
    asked: Sequence[str],
    prefix: Path,
    env: Mapping[str, str],
    folder: Path,
    report: Reporter,
    site: Site,
) -> None:
    """Raise `DoesNotFit` where what a change brings is certain not to fit."""
    place = place_of(site, prefix)
    if is_tight(place) and (changes.install or changes.update or changes.update_all):
        told = changing.plan(changes, choice, asked, prefix, env, folder, report)
        coming = [*told["install"], *(each["new"] for each in told["change"])]
        check({each["name"]: each["version"] for each in coming}, choice, place, prefix, env, report, site)


def check(
    versions: Mapping[str, str],
    choice: Choice,
    place: Location,
    prefix: Path,
    env: Mapping[str, str],
    report: Reporter,
    site: Site,
) -> None:
    """Raise `DoesNotFit` where packages of these *versions* are certain not to fit into *place*."""
    from .searching import size_of

    free_bytes, free_files = room(place)
    files = _LEAST * len(versions)
    if free_files is not None and free_files < files:
        raise _refused(place, prefix, f"at least {files:,} files, and {free_files:,}", site, Need(files=files))
    if free_bytes is None:
        return
    by_uv, where, python = choice.installer == "uv", places(choice.installer, choice.options), choice.python.version
    cached = existing_cache(env) if by_uv and links(env, prefix) else None
    asked = {name: version for name, version in versions.items() if not (cached and _is_in(cached, name, version))}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        sizes = list(pool.map(lambda each: size_of(each[0], each[1], where, python, _PATIENCE), asked.items()))
    known = [size for size in sizes if size is not None]
    more = "" if len(known) == len(sizes) else f" ({len(sizes) - len(known)} more are of unknown size)"
    if known:
        report.line("output", f"{len(known)} archives of {amount(sum(known))}{more}; {amount(free_bytes)} are left.")
    if free_bytes < sum(known):
        figures = f"at least {amount(sum(known))}, and {amount(free_bytes)}"
        raise _refused(place, prefix, figures, site, Need(bytes=sum(known)))


def _refused(place: Location, prefix: Path, figures: str, site: Site, need: Need) -> DoesNotFit:
    return DoesNotFit(
        f"The packages do not fit into {place.root or prefix.parent}: they need {figures} are left. None was fetched.",
        hints=[*elsewhere(site, place.name, need), EMPTY],
    )


def _is_in(cache: Path, name: str, version: str) -> bool:
    """Tell whether uv's cache has a wheel unpacked, which then is linked and takes no room."""
    return any(next(cache.glob(f"wheels-v*/{way}{name}/*{version}*"), None) for way in ("*/", "*/*/"))
