"""Prefixes that are conda's as far as activation goes, made without installing anything."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_hpcenv.models import Kernel, Platform, Record

ID = "0123456789abcdef0123456789abcdef"
NAME = "hpcenv-home.climate"
VERSION = "{}.{}.{}".format(*sys.version_info)
SAYS = "import json, os, sys; json.dump([dict(os.environ), os.getpid(), sys.argv], sys.stdout)"


def make_prefix(folder: Path, *, python: bool = True) -> Path:
    """Make a prefix with what conda leaves in each, and this Python in it."""
    (folder / "bin").mkdir(parents=True)
    (folder / "conda-meta").mkdir()
    (folder / "conda-meta" / "history").write_text("")
    if python:
        (folder / "bin" / "python").symlink_to(sys.executable)
        (folder / "conda-meta" / f"python-{VERSION}-0_test.json").write_text("{}")
        (folder / "conda-meta" / "python-dateutil-2.9.0-pyhd_0.json").write_text("{}")
    return folder


def script(prefix: Path, name: str, text: str, folder: str = "activate.d") -> Path:
    path = prefix / "etc" / "conda" / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def state(prefix: Path, variables: Mapping[str, Any], **dump: Any) -> None:
    """Write the variables that a person had conda keep, as conda does."""
    text = json.dumps({"version": 1, "env_vars": dict(variables)}, **dump)
    (prefix / "conda-meta" / "state").write_text(text, encoding="utf-8", errors="surrogatepass")


def package_variables(prefix: Path, name: str, variables: Mapping[str, Any]) -> None:
    path = prefix / "etc" / "conda" / "env_vars.d" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(variables)))


def make(prefix: Path | str, **changes: Any) -> Record:
    values: dict[str, Any] = {
        "id": ID,
        "name": "climate",
        "location": "home",
        "prefix": str(prefix),
        "manager": "conda",
        "creator": "rattler",
        "installer": "rattler",
        "python": VERSION,
        "python_path": f"{prefix}/bin/python",
        "display_name": "Climate",
        "kernels": [Kernel(name=NAME, display_name="Climate")],
        "platform": Platform(cluster="testcluster", os="debian12", arch="x86_64"),
        "owner": "user",
        "created": "2026-11-21T08:00:00.000Z",
        "changed": "2026-11-21T08:00:00.000Z",
        "operation": "20261121-080000-0000abcd",
    }
    return Record(**{**values, **changes})
