"""Make the URLs of channels out of their names, as conda does, and refuse those that nobody may use.

Conda's own rules come first (denylist and allowlist), the site's policy after that. Channels with credentials
are refused wherever they are written. Anaconda's channels come only from a configuration or a request.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ... import policy
from ...errors import BrokenConfiguration, HpcenvError, InvalidRequest, Refused
from .addresses import below, licensed, tidy, without_scheme
from .credentials import auth_hint, bare, holds_secret, shown
from .naming import Names
from .settings import NO_DEFAULTS, REQUEST, Settings

BUILT_IN = "conda-forge"

_NO_CHANNELS = frozenset({NO_DEFAULTS, "<unknown>", "None", "None:///<unknown>"})
_LOCAL = "local"


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel that may be used."""

    name: str
    """As it was written."""
    url: str
    where: str


class Channels(msgspec.Struct, kw_only=True):
    """The channels to use, best first, and what a person should know of them."""

    channels: list[Channel] = []
    warnings: list[str] = []

    @property
    def urls(self) -> list[str]:
        """The URLs alone, each once."""
        return [channel.url for channel in self.channels]

    @property
    def names(self) -> list[str]:
        """The names as they were written, each once; one of them may stand for several URLs."""
        return list(dict.fromkeys(channel.name for channel in self.channels))


def resolve(settings: Settings, *, allowed: Sequence[str] = (), default: Sequence[str] = ()) -> Channels:
    """Return the channels that *settings* come to.

    *default* are the site's for when nobody says anything (else conda-forge); *allowed* are those that the site
    lets in, names or URLs (none: all). Raises `Refused` for a channel that is not allowed or holds credentials,
    `InvalidRequest` or `BrokenConfiguration` for one that makes no sense; each names where it stands.
    """
    names = _names(settings)
    chosen = Channels()
    found: dict[str, Channel] = {}
    for name, where in _wanted(settings, default):
        if name == _LOCAL:
            chosen.warnings.append(
                f"The channel “local” in {where} is not used; name the folder that it stands for, as file:///…/conda-bld."
            )
            continue
        for url in _addresses(names, name, where):
            found.setdefault(url, Channel(name=shown(name), url=url, where=where))
    if not found:
        raise _senseless(_LOCAL, where, "it stands for folders of conda-build that are not known here")
    chosen.channels = list(found.values())
    _obey_conda(chosen.channels, settings, names)
    _obey_site(chosen.channels, allowed, names)
    obey_policy(chosen.urls)
    chosen.warnings += _advice(chosen.channels)
    return chosen


def _names(settings: Settings) -> Names:
    try:
        tidy(bare(settings.channel_alias))
    except ValueError as error:
        where = settings.origin("channel_alias")
        raise BrokenConfiguration(
            f"“channel_alias” in {where} can not be used: {error}.", hints=["Correct it there, or take it out."]
        ) from None
    return Names(settings)


def _wanted(settings: Settings, default: Sequence[str]) -> list[tuple[str, str]]:
    """Return the channels by name, and where each is written."""
    wanted = [(name, settings.origin("channels", number)) for number, name in enumerate(settings.channels)]
    wanted = [(name, where) for name, where in wanted if name not in _NO_CHANNELS]
    if wanted:
        return wanted
    if default:
        return [(name, "the site's default channels") for name in default]
    return [(BUILT_IN, "the built-in defaults")]


def _addresses(names: Names, name: str, where: str) -> list[str]:
    if holds_secret(name):
        raise _secret(name, where)
    try:
        located = names.locate(name)
    except ValueError as error:
        raise _senseless(name, where, str(error)) from None
    if not located:
        raise _senseless(name, where, "it is a collection without any channel")
    for address in located:
        if holds_secret(address.text):
            raise _secret(name, address.where or where, address.text)
    urls = []
    for address in located:
        try:
            urls.append(tidy(address.text))
        except ValueError as error:
            place = address.where if address.where != names.aliased else where
            raise _senseless(name, place or where, str(error)) from None
    return urls


