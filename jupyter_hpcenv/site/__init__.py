"""The centre's configuration: traits, locations, templates and quoting."""

from .config import Site

__all__ = ["Site"]
