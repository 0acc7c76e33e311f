"""Bring the faces of an environment (launch script, kernelspecs, activation files) in step with its record.

Called after a commit, and by whoever finds a record whose faces lag behind a crash.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from .. import activation, claims, kernels
from ..catalog import Catalog, Records
from ..errors import HpcenvError, InvalidRequest, NameTaken, NotFound
from ..files import explain, write_atomic
from ..models import Environment, Record
from ..site import Site
from ..site.config import username
from ..site.locations import ELSEWHERE, root_of
from ..site.target import parts
from . import several


def publish_faces(record: Record, site: Site) -> None:
    """Write the kernelspecs that the record asks for, and take away those that it does not ask for any more.

    A kernel that a package brings goes with the package, and keeps nothing else from being published. The
    environment's own comes last: where it is, the others are.
    """
    wanted = set()
    for kernel in sorted(record.kernels, key=lambda each: not each.source):
        with contextlib.suppress(*((InvalidRequest, NameTaken, NotFound) if kernel.source else ())):
            kernels.publish(record, kernel, site)
            wanted.add(kernel.name)
    for name, facts in kernels.published(site).items():
        if facts.get("environment") == record.id and name not in wanted:
            kernels.unpublish(name, site)
    write_own_scripts(record, site)
    write_scripts(record, site)
    for dialect in record.activation:
        with contextlib.suppress(InvalidRequest, NameTaken):  # said when it was installed; kernels do not need it
            activation.install(dialect, record, site)


#: The scripts that lie in the prefix itself, so that whoever can use an environment can source them.
SCRIPTS = {"bash": "activate.sh", "csh": "activate.csh", "fish": "activate.fish"}


def script_of(record: Record, dialect: str) -> Path:
    """Return the script by which a shell of that dialect uses an environment; ``bin/activate`` where that will do."""
    own = Path(record.prefix) / ".hpcenv" / SCRIPTS[dialect]
    ending = "" if dialect == "bash" else f".{dialect}"
    return own if needs_scripts(record) else Path(record.prefix) / "bin" / f"activate{ending}"


def needs_scripts(record: Record) -> bool:
    """Tell whether there is more to do in a shell than a venv's own scripts know."""
    of_conda = record.manager == "conda"  # its packages bring no scripts
    return bool(record.modules or record.variables or of_conda or record.target)


def write_scripts(record: Record, site: Site) -> None:
    """Write the scripts that lie in the prefix, or take them away where they are not needed any more."""
    for dialect, name in SCRIPTS.items():
        path = Path(record.prefix) / ".hpcenv" / name
        text = ""
        with contextlib.suppress(InvalidRequest):  # a value that the dialect can not carry: no script, not a wrong one
            text = activation.render_activation(dialect, record, site) if needs_scripts(record) else ""
        try:
            if text:
                write_atomic(path, text.encode(), 0o644)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise explain(error, path) from error


def write_own_scripts(record: Record, site: Site) -> None:
    """Write into each build the scripts that those of the environment choose from."""
    for _, alone, _ in parts(record) if record.target else []:
        if not Path(alone.prefix).is_dir():
            continue
        for dialect, name in activation.OWN.items():
            path = Path(alone.prefix) / ".hpcenv" / name
            with contextlib.suppress(InvalidRequest):  # as above
                text = activation.render_activation(dialect, alone, site)
                try:
                    write_atomic(path, text.encode(), 0o644)
                except OSError as error:
                    raise explain(error, path) from error


def bring_in_step(record: Record, records: Records, site: Site, guard: Callable[[], None]) -> None:
    """Write all faces of a record that was changed, and its copy last: that says that they are done.

    *guard* raises `Busy` when somebody else has taken the claim over; what they made is not written over.
    """
    guard()
    several.write_launches(record, site, guard)
    guard()
    publish_faces(record, site)
    guard()
    records.write_copy(record)


def roll_forward(catalog: Catalog) -> list[str]:
    """Repair what a crash left between a commit and its faces; return what was done, a line each.

    An own environment whose kernelspec is missing, or whose copy is missing or of another revision, gets
    all its faces again, unless somebody is changing it just now; a kernelspec whose environment is in the
    trash goes.
    """
    site, done = catalog.site, []
    published = kernels.published(site)
    found, copies = catalog.compared()
    rows = [row for row in found if row.origin == "own"]
    wanted = {kernel.name for row in rows for kernel in row.kernels}
    for row in rows:
        if _lags(row, catalog, copies, published):
            with contextlib.suppress(HpcenvError, OSError):
                if _repair(row, catalog):
                    done.append(f"Brought the kernel and the files of {row.name} in step with its record.")
    strays = [name for name in published if name not in wanted]
    trashed = {item.id for item in catalog.trash()} if strays else set()
    for name in strays:
        facts = published[name]
        if facts.get("environment", "") in trashed and not Path(str(facts.get("prefix", "/"))).exists():
            with contextlib.suppress(HpcenvError):
                kernels.unpublish(name, site)
                done.append(f"Removed the kernel {name} of a deleted environment.")
    return done


def _lags(
    row: Environment, catalog: Catalog, copies: Mapping[str, Record], published: Mapping[str, Mapping[str, object]]
) -> bool:
    unpublished = row.state in ("ready", "module_missing") and _is_unpublished(row, published)
    return unpublished or catalog.is_behind(row, copies)


def _repair(row: Environment, catalog: Catalog) -> bool:
    """Write the faces of *row* under its claim; return False where whoever had the claim wrote them in the meantime."""
    site = catalog.site
    with claims.held(_root(row, site), row.name, "repair", username()) as guard:
        found, copies = catalog.compared()
        now = next((each for each in found if each.id == row.id), row)
        if not _lags(now, catalog, copies, kernels.published(site)):
            return False
        bring_in_step(catalog.record(row.id), catalog.records, site, guard)
    return True


def _is_unpublished(row: Environment, published: Mapping[str, Mapping[str, object]]) -> bool:
    own = (kernel for kernel in row.kernels if not kernel.source)  # the others may be gone with their packages
    return any(published.get(kernel.name, {}).get("environment") != row.id for kernel in own)


def _root(row: Environment, site: Site) -> Path:
    return Path(row.prefix).parent if row.location in ("", ELSEWHERE) else root_of(site, row.location)
