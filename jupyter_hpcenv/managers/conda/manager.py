"""The environment manager `conda`: decides about a request, and has an engine build what was decided.

The engine is rattler, in a process below the worker, or a conda, mamba or micromamba of the site's. Nothing here
imports either before something is built.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from traitlets import Bool, Dict, Enum, Float, List, TraitError, Unicode, validate

from ... import policy
from ...errors import DoesNotFit, HpcenvError, InvalidRequest, Refused
from ...files import make_private
from ...models import BY_PIP, Changes, Contents, CreateRequest, Earlier, PythonFact, Rebuild, Record, Reporter, Step
from ...process import environment
from ...site import Site
from ...site.fits import Need, elsewhere, place_of
from ...site.locations import ELSEWHERE, by_python, place_for, root_of
from ...site.quotas import room
from .. import index, packages
from .. import undoing as of_pips
from ..caches import Place
from ..contract import Built, Choice, Hit, Manager, ManagerFacts, Outcome, Package, Surroundings
from . import asked, caches, changing, installed, pip_part, probing, rebuilding, registered, undoing
from .channels import Channels, obey_policy, resolve
from .credentials import holds_secret, shown
from .engines import Engine, engine_for
from .plan import Plan, Source
from .settings import REQUEST, Settings, load, pins


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

    probe_channels = Bool(
        True, help="Ask the channels, when a request is submitted, whether they answer and are channels."
    ).tag(config=True)

    probe_timeout = Float(index.PATIENCE, min=0.1, help="Seconds that the channels have for their answers.").tag(
        config=True
    )

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
        chosen = resolve(settings, allowed=self.allowed_channels, default=self.default_channels)
        chosen.warnings += settings.unheeded(self.engine)
        return chosen

    def check(
        self, request: CreateRequest, requirements: list[str], around: Surroundings, contents: Contents | None = None
    ) -> Choice:
        """Decide channels, cache and packages; raises what conda's configuration and the site's rules refuse."""
        asked.check(request)
        location, root, prefix = place_for(self._site, request.name, request.location, request.prefix)
        self._engine(around)  # known to be missing now rather than in the middle
        held = contents or Contents(kind="")
        pinned = held.pinned
        settings = load(prefix=prefix, channels=[*request.channels, *held.channels])
        if pinned:
            settings = settings.with_channels(list(dict.fromkeys(map(asked.channel_of, pinned))), REQUEST)
        chosen = self._choose(settings)
        specs = list(dict.fromkeys([*asked.python(request.python), *held.specs, *requirements]))
        if pinned and specs:
            raise InvalidRequest(
                f"The file says exactly what is to be installed, so “{specs[0]}” can not be asked for besides.",
                hints=["Leave it out, and install it afterwards."],
            )
        virtual = asked.virtual(request, self.virtual_packages)
        version = asked.version_in(specs, pinned)
        if not version and not request.prefix and by_python(self._site, location):
            raise InvalidRequest(
                f"The location {location} has a folder for each version of Python, so that has to be said.",
                hints=["Ask for a Python, such as 3.12 (--python 3.12).", "Or take another location."],
            )
        choice = Choice(
            python=PythonFact(path="", real="", version=version, source="conda", label="Python from the channels"),
            creator=self.engine,
            installer=self.engine,
            warnings=[*settings.warnings, *chosen.warnings, *held.warnings],
            kernel=request.kernel,
            options={
                **self._means(settings, chosen, virtual, self._cache(settings, root), location),
                "tools": asked.tools(specs, request.kernel, bool(held.pip), settings),
                "specs": specs,
                "pip": held.pip,
                "pinned": [f"{each.url} {each.sha256 or '-'} {each.md5 or '-'}" for each in pinned],
                "requested": held.asked,
            },
        )
        if self.probe_channels:
            probing.probe(self._source(choice, prefix), pinned, self.probe_timeout)
        return choice

    def _means(
        self, settings: Settings, chosen: Channels, virtual: Mapping[str, str], cache: Path, location: str
    ) -> dict[str, str | bool | list[str]]:
        """Return what the engine is given whatever is asked for, as a choice keeps it."""
        return {
            "channels": chosen.urls,
            "priority": settings.channel_priority,
            "cache": str(cache),
            "offline": settings.offline,
            "ssl_verify": settings.ssl_verify,
            "constraints": settings.pinned_packages,
            "virtual": [f"{name}={version}" for name, version in virtual.items()],
            "copy": location in self.copy_locations or settings.always_copy,
        }

    def _cache(self, settings: Settings, root: Path) -> Path:
        """Return the folder of the package cache: near the environments, because links do not cross filesystems."""
        if self.package_cache:
            return Path(os.path.expandvars(self.package_cache)).expanduser()
        for folder in settings.pkgs_dirs:
            return Path(folder)
        # one's own: who can write a cache can change every environment that is linked from it
        return root / ".hpcenv" / f"packages-{os.geteuid()}-{os.getegid()}"

    def caches(self, roots: Mapping[str, Path]) -> list[Place]:
        """Return our caches, and those that the user's own conda has; a broken configuration hides none of ours."""
        settings, said = Settings(), ""
        with contextlib.suppress(HpcenvError):
            settings = load()
        if self.package_cache:
            said = "c.CondaManager.package_cache"
        elif settings.pkgs_dirs:
            said = settings.origin("pkgs_dirs", 0)
        ours = {location: self._cache(settings, root) for location, root in roots.items()}
        return caches.places(ours, settings.pkgs_dirs, said)

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
        pinned = asked.pinned(asked.words(options, "pinned"))
        tools = asked.words(options, "tools")
        with self._weighed(source, prefix):
            if pinned:
                engine.install_pinned(source, pinned, prefix, report, asked.words(options, "requested"))
                there = {each.name for each in installed.read(prefix)}
                if missing := [name for name in tools if name not in there]:
                    report.line("output", f"The file does not have {' and '.join(missing)}; added for the kernel.")
                    engine.change(source, prefix, report, install=missing)
            else:
                engine.create(source, [*asked.words(options, "specs"), *tools], prefix, report)
        if lines := asked.words(options, "pip"):
            report.step("pip")
            pip_part.install(lines, prefix, around.environ or environment(self._site.passthrough), report)
        python = asked.python_in(prefix)
        return Built(
            creator=choice.creator,
            installer=choice.installer,
            tools=engine.versions(),
            python=python,
            python_path=str(prefix / "bin" / "python") if python else "",
            packages=[
                *(changing.requested(prefix) if pinned else asked.words(options, "specs")),
                *asked.by_pip(options),
            ],
            channels=source.channels,
        )

    def plan(
        self, choice: Choice, requirements: list[str], prefix: Path, report: Reporter, around: Surroundings
    ) -> dict[str, Any]:
        """Return the packages, bytes and files of what `create` would install."""
        source = self._source(choice, prefix)
        make_private(Path(source.cache))
        report.step("solve")
        pinned = asked.pinned(asked.words(choice.options, "pinned"))
        engine = self._engine(around)
        if pinned:
            found = engine.plan_pinned(source, pinned)
        else:
            specs = [*asked.words(choice.options, "specs"), *asked.words(choice.options, "tools")]
            found = engine.plan(source, specs, None, report)
        return changing.told(found, asked.words(choice.options, "pip"), choice.warnings)

    @contextlib.contextmanager
    def _weighed(self, source: Source, prefix: Path) -> Iterator[None]:
        """Let the engine know how much room there is, and say where there is more if that is not enough."""
        place = place_of(self._site, prefix)
        source.free_bytes, source.free_files = room(place)
        try:
            yield
        except DoesNotFit as error:
            more = Need(bytes=None if source.free_bytes is None else source.free_bytes + 1)
            error.hints = (*elsewhere(self._site, place.name, more), *error.hints)
            raise

    def _engine(self, around: Surroundings) -> Engine:
        return engine_for(self.engine, self.command, around.environ or environment(self._site.passthrough))

    def _source(self, choice: Choice, prefix: Path) -> Source:
        """Return what the engine needs; proxies are read here, because they may hold what no ticket may."""
        allowed = self.link_scripts and policy.link_scripts()
        source = asked.source(choice.options, load(prefix=prefix), link_scripts=allowed)
        obey_policy(source.channels)  # a rule may have come since it was chosen
        return source

    # -- changing -------------------------------------------------------

    def change_steps(self) -> list[Step]:
        """Return the steps of a change."""
        return [*self.plan_steps(), Step(name="link", title="Link")]

    def decide(self, record: Record, changes: Changes) -> Choice:
        """Decide where packages come from now: from the environment's own channels, by today's configuration."""
        prefix = Path(record.prefix)
        changing.check(changes, installed.read(prefix), self._of_pip(prefix), kernel=bool(record.kernelspec))
        self._engine(Surroundings())
        settings = load(prefix=prefix)
        if record.channels:  # its own, whatever is configured by now
            settings = settings.with_channels(record.channels, REQUEST)
        chosen = self._choose(settings)
        changing.check_channels(changes, chosen)
        virtual = asked.virtual(CreateRequest(name="", virtual_packages=record.virtual_packages), self.virtual_packages)
        root = prefix.parent if record.location in ("", ELSEWHERE) else root_of(self._site, record.location)
        means = self._means(settings, chosen, virtual, self._cache(settings, root), record.location)
        held = asked.words(means, "constraints")
        choice = Choice(
            python=PythonFact(
                path=record.python_path, real="", version=record.python, source="conda", label="Its own Python"
            ),
            creator=self.engine,
            installer=self.engine,
            warnings=[*settings.warnings, *chosen.warnings],
            kernel=False,  # it is there, and what keeps it working is proven afterwards
            options={**means, "constraints": list(dict.fromkeys([*held, *pins(prefix)]))},
        )
        conda = changing.of_conda(changes)
        if self.probe_channels and (conda.install or conda.update or conda.update_all):
            probing.probe(self._source(choice, prefix), (), self.probe_timeout)
        return choice

    def plan_change(
        self, record: Record, choice: Choice, changes: Changes, report: Reporter, around: Surroundings
    ) -> dict[str, Any]:
        """Solve, and say what would come, change and go."""
        source = self._source(choice, Path(record.prefix))
        make_private(Path(source.cache))
        report.step("solve")
        found = Plan()
        if changing.asks(changing.of_conda(changes)):
            found = self._engine(around).plan(source, (), Path(record.prefix), report, **changing.wish(changes))
        return changing.told(found, changing.said(changing.of_pip(changes)), choice.warnings)

    def keep(self, record: Record, changes: Changes, before: Path) -> None:
        """Write down the exact packages; the cache has them, or the channels."""
        changing.keep(Path(record.prefix), changes, before)

    def change(
        self,
        record: Record,
        choice: Choice,
        changes: Changes,
        before: Path,
        report: Reporter,
        around: Surroundings,
    ) -> Outcome:
        """Solve, download and link in one transaction; pip's packages come after."""
        prefix = Path(record.prefix)
        source, engine = self._source(choice, prefix), self._engine(around)
        source.set_aside = str(changing.aside_of(before))
        make_private(Path(source.cache))
        report.step("solve")
        for warning in choice.warnings:
            report.line("warning", warning)
        done = Plan()
        if changing.asks(changing.of_conda(changes)):
            with self._weighed(source, prefix):
                done = engine.change(source, prefix, report, **changing.wish(changes))
        by_pip = [line.removeprefix(BY_PIP) for line in record.packages if line.startswith(BY_PIP)]
        plan = changing.told(done, [], [])
        wanted = changing.with_bounds(changing.of_pip(changes), by_pip)
        if changing.asks(wanted):
            earlier = changing.versions(self._of_pip(prefix))
            pip_part.change(wanted, prefix, around.environ or environment(self._site.passthrough), report)
            plan = changing.with_pip(plan, earlier, changing.versions(self._of_pip(prefix)))
            by_pip = changing.asked_after(by_pip, changing.of_pip(changes))
        return Outcome(
            plan=plan,
            packages=[*changing.kept_requests(prefix, record, changes), *(f"{BY_PIP}{line}" for line in by_pip)],
            tools=engine.versions(),
            python=(python := asked.python_in(prefix)),
            python_path=str(prefix / "bin" / "python") if python else "",
        )

    def earlier(self, record: Record) -> Contents:
        """Return the exact packages, and the match specs that conda's history says were asked for."""
        return msgspec.structs.replace(self.exact(record), asked=changing.requested(Path(record.prefix)))

    def undoing(self, record: Record, earlier: Earlier) -> Changes:
        """Return what pip has to do; conda's part is the list of exact packages."""
        return undoing.changes(undoing.way(earlier, self._of_pip(Path(record.prefix))))

    def plan_undo(self, record: Record, earlier: Earlier) -> dict[str, Any]:
        """Return what differs."""
        prefix = Path(record.prefix)
        source = self._source(self.decide(record, Changes()), prefix)
        return undoing.plan(self._engine(Surroundings()), source, earlier, self._of_pip(prefix), prefix)

    def decide_undo(self, record: Record, earlier: Earlier) -> Choice:
        """Decide as for a change; a channel that may not be used any more is refused."""
        prefix = Path(record.prefix)
        there = {each.url for each in installed.read(prefix)}
        coming = [each for each in earlier.contents.pinned if each.url not in there]
        if coming:
            self._choose(load(prefix=prefix).with_channels(list(dict.fromkeys(map(asked.channel_of, coming))), REQUEST))
        return self.decide(record, Changes())

    def undo(
        self,
        record: Record,
        choice: Choice,
        earlier: Earlier,
        before: Path,
        report: Reporter,
        around: Surroundings,
    ) -> Outcome:
        """Link exactly what was there, then bring pip's packages back."""
        prefix = Path(record.prefix)
        source, engine, by_pip = self._source(choice, prefix), self._engine(around), self._of_pip(prefix)
        source.set_aside = str(changing.aside_of(before))
        make_private(Path(source.cache))
        report.step("solve")
        for warning in choice.warnings:
            report.line("warning", warning)
        env = around.environ or environment(self._site.passthrough)
        with self._weighed(source, prefix):
            plan = undoing.undo(engine, source, earlier, lambda: self._of_pip(prefix), prefix, env, report)
        found = undoing.way(earlier, by_pip)
        after = self._of_pip(prefix)
        of_pips.check(found, after)
        return Outcome(
            plan={
                **changing.with_pip(plan, changing.versions(by_pip), changing.versions(after)),
                "notes": [*plan["notes"], *found.lost],
            },
            packages=earlier.packages,
            tools=engine.versions(),
            python=(python := asked.python_in(prefix)),
            python_path=str(prefix / "bin" / "python") if python else "",
        )

    def back(self, record: Record, choice: Choice, before: Path, report: Reporter) -> None:
        """Link the exact packages that were there."""
        prefix = Path(record.prefix)
        changing.back(self._engine(Surroundings()), self._source(choice, prefix), prefix, before, report)

    # -- looking --------------------------------------------------------

    def contents(self, record: Record) -> Contents:
        """Return the exact packages: conda's by URL and digest, pip's by version."""
        prefix = Path(record.prefix)
        of_pip = [each for each in self.list_packages(prefix) if not each.source.startswith("conda ")]
        return Contents(
            kind="",
            name=record.name,
            channels=record.channels,
            pinned=changing.pinned(prefix),
            pip=[f"{each.name}=={each.version}" for each in of_pip if each.source == "index"],
            variables=record.variables,
            warnings=[
                f"{each.name} {each.version} is not in it: it is from {each.source}, which is not everybody’s."
                for each in of_pip
                if each.source != "index"
            ],
        )

    def lockfile(self, record: Record) -> str:
        """Return the lockfile of rattler, which pixi reads; raises `Refused` where an address has a secret in it."""
        if any(holds_secret(each.url) for each in installed.read(Path(record.prefix))):
            raise Refused(
                "The address of a package has a user name, a password or a token in it, which others could read.",
                hints=["Install that package again from a channel without one, then export again."],
            )
        return engine_for("rattler", "", {}).lock(Path(record.prefix), record.channels)

    def list_packages(self, prefix: Path) -> list[Package]:
        """Return conda's packages and, marked as such, those that pip installed."""
        found = installed.read(prefix)
        return [
            *(Package(name=each.name, version=each.version, source=f"conda {shown(each.channel)}") for each in found),
            *self._of_pip(prefix),
        ]

    def _of_pip(self, prefix: Path) -> list[Package]:
        names = {each.name for each in installed.read(prefix)}
        return [each for each in packages.list_packages(prefix, not_by="conda") if each.name.lower() not in names]

    def search(self, query: str, record: Record | None, limit: int, patience: float) -> list[Hit]:
        """Ask the channels' index, in a process of its own that has *patience* seconds."""
        from . import searching

        if record is not None:
            source = self._source(self.decide(record, Changes()), Path(record.prefix))
        else:
            settings = load()
            _, root, _ = place_for(self._site, "search", "", "")
            means = self._means(settings, self._choose(settings), {}, self._cache(settings, root), "")
            source = asked.source(means, settings, link_scripts=False)
        return searching.search(source, query, limit, patience)

    def rebuild(self, record: Record) -> Rebuild:
        """Return how a batch job makes it anew on its node, where a micromamba, mamba or conda is on PATH."""
        return rebuilding.rebuild(Path(record.prefix))

    def arrived(self, prefix: Path) -> str:
        """Write it into the user's list of conda environments, where conda and mamba look for names."""
        return registered.register(prefix)

    def gone(self, prefix: Path) -> None:
        """Take it out of that list."""
        registered.unregister(prefix)
