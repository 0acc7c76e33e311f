"""Give an environment that is not ours to write a kernel: launch script and kernelspec in the user's own folders.

Both are rendered here from validated fields. Nothing that its owner wrote is run to start it, but for its Python and
its packages; and nothing is ever written into its prefix.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from ..errors import BrokenRecord
from ..files import explain, write_atomic
from ..models import Kernel, Record
from ..names import check_display_name, check_name, check_variables
from ..site import Site
from ..site.conda_prefix import RUNNER
from ..site.loader import LOADER
from ..site.rendering import render
from ..site.target import SCRIPT
from ..trust import Decision
from . import kernelspec
from .facts import derived_from
from .launch import launch_path, render_for

STUB = "stub_used.sh.j2"


def checked(record: Record) -> Record:
    """Return what somebody else's record says with nothing in it that is not of known form; raises what is odd.

    The kernel is what ipykernel says of itself, or there is none; it runs in no job that somebody else has chosen.
    """
    check_name(record.name)
    check_display_name(record.display_name)
    check_variables(record.variables)
    facts = record.kernelspec
    if facts:
        argv = facts.get("argv")
        facts = derived_from({**facts, "argv": ["python", *argv]} if isinstance(argv, list) else None) or {}
        if not facts:
            raise BrokenRecord(f"The record of {record.name} describes a kernel of a form that is not known.")
    return msgspec.structs.replace(record, kernelspec=facts, activation=[], profile="")


def write_start(record: Record, site: Site, folder: Path) -> Path:
    """Write the launch script of an environment, and what it needs, into *folder*; return its path."""
    # One build of several was looked at, and on another kind of computer it must not start.
    of_one = msgspec.structs.replace(record, target=record.targets[0]) if record.targets else record
    text = render_for(of_one, site, folder)
    try:
        if record.targets:
            write_atomic(folder / SCRIPT.name, SCRIPT.read_bytes(), 0o600)
        if record.modules:
            write_atomic(folder / "load.bash", LOADER.read_bytes(), 0o600)
        if record.manager == "conda":
            write_atomic(folder / RUNNER.name, RUNNER.read_bytes(), 0o600)
        path = folder / launch_path(folder).name
        write_atomic(path, text.encode(), 0o700)
    except OSError as error:
        raise explain(error, folder) from error
    return path


def render_used_stub(record: Record, kernel: Kernel, start: Path, trust: Decision, python: str, cache: str = "") -> str:
    """Return the text of the kernelspec's ``launch``; pure. Not a site's to replace."""
    values = {
        "kernel": kernel.name,
        "prefix": record.prefix,
        "launch": str(start),
        "python": python,
        "cache": cache,
        "allowed": trust.allowed,
        "owners": [str(uid) for uid in sorted({0, trust.uid, os.geteuid()})],
        "owner": str(trust.uid),
        "inode": str(trust.inode),
        "device": str(trust.device),
        "boot": trust.boot,
        "inside": str(len(trust.inside)),
        "paths": [*trust.inside, *trust.folders],
        "interpreter": trust.python,
    }
    return render(STUB, (), values)


def publish_used(
    record: Record, kernel: Kernel, site: Site, start: Path, trust: Decision, about: dict[str, str]
) -> Path:
    """Put a kernelspec in place that starts *start* while what was trusted is as it was; return its folder.

    *about* is for the explanation: ``owner``, ``packages`` (a file) and ``since``. Raises as `kernelspec.publish` does.
    """
    cache = str(kernelspec.cache_folder(site)) if site.module_cache else ""
    stub = render_used_stub(record, kernel, start, trust, sys.executable if site.explain else "", cache)
    told = {**msgspec.to_builtins(trust), "trusted": sorted({0, trust.uid, os.geteuid()})}
    return kernelspec.publish(
        record,
        kernel,
        site,
        stub=stub,
        about=about,
        beside={"trust.json": msgspec.json.format(msgspec.json.encode(told), indent=1)},
    )
