"""Install what a lockfile says: exactly those versions, and nothing whose digest is not in it.

What modules or the Python below bring is never replaced: it is left out, and the log says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName, default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ..errors import InvalidRequest, PythonNotFound
from ..files import write_atomic
from ..models import Contents, LockedPackage, PythonFact, Reporter
from ..process import run
from . import installers
from .contract import Choice, Surroundings
from .pythons import choose_python

#: Kinds of contents that are of one Python: with another one, what was asked for counts, and not the lockfile.
_OF_ONE_PYTHON = ("capsule", "clone")
_NAMED = 5


def python_for(
    wanted: str, contents: Contents | None, found: Sequence[PythonFact], environ: Mapping[str, str] | None
) -> PythonFact:
    """Return the interpreter that is asked for, or the best for what a file says of Python; raises `PythonNotFound`."""
    if contents is None or not (contents.python or contents.requires_python):
        return choose_python(wanted, found, environ)
    if not wanted and contents.python:
        wanted = _nearest(contents.python, found)
    if wanted:
        chosen = choose_python(wanted, found, environ)
        if not _fits(chosen.version, contents.requires_python):
            raise InvalidRequest(
                f"The file asks for Python {contents.requires_python}, which Python {chosen.version} is not.",
                hints=["Choose another Python, or leave it out."],
            )
        return chosen
    for each in found:
        if _fits(each.version, contents.requires_python):
            return each
    raise PythonNotFound(
        f"There is no Python {contents.requires_python} on this machine, for which the file asks.",
        hints=[f"These were found: {', '.join(dict.fromkeys(each.version for each in found)) or 'none'}."],
    )


def _nearest(version: str, found: Sequence[PythonFact]) -> str:
    """Return the whole version if it is here, and else the minor version: packages are built for that."""
    there = any(each.version == version for each in found)
    return version if there else ".".join(version.split(".")[:2])


def _fits(version: str, wanted: str) -> bool:
    specifier = SpecifierSet(wanted)
    return any(specifier.contains(text, prereleases=True) for text in (version, f"{version}.99"))


def select(contents: Contents | None, python: PythonFact, warnings: list[str]) -> list[LockedPackage]:
    """Return the exact packages for that Python on this computer; what is to be said goes to *warnings*."""
    if contents is None:
        return []
    warnings += contents.warnings
    if contents.python and _minor(contents.python) != _minor(python.version):
        if contents.kind in _OF_ONE_PYTHON:
            warnings.append(
                f"The exact versions are for Python {_minor(contents.python)}; with Python {_minor(python.version)}, "
                "what was asked for is looked for anew."
            )
            return []
        warnings.append(f"The file is for Python {contents.python}, and the Python is {python.version}.")
    where = {
        **{name: str(value) for name, value in default_environment().items()},
        "python_version": _minor(python.version),
        "python_full_version": python.version,
    }
    if contents.markers and not any(_holds(marker, where, contents) for marker in contents.markers):
        raise InvalidRequest(
            f"The lockfile is for other computers: {'; '.join(contents.markers)[:200]}.",
            hints=["Lock again for this one, or choose another Python."],
        )
    found: dict[str, LockedPackage] = {}
    for each in contents.locked:
        if each.marker and not _holds(each.marker, where, contents):
            continue
        other = found.setdefault(each.name, each)
        if (other.version, other.url) != (each.version, each.url):
            raise InvalidRequest(
                f"The lockfile has {each.name} as {other.version or other.url} and as {each.version or each.url}.",
                hints=["Choose one extra or group of those that exclude each other, or lock again."],
            )
    return list(found.values())


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _holds(marker: str, where: Mapping[str, str], contents: Contents) -> bool:
    chosen = {"extras": frozenset(contents.extras), "dependency_groups": frozenset(contents.groups)}
    try:
        return Marker(marker).evaluate({**where, **chosen}, context="lock_file")
    except (InvalidMarker, UndefinedEnvironmentName) as error:
        raise InvalidRequest(f"“{marker[:100]}” is no marker.", hints=["Lock again."]) from error


def lines(packages: Sequence[LockedPackage]) -> list[str]:
    """Return packages as a choice keeps them, in the words of a requirements file."""
    return [" ".join([_exact(each), *(f"--hash={text}" for text in each.hashes)]) for each in packages]


def _exact(each: LockedPackage) -> str:
    return f"{each.name} @ {each.url}" if each.url else f"{each.name}=={each.version}"


def name_of(text: str) -> str:
    """Return the canonical name of a requirement, with or without digests; empty for a project folder."""
    try:
        return str(canonicalize_name(Requirement(text.partition(" --hash")[0]).name))
    except InvalidRequirement:
        return ""


def install(
    choice: Choice,
    requirements: Sequence[str],
    prefix: Path,
    folder: Path,
    env: Mapping[str, str],
    around: Surroundings,
    report: Reporter,
    hints: Mapping[str, str],
) -> None:
    """Install the packages of the lockfile in *choice*, and then what it does not have of *requirements*."""
    given = choice.options.get("locked")
    locked = list(given) if isinstance(given, list) else []
    names = {name_of(text) for text in locked}
    below = {} if choice.options.get("as_source") else inherited(choice, prefix, env, around, report)
    wanted = [text for text in locked if name_of(text) not in below]
    _tell(locked, below, report)
    for checked, options in ((True, ["--require-hashes", "--no-deps"]), (False, ["--no-deps"])):
        part = [text for text in wanted if (" --hash=" in text) is checked]
        if part:
            path = installers.write_requirements(folder, part, kernel=False)
            installers.install(choice, path, prefix, env, report, hints, options)
    rest = [text for text in requirements if name_of(text) not in names]
    kernel = choice.kernel and "ipykernel" not in names
    if kernel:
        report.line("output", "The file does not have ipykernel; added for the kernel.")
    if rest or kernel:
        installers.write_constraints(folder, around)
        path = folder / "constraints.txt"
        held = path.read_text() if path.exists() else ""
        pins = "".join(f"{text.partition(' --hash')[0]}\n" for text in wanted)
        write_atomic(path, f"{held}{pins}".encode())
        path = installers.write_requirements(folder, rest, kernel, constrained=True)
        installers.install(choice, path, prefix, env, report, hints)


_BELOW = """\
import importlib.metadata, os, sys
own = os.path.realpath(sys.prefix) + os.sep
for each in importlib.metadata.distributions():
    if not (os.path.realpath(str(each.locate_file(""))) + os.sep).startswith(own):
        print(each.metadata["Name"], each.version)
