"""Write launch scripts for sets of modules and see what they start; shared by the tests of this folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_hpcenv import kernels
from jupyter_hpcenv.models import Kernel, ModuleSet, Platform, Record
from jupyter_hpcenv.site import Site

ID = "0123456789abcdef0123456789abcdef"
NAME = "hpcenv-home.modules"
PATH = "/usr/local/bin:/usr/bin:/bin"

#: What shells and Python make by themselves; BASH_ENV and functions are for shells, not for kernels.
NOISE = ("_", "SHLVL", "PWD", "OLDPWD", "BASH_ENV", "LC_CTYPE")

_ENVIRON = "import json, os, sys; json.dump([dict(os.environ), os.getpid(), sys.executable], sys.stdout)"


class Tree(NamedTuple):
    """A module system and where its modules are."""

    system: str
    init: str
    path: str
    root: Path


def by_hand(tree: Tree, load: Sequence[str], watch: Sequence[str] = (), **changes: Any) -> ModuleSet:
    """Return a set of modules that may be cached while its modulefiles stay the same."""
    files = [*(path for name in load for path in files_of(tree, name)), tree.path, tree.init, *watch]
    values: dict[str, Any] = {"watch": files, "state": stood(files), "modulepath": [tree.path], **changes}
    return ModuleSet(system=tree.system, init=tree.init, load=list(load), **values)


def uncached(tree: Tree, load: Sequence[str], **changes: Any) -> ModuleSet:
    """Return a set of modules that is always loaded anew."""
    values: dict[str, Any] = {"modulepath": [tree.path], "live": "It is to be loaded.", **changes}
    return ModuleSet(system=tree.system, init=tree.init, load=list(load), **values)


def files_of(tree: Tree, name: str) -> list[str]:
    found = tree.root.rglob(f"{name}.lua" if tree.system == "lmod" else name)
    return [str(path) for path in found if path.is_file()]


def stood(files: Sequence[str]) -> str:
    """Return what the program stat prints of them."""
    command = ["stat", "-L", "-c", "%n|%s|%.9Y|%.9Z|%i|%f", "--", *files]
    done = subprocess.run(command, env={"LC_ALL": "C", "PATH": PATH}, capture_output=True, text=True, check=False)
    return done.stdout


def record_of(prefix: Path, modules: ModuleSet | None, **changes: Any) -> Record:
    values: dict[str, Any] = {
        "id": ID,
        "name": "modules",
        "location": "home",
        "prefix": str(prefix),
        "manager": "venv",
        "creator": "uv",
        "installer": "uv",
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "python_path": sys.executable,
        "display_name": "Modules",
        "kernels": [Kernel(name=NAME, display_name="Modules")],
        "platform": Platform(cluster="test", os="test", arch="test"),
        "owner": "",
        "created": "",
        "changed": "",
        "operation": "",
        "modules": modules,
    }
    return Record(**{**values, **changes})


def write(prefix: Path, modules: ModuleSet | None, site: Site | None = None, **changes: Any) -> Path:
    return kernels.write_launch(record_of(prefix, modules, **changes), site or Site())


def run(launch: Path, start: Mapping[str, str], *arguments: str, cwd: str = "/") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(launch), *(arguments or ("-c", _ENVIRON))],
        env=dict(start),
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
        cwd=cwd,
        timeout=60,
    )


def environ(launch: Path, start: Mapping[str, str], cwd: str = "/") -> dict[str, str]:
    """Return ``os.environ`` of what the launch script starts, which must be the very process of the script."""
    process = subprocess.Popen(
        [str(launch), "-c", _ENVIRON], env=dict(start), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd
    )
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode(errors="replace")
    found, pid, _ = json.loads(output)
    assert pid == process.pid, "the launch script must end in exec"
    return quiet(found)


def quiet(found: Mapping[str, str]) -> dict[str, str]:
    """Leave out what no module has to do with."""
    return {name: value for name, value in found.items() if name not in NOISE and not name.startswith("BASH_FUNC_")}


def interactive(tree: Tree, load: Sequence[str], start: Mapping[str, str], purge: bool = False) -> dict[str, str]:
    """Return the environment of a person who starts the module system in bash and loads modules by hand."""
    script = """
      init=$1 folder=$2 purge=$3; shift 3
      . "$init"
      [ -z "$purge" ] || module purge
      case ":$MODULEPATH:" in *":$folder:"*) ;; *) export MODULEPATH=${MODULEPATH:+$MODULEPATH:}$folder ;; esac
      [ $# = 0 ] || module load "$@"
      command env -0 >&3
    """
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        process = subprocess.Popen(
            [
                *("bash", "-c", f"exec 3>&{writing} {writing}>&-\n{script}", "-"),
                *(tree.init, tree.path, "yes" if purge else "", *load),
            ],
            env={"PATH": PATH, **start},
            pass_fds=[writing],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
        )
        os.close(writing)
        entries = pipe.read().decode(errors="surrogateescape").split("\0")
        errors = process.communicate()[1]
    assert process.returncode == 0, errors
    return quiet(dict(entry.split("=", 1) for entry in entries if "=" in entry))


def without_ours(found: Mapping[str, str], prefix: Path) -> dict[str, str]:
    """Take away what the launch script adds to what modules gave."""
    left = dict(found)
    assert left.pop("VIRTUAL_ENV") == str(prefix)
    assert left.pop("PYTHONNOUSERSITE") == "1"
    first, _, left["PATH"] = left["PATH"].partition(":")
    assert first == f"{prefix}/bin"
    return left


def cached(folder: Path) -> list[Path]:
    """Return the cache's files."""
    return sorted(folder.iterdir()) if folder.is_dir() else []


def carrying(text: str) -> list[int]:
    """Return the live processes that have *text*, NAME=VALUE, in their environment."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and text.encode() in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                found.append(int(entry))
        except OSError:
            continue
    return found
