"""Look whether files of an environment are gone, or will be: a purge takes them one by one, where there is one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from ..managers import integrity
from ..models import EnvironmentDetail, Location
from .finding import Finding

#: Of the days that a file may be left alone: from then on it is near its end.
NEAR = 0.8

#: Seconds that a look may take; a file system that is slower is not searched to its end.
PATIENCE = 0.15

_DAY = 86_400


def examine(detail: EnvironmentDetail, place: Location | None) -> Iterator[Finding]:
    """Yield what a purge has taken, or what it will take soon; *place* is where the environment lies."""
    if detail.state not in ("ready", "module_missing") or detail.manager == "modules":
        return
    days = place.purge_days if place is not None else None
    prefix, until = Path(detail.prefix), time.monotonic() + PATIENCE
    gone, looked, near, first = 0, 0, 0, ""
    now, limit = time.time(), (days or 0) * _DAY
    for path, facts in integrity.files(prefix):
        looked += 1
        if facts is None and not days and path.endswith("/RECORD"):
            continue  # some tools install packages without one
        if facts is None:
            gone, first = gone + 1, first or path
        elif place is not None and days:
            times = {"mtime": facts.st_mtime, "ctime": facts.st_ctime}
            near += now - times.get(place.purge_by, facts.st_atime) > NEAR * limit
        if time.monotonic() > until:
            break
    if gone:
        yield Finding(
            code="files_gone",
            message=f"{gone:,} of {looked:,} files that were installed are not there any more, such as {first}"
            + (f"; {place.name} is purged after {days} days." if place is not None and days else "."),
            breaks="What they belong to can not be imported, or fails when it is used.",
            severity="broken",
            environment=detail.id,
            path=f"{prefix}/{first}",
            fix="rebuild",
            advice="It is built again with the same versions as far as they exist; what is left goes to the trash, "
            "from where it comes back if that fails.",
        )
    elif near and place is not None:
        yield Finding(
            code="files_expire",
            message=f"{near:,} of {looked:,} files have been left alone for most of the {days} days after "
            f"which {place.name} is purged.",
            breaks="The purge takes them one by one, and the environment then fails in odd ways.",
            severity="risk",
            environment=detail.id,
            path=str(prefix),
            advice="We touch no file to dodge a purge. Keep it elsewhere: "
            f"“jupyter hpcenv move {detail.name} LOCATION”; what is gone can be built again.",
        )
