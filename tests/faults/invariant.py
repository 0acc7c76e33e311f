"""The one invariant: whatever happened, and once somebody has looked, nothing is half there or stuck."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from jupyter_hpcenv import claims, kernels
from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.managers.conda import engine, installed, records
from jupyter_hpcenv.models import FINISHED, Environment, Record
from jupyter_hpcenv.names import is_environment_id
from jupyter_hpcenv.operations.liveness import is_dead
from jupyter_hpcenv.site.locations import root_of


def violations(admission: Admission, *, start: bool = True) -> list[str]:
    """Return what is wrong, a line each; with *start* each environment's Python is started.

    Every environment is whole or gone; every kernelspec has its prefix; no claim and no operation is stuck.
    """
    rows = admission.catalog.environments()
    copies = {copy.id: copy for copy in admission.catalog.records.copies()}
    return [
        *_environments(admission, rows, copies, start=start),
        *_prefixes(admission, rows, copies),
        *_kernelspecs(admission, rows),
        *_claims(admission),
        *_operations(admission),
    ]


def _environments(
    admission: Admission, rows: list[Environment], copies: dict[str, Record], *, start: bool
) -> list[str]:
    wrong = []
    published = kernels.published(admission.site)
    for row in rows:
        if row.state != "ready":
            wrong.append(f"{row.name} is {row.state}: {row.message}")
            continue
        record = admission.catalog.record(row.id)
        prefix = Path(row.prefix)
        launch = prefix / ".hpcenv" / "launch"
        if not launch.exists() or launch.read_text() != kernels.render_launch(record, admission.site.variables):
            wrong.append(f"the launch script of {row.name} is not what its record says")
        elif start and _prefix_of(launch) != str(prefix):
            wrong.append(f"the Python of {row.name} does not start")
        if record.manager == "skeleton":
            wrong += [f"{row.name}: {each}" for each in wrong_content(prefix, record.packages)]
        if record.manager == "conda":
            wrong += [f"{row.name}: {each}" for each in _conda(prefix, record)]
        for kernel in record.kernels:
            spec = published.get(kernel.name)
            if spec is None:
                wrong.append(f"the kernel {kernel.name} of {row.name} is not published")
            elif (spec["environment"], spec["display_name"]) != (record.id, kernel.display_name):
                wrong.append(f"the kernelspec {kernel.name} is not what the record of {row.name} says")
        copy = copies.get(row.id)
        if copy is None or copy.revision != record.revision:
            wrong.append(f"the copy of the record of {row.name} lags")
    return wrong


CHANGED = "a = 2\n"


def wrong_content(prefix: Path, packages: list[str]) -> list[str]:
    """Return what of a prefix is not as the list of packages in its record has it, a line each."""
    changed = bool(packages)
    expected = {
        "the file that is replaced": ((prefix / "lib" / "by-a-child").read_text() == CHANGED, changed),
        "the new folder": (os.path.lexists(prefix / "lib" / "new"), changed),
        "the new link": (os.path.lexists(prefix / "bin" / "top"), changed),
        "the mode that is changed": ((prefix / "pyvenv.cfg").stat().st_mode & 0o777 == 0o640, changed),
    }
    wrong = [f"{what} is not as the record says" for what, (is_so, should) in expected.items() if is_so is not should]
    left = [name for name in os.listdir(prefix / ".hpcenv") if name.startswith(("before", "change"))]
    return [*wrong, *(f"{name} is left of a change" for name in left if not name.endswith((".new", ".gone")))]


def _conda(prefix: Path, record: Record) -> list[str]:
    """Return what of a conda environment is not whole, or not what its record says."""
    there = installed.read(prefix)
    owned = {path for each in there for path in records.files(each)}
    wrong = [f"{path} of a package is not there" for path in sorted(owned) if not os.path.lexists(prefix / path)]
    strays = [str(path.relative_to(prefix)) for path in prefix.glob("lib/hpc-*/*")]
    wrong += [f"{path} belongs to no package" for path in strays if path not in owned]
    if engine.unfinished(prefix):
        wrong.append("a change of it is not finished")
    wrong += [
        f"{name} is left of a change" for name in _entries(prefix / ".hpcenv") if name in ("before", "change.json")
    ]
    asked = {each.name for each in there if each.name.startswith("hpc-")}
    if asked != {installed.name_of(text) for text in record.packages} - {"python"}:
        wrong.append(f"it holds {sorted(asked)}, and its record says {record.packages}")
    return wrong[:5]


def _prefix_of(launch: Path) -> str:
    done = subprocess.run(
        [launch, "-c", "import sys; print(sys.prefix)"], env={}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    return done.stdout.decode().strip()


def _roots(admission: Admission) -> list[Path]:
    return [root_of(admission.site, location) for location in admission.site.locations]


def _prefixes(admission: Admission, rows: list[Environment], copies: dict[str, Record]) -> list[str]:
    listed = {row.prefix for row in rows}
    wrong = []
    for root in _roots(admission):
        for entry in _entries(root):
            ours = entry == ".hpcenv" or entry.startswith(".trash-") or is_environment_id(entry.removesuffix(".json"))
            if not ours and not _is_temporary(entry) and str(root / entry) not in listed:
                wrong.append(f"{root / entry} is left, without a record")
    known = {row.id for row in rows} | {item.id for item in admission.catalog.trash()}
    for copy in copies.keys() - known:
        if copy not in admission.catalog.marked():
            wrong.append(f"the copy {copy} belongs to nothing")
    return wrong


def _kernelspecs(admission: Admission, rows: list[Environment]) -> list[str]:
    wanted = {kernel.name for row in rows for kernel in row.kernels}
    published = kernels.published(admission.site)
    wrong = []
    for name in _entries(admission.site.kernels_dir):
        if name not in published:
            wrong.append(f"the kernelspec {name} is not whole")
        elif not Path(published[name]["prefix"]).is_dir():
            wrong.append(f"the kernelspec {name} has no prefix")
        elif name not in wanted:
            wrong.append(f"the kernelspec {name} is not asked for by its environment")
    return wrong


def _claims(admission: Admission) -> list[str]:
    wrong = []
    for root in _roots(admission):
        for entry in _entries(root / ".hpcenv" / "claims"):
            place = root / ".hpcenv" / "claims" / entry
            found = None if entry.startswith(".") else claims.read(place)
            if found is not None and claims.abandoned(place, found):
                wrong.append(f"the claim on {entry} ({found.verb}) is held by nobody alive")
    return wrong


def own_claims(admission: Admission) -> list[str]:
    """Return the claims that this process still holds although its verb has ended."""
    working = {folder.id for folder in admission.operations.folders()}
    found = []
    for root in _roots(admission):
        for entry in _entries(root / ".hpcenv" / "claims"):
            claim = claims.read(root / ".hpcenv" / "claims" / entry)
            if not entry.startswith(".") and claim is not None and claim.holder not in working:
                found.append(f"the claim on {entry} ({claim.verb}) stays while its process lives")
    return found


def _operations(admission: Admission) -> list[str]:
    wrong = []
    for folder in admission.operations.folders():
        status = folder.status()
        if status.state not in FINISHED and is_dead(folder, status, folder.ticket()):
            wrong.append(f"operation {folder.id} is {status.state} and nobody works on it")
    return wrong


def litter(admission: Admission) -> list[str]:
    """Return temporary files that a crash left; they block nothing, so they are counted and no violation."""
    folders = {admission.site.data_dir, *_roots(admission)}
    return [
        os.path.join(folder, name)
        for top in folders
        if not folders.intersection(top.parents)
        for folder, below, files in os.walk(top)
        for name in (*below, *files)
        if _is_temporary(name)
    ]


def _is_temporary(name: str) -> bool:
    return name.startswith((".tmp-", ".new-", ".hpcenv-tmp-"))


def _entries(folder: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return sorted(os.listdir(folder))
    return []


def as_json(value: Any) -> Any:
    """Return *value* as plain JSON values."""
    return msgspec.to_builtins(value, enc_hook=str)
