"""Say at a glance whether an environment is whole: some stats, where comparing all its files would take seconds."""

from __future__ import annotations

import os

from ..models import Record


def gone(record: Record) -> str:
    """Return in a sentence what an environment can not do without and has lost; empty where nothing is missed."""
    prefix = record.prefix
    if not os.path.isdir(prefix):  # noqa: PTH112  texts, because a manifest has hundreds of them
        return f"Its prefix {prefix} is gone."
    if not os.access(f"{prefix}/.hpcenv/launch", os.X_OK):
        return "Its launch script is gone."
    if record.manager == "modules" or not record.python:
        return ""
    if not os.access(f"{prefix}/bin/python", os.X_OK):
        return f"Its Python, {prefix}/bin/python, is gone."
    packages = f"{prefix}/lib/python{'.'.join(record.python.split('.')[:2])}/site-packages"
    if not os.path.isdir(packages):  # noqa: PTH112
        return "Its folder of packages is gone."
    layered = record.modules is not None or record.system_site_packages
    if record.kernelspec and not layered and not os.path.exists(f"{packages}/ipykernel/__init__.py"):  # noqa: PTH110
        return "Its ipykernel is gone."
    return ""
