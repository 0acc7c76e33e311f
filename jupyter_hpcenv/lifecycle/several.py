"""Write what chooses among the builds of an environment, and what starts each of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .. import kernels
from ..files import explain, write_atomic
from ..models import Record
from ..site import Site
from ..site.target import SCRIPT, as_record


def write_launches(record: Record, site: Site, guard: Callable[[], None] | None = None) -> None:
    """Write the launch scripts of an environment: that of each build, then the one that chooses among them."""
    if record.target:
        path = Path(record.prefix) / ".hpcenv" / SCRIPT.name
        try:
            write_atomic(path, SCRIPT.read_bytes(), 0o644, guard)
        except OSError as error:
            raise explain(error, path) from error
    for target, build in record.builds.items():
        if Path(build.prefix).is_dir():  # else the one that chooses says that it is gone
            kernels.write_launch(as_record(record, target), site, guard)
    kernels.write_launch(record, site, guard)
