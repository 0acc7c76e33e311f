"""The environment manager `conda`: decides about a request, and has an engine build what was decided.

The engine is rattler, in a process below the worker, or a conda, mamba or micromamba of the site's. Nothing here
imports either before something is built.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from traitlets import Bool, Dict, Enum, List, TraitError, Unicode, validate

from ...errors import HpcenvError, InvalidRequest, PathTooLong
from ...files import make_private
from ...models import Contents, CreateRequest, PinnedPackage, PythonFact, Reporter, Step
from ...process import environment
from ...site import Site
from ...site.locations import place_for
from .. import packages
from ..contract import Built, Choice, Manager, ManagerFacts, Package, Surroundings
from . import installed, pip_part, registered
from .channels import Channels, resolve
from .credentials import holds_secret
from .engines import Engine, engine_for
from .plan import Source
from .settings import REQUEST, Settings, load

LONGEST_PREFIX = 255
_VERSION = re.compile(r"\d+(?:\.\d+){0,2}")


class CondaManager(Manager):
    """Conda environments. What is empty here is what conda's own configuration says, and else our default."""

    name = "conda"
    language = "conda"

    description = Unicode(
        "Packages with their libraries, of any language, from conda channels; generic binaries, not built for this "
        "cluster. Take venv on top of modules where a module has what you need.",
        help="When to take this manager rather than another, in a sentence or two; shown where people choose.",
    ).tag(config=True)

    engine = Enum(
        ("rattler", "command"),
        default_value="rattler",
        help="What builds: rattler, which comes along, or command: a conda, mamba or micromamba of the site’s.",
    ).tag(config=True)

    command = Unicode(
        help="Which program the engine “command” takes: a path or a name; empty: mamba, conda or micromamba, as found."
    ).tag(config=True)

    default_channels = List(
        Unicode(), help="Channels where neither a request nor conda’s configuration names any; empty: conda-forge."
    ).tag(config=True)

    allowed_channels = List(
        Unicode(), help="Channels that may be used, by name or URL; empty: any that conda’s configuration allows."
    ).tag(config=True)

    package_cache = Unicode(
        help="""Folder of the package cache, with $VARIABLES and ~. Empty: pkgs_dirs of conda’s configuration, else
        beside the environments of each location, where packages can be hardlinked."""
    ).tag(config=True)

    copy_locations = List(
        Unicode(),
        help="Locations that are purged by age: there packages are copied with fresh dates, not hardlinked.",
    ).tag(config=True)

    link_scripts = Bool(
        False, help="Let packages run the scripts that they bring for when they are linked and unlinked."
    ).tag(config=True)

    virtual_packages = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="""Versions of virtual packages on the computers that environments are for, such as {"cuda": "12.4"};
        a request’s own win. Empty: what this computer has.""",
    ).tag(config=True)

    @validate("default_channels", "allowed_channels")
    def _check_channels(self, proposal: dict[str, Any]) -> Any:
        if any(holds_secret(channel) for channel in proposal["value"]):
            raise TraitError(
                f"c.CondaManager.{proposal['trait'].name} has a user name, a password or a token in it, which others "
                "could read; give credentials through rattler’s file of credentials or netrc."
            )
        return proposal["value"]

    def __init__(self, *, site: Site, **options: Any) -> None:
        super().__init__(**options)
        self._site = site

    # -- deciding -------------------------------------------------------

    def probe(self) -> ManagerFacts:
        """Return what would be taken for a plain request; a configuration that can not be used is said at a request."""
        try:
            names = self._choose(load()).names
        except HpcenvError:
            names = []
        return ManagerFacts(
            name=self.name,
            creators=[],
            installers=[],
            default_creator="",
            default_installer="",
            description=self.description,
            language=self.language,
            channels=names,
        )

    def _choose(self, settings: Settings) -> Channels:
        return resolve(settings, allowed=self.allowed_channels, default=self.default_channels)

    def check(
        self, request: CreateRequest, requirements: list[str], around: Surroundings, contents: Contents | None = None
    ) -> Choice:
        """Decide channels, cache and packages; raises what conda's configuration and the site's rules refuse."""
        if unfit := [word for word in (request.creator, request.installer) if word]:
            raise InvalidRequest(
                f"“{unfit[0]}” builds no conda environments.", hints=["Leave creator and installer out, or take venv."]
            )
        if request.system_site_packages:
            raise InvalidRequest(
                "A conda environment has a Python of its own, and no other Python's packages.",
                hints=["Leave that out, or take the manager venv."],
            )
        location, root, prefix = place_for(self._site, request.name, request.location, request.prefix)
        if len(os.fsencode(prefix)) > LONGEST_PREFIX:
            raise PathTooLong(
                f"{prefix} is longer than {LONGEST_PREFIX} bytes, and conda packages have no more room for it.",
                hints=["Choose a shorter name, or a location with a shorter path."],
            )
        self._engine(around)  # known to be missing now rather than in the middle
        held = contents or Contents(kind="")
        pinned = held.pinned
        settings = load(prefix=prefix, channels=[*request.channels, *held.channels])
        if pinned:
            settings = settings.with_channels(list(dict.fromkeys(map(_channel_of, pinned))), REQUEST)
        chosen = self._choose(settings)
        specs = list(dict.fromkeys([*_python(request.python), *held.specs, *requirements]))
        if pinned and specs:
            raise InvalidRequest(
                f"The file says exactly what is to be installed, so “{specs[0]}” can not be asked for besides.",
                hints=["Leave it out, and install it afterwards."],
            )
        return Choice(
            python=PythonFact(
                path="",
                real="",
                version=_version_in(specs, pinned),
                source="conda",
                label="Python from the channels",
            ),
            creator=self.engine,
            installer=self.engine,
            warnings=[*settings.warnings, *chosen.warnings, *held.warnings],
            kernel=request.kernel,
            options={
                "channels": chosen.urls,
                "priority": settings.channel_priority,
                "cache": str(self._cache(settings, root)),
                "offline": settings.offline,
                "ssl_verify": settings.ssl_verify,
                "constraints": settings.pinned_packages,
                "virtual": [f"{name}={version}" for name, version in self._virtual(request).items()],
                "copy": location in self.copy_locations or settings.always_copy,
                "tools": _tools(specs, request.kernel, bool(held.pip), settings),
                "specs": specs,
                "pip": held.pip,
                "pinned": [f"{each.url} {each.sha256 or '-'} {each.md5 or '-'}" for each in pinned],
            },
        )

    def _virtual(self, request: CreateRequest) -> dict[str, str]:
        """Return the virtual packages that are not to be those of this computer: the request's word is the last."""
        start = "CONDA_OVERRIDE_"
        said = {name.removeprefix(start).lower(): text for name, text in os.environ.items() if name.startswith(start)}
        asked = {name.removeprefix("__"): version for name, version in request.virtual_packages.items()}
        found = {**self.virtual_packages, **said, **asked}
        for name, version in found.items():
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name) or not re.fullmatch(r"[\w.+!-]{0,60}", version):
                raise InvalidRequest(
                    f"“{name[:60]}={version[:60]}” is no version of a virtual package.",
                    hints=["Write, for example, cuda=12.4 or glibc=2.28."],
                )
        return found

    def _cache(self, settings: Settings, root: Path) -> Path:
        """Return the folder of the package cache: near the environments, because links do not cross filesystems."""
        if self.package_cache:
            return Path(os.path.expandvars(self.package_cache)).expanduser()
        for folder in settings.pkgs_dirs:
            return Path(folder)
        # one's own: who can write a cache can change every environment that is linked from it
        return root / ".hpcenv" / f"packages-{os.geteuid()}-{os.getegid()}"

    # -- building -------------------------------------------------------

    def steps(self, request: CreateRequest) -> list[Step]:
        """Return the steps of a build."""
        pip = [Step(name="pip", title="Install with pip")] if "pip:" in request.file or "pypi" in request.file else []
        return [*self.plan_steps(), Step(name="link", title="Link"), *pip]

    def plan_steps(self) -> list[Step]:
        """Return the steps of a plan; nothing is downloaded but what the channels have."""
        return [Step(name="solve", title="Solve"), Step(name="download", title="Download")]

    def create(
        self, choice: Choice, requirements: list[str], prefix: Path, report: Reporter, around: Surroundings
    ) -> Built:
        """Solve, download and link in one transaction, or link exactly what a file says; pip's packages come after."""
        options = choice.options
        source = self._source(choice, prefix)
        engine = self._engine(around)
        make_private(Path(source.cache))
        report.step("solve")
        for warning in choice.warnings:
            report.line("warning", warning)
        report.line("output", f"Channels: {', '.join(source.channels)}.")
        pinned = _pinned(_words(options, "pinned"))
        tools = _words(options, "tools")
        if pinned:
            engine.install_pinned(source, pinned, prefix, report)
            there = {each.name for each in installed.read(prefix)}
            if missing := [name for name in tools if name not in there]:
                report.line("output", f"The file does not have {' and '.join(missing)}; added for the kernel.")
                engine.change(source, prefix, report, install=missing)
        else:
            engine.create(source, [*_words(options, "specs"), *tools], prefix, report)
        if lines := _words(options, "pip"):
            report.step("pip")
            pip_part.install(lines, prefix, around.environ or environment(self._site.passthrough), report)
        python = next((each.version for each in installed.read(prefix) if each.name == "python"), "")
        return Built(
            creator=choice.creator,
            installer=choice.installer,
            tools=engine.versions(),
            python=python,
            python_path=str(prefix / "bin" / "python") if python else "",
            packages=_words(options, "specs"),
            channels=source.channels,
        )

    def plan(
        self, choice: Choice, requirements: list[str], prefix: Path, report: Reporter, around: Surroundings
    ) -> dict[str, Any]:
        """Return the packages, bytes and files of what `create` would install."""
        source = self._source(choice, prefix)
        make_private(Path(source.cache))
        report.step("solve")
        pinned = _pinned(_words(choice.options, "pinned"))
        engine = self._engine(around)
        if pinned:
            found = engine.plan_pinned(source, pinned)
        else:
            specs = [*_words(choice.options, "specs"), *_words(choice.options, "tools")]
            found = engine.plan(source, specs, None, report)
        return {**msgspec.to_builtins(found), "pip": _words(choice.options, "pip"), "warnings": choice.warnings}

    def _engine(self, around: Surroundings) -> Engine:
        return engine_for(self.engine, self.command, around.environ or environment(self._site.passthrough))

    def _source(self, choice: Choice, prefix: Path) -> Source:
        """Return what the engine needs; proxies are read here, because they may hold what no ticket may."""
        options = choice.options
        virtual = dict(word.split("=", 1) for word in _words(options, "virtual"))
        settings = load(prefix=prefix)
        return Source(
            channels=_words(options, "channels"),
            priority=str(options["priority"]),
            cache=str(options["cache"]),
            offline=bool(options["offline"]),
            proxies=settings.proxy_servers,
            ssl_verify=str(options["ssl_verify"]),
            constraints=_words(options, "constraints"),
            virtual_packages=virtual,
            link_scripts=self.link_scripts,
            copy=bool(options["copy"]),
            retries=settings.remote_max_retries,
            patience=int(settings.remote_read_timeout_secs),
        )

    # -- looking --------------------------------------------------------

    def list_packages(self, prefix: Path) -> list[Package]:
        """Return conda's packages and, marked as such, those that pip installed."""
        found = installed.read(prefix)
        names = {each.name for each in found}
        of_pip = [each for each in packages.list_packages(prefix, not_by="conda") if each.name.lower() not in names]
        return [
            *(Package(name=each.name, version=each.version, source=f"conda {each.channel}") for each in found),
            *of_pip,
        ]

    def arrived(self, prefix: Path) -> str:
        """Write it into the user's list of conda environments, where conda and mamba look for names."""
        return registered.register(prefix)

    def gone(self, prefix: Path) -> None:
        """Take it out of that list."""
        registered.unregister(prefix)


