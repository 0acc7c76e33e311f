"""Hold what HPC staff (and users, for themselves) configure, as traits with help.

The same class is read by the server, the command line and the worker; the worker gets the effective
values with its operation, because it can not know what was given on the server's command line.
"""

from __future__ import annotations

import contextlib
import getpass
import grp
import os
import platform
import socket
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_data_dir
from traitlets import Bool, Dict, Enum, Int, List, TraitError, Unicode, default, validate
from traitlets.config import Config

from ..errors import InvalidName, InvalidVariable
from ..files import make_private
from ..models import Platform
from ..names import check_location_name, check_variable
from . import target
from .batch import BatchTraits

#: Who may be asked for quotas.
QUOTAS = ("auto", "lfs", "quota", "none")


class Site(BatchTraits):
    """Where environments may lie, which Pythons exist, and what every kernel gets."""

    locations = Dict(
        help="""Named places for environments: ``{name: folder}`` or ``{name: {"root": folder, "description": text,
        "templates": folder}}``; templates there come before those of template_dirs, for environments of this place.
        Besides may be said: purge_days and purge_by (atime, mtime or ctime) where unused files go, backed_up (True or
        False), group or project whose quota counts, quota as below for this place alone, and sharing: True where
        environments may be shared with colleagues.
        In a folder, ``$VARIABLES`` and ``~`` are expanded, and so are {username}, {group}, {cluster}, {os}, {arch},
        {python_version} (of the environment, such as 3.12: one folder for each) and {data_dir} (jupyter_hpcenv's own
        folder in the user's Jupyter data folder).
        A location that is missing or not writable is reported, and the others go on working. Without any, there is
        one: home, at {data_dir}/environments.""",
    ).tag(config=True)

    @default("locations")
    def _default_locations(self) -> dict[str, Any]:
        return {
            "home": {
                "root": "{data_dir}/environments",
                "description": "Your home folder.",
            }
        }

    @validate("locations")
    def _check_locations(self, proposal: dict[str, Any]) -> dict[str, Any]:
        for name, value in proposal["value"].items():
            try:
                check_location_name(name)
            except InvalidName as error:
                raise TraitError(f"c.Site.locations: {error.message}") from error
            if name == "elsewhere":
                raise TraitError("c.Site.locations: “elsewhere” is what prefixes outside all locations are called.")
            root = value.get("root") if isinstance(value, dict) else value
            if not isinstance(root, str) or not root:
                raise TraitError(f"c.Site.locations[{name!r}] needs a folder: a text, or a dictionary with “root”.")
            if isinstance(value, dict) and not isinstance(value.get("templates", ""), str):
                raise TraitError(f"c.Site.locations[{name!r}] has “templates” that are no folder.")
            if isinstance(value, dict) and (wrong := _wrong_fact(value)):
                raise TraitError(f"c.Site.locations[{name!r}]: {wrong}")
        return dict(proposal["value"])

    default_location = Unicode(
        help="""Name of the location that is taken when none is asked for; empty: the first that is writable and not
        purged, then the first that is writable."""
    ).tag(config=True)

    quota = Enum(
        QUOTAS,
        default_value="auto",
        help="""Who is asked for quotas: lfs (of Lustre), quota, none, or auto: the one that is there for the
        filesystem. A location's own ``"quota"`` may besides be a program as a list of words, in which {root},
        {location}, {username}, {group} and {project} are replaced; it prints one JSON object with the numbers
        used_bytes, limit_bytes, used_files and limit_files, of which each may be left out.""",
    ).tag(config=True)

    quota_timeout = Int(10, min=1, help="Seconds that a program may take to tell a quota.").tag(config=True)

    least_bytes = Int(
        100_000_000,
        min=0,
        help="Bytes that must be free, by filesystem and quota, before anything is built whose size is not known.",
    ).tag(config=True)

    least_files = Int(5_000, min=0, help="The same for files.").tag(config=True)

    size_patience = Int(
        120, min=1, help="Seconds that measuring one environment may take before its size is given up as unknown."
    ).tag(config=True)

    prefix_patterns = List(
        Unicode(),
        help="""Patterns (as of fnmatch, with $VARIABLES) of prefixes that may be asked for outside all locations,
        for example ``$SCRATCH/*``. Empty: only prefixes under a location.""",
    ).tag(config=True)

    python_paths = List(
        Unicode(), help="Interpreters that the site recommends, best first; they lead the list of Pythons."
    ).tag(config=True)

    python_folders = List(
        Unicode(),
        help="Folders that hold Python installations as pyenv's ``versions`` does (``<folder>/*/bin/python3``).",
    ).tag(config=True)

    hide_system_python = Bool(False, help="Leave the operating system's own Python out of the list.").tag(config=True)

    variables = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="Variables that every kernel gets, for example OMP_NUM_THREADS; an environment's own win.",
    ).tag(config=True)

    @validate("variables")
    def _check_variables(self, proposal: dict[str, Any]) -> dict[str, str]:
        for name, value in proposal["value"].items():
            try:
                check_variable(name, value)
            except InvalidVariable as error:
                raise TraitError(f"c.Site.variables: {error.message}") from error
        return dict(proposal["value"])

    passthrough = List(
        Unicode(),
        help="Patterns of variables that programs which build environments inherit besides the usual ones.",
    ).tag(config=True)

    template_dirs = List(
        Unicode(),
        help="""Folders with the site's own templates (launch.sh.j2, …), looked at before ours. A folder that
        others than root and the user can write is refused.""",
    ).tag(config=True)

    cluster = Unicode(help="Name of this cluster, as recorded in environments.").tag(config=True)

    @default("cluster")
    def _default_cluster(self) -> str:
        return os.environ.get("SLURM_CLUSTER_NAME") or socket.getfqdn().partition(".")[2] or socket.gethostname()

    partition = Unicode(
        help="""Partition or queue of the batch system that this computer belongs to, as recorded in environments and
        named in batch scripts. Empty outside a job; in one, what Slurm or PBS says."""
    ).tag(config=True)

    @default("partition")
    def _default_partition(self) -> str:
        return os.environ.get("SLURM_JOB_PARTITION") or os.environ.get("PBS_QUEUE") or ""

    foreign_folders = List(
        Unicode(),
        help="""Folders whose sub-folders are searched for environments of other tools, to be listed read-only: each
        sub-folder that is an environment, or holds one as ``.venv``.""",
    ).tag(config=True)

    list_foreign = Bool(
        True,
        help="List environments of other tools (virtualenvwrapper, pipenv, conda, .venv in foreign_folders).",
    ).tag(config=True)

    module_system = Enum(
        ("", "lmod", "tcl", "none"),
        default_value="",
        help="""The module system: lmod, tcl (Environment Modules) or none. Empty: what the environment of the server
        (or shell) shows, then what is found in the usual places.""",
    ).tag(config=True)

    module_init = Unicode(
        help="The module system's start file for bash; empty: found. A site's own file may source it and add to it."
    ).tag(config=True)

    module_path = List(Unicode(), help="Folders of modulefiles that are searched besides those of MODULEPATH.").tag(
        config=True
    )

    module_purge = Enum(
        ("default", "purge", "none"),
        default_value="default",
        help="""What becomes of modules that are loaded already when those of an environment are loaded: default keeps
        what the site made sticky or loads by default, purge unloads everything, none nothing.""",
    ).tag(config=True)

    module_timeout = Int(60, min=1, help="Seconds that loading modules may take.").tag(config=True)

    module_cache = Bool(
        True,
        help="""Let a kernel reuse what loading its modules gave the last time, while nothing that decides it has
        changed; modules with side effects are always loaded.""",
    ).tag(config=True)

    module_hints = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="""Which module has what a failed build misses: ``{"mpi.h": "OpenMPI", "hdf5.h": "HDF5", "gfortran":
        "GCC"}``; names of headers, libraries (without lib and suffix), programs and Python packages. Whoever asks for
        a conda package of such a name hears of the module, too.""",
    ).tag(config=True)

    explain = Bool(
        True,
        help="Start a kernel that explains itself where an environment's own can not start; off: it just dies.",
    ).tag(config=True)

    activation_dirs = Dict(
        key_trait=Enum(("lmod", "tcl", "scripts", "bash", "csh", "fish", "sbatch", "pbs")),
        value_trait=Unicode(),
        help="""Folders for the activation files of environments: ``{"lmod": folder, "tcl": folder, "scripts":
        folder}``, or one for each dialect (bash, csh, fish, sbatch, pbs). ``$VARIABLES``, ``~`` and {data_dir} are
        expanded. Without: modulefiles/lmod, modulefiles/tcl and scripts in {data_dir}.""",
    ).tag(config=True)

    allow_editable = Bool(True, help="Allow ``-e PATH`` for folders that belong to the user.").tag(config=True)

    allow_vcs = Bool(True, help="Allow requirements from version control (``name @ git+https://…``).").tag(config=True)

    allow_urls = Bool(True, help="Allow requirements that name an archive by URL.").tag(config=True)

    trash_days = Int(7, min=0, help="Days that a deleted environment can be restored.").tag(config=True)

    operation_days = Int(30, min=1, help="Days that finished operations and their logs are kept.").tag(config=True)

    nice = Int(
        5, min=0, max=19, help="How far builds step back behind other programs (as of nice): 0 not at all, 19 most."
    ).tag(config=True)

    preflight_timeout = Int(
        120, min=5, help="Seconds that a new environment's kernel may take to start and answer."
    ).tag(config=True)

    cancel_patience = Int(
        30,
        min=1,
        help="""Seconds that the worker of a cancelled operation may take to clean up. Then it is killed, and whoever
        looks next cleans up for it.""",
    ).tag(config=True)

    audit_log = Unicode(
        help="""Where a line of JSON is written for each act that changes something: who, what, to which environment and
        how it ended. A file, in which ``~``, ``$VARIABLES`` and the words of locations are expanded, such as
        ``/var/log/hpcenv/{username}.jsonl``; ``syslog``; or ``syslog:PATH`` for a daemon that listens elsewhere than at
        /dev/log. Empty: nowhere. That a line can not be written never hinders an act."""
    ).tag(config=True)

    preset_folders = List(
        Unicode(),
        help="""Further folders with presets, besides etc/jupyter/hpcenv_presets below / and below the Python that
        runs Jupyter; with $VARIABLES and ~. Files that others than their owner can write are not taken.""",
    ).tag(config=True)

    contact = Unicode(help="Whom to ask: a mail address or a page; shown with errors that staff can mend.").tag(
        config=True
    )

    def templates_for(self, location: str) -> list[str]:
        """Return the folders of templates for environments of a location, the first to look at first."""
        value = self.locations.get(location)
        own = value.get("templates", "") if isinstance(value, dict) else ""
        return [own, *self.template_dirs] if own else list(self.template_dirs)

    @property
    def data_dir(self) -> Path:
        """The user's own folder for operations and copies of records; created for this user alone."""
        return make_private(Path(jupyter_data_dir()).resolve() / "hpcenv")

    @property
    def kernels_dir(self) -> Path:
        """Where this user's kernelspecs lie."""
        return Path(jupyter_data_dir()).resolve() / "kernels"

    def platform(self) -> Platform:
        """Return cluster, operating system release and architecture of this machine."""
        return Platform(
            cluster=self.cluster,
            os=os_release(),
            arch=platform.machine(),
            partition=self.partition,
            glibc=glibc(),
            target=target.current(self.target_variables),
        )

    def effective(self) -> dict[str, Any]:
        """Return all configurable values, for the operation's folder."""
        return {name: self.trait_values()[name] for name in self.trait_names(config=True)}

    def explicit(self) -> Config:
        """Return the configuration that this object was made with."""
        return self.config


