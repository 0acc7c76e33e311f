"""What a desk decides with."""

from __future__ import annotations

from typing import NamedTuple

from traitlets.config import Config

from ..catalog import Catalog
from ..managers.contract import Manager
from ..site import Site
from .modules import Modules


class Means(NamedTuple):
    """What a desk decides with."""

    config: Config
    site: Site
    catalog: Catalog
    managers: dict[str, Manager]
    modules: Modules
