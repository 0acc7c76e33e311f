"""Install packages into a prefix with uv or pip, from a private file that we wrote ourselves.

Nothing that a person typed stands in an argument list: it would be an option there, and everybody who
can list processes could read it. What would lead an installer out of the prefix is taken from its
environment; everything else that a user or a site set for it counts.
"""

from __future__ import annotations

import contextlib
import email
import errno
import fcntl
import hashlib
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ..errors import BuildFailed
from ..files import write_atomic
from ..models import Reporter
from ..process import Completed, run
from ..site.config import os_release
from . import caches, only, pipconf
from .contract import Choice, Surroundings
from .failures import failure
from .output import Watch, clean
from .prefixes import find_uv

#: Variables of uv that would choose another place or Python than the prefix, or compile what the proof compiles.
UV_DROPPED = frozenset(
    {
        *("UV_SYSTEM_PYTHON", "UV_BREAK_SYSTEM_PACKAGES", "UV_PYTHON", "UV_PYTHON_PREFERENCE", "UV_MANAGED_PYTHON"),
        *("UV_NO_MANAGED_PYTHON", "UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY"),
        *("UV_COMPILE_BYTECODE", "UV_QUIET", "UV_VERBOSE"),
    }
)


def build_environment(
    inherited: Mapping[str, str], choice: Choice, prefix: Path, around: Surroundings | None = None
) -> dict[str, str]:
    """Return the variables for the programs that build *prefix*; *inherited* has those of the modules already."""
    dropped = pipconf.DROPPED | UV_DROPPED | {"PYTHONDONTWRITEBYTECODE"}
    env = {name: value for name, value in inherited.items() if name not in dropped}
    # a variable beats pip's files; pip refuses --user inside of an environment
    env.update(NO_COLOR="1", PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", PIP_DISABLE_PIP_VERSION_CHECK="1")
    env.update(PIP_NO_INPUT="1", PYTHONUNBUFFERED="1", VIRTUAL_ENV=str(prefix))
    env["PYTHONNOUSERSITE"] = "1"  # as in the kernel: what lies in ~/.local does not count as installed
    if pipconf.setting("retries", env) == "0":
        env["PIP_RETRIES"] = "1"  # without one pip says “no such package” where nothing answers, and no more
    url = choice.options.get("index_url")
    if isinstance(url, str) and url:
        env.update(PIP_INDEX_URL=url, UV_DEFAULT_INDEX=url)
        env.pop("UV_INDEX_URL", None)
    if around is not None:
        env.update(around.build_variables)
        if around.modules or around.build_variables:
            env["PIP_CACHE_DIR"] = str(cache_of(around, env))
    if choice.installer == "uv":
        env["UV_PYTHON_DOWNLOADS"] = "never"
        if not links(env, prefix):
            env.setdefault("UV_LINK_MODE", "copy")  # else uv warns that it can not link
    return only.environment(env)


def cache_of(around: Surroundings, env: Mapping[str, str]) -> Path:
    """Return a cache for pip that these modules have for themselves.

    pip keys what it built by Python and architecture alone, and would give what another compiler or MPI built.
    """
    told = pipconf.setting("cache-dir", env)
    cache = Path(told) if told else Path(env.get("XDG_CACHE_HOME") or Path(env["HOME"]) / ".cache") / "pip"
    what = json.dumps([os_release(), os.uname().machine, around.modules, sorted(around.build_variables.items())])
    return cache / "hpcenv" / hashlib.sha256(what.encode()).hexdigest()[:16]


def links(env: Mapping[str, str], prefix: Path) -> bool:
    """Tell whether uv's cache lies on the filesystem of *prefix*, so that it can link files instead of copying."""
    try:
        return existing_cache(env).stat().st_dev == prefix.parent.stat().st_dev
    except OSError:
        return False


def existing_cache(env: Mapping[str, str]) -> Path:
    """Return the folder of uv's cache, or the nearest one above it that is there."""
    cache = caches.uv(env).path
    while not cache.exists():
        cache = cache.parent
    return cache


def cache_takes_locks(env: Mapping[str, str]) -> bool:
    """Tell whether files can be locked where uv's cache lies: some network filesystems refuse it, and uv ends then."""
    try:
        with tempfile.TemporaryFile(dir=existing_cache(env)) as probe:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.ENOLCK, errno.EBADF, errno.ENOSYS, errno.EOPNOTSUPP)
    return True


def write_requirements(folder: Path, requirements: Sequence[str], kernel: bool, *, constrained: bool = False) -> Path:
    """Write the requirements for an installer, with ipykernel where a kernel is wanted; return the file.

    *constrained*: `write_constraints` has written a file beside it.
    """
    lines = [_line(text) for text in requirements]
    if constrained:
        lines.append("-c constraints.txt")
    if kernel and "ipykernel" not in {_name(text) for text in requirements}:
        lines.append("ipykernel")
    path = folder / "requirements.txt"
    write_atomic(path, "".join(f"{line}\n" for line in lines).encode())
    return path


