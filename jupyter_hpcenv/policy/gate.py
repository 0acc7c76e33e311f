"""The one gate: what somebody asks for, held against the site's policy, whatever door it came through.

Admission asks before anything is claimed, and the worker again before anything is built: a rule may have come since.
"""

from __future__ import annotations

import fnmatch
import re
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..errors import Forbidden
from ..models import BY_PIP, Contents, CreateRequest
from .reading import Enforced, Policy, policies

#: Where interpreters of the operating system lie.
_SYSTEM = ("/usr/bin/", "/bin/", "/usr/libexec/")
_VCS = re.compile(r"(git|hg|svn|bzr)\+")


class Asked(msgspec.Struct, kw_only=True):
    """What a request comes down to, once it is read; travels in the ticket."""

    manager: str
    location: str = ""
    installer: str = ""
    python: str = ""
    """Its version; may be empty for conda, where the solver decides."""
    python_path: str = ""
    lines: list[str] = []
    """Canonical requirements of Python packages."""
    names: list[str] = []
    """Canonical names of all packages that are asked for, of any language."""
    addresses: dict[str, str] = {}
    """Packages of a lockfile that are taken from an address of their own: by name, where from."""
    locked: list[str] = []
    """Canonical names of those that come with a digest."""
    modules: list[str] = []
    more: bool = False
    """Whether this would be one environment more."""
    sharing: bool = False
    told: dict[str, Any] = {}
    """The request as the site's hook sees it."""


def flat(asked: Asked, lines: Sequence[str], contents: Contents | None = None, *, specs: bool = False) -> Asked:
    """Return *asked* with what canonical *lines* and a file ask for; with *specs* the lines are conda's."""
    contents = contents or Contents(kind="")
    of_pip = [line.removeprefix(BY_PIP) for line in lines if not specs or line.startswith(BY_PIP)]
    of_conda = [line for line in lines if specs and not line.startswith(BY_PIP)]
    of_conda += [*contents.specs, *contents.asked]
    asked.lines = [*of_pip, *contents.pip]
    asked.names = [canonicalize_name(_requirement(line).name) for line in asked.lines if not line.startswith("-e ")]
    for spec in of_conda:
        rest = spec.rpartition("::")[2]
        asked.names.append(canonicalize_name(re.split(r"[\s=<>!~\[]", rest.strip(), maxsplit=1)[0]))
    for package in contents.locked:
        asked.names.append(canonicalize_name(package.name))
        if package.url:
            asked.addresses[package.name] = package.url
        asked.locked += [canonicalize_name(package.name)] if package.hashes else []
    asked.names += [canonicalize_name(each.url.rpartition("/")[2].rsplit("-", 2)[0]) for each in contents.pinned]
    return asked


def enter(asked: Asked, count: Callable[[], int] | None = None, used: Callable[[], int] | None = None) -> None:
    """Raise `Forbidden` for the first rule of a policy that *asked* breaks, `BrokenPolicy` if one can not be read.

    *count* tells how many environments the user has, *used* how many bytes they take; None where that was looked at
    before, or nothing is added.
    """
    for policy in policies():
        for look in _LOOKS:
            for broken in look(policy.enforced, asked):
                raise _forbidden(policy, broken)
    check_amounts(count if asked.more else None, used)


def check_amounts(count: Callable[[], int] | None = None, used: Callable[[], int] | None = None) -> None:
    """Raise `Forbidden` where one more environment, or more in one, is more than a policy lets a user have."""
    for policy in policies():
        most = policy.enforced.environments
        if most is not None and count is not None and (own := count()) >= most:
            few = f"more than {most} environment{'s' * (most != 1)} for one user, and you have {own}."
            raise _forbidden(policy, Rule("environments", few, "Delete one that you no longer need."))
        largest = policy.enforced.gigabytes
        if largest is not None and used is not None and (taken := used() / 1e9) >= largest:
            much = f"more than {largest:g} GB for the environments of one user, and yours take {taken:.2f} GB."
            raise _forbidden(policy, Rule("gigabytes", much, "“jupyter hpcenv sizes” shows the largest first."))


