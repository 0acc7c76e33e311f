"""Read requirements strictly and write them again, so that nothing that was typed reaches an installer as it was.

pip obeys options in a requirements file and expands ``${VARIABLES}``; here both are refused by line.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from packaging.requirements import InvalidRequirement as Unparsable
from packaging.requirements import Requirement

from ..errors import InvalidRequirement

LONGEST_LINE = 2_000
LONGEST_FILE = 1_000_000
MOST_LINES = 5_000

_VCS = ("git+", "hg+", "svn+", "bzr+")
_SCHEMES = ("https", "http", "ssh", "file")
_SECRET_QUERY = re.compile(r"(?:^|&)(?:[\w-]*token|password|pass|api_?key|secret|sig(?:nature)?)=", re.IGNORECASE)
_OF_CONDA = re.compile(r"(?m)^(?:@EXPLICIT\s*$|(?:dependencies|channels|package|metadata)\s*:)")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:[ =]+)(.+)")


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a requirement may be, besides the name of a package."""

    allow_editable: bool = True
    allow_vcs: bool = True
    allow_urls: bool = True


def parse_requirement(text: str, rules: Rules) -> str:
    """Return one requirement in canonical form; raise `InvalidRequirement` with what is wrong with it.

    Editable projects come back as ``-e /absolute/path``; everything else as PEP 508 text.
    """
    line = text.strip()
    shown = _shown(line)
    if not line:
        raise InvalidRequirement("A requirement is empty.", hints=["Leave it out."])
    if len(line) > LONGEST_LINE or not line.isprintable():  # U+2028 would end the line for pip
        raise InvalidRequirement(
            f"The requirement {shown} is too long, or has control characters in it.", hints=["Write it on one line."]
        )
    if "${" in line:
        raise InvalidRequirement(
            f"The requirement {shown} refers to a variable, which an installer would replace by a secret.",
            hints=["Write out what is meant, without a password."],
        )
    editable = _EDITABLE.fullmatch(line)
    if editable:
        return _editable(editable[1].strip(), rules)
    if line.startswith("-"):
        raise InvalidRequirement(
            f"“{shown}” is an option, not a requirement.",
            hints=["Name packages only; indexes and other options are configured by the site or in your pip.conf."],
        )
    if " --hash" in line:
        raise InvalidRequirement(
            f"The requirement {shown} carries hashes, which are not supported yet.", hints=["Leave the hashes out."]
        )
    try:
        requirement = Requirement(line)
    except RecursionError:
        raise InvalidRequirement(
            f"The requirement {shown} has too many brackets in each other.", hints=["Write a simpler marker."]
        ) from None
    except Unparsable as error:
        raise InvalidRequirement(
            f"“{shown}” is not a requirement: {str(error).splitlines()[0]}.",
            hints=[_advice(line)],
        ) from error
    if requirement.url is not None:
        _check_url(requirement.url, shown, rules)
    canonical = str(requirement)
    # In a requirements file pip takes a word with a leading hyphen for an option, even inside of quotes, and joins
    # a line that ends in a backslash with the next one. Escapes in the strings of markers have become what they mean.
    if re.search(r"(^|\s)[-#]|\\", canonical) or not canonical.isprintable():
        raise InvalidRequirement(
            f"“{shown}” holds what an installer would take for an option or a comment.",
            hints=["Write it like numpy, numpy>=2,<3 or dask[distributed]."],
        )
    return canonical


def _advice(line: str) -> str:
    """Return the hint for a line that is no requirement, by what it looks like."""
    if "://" in line:
        return "Write NAME @ URL, with the name of the package in front."
    if "/" in line or line.endswith((".whl", ".tar.gz", ".zip")):
        return "Write NAME @ file:///ABSOLUTE/PATH for a wheel, or “-e /ABSOLUTE/PATH” for a project folder."
    return "Write it like numpy, numpy>=2,<3 or dask[distributed]."


def _shown(line: str) -> str:
    """Return a line for a message: short, and without what stands between ``//`` and ``@`` in a URL."""
    bare = re.sub(r"//[^/@\s]*@", "//…@", line)
    bare = re.sub(r"([?&][\w-]+=)[^&\s#]+", r"\1…", bare)
    return bare if len(bare) <= 120 else bare[:117] + "…"


