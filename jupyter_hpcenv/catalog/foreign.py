"""Find environments of other tools by reading files alone; they are listed, never written to.

Places: virtualenvwrapper's WORKON_HOME, pipenv's folder, poetry's is left out (its names mean nothing to
people), ``.venv`` in configured folders, conda's environments.txt and the envs_dirs of its usual places.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import BrokenRecord, HpcenvError
from ..files import read_regular
from ..models import Environment
from ..site import Site
from ..site.locations import expand

_MANY = 500  # entries of one folder that are looked at


def foreign_id(prefix: Path) -> str:
    """Return the id of an environment that is not ours: a hash of its real prefix."""
    return hashlib.sha256(os.fsencode(prefix)).hexdigest()[:32]


def find_foreign(site: Site) -> list[Environment]:
    """Return environments of other tools, each once, without starting a program."""
    if not site.list_foreign:
        return []
    found: dict[Path, Environment] = {}
    for candidate in _candidates(site):
        with contextlib.suppress(OSError, ValueError, BrokenRecord):
            prefix = Path(os.path.realpath(candidate))
            os.fspath(prefix).encode()  # a name that is no text can not be shown, nor asked for
            if prefix not in found and not (prefix / ".hpcenv" / "environment.json").exists():
                environment = describe(prefix)
                if environment is not None:
                    found[prefix] = environment
    return list(found.values())


def _candidates(site: Site) -> Iterator[Path]:
    home = Path.home()
    folders = [
        os.environ.get("WORKON_HOME", str(home / ".virtualenvs")),
        str(Path(os.environ.get("XDG_DATA_HOME", home / ".local" / "share")) / "virtualenvs"),
        *filter(None, os.environ.get("CONDA_ENVS_DIRS", os.environ.get("CONDA_ENVS_PATH", "")).split(os.pathsep)),
        str(home / ".conda" / "envs"),
        *_envs_dirs(home),
    ]
    for pattern in site.foreign_folders:
        with contextlib.suppress(HpcenvError):
            folders.append(expand(pattern, site))
    for folder in folders:
        for entry in _listed(Path(folder)):
            yield entry
            yield entry / ".venv"
    with contextlib.suppress(OSError, BrokenRecord):
        text = read_regular(home / ".conda" / "environments.txt").decode(errors="replace")
        yield from (Path(line) for line in text.splitlines()[:_MANY] if line.startswith("/"))


def _envs_dirs(home: Path) -> Iterator[str]:
    """Yield the envs_dirs of the user's and the system's ``.condarc``; what is no plain list there is left out."""
    for path in (home / ".condarc", home / ".conda" / "condarc", Path("/etc/conda/.condarc")):
        with contextlib.suppress(OSError, BrokenRecord):
            text = read_regular(path, 100_000).decode(errors="replace")
            block = re.search(r"^envs_(?:dirs|path):[^\S\n]*\n((?:[^\S\n]*-[^\n]*\n?)+)", text, re.MULTILINE)
            for line in block[1].splitlines() if block else []:
                folder = line.strip().removeprefix("-").split(" #")[0].strip().strip("\"'")
                yield os.path.expandvars(os.path.expanduser(folder))  # noqa: PTH111  never raises


def _listed(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_dir())[:_MANY]
    return []


def describe(prefix: Path) -> Environment | None:
    """Return the row of a prefix that venv or conda made, or None; told by its files alone."""
    if (prefix / "conda-meta").is_dir():
        manager, python = "conda", _conda_python(prefix)
    elif (prefix / "pyvenv.cfg").is_file():
        manager, python = "venv", _venv_python(prefix)
    else:
        return None
    name = prefix.parent.name if prefix.name == ".venv" else prefix.name
    return Environment(
        id=foreign_id(prefix),
        name=name,
        location="",
        prefix=str(prefix),
        manager=manager,
        installer="",
        python=python,
        state="ready" if (prefix / "bin" / "python").exists() else "python_gone",
        origin="foreign",
        display_name=name,
        message="" if (prefix / "bin" / "python").exists() else "Its Python is gone.",
    )


def _venv_python(prefix: Path) -> str:
    text = read_regular(prefix / "pyvenv.cfg", 100_000).decode(errors="replace")
    match = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+(?:\.\d+)?)", text, re.MULTILINE)
    return match[1] if match else ""


def _conda_python(prefix: Path) -> str:
    for entry in (prefix / "conda-meta").glob("python-[0-9]*.json"):
        with contextlib.suppress(ValueError, OSError, BrokenRecord):
            facts = json.loads(read_regular(entry, 10_000_000))
            if facts.get("name") == "python":
                return str(facts.get("version", ""))
    return ""
