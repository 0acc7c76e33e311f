"""Render and write the launch script, through which everything of an environment's Python is started.

It is POSIX sh, because a shell starts in 1.5 ms and Python in 15; a site can replace its template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..files import explain, write_atomic
from ..models import Record
from ..names import check_variable
from ..site import Site
from ..site.rendering import render

TEMPLATE = "launch.sh.j2"


def render_launch(record: Record, variables: Mapping[str, str], template_dirs: Sequence[str] = ()) -> str:
    """Return the text of the launch script; pure.

    *variables* are the site's; the record's own win. Raises `InvalidVariable` for one that may not be set,
    and what `jupyter_hpcenv.site.rendering.render` raises.
    """
    merged = {**variables, **record.variables}
    for name, value in merged.items():
        check_variable(name, value)
    values = {
        "id": record.id,
        "name": record.name,
        "location": record.location,
        "prefix": record.prefix,
        "manager": record.manager,
        "python": record.python,
        "cluster": record.platform.cluster,
        "variables": [[name, value] for name, value in merged.items()],
    }
    return render(TEMPLATE, template_dirs, values)


def launch_path(prefix: Path) -> Path:
    """Return where the launch script of an environment lies."""
    return prefix / ".hpcenv" / "launch"


def write_launch(record: Record, site: Site, guard: Callable[[], None] | None = None) -> Path:
    """Write the launch script of an environment and return its path; called on creation and on every change.

    *guard* raises when somebody else builds there by now.
    """
    path = launch_path(Path(record.prefix))
    text = render_launch(record, site.variables, site.template_dirs)
    try:
        path.parent.mkdir(mode=0o755, exist_ok=True)
    except OSError as error:
        raise explain(error, path) from error
    write_atomic(path, text.encode(), 0o755, guard)
    return path
