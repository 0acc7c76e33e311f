"""The words of the project as structures; JSON on disk and on the wire has exactly these fields.

msgspec is used because it starts in milliseconds. Times are ISO 8601 in UTC with a ``Z``, durations
are seconds, sizes are bytes. ``Environment`` and ``Operation`` are what doors show; ``Record``,
``Ticket`` and ``Status`` are what lies on disk.
"""

from __future__ import annotations

import datetime
from typing import Any, Literal, Protocol

import msgspec

RECORD_VERSION = 1

EnvironmentState = Literal["ready", "missing", "python_gone", "module_missing", "broken", "newer", "slow"]
Origin = Literal["own", "shared", "adopted", "foreign"]
OperationState = Literal["pending", "running", "succeeded", "failed", "cancelled", "interrupted"]
StepState = Literal["todo", "running", "done", "failed"]
LineKind = Literal["step", "output", "warning", "error"]
FINISHED: frozenset[str] = frozenset({"succeeded", "failed", "cancelled", "interrupted"})

#: Stands before what pip installs, among the packages that a conda environment was asked for with.
BY_PIP = "pip: "


def utc_now() -> str:
    """Return this moment as ISO 8601 in UTC, to the millisecond."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class BatchRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is asked of the batch system for a build or a kernel; what is empty is the site's to say."""

    partition: str = ""
    constraint: str = ""
    """Features that the node must have, in the batch system's own words."""
    account: str = ""
    qos: str = ""
    time: str = ""
    """Minutes, or “hours:minutes:seconds”, with “days-” before them."""
    cpus: int = 0
    memory: str = ""
    """For example “4G”."""
    gpus: str = ""
    """A number, or “type:number”."""
    options: dict[str, str] = {}
    """Further options by their long names; only the site's profiles have them."""


JobState = Literal[
    "pending",
    "running",
    "suspended",
    "completed",
    "failed",
    "cancelled",
    "timeout",
    "node_fail",
    "preempted",
    "out_of_memory",
]

#: States of a job in which it may still do something.
JOB_LIVES = frozenset({"pending", "running", "suspended"})


class Job(msgspec.Struct, kw_only=True):
    """A job as the batch system shows it."""

    system: str
    name: str
    id: str = ""
    """Empty while it is not known whether the batch system has taken it."""
    cluster: str = ""
    """The cluster whose queue it is in: another one that shares the home knows nothing of it."""
    state: JobState = "pending"
    reason: str = ""
    """Why it waits, in the batch system's own word, such as “Resources”."""
    partition: str = ""
    nodes: str = ""
    submitted: int = 0
    """Seconds since the epoch, by the batch system's clock."""
    started: str = ""
    ends: str = ""
    """When its time is up."""
    restarts: int = 0


class Partition(msgspec.Struct, kw_only=True):
    """A partition (queue) of the batch system."""

    name: str
    default: bool = False
    up: bool = True
    longest: str = ""
    """The longest time that a job may ask for, in the batch system's own form."""
    nodes: int = 0
    features: list[str] = []


