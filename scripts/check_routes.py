"""Check that every method of every handler is authenticated, authorized, and in the table of routes.

Jupyter Server lets a method without decorators answer everybody, so forgetting one is a hole: the lint step
runs this, and exits 1 with the names. It looks at the classes as they are when imported, not at their text.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_hpcenv import server
from jupyter_hpcenv.server.handlers.base import RESOURCE, VERBS, Handler, Unknown
from jupyter_hpcenv.server.routes import ROUTES, Route


def _method(self: Any) -> None: ...


# What a decorator leaves behind is a function whose code is the same for all that it decorated.
_AUTHENTICATED = web.authenticated(_method).__code__
_AUTHORIZED = authorized(_method).__code__


def handlers(package: ModuleType = server) -> set[type[web.RequestHandler]]:
    """Return every handler class that a module of *package* defines."""
    found = set()
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(value) and issubclass(value, web.RequestHandler) and value.__module__ == module.name:
                found.add(value)
    return found


def faults_of(classes: Iterable[type[web.RequestHandler]], table: Sequence[Route]) -> list[str]:
    """Return a line for each method that is open, or that the table and the classes disagree about."""
    faults = []
    listed = {(route.handler, route.method.lower()): route for route in table}
    for kind in sorted(classes, key=lambda kind: f"{kind.__module__}.{kind.__qualname__}"):
        if not issubclass(kind, Handler):
            faults.append(f"{_name(kind)}: is no Handler of ours, so its errors and bodies are not ours either")
        for verb in VERBS:
            method = getattr(kind, verb)
            if method is web.RequestHandler._unimplemented_method:
                continue
            name = f"{_name(kind)}.{verb}"
            if verb not in vars(kind):
                faults.append(f"{name}: is inherited; decorators belong on methods of leaf classes")
            route = listed.get((kind, verb))
            if route is None:
                faults.append(f"{name}: is not in the table of routes")
            faults += [f"{name}: {fault}" for fault in _rights(method, route)]
    for (kind, verb), route in listed.items():
        if getattr(kind, verb) is web.RequestHandler._unimplemented_method:
            faults.append(f"{_name(kind)}.{verb}: is in the table as {route.method} {route.path} but does not exist")
    return faults


def _rights(method: Callable[..., Any], route: Route | None) -> list[str]:
    if getattr(method, "__allow_unauthenticated", False):
        return ["lets everybody in"]
    if getattr(method, "__code__", None) is not _AUTHENTICATED:
        return ["its outermost decorator is not web.authenticated"]
    inner = inspect.unwrap(method, stop=lambda each: each is not method)
    if getattr(inner, "__code__", None) is not _AUTHORIZED:
        return ["is not authorized below web.authenticated"]
    words = inspect.getclosurevars(inner).nonlocals
    faults = []
    if words["resource"] != RESOURCE:
        faults.append(f"is authorized for the resource {words['resource']!r}, not {RESOURCE!r}")
    if route is not None and words["action"] != route.action:
        faults.append(f"is authorized to {words['action']!r}, but the table says {route.action!r}")
    return faults


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def main() -> int:
    """Print what is wrong; return the exit status."""
    classes = handlers()
    faults = faults_of(classes - {Handler, Unknown}, ROUTES)
    faults += [
        f"{_name(kind)}.{verb}: must not exist" for kind in (Handler, Unknown) for verb in VERBS if verb in vars(kind)
    ]
    for fault in faults:
        print(fault)
    if not faults:
        print(f"{len(ROUTES)} routes: all authenticated and authorized.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
