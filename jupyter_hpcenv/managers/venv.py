"""The environment manager `venv`: a prefix on top of an interpreter, filled by uv or pip."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec
from traitlets import Bool, Enum, Float, List, TraitError, Unicode, validate

from ..errors import InvalidRequest, ManagerNotFound
from ..files import remove_tree
from ..models import (
    Changes,
    Contents,
    CreateRequest,
    Earlier,
    LockedPackage,
    PythonFact,
    Rebuild,
    Record,
    Reporter,
    Step,
)
from ..process import environment
from ..site import Site
from . import (
    caches,
    changing,
    configured,
    exact,
    index,
    installers,
    locking,
    only,
    packages,
    pipconf,
    snapshot,
    undoing,
    weighing,
)
from .caches import Place
from .contract import Built, Choice, Hit, Manager, ManagerFacts, Outcome, Package, Surroundings
from .prefixes import find_uv, has_ensurepip, make_prefix, python_of, uv_version
from .pythons import choose_python, find_pythons

CREATORS = ("uv", "venv", "virtualenv")
INSTALLERS = ("uv", "pip")


class VenvManager(Manager):
    """Virtual environments. What is empty here is decided for each request, and the decision is recorded."""

    name = "venv"

    description = Unicode(
        "Python packages from the package index or a wheelhouse, on top of a Python or of the site’s modules.",
        help="When to take this manager rather than another, in a sentence or two; shown where people choose.",
    ).tag(config=True)

    creator = Enum(
        ("", *CREATORS),
        default_value="",
        help="""What makes the prefix: uv, venv (the standard library's) or virtualenv. Empty: uv where uv installs,
        else venv. virtualenv takes the place of venv where the interpreter has no ensurepip.""",
    ).tag(config=True)

    installer = Enum(
        ("", *INSTALLERS),
        default_value="",
        help="""What installs packages: uv or pip. Empty: uv, except where pip is configured, where there is a
        wheelhouse, where uv's cache can not be locked, or where an environment sees the packages of its Python; there
        pip is right.""",
    ).tag(config=True)

    index_url = Unicode(help="The package index to use; empty: the installer's own.").tag(config=True)

    find_links = List(Unicode(), help="Folders or pages with wheels (a wheelhouse).").tag(config=True)

    no_index = Bool(False, help="Install from find_links alone, never from an index.").tag(config=True)

    prefer_binary = Bool(False, help="Prefer an older wheel to a newer source distribution (pip only).").tag(
        config=True
    )

    no_build_isolation = Bool(
        None,
        allow_none=True,
        help="""Build packages from source against what the environment sees, for example a module's MPI or numpy,
        instead of in a folder of their own. Build requirements must then be there already. None: where modules bring
        packages.""",
    ).tag(config=True)

    probe_index = Bool(
        True, help="Ask the index, when a request is submitted, whether it answers and has the packages."
    ).tag(config=True)

    probe_timeout = Float(index.PATIENCE, min=0.1, help="Seconds that the index has for its answer.").tag(config=True)

    @validate("index_url", "find_links")
    def _check_credentials(self, proposal: dict[str, Any]) -> Any:
        value = proposal["value"]
        for url in [value] if isinstance(value, str) else value:
            if "@" in urlsplit(url).netloc:
                raise TraitError(
                    f"c.VenvManager.{proposal['trait'].name} has a user name or a password in it, which others could "
                    "read; give credentials through netrc or a keyring."
                )
        return value

    def __init__(self, *, site: Site, **options: Any) -> None:
        super().__init__(**options)
        self._site = site

    # -- deciding -------------------------------------------------------

    def probe(self) -> ManagerFacts:
        """Return what is installed and what would be taken for a plain request."""
        installer, reason = self._installer("", Surroundings(), layered=False)
        return ManagerFacts(
            name=self.name,
            creators=[creator for creator in CREATORS if creator != "uv" or find_uv()],
            installers=[each for each in INSTALLERS if each != "uv" or find_uv()],
            default_creator=self.creator or ("uv" if installer == "uv" else "venv"),
            default_installer=installer,
            reason=reason,
            description=self.description,
        )

    def caches(self, roots: Mapping[str, Path]) -> list[Place]:
        """Return where uv and pip keep packages."""
        return [caches.uv(), caches.pip()]

    def _installer(self, wanted: str, around: Surroundings, *, layered: bool) -> tuple[str, str]:
        """Return (installer, why it is not the first choice)."""
        if wanted or self.installer:
            return wanted or self.installer, ""
        if not find_uv():
            return "pip", "uv is not installed"
        if around.brings_packages:
            return "pip", "uv does not see packages that come from modules"
        if around.modules:
            return "pip", "uv would use again what it built with other modules"
        if layered:
            return "pip", "uv does not see the packages of the Python below"
        if only.indexes() is not None:
            return "uv", ""
        if self.find_links or self.no_index:
            return "pip", "there is a wheelhouse (c.VenvManager.find_links, no_index)"
        configured = pipconf.steering(around.environ or None)
        return ("pip", f"{configured}, and uv would not obey it") if configured else ("uv", "")

    def check(
        self, request: CreateRequest, requirements: list[str], around: Surroundings, contents: Contents | None = None
    ) -> Choice:
        """Decide Python, creator and installer, and ask the index; raises what can be known now."""
        _known(request.installer, INSTALLERS, "installer")
        _known(request.creator, CREATORS, "creator")
        found = find_pythons(self._site)
        python = exact.python_for(request.python or around.python, contents, found, around.environ)
        _check_minor(python, around, found)
        wanted = request.system_site_packages
        layered = around.brings_packages if wanted is None else wanted
        installer, reason = self._installer(request.installer, around, layered=layered)
        asked_for = "uv" in (request.installer, request.creator, self.installer, self.creator)
        if installer == "uv" and not asked_for and not installers.cache_takes_locks(os.environ):
            installer, reason = "pip", "the filesystem of uv's cache refuses to lock files"
        creator = request.creator or self.creator or ("uv" if installer == "uv" else "venv")
        if "uv" in (installer, creator) and not find_uv():
            raise ManagerNotFound("uv is not installed here.", hints=["Choose pip and venv, or have staff install uv."])
        if installer == "pip" and (diverting := pipconf.diverting(around.environ or None)):
            raise InvalidRequest(
                f"{diverting}, so pip would not install into the environment.",
                hints=["Take that line out of pip's configuration, or choose uv as the installer."],
            )
        warnings = self._warnings(installer, layered)
        locked = exact.select(contents, python, warnings)
        if creator == "venv" and not has_ensurepip(python):
            warnings.append(f"{python.label} has no ensurepip, so virtualenv makes the prefix.")
            creator = "virtualenv"
        choice = Choice(
            python=python,
            creator=creator,
            installer=installer,
            reason=f"Packages are installed by pip, because {reason}." if reason else "",
            warnings=warnings,
            system_site_packages=layered,
            kernel=request.kernel,
            options=self._options(installer, around),
        )
        if locked:
            choice.options["locked"] = exact.lines(locked)
            choice.options["as_source"] = contents is not None and contents.kind == "clone"
        if self.probe_index and not self.no_index:
            self._ask_index(choice, requirements, around.environ or None)
        return choice

    def _options(self, installer: str, around: Surroundings) -> dict[str, str | bool | list[str]]:
        free = only.indexes() is None  # else what a user's configuration says of indexes does not count
        found: dict[str, str | bool | list[str]] = {
            "index_url": self.index_url if free else "",
            "find_links": list(self.find_links) if free else [],
            "no_index": self.no_index and free,
            "prefer_binary": self.prefer_binary,
            "no_build_isolation": self._without_isolation(installer, around),
        }
        sources = only.sources()
        return found if sources is None else {**found, "sources": sources}

    def _without_isolation(self, installer: str, around: Surroundings) -> bool:
        if self.no_build_isolation is None:
            return around.brings_packages and installer == "pip"
        return bool(self.no_build_isolation)

    def _warnings(self, installer: str, layered: bool) -> list[str]:
        found = []
        if installer == "uv" and only.indexes() is None and (configured := pipconf.steering()):
            found.append(f"uv was asked for; it does not obey pip's configuration ({configured}).")
        if installer == "uv" and layered:
            found.append("uv was asked for; it may install again what the Python below has already.")
        return found

    def _ask_index(self, choice: Choice, requirements: list[str], env: Mapping[str, str] | None) -> None:
        """Ask the one index that the installer would ask; where there are more, a missing name proves nothing."""
        if (allowed := only.indexes()) is not None:
            asked = [*requirements, "ipykernel"] if choice.kernel else requirements
            for each in [url for url in allowed if url.startswith("http")]:
                index.probe(each, asked if allowed == [each] else [], self.probe_timeout)
            return
        if choice.installer == "pip":
            if pipconf.switched_on("no-index", env):
                return
            url = self.index_url or pipconf.setting("index-url", env)
            more = pipconf.setting("extra-index-url", env) or pipconf.setting("find-links", env)
        else:
            if os.environ.get("UV_OFFLINE"):
                return
            url = self.index_url or os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL", "")
            more = next(filter(None, map(os.environ.get, ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"))), "")
            if not url and configured.uv_has_files():
                return  # its index may be named there
        asked = [*requirements, "ipykernel"] if choice.kernel else requirements
        index.probe(url or index.default(), [] if more or self.find_links else asked, self.probe_timeout)

    def steps(self, request: CreateRequest) -> list[Step]:
        """Return the steps of a build."""
        return [Step(name="prefix", title="Create the prefix"), *self.change_steps()]

    # -- building -------------------------------------------------------

    def create(
        self, choice: Choice, requirements: list[str], prefix: Path, report: Reporter, around: Surroundings
    ) -> Built:
        """Make the prefix with a recent pip; install ipykernel (for a kernel) and *requirements* in one transaction."""
        report.step("prefix")
        if choice.reason:
            report.line("output", choice.reason)
        for warning in choice.warnings:
            report.line("warning", warning)
        report.line("output", f"{choice.python.label}: {choice.python.path}")
        inherited = around.environ or environment(self._site.passthrough)
        env = installers.build_environment(inherited, choice, prefix, around)
        shared = choice.system_site_packages
        tools = {choice.creator: make_prefix(choice.creator, choice.python, prefix, shared, env, report)}
        installers.seed_pip(choice, prefix, env, report)
        installers.seed_backend(choice, prefix, env, report)
        tools[choice.installer] = (tools.get("uv") or uv_version(env)) if choice.installer == "uv" else _pip_of(prefix)
        with self._own_folder() as folder:
            weighing.before_create(choice, requirements, prefix, env, folder, around, report, self._site)
            if choice.options.get("locked"):
                hints = self._site.module_hints
                exact.install(choice, requirements, prefix, folder, env, around, report, hints)
            else:
                constrained = installers.write_constraints(folder, around)
                wanted = installers.write_requirements(folder, requirements, choice.kernel, constrained=constrained)
                installers.install(choice, wanted, prefix, env, report, self._site.module_hints)
        return Built(
            creator=choice.creator,
            installer=choice.installer,
            tools=_told(tools),
            python=python_of(prefix, choice.python),
            python_path=choice.python.path,
        )

    fetches: ClassVar[bool] = True

    def fetch(
        self, choice: Choice, requirements: list[str], folder: Path, report: Reporter, around: Surroundings
    ) -> Choice:
        """Download the archives of *requirements* and of what they need, as the Python that was chosen wants them."""
        inherited = around.environ or environment(self._site.passthrough)
        env = installers.build_environment(inherited, choice, folder, around)
        env.pop("VIRTUAL_ENV", None)
        wheels = folder / "wheels"
        wheels.mkdir(mode=0o700, exist_ok=True)
        with self._own_folder() as own:
            locked = choice.options.get("locked")
            lines = locked if isinstance(locked, list) else requirements
            wanted = installers.write_requirements(own, lines, choice.kernel and not locked)
            installers.download(choice, wanted, wheels, env, report)
        return msgspec.structs.replace(
            choice, options={**choice.options, "index_url": "", "find_links": [str(wheels)], "no_index": True}
        )

    @contextlib.contextmanager
    def _own_folder(self) -> Iterator[Path]:
        """Give a folder that nobody else can write, nor any folder above it: installers look there for settings."""
        folder = Path(tempfile.mkdtemp(prefix="build-", dir=self._site.data_dir))
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):
                remove_tree(folder)

    def list_packages(self, prefix: Path) -> list[Package]:
        """Return what is installed in *prefix*, from the metadata files in its site-packages."""
        return packages.list_packages(prefix)

    # -- changing -------------------------------------------------------

    def change_steps(self) -> list[Step]:
        """Return the steps of a change."""
        return [
            Step(name="resolve", title="Resolve"),
            Step(name="download", title="Download"),
            Step(name="install", title="Install"),
        ]

    def decide(self, record: Record, changes: Changes) -> Choice:
        """Take the installer that built the environment, and ask the index for what is new."""
        prefix = Path(record.prefix)
        changing.check(changes, packages.list_packages(prefix), kernel=bool(record.kernelspec))
        if changes.remove:
            changing.check_needed(changes, packages.needs(prefix, record.python))
        around = Surroundings(
            modules=record.modules.load if record.modules else [],
            brings_packages=record.modules is not None and record.system_site_packages,
        )
        installer, reason = record.installer, ""
        if installer == "uv" and not find_uv():
            installer, reason = "pip", "uv, which built the environment, is not installed any more"
        if installer == "pip" and (diverting := pipconf.diverting(None)):
            raise InvalidRequest(
                f"{diverting}, so pip would not install into the environment.",
                hints=["Take that line out of pip's configuration."],
            )
        choice = Choice(
            python=PythonFact(
                path=record.python_path, real="", version=record.python, source="path", label=f"Python {record.python}"
            ),
            creator=record.creator,
            installer=installer if installer in INSTALLERS else "pip",
            reason=f"Packages are installed by pip, because {reason}." if reason else "",
            system_site_packages=record.system_site_packages,
            kernel=False,  # it is there, and what keeps it working is proven afterwards
            options=self._options(installer, around),
        )
        new = [*changes.install, *(line for line in changes.update if not changing.is_name(line))]
        if new and self.probe_index and not self.no_index:
            self._ask_index(choice, new, None)
        return choice

    def plan_change(
        self, record: Record, choice: Choice, changes: Changes, report: Reporter, around: Surroundings
    ) -> dict[str, Any]:
        """Ask the installer what it would do."""
        with self._ready(record, choice, report, around) as (folder, env):
            return changing.plan(changes, choice, _held(record), Path(record.prefix), env, folder, report)

    def keep(self, record: Record, changes: Changes, before: Path) -> None:
        """Keep the prefix by hardlinks."""
        snapshot.take(Path(record.prefix), before)

    def change(
        self,
        record: Record,
        choice: Choice,
        changes: Changes,
        before: Path,
        report: Reporter,
        around: Surroundings,
    ) -> Outcome:
        """Install and update in one run of the installer, then remove."""
        prefix = Path(record.prefix)
        with self._ready(record, choice, report, around) as (folder, env):
            hints = self._site.module_hints
            weighing.before_change(changes, choice, _held(record), prefix, env, folder, report, self._site)
            done = changing.change(changes, choice, _held(record), prefix, env, folder, report, hints)
            return Outcome(
                plan=done,
                packages=changing.asked_after(record.packages, changes),
                tools=_told({choice.installer: uv_version(env) if choice.installer == "uv" else _pip_of(prefix)}),
                python=record.python,
                python_path=record.python_path,
            )

    @contextlib.contextmanager
    def _ready(
        self, record: Record, choice: Choice, report: Reporter, around: Surroundings
    ) -> Iterator[tuple[Path, dict[str, str]]]:
        """Give a folder for an installer's files, and its variables; say what was decided."""
        for text in filter(None, [choice.reason]):
            report.line("output", text)
        for warning in choice.warnings:
            report.line("warning", warning)
        inherited = around.environ or environment(self._site.passthrough)
        env = installers.build_environment(inherited, choice, Path(record.prefix), around)
        with self._own_folder() as folder:
            installers.write_constraints(folder, around)
            yield folder, env

    def undoing(self, record: Record, earlier: Earlier) -> Changes:
        """Return what the installer has to do to bring back what was there."""
        return undoing.way(earlier, self._there(record)).changes

    def plan_undo(self, record: Record, earlier: Earlier) -> dict[str, Any]:
        """Return what differs."""
        return undoing.plan(undoing.way(earlier, self._there(record)), self._there(record))

    def _there(self, record: Record) -> dict[str, tuple[str, str]]:
        return undoing.there(packages.list_packages(Path(record.prefix)))

    def decide_undo(self, record: Record, earlier: Earlier) -> Choice:
        """Decide as for a change that installs what is to come back."""
        return self.decide(record, Changes(install=self.undoing(record, earlier).install))

    def undo(
        self,
        record: Record,
        choice: Choice,
        earlier: Earlier,
        before: Path,
        report: Reporter,
        around: Surroundings,
    ) -> Outcome:
        """Remove what was not there, and install the versions that were."""
        prefix, now = Path(record.prefix), self._there(record)
        found = undoing.way(earlier, now)
        with self._ready(record, choice, report, around) as (folder, env):
            undoing.follow(found, choice, prefix, env, folder, report, self._site.module_hints)
            after = packages.list_packages(prefix)
            undoing.check(found, after)
            versions = [{name: each[0] for name, each in state.items()} for state in (now, undoing.there(after))]
            return Outcome(
                plan={**changing.compared(*versions), "notes": found.lost},
                packages=earlier.packages,
                tools=_told({choice.installer: uv_version(env) if choice.installer == "uv" else _pip_of(prefix)}),
                python=record.python,
                python_path=record.python_path,
            )

    def back(self, record: Record, choice: Choice, before: Path, report: Reporter) -> None:
        """Rename what was kept to where it was."""
        snapshot.put_back(Path(record.prefix), before)

    def contents(self, record: Record) -> Contents:
        """Return each package with its exact version, and its digest where one is known."""
        return Contents(kind="requirements", name=record.name, pip=locking.lock(Path(record.prefix)))

    def exact(self, record: Record) -> Contents:
        """Return each package with its exact version; what is editable, or from a folder, is left to what was asked."""
        lines, refused = locking.lines(Path(record.prefix))
        return Contents(kind="requirements", name=record.name, pip=lines, warnings=refused)

    def search(self, query: str, record: Record | None, limit: int, patience: float) -> list[Hit]:
        """Look it up in the indexes and folders that the installer would take, as it would read its configuration."""
        from .searching import check_word, search

        check_word(query)
        if record is None:
            found = find_pythons(self._site)
            python = found[0].version if found else ""
            installer = self._installer("", Surroundings(), layered=False)[0]
        else:
            python, installer = record.python, record.installer
        where = configured.places(installer, self._options(installer, Surroundings()))
        return search(query, where, python or "3.12", limit, patience)

    def with_digests(self, record: Record, packages: list[LockedPackage]) -> list[LockedPackage]:
        """Return *packages* with the digests that the index has of them; asks it through uv, as pip would be asked."""
        from . import digests

        installer = record.installer if record.installer in INSTALLERS else "pip"
        choice = Choice(
            python=PythonFact(path=record.python_path, real="", version=record.python, source="path", label=""),
            creator="",
            installer=installer,
            options=self._options(installer, Surroundings()),
        )
        prefix = Path(record.prefix)
        env = installers.build_environment(environment(self._site.passthrough), choice, prefix)
        with self._own_folder() as folder:
            options = [each for each in installers.common_options(choice.options) if each != "--no-build-isolation"]
            return digests.with_digests(packages, prefix / "bin" / "python", env, options, folder)

    def rebuild(self, record: Record) -> Rebuild:
        """Return how a prefix elsewhere gets the very packages of *record*'s; raises what `locking.lock` raises."""
        around = Surroundings(
            modules=record.modules.load if record.modules else [],
            brings_packages=record.modules is not None and record.system_site_packages,
            build_variables=record.build_variables,
        )
        variables = dict(record.build_variables)
        if around.modules or around.build_variables:
            variables["PIP_CACHE_DIR"] = str(installers.cache_of(around, os.environ))
        if only.indexes() is not None:
            variables |= only.environment({})
        elif self.index_url:
            variables |= {"PIP_INDEX_URL": self.index_url, "UV_DEFAULT_INDEX": self.index_url}
        installer = record.installer if record.installer in INSTALLERS else "pip"
        options = self._options(installer, around)
        return Rebuild(
            python=record.python_path,
            system_site_packages=record.system_site_packages,
            installer=installer,
            lock=locking.lock(Path(record.prefix)),
            options=installers.common_options(options),
            variables=variables,
            dropped=sorted(pipconf.DROPPED | installers.UV_DROPPED),
        )


def _held(record: Record) -> list[str]:
    """Return what has to hold whatever changes: what was asked for, and what the kernel needs."""
    return [*record.packages, *(["ipykernel"] if record.kernelspec else [])]


def _pip_of(prefix: Path) -> str:
    return next((each.version for each in packages.list_packages(prefix) if each.name == "pip"), "")


def _told(tools: Mapping[str, str]) -> dict[str, str]:
    return {tool: number for tool, number in tools.items() if number}


def _check_minor(python: PythonFact, around: Surroundings, found: Sequence[PythonFact]) -> None:
    """Raise `InvalidRequest` where modules bring packages for another Python than the one that was chosen."""
    if not (around.brings_packages and around.python):
        return
    theirs = choose_python(around.python, found, around.environ).version.split(".")[:2]
    if python.version.split(".")[:2] != theirs:
        raise InvalidRequest(
            f"The modules bring packages for Python {'.'.join(theirs)}, which Python {python.version} can not use.",
            hints=["Leave out the Python, so that the modules’ own is taken.", "Or choose other modules."],
        )


def _known(wanted: str, known: tuple[str, ...], what: str) -> None:
    if wanted and wanted not in known:
        raise ManagerNotFound(f"There is no {what} “{wanted}”.", hints=[f"Use one of {', '.join(known)}."])
