"""The environment manager `venv`: a prefix on top of an interpreter, filled by uv or pip."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from traitlets import Bool, Enum, List, Unicode

from ..errors import BrokenRecord, ManagerNotFound
from ..files import read_regular
from ..models import CreateRequest, Reporter, Step
from ..process import environment, run
from ..site import Site
from . import index, pipconf
from .contract import Built, Choice, Manager, ManagerFacts, Package
from .installers import Watch, clean, failure
from .prefixes import find_uv, has_ensurepip, make_prefix, python_of, uv_version
from .pythons import choose_python, find_pythons

CREATORS = ("uv", "venv", "virtualenv")
INSTALLERS = ("uv", "pip")


class VenvManager(Manager):
    """Virtual environments. What is empty here is decided for each request, and the decision is recorded."""

    name = "venv"

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
        wheelhouse, or where an environment sees the packages of its Python; there pip is right.""",
    ).tag(config=True)

    index_url = Unicode(help="The package index to use; empty: the installer's own.").tag(config=True)

    find_links = List(Unicode(), help="Folders or pages with wheels (a wheelhouse).").tag(config=True)

    no_index = Bool(False, help="Install from find_links alone, never from an index.").tag(config=True)

    prefer_binary = Bool(False, help="Prefer an older wheel to a newer source distribution (pip only).").tag(
        config=True
    )

    probe_index = Bool(
        True, help="Ask the index, when a request is submitted, whether it answers and has the packages."
    ).tag(config=True)

    def __init__(self, *, site: Site, **options: Any) -> None:
        super().__init__(**options)
        self._site = site

    # -- deciding -------------------------------------------------------

    def probe(self) -> ManagerFacts:
        """Return what is installed and what would be taken for a plain request."""
        installer, reason = self._installer("", layered=False)
        return ManagerFacts(
            name=self.name,
            creators=[creator for creator in CREATORS if creator != "uv" or find_uv()],
            installers=[each for each in INSTALLERS if each != "uv" or find_uv()],
            default_creator=self.creator or ("uv" if installer == "uv" else "venv"),
            default_installer=installer,
            reason=reason,
        )

    def _installer(self, wanted: str, *, layered: bool) -> tuple[str, str]:
        """Return (installer, why it is that one)."""
        if wanted or self.installer:
            return wanted or self.installer, ""
        if not find_uv():
            return "pip", "uv is not installed"
        if layered:
            return "pip", "uv does not see the packages of the Python below"
        if self.find_links or self.no_index:
            return "pip", "there is a wheelhouse (c.VenvManager.find_links, no_index)"
        configured = pipconf.steering()
        return ("pip", f"{configured}, and uv would not obey it") if configured else ("uv", "")

    def check(self, request: CreateRequest, requirements: list[str]) -> Choice:
        """Decide Python, creator and installer, and ask the index; raises what can be known now."""
        for wanted, known, what in (
            (request.installer, INSTALLERS, "installer"),
            (request.creator, CREATORS, "creator"),
        ):
            if wanted and wanted not in known:
                raise ManagerNotFound(f"There is no {what} {wanted!r}.", hints=[f"Use one of {', '.join(known)}."])
            if wanted == "uv" and not find_uv():
                raise ManagerNotFound("uv is not installed here.", hints=["Leave it out, or have staff install uv."])
        python = choose_python(request.python, find_pythons(self._site))
        installer, reason = self._installer(request.installer, layered=request.system_site_packages)
        creator = request.creator or self.creator or ("uv" if installer == "uv" else "venv")
        warnings = []
        if installer == "uv" and (configured := pipconf.steering()):
            warnings.append(f"uv was asked for; it does not obey pip's configuration ({configured}).")
        if installer == "uv" and request.system_site_packages:
            warnings.append("uv was asked for; it may install again what the Python below has already.")
        if creator == "venv" and not has_ensurepip(python):
            warnings.append(f"{python.label} has no ensurepip, so virtualenv makes the prefix.")
            creator = "virtualenv"
        choice = Choice(
            python=python,
            creator=creator,
            installer=installer,
            reason=f"Packages are installed by pip, because {reason}." if reason else "",
            warnings=warnings,
            system_site_packages=request.system_site_packages,
            kernel=request.kernel,
            options={
                "index_url": self.index_url,
                "find_links": list(self.find_links),
                "no_index": self.no_index,
                "prefer_binary": self.prefer_binary,
            },
        )
        if self.probe_index and not self.no_index:
            self._ask_index(choice, requirements)
        return choice

    def _ask_index(self, choice: Choice, requirements: list[str]) -> None:
        if choice.installer == "pip":
            if pipconf.setting("no-index"):
                return
            url = self.index_url or pipconf.setting("index-url")
            more = pipconf.setting("extra-index-url") or pipconf.setting("find-links")
        else:
            url = self.index_url or os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL", "")
            more = "".join(os.environ.get(name, "") for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"))
        index.probe(url or index.DEFAULT, [] if more or self.find_links else requirements)

    def steps(self, request: CreateRequest) -> list[Step]:
        """Return the steps of a build."""
        return [
            Step(name="prefix", title="Create the prefix"),
            Step(name="resolve", title="Resolve"),
            Step(name="download", title="Download"),
            Step(name="install", title="Install"),
        ]

    # -- building -------------------------------------------------------

    def create(self, choice: Choice, requirements: list[str], prefix: Path, report: Reporter) -> Built:
        """Make the prefix and install pip, ipykernel (with a kernel) and *requirements* in one transaction."""
        report.step("prefix")
        if choice.reason:
            report.line("output", choice.reason)
        for warning in choice.warnings:
            report.line("warning", warning)
        report.line("output", f"{choice.python.label}: {choice.python.path}")
        env = environment(self._site.passthrough, _quiet(choice, prefix))
        shared = choice.system_site_packages
        made_by = make_prefix(choice.creator, choice.python, prefix, shared, env, report)
        tools = {choice.creator: made_by}
        watch = Watch(report, choice.installer)
        watch.begin()
        with _own_folder() as folder:
            wanted = folder / "requirements.txt"
            wanted.write_text("".join(f"{line}\n" for line in [*requirements, *_ours(choice)]))
            if choice.installer == "uv":
                tools["uv"] = uv_version()
                argv = [find_uv(), "pip", "install", "--no-config", "--color", "never", "--no-progress"]
                argv += ["--python", str(prefix / "bin" / "python")]
            else:
                tools["pip"] = self._seed_pip(prefix, env, report)
                argv = [str(prefix / "bin" / "python"), "-m", "pip", "install", "--no-input", "--no-color"]
                argv += ["--progress-bar", "off", "--disable-pip-version-check"]
            argv += [*_options(choice), "-r", str(wanted)]
            done = run(argv, env=env, cwd=folder, on_line=watch.line, check=report.check)
        if not done.ok:
            raise failure(choice.installer, watch.lines)
        return Built(
            creator=choice.creator,
            installer=choice.installer,
            tools={tool: number for tool, number in tools.items() if number},
            python=python_of(prefix, choice.python),
            python_path=choice.python.path,
        )

    def _seed_pip(self, prefix: Path, env: Mapping[str, str], report: Reporter) -> str:
        """Install the recent pip that virtualenv carries (ensurepip's may be years old); return its version."""
        from virtualenv.seed.wheels.embed import BUNDLE_FOLDER

        wheel = max(Path(BUNDLE_FOLDER).glob("pip-*.whl"), key=_wheel_version)
        argv = [str(prefix / "bin" / "python"), f"{wheel}/pip", "install", "--no-input", "--no-index", "--no-color"]
        argv += ["--disable-pip-version-check", "--quiet", "--ignore-installed", "--no-deps"]
        done = run([*argv, "--find-links", str(wheel.parent), f"pip=={wheel.name.split('-')[1]}"], env=env)
        if not done.ok:
            raise failure("pip", [clean(line) for line in done.tail])
        report.check()
        return wheel.name.split("-")[1]

    def list_packages(self, prefix: Path) -> list[Package]:
        """Return what is installed in *prefix*, from the metadata files in its site-packages."""
        found = {}
        for metadata in prefix.glob("lib/python3.*/site-packages/*.dist-info/METADATA"):
            with contextlib.suppress(OSError, BrokenRecord):
                fields = HeaderParser().parsestr(read_regular(metadata, 5_000_000).decode(errors="replace"))
                name, number = fields.get("Name"), fields.get("Version")
                if name and number:
                    found[name.lower()] = Package(name=name, version=number, source="pip")
        return [found[name] for name in sorted(found)]


def _quiet(choice: Choice, prefix: Path) -> dict[str, str]:
    """Return variables that keep installers to the prefix and to what was decided."""
    extra = {"PIP_REQUIRE_VIRTUALENV": "0", "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "NO_COLOR": "1"}
    extra["VIRTUAL_ENV"] = str(prefix)
    if choice.installer == "uv":
        extra["UV_PYTHON_DOWNLOADS"] = "never"
        if not _same_device(prefix):
            extra["UV_LINK_MODE"] = "copy"
    return extra


def _same_device(prefix: Path) -> bool:
    """Tell whether uv's cache lies on the filesystem of *prefix*, so that it can link files instead of copying."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "uv"
    cache = Path(os.environ.get("UV_CACHE_DIR", home))
    while not cache.exists():
        cache = cache.parent
    return cache.stat().st_dev == prefix.parent.stat().st_dev


def _ours(choice: Choice) -> list[str]:
    """Return what every environment needs: pip, so that ``%pip`` reaches it, and ipykernel for its kernel."""
    return ["pip", "ipykernel"] if choice.kernel else ["pip"]


def _options(choice: Choice) -> list[str]:
    options = choice.options
    argv = []
    if options.get("no_index"):
        argv.append("--no-index")
    elif options.get("index_url"):
        argv += ["--index-url", str(options["index_url"])]
    links = options.get("find_links")
    for link in links if isinstance(links, list) else []:
        argv += ["--find-links", link]
    if options.get("prefer_binary") and choice.installer == "pip":
        argv.append("--prefer-binary")
    return argv


@contextlib.contextmanager
def _own_folder() -> Iterator[Path]:
    """Give a private folder that nobody else can write; installers run in it, so nothing there is imported."""
    folder = Path(tempfile.mkdtemp(prefix=f"hpcenv-{secrets.token_hex(2)}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wheel_version(wheel: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", wheel.name.split("-")[1]))