"""


def inherited(
    choice: Choice, prefix: Path, env: Mapping[str, str], around: Surroundings, report: Reporter
) -> dict[str, str]:
    """Return by canonical name the versions of what *prefix* sees and does not have itself."""
    if not choice.system_site_packages and not around.brings_packages:
        return {}
    said: list[str] = []
    run([str(prefix / "bin" / "python"), "-c", _BELOW], env=env, on_line=said.append, check=report.check, timeout=60)
    found: dict[str, str] = {}
    for pair in map(str.split, said):
        if len(pair) == 2 and re.match(r"\d", pair[1]):
            found.setdefault(str(canonicalize_name(pair[0])), pair[1])  # the first is the one that is imported
    return found


def _tell(locked: Sequence[str], below: Mapping[str, str], report: Reporter) -> None:
    same: list[str] = []
    other: list[str] = []
    for text in locked:
        version = below.get(name_of(text))
        if version is not None:
            exact = text.partition(" --hash")[0]
            (same if exact.endswith(f"=={version}") else other).append(f"{exact} (there: {version})")
    if same:
        more = f" and {len(same) - _NAMED} more" if len(same) > _NAMED else ""
        report.line("output", f"Already there, from below: {', '.join(same[:_NAMED])}{more}.")
    for text in other:
        report.line(
            "warning", f"Not installed, because what modules or the Python below bring is never replaced: {text}."
        )
