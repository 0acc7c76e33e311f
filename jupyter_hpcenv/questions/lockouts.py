"""Look whether a policy leaves a way for whoever asks for nothing special: a rule may lock everybody out unnoticed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points

from .. import policy
from ..errors import BrokenConfiguration
from ..managers.pythons import find_pythons
from ..models import CreateRequest
from ..policy import Asked, Policy
from ..site import Site
from ..site.configuration import Configuration
from ..site.locations import all_locations
from . import configured
from .fault import Fault
from .judging import MANAGERS

_PLUG_INS = "jupyter_hpcenv.environment_managers"
_PLAIN = CreateRequest(name="").manager


def beside(held: Sequence[Policy], file: str = "", definitions: Sequence[str] = ()) -> list[Fault]:
    """Return how *held* would lock people out with the configuration as it is; if that can not be read, only that."""
    broken: list[BrokenConfiguration] = []
    read = Configuration(file, definitions, broken=broken)
    if broken:
        return [each for each in configured.files(read, broken) if each.severity == "broken"]
    site, _, _ = configured.values(read)
    return list(lockouts(site, held))


def lockouts(site: Site, held: Sequence[Policy]) -> Iterator[Fault]:
    """Yield where *held*, all together, refuse everybody or whoever asks for nothing special."""
    unknown = list(_unknown_locations(site, held))
    yield from unknown
    managers = dict.fromkeys([_PLAIN, *MANAGERS, *(each.name for each in entry_points(group=_PLUG_INS))])
    allowed = [name for name in managers if not _refusal(held, Asked(manager=name))]
    if not allowed:
        yield _nothing(held, "managers", f"No environment manager that is there may be used: {', '.join(managers)}.")
        return
    if _PLAIN not in allowed:
        yield Fault(
            code="policy_forbids_default",
            message=f"The policy forbids {_PLAIN}, the manager that is taken where none is named.",
            breaks="“jupyter hpcenv create NAME” is refused for everybody who does not say --manager.",
            advice=f"Tell people to say “--manager {allowed[0]}”, or allow {_PLAIN} too.",
            severity="risk",
            path=_path(held, "managers"),
        )
    if not unknown:
        yield from _locations(site, held, allowed)
    if _PLAIN in allowed:
        yield from _pythons(site, held)


def _unknown_locations(site: Site, held: Sequence[Policy]) -> Iterator[Fault]:
    for each in held:
        named = [("locations", name) for names in (each.enforced.locations or {}).values() for name in names]
        named += [("default", each.default.location)] if each.default.location else []
        for rule, name in dict.fromkeys(named):
            if name not in site.locations:
                meant = difflib.get_close_matches(name, list(site.locations), 1, 0.6)
                yield Fault(
                    code="policy_location_unknown",
                    message=f"The policy names the location {name} ({rule}), and there is no such location.",
                    breaks="Nothing can be made there, so whoever has no other place is locked out.",
                    advice=f"Did you mean {meant[0]}?" if meant else f"There are: {', '.join(site.locations)}.",
                    path=each.path,
                )


def _locations(site: Site, held: Sequence[Policy], managers: Sequence[str]) -> Iterator[Fault]:
    """Yield where none of the locations is left to a manager, or not the one that is taken where none is named."""
    usual = next((each.default.location for each in held if each.default.location), "")
    usual = usual or next((place.name for place in all_locations(site) if place.default), "")
    for manager in managers:
        left = [name for name in site.locations if not _refusal(held, Asked(manager=manager, location=name))]
        if not left:
            yield _nothing(held, "locations", f"No location is left for environments of {manager}.")
        elif manager == _PLAIN and usual and usual not in left:
            yield Fault(
                code="policy_forbids_default",
                message=f"The policy forbids the location {usual}, which is taken where none is named.",
                breaks="“jupyter hpcenv create NAME” is refused for everybody who does not say --location.",
                advice=f"Let c.Site.default_location be {left[0]}, or allow {usual} too.",
                severity="risk",
                path=_path(held, "locations"),
            )


def _pythons(site: Site, held: Sequence[Policy]) -> Iterator[Fault]:
    found = find_pythons(site)
    asked = [Asked(manager=_PLAIN, python=each.version, python_path=each.path) for each in found]
    if found and all(_refusal(held, each) for each in asked):
        there = ", ".join(f"{each.path} ({each.version})" for each in found[:4])
        rule = "pythons" if any(each.enforced.pythons is not None for each in held) else "system_python"
        yield _nothing(held, rule, f"No Python that is here may be used: {there}.")


def _nothing(held: Sequence[Policy], rule: str, message: str) -> Fault:
    offer = " Or offer one that may be used, in c.Site.python_paths." if rule in ("pythons", "system_python") else ""
    return Fault(
        code="policy_locks_out",
        message=message,
        breaks="Everybody who asks for that is refused, unless a module brings another Python."
        if offer
        else "Everybody who asks for that is refused.",
        advice=f"Correct the rule “{rule}” of the policy.{offer}",
        path=_path(held, rule),
    )


def _refusal(held: Sequence[Policy], asked: Asked) -> str:
    return next(filter(None, (policy.refusal(each, asked) for each in held)), "")


def _path(held: Sequence[Policy], rule: str) -> str:
    return next((each.path for each in held if rule in policy.rules_of(each)), "")
