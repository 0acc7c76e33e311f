"""Publish and unpublish kernelspecs: whole or not at all, and never over what is not ours.

A kernelspec folder is built aside and put in place by renames. It keeps working without jupyter_hpcenv:
its ``launch`` is sh, and its ``explain.py`` needs only the ipykernel of the Python that ran us.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from .. import typed
from ..errors import BrokenRecord, NameTaken, Refused
from ..files import (
    clear_temporary,
    explain,
    make_private,
    publish_dir,
    read_regular,
    remove_tree,
    write_atomic,
    write_json,
)
from ..models import Kernel, Record
from ..names import check_kernel_name, is_kernel_name
from ..site import Site
from ..site.rendering import render
from ..site.trust import other_movers, other_writers
from . import languages
from .facts import CONNECTION_FILE, INSTALLED
from .logos import logos

STUB = "stub.sh.j2"

#: The entry point by which Jupyter finds what starts kernels in jobs.
PROVISIONER = "hpcenv-batch"

_METADATA_VERSION = 1

#: What starts programs of a processor on GNU systems; where it is not, it is another processor, or another system.
_LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
_STALE = 86_400.0  # seconds; what a crash left aside is older than any publish takes


def kernel_json(
    record: Record, kernel: Kernel, folder: Path, language: languages.Language | None = None
) -> dict[str, Any]:
    """Return the kernelspec of an environment that lies in *folder*; pure. *language*: of a kernel besides ipykernel.

    ``env`` stays empty: Jupyter would expand dollars in it, and the launch script sets what is needed.
    """
    facts = record.kernelspec if language is None else _facts_of(language)
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
    if record.profile:  # only its name: what it means is the site's to say at each start
        spec["interrupt_mode"] = "message"
        spec["metadata"]["kernel_provisioner"] = {
            "provisioner_name": PROVISIONER,
            "config": {"profile": record.profile},
        }
    if "kernel_protocol_version" in facts:
        spec["kernel_protocol_version"] = facts["kernel_protocol_version"]
    return spec


def _facts_of(language: languages.Language) -> dict[str, Any]:
    """Return the same facts as those of ipykernel; the stub takes the connection file first, wherever it goes then."""
    facts: dict[str, Any] = {
        "argv": [CONNECTION_FILE, *language.arguments],
        "language": language.language,
        "interrupt_mode": language.interrupt_mode,
        "metadata": language.metadata,
    }
    return {**facts, "kernel_protocol_version": language.protocol} if language.protocol else facts


def render_stub(
    record: Record, kernel: Kernel, python: str, cache: str = "", language: languages.Language | None = None
) -> str:
    """Return the text of a kernelspec's ``launch``; pure. Not a site's to replace.

    *python* runs the explanation; empty: none is given. *cache* is the folder for what loading modules gave.
    *language* is a kernel besides ipykernel, whose program the environment's launch script is told.
    """
    values = {
        "kernel": kernel.name,
        "prefix": record.prefix,
        "python": python,
        "cache": cache,
        "only_modules": record.manager == "modules",
        # With modules, or packages of its Python, it can lie elsewhere: the launch script sees to that.
        "ipykernel": bool(record.kernelspec) and record.modules is None and not record.system_site_packages,
        "several": bool(record.target),  # the launch script looks at the build that it chooses
        **_built(record, language),
        "program": language.program if language else "",
        "settings": [f"{name}={value}" for name, value in language.variables.items()] if language else [],
    }
    return render(STUB, (), values)


def _built(record: Record, language: languages.Language | None) -> dict[str, str]:
    """Return where it was built, if the stub is to see whether its Python can run: not before modules are loaded."""
    built = record.platform
    if record.modules or record.target or language or not record.python:
        return {"system": ""}
    of = " ".join(filter(None, [built.cluster, f"({built.os}, {built.arch})"]))
    return {"system": built.os, "loader": _LOADERS.get(built.arch, ""), "built": of}


def cache_folder(site: Site) -> Path:
    """Return the folder in which this user's launch scripts keep what loading modules gave."""
    return site.data_dir / "launch-cache"


