"""Bring the faces of an environment (launch script, kernelspecs) in step with its record.

Called after a commit, and by whoever finds a record whose faces lag behind a crash.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from .. import kernels
from ..catalog import Catalog
from ..errors import HpcenvError
from ..models import Record
from ..site import Site


def publish_faces(record: Record, site: Site) -> None:
    """Write the kernelspecs that the record asks for."""
    for kernel in record.kernels:
        kernels.publish(record, kernel, site)


def roll_forward(catalog: Catalog) -> list[str]:
    """Repair what a crash left between a commit and its faces; return what was done, a line each.

    An own environment without its kernelspec gets it; a kernelspec whose environment is in the trash
    or replaced goes; a missing copy of a record is written.
    """
    site, done = catalog.site, []
    published = kernels.published(site)
    rows = [row for row in catalog.environments() if row.origin == "own"]
    wanted: dict[str, str] = {}
    for row in rows:
        for kernel in row.kernels:
            wanted[kernel.name] = row.id
        if row.state != "ready":
            continue
        with contextlib.suppress(HpcenvError):
            record = catalog.record(row.id)
            if any(published.get(k.name, {}).get("environment") != row.id for k in row.kernels):
                publish_faces(record, site)
                done.append(f"Published the kernel of {row.name} again.")
    known = {copy.id for copy in catalog.records.copies()}
    for row in rows:
        if row.state == "ready" and row.id not in known:
            with contextlib.suppress(HpcenvError):
                catalog.records.write_copy(catalog.record(row.id))
                done.append(f"Wrote the copy of the record of {row.name} again.")
    trashed = {item.id for item in catalog.trash()}
    for name, facts in published.items():
        environment = facts.get("environment", "")
        if name not in wanted and environment in trashed and not Path(str(facts.get("prefix", "/"))).exists():
            with contextlib.suppress(HpcenvError):
                kernels.unpublish(name, site)
                done.append(f"Removed the kernel {name} of a deleted environment.")
    return done