def preferences(asked: Asked) -> list[str]:
    """Return a sentence for each package that is asked for although the site has something better."""
    found = []
    for policy in policies():
        preferred = {str(canonicalize_name(name)): instead for name, instead in policy.preferred.items()}
        found += [f"{name}: the site prefers this: {preferred[name]}" for name in asked.names if name in preferred]
    return list(dict.fromkeys(found))


def forbids_python(path: str, version: str) -> str:
    """Return in a sentence why no environment may stand on a Python, empty where it may; raises `BrokenPolicy`."""
    asked = Asked(manager="", python=version, python_path=path)
    for policy in policies():
        for broken in _python(policy.enforced, asked):
            return _forbidden(policy, broken).message
    return ""


def refusal(policy: Policy, asked: Asked) -> str:
    """Return in a sentence the first rule that *asked* breaks in one *policy*, be it in place or not; else nothing."""
    for look in _LOOKS:
        for broken in look(policy.enforced, asked):
            return _forbidden(policy, broken).message
    return ""


def link_scripts() -> bool:
    """Tell whether the policies let conda packages run their scripts; raises `BrokenPolicy`."""
    return all(policy.enforced.link_scripts for policy in policies())


def with_defaults(request: CreateRequest) -> CreateRequest:
    """Return *request* with what the site takes where it says nothing; raises `BrokenPolicy`."""
    told: dict[str, str] = {}
    for policy in policies():
        for field in policy.default.__struct_fields__:
            value = getattr(policy.default, field)
            if value and not getattr(request, field):
                told.setdefault(field, value)
    if request.prefix:
        told.pop("location", None)
    if request.manager != "venv":
        told.pop("installer", None)  # others have none to choose
    if request.manager == "modules" or any((request.clone_of, request.file, request.modules, request.collection)):
        told.pop("python", None)  # that is said by what it is made from, or by its modules
    return msgspec.structs.replace(request, **told) if told else request


class Rule(NamedTuple):
    """A rule that is broken."""

    name: str
    message: str
    instead: str = ""


def check_channels(urls: Sequence[str], resolved: Callable[[Sequence[str]], set[str]]) -> None:
    """Raise `Forbidden` for the first of conda's channels that the rule about them leaves out.

    What a channel's name stands for is for conda's configuration to say, which may be the user's; so URLs are compared,
    and *resolved* tells those of the rule without any configuration.
    """
    for policy in policies():
        allowed = policy.enforced.channels
        for url in urls if allowed is not None else []:
            if allowed is not None and url not in resolved(allowed):
                raise _forbidden(policy, Rule("channels", f"the channel {url}.", _instead(allowed)))


def _forbidden(policy: Policy, broken: Rule) -> Forbidden:
    reason = policy.reasons.get(broken.name, "").strip()
    return Forbidden(
        f"The site does not allow this: {broken.message}" + (f" {reason}" if reason else ""),
        hints=[
            *([broken.instead] if broken.instead else []),
            f"Ask {policy.contact} if you need it otherwise." if policy.contact else "Ask the site's staff about it.",
        ],
        reason=f"rule “{broken.name}” of {policy.path}",
    )


def _manager(rules: Enforced, asked: Asked) -> Iterator[Rule]:
    if rules.managers is not None and asked.manager not in rules.managers:
        yield Rule("managers", f"the manager {asked.manager}.", _instead(rules.managers))


def _installer(rules: Enforced, asked: Asked) -> Iterator[Rule]:
    if rules.installers is not None and asked.installer and asked.installer not in rules.installers:
        yield Rule("installers", f"the installer {asked.installer}.", _instead(rules.installers))


def _location(rules: Enforced, asked: Asked) -> Iterator[Rule]:
    if rules.locations is None or not asked.location:
        return
    allowed = rules.locations.get(asked.manager, rules.locations.get("*"))
    if allowed is not None and asked.location not in allowed:
        yield Rule("locations", f"{asked.manager} environments in the location {asked.location}.", _instead(allowed))


def _python(rules: Enforced, asked: Asked) -> Iterator[Rule]:
    if not rules.system_python and asked.python_path.startswith(_SYSTEM):
        yield Rule("system_python", f"the operating system's own Python, {asked.python_path}.")
    if rules.pythons is None or not (asked.python or asked.python_path):
        return
    for allowed in rules.pythons:
        if allowed == asked.python_path or asked.python == allowed or asked.python.startswith(f"{allowed}."):
            return
    yield Rule("pythons", f"Python {asked.python or asked.python_path}.", _instead(rules.pythons))