def publish(
    record: Record,
    kernel: Kernel,
    site: Site,
    *,
    stub: str = "",
    about: Mapping[str, str] | None = None,
    beside: Mapping[str, bytes] | None = None,
    into: Path | None = None,
    restrict: Callable[[Path], None] | None = None,
) -> Path:
    """Put the kernelspec of *record* under ``kernel.name`` and return its folder; replaces an older one of its own.

    Called after the record is written, and again whenever it changed. For an environment that is somebody else's,
    *stub* is its ``launch``, *about* what its metadata says besides, and *beside* are more files. *into* is another
    folder than the user's own, and *restrict* closes the kernelspec to some before anybody can see it. Raises
    `NameTaken` where another environment or another tool has the name, `Refused` where others could change the
    kernelspec, and for a kernel that a package brings what `jupyter_hpcenv.kernels.languages.language_of` raises.
    """
    check_kernel_name(kernel.name)
    language = languages.language_of(Path(record.prefix), kernel.source) if kernel.source else None
    resources = languages.FOLDER / kernel.source if kernel.source else INSTALLED
    folder = _own_folder(into or site.kernels_dir)
    target = folder / kernel.name
    _check_free(target, record.id)
    aside = _aside(site, folder)
    ready = aside / f"{kernel.name}-{secrets.token_hex(6)}"
    try:
        ready.mkdir(mode=0o755)
        try:
            for name, data in logos(Path(record.prefix), resources).items():
                write_atomic(ready / name, data, 0o644)
            write_atomic(ready / "explain.py", Path(__file__).with_name("explain.py").read_bytes(), 0o644)
            for name, data in (beside or {}).items():
                write_atomic(ready / name, data, 0o644)
            write_atomic(ready / "launch", (stub or _stub(record, kernel, site, language)).encode(), 0o755)
            spec = kernel_json(record, kernel, target, language)
            spec["metadata"]["hpcenv"].update(about or {})
            write_json(ready / "kernel.json", spec, 0o644)
            if restrict is not None:
                restrict(ready)
            publish_dir(ready, target)
        except BaseException:
            with contextlib.suppress(OSError):
                remove_tree(ready)
            raise
    except OSError as error:
        raise explain(error, target) from error
    return target


def _stub(record: Record, kernel: Kernel, site: Site, language: languages.Language | None) -> str:
    cache = str(cache_folder(site)) if site.module_cache else ""
    return render_stub(record, kernel, sys.executable if site.explain else "", cache, language)


def unpublish(name: str, site: Site, folder: Path | None = None) -> None:
    """Take the kernelspec *name* away at once; nothing happens if there is none. Raises `Refused` if it is not ours.

    *folder* is another one than the user's own, as `publish` takes it.
    """
    check_kernel_name(name)
    folder = folder or site.kernels_dir
    target = folder / name
    if not os.path.lexists(target):
        return
    facts = _facts(target)
    if not facts:
        raise Refused(
            f"{target} was not made by jupyter_hpcenv, so it stays.",
            hints=["Remove it with the tool that made it, or by hand."],
        )
    gone = _aside(site, folder) / f"{name}-{secrets.token_hex(6)}"
    try:
        os.rename(target, gone)  # noqa: PTH104
        remove_tree(gone)
    except FileNotFoundError:
        return  # somebody else of this user was faster
    except OSError as error:
        if os.path.lexists(target):
            raise explain(error, target) from error
    _forget(str(facts["environment"]), site)


def _forget(environment: str, site: Site) -> None:
    """Remove what loading the modules of an environment gave; kernels of it that are left load them again."""
    with contextlib.suppress(OSError):
        for path in cache_folder(site).iterdir():
            if path.name.startswith(f"{environment}."):
                path.unlink(missing_ok=True)


#: What was read below each kernels folder: by name, the stat of ``kernel.json`` and what it says.
_read: dict[str, dict[str, tuple[tuple[int, ...], dict[str, Any]]]] = {}


def published(site: Site, folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return our kernelspecs by name: what their metadata says, and their display name.

    *folder* is another one than the user's own, as `publish` takes it.

    Damaged ones and those of other tools are left out, never an error. One that did not change costs a stat;
    what is returned is shared by all who ask.
    """
    place = str(folder or site.kernels_dir)
    known = _read.get(place, {})
    found: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {}
    with contextlib.suppress(OSError):
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with os.scandir(descriptor) as entries:
                names = [each.name for each in entries if is_kernel_name(each.name) and not each.is_symlink()]
            for name in sorted(names):
                with contextlib.suppress(OSError):
                    stat = os.stat(f"{name}/kernel.json", dir_fd=descriptor, follow_symlinks=False)
                    stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size, stat.st_dev)
                    kept = known.get(name)
                    if kept is not None and kept[0] == stamp:
                        found[name] = kept
                    elif facts := _facts(Path(place) / name):
                        found[name] = (stamp, facts)
        finally:
            os.close(descriptor)
    _read[place] = found
    return {name: facts for name, (_, facts) in found.items()}


def _facts(folder: Path) -> dict[str, Any]:
    """Return what a kernelspec folder of ours says of its environment; empty if it is not ours."""
    if folder.is_symlink():
        return {}
    try:
        spec = typed.of_json(read_regular(folder / "kernel.json", 100_000))
        facts = spec["metadata"]["hpcenv"]
        if isinstance(facts["environment"], str) and isinstance(facts["prefix"], str):
            return {**facts, "display_name": str(spec["display_name"])}
    except (OSError, BrokenRecord, msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
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
    except OSError as error:
        raise explain(error, aside) from error
    clear_temporary(aside, _STALE, everything=True)
    return aside
