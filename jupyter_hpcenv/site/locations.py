"""Resolve the configured locations and say how each one stands now.

A location that is missing or not writable is a fact to show, never an exception that hides the others.
Links above a root and at it are resolved (staff tell users to link scratch into home); below it none is.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import platform
import re
from pathlib import Path

from ..errors import InvalidRequest, LocationUnavailable, NotFound, PathTooLong, Refused
from ..models import Location
from ..names import PREFIX_LIMIT, check_name
from ..patience import Patience, Slow
from .config import Site, groupname, os_release, username

VERSION = "{python_version}"

_patience = Patience()

_WORD = re.compile(r"\$\w+|\$\{\w+\}|\{\w+\}")

#: What a prefix is said to be in when no location holds it.
ELSEWHERE = "elsewhere"


def expand(template: str, site: Site, python_version: str = "") -> str:
    """Return *template* with ``~``, ``$VARIABLES`` and ``{words}`` replaced, or raise `LocationUnavailable`.

    Words are replaced by plain text search: a template is never evaluated.
    """
    words = {
        "username": username(),
        "group": groupname(),
        "cluster": site.cluster,
        "os": os_release(),
        "arch": platform.machine(),
        "python_version": python_version,
    }
    if "{data_dir}" in template:
        words["data_dir"] = str(site.data_dir)

    def replace(match: re.Match[str]) -> str:
        """Replace one word or variable; what it is replaced by is not looked at again."""
        name = match[0].strip("${}")
        known = words if match[0].startswith("{") else os.environ
        if name not in known:
            missing = "means nothing here" if match[0].startswith("{") else "is not set here"
            raise LocationUnavailable(
                f"{match[0]} in {template!r} {missing}.",
                hints=[f"Set the variable, or use one of {{{'}, {'.join(sorted(words))}}}."],
            )
        return known[name]

    home, rest = "", template
    if template.startswith("~"):
        head, slash, tail = template.partition("/")
        home, rest = os.path.expanduser(head), slash + tail  # noqa: PTH111
    text = home + _WORD.sub(replace, rest)
    if not text.startswith("/"):
        raise LocationUnavailable(f"{text!r} is not an absolute path.", hints=["Correct c.Site.locations."])
    return text


def root_of(site: Site, name: str) -> Path:
    """Return the resolved root of a location; it need not exist. Raises `NotFound`, `LocationUnavailable`."""
    try:
        value = site.locations[name]
    except KeyError:
        known = ", ".join(site.locations) or "none"
        raise NotFound(f"There is no location {name!r}.", hints=[f"These exist: {known}."]) from None
    template = value["root"] if isinstance(value, dict) else value
    above, _ = _at_version(template)
    return Path(os.path.realpath(expand(above, site)))  # unlike resolve(), never raises for a loop of links


def _at_version(template: str) -> tuple[str, str]:
    """Split a template before the first folder that depends on the environment's Python; that part may be empty."""
    parts = template.split("/")
    for index, part in enumerate(parts):
        if VERSION in part:
            return "/".join(parts[:index]), "/".join(parts[index:])
    return template, ""


def _below(site: Site, name: str, python_version: str) -> str:
    """Return the folders between a location's root and its environments; empty where Python does not matter."""
    value = site.locations[name]
    _, below = _at_version(value["root"] if isinstance(value, dict) else value)
    return expand(f"/{below}", site, python_version).strip("/") if below else ""


def by_python(site: Site, name: str) -> bool:
    """Tell whether a location has a folder for each version of Python."""
    return name in site.locations and bool(_below(site, name, "*"))


def folders_of(site: Site, name: str) -> list[Path]:
    """Return the folders of a location that hold environments: its root, and one for each Python where it says so."""
    root, below = root_of(site, name), _below(site, name, "*")
    return [root, *(sorted(root.glob(below)) if below else [])]


