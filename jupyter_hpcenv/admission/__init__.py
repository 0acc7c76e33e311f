"""The one way in for server, command line and manifest: policy, quick checks, claim, operation."""

from .desk import Admission

__all__ = ["Admission"]