def _python(wanted: str) -> list[str]:
    """Return the match spec of the Python that was asked for, if one was."""
    if not wanted.strip():
        return []
    if not _VERSION.fullmatch(wanted.strip()):
        raise InvalidRequest(
            f"“{wanted}” is no version of Python; a conda environment gets its Python from the channels.",
            hints=["Give a version such as 3.12, or leave it out."],
        )
    return [f"python {wanted.strip()}.*" if wanted.count(".") < 2 else f"python {wanted.strip()}"]


def _tools(specs: list[str], kernel: bool, pip: bool, settings: Settings) -> list[str]:
    """Return what is installed unasked: what the kernel needs, and pip where it will be used."""
    names = {installed.name_of(spec) for spec in specs}
    wanted = ["ipykernel"] if kernel else []
    if pip or (kernel and settings.add_pip_as_python_dependency):
        wanted.append("pip")
    return [name for name in wanted if name not in names]


def _version_in(specs: list[str], pinned: list[PinnedPackage]) -> str:
    """Return the version of Python that is asked for, as far as it is said."""
    for each in pinned:
        if match := re.search(r"/python-(\d[\w.]*)-[^/]*$", each.url):
            return match[1]
    for spec in specs:
        if installed.name_of(spec) == "python" and (match := re.search(r"\d+\.\d+(?:\.\d+)?", spec)):
            return match[0]
    return ""


def _channel_of(package: PinnedPackage) -> str:
    return package.url.rsplit("/", 2)[0]


def _pinned(lines: list[str]) -> list[PinnedPackage]:
    found = (line.rsplit(" ", 2) for line in lines)
    return [PinnedPackage(url=url, sha256=sha.strip("-"), md5=md5.strip("-")) for url, sha, md5 in found]


def _words(options: Mapping[str, str | bool | list[str]], name: str) -> list[str]:
    value = options.get(name)
    return list(value) if isinstance(value, list) else []
