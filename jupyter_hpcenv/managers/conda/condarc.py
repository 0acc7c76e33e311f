"""Find and read the files that configure conda, in conda's own order; reads only, and runs nothing.

Where conda looks is told by its documentation (“Using the .condarc conda configuration file”).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from ...errors import BrokenConfiguration, BrokenRecord
from ...files import read_regular
from ...site.trust import other_movers
from .commented import Unreadable, parse
from .merging import Given

LIMIT = 100_000  # bytes of one file
MOST_FILES = 100  # of one folder

#: What conda reads, the weakest first. What is not the user's own may hold rules of the site.
SITE: tuple[str, ...] = (
    *("/etc/conda/.condarc", "/etc/conda/condarc", "/etc/conda/condarc.d"),
    *("/var/lib/conda/.condarc", "/var/lib/conda/condarc", "/var/lib/conda/condarc.d"),
    *("$CONDA_ROOT/.condarc", "$CONDA_ROOT/condarc", "$CONDA_ROOT/condarc.d"),
)
OWN: tuple[str, ...] = (
    *("$XDG_CONFIG_HOME/conda/.condarc", "$XDG_CONFIG_HOME/conda/condarc", "$XDG_CONFIG_HOME/conda/condarc.d"),
    *("~/.config/conda/.condarc", "~/.config/conda/condarc", "~/.config/conda/condarc.d"),
    *("~/.conda/.condarc", "~/.conda/condarc", "~/.conda/condarc.d", "~/.condarc"),
    *("$CONDA_PREFIX/.condarc", "$CONDA_PREFIX/condarc", "$CONDA_PREFIX/condarc.d", "$CONDARC"),
)

_NAMES = (".condarc", "condarc")
_ENDINGS = (".yml", ".yaml")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What one place says: a file, the variables, or the request."""

    where: str
    values: dict[str, Given]


def read(
    env: Mapping[str, str], *, prefix: Path | None = None, root: Path = Path("/")
) -> tuple[list[Source], list[str]]:
    """Return what the files say, the strongest last, and a sentence for each that is left out.

    *prefix* is the environment in question, else the one that is active in *env*. Absolute places of the search
    path lie below *root*. Raises `BrokenConfiguration` for a file of the site that can not be understood,
    because it may hold rules; a file of the user's own is then left out.
    """
    sources: list[Source] = []
    warnings: list[str] = []
    seen: set[Path] = set()
    for place, of_site in _places(env, prefix, root, warnings):
        for path in _files(place, warnings):
            if path not in seen:
                seen.add(path)
                source = _read(path, of_site, warnings)
                if source is not None:
                    sources.append(source)
    return sources, warnings


def expand(text: str, env: Mapping[str, str]) -> str:
    """Put the values of variables in place of ``$NAME`` and ``${NAME}``; an unknown name stays as it is."""
    return re.sub(r"\$(?:(\w+)|\{(\w+)\})", lambda m: env.get(m[1] or m[2], m[0]), text, flags=re.ASCII)


def from_home(text: str, env: Mapping[str, str]) -> str:
    """Put the home folder in place of a leading ``~``."""
    if text == "~" or text.startswith("~/"):
        return (env.get("HOME") or os.path.expanduser("~")) + text[1:]  # noqa: PTH111  as conda does without HOME
    return os.path.expanduser(text)  # noqa: PTH111  Path.expanduser raises for users that do not exist


def _places(
    env: Mapping[str, str], prefix: Path | None, root: Path, warnings: list[str]
) -> Iterator[tuple[Path, bool]]:
    known = {name: env.get(name, "") for name in ("XDG_CONFIG_HOME", "CONDA_PREFIX", "CONDARC")}
    known["CONDA_ROOT"] = env.get("CONDA_ROOT") or _base(env)
    if prefix is not None:
        known["CONDA_PREFIX"] = str(prefix)
    for place in (*SITE, *OWN):
        if any(f"${name}" in place and not value for name, value in known.items()):
            continue
        path = Path(from_home(expand(place, known), env))
        if place.startswith("/"):
            path = root / place[1:]
        if path.is_absolute():
            yield path, place in SITE
        elif place == "$CONDARC":
            warnings.append("The file that CONDARC names is not read, because its path is not absolute.")


def _base(env: Mapping[str, str]) -> str:
    """Return where conda itself is installed, as its program's path tells: ``BASE/bin/conda``."""
    program = Path(env.get("CONDA_EXE", ""))
    return str(program.parent.parent) if program.is_absolute() else ""


def _files(place: Path, warnings: list[str]) -> Iterator[Path]:
    """Yield *place*, or the files in it where it is a folder, if their names are such as conda reads."""
    try:
        if not stat.S_ISDIR(place.stat().st_mode):
            if place.name in _NAMES or place.suffix in _ENDINGS:
                yield place
            else:
                warnings.append(f"{place} is not read: the file must be named condarc, .condarc or end in .yml.")
            return
        exposed = _exposed(place)
        with os.scandir(place) as entries:
            found = sorted(entry.name for entry in entries if Path(entry.name).suffix in _ENDINGS)
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        warnings.append(f"{_shown(place)} is left out, because it can not be read: {_why(error)}.")
        return
    if exposed and found:
        warnings.append(f"The files in {place} are left out, because everybody could change them.")
        return
    if len(found) > MOST_FILES:
        warnings.append(f"Only the first {MOST_FILES} files in {place} are read.")
    yield from (place / name for name in found[:MOST_FILES])


def _read(path: Path, of_site: bool, warnings: list[str]) -> Source | None:
    where = _shown(path)
    try:
        real = path.resolve(strict=True)
        if _exposed(real) or other_movers(real, known=False):
            warnings.append(f"{where} is left out, because everybody could change it.")
            return None
        data = read_regular(real, LIMIT)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except BrokenRecord as error:
        warnings.append(f"{where} is left out. {error.message}")
        return None
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, for older Pythons
        warnings.append(f"{where} is left out, because it can not be read: {_why(error)}.")
        return None
    try:
        values, odd = parse(data.decode("utf-8-sig"), where)
    except (Unreadable, UnicodeDecodeError) as error:
        why = str(error) if isinstance(error, Unreadable) else "it is not UTF-8"
        if of_site:
            raise BrokenConfiguration(
                f"The file {where}, which configures conda for this site, can not be used: {why}.",
                hints=["Have staff correct it. Nothing is done without it, because it may hold rules."],
            ) from None
        warnings.append(f"{where} is left out, because {why}.")
        return None
    warnings += [
        f"The flag in line {line} of {where} means nothing there: write it behind a value or the name of a list."
        for line in odd[:3]
    ]
    return Source(where=where, values=values)


def _exposed(path: Path) -> bool:
    """Tell whether whoever is on this computer may write there; what they write is not obeyed."""
    return bool(path.stat().st_mode & stat.S_IWOTH)


def _why(error: Exception) -> str:
    return ((isinstance(error, OSError) and error.strerror) or "its path makes no sense").lower()


def _shown(path: Path) -> str:
    """Return the path for a sentence; whatever is no character is masked."""
    return "".join(c if c.isprintable() else "?" for c in str(path))
