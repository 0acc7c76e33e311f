"""``create``: submit a request and follow the operation to its end."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .session import Session, with_session

if TYPE_CHECKING:
    from ..models import CreateRequest, EnvironmentDetail


@click.command()
@click.argument("name")
@click.argument("packages", nargs=-1, metavar="[PACKAGE]...")
@click.option(
    "--file",
    "file",
    metavar="FILE",
    default="",
    help="Requirements, pyproject.toml, pylock.toml, Pipfile, Pipfile.lock, a capsule, or what conda describes an "
    "environment by; “-” reads standard input.",
)
@click.option("--extra", "extras", metavar="EXTRA", multiple=True, help="Extra of a pyproject.toml; repeatable.")
@click.option(
    "--group", "groups", metavar="GROUP", multiple=True, help="Dependency group, or “dev” of a Pipfile; repeatable."
)
@click.option("--manager", default="", metavar="MANAGER", help="Environment manager: venv (default), conda, modules.")
@click.option("--channel", "-c", "channels", metavar="CHANNEL", multiple=True, help="Conda channel, best first.")
@click.option(
    "--virtual-package",
    "virtual_packages",
    metavar="NAME=VERSION",
    multiple=True,
    help="Version of a virtual package of conda's, such as cuda=12.4, on the computer that it is for; repeatable.",
)
@click.option("--installer", default="", metavar="uv|pip", help="What installs packages.")
@click.option("--creator", default="", metavar="uv|venv|virtualenv", help="What makes the prefix.")
@click.option("--python", default="", metavar="PYTHON", help="A version such as 3.12, or a path; see “pythons”.")
@click.option("--location", default="", metavar="LOCATION", help="Where it goes; see “locations”.")
@click.option("--prefix", default="", metavar="PATH", help="The whole path of the prefix, instead of a location.")
@click.option(
    "--system-site-packages/--no-system-site-packages",
    default=None,
    help="Let it see the packages of its Python; default: only where a module brings packages.",
)
@click.option("--module", "modules", metavar="MODULE", multiple=True, help="Module to load, in order; repeatable.")
@click.option("--modules-file", metavar="FILE", default="", help="The same from a file, one module a line.")
@click.option("--modules-from-loaded", is_flag=True, help="The modules that are loaded in this shell.")
@click.option("--collection", metavar="NAME", default="", help="The modules of a saved collection.")
@click.option(
    "--build-var",
    "build_variables",
    metavar="NAME=VALUE",
    multiple=True,
    help="Variable for builds from source only, such as MPICC or HDF5_DIR; repeatable.",
)
@click.option("--preset", default="", metavar="PRESET", help="Begin with a request that staff prepared; see “presets”.")
@click.option(
    "--set", "values", metavar="NAME=VALUE", multiple=True, help="Value of a parameter of the preset; repeatable."
)
@click.option("--var", "variables", metavar="NAME=VALUE", multiple=True, help="Variable of its kernel; repeatable.")
@click.option("--display-name", default="", metavar="TEXT", help="What Jupyter shows; default: the name.")
@click.option("--no-kernel", is_flag=True, help="Make no kernel.")
@click.option(
    "--profile", default="", metavar="PROFILE", help="Let its kernel run in a job of this kind; see “profiles”."
)
@click.option(
    "--on", "partition", metavar="PARTITION", default="", help="Build in a job of the batch system; see “targets”."
)
@click.option("--constraint", default="", metavar="FEATURES", help="Features that the job's node must have.")
@click.option("--account", default="", metavar="ACCOUNT", help="Account (project) that the job is charged to.")
@click.option("--qos", default="", metavar="QOS", help="The job's quality of service.")
@click.option(
    "--time", "minutes", default="", metavar="TIME", help="The job's time: minutes, or hours:minutes:seconds."
)
@click.option("--cpus", default=0, metavar="N", help="The job's processors.")
@click.option("--memory", default="", metavar="SIZE", help="The job's memory, such as 4G.")
@click.option(
    "--target",
    "targets",
    metavar="ARCH",
    multiple=True,
    help="Kind of computer to build for; repeatable: one kernel, a build for each.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be installed, and build nothing; conda alone can tell.")
@click.option("--if-missing", is_flag=True, help="Do nothing if a usable environment of that name is there.")
@with_session
def create(
    session: Session,
    name: str,
    packages: tuple[str, ...],
    file: str,
    extras: tuple[str, ...],
    groups: tuple[str, ...],
    manager: str,
    channels: tuple[str, ...],
    virtual_packages: tuple[str, ...],
    installer: str,
    creator: str,
    python: str,
    location: str,
    prefix: str,
    system_site_packages: bool | None,
    modules: tuple[str, ...],
    modules_file: str,
    modules_from_loaded: bool,
    collection: str,
    build_variables: tuple[str, ...],
    preset: str,
    values: tuple[str, ...],
    variables: tuple[str, ...],
    display_name: str,
    no_kernel: bool,
    profile: str,
    partition: str,
    constraint: str,
    account: str,
    qos: str,
    minutes: str,
    cpus: int,
    memory: str,
    targets: tuple[str, ...],
    dry_run: bool,
    if_missing: bool,
) -> int:
    """Create an environment and its kernel.

    NAME is what it will be called; each PACKAGE is a requirement such as “numpy” or “pandas>=2”, or with
    “--manager conda” a match spec such as “numpy=2” or “conda-forge::r-base”. The file is then an
    environment.yml, an explicit list or a lockfile. A lockfile, or a capsule, gives exactly what it lists.

    The build goes on when the terminal is lost; Ctrl-C cancels it and removes what was built.
    """
    from ..models import BatchRequest, CreateRequest
    from .inputs import modules_of, text_of, variable

    if sum(map(bool, (modules, modules_file, modules_from_loaded, collection))) > 1:
        raise click.UsageError("--module, --modules-file, --modules-from-loaded and --collection exclude each other.")
    job = BatchRequest(
        partition=partition, constraint=constraint, account=account, qos=qos, time=minutes, cpus=cpus, memory=memory
    )
    text = text_of(file, "a description of an environment") if file else ""
    described = manager == "conda" or _is_described(file, text)
    request = CreateRequest(
        name=name,
        packages=list(packages),
        requirements=_requirements(text, file) if file and not described else "",
        file=text if described else "",
        extras=list(extras),
        groups=list(groups),
        channels=list(channels),
        virtual_packages=dict(variable(text) for text in virtual_packages),
        installer=installer,
        creator=creator,
        python=os.path.abspath(os.path.expanduser(python)) if os.sep in python else python,  # noqa: PTH100, PTH111
        location=location,
        prefix=os.path.abspath(os.path.expanduser(prefix)) if prefix else "",  # noqa: PTH100, PTH111
        system_site_packages=system_site_packages,
        modules=_loaded(session) if modules_from_loaded else modules_of(modules, modules_file),
        collection=collection,
        build_variables=dict(variable(text) for text in build_variables),
        variables=dict(variable(text) for text in variables),
        display_name=display_name,
        kernel=not no_kernel,
        profile=profile,
        on=job if job != BatchRequest() else None,
        targets=list(targets),
    )
    if manager:
        request.manager = manager
    if preset:
        from .presets import given

        request = _over(session.admission.fill_preset(preset, given(session, preset, values)), request)
    elif values:
        raise click.UsageError("--set gives parameters of a preset, and none is named (--preset).")
    if dry_run:
        return _plan(session, request)
    if if_missing:
        there = _existing(session, request)
        if there is not None:
            session.output.say(f"{there.name} is there already; nothing was changed.")
            _answer(session, there)
            return 0
    return build(session, request)


def _over(prepared: CreateRequest, asked: CreateRequest) -> CreateRequest:
    """Return a request as it was prepared, with what is asked for besides: lists and mappings grow, the rest wins."""
    import msgspec

    from ..models import CreateRequest

    empty, told = CreateRequest(name=""), {}
    for field in asked.__struct_fields__:
        wanted, there = getattr(asked, field), getattr(prepared, field)
        if wanted != getattr(empty, field):
            told[field] = (
                [*there, *(each for each in wanted if each not in there)]
                if isinstance(wanted, list)
                else {**there, **wanted}
                if isinstance(wanted, dict)
                else wanted
            )
    return msgspec.structs.replace(prepared, **told)


def _loaded(session: Session) -> list[str]:
    """Return the modules of this shell; raises `InvalidRequest` if there are none."""
    from ..errors import InvalidRequest

    names = session.admission.modules.loaded()
    if not names:
        raise InvalidRequest("No module is loaded in this shell.", hints=["Load them first, or name them (--module)."])
    return names


def build(session: Session, request: CreateRequest) -> int:
    """Submit a request, follow the operation to its end, and show what was made."""
    from . import failure
    from .follow import Stop, follow
    from .progress import view_for

    admission = session.admission
    with Stop() as stop, view_for(session.output) as view:
        operation = admission.submit("create", request)
        operation = follow(admission.operations, operation, view, stop)
    if operation.state == "interrupted":
        admission.reconcile()
        operation = admission.operations.get(operation.id)  # committed work counts; what was cancelled says so
    if operation.state != "succeeded":
        raise failure.of(operation)
    detail = admission.catalog.find(operation.environment.id)
    if detail.targets:
        from .builds import follow_left

        follow_left(session, detail.id)
        detail = admission.catalog.find(detail.id)
    _answer(session, detail)
    return 0


def _plan(session: Session, request: CreateRequest) -> int:
    """Show what a create would install; nothing is built."""
    from . import failure
    from .follow import Stop, follow
    from .planned import lines
    from .progress import view_for

    admission = session.admission
    with Stop() as stop, view_for(session.output) as view:
        operation = follow(admission.operations, admission.plan(request), view, stop)
    if operation.state != "succeeded" or operation.result is None:
        raise failure.of(operation)
    session.output.result(operation.result, lines(operation.result))
    return 0


def _answer(session: Session, environment: EnvironmentDetail) -> None:
    from .environments import described

    session.output.result(environment, described(environment))


def _existing(session: Session, request: CreateRequest) -> EnvironmentDetail | None:
    """Return the environment that the request would make, if it is there; raises `WrongState` if it is unusable."""
    from ..errors import WrongState
    from ..site.locations import default_name

    catalog = session.admission.catalog
    prefix = os.path.realpath(request.prefix) if request.prefix else ""
    location = request.location or ("" if prefix else default_name(session.admission.site))
    for row in catalog.environments():
        if row.origin == "foreign" or (row.prefix != prefix if prefix else row.location != location):
            continue
        if row.name != request.name:
            continue
        if row.state != "ready":
            raise WrongState(
                f"{row.name} is there, but it can not be used. {row.message}",
                hints=[f"Delete it with “jupyter hpcenv delete {row.id}”, then create it again."],
            )
        return catalog.find(row.id)
    return None


def _is_described(file: str, text: str) -> bool:
    """Tell by its name, and else by its content, whether a file is another thing than a list of requirements."""
    from ..formats.described_python import looks_described

    name = Path(file).name
    return name == "Pipfile" or name.endswith((".toml", ".json", "Pipfile.lock")) or looks_described(text)


def _requirements(text: str, file: str) -> str:
    """Return a list of requirements; its relative ``-e`` paths are made absolute, as pip reads them."""
    folder = Path.cwd() if file == "-" else Path(file).absolute().parent
    return re.sub(
        r"(?m)^(\s*(?:-e|--editable)(?:\s+|=))(\.{1,2}(?:/[^\s#]*)?)(?=\s|$)",
        lambda match: match[1] + os.path.normpath(folder / match[2]),
        text,
    )


COMMANDS = (create,)