def _wrong_fact(value: dict[str, Any]) -> str:
    """Return what is wrong with the facts of a location, in a sentence; empty if nothing is."""
    days, by = value.get("purge_days"), value.get("purge_by", "")
    if days is not None and (not isinstance(days, int) or isinstance(days, bool) or days < 1):
        return "“purge_days” is a number of 1 or more."
    if by not in ("", "atime", "mtime", "ctime"):
        return "“purge_by” is atime, mtime or ctime."
    for word in ("backed_up", "sharing"):
        if not isinstance(value.get(word, True), bool):
            return f"“{word}” is True or False."
    for word in ("group", "project"):
        if not isinstance(text := value.get(word, ""), str) or text.startswith("-"):
            return f"“{word}” is a name."
    asked = value.get("quota", "auto")
    if isinstance(asked, list | tuple):
        return "" if asked and all(isinstance(word, str) and word for word in asked) else "“quota” has no words."
    return "" if asked in QUOTAS else f"“quota” is one of {', '.join(QUOTAS)}, or a program as a list of words."


def os_release() -> str:
    """Return the operating system as its release file names it, for example ``debian12``."""
    return target.release(Path("/"))


def glibc() -> str:
    """Return the version of the GNU C library here, or an empty text where it is another one."""
    with contextlib.suppress(ValueError, OSError):
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        return version if name == "glibc" else ""
    return ""


def username() -> str:
    """Return the login name, or the uid where the password database does not know it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())


def groupname() -> str:
    """Return the primary group's name, or its number."""
    try:
        return grp.getgrgid(os.getegid()).gr_name
    except KeyError:
        return str(os.getegid())