def _listed(entries: Sequence[str], names: Names, what: str, where: str) -> set[str]:
    """Return the URLs of a list of rules; one that makes no sense is refused, because it is not known what it rules."""
    urls: set[str] = set()
    for entry in entries:
        try:
            urls |= {tidy(bare(address.text)) for address in names.locate(entry)}
        except ValueError as error:
            raise BrokenConfiguration(
                f"The channel “{shown(entry)}” in {what} ({where}) can not be used: {error}.",
                hints=["Correct it there. Nothing is done without it, because it is a rule."],
            ) from None
    return urls


def _obey_conda(channels: Sequence[Channel], settings: Settings, names: Names) -> None:
    denied_in = settings.origin("denylist_channels")
    denied = _listed(settings.denylist_channels, names, "denylist_channels", denied_in)
    allowed_in = settings.origin("allowlist_channels")
    allowed = _listed(settings.allowlist_channels, names, "allowlist_channels", allowed_in)
    for channel in channels:
        if any(below(channel.url, each) for each in denied):
            raise Refused(
                f"The channel “{channel.name}”, from {channel.where}, is denied by denylist_channels in {denied_in}.",
                hints=[_instead(channel)],
            )
        if settings.allowlist_channels and channel.url not in allowed:
            raise Refused(
                f"The channel “{channel.name}”, from {channel.where}, is not among allowlist_channels in {allowed_in}.",
                hints=[_instead(channel), _those(settings.allowlist_channels)],
            )


def _obey_site(channels: Sequence[Channel], allowed: Sequence[str], names: Names) -> None:
    if not allowed:
        return
    urls = _listed(allowed, names, "the site's list of allowed channels", "its configuration of jupyter_hpcenv")
    for channel in channels:
        if channel.url not in urls:
            raise Refused(
                f"This site does not allow the channel “{channel.name}”, which comes from {channel.where}.",
                hints=[_instead(channel), _those(allowed)],
            )


def obey_policy(urls: Sequence[str]) -> None:
    """Raise `Forbidden` for a channel that the site's policy leaves out; asked again before anything is fetched."""
    policy.check_channels(urls, lambda entries: _listed(entries, Names(Settings()), "channels", "the site's policy"))


def _instead(channel: Channel) -> str:
    if channel.where == REQUEST:
        return "Ask for another channel, or for none to use the configured ones."
    return f"Take it out of {channel.where}, or set others as channels in ~/.condarc."


def _those(allowed: Sequence[str]) -> str:
    words = [shown(each) for each in allowed[:10]]
    more = f" and {len(allowed) - 10} more" if len(allowed) > 10 else ""
    return f"Allowed are: {', '.join(words)}{more}."


def _secret(name: str, where: str, address: str = "") -> Refused:
    return Refused(
        f"The channel “{shown(name)}” in {where} holds credentials or a query, which would be kept in the records of "
        "each package that comes from it, where others can read them.",
        hints=["Take them out of the URL.", auth_hint(address or name)],
    )


def _senseless(name: str, where: str, why: str) -> HpcenvError:
    kind = InvalidRequest if where == REQUEST else BrokenConfiguration
    return kind(
        f"The channel “{shown(name)}” in {where} can not be used: {why}.",
        hints=["Give its name, such as conda-forge, its URL, or the absolute path of a folder."],
    )


def _advice(channels: Sequence[Channel]) -> list[str]:
    advice = []
    theirs = list(dict.fromkeys(f"“{channel.name}”" for channel in channels if licensed(channel.url)))
    if theirs:
        advice.append(
            f"{', '.join(theirs)}: these packages are Anaconda's, whose terms ask larger organisations for a paid "
            "licence. See whether yours has one, or use conda-forge."
        )
    ends = [without_scheme(channel.url).rpartition("/")[2] for channel in channels]
    if "bioconda" in ends:
        if BUILT_IN not in ends:
            advice.append("Packages of bioconda need conda-forge: give the channels as conda-forge, bioconda.")
        elif ends.index("bioconda") < ends.index(BUILT_IN):
            advice.append(
                "bioconda comes before conda-forge here, but its packages are built for the other order: give the "
                "channels as conda-forge, bioconda."
            )
    return advice
