"""Note what is done at once in the site's audit log; what becomes an operation its worker notes."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..errors import HpcenvError
from ..models import Target
from ..site import Site, audit
from .holding import Holding

P = ParamSpec("P")
T = TypeVar("T")
Desk = TypeVar("Desk", bound=Holding)

_log = logging.getLogger(__name__)

#: The verbs that change something and are done at once.
AT_ONCE: set[str] = set()


def act(verb: str) -> Callable[[Callable[Concatenate[Desk, P], T]], Callable[Concatenate[Desk, P], T]]:
    """Make a method of the desk one whose outcome, good or bad, the audit log tells as *verb*.

    The first argument says what it is about: a reference, or a request; what is answered says it better.
    """
    AT_ONCE.add(verb)

    def wrap(method: Callable[Concatenate[Desk, P], T]) -> Callable[Concatenate[Desk, P], T]:
        @functools.wraps(method)
        def acting(self: Desk, /, *args: P.args, **options: P.kwargs) -> T:
            if not self.site.audit_log or options.get("dry_run") or getattr((*args, None)[0], "dry_run", False):
                return method(self, *args, **options)
            before = _sought(self, args)
            try:
                answer = method(self, *args, **options)
            except BaseException as error:
                code = error.code if isinstance(error, HpcenvError) else type(error).__name__
                _note(self.site, verb, before, "failed", code)
                raise
            for target in _told(answer, before):
                _note(self.site, verb, target, "succeeded")
            return answer

        return acting

    return wrap


def _note(site: Site, verb: str, target: Target, result: str, error: str = "") -> None:
    if problem := audit.note(site, verb, target, result, error=error):
        _log.warning("hpcenv: %s", problem)


def _sought(desk: Holding, args: tuple[Any, ...]) -> Target:
    """Return what is to be changed as far as it is there: what is gone afterwards is found only before."""
    asked = args[0] if args else ""
    if not isinstance(asked, str):
        return _target(asked)
    with contextlib.suppress(HpcenvError, OSError):
        return _target(desk.catalog.find(asked))
    for item in _quietly_trash(desk):
        if asked in (item.id, item.name, f"{item.location}/{item.name}"):
            return _target(item)
    return Target(id="", name=asked, location="", prefix="")


def _quietly_trash(desk: Holding) -> list[Any]:
    with contextlib.suppress(HpcenvError, OSError):
        return list(desk.catalog.trash())
    return []


def _told(answer: object, before: Target) -> list[Target]:
    """Return what an act was about, by what it answered: one or, where all that there is was meant, many.

    What was left as it is counts for nothing, and what the doctor did by another verb for that one.
    """
    if isinstance(answer, list):
        return [_target(each) for each in answer if getattr(each, "done", True) and getattr(each, "undo", True)]
    return [_target(answer) if hasattr(answer, "location") and hasattr(answer, "prefix") else before]


def _target(what: Any) -> Target:
    """Return what an environment, a trash item, a cache or a request is about."""
    return Target(
        id=getattr(what, "id", "") or getattr(what, "environment", ""),
        name=getattr(what, "name", ""),
        location=getattr(what, "location", ""),
        prefix=getattr(what, "prefix", "") or getattr(what, "path", ""),
    )