def own_root(site: Site, name: str) -> Path:
    """Return the root of a location ready to be written: created if only its last part is missing."""
    if name not in site.locations:
        root_of(site, name)  # says which there are
    facts = describe(site, name)
    if facts.state != "ready":
        others = [other.name for other in all_locations(site) if other.state == "ready"]
        hints = [f"Use another location: {', '.join(others)}."] if others else []
        if site.contact:
            hints.append(f"Ask {site.contact}.")
        raise LocationUnavailable(facts.message, hints=hints or ["Make the folder, or have staff make it."])
    root = root_of(site, name)
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LocationUnavailable(
            f"Location {name} can not be made at {root}: {(error.strerror or '').lower()}.",
            hints=["See whether its parent folder exists and is yours to write."],
        ) from error
    return root


def describe(site: Site, name: str) -> Location:
    """Return how a location stands now; one whose filesystem does not answer within seconds is “slow”."""
    try:
        return _patience.ask(f"{name} {site.locations[name]}", _describe, site, name)
    except Slow:
        return Location(
            name=name, root="", state="slow", message=f"The filesystem of location {name} does not answer now."
        )


def _describe(site: Site, name: str) -> Location:
    value = site.locations[name]
    told = value if isinstance(value, dict) else {}
    location = Location(name=name, root="", description=told.get("description", ""))
    for fact in ("group", "project", "purge_days", "purge_by", "backed_up", "sharing"):
        if fact in told:
            setattr(location, fact, told[fact])
    try:
        root = root_of(site, name)
    except LocationUnavailable as error:
        location.state, location.message = "missing", error.message
        return location
    location.root = str(root)
    try:
        _look_at(site, location, root)
    except OSError as error:  # a folder above it was closed, or the file server gives errors
        location.state = "unwritable" if isinstance(error, PermissionError) else "missing"
        location.message = f"{root} can not be looked at: {(error.strerror or str(error)).lower()}."
    return location


def _look_at(site: Site, location: Location, root: Path) -> None:
    """Fill in how the root stands; raises OSError for what can not even be asked."""
    place = root
    while not place.exists() and place != place.parent:
        place = place.parent
    if place != root and place != root.parent and not _is_ours(site, root):
        location.state, location.message = "missing", f"{root} does not exist, and neither does {root.parent}."
        return
    if not place.is_dir():
        location.state, location.message = "missing", f"{place} is not a folder."
        return
    if not os.access(place, os.W_OK | os.X_OK):
        location.state, location.message = "unwritable", f"You may not write to {place}."
    elif place == root and not os.access(root, os.R_OK):
        location.state, location.message = "unwritable", f"You may not read {root}."
    facts = os.statvfs(place)
    location.free_bytes = facts.f_bavail * facts.f_frsize
    location.total_bytes = facts.f_blocks * facts.f_frsize
    if facts.f_files:
        location.free_files, location.total_files = facts.f_favail, facts.f_files


def facts_at(name: str, folder: Path) -> Location:
    """Return how a folder outside all locations stands, under *name*; what can not be told is left out."""
    location = Location(name=name, root=str(folder))
    with contextlib.suppress(OSError):
        facts = os.statvfs(folder)
        location.free_bytes = facts.f_bavail * facts.f_frsize
        location.total_bytes = facts.f_blocks * facts.f_frsize
        if facts.f_files:
            location.free_files, location.total_files = facts.f_favail, facts.f_files
    return location


def _is_ours(site: Site, root: Path) -> bool:
    """Tell whether a root lies in our own data folder, whose parents we may make."""
    return root.is_relative_to(site.data_dir)


def all_locations(site: Site) -> list[Location]:
    """Return every configured location as it stands now, the default one marked: what is purged is none if it can be.

    Quotas are not asked for here; see `quotas`.
    """
    found = [describe(site, name) for name in site.locations]
    ready = [place for place in found if place.state == "ready"]
    kept = [place for place in ready if place.purge_days is None]
    chosen = site.default_location or next((place.name for place in [*kept, *ready]), "")
    for place in found:
        place.default = place.name == chosen
    return found