def write_constraints(folder: Path, around: Surroundings) -> bool:
    """Write which versions the modules' packages have, so that none is installed anew behind them; False without any.

    What modules put on PYTHONPATH comes first whatever is installed beside it: another version would never be
    imported, but what needs it would be installed, and fail. EBPYTHONPREFIXES comes behind, so it fixes nothing.
    """
    lines = sorted({f"{name}=={version}" for name, version in _brought(around.environ)})
    if lines:
        write_atomic(folder / "constraints.txt", "".join(f"{line}\n" for line in lines).encode())
    return bool(lines)


def _brought(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    folders = [Path(folder) for folder in environ.get("PYTHONPATH", "").split(":") if folder.startswith("/")]
    for found in distributions(path=[str(folder) for folder in folders]):
        name, version = found.metadata["Name"], found.metadata["Version"]
        with contextlib.suppress(InvalidRequirement, InvalidVersion, TypeError):
            yield str(canonicalize_name(Requirement(name).name)), str(Version(version))


def _line(requirement: str) -> str:
    """Return a requirement as installers read it; a path becomes a URL, in which a space can do no harm."""
    if requirement.startswith("-e "):
        return f"-e {Path(requirement.removeprefix('-e ')).as_uri()}"
    return requirement


def _name(requirement: str) -> str:
    try:
        return str(canonicalize_name(Requirement(requirement).name))
    except InvalidRequirement:
        return ""


def seed_pip(choice: Choice, prefix: Path, env: Mapping[str, str], report: Reporter) -> None:
    """Install the recent pip that virtualenv carries: ensurepip's may be years old, and a wheelhouse may have none."""
    _seed([_carried("pip", choice)], choice, prefix, env, report)


def carried_pip() -> list[str]:
    """Return a command that is pip, whether our own Python has one or not; raises `BuildFailed`."""
    wheel = _carried_for("pip", f"{sys.version_info[0]}.{sys.version_info[1]}")
    return [sys.executable, f"{wheel}/pip"]  # a wheel is a zip that Python can import from


def _carried(name: str, choice: Choice) -> Path:
    """Return the wheel that virtualenv carries for the Python that was chosen; raises `BuildFailed`."""
    return _carried_for(name, ".".join(choice.python.version.split(".")[:2]))


def _carried_for(name: str, short: str) -> Path:
    found = _lying(name, short)
    if found is None:
        from virtualenv.seed.wheels.embed import get_embed_wheel  # takes as long to import as uv takes to install it

        embedded = get_embed_wheel(name, short)
        found = Path(embedded.path) if embedded else None
    if found is None:
        raise BuildFailed(f"virtualenv carries no {name} for Python {short}.", hints=["Choose a newer Python."])
    return found


def _lying(name: str, python: str) -> Path | None:
    """Return the newest wheel among virtualenv's files that says it is for that Python; None: virtualenv is asked."""
    there = importlib.util.find_spec("virtualenv")
    folders = (there.submodule_search_locations if there else None) or []
    wheels = [
        path for each in folders for path in (Path(each) / "seed/wheels/embed").glob(f"{name}-*-py3-none-any.whl")
    ]
    for wheel in sorted(wheels, key=lambda path: Version(path.name.split("-")[1]), reverse=True):
        with contextlib.suppress(OSError, BadZipFile, KeyError, InvalidSpecifier), ZipFile(wheel) as archive:
            number = wheel.name.split("-")[1]
            facts = email.message_from_bytes(archive.read(f"{name}-{number}.dist-info/METADATA"))
            if f"{python}.0" in SpecifierSet(facts.get("Requires-Python", "")):
                return wheel
    return None


def seed_backend(choice: Choice, prefix: Path, env: Mapping[str, str], report: Reporter) -> None:
    """Install a recent setuptools where packages are built without isolation and none is there that makes wheels.

    A module's own is not shadowed, nor that of the Python below; only where it is too old to make wheels by itself
    (before 70.1) and has no package wheel beside it, which no build could use.
    """
    if not choice.options.get("no_build_isolation"):
        return
    done = run([str(prefix / "bin" / "python"), "-c", _MAKES_WHEELS], env=env, check=report.check, timeout=60)
    if not done.ok or not done.tail or done.tail[-1] != "False":
        return
    try:
        wheel = _carried("setuptools", choice)
    except BuildFailed:
        return  # a package that has to be built will say what it misses
    _seed([wheel], choice, prefix, env, report)


_MAKES_WHEELS = """\
import importlib.util, pathlib
found = importlib.util.find_spec("setuptools")
own = found and found.origin and (pathlib.Path(found.origin).parent / "command" / "bdist_wheel.py").exists()
print(bool(own or found and importlib.util.find_spec("wheel")))
"""


def _seed(wheels: Sequence[Path], choice: Choice, prefix: Path, env: Mapping[str, str], report: Reporter) -> None:
    """Install wheels that virtualenv carries.

    No index, configuration or constraint of the user's has a say in this: they are tools, not packages.
    """
    pinned = ["==".join(wheel.name.split("-")[:2]) for wheel in wheels]
    links = ["--no-index", "--find-links", str(wheels[0].parent), "--no-deps", *pinned]
    kept = {name: value for name, value in env.items() if not name.startswith(("PIP_", "UV_"))}
    kept["PIP_CONFIG_FILE"] = os.devnull
    kept.update({name: env[name] for name in ("UV_CACHE_DIR", "UV_LINK_MODE", "PIP_CACHE_DIR") if name in env})
    python = str(prefix / "bin" / "python")
    argv = [find_uv(), "pip", "install", "--quiet", "--no-config", "--python", python, *links]
    if choice.installer != "uv":
        if find_uv() and run(argv, env=kept, check=report.check).ok:
            return  # a second of pip's time is saved, whoever goes on
        pip = _carried("pip", choice)  # a wheel is a zip that Python can import from
        argv = [python, f"{pip}/pip", "install", "--quiet", "--no-compile", "--ignore-installed", *links]
    done = run(argv, env=kept, check=report.check)
    if not done.ok:
        raise failure(choice.installer, [clean(line) for line in done.tail])


def install(
    choice: Choice,
    wanted: Path,
    prefix: Path,
    env: Mapping[str, str],
    report: Reporter,
    providers: Mapping[str, str] | None = None,
    more: Sequence[str] = (),
) -> None:
    """Install what the file *wanted* names, in one transaction; raises what `failures.failure` finds.

    The working folder is the file's: uv looks for ``uv.toml`` in the folders above it, and above a
    temporary folder others could put one. *providers* is the site's table of modules, by what a build may miss;
    *more* are options besides.
    """
    watch = Watch(report, choice.installer)
    watch.begin()
    done: Completed = run(
        [*command(choice, prefix), *more, *options(choice), "-r", str(wanted)],
        env=env,
        cwd=wanted.parent,
        on_line=watch.line,
        check=report.check,
    )
    if not done.ok:
        raise failure(choice.installer, watch.lines, providers)
    watch.end()


def download(choice: Choice, wanted: Path, folder: Path, env: Mapping[str, str], report: Reporter) -> None:
    """Download what the file *wanted* names, and what that needs, into *folder*; source archives come with setuptools.

    uv can not, so pip does it, whoever installs afterwards.
    """
    pip = [choice.python.path, f"{_carried('pip', choice)}/pip"]
    fixed = ["download", "--no-color", "--progress-bar", "raw", "--dest", str(folder)]
    watch = Watch(report, "pip")
    done = run(
        [*pip, *fixed, *options(msgspec.structs.replace(choice, installer="pip")), "-r", str(wanted)],
        env=env,
        cwd=wanted.parent,
        on_line=watch.line,
        check=report.check,
    )
    if not done.ok:
        raise failure("pip", watch.lines)
    if any(path.suffix != ".whl" for path in folder.iterdir()):
        done = run([*pip, *fixed, "setuptools", "wheel"], env=env, cwd=wanted.parent, check=report.check)
        if not done.ok:
            raise failure("pip", [clean(line) for line in done.tail])


def command(choice: Choice, prefix: Path) -> list[str]:
    """Return the command that installs into *prefix*, without what is to be installed."""
    python = str(prefix / "bin" / "python")
    if choice.installer == "uv":
        argv = [find_uv(), "pip", "install", "--python", python, "--no-compile-bytecode"]
        return [*argv, "--color", "never", "--no-progress"]
    return [python, "-m", "pip", "install", "--no-compile", "--no-color", "--progress-bar", "raw"]


def options(choice: Choice) -> list[str]:
    """Return the site's own settings as options; none of them is a person's."""
    argv = common_options(choice.options)
    if choice.options.get("prefer_binary") and choice.installer == "pip":  # uv has no such option
        argv.append("--prefer-binary")
    return argv


def common_options(options: Mapping[str, str | bool | list[str]]) -> list[str]:
    """Return those of the site's settings that uv and pip have both."""
    argv = ["--no-index"] if options.get("no_index") or only.no_index() else []
    links = options.get("find_links")
    for link in links if isinstance(links, list) else []:
        argv += ["--find-links", link]
    if options.get("no_build_isolation"):
        argv.append("--no-build-isolation")
    sources = options.get("sources")
    return [*argv, *only.options(sources if isinstance(sources, list) else None)]
