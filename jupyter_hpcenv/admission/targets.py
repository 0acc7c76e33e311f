"""Check the targets of a request, and tell which builds of an environment are left to begin."""

from __future__ import annotations

from pathlib import Path

from .. import kernels
from ..errors import InvalidRequest, KernelRunning, NotFound, WrongState
from ..models import CreateRequest, Record
from ..site import Site
from ..site.target import current, safe

MOST = 16  # targets of one environment; each is a prefix of its own


def here(site: Site) -> str:
    """Return the target of this computer."""
    return current(site.target_variables)


def check(targets: list[str]) -> list[str]:
    """Return the targets of a request, each once; raises `InvalidRequest` for what can be none."""
    for target in targets:
        if not target or safe(target) != target:
            raise InvalidRequest(
                f"{target[:80]!r} can not be a target.",
                hints=["Use the site's name of it: letters, digits and “._+-”. “jupyter hpcenv targets” lists them."],
            )
    if len(targets) > MOST:
        raise InvalidRequest(f"{len(targets)} targets are too many.", hints=[f"Name {MOST} at most."])
    return list(dict.fromkeys(targets))


def first(request: CreateRequest, site: Site) -> str:
    """Return for which target the prefix itself is built: this computer's, if it is asked for; empty for no targets.

    Raises `InvalidRequest` for a target that nobody could build from here.
    """
    targets = check(request.targets)
    if not targets:
        return ""
    now = here(site)
    for target in targets:
        if target != now and request.on is None:
            check_reachable(target, now, site)
    return now if now in targets else targets[0]


def check_reachable(target: str, now: str, site: Site, name: str = "NAME") -> None:
    """Raise `InvalidRequest` for a target that is not this computer's, and for which the site names no partition."""
    if site.target_request(target) is None:
        raise InvalidRequest(
            f"This computer is {now}, and the site does not say where builds for {target} run.",
            hints=[
                f"Run “jupyter hpcenv build {name}” on a computer of that kind (in a job there, for instance)"
                + ("; leave it out now." if name == "NAME" else "."),
                "“jupyter hpcenv targets” lists what the site has.",
            ],
        )


def left(record: Record) -> list[str]:
    """Return the targets that an environment was asked for with and has no build for."""
    return [target for target in record.targets if target != record.target and target not in record.builds]


def check_dropping(record: Record, target: str) -> None:
    """Raise for a build that is not there, that is the environment itself, or that a kernel uses."""
    if target == record.target and target:
        raise WrongState(
            f"{record.name} itself is the build for {target}.", hints=["Delete the environment, with all builds."]
        )
    if target not in record.builds:
        known = ", ".join(record.builds) or "none"
        raise NotFound(f"{record.name} has no build for {target!r}.", hints=[f"Builds besides its own: {known}."])
    if pids := kernels.running(Path(record.builds[target].prefix)):
        raise KernelRunning(
            f"Kernels of {record.name} run from its build for {target} (process {', '.join(map(str, pids))}).",
            hints=["Shut them down first."],
        )
