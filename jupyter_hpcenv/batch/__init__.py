"""Speak to the centre's batch system: one contract, and Slurm as the first that keeps it."""

from .contract import BatchSystem
from .find import load_batch_system

__all__ = ["BatchSystem", "load_batch_system"]
