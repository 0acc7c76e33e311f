"""Read and write pylock.toml (PEP 751): exact Python packages with the digests of their archives.

Only packages of an index, and archives by URL, are taken, each with a digest. Where the file says that an archive was
found does not count: the index that is configured has it too, or an archive of the same digest is nowhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from ..errors import InvalidRequest
from ..models import Contents, LockedPackage
from . import hashes
from .keyed import Value, load_toml
from .plain_text import shown
from .pyproject import requires_python
from .requirements import Rules

KIND = "pylock.toml"
VERSION = "1.0"

_ELSEWHERE = {
    "vcs": "comes from version control, which has no digest",
    "directory": "comes from a folder, and only the text of the file arrived",
}


def read(text: str, rules: Rules, extras: Sequence[str] = (), groups: Sequence[str] = ()) -> Contents:
    """Return what a pylock.toml says, with those *extras* and *groups*; raise `InvalidRequest`, naming the key."""
    return understand(load_toml(text), rules, extras, groups)


def understand(root: Value, rules: Rules, extras: Sequence[str] = (), groups: Sequence[str] = ()) -> Contents:
    """Return what the tables of a pylock.toml say; which markers hold is judged where the Python is known."""
    found = Contents(kind=KIND)
    version = root.field("lock-version")
    if not re.fullmatch(r"1\.\d{1,4}", version):
        root.get("lock-version").refuse(f"is {shown(version)}; version {VERSION} is known here", "Lock again.")
    if version != VERSION:
        found.warnings.append(f"The lockfile has version {version}; what is newer than {VERSION} is not read.")
    found.requires_python = requires_python(root.get("requires-python"))
    found.markers = [each.text() for each in _list(root, "environments")]
    found.extras = _known(root, "extras", extras)
    found.groups = _known(root, "dependency-groups", groups)
    if not groups:
        found.groups = [str(canonicalize_name(each.text())) for each in _list(root, "default-groups")]
    packages = _list(root, "packages")
    if not packages:
        raise InvalidRequest("The lockfile lists no packages.", hints=["Give the right file."])
    known: dict[str, str] = {}
    for each in packages:
        with each.named():
            one = _package(each, rules)
            if not one.marker and known.setdefault(one.name, one.version or one.url) != (one.version or one.url):
                each.refuse(f"is {shown(one.name)} again, in another version", "Lock again with one version.")
            found.locked.append(one)
    found.pip = hashes.pins(found.locked)
    return found


def _list(value: Value, key: str) -> list[Value]:
    given = value.get(key)
    return [] if given.value is None else given.items()


def _known(root: Value, key: str, wanted: Sequence[str]) -> list[str]:
    """Return what was chosen of the extras or groups that the file has, by canonical names; others are refused."""
    has = [str(canonicalize_name(each.text())) for each in _list(root, key)]
    chosen = [str(canonicalize_name(name)) for name in wanted]
    for name in chosen:
        if name not in has:
            root.get(key).refuse(f"has no “{shown(name)}”", f"It has {shown(', '.join(has)) or 'none'}.")
    return chosen


def _package(value: Value, rules: Rules) -> LockedPackage:
    name = value.field("name")
    for key, why in _ELSEWHERE.items():
        if value.get(key).value is not None:
            value.get(key).refuse(
                f"means that {shown(name)} {why}",
                "Lock without it, and install it afterwards by its requirement.",
            )
    archive = value.get("archive")
    url, files = "", _list(value, "wheels")
    if archive.value is not None:
        url, files = archive.optional("url"), [archive]
        if not url or urlsplit(url).scheme not in ("https", "http"):
            archive.refuse("is a file of another computer’s", "Lock against an index, or an archive by URL.")
        if archive.optional("subdirectory"):
            url += f"#subdirectory={archive.field('subdirectory')}"
    elif value.get("sdist").value is not None:
        files = [*files, value.get("sdist")]
    if not files:
        value.refuse("has neither wheels nor an sdist nor an archive", "Lock again.")
    found = hashes.package(
        name,
        value.optional("version"),
        [f"{kind}:{digest.text()}" for each in files for kind, digest in each.get("hashes").entries().items()],
        url=url,
        marker=value.optional("marker"),
        rules=rules,
    )
    return hashes.needed(found)


def write(packages: Iterable[LockedPackage], requires: str = "") -> str:
    """Return packages of which archives are known as a pylock.toml; each has a digest and the URLs of its archives."""
    lines = [f"lock-version = {_quoted(VERSION)}"]
    if requires:
        lines.append(f"requires-python = {_quoted(requires)}")
    lines.append('created-by = "jupyter_hpcenv"')
    for each in sorted(packages, key=lambda each: each.name):
        lines += ["", "[[packages]]", f"name = {_quoted(each.name)}"]
        if each.version:
            lines.append(f"version = {_quoted(each.version)}")
        wheels = [file for file in each.archives if file.name.endswith(".whl")]
        others = [file for file in each.archives if not file.name.endswith(".whl")]
        if each.url:
            sums = dict(text.split(":", 1) for text in each.hashes)
            lines.append(f"archive = {{ url = {_quoted(each.url)}, hashes = {_sums(sums)} }}")
        if others and not each.url:
            lines.append(f"sdist = {_file(others[0].name, others[0].url, others[0].hashes)}")
        if wheels and not each.url:
            lines += ["wheels = ["]
            lines += [f"    {_file(file.name, file.url, file.hashes)}," for file in wheels]
            lines += ["]"]
    return "\n".join(lines) + "\n"


def _file(name: str, url: str, sums: dict[str, str]) -> str:
    return f"{{ name = {_quoted(name)}, url = {_quoted(url)}, hashes = {_sums(sums)} }}"


def _sums(sums: dict[str, str]) -> str:
    return "{ " + ", ".join(f"{kind} = {_quoted(digest)}" for kind, digest in sorted(sums.items())) + " }"


def _quoted(text: str) -> str:
    """Return a text as a basic string of TOML, whose escapes JSON's are among."""
    return json.dumps(text, ensure_ascii=False)
