"""Read and write capsules: one JSON that can build an environment again on another computer.

It holds no variables, no paths, and no address with a secret in it. It proposes; whoever reads it decides. The
packages are exact; those of conda that are from nobody else's channel are named by version and build.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ..errors import HpcenvError, InvalidRequest
from ..models import BY_PIP, Contents, LockedPackage, PinnedPackage
from ..names import check_display_name, check_name
from . import hashes
from .addresses import check_channel, check_url, this_platform
from .archives import archive, fitting, pinned
from .keyed import Value, load_json
from .matchspecs import parse
from .plain_text import shown
from .requirements import Rules, parse_requirement

KIND, MARK = "capsule", "hpcenv_capsule"
VERSION = 1
MANAGERS = ("venv", "conda", "modules")
_FIELDS = frozenset(
    {MARK, "name", "manager", "python", "platform", "system_site_packages", "requests", "channels", "modules", "kernel"}
    | {"packages", "conda"}
)
_MODULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*(?:/[A-Za-z0-9._+-]+)*")


class Capsule(msgspec.Struct, kw_only=True):
    """What a capsule says besides the packages, which are its `Contents`."""

    name: str = ""
    manager: str
    python: str = ""
    """Version; empty where there is no Python in it."""
    os: str = ""
    arch: str = ""
    system_site_packages: bool = False
    modules: list[str] = []
    kernel: bool = True
    display_name: str = ""
    contents: Contents


def read(text: str, rules: Rules) -> Capsule:
    """Return what a capsule says; raise `InvalidRequest`, naming the key, for what is wrong with it."""
    return understand(load_json(text), rules)


def understand(root: Value, rules: Rules) -> Capsule:
    """Return what a loaded capsule says."""
    version = root.get(MARK).value
    if version is None or isinstance(version, bool) or not isinstance(version, int):
        raise InvalidRequest(f"The file has no “{MARK}”, so it is no capsule.", hints=["Give the right file."])
    if version != VERSION:
        raise InvalidRequest(
            f"The capsule has version {version}; version {VERSION} is known here.",
            hints=["Ask for a newer jupyter_hpcenv, or export it again."],
        )
    if unknown := sorted(set(root.entries()) - _FIELDS):
        raise InvalidRequest(
            f"A capsule has no “{shown(unknown[0])}”.",
            hints=["Leave it out: capsules have no variables, no paths."],
        )
    manager = root.field("manager")
    if manager not in MANAGERS:
        root.get("manager").refuse(f"is {shown(manager)}, which is not known", f"It is one of {', '.join(MANAGERS)}.")
    platform, kernel = root.get("platform"), root.get("kernel")
    found = Capsule(
        manager=manager,
        python=_python(root),
        os=platform.optional("os") if platform.value is not None else "",
        arch=platform.optional("arch") if platform.value is not None else "",
        system_site_packages=root.get("system_site_packages").value is True,
        modules=[_module(each) for each in _list(root, "modules")],
        kernel=kernel.value is not None,
        contents=Contents(kind=KIND),
    )
    if root.optional("name"):
        with root.get("name").named():
            found.name = check_name(root.field("name"))
    if kernel.value is not None and kernel.optional("display_name"):
        with kernel.get("display_name").named():
            found.display_name = check_display_name(kernel.field("display_name"))
    _packages(root, manager, rules, found.contents)
    return found


def _list(value: Value, key: str) -> list[Value]:
    given = value.get(key)
    return [] if given.value is None else given.items()


def _python(root: Value) -> str:
    wanted = root.optional("python")
    if wanted and not re.fullmatch(r"\d+\.\d+(\.\d+)?([a-z]+\d+)?", wanted):
        root.get("python").refuse(f"is no version: “{shown(wanted)}”", "Write it like 3.12.4.")
    return wanted


def _module(value: Value) -> str:
    if not _MODULE.fullmatch(value.text()) or len(value.text()) > 200:
        value.refuse(f"is no name of a module: “{shown(value.text())}”", "Write it like gcc/12.3.")
    return value.text()


def _packages(root: Value, manager: str, rules: Rules, contents: Contents) -> None:
    """Read requests and exact packages into *contents*."""
    for each in _list(root, "channels"):
        with each.named():
            contents.channels.append(check_channel(each.text()))
    for each in _list(root, "requests"):
        with each.named():
            text = each.text()
            if manager != "conda":
                contents.pip.append(parse_requirement(text, rules))
            elif not text.startswith(BY_PIP):
                contents.asked.append(parse(text, urls=rules.allow_urls))
    exact: list[str] = []
    for each in _list(root, "conda"):
        with each.named():
            _conda(each, exact, contents)
    if len(exact) != len(contents.pinned):  # not each is in a channel that everybody reaches
        contents.pinned, contents.specs = [], exact
        contents.warnings.append("The capsule does not say where all packages of conda are from; they are looked for.")
    seen: set[str] = set()
    for each in _list(root, "packages"):
        with each.named():
            one = hashes.package(
                each.field("name"),
                each.optional("version"),
                [digest.text() for digest in _list(each, "hashes")],
                url=each.optional("url"),
                rules=rules,
            )
            if one.name in seen:
                raise InvalidRequest(f"{one.name} is listed twice.", hints=["Keep one of them."])
            seen.add(one.name)
            contents.locked.append(one)
    if bare := [each.name for each in contents.locked if not each.hashes]:
        contents.warnings.append(f"{len(bare)} packages have no digest: what the index sends is taken as it is.")
    if manager == "conda":
        contents.pip = hashes.pins(contents.locked)


def _conda(value: Value, exact: list[str], contents: Contents) -> None:
    name, version, build = value.field("name"), value.field("version"), value.field("build")
    exact.append(parse(f"{name}=={version}={build}", urls=False))
    if url := value.optional("url"):
        one = fitting(url, this_platform(), name, version)
        contents.pinned.append(pinned(one, value.optional("sha256"), value.optional("md5")))


def write(found: Capsule) -> tuple[str, list[str]]:
    """Return the text of a capsule, and what was left out of it, a sentence each."""
    contents, notes = found.contents, list[str]()
    channels = [each for each in contents.channels if _everybodys(each)]
    if len(channels) < len(contents.channels):
        notes.append("Channels that are folders of this computer, or have a secret in their address, are not in it.")
    requests = [each for each in (contents.asked or contents.pip) if not _own(each)]
    if len(requests) < len(contents.asked or contents.pip):
        notes.append("Requests for what lies in folders of this computer are not in it.")
    packages = [each for each in contents.locked if not _own(each.url)]
    if left := [each.name for each in contents.locked if _own(each.url)]:
        notes.append(f"What is from a folder, or from an address with a secret, is not in it: {', '.join(left)}.")
    if unknown := [each.name for each in packages if not each.hashes]:
        notes.append(f"No digest is known of {', '.join(unknown)}: their versions are in it, and are not checked.")
    body: dict[str, Any] = {
        MARK: VERSION,
        "name": found.name,
        "manager": found.manager,
        "python": found.python,
        "platform": {"os": found.os, "arch": found.arch},
        "system_site_packages": found.system_site_packages,
        "modules": [each for each in found.modules if _MODULE.fullmatch(each)],
        "kernel": {"display_name": found.display_name, "language": "python"} if found.kernel else None,
        "requests": requests,
        "channels": channels,
        "packages": [_written(each) for each in packages],
        "conda": [_written_conda(each) for each in contents.pinned],
    }
    if len(body["modules"]) < len(found.modules):
        notes.append("Modules that are named by a path are not in it.")
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n", notes


def _written(each: LockedPackage) -> dict[str, Any]:
    body: dict[str, Any] = {"name": each.name, "version": each.version, "url": each.url, "hashes": each.hashes}
    return {key: value for key, value in body.items() if value or key == "hashes"}


def _written_conda(package: PinnedPackage) -> dict[str, str]:
    one = archive(package.url)
    body = {"name": one.name, "version": one.version, "build": one.build, "url": package.url}
    if not _everybodys(package.url):
        del body["url"]
    return body | {key: value for key, value in (("sha256", package.sha256), ("md5", package.md5)) if value}


def _everybodys(address: str) -> bool:
    """Tell whether a channel or URL is no folder and has no secret in it."""
    if "://" not in address:
        return not address.startswith("/")
    try:
        return check_url(address).scheme in ("http", "https")
    except HpcenvError:
        return False


def _own(text: str) -> bool:
    """Tell whether a requirement or URL leads to a folder or file of this computer, or has what may be a secret."""
    address = text.partition(" @ ")[2] or text
    if text.startswith("-e ") or "file:" in address:
        return True
    if "://" not in address:
        return False
    try:
        parts = urlsplit(address.removeprefix("git+"))
    except ValueError:
        return True
    return bool(parts.query) or parts.password is not None
