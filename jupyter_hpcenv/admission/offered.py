"""List kernels with the environments behind them: the user's own, and those that staff published for everybody."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_path

from .. import kernels
from ..catalog import Catalog, released
from ..models import Environment


def offered(catalog: Catalog) -> list[dict[str, Any]]:
    """Return kernels that we made, the user's own first; of those for everybody only what this user can see.

    A kernel for everybody leads to a link, while the environment that is listed is the release that lies behind it.
    """
    site, rows = catalog.site, catalog.environments()
    own = site.kernels_dir
    by_id = {row.id: row for row in rows}
    found = [
        _told(name, spec, own, by_id.get(str(spec.get("environment", ""))))
        for name, spec in kernels.published(site).items()
    ]
    names = {each["name"] for each in found}
    folders = dict.fromkeys(Path(os.path.realpath(folder)) for folder in jupyter_path("kernels"))
    theirs = [(folder, kernels.published(site, folder)) for folder in folders if folder != own]
    if not any(specs for _, specs in theirs):
        return found
    by_place = {released.link_to(row.prefix) or row.prefix: row for row in rows if row.state not in ("missing", "slow")}
    for folder, specs in theirs:
        for name, spec in specs.items():
            row = by_place.get(os.path.normpath(str(spec["prefix"])))
            if row is not None and name not in names:  # the first of Jupyter's folders counts
                names.add(name)
                found.append(_told(name, spec, folder, row))
    return found


def _told(name: str, spec: Mapping[str, Any], folder: Path, row: Environment | None) -> dict[str, Any]:
    return {
        "name": name,
        "display_name": str(spec.get("display_name", name)),
        "path": str(folder / name),
        "environment": row.id if row else "",
        "location": row.location if row else "",
        "state": "ready" if row and row.state in ("ready", "module_missing") else "orphan",
    }
