"""Environments for everybody, from one manifest: read it, say what differs from what is there, switch and publish.

Nothing here builds: that is done by `jupyter_hpcenv.admission`, the one way in, which joins these pieces.
"""

from . import access, publishing
from .planning import IN_USE, Found, Wanted, plan
from .publishing import Publication, publications, publish, stands, withdraw
from .reading import read
from .releases import current, held_back, hold, order, prefix_of, switch, take_down
from .settings import Manifest
from .words import CHANGING, COSTLY, Document, Entry, Step, Visible

__all__ = [
    "CHANGING",
    "COSTLY",
    "IN_USE",
    "Document",
    "Entry",
    "Found",
    "Manifest",
    "Publication",
    "Step",
    "Visible",
    "Wanted",
    "access",
    "current",
    "held_back",
    "hold",
    "order",
    "plan",
    "prefix_of",
    "publications",
    "publish",
    "publishing",
    "read",
    "stands",
    "switch",
    "take_down",
    "withdraw",
]
