"""Environment managers: mechanisms that build prefixes, found by entry point."""

from __future__ import annotations

import logging
import re
from importlib.metadata import entry_points

from traitlets.config import Config

from ..names import LOCATION_PATTERN
from ..site import Site
from .contract import Manager

GROUP = "jupyter_hpcenv.environment_managers"

_log = logging.getLogger(__name__)


def load_managers(config: Config, site: Site) -> dict[str, Manager]:
    """Return the installed managers by name; one that can not be loaded is reported and left out."""
    found: dict[str, Manager] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        if not re.fullmatch(LOCATION_PATTERN, entry.name):
            _log.warning("The environment manager %r has a name that can not be used.", entry.name)
            continue
        try:
            manager = entry.load()(config=config, site=site)
        except Exception as error:  # noqa: BLE001  whatever somebody else's package raises hides no other
            _log.warning("The environment manager %r can not be loaded: %s", entry.name, error)
            continue
        if isinstance(manager, Manager):
            found[entry.name] = manager
    return found