def _modules(rules: Enforced, asked: Asked) -> Iterator[Rule]:
    if rules.modules is not None:
        for module in asked.modules:
            if not any(fnmatch.fnmatchcase(module, pattern) for pattern in rules.modules):
                yield Rule("modules", f"the module {module}.", _instead(rules.modules))


def _kinds(rules: Enforced, asked: Asked) -> Iterator[Rule]:
    for line in asked.lines:
        address = "" if line.startswith("-e ") else str(_requirement(line).url or "")
        if line.startswith("-e ") and not rules.editable:
            yield Rule("editable", f"editable projects ({line}).", "Build a wheel of it, and install that.")
        elif _VCS.match(address) and not rules.vcs:
            yield Rule("vcs", f"packages from version control ({line}).", "Take a release of it.")
        elif address and not _VCS.match(address) and not rules.urls:
            yield Rule("urls", f"archives by their address ({line}).", "Take it from the package index.")
    if asked.addresses and not rules.urls:
        first = next(iter(asked.addresses))
        yield Rule("urls", f"archives by their address ({first}).", "Take it from the package index.")


def _places(rules: Enforced, asked: Asked) -> Iterator[Rule]:
    """Hold what comes by its address, and so past every index, against where it lies and what would be built."""
    for name, address in _direct(asked):
        if rules.indexes is not None and not any(_lies_below(address, each) for each in rules.indexes):
            elsewhere = f"what comes from elsewhere than the site's indexes ({name})."
            yield Rule("indexes", elsewhere, _instead(rules.indexes))
        wheel = urllib.parse.urlsplit(address).path.endswith(".whl")
        built = {canonicalize_name(each) for each in rules.sources or []}
        if rules.sources is not None and not wheel and canonicalize_name(name) not in built:
            yield Rule("sources", f"to build {name} from source.", "Take a wheel of it.")


def _direct(asked: Asked) -> Iterator[tuple[str, str]]:
    """Return what comes by an address, and that; a project of one's own (``-e``) is no package from elsewhere."""
    for line in asked.lines:
        requirement = _requirement(line)
        if not line.startswith("-e ") and requirement.url:
            yield requirement.name, requirement.url
    yield from asked.addresses.items()


def _lies_below(address: str, place: str) -> bool:
    """Tell whether an address is one of *place*, an index or a folder; nothing is looked at, so links do not count."""
    path = urllib.parse.unquote(urllib.parse.urlsplit(address).path)
    if ".." in path.split("/"):
        return False
    if place.startswith("/"):
        return address.startswith("file:") and path.startswith(f"{place.rstrip('/')}/")
    return address.startswith(f"{place.rstrip('/')}/")


def _hashes(rules: Enforced, asked: Asked) -> Iterator[Rule]:
    for line in asked.lines if rules.hashes else []:
        if line.startswith("-e ") or canonicalize_name(_requirement(line).name) not in asked.locked:
            yield Rule(
                "hashes",
                f"packages without a digest ({line}).",
                "Give a lockfile: “jupyter hpcenv export NAME --format pylock.toml” writes one.",
            )


def _denied(rules: Enforced, asked: Asked) -> Iterator[Rule]:
    denied = {str(canonicalize_name(name)): instead for name, instead in rules.denied.items()}
    for name in asked.names:
        if name in denied:
            yield Rule("denied", f"the package {name}.", denied[name])


def _sharing(rules: Enforced, asked: Asked) -> Iterator[Rule]:
    if asked.sharing and not rules.sharing:
        yield Rule("sharing", "to share environments.")


def _instead(allowed: Sequence[str]) -> str:
    return f"Allowed: {', '.join(allowed)}." if allowed else ""


def _requirement(line: str) -> Requirement:
    try:
        return Requirement(line)
    except InvalidRequirement:  # of conda, or what a plug-in has of its own
        return Requirement("unknown")


_LOOKS: tuple[Callable[[Enforced, Asked], Iterator[Rule]], ...] = (
    _manager,
    _installer,
    _location,
    _python,
    _modules,
    _kinds,
    _places,
    _hashes,
    _denied,
    _sharing,
)
