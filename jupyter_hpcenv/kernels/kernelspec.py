"""Publish and unpublish kernelspecs: whole or not at all, and never over what is not ours.

A kernelspec folder is built aside and put in place by renames. It keeps working without jupyter_hpcenv:
its ``launch`` is sh, and its ``explain.py`` needs only the ipykernel of the Python that ran us.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from ..errors import BrokenRecord, NameTaken, Refused
from ..files import explain, make_private, publish_dir, read_regular, remove_tree, write_atomic, write_json
from ..models import Kernel, Record
from ..names import check_kernel_name, is_kernel_name
from ..site import Site
from ..site.rendering import render
from ..site.trust import other_movers, other_writers
from .logos import logos

STUB = "stub.sh.j2"

_METADATA_VERSION = 1
_STALE = 86_400.0  # seconds; what a crash left aside is older than any publish takes


def kernel_json(record: Record, kernel: Kernel, folder: Path) -> dict[str, Any]:
    """Return the kernelspec of an environment that lies in *folder*; pure.

    ``env`` stays empty: Jupyter would expand dollars in it, and the launch script sets what is needed.
    """
    facts = record.kernelspec
    spec: dict[str, Any] = {
        "argv": [str(folder / "launch"), *facts["argv"]],
        "display_name": kernel.display_name,
        "language": facts["language"],
        "interrupt_mode": facts["interrupt_mode"],
        "env": {},
        "metadata": {
            **facts["metadata"],
            "hpcenv": {
                "version": _METADATA_VERSION,
                "environment": record.id,
                "name": record.name,
                "location": record.location,
                "prefix": record.prefix,
            },
        },
    }
    if "kernel_protocol_version" in facts:
        spec["kernel_protocol_version"] = facts["kernel_protocol_version"]
    return spec


def render_stub(record: Record, kernel: Kernel, python: str) -> str:
    """Return the text of a kernelspec's ``launch``; pure. *python* runs the explanation. Not a site's to replace."""
    return render(STUB, (), {"kernel": kernel.name, "prefix": record.prefix, "python": python})


def publish(record: Record, kernel: Kernel, site: Site) -> Path:
    """Put the kernelspec of *record* under ``kernel.name`` and return its folder; replaces an older one of its own.

    Called after the record is written, and again whenever it changed. Raises `NameTaken` where another
    environment or another tool has the name, `Refused` where others could change the kernelspec.
    """
    check_kernel_name(kernel.name)
    folder = _own_folder(site.kernels_dir)
    target = folder / kernel.name
    _check_free(target, record.id)
    aside = _aside(site, folder)
    ready = aside / f"{kernel.name}-{secrets.token_hex(6)}"
    try:
        ready.mkdir(mode=0o755)
        try:
            for name, data in logos(Path(record.prefix)).items():
                write_atomic(ready / name, data, 0o644)
            write_atomic(ready / "explain.py", Path(__file__).with_name("explain.py").read_bytes(), 0o644)
            write_atomic(ready / "launch", render_stub(record, kernel, sys.executable).encode(), 0o755)
            write_json(ready / "kernel.json", kernel_json(record, kernel, target), 0o644)
            publish_dir(ready, target)
        except BaseException:
            with contextlib.suppress(OSError):
                remove_tree(ready)
            raise
    except OSError as error:
        raise explain(error, target) from error
    return target


def unpublish(name: str, site: Site) -> None:
    """Take the kernelspec *name* away at once; nothing happens if there is none. Raises `Refused` if it is not ours."""
    check_kernel_name(name)
    target = site.kernels_dir / name
    if not os.path.lexists(target):
        return
    if not _facts(target):
        raise Refused(
            f"{target} was not made by jupyter_hpcenv, so it stays.",
            hints=["Remove it with the tool that made it, or by hand."],
        )
    gone = _aside(site, site.kernels_dir) / f"{name}-{secrets.token_hex(6)}"
    try:
        os.rename(target, gone)  # noqa: PTH104
        remove_tree(gone)
    except FileNotFoundError:
        return  # somebody else of this user was faster
    except OSError as error:
        if os.path.lexists(target):
            raise explain(error, target) from error


def published(site: Site) -> dict[str, dict[str, Any]]:
    """Return our kernelspecs by name: what their metadata says, and their display name.

    Damaged ones and those of other tools are left out, never an error.
    """
    found = {}
    with contextlib.suppress(OSError), os.scandir(site.kernels_dir) as entries:
        for entry in entries:
            if is_kernel_name(entry.name) and (facts := _facts(Path(entry.path))):
                found[entry.name] = facts
    return dict(sorted(found.items()))


def _facts(folder: Path) -> dict[str, Any]:
    """Return what a kernelspec folder of ours says of its environment; empty if it is not ours."""
    if folder.is_symlink():
        return {}
    try:
        spec = msgspec.json.decode(read_regular(folder / "kernel.json", 100_000))
        facts = spec["metadata"]["hpcenv"]
        if isinstance(facts["environment"], str) and isinstance(facts["prefix"], str):
            return {**facts, "display_name": str(spec["display_name"])}
    except (OSError, BrokenRecord, msgspec.DecodeError, RecursionError, KeyError, TypeError):
        pass
    return {}


def _own_folder(folder: Path) -> Path:
    """Make the kernels folder if it is not there; raise `Refused` where others could plant or swap kernelspecs."""
    try:
        for missing in [each for each in (folder, *folder.parents) if not each.exists()][::-1]:
            missing.mkdir(mode=0o755, exist_ok=True)
        writers = other_writers(folder) or other_movers(folder, known=False)
    except OSError as error:
        raise explain(error, folder) from error
    if writers:
        raise Refused(
            f"No kernel is published in {folder}, because it can be changed by {writers}: "
            "they could change what your notebooks run.",
            hints=[f"Take that right away (chmod go-w {folder}), or set JUPYTER_DATA_DIR to a folder of your own."],
        )
    return folder


def _check_free(target: Path, environment: str) -> None:
    facts = _facts(target)
    if facts and facts["environment"] != environment:
        raise NameTaken(
            f"The kernel name {target.name!r} belongs to another environment, at {facts['prefix']}.",
            hints=["Unpublish the kernel of that environment first."],
        )
    if not facts and os.path.lexists(target):
        raise NameTaken(
            f"{target} is there already, and was not made by jupyter_hpcenv.",
            hints=["Rename or remove that folder, then publish again."],
        )


def _aside(site: Site, folder: Path) -> Path:
    """Return a private folder on the filesystem of the kernels folder, where half-built kernelspecs do not show."""
    aside = site.data_dir / "publish"
    try:
        if site.data_dir.stat().st_dev != folder.stat().st_dev:  # the kernels folder is a link elsewhere
            aside = folder.resolve().parent / ".hpcenv-publish"
        make_private(aside)
        with os.scandir(aside) as entries:
            stale = [
                entry.path for entry in entries if entry.stat(follow_symlinks=False).st_mtime < time.time() - _STALE
            ]
    except OSError as error:
        raise explain(error, aside) from error
    for path in stale:
        with contextlib.suppress(OSError):
            remove_tree(Path(path))
    return aside
