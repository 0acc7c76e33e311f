"""Environments for JupyterLab on shared machines: create, use and look after them.

Importing the package loads nothing else: every kernel start, command and server start pays for this file.
"""

from __future__ import annotations

from ._version import __version__

__all__ = ["__version__"]


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """Tell Jupyter Server what to load; it calls this when the extension is enabled."""
    from .server.app import HpcenvApp

    return [{"module": "jupyter_hpcenv.server.app", "app": HpcenvApp}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell JupyterLab's tools where the prebuilt front end lies."""
    return [{"src": "labextension", "dest": "jupyter-hpcenv"}]
