"""Which environments exist: records, discovery and what lies in the trash."""

from .catalog import Catalog
from .records import Records

__all__ = ["Catalog", "Records"]
