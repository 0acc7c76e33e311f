"""Bring back the packages that a virtual environment held before a change: what differs, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from ..errors import BuildFailed
from ..models import Changes, Earlier, Reporter
from . import changing, exact, installers
from .contract import Choice, Package

_NAMED = 5


class Way(NamedTuple):
    """How to get back, with canonical names."""

    install: dict[str, str]
    """What to install, by name."""
    again: list[str]
    """What has to go before that: an installer takes another package of the same version for the right one."""
    remove: list[str]
    """What was not there."""
    lost: list[str]
    """What can not be had again, a sentence each."""
    expected: dict[str, str]
    """Versions of all that is to be there afterwards, as far as that can be known."""

    @property
    def changes(self) -> Changes:
        """The same as a change tells it."""
        return Changes(install=list(self.install.values()), remove=[*self.again, *self.remove])


def there(packages: Iterable[Package]) -> dict[str, tuple[str, str]]:
    """Return version and source of packages, by canonical name."""
    return {str(canonicalize_name(each.name)): (each.version, each.source) for each in packages}


def way(earlier: Earlier, now: Mapping[str, tuple[str, str]], but: Iterable[str] = ()) -> Way:
    """Return how to get from the packages *now* to those that were there *earlier*, those named *but* left out."""
    others = set(but)
    then = {
        str(canonicalize_name(name)): (version, earlier.sources.get(name, "index"))
        for name, version in earlier.versions.items()
        if name not in others
    }
    lines = {exact.name_of(line): line for line in earlier.contents.pip}
    found = Way({}, [], sorted(now.keys() - then.keys()), [], {name: version for name, (version, _) in then.items()})
    for name, (version, source) in sorted(then.items()):
        current = now.get(name)
        if current == (version, source):
            continue
        line = lines.get(name) or _local(name, version, source)
        if not line:
            found.lost.append(f"{name} {version} was from {source}, where it is not to be had again.")
            found.expected.pop(name)
            continue
        if line.startswith("-e ") or " @ file:" in line:
            found.expected.pop(name)  # the project may have gone on
        found.install[name] = line
        if current is not None and current[0] == version:
            found.again.append(name)
    return found


def _local(name: str, version: str, source: str) -> str:
    """Return the requirement for what no list for others can name; empty where it is gone."""
    if source == "index":
        return f"{name}=={version}"
    kind, _, url = source.rpartition(" ")
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.scheme != "file" or not path.exists():
        return ""
    return f"-e {path}" if kind == "editable" else f"{name} @ {url}"


def plan(found: Way, now: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Return what following *found* would change, in the shape that all plans have."""
    before = {name: version for name, (version, _) in now.items()}
    after = {name: version for name, version in before.items() if name not in found.remove}
    after |= {name: found.expected.get(name, before.get(name, "as it is now")) for name in found.install}
    again = [f"{name} {before[name]} is installed again, from where it was." for name in found.again]
    return {**changing.compared(before, after), "notes": [*again, *found.lost]}


def follow(
    found: Way,
    choice: Choice,
    prefix: Path,
    env: Mapping[str, str],
    folder: Path,
    report: Reporter,
    providers: Mapping[str, str] | None = None,
) -> None:
    """Carry it out with the installer; what the packages need is among them, so nothing else is looked for."""
    for sentence in found.lost:
        report.line("warning", sentence)
    if gone := [*found.again, *found.remove]:
        changing.uninstall(Changes(remove=gone), choice, prefix, env, folder, report)
    if found.install:
        path = installers.write_requirements(folder, list(found.install.values()), kernel=False)
        installers.install(choice, path, prefix, env, report, providers, ["--no-deps"])


def check(found: Way, now: Sequence[Package]) -> None:
    """Raise `BuildFailed` where the packages are not those that were there."""
    seen = {name: version for name, (version, _) in there(now).items()}
    wrong = [
        f"{name} is {seen.get(name) or 'missing'} and was {version or 'not there'}"
        for name, version in {**found.expected, **dict.fromkeys(found.remove, "")}.items()
        if seen.get(name, "") != version
    ]
    if wrong:
        raise BuildFailed(
            f"What was there before did not come back: {', '.join(wrong[:_NAMED])}.",
            hints=["The log says what the installer did.", "Ask for the versions that you want with “install”."],
        )
