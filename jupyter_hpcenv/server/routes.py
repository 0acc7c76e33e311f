"""The table of routes: handlers, openapi.json, the documentation test and the check of rights are read from it.

Actions, as the server's authorizer is asked about them on the resource ``hpcenv``:

======== ==================================================================================
read     look at what is there; every GET
write    change, delete or restore what is there; starts no program of a package
execute  start what runs code of packages or modules, or works for long: creating, planning, loading modules
======== ==================================================================================
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ..models import (
    AdoptRequest,
    BatchFacts,
    BuildRequest,
    Cache,
    Changes,
    CleanCaches,
    CleanedCache,
    CreateRequest,
    Environment,
    EnvironmentDetail,
    EnvironmentPatch,
    Event,
    Kernel,
    KernelPatch,
    KernelProfile,
    LogPart,
    MoveRequest,
    Operation,
    PresetParameters,
    RebuildRequest,
    ShareRequest,
    Size,
    TrashItem,
    UndoRequest,
    UseRequest,
)
from .handlers import (
    caches,
    doctor,
    environments,
    kernels,
    modules,
    openapi,
    operations,
    rebuilding,
    searching,
    sharing,
    site,
    sizes,
    trash,
)
from .handlers.base import Action, Handler, Unknown


class Query(NamedTuple):
    """An argument after the question mark."""

    name: str
    meaning: str
    kind: type = str


class Route(NamedTuple):
    """One method of one address."""

    method: str
    path: str
    """Below ``{base_url}hpcenv/``."""
    action: Action
    handler: type[Handler]
    summary: str
    answer: Any = None
    """A type, the name of one in `shapes` or `managers.contract`, or None for no body."""
    status: int = 200
    body: type | None = None
    query: tuple[Query, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """What the request may carry besides, and what for."""


_FILTERS = (
    Query("location", "Only those in the location of this name."),
    Query("name", "Only those of exactly this name."),
    Query("query", "Only those in which each of these words occurs, somewhere in the row."),
)
_ENVIRONMENT = "environments/{environment}"
_OPERATION = "operations/{operation}"

ROUTES: tuple[Route, ...] = (
    Route("GET", "site", "read", site.Site, "Managers, Pythons, locations and rules", "SiteFacts"),
    Route(
        "POST",
        "presets/{preset}",
        "read",
        site.Preset,
        "Show the request, without a name, that a preset makes of parameters",
        CreateRequest,
        200,
        PresetParameters,
    ),
    Route(
        "GET", "environments", "read", environments.Environments, "List environments", list[Environment], query=_FILTERS
    ),
    Route(
        "POST",
        "environments",
        "execute",
        environments.Environments,
        "Create an environment, or clone one; the answer's Location is the operation to follow",
        Operation,
        202,
        CreateRequest,
        headers=(("Idempotency-Key", "The same key with the same request gets the same operation."),),
    ),
    Route("GET", _ENVIRONMENT, "read", environments.Environment, "Show an environment", EnvironmentDetail),
    Route(
        "PATCH",
        _ENVIRONMENT,
        "execute",
        environments.Environment,
        "Change display name, variables or modules (merge patch), after proving the kernel",
        EnvironmentDetail,
        body=EnvironmentPatch,
        headers=(("If-Match", "The ETag that it was read with: refused if it was changed since."),),
    ),
    Route(
        "DELETE",
        _ENVIRONMENT,
        "write",
        environments.Environment,
        "Move an environment to the trash",
        TrashItem,
        query=(
            Query("force", "1: also while its kernels run; those of this server are shut down first.", bool),
            Query("now", "1: it can not be restored afterwards.", bool),
        ),
    ),
    Route(
        "GET",
        f"{_ENVIRONMENT}/activation",
        "read",
        environments.Activation,
        "How a shell, a module system or a batch job uses an environment",
        "Activation",
        query=(
            Query("dialect", "sh, csh, fish, lmod, tcl, sbatch or pbs; left out: that of the user's login shell."),
            Query("several", "1: to be used together with other environments.", bool),
        ),
    ),
    Route(
        "POST",
        f"{_ENVIRONMENT}/activation",
        "write",
        environments.Activation,
        "Install the activation file of a dialect, and keep it in step from now on",
        "Activation",
        body=environments.ToInstall,
    ),
    Route(
        "GET",
        f"{_ENVIRONMENT}/size",
        "read",
        sizes.EnvironmentSize,
        "How large an environment is; what is not known is measured in the background, so ask again",
        Size,
    ),
    Route(
        "GET",
        f"{_ENVIRONMENT}/health",
        "read",
        sizes.Health,
        "Whether its files are as they were installed",
        "Health",
        query=(Query("hash", "1: compare each byte, which takes a while; else sizes.", bool),),
    ),
    Route(
        "GET",
        f"{_ENVIRONMENT}/findings",
        "read",
        doctor.Findings,
        "What is wrong with it, what that breaks, and what can be done",
        "list[Finding]",
    ),
    Route(
        "GET",
        "findings",
        "read",
        doctor.AccountFindings,
        "What is wrong with the user's account and own environments",
        "list[Finding]",
    ),
    Route(
        "GET",
        f"{_ENVIRONMENT}/history",
        "read",
        sizes.History,
        "What was done to it, by whom and when, the oldest first; of one in the trash, too",
        list[Event],
    ),
    Route(
        "GET",
        f"{_ENVIRONMENT}/packages",
        "read",
        environments.Packages,
        "List its packages, its own first, then what it inherits; read from files",
        "list[Package]",
    ),
    Route(
        "GET",
        f"{_ENVIRONMENT}/export",
        "read",
        environments.Export,
        "What it holds, as a file by which others make it again",
        "Exported",
        query=(
            Query(
                "format",
                "environment.yml, environment-full.yml, explicit.txt, pixi.lock, requirements.txt, "
                "requirements-full.txt, requirements-hashed.txt, pylock.toml, modules.txt or capsule.json; left out: "
                "what was asked for.",
            ),
        ),
    ),
    Route(
        "POST",
        f"{_ENVIRONMENT}/changes",
        "execute",
        environments.PackageChanges,
        "Install, update and remove packages, or plan that; the answer's Location is the operation to follow",
        Operation,
        202,
        Changes,
        headers=(("Idempotency-Key", "The same key with the same request gets the same operation."),),
    ),
    Route(
        "POST",
        f"{_ENVIRONMENT}/repair",
        "execute",
        environments.Repair,
        "Put right what a change of packages left that was killed",
        Operation,
        202,
    ),
    Route(
        "POST",
        f"{_ENVIRONMENT}/rebuild",
        "execute",
        rebuilding.Rebuild,
        "Build an environment again whose prefix or Python is gone; the answer's Location is the operation to follow",
        Operation,
        202,
        RebuildRequest,
        headers=(("Idempotency-Key", "The same key with the same request gets the same operation."),),
    ),
    Route(
        "POST",
        f"{_ENVIRONMENT}/move",
        "execute",
        rebuilding.Move,
        "Build it at another location, then trash it where it was; the answer's Location is the operation to follow",
        Operation,
        202,
        MoveRequest,
        headers=(("Idempotency-Key", "The same key with the same request gets the same operation."),),
    ),
    Route(
        "POST",
        f"{_ENVIRONMENT}/builds",
        "execute",
        rebuilding.Builds,
        "Build it for one more kind of computer, or anew there; the answer's Location is the operation to follow",
        Operation,
        202,
        BuildRequest,
        headers=(("Idempotency-Key", "The same key with the same request gets the same operation."),),
    ),
    Route(
        "DELETE",
        f"{_ENVIRONMENT}/builds/{{target}}",
        "write",
        rebuilding.Build,
        "Remove the build for a kind of computer",
        None,
        204,
    ),
    Route(
        "GET",
        f"{_ENVIRONMENT}/undo",
        "read",
        rebuilding.Undo,
        "What was done last that can be undone, until when, and what that would change; of one in the trash, too",
        "Undo",
    ),
    Route(
        "POST",
        f"{_ENVIRONMENT}/undo",
        "execute",
        rebuilding.Undo,
        "Undo it; the answer's Location is the operation to follow. For a deletion it is finished and kept nowhere",
        Operation,
        202,
        UndoRequest,
        headers=(("Idempotency-Key", "The same key with the same request gets the same operation."),),
    ),
    Route(
        "POST",
        f"{_ENVIRONMENT}/share",
        "execute",
        sharing.Share,
        "Let a group or everybody use it; the answer's Location is the operation to follow",
        Operation,
        202,
        ShareRequest,
        headers=(("Idempotency-Key", "The same key with the same request gets the same operation."),),
    ),
    Route(
        "POST",
        f"{_ENVIRONMENT}/unshare",
        "execute",
        sharing.Unshare,
        "Close it to all but its owner; the answer's Location is the operation to follow",
        Operation,
        202,
        headers=(("Idempotency-Key", "The same key with the same request gets the same operation."),),
    ),
    Route(
        "POST",
        f"{_ENVIRONMENT}/use",
        "execute",
        sharing.Use,
        "Trust what a colleague shares, and publish a kernel of one's own for it",
        EnvironmentDetail,
        body=UseRequest,
    ),
    Route(
        "POST",
        f"{_ENVIRONMENT}/unuse",
        "write",
        sharing.Unuse,
        "Take that kernel away; the environment is not touched",
        None,
        204,
    ),
    Route(
        "POST",
        "adopted",
        "execute",
        sharing.Adopted,
        "Give an environment of another tool a kernel, without writing into it",
        EnvironmentDetail,
        body=AdoptRequest,
    ),
    Route(
        "PUT",
        f"{_ENVIRONMENT}/kernels/{{kernel}}",
        "write",
        kernels.Kernel,
        "Publish the kernel of an environment",
        Kernel,
        body=KernelPatch,
    ),
    Route("DELETE", f"{_ENVIRONMENT}/kernels/{{kernel}}", "write", kernels.Kernel, "Unpublish a kernel", None, 204),
    Route(
        "POST",
        f"{_ENVIRONMENT}/refresh",
        "execute",
        environments.Refresh,
        "Capture its modules and write its files anew, after proving the kernel",
        EnvironmentDetail,
    ),
    Route(
        "GET",
        "targets",
        "read",
        site.Targets,
        "What the batch system offers builds and kernels: its partitions",
        BatchFacts,
    ),
    Route(
        "GET",
        "profiles",
        "read",
        site.Profiles,
        "What kernels may run in besides the server's own computer: jobs, with the site's resources",
        list[KernelProfile],
    ),
    Route(
        "GET",
        "modules",
        "read",
        modules.Modules,
        "List the site's modules",
        "ModuleListing",
        query=(
            Query("query", "Only those whose name or description has this."),
            Query("provides", "Only those that have this Python package."),
            Query("limit", "How many at most; 200 if left out.", int),
        ),
    ),
    Route(
        "GET",
        "modules/loaded",
        "read",
        modules.Loaded,
        "The modules that the server itself has loaded, and the user's collections",
        "ModulesAtHand",
    ),
    Route(
        "POST",
        "modules/check",
        "execute",
        modules.Check,
        "Load modules in a shell of their own and tell what that gives",
        "ModuleCheck",
        body=modules.ModulesToCheck,
    ),
    Route(
        "GET",
        "sizes",
        "read",
        sizes.Sizes,
        "How large the user's environments are; what is not known is measured in the background, so ask again",
        list[Size],
    ),
    Route(
        "GET",
        "caches",
        "read",
        caches.Caches,
        "Where installers keep packages; what is not known is measured in the background, so ask again",
        list[Cache],
    ),
    Route(
        "POST",
        "caches/clean",
        "write",
        caches.Clean,
        "Clean caches, or say what would go; what is in use stays, and says why",
        list[CleanedCache],
        body=CleanCaches,
    ),
    Route(
        "GET",
        "search",
        "read",
        searching.Search,
        "Where a package can be had; who could not be asked is an entry without a version, whose note says why",
        "list[Hit]",
        query=(
            Query("query", "A name or, for channels and folders, a part of one."),
            Query("environment", "Id of the environment that it is for; left out: for new ones."),
            Query("manager", "Only what venv, or conda, would find."),
            Query("limit", "How many names at most of each place; 20 if left out.", int),
        ),
    ),
    Route("GET", "kernels", "read", kernels.Kernels, "List published kernels", "list[PublishedKernel]"),
    Route("GET", "trash", "read", trash.Trash, "List what can be restored", list[TrashItem]),
    Route(
        "POST",
        "trash/{environment}/restore",
        "write",
        trash.Restore,
        "Bring an environment back",
        EnvironmentDetail,
    ),
    Route("DELETE", "trash/{environment}", "write", trash.TrashItem, "Make an item unrestorable", None, 204),
    Route(
        "POST",
        "plans",
        "execute",
        operations.Plans,
        "Work out what a create would install; the answer's Location is the operation, whose result is the plan",
        Operation,
        202,
        CreateRequest,
    ),
    Route("GET", "operations", "read", operations.Operations, "List operations, newest first", list[Operation]),
    Route("GET", _OPERATION, "read", operations.Operation, "Show how an operation stands", Operation),
    Route("DELETE", _OPERATION, "write", operations.Operation, "Forget a finished operation", None, 204),
    Route(
        "GET",
        f"{_OPERATION}/log",
        "read",
        operations.Log,
        "Read an operation's log",
        LogPart,
        query=(Query("offset", "Byte to read from: the “offset” of the answer before.", int),),
    ),
    Route("POST", f"{_OPERATION}/cancel", "write", operations.Cancel, "Ask an operation to stop", Operation, 202),
    Route("GET", "openapi.json", "read", openapi.OpenApi, "This description", dict[str, Any]),
)


def patterns() -> list[tuple[str, type[Handler]]]:
    """Return (pattern, handler) of every address for the web application, the one that takes the rest last."""
    found = {route.path: route.handler for route in ROUTES}
    known: list[tuple[str, type[Handler]]] = [(f"hpcenv/{_pattern(path)}", handler) for path, handler in found.items()]
    return [*known, (r"hpcenv(?:/.*)?", Unknown)]


def _pattern(path: str) -> str:
    """Return the regular expression of a path whose words in braces are single components."""
    parts = re.split(r"\{(\w+)\}", path)
    return "".join(rf"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
