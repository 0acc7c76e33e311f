"""Environment managers: mechanisms that build prefixes, found by entry point."""

from __future__ import annotations

import logging
import re
from importlib.metadata import EntryPoint, entry_points

from traitlets import TraitError
from traitlets.config import Config

from ..models import CreateRequest
from ..names import LOCATION_PATTERN
from ..site import Site
from .contract import Manager

GROUP = "jupyter_hpcenv.environment_managers"

#: What a request gets that names none; doors show it first.
_DEFAULT = CreateRequest(name="").manager

_log = logging.getLogger(__name__)


def load_managers(config: Config, site: Site) -> dict[str, Manager]:
    """Return the installed managers by name, the default one first; one that can not be loaded is reported in the log.

    Of two with one name ours is taken: another package must not take its place unnoticed.
    """
    found: dict[str, Manager] = {}
    for entry in sorted(entry_points(group=GROUP), key=_rank):
        if not re.fullmatch(LOCATION_PATTERN, entry.name):
            _log.warning("The environment manager %r has a name that can not be used.", entry.name)
            continue
        if entry.name in found:
            _log.warning("There are two environment managers %s; %s is left out.", entry.name, entry.value)
            continue
        try:
            manager = entry.load()(config=config, site=site)
        except TraitError:
            if _is_ours(entry):
                raise  # a mistake in the configuration, to be told to who made it
            _log.warning("The environment manager %s is configured wrongly.", entry.name, exc_info=True)
            continue
        except Exception as error:  # noqa: BLE001  whatever somebody else's package raises hides no other
            _log.warning("The environment manager %s can not be loaded: %s", entry.name, error)
            continue
        if not isinstance(manager, Manager):
            _log.warning("The environment manager %s is no Manager of jupyter_hpcenv.", entry.name)
            continue
        found[entry.name] = manager
    return found


def _rank(entry: EntryPoint) -> tuple[bool, str, bool]:
    return entry.name != _DEFAULT, entry.name, not _is_ours(entry)


def _is_ours(entry: EntryPoint) -> bool:
    return entry.value.partition(":")[0].startswith(f"{__name__}.")
