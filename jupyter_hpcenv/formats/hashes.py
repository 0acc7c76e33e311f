"""Read exact Python packages with the digests of their archives, and write them as lines that pip and uv check."""

from __future__ import annotations

import re
from collections.abc import Iterable

from packaging.markers import InvalidMarker, Marker
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from ..errors import InvalidRequest, InvalidRequirement
from ..models import Contents, LockedPackage
from .plain_text import line, shown
from .requirements import LONGEST_FILE, MOST_LINES, Rules, logical_lines, parse_requirement

KIND = "requirements-hashed"

#: Digests that count, by their length in hexadecimal digits; MD5 and SHA-1 can be forged.
DIGESTS = {"sha256": 64, "sha384": 96, "sha512": 128}
MOST_HASHES = 2_000

_HASH = re.compile(r"\s--hash(?:=|\s+)(\S+)")
_AGAIN = "Lock again, with digests (SHA-256)."


def package(
    name: str, version: str, hashes: Iterable[str], *, url: str = "", marker: str = "", rules: Rules
) -> LockedPackage:
    """Return an exact package; raise `InvalidRequirement` for what no installer should be given.

    *hashes* are written ``sha256:…``; those of other kinds are left out. *url* is for what is from no index.
    """
    try:
        plain = str(canonicalize_name(name, validate=True))
        number = str(Version(version)) if version else ""
        condition = str(Marker(marker)) if marker else ""
    except InvalidName:
        raise InvalidRequirement(f"“{shown(name)}” is no name of a package.", hints=["Lock again."]) from None
    except InvalidVersion:
        raise InvalidRequirement(f"{shown(name)} has no valid version: “{shown(version)}”.", hints=[_AGAIN]) from None
    except (InvalidMarker, RecursionError):
        raise InvalidRequirement(f"{plain} has no valid marker: “{shown(marker)}”.", hints=["Lock again."]) from None
    if not number and not url:
        raise InvalidRequirement(f"{plain} has no version.", hints=[_AGAIN])
    parse_requirement(f"{plain} @ {url}" if url else f"{plain}=={number}", rules)
    if marker:
        parse_requirement(f"{plain} ; {re.sub(_OF_LOCKS, 'sys_platform', condition)}", rules)
    return LockedPackage(name=plain, version=number, url=url, marker=condition, hashes=_strong(plain, hashes))


_OF_LOCKS = r"\b(?:extras|dependency_groups)\b"


def _strong(name: str, hashes: Iterable[str]) -> list[str]:
    found = []
    for text in hashes:
        kind, _, digest = text.partition(":")
        length = DIGESTS.get(kind)
        if length is None:
            continue
        if not re.fullmatch(rf"[0-9a-fA-F]{{{length}}}", digest):
            raise InvalidRequirement(
                f"“{shown(text)}” is no digest of {name}: {kind} has {length} hexadecimal digits.", hints=[_AGAIN]
            )
        found.append(f"{kind}:{digest.lower()}")
        if len(found) > MOST_HASHES:
            raise InvalidRequirement(f"{name} has more than {MOST_HASHES} digests.", hints=["Lock again."])
    return sorted(set(found))


def needed(found: LockedPackage) -> LockedPackage:
    """Return a package that has a digest; raise `InvalidRequirement` for one that has none."""
    if not found.hashes:
        raise InvalidRequirement(
            f"{found.name} has no digest (SHA-256 or longer), by which it could be checked.",
            hints=[_AGAIN],
        )
    return found


def is_hashed(text: str) -> bool:
    """Tell whether the text of a requirements file carries digests."""
    return len(text) <= LONGEST_FILE and any(
        _HASH.search(bare) for bare in (re.sub(r"(^|\s)#.*$", "", each) for _, each in logical_lines(text))
    )


def read(text: str, rules: Rules) -> Contents:
    """Return the packages of a requirements file with digests; raise `InvalidRequest`, naming the line.

    As pip has it: where one line has a digest, each must, and be exact.
    """
    found = Contents(kind=KIND)
    for number, raw in logical_lines(text.removeprefix("\ufeff")):
        bare = re.sub(r"(^|\s)#.*$", "", raw).strip()
        if not bare:
            continue
        with line(number):
            if re.match(r"(-r|-c|--requirement|--constraint)\b", bare):
                raise InvalidRequirement(
                    f"“{shown(bare)}” refers to another file, which is not read.",
                    hints=["Put the lines of that file in its place."],
                )
            if len(found.locked) >= MOST_LINES:
                raise InvalidRequirement(f"The file has more than {MOST_LINES} lines.", hints=["Give a shorter one."])
            found.locked.append(needed(_of_line(bare, rules)))
    if not found.locked:
        raise InvalidRequest("The file lists no packages.", hints=["Give the right file."])
    found.pip = pins(found.locked)
    return found


def _of_line(bare: str, rules: Rules) -> LockedPackage:
    from packaging.requirements import Requirement

    canonical = parse_requirement(_HASH.sub("", bare), rules)
    if canonical.startswith("-e "):
        raise InvalidRequirement("A project folder has no digest.", hints=["Leave the digests out, or that line."])
    requirement = Requirement(canonical)
    version = str(requirement.specifier).removeprefix("==")
    if requirement.url is None and not re.fullmatch(r"==[^*,]+", str(requirement.specifier)):
        raise InvalidRequirement(
            f"“{shown(canonical)}” is not exact, and the file has digests.", hints=["Write NAME==VERSION in each line."]
        )
    return package(
        requirement.name,
        "" if requirement.url else version,
        _HASH.findall(bare),
        url=requirement.url or "",
        marker=str(requirement.marker or ""),
        rules=rules,
    )


def pins(packages: Iterable[LockedPackage]) -> list[str]:
    """Return what counts as asked for where a file names nothing but exact packages.

    What only an extra or a group of a lockfile brings is left out: no installer knows such conditions.
    """
    plain = (each for each in packages if not re.search(_OF_LOCKS, each.marker))
    return list(dict.fromkeys(_exact(each) + (f" ; {each.marker}" if each.marker else "") for each in plain))


def _exact(each: LockedPackage) -> str:
    return f"{each.name} @ {each.url}" if each.url else f"{each.name}=={each.version}"


def write(packages: Iterable[LockedPackage]) -> str:
    """Return the packages as a requirements file; one without a digest is a comment, for pip wants all or none."""
    lines = []
    for each in sorted(packages, key=lambda each: each.name):
        if each.hashes:
            lines.append(" \\\n    ".join([_exact(each), *(f"--hash={text}" for text in each.hashes)]))
        else:
            lines.append(f"# no digest is known: {_exact(each)}")
    return "".join(f"{text}\n" for text in lines)
