"""Bring the faces of an environment (launch script, kernelspecs) in step with its record.

Called after a commit, and by whoever finds a record whose faces lag behind a crash.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from .. import claims, kernels
from ..catalog import Catalog, Records
from ..errors import HpcenvError
from ..models import Environment, Record
from ..names import kernel_name
from ..site import Site
from ..site.config import username
from ..site.locations import ELSEWHERE, root_of


def publish_faces(record: Record, site: Site) -> None:
    """Write the kernelspecs that the record asks for, and take away the one that it does not ask for any more."""
    for kernel in record.kernels:
        kernels.publish(record, kernel, site)
    own = kernel_name(record.location, record.name)
    wanted = {kernel.name for kernel in record.kernels}
    if own not in wanted and kernels.published(site).get(own, {}).get("environment") == record.id:
        kernels.unpublish(own, site)


def bring_in_step(record: Record, records: Records, site: Site) -> None:
    """Write all faces of a record that was changed, and its copy last: that says that they are done."""
    kernels.write_launch(record, site)
    publish_faces(record, site)
    records.write_copy(record)


def roll_forward(catalog: Catalog) -> list[str]:
    """Repair what a crash left between a commit and its faces; return what was done, a line each.

    An own environment whose kernelspec is missing, or whose copy is missing or of another revision, gets
    all its faces again, unless somebody is changing it just now; a kernelspec whose environment is in the
    trash goes.
    """
    site, done = catalog.site, []
    published = kernels.published(site)
    rows = [row for row in catalog.environments() if row.origin == "own"]
    wanted = {kernel.name for row in rows for kernel in row.kernels}
    revisions = {copy.id: copy.revision for copy in catalog.records.copies()}
    for row in rows:
        if row.state == "ready" and _lags(catalog, row, revisions, published):
            with contextlib.suppress(HpcenvError, OSError):
                with claims.held(_root(row, site), row.name, "repair", username()):
                    record = catalog.record(row.id)
                    bring_in_step(record, catalog.records, site)
                done.append(f"Brought the kernel and the files of {row.name} in step with its record.")
    trashed = {item.id for item in catalog.trash()}
    for name, facts in published.items():
        environment = facts.get("environment", "")
        if name not in wanted and environment in trashed and not Path(str(facts.get("prefix", "/"))).exists():
            with contextlib.suppress(HpcenvError):
                kernels.unpublish(name, site)
                done.append(f"Removed the kernel {name} of a deleted environment.")
    return done


def _lags(
    catalog: Catalog, row: Environment, revisions: dict[str, int], published: dict[str, dict[str, object]]
) -> bool:
    if any(published.get(kernel.name, {}).get("environment") != row.id for kernel in row.kernels):
        return True
    with contextlib.suppress(HpcenvError, OSError):
        return catalog.records.read(row.prefix)[0].revision != revisions.get(row.id)
    return False


def _root(row: Environment, site: Site) -> Path:
    return Path(row.prefix).parent if row.location in ("", ELSEWHERE) else root_of(site, row.location)