def _check_url(url: str, shown: str, rules: Rules) -> None:
    vcs = url.startswith(_VCS)
    if vcs and not rules.allow_vcs:
        raise InvalidRequirement(
            f"{shown} comes from version control, which this site does not allow.",
            hints=["Take a released version from the index, or ask the staff."],
        )
    if not vcs and not rules.allow_urls:
        raise InvalidRequirement(
            f"{shown} names an archive by URL, which this site does not allow.",
            hints=["Take a released version from the index, or ask the staff."],
        )
    try:
        parts = urlsplit(url)
        secret = parts.password is not None or (parts.username is not None and parts.username != "git")
    except ValueError as error:
        raise InvalidRequirement(f"{shown} has no valid URL.", hints=["Correct the URL."]) from error
    if secret:
        raise InvalidRequirement(
            f"{shown} has a user name or a password in its URL, which would end up in logs and records.",
            hints=["Leave it out, and give credentials through netrc or a keyring."],
        )
    if _SECRET_QUERY.search(parts.query):
        raise InvalidRequirement(
            f"{shown} has a token in its URL, which would end up in logs and records.",
            hints=["Leave it out, and give credentials through netrc or a keyring."],
        )
    if parts.scheme.partition("+")[2 if vcs else 0] not in _SCHEMES:
        raise InvalidRequirement(
            f"{shown} uses the scheme {parts.scheme!r}, which is not supported.", hints=["Use https."]
        )


def _editable(given: str, rules: Rules) -> str:
    if not rules.allow_editable:
        raise InvalidRequirement(
            f"“-e {_shown(given)}” installs from a folder, which this site does not allow.",
            hints=["Build a wheel of it, or ask the staff."],
        )
    if re.match(r"[a-z+]+:", given):
        raise InvalidRequirement(
            f"“-e {_shown(given)}” is a URL; only folders of yours can be installed editable.",
            hints=["Clone it first and give the folder, or write NAME @ URL without -e."],
        )
    path = Path(os.path.expanduser(given))  # noqa: PTH111
    if not path.is_absolute():
        raise InvalidRequirement(f"{given!r} is not an absolute path.", hints=["Give the whole path of the project."])
    real = path.resolve()
    try:
        owner = real.stat().st_uid
    except OSError as error:
        raise InvalidRequirement(
            f"{real} can not be read: {(error.strerror or '').lower()}.",
            hints=["See whether the folder exists and belongs to you."],
        ) from error
    if not str(real).isprintable():
        raise InvalidRequirement("The path of the project has control characters in it.", hints=["Rename the folder."])
    if not (real / "pyproject.toml").is_file() and not (real / "setup.py").is_file():
        raise InvalidRequirement(
            f"{real} holds no Python project.", hints=["Give the folder that has pyproject.toml or setup.py in it."]
        )
    if owner not in (os.geteuid(), 0):
        raise InvalidRequirement(
            f"{real} belongs to somebody else, who could change what you run.",
            hints=["Copy the project into a folder of yours."],
        )
    return f"-e {real}"


def parse_requirements(text: str, rules: Rules, folder: Path | None = None) -> list[str]:
    """Return the requirements of a file as canonical lines; errors name the line.

    *folder* is where the file lies: ``-e`` paths in it may be relative to that; without it they may not.
    """
    if len(text) > LONGEST_FILE or text.count("\n") > MOST_LINES:
        raise InvalidRequirement(
            f"The file is larger than {LONGEST_FILE} characters or {MOST_LINES} lines.", hints=["Give a shorter one."]
        )
    if _OF_CONDA.search(text):
        raise InvalidRequirement(
            "This is a file of conda’s, not a list of requirements.",
            hints=["Take the manager conda (--manager conda), which reads it."],
        )
    found: list[str] = []
    for number, line in logical_lines(text.removeprefix("\ufeff")):
        bare = re.sub(r"(^|\s)#.*$", "", line).strip()
        if not bare:
            continue
        if re.match(r"(-r|-c|--requirement|--constraint)\b", bare):
            raise InvalidRequirement(
                f"Line {number}: “{_shown(bare)}” refers to another file, which is not read.",
                hints=["Put the lines of that file in its place."],
            )
        editable = _EDITABLE.fullmatch(bare)
        if editable and folder is not None and not editable[1].strip().startswith(("/", "~")):
            bare = f"-e {folder / editable[1].strip()}"
        try:
            found.append(parse_requirement(bare, rules))
        except InvalidRequirement as error:
            raise InvalidRequirement(
                f"Line {number}: {error.message}", hints=error.hints, reason=error.reason
            ) from error
    return list(dict.fromkeys(found))


def logical_lines(text: str) -> list[tuple[int, str]]:
    """Return (number, line) with continuations joined as pip does."""
    lines, pending, begun = [], "", 0
    for number, line in enumerate(text.splitlines(), 1):
        begun = begun if pending else number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            pending += line[:-1]
            continue
        lines.append((begun, pending + line))
        pending = ""
    if pending:
        lines.append((begun, pending))
    return lines