def default_name(site: Site) -> str:
    """Return the location that is taken when none is asked for; raise `LocationUnavailable` if none can be."""
    if site.default_location:
        return site.default_location
    found = all_locations(site)
    for place in found:
        if place.default:
            return place.name
    raise LocationUnavailable(
        "No location can be written. " + " ".join(place.message for place in found),
        hints=[f"Ask {site.contact or 'the staff of this centre'} where environments may lie."],
    )


def place_for(site: Site, name: str, location: str, prefix: str, python_version: str = "0.0") -> tuple[str, Path, Path]:
    """Return (location name, root that holds the claim, prefix) for a new environment.

    *python_version* (``3.12``) counts where the location has a folder for each Python.

    A prefix that was asked for must lie under a location or match `Site.prefix_patterns`; links above it
    are resolved, and it must not be inside another environment or inside our own folders.
    """
    if not prefix:
        chosen = location or default_name(site)
        root = own_root(site, chosen)
        _in_no_environment(root / name, (".hpcenv/environment.json",))  # a data folder may lie beside a Python
        return chosen, root, _short_enough(root / _below(site, chosen, python_version) / name)
    if location:
        raise InvalidRequest(
            "A location and a prefix exclude each other.", hints=["Give one of the two, and leave the other out."]
        )
    asked = Path(os.path.expanduser(prefix))  # noqa: PTH111
    if not asked.is_absolute() or ".." in asked.parts or "\0" in prefix or any(ord(c) < 32 for c in prefix):
        raise InvalidRequest(f"{prefix!r} is not an absolute path.", hints=["Give the whole path of the prefix."])
    check_name(asked.name)
    target = _short_enough(Path(os.path.realpath(asked.parent)) / asked.name)
    if any(part.startswith((".hpcenv", ".trash-")) for part in target.parts):
        raise Refused(f"{target} lies in a folder that jupyter_hpcenv keeps for itself.", hints=["Choose another."])
    _in_no_environment(target)
    for candidate in site.locations:
        try:
            root = root_of(site, candidate)
        except LocationUnavailable:
            continue
        if target.is_relative_to(root) and target != root:
            return candidate, own_root(site, candidate), target
    for pattern in site.prefix_patterns:
        try:
            if fnmatch.fnmatchcase(str(target), expand(pattern, site)):
                break
        except LocationUnavailable:
            continue
    else:
        raise Refused(
            f"{target} lies under no location, and the site allows no such prefix.",
            hints=[f"Use a location: {', '.join(site.locations)}.", "Or have staff add it to c.Site.prefix_patterns."],
        )
    if not target.parent.is_dir():
        raise LocationUnavailable(f"{target.parent} does not exist.", hints=["Make that folder first."])
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise LocationUnavailable(f"You may not write to {target.parent}.", hints=["Choose another prefix."])
    return ELSEWHERE, target.parent, target


def _in_no_environment(target: Path, marks: tuple[str, ...] = ("pyvenv.cfg", "conda-meta")) -> None:
    """Raise `Refused` for a prefix below another one: whoever deletes that one would delete this one with it."""
    for parent in target.parents:
        if any((parent / mark).exists() for mark in marks):
            raise Refused(f"{target} lies inside another environment, {parent}.", hints=["Choose another folder."])


def claims_for(site: Site, location: str, prefix: str) -> Path:
    """Return the folder that holds the claims on what lies at a prefix of a location, or of none."""
    return Path(prefix).parent if location in ("", ELSEWHERE) else root_of(site, location)


def _short_enough(prefix: Path) -> Path:
    if ":" in str(prefix):
        raise InvalidRequest(
            f"The prefix {prefix} has a colon in it, which PATH can not carry.", hints=["Choose a path without one."]
        )
    length = len(os.fsencode(prefix))
    if length > PREFIX_LIMIT:
        raise PathTooLong(
            f"The prefix {prefix} has {length} bytes; programs in it work up to {PREFIX_LIMIT}.",
            hints=["Choose a shorter name, or a location with a shorter path."],
        )
    return prefix