class KernelProfile(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Resources of a kernel that runs in a job, as the site offers them under a name."""

    name: str = ""
    display_name: str = ""
    description: str = ""
    request: BatchRequest = msgspec.field(default_factory=BatchRequest)
    idle_minutes: int = 0
    """After so many minutes in which nothing was executed the job ends; 0: only with its kernel."""
    keep_minutes: int = 0
    """So many minutes the job goes on without a server, for the user's next one to find it; 0: it ends with its own."""


class BatchFacts(msgspec.Struct, kw_only=True):
    """What may be asked of the batch system here."""

    system: str = ""
    """Its name; empty where there is none."""
    where: str = "here"
    """Where builds run that ask for nothing: here, sbatch or command."""
    partitions: list[Partition] = []
    message: str = ""
    """Why there are no partitions."""
    target: str = ""
    """What the site calls the kind of computer that this is."""
    targets: dict[str, str] = {}
    """Other kinds that the site names, with what it says of each."""


class CreateRequest(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=False, kw_only=True):
    """What somebody asks for before it is built. Empty string or None: the site's default."""

    name: str
    manager: str = "venv"
    python: str = ""
    """A path, a version such as ``3.12``, or empty for the first of the list."""
    packages: list[str] = []
    """PEP 508 requirements."""
    requirements: str = ""
    """Text of a requirements file, read strictly line by line."""
    location: str = ""
    prefix: str = ""
    installer: str = ""
    creator: str = ""
    system_site_packages: bool | None = None
    """Whether it sees the packages of its Python; null: only where a module brings packages."""
    modules: list[str] = []
    """Modules of the site's module system, in the order in which they are to be loaded."""
    collection: str = ""
    """A saved collection of modules, instead of `modules`."""
    build_variables: dict[str, str] = {}
    """Variables for builds from source only, such as MPICC or HDF5_DIR."""
    channels: list[str] = []
    """Conda channels, best first; empty: those that are configured."""
    virtual_packages: dict[str, str] = {}
    """Versions of conda's virtual packages on the computer that it is for: ``{"cuda": "12.4"}``."""
    file: str = ""
    """Text of a file that says what it is to hold: environment.yml, explicit list or lockfile of conda; pyproject.toml,
    pylock.toml, Pipfile, Pipfile.lock or requirements.txt for venv; a capsule."""
    extras: list[str] = []
    """Extras of the project that `file` describes."""
    groups: list[str] = []
    """Dependency groups of `file`; ``dev`` means the packages for development in a Pipfile."""
    clone_of: str = ""
    """An environment that is to be made again, instead of packages and files: its id, NAME or LOCATION/NAME."""
    variables: dict[str, str] = {}
    display_name: str = ""
    kernel: bool = True
    profile: str = ""
    """Name of the site's profile of the job in which its kernel runs; empty: beside the server."""
    on: BatchRequest | None = None
    """Build as a job of the batch system, with what this asks for; None: where the site builds."""
    targets: list[str] = []
    """Kinds of computers to build for, as the site calls them; empty: the one where it is built, and no other."""


class PinnedPackage(msgspec.Struct, frozen=True, kw_only=True):
    """One exact conda package of an explicit list or lockfile."""

    url: str
    sha256: str = ""
    """In hexadecimal digits, as `md5`; empty where the file does not say it."""
    md5: str = ""


class LockedArchive(msgspec.Struct, frozen=True, kw_only=True):
    """One archive that an index has of a Python package."""

    name: str
    url: str
    hashes: dict[str, str]
    """By kind, such as ``sha256``, in hexadecimal digits."""


class LockedPackage(msgspec.Struct, frozen=True, kw_only=True):
    """One exact Python package of a lockfile."""

    name: str
    version: str = ""
    """May be empty where `url` tells it."""
    url: str = ""
    """Of an archive or commit; empty for what an index has."""
    marker: str = ""
    """Under which conditions it is installed; empty: under any."""
    hashes: list[str] = []
    """Digests of the archives that may be taken, as ``sha256:…``; empty where none is known."""
    archives: list[LockedArchive] = []
    """Where they are, as far as an index told it."""


class Contents(msgspec.Struct, kw_only=True):
    """What a file says that an environment is to hold; read by `formats`, built by a manager."""

    kind: str
    """Such as ``environment.yml``, ``explicit``, ``pylock.toml`` or ``capsule``."""
    name: str = ""
    channels: list[str] = []
    specs: list[str] = []
    """Canonical match specs."""
    pip: list[str] = []
    """PEP 508 requirements, for pip inside the environment."""
    pinned: list[PinnedPackage] = []
    asked: list[str] = []
    """Match specs that count as asked for, where `pinned` says what is installed."""
    locked: list[LockedPackage] = []
    """Exact Python packages; `pip` then says what counts as asked for."""
    python: str = ""
    """The version of Python that the file asks for."""
    requires_python: str = ""
    """Which versions will do, as a specifier such as ``>=3.10``."""
    markers: list[str] = []
    """Of which one must hold, where there are any: the computers that a lockfile is for."""
    extras: list[str] = []
    """What markers of lockfiles ask for, as `groups`."""
    groups: list[str] = []
    source: str = ""
    """The prefix of an environment of one's own that this is a clone of."""
    variables: dict[str, str] = {}
    warnings: list[str] = []
    """What the file says and we do not do, a sentence each."""


class PythonFact(msgspec.Struct, kw_only=True):
    """An interpreter found by reading the disk; none was started to learn this."""

    path: str
    """The path that a person would type."""
    real: str
    """The same with links resolved."""
    version: str
    """``3.12.11``, or ``3.12`` where no file tells the rest."""
    source: Literal["site", "path", "folder", "pyenv", "system", "conda"]
    """``conda``: it is a package of the environment, and has no path before that is built."""
    label: str
    """What a person is shown, for example ``Python 3.12.11 (pyenv)``."""
    default: bool = False
    forbidden: str = ""
    """Why the site's policy lets no environment stand on it; empty where it does."""


class Platform(msgspec.Struct, kw_only=True):
    """Where an environment was built."""

    cluster: str
    os: str
    arch: str
    partition: str = ""
    """Of the batch system; empty outside a job."""
    glibc: str = ""
    """Version of the C library; empty where it is another one, or was not written down."""
    target: str = ""
    """What the site calls this kind of computer; empty if that was not written down."""


class Preflight(msgspec.Struct, kw_only=True):
    """How the environment was proven before it was published."""

    kind: Literal["kernel", "import"]
    seconds: float
    at: str


class Kernel(msgspec.Struct, kw_only=True):
    """A kernel of an environment; ``path`` is its kernelspec folder, empty while unpublished."""

    name: str
    display_name: str
    path: str = ""
    source: str = ""
    """Name of the kernelspec in the prefix that it starts; empty for the environment's own ipykernel."""


class Module(msgspec.Struct, kw_only=True):
    """A module of the module system as it was when it was captured."""

    name: str
    """The full name, with version: ``gcc/12.3.0``."""
    path: str = ""
    """Its modulefile."""
    digest: str = ""
    """SHA-256 of the modulefile, in hexadecimal digits; empty if it could not be read."""


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that modules put where Python looks for packages."""

    module: str
    """Whose it is; empty where that can not be told."""
    path: str
    kind: Literal["path", "prefix", "python"]
    """On PYTHONPATH, on EBPYTHONPREFIXES (then it is the folder above ``lib``), or of their Python."""


class ModuleSet(msgspec.Struct, kw_only=True):
    """The modules of an environment, as resolved and captured; what its launch script loads."""

    system: str
    """``lmod`` or ``tcl``."""
    version: str = ""
    init: str = ""
    """The module system's start file for bash; empty where none is needed."""
    purge: str = "default"
    """What goes first: ``default``, ``purge`` or ``none``; see the trait ``Site.module_purge``."""
    modulepath: list[str] = []
    """Where modules are looked for, besides what the environment says at the time."""
    asked: list[str] = []
    """As somebody asked for them."""
    load: list[str] = []
    """Full names of what was asked for, in the order in which they are loaded."""
    loaded: dict[str, list[Module]] = {}
    """All that loading them brings, dependencies too: one list for each target (such as ``debian12-x86_64``)."""
    messages: list[str] = []
    """What the modules said while they were captured, a line each."""
    watch: list[str] = []
    """Files and folders that decide what loading gives: modulefiles, their folders, default-version files."""
    state: str = ""
    """How `watch` stood: what ``stat`` prints of it, sorted by nothing, as `jupyter_hpcenv.modules` defines it."""
    reads: list[str] = []
    """Variables that the modulefiles read."""
    home: str = ""
    """HOME when they were captured: files of the user's own there are in `watch`, those of a colleague are not."""
    brings: list[Brought] = []
    """Where they put Python packages, in the order in which Python looks there."""
    live: str = ""
    """Why the outcome must not be cached, in one sentence; empty if it may be."""


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """A module that is not any more what it was when it was captured."""

    module: str
    path: str
    kind: Literal["gone", "changed", "unreadable"]
    message: str


class ActivationFile(msgspec.Struct, frozen=True, kw_only=True):
    """A modulefile or script by which shells and jobs use an environment."""

    dialect: str
    name: str
    """What to load; empty for scripts, which are sourced by their path."""
    path: str
    """Empty where the site's configuration does not tell the folder."""


class Rebuild(msgspec.Struct, frozen=True, kw_only=True):
    """How another prefix gets the very packages of one that is there; told by its manager, done by scripts."""

    python: str = ""
    """The interpreter that it is made from; empty for conda's."""
    system_site_packages: bool = False
    installer: str
    """``uv``, which is taken where it is on PATH, or ``pip``, that of the environment, which does for uv too; or
    ``conda``, be it micromamba, mamba or conda, and then the copy's own pip for what is in `lock`."""
    explicit: list[str] = []
    """Exact conda packages: an explicit list, a line each."""
    lock: list[str]
    """The lockfile: exact requirements, a line each."""
    options: list[str] = []
    """What installers are told besides, such as a wheelhouse; the same for uv and pip."""
    variables: dict[str, str] = {}
    """What installers find in their environment, such as the index."""
    dropped: list[str] = []
    """Variables that they must not find there, because they would lead out of the prefix."""


class Sharing(msgspec.Struct, frozen=True, kw_only=True):
    """Who besides its owner may use an environment; nobody but the owner may ever write it."""

    group: str = ""
    """Name of a group, or its number where it has no name; empty: everybody on the machine."""

    @property
    def whom(self) -> str:
        """The same as a person reads it."""
        return f"the group {self.group}" if self.group else "everybody"


class ShareRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST environments/{id}/share``: a group, or everybody."""

    group: str = ""
    everybody: bool = False


class UseRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST environments/{id}/use``."""

    modulefile: bool = False
    """Whether a modulefile is to be installed, too."""


class AdoptRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST adopted``: a prefix that another tool made."""

    prefix: str
    kernel: bool = True
    modulefile: bool = False


class Preinstalled(msgspec.Struct, frozen=True, kw_only=True):
    """By which manifest of the site an environment was made for everybody."""

    label: str
    """The manifest's."""
    name: str
    """What the manifest calls it; its releases share one name."""
    release: str = ""
    digest: str
    """Of what the manifest asked for: SHA-256 in hexadecimal digits."""
    rest: str
    """The same without the packages."""
    tested: str = ""
    """Digest of the test that it has passed; empty: of none."""


class Build(msgspec.Struct, kw_only=True):
    """What an environment is on another kind of computer than that of its own prefix; lies inside that one."""

    target: str
    prefix: str
    python: str
    python_path: str
    creator: str = ""
    installer: str = ""
    tools: dict[str, str] = {}
    modules: ModuleSet | None = None
    """The same modules, as they were captured there."""
    kernelspec: dict[str, Any] = {}
    platform: Platform
    on: BatchRequest | None = None
    created: str
    operation: str
    preflight: Preflight | None = None
    edition: int = 0
    """The record's when it was built: where that is another one by now, packages were changed since."""


class Record(msgspec.Struct, kw_only=True):
    """What an environment is; lies at ``<prefix>/.hpcenv/environment.json``; writing it commits."""

    version: int = RECORD_VERSION
    id: str
    name: str
    location: str
    prefix: str
    manager: str
    creator: str
    installer: str
    tools: dict[str, str] = {}
    """Versions of the programs that built it, such as ``{"uv": "0.13.8"}``."""
    python: str
    """Version."""
    python_path: str
    """The interpreter that the prefix was made from."""
    system_site_packages: bool = False
    packages: list[str] = []
    """What was asked for, canonical; not what it brought along. In conda's, `BY_PIP` marks lines for pip."""
    channels: list[str] = []
    """Conda channels that they came from, best first."""
    virtual_packages: dict[str, str] = {}
    """Versions of conda's virtual packages on the computer that it is for, as they were asked for."""
    modules: ModuleSet | None = None
    build_variables: dict[str, str] = {}
    """What builds from source saw, such as MPICC; kernels do not get them."""
    variables: dict[str, str] = {}
    profile: str = ""
    """The site's profile of the job in which its kernels run; empty: beside the server."""
    display_name: str
    kernels: list[Kernel] = []
    activation: list[str] = []
    """Dialects of the activation files that its owner had installed."""
    kernelspec: dict[str, Any] = {}
    """What the environment's own ipykernel says of itself: argv after the interpreter, metadata, …"""
    platform: Platform
    on: BatchRequest | None = None
    """What was asked of the batch system when it was built; changes are made there, too."""
    owner: str
    created: str
    changed: str
    operation: str
    preflight: Preflight | None = None
    shared: Sharing | None = None
    """With whom its owner shares it; null: with nobody."""
    preinstalled: Preinstalled | None = None
    """Which manifest it comes from; null: somebody asked for it."""
    target: str = ""
    """For which kind of computer its own prefix is, where it has, or is to have, several builds; else empty."""
    targets: list[str] = []
    """All that it was asked for."""
    builds: dict[str, Build] = {}
    """By target, besides its own prefix."""
    edition: int = 0
    """Counts changes of what is installed."""
    revision: int = 1
    """Counts changes; the ETag of the resource."""


class Environment(msgspec.Struct, kw_only=True, frozen=True):
    """A row of the list: what every door shows of an environment. Lists share rows, so nobody changes one."""

    id: str
    name: str
    location: str
    """Name of a location; ``elsewhere`` for a prefix outside all of them; empty for foreign ones."""
    prefix: str
    manager: str
    installer: str
    python: str
    state: EnvironmentState
    origin: Origin
    kernels: list[Kernel] = []
    display_name: str = ""
    owner: str = ""
    message: str = ""
    """Why the state is not ready, in one sentence; empty otherwise."""
    activation: list[ActivationFile] = []
    """The activation files that are installed."""


class EnvironmentDetail(Environment, kw_only=True, frozen=True):
    """All that the record says, besides the row."""

    creator: str = ""
    tools: dict[str, str] = {}
    python_path: str = ""
    system_site_packages: bool = False
    packages: list[str] = []
    channels: list[str] = []
    modules: ModuleSet | None = None
    drift: list[Drift] = []
    """What has become of its modules since they were captured."""
    build_variables: dict[str, str] = {}
    variables: dict[str, str] = {}
    profile: str = ""
    platform: Platform | None = None
    created: str = ""
    changed: str = ""
    operation: str = ""
    preflight: Preflight | None = None
    shared: Sharing | None = None
    target: str = ""
    targets: list[str] = []
    builds: dict[str, Build] = {}
    edition: int = 0
    revision: int = 0
    warnings: list[str] = []
    """What somebody should know of the change that was just made; empty in any other answer."""


class EnvironmentPatch(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An RFC 7396 merge patch of an environment: what is absent stays as it is."""

    display_name: str | msgspec.UnsetType = msgspec.UNSET
    variables: dict[str, str | None] | msgspec.UnsetType = msgspec.UNSET
    """A variable set to null is removed."""
    profile: str | msgspec.UnsetType = msgspec.UNSET
    """Empty: its kernel runs beside the server."""
    modules: list[str] | msgspec.UnsetType = msgspec.UNSET
    """The modules from now on, captured anew; an empty list: none."""


class Changes(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST environments/{id}/changes``: what one transaction does to the packages of an environment."""

    install: list[str] = []
    """PEP 508 requirements or match specs, as its manager takes them; ``pip: LINE`` for pip in a conda environment."""
    update: list[str] = []
    """Names, or more where another version than the newest is meant."""
    update_all: bool = False
    remove: list[str] = []
    """Names."""
    dry_run: bool = False
    """Only say what would change."""


class PresetParameters(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST presets/{preset}``."""

    parameters: dict[str, Any] = {}
    """As the preset's JSON Schema says; those that have a default may be left out."""


class UndoRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST environments/{id}/undo``."""

    dry_run: bool = False
    """Only say what would change."""


class Earlier(msgspec.Struct, kw_only=True):
    """Exactly what was in an environment before a change of its packages."""

    version: int = RECORD_VERSION
    environment: str
    """Its id."""
    operation: str
    """Of the change that came then."""
    at: str
    user: str
    packages: list[str]
    """What was asked for."""
    contents: Contents
    versions: dict[str, str] = {}
    """By name; also of what `contents` can not say how to get again."""
    sources: dict[str, str] = {}
    """Where each was from, as lists of packages tell it."""
    after: dict[str, str] | None = None
    """The versions after the change; null until it is done."""


class RebuildRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST environments/{id}/rebuild``."""

    python: str = ""
    """Another Python to build on, where the one that it had is gone; a path, or a version such as ``3.12``."""


class BuildRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST environments/{id}/builds``."""

    target: str = ""
    """For which kind of computer; empty: for this one."""


class MoveRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST environments/{id}/move``."""

    location: str
    """Where it is to lie from then on."""


class KernelPatch(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of ``PUT environments/{id}/kernels/{kernel}``."""

    display_name: str = ""


class Location(msgspec.Struct, kw_only=True):
    """A named place for environments, as it stands now."""

    name: str
    root: str
    """Resolved; empty if a variable in it is not set."""
    description: str = ""
    state: Literal["ready", "missing", "unwritable", "slow"] = "ready"
    message: str = ""
    default: bool = False
    free_bytes: int | None = None
    total_bytes: int | None = None
    free_files: int | None = None
    total_files: int | None = None
    quota_bytes: int | None = None
    """What the user, or the location's group or project, may use; null where there is no quota or none is known."""
    used_bytes: int | None = None
    quota_files: int | None = None
    used_files: int | None = None
    quota_message: str = ""
    """Why the quota is not known, in one sentence; empty otherwise."""
    group: str = ""
    """The group whose quota counts; empty: the user's own."""
    project: str = ""
    """The project id of Lustre whose quota counts."""
    purge_days: int | None = None
    """Days after which files go that nobody used; null: nothing is purged, as far as the site says."""
    purge_by: str = ""
    """Which time of a file counts for that: ``atime``, ``mtime`` or ``ctime``."""
    backed_up: bool | None = None
    """Null where the site does not say."""
    sharing: bool = False
    """Whether environments in it may be shared with colleagues."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done to an environment."""

    at: str
    user: str
    host: str
    verb: str
    detail: str = ""
    """What besides, in a few words."""
    operation: str = ""
    """Id of the operation that did it; empty for what is done at once."""
    packages: list[str] = []
    """``+ NAME VERSION`` came, ``~ NAME OLD → NEW`` changed, ``- NAME VERSION`` went."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large an environment is, as it was measured; the figures are null until it was."""

    environment: str
    """Its id."""
    name: str
    location: str
    bytes: int | None = None
    """What deleting it would free: allocated bytes that nothing else shares."""
    files: int | None = None
    """Files, folders and links of its own."""
    shared_bytes: int = 0
    """What it shares by hardlinks, with a cache of packages or another environment."""
    shared_files: int = 0
    measured: str = ""
    """When; empty if never."""
    outdated: bool = False
    """Whether it was never measured, or changed since."""
    measuring: bool = False
    """Whether it is being measured now: ask again."""
    message: str = ""
    """Why it could not be measured, in one sentence; empty otherwise."""


class Cache(msgspec.Struct, frozen=True, kw_only=True):
    """A cache of packages that installers keep for the user; the figures are null until it was measured."""

    name: str
    """``uv``, ``pip``, ``conda``, or ``conda`` with a location or a folder behind it where there are several."""
    path: str
    """Where it is, with all links resolved; it need not be there."""
    bytes: int | None = None
    """What it takes besides what environments share with it by hardlinks."""
    files: int | None = None
    measured: str = ""
    """When; empty if never."""
    measuring: bool = False
    """Whether it is being measured now: ask again."""
    on_home: bool = False
    notes: list[str] = []
    """What somebody should know of where it lies, a sentence each."""
    used_by: list[str] = []
    """Ids of environments that link into it by symlinks, and would break without it."""
    cleanable: bool = False
    reason: str = ""
    """Why it can not be cleaned, or only in part, in one sentence; empty otherwise."""


class CleanCaches(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST caches/clean``."""

    caches: list[str] = []
    """Names; empty: all of them."""
    dry_run: bool = False
    """Only say what would go."""


class CleanedCache(msgspec.Struct, frozen=True, kw_only=True):
    """What went of a cache, or with `dry_run` what would go."""

    name: str
    path: str
    bytes: int = 0
    files: int = 0
    done: bool
    """Whether it was cleaned, or would be; False: it was left as it is."""
    reason: str = ""
    """Why it was left, or what of it stays, in one sentence; empty otherwise."""


class TrashItem(msgspec.Struct, kw_only=True):
    """A deleted environment that can still be restored."""

    id: str
    """Of the environment, so that “restore” names what was deleted."""
    name: str
    location: str
    prefix: str
    """Where it was, and where restore puts it."""
    path: str
    """Where it lies now."""
    python: str
    deleted: str
    expires: str
    """When it may be emptied."""


class LogLine(msgspec.Struct, kw_only=True):
    """One line of an operation's log; ``at`` counts seconds since the operation was submitted."""

    at: float
    kind: LineKind
    text: str


class Step(msgspec.Struct, kw_only=True):
    """One step of an operation."""

    name: str
    title: str
    state: StepState = "todo"
    seconds: float | None = None
    detail: str = ""


class Progress(msgspec.Struct, kw_only=True):
    """How far the running step is; a figure that is not known is null, never guessed."""

    packages_done: int | None = None
    packages_total: int | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None


class Target(msgspec.Struct, kw_only=True):
    """The environment that an operation is about; it need not exist yet, or any more."""

    id: str
    name: str
    location: str
    prefix: str


class Ticket(msgspec.Struct, kw_only=True):
    """What was submitted: ``operation.json``, written once."""

    version: int = RECORD_VERSION
    id: str
    verb: str
    target: Target
    root: str
    """The folder whose ``.hpcenv/claims`` holds the claim."""
    request: dict[str, Any]
    config: dict[str, Any]
    """The effective configuration: ``{class: {trait: value}}``."""
    work: dict[str, Any] = {}
    """What admission decided about the request and nobody reinterprets: requirements, Python, installer."""
    asked: dict[str, Any] = {}
    """What the request comes down to, for the site's policy: the worker holds it against the rules once more."""
    steps: list[Step]
    submitted: str
    user: str
    host: str
    idempotency_key: str = ""
    batch: BatchRequest | None = None
    """What the worker asks of the batch system; None: it runs without a job."""
    batch_system: str = ""
    """The batch system's name, with *batch*."""
    fetch: bool = False
    """Whether a worker here fetches what is needed before the job is sent, because its node reaches no index."""


class Process(msgspec.Struct, kw_only=True):
    """Identity of a process: a bare pid proves nothing on a home that many hosts share."""

    host: str
    boot: str
    pid_namespace: str
    pid: int
    start: int
    """Clock ticks after boot, from /proc/PID/stat."""


class Status(msgspec.Struct, kw_only=True):
    """How an operation stands: ``status.json``, replaced whole by whoever owns the operation."""

    version: int = RECORD_VERSION
    state: OperationState = "pending"
    owner: str = ""
    """The fencing id of the owner; who finds another one there must not publish."""
    process: Process | None = None
    closing: bool = False
    """Whether that process is not the worker: a server or a command that closes what a dead worker left."""
    started: str = ""
    finished: str = ""
    steps: list[Step] = []
    reached: str = ""
    """Title of the step at which the batch system ended the job; what was begun then is put back."""
    progress: Progress | None = None
    error: dict[str, Any] | None = None
    result: dict[str, Any] | None = None


class Operation(msgspec.Struct, kw_only=True):
    """What every door shows of an operation."""

    id: str
    verb: str
    state: OperationState
    cancelling: bool
    environment: Target
    request: dict[str, Any]
    submitted: str
    started: str
    finished: str
    user: str
    host: str
    step: int
    """Number of the running (or last) step, from 1; 0 before the first."""
    steps: list[Step]
    progress: Progress | None
    error: dict[str, Any] | None
    result: dict[str, Any] | None
    log_size: int
    """Bytes of the log so far."""
    job: Job | None = None
    """The job that its worker is, as the batch system showed it last."""
    waiting: str = ""
    """What it waits for in the queue, in a sentence."""


class LogPart(msgspec.Struct, kw_only=True):
    """A part of a log; ask again from ``offset`` for what came since."""

    lines: list[LogLine]
    offset: int
    complete: bool
    """True when the operation is finished and no line follows."""


class Reporter(Protocol):
    """How work tells what it does; given to managers and verbs by the worker."""

    def step(self, name: str) -> None:
        """Begin the step of that name; the one before is done."""

    def detail(self, text: str) -> None:
        """Say something short about the running step, for example ``34 packages``."""

    def line(self, kind: LineKind, text: str) -> None:
        """Append a line to the log."""

    def progress(self, progress: Progress | None) -> None:
        """Replace the figures of the running step."""

    def check(self) -> None:
        """Raise `Cancelled` if somebody asked for it; called between pieces of work."""
