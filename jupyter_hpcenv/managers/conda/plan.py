"""What the conda engine is given and what it would do, as plain structures; nothing here knows rattler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from .installed import Installed

#: What ssl_verify may say instead of a path.
VERIFY = ("true", "false", "truststore")


class Source(msgspec.Struct, kw_only=True):
    """All that the engine needs to know of channels, cache and policy."""

    channels: list[str]
    """URLs, best first, without credentials."""
    priority: str = "strict"
    """``strict``, ``flexible`` or ``disabled``. Flexible is tried strictly first, then without any order."""
    cache: str
    """Folder of the package cache; holds ``pkgs`` and ``repodata``."""
    offline: bool = False
    proxies: dict[str, str] = {}
    """By scheme, as condarc's ``proxy_servers`` has them."""
    ssl_verify: str = "true"
    """``true``, ``false``, ``truststore`` (the system's certificates), or the path of a file or folder with some."""
    constraints: list[str] = []
    """Match specs that hold for whatever gets installed; conda's ``pinned_packages``."""
    virtual_packages: dict[str, str] = {}
    """Versions by name without underscores; an empty one says that the computer has none."""
    link_scripts: bool = False
    """Whether packages may run their scripts when they are linked and unlinked."""
    copy: bool = False
    """Copy with fresh dates instead of hardlinks, where old files are purged."""
    set_aside: str = ""
    """Where files go that lie in a prefix, are of no package and are replaced by one; empty: they are not kept."""
    free_bytes: int | None = None
    """What is left where the environment lies, by disk and quota; null where that is not known."""
    free_files: int | None = None
    verify: bool = True
    """Whether the bytes of cached packages are checked before they are linked."""
    retries: int = 3
    patience: int = 60
    """Seconds without a sign of life after which a channel has failed."""
    connecting: float = 9.15
    """Seconds for a connection to come about; rattler can not be told, programs are."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A package of a plan."""

    name: str
    version: str
    build: str
    channel: str
    url: str
    bytes: int = 0
    """Size of the archive; 0 where the channel does not say it."""
    cached: bool = False
    files: int | None = None
    """How many files it has; known of cached packages alone."""


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """A package that gets another version, build or channel."""

    name: str
    old: Planned
    new: Planned


class Plan(msgspec.Struct, kw_only=True):
    """What a transaction would do, or has done."""

    install: list[Planned] = []
    remove: list[Planned] = []
    change: list[Changed] = []
    download_bytes: int = 0
    files: int | None = None
    """How many files get linked; None where a package is not in the cache yet, for then nobody knows."""
    requested: list[str] = []
    """The match specs that hold from then on."""
    virtual: list[str] = []
    """The virtual packages that were solved for; empty where that is not known."""
    notes: list[str] = []
    """What is worth a sentence, such as why a package stays as it is."""

    @property
    def empty(self) -> bool:
        """Tell whether no package comes, goes or changes."""
        return not (self.install or self.remove or self.change)


def compare(before: Iterable[Installed], after: Mapping[str, Planned]) -> Plan:
    """Return what leads from the packages *before* to those *after*."""
    plan, now = Plan(), {each.name: each for each in before}
    for name, new in sorted(after.items()):
        old = now.get(name)
        if old is None:
            plan.install.append(new)
        elif (old.version, old.build, old.url) != (new.version, new.build, new.url):
            plan.change.append(Changed(name=name, old=planned(old), new=new))
    plan.remove = [planned(each) for name, each in sorted(now.items()) if name not in after]
    coming = [*plan.install, *(each.new for each in plan.change)]
    plan.download_bytes = sum(each.bytes for each in coming if not each.cached)
    counts = [each.files for each in coming]
    plan.files = None if None in counts else sum(count or 0 for count in counts)
    return plan


def planned(package: Installed) -> Planned:
    """Return an installed package as one of a plan."""
    return Planned(
        name=package.name,
        version=package.version,
        build=package.build,
        channel=package.channel,
        url=package.url,
        bytes=package.size,
        cached=True,
        files=package.files,
    )
