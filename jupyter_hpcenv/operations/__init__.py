"""Durable long-running work: store, follow, cancel and adopt operations; where they run."""

from .store import Operations, Own

__all__ = ["Operations", "Own"]
