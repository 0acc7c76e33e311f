"""Ask the module system of a cluster: which modules there are, what loading them gives, whether they still are there.

Lmod and Tcl Environment Modules are asked by their own programs; what those print is parsed and never executed.
"""

from .contract import Available, Captured, ModuleSystem, Provided
from .find import of, system
from .search import provides
from .watching import drift, snapshot, target

__all__ = [
    "Available",
    "Captured",
    "ModuleSystem",
    "Provided",
    "drift",
    "of",
    "provides",
    "snapshot",
    "system",
    "target",
]
