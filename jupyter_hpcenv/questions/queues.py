"""Look whether the batch system has what a site's configuration asks it for."""

from __future__ import annotations

from collections.abc import Iterator

from ..batch import load_batch_system
from ..errors import HpcenvError
from ..models import BatchRequest
from ..site import Site
from ..site.batch import asked_for
from .fault import Fault


def queues(site: Site) -> Iterator[Fault]:
    """Yield each partition that is asked for and is not there; asks the batch system once, if anything is asked."""
    asked = {place: request.partition for place, request in _asked(site) if request.partition}
    if not asked:
        return
    try:
        known = [each.name for each in load_batch_system(site.batch_system).partitions()]
    except HpcenvError as error:
        yield Fault(
            code="batch_system_silent",
            message=f"The configuration asks for partitions, and they can not be looked up: {error.message}",
            breaks="Builds and kernels in jobs do not start from this computer.",
            advice=" ".join(error.hints) or "Try again where jobs are submitted.",
            severity="risk",
        )
        return
    for place, partition in asked.items():
        if partition not in known:
            yield Fault(
                code="partition_unknown",
                message=f"{place} asks for the partition “{partition}”, and there is none of that name.",
                breaks="Whoever chooses it is refused by the batch system.",
                advice=f"Take one of {', '.join(known) or 'none: you may use no partition'}.",
            )


def _asked(site: Site) -> Iterator[tuple[str, BatchRequest]]:
    yield "c.Site.batch", asked_for(site.batch, "c.Site.batch")
    for name, value in site.batch_locations.items():
        place = f"c.Site.batch_locations[{name!r}]"
        yield place, asked_for({key: each for key, each in value.items() if key != "always"}, place)
    for name in site.kernel_profiles:
        yield f"c.Site.kernel_profiles[{name!r}]", site.profile(name).request
    for name in site.targets:
        request = site.target_request(name)
        if request is not None:
            yield f"c.Site.targets[{name!r}]", request
