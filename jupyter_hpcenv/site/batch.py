"""What staff configure of the batch system: where builds run, and what they and kernels ask for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from traitlets import Bool, Dict, Enum, Int, List, TraitError, Unicode, validate
from traitlets.config import Configurable

from .. import typed
from ..errors import InvalidRequest, InvalidVariable
from ..models import BatchRequest, KernelProfile
from ..names import NAME_PATTERN, check_batch_words, check_display_name, check_variable
from . import target

_PROFILE = re.compile(NAME_PATTERN)
_OWN = ("display_name", "description", "idle_minutes", "keep_minutes")
_FIELDS = "partition, constraint, account, qos, time, cpus, memory, gpus and options"


class BatchTraits(Configurable):
    """The part of `Site` that concerns the batch system."""

    batch_system = Unicode(
        "auto",
        help="""The batch system: slurm, the name of one that a package of the site brings (entry points in the group
        jupyter_hpcenv.batch_systems), or auto: the first whose programs are there.""",
    ).tag(config=True)

    build_where = Enum(
        ("here", "sbatch", "command"),
        default_value="here",
        help="""Where builds run that name no partition: here, on the server's machine; sbatch: as a job of the batch
        system; command: by the program that build_command names.""",
    ).tag(config=True)

    build_command = List(
        Unicode(),
        help="""With build_where = "command": words that are put before the worker's own, for example ``["systemd-run",
        "--user", "--scope", "--quiet"]``. The program must run the worker and not end before it.""",
    ).tag(config=True)

    batch = Dict(
        help=f"What jobs ask for that say nothing else: {_FIELDS} (further long options of the batch system)."
    ).tag(config=True)

    batch_locations = Dict(
        help="""The same for builds in one location, by its name; a True under “always” makes each build there a job:
        ``{"scratch": {"partition": "io", "always": True}}``.""",
    ).tag(config=True)

    batch_offline = Bool(
        False,
        help="""Whether the nodes of jobs reach no index: then what a new environment needs is fetched on the machine
        that asks, and installed from there by the job. The manager must be able to (venv is); changes of packages are
        made without a job.""",
    ).tag(config=True)

    batch_interval = Int(
        15,
        min=1,
        help="Seconds between two looks at the queue while jobs of ours wait or run; each is one question for all.",
    ).tag(config=True)

    kernel_profiles = Dict(
        help=f"""What kernels may run in besides the server's own computer, by a name: ``{{"gpu": {{"display_name":
        "One GPU, four hours", "partition": "gpu", "gpus": "1", "time": "240", "idle_minutes": 30}}}}``. Known are
        {_FIELDS}, and display_name, description, idle_minutes (the job ends when nothing was executed for so
        long; 0: never) and keep_minutes (for so long the job goes on when the server has ended, and the user's next
        server takes it over; 0: it ends with the server). Whoever creates or edits an environment chooses one of the
        names; what it means is looked up at each start."""
    ).tag(config=True)

    kernel_patience = Int(
        300,
        min=1,
        help="""Seconds that the start of a kernel may wait for its job; then the job is cancelled, and the user told
        why it waited.""",
    ).tag(config=True)

    kernel_warning = Int(
        10, min=0, help="Minutes before the end of its job at which a kernel's user is told; 0: not at all."
    ).tag(config=True)

    kernel_interface = Unicode(
        help="""Network interface of the nodes, such as ib0, at whose address kernels in jobs listen. Empty: the
        address that leads to the server."""
    ).tag(config=True)

    @validate("kernel_profiles")
    def _check_kernel_profiles(self, proposal: dict[str, Any]) -> dict[str, Any]:
        for name, value in proposal["value"].items():
            profile_of(name, value)
        return dict(proposal["value"])

    def profiles(self) -> list[KernelProfile]:
        """Return what kernels may run in, besides the server's own computer; what `batch` says is in it."""
        found = [profile_of(name, value) for name, value in sorted(self.kernel_profiles.items())]
        common = asked_for(self.batch, "c.Site.batch")
        return [msgspec.structs.replace(each, request=merged(common, each.request)) for each in found]

    def profile(self, name: str) -> KernelProfile:
        """Return the profile *name*; raises `InvalidRequest` if the site has none."""
        for each in self.profiles():
            if each.name == name:
                return each
        known = ", ".join(self.kernel_profiles)
        raise InvalidRequest(
            f"The site has no profile “{name}” for kernels.",
            hints=[
                f"Choose one of: {known}." if known else "Choose none: the kernel then runs on the server's computer.",
                "“jupyter hpcenv edit NAME --no-profile” lets an environment's kernel run on the server's computer.",
            ],
        )

    target_variables = List(
        Unicode(),
        default_value=list(target.VARIABLES),
        help="""Variables that say what kind of computer this is. The target of a build is what those of them say
        that are set, joined by hyphens; where none is, release of the operating system and level of the processor, such
        as debian12-x86_64_v3. They must be set where kernels start: in jobs, too.""",
    ).tag(config=True)

    targets = Dict(
        help=f"""The site's targets, and what a build for one asks of the batch system: ``{{"zen5": {{"description":
        "nodes of 2025", "partition": "zen5"}}}}``; besides the description {_FIELDS}. One without any is built only by
        who is on such a computer.""",
    ).tag(config=True)

    build_missing = Bool(
        False,
        help="""Whether a kernel that starts where its environment has no build submits that build, besides saying
        so.""",
    ).tag(config=True)

    @validate("target_variables")
    def _check_target_variables(self, proposal: dict[str, Any]) -> list[str]:
        for name in proposal["value"]:
            try:
                check_variable(name, "")
            except InvalidVariable as error:
                raise TraitError(f"c.Site.target_variables: {error.message}") from error
        return list(proposal["value"])

    @validate("targets")
    def _check_targets(self, proposal: dict[str, Any]) -> dict[str, Any]:
        for name, value in proposal["value"].items():
            place = f"c.Site.targets[{name!r}]"
            if not isinstance(name, str) or not name or target.safe(name) != name:
                raise TraitError(f"{place}: a target is named by letters, digits and “._+-”, and begins with a letter.")
            if not isinstance(value, dict) or not isinstance(value.get("description", ""), str):
                raise TraitError(f"{place} is a dictionary, and “description” in it a text.")
            asked_for({key: each for key, each in value.items() if key != "description"}, place)
        return dict(proposal["value"])

    def target_request(self, name: str) -> BatchRequest | None:
        """Return what builds for a target ask of the batch system; None where the site does not say anything."""
        facts = {key: value for key, value in self.targets.get(name, {}).items() if key != "description"}
        return asked_for(facts, f"c.Site.targets[{name!r}]") if facts else None

    @validate("batch")
    def _check_batch(self, proposal: dict[str, Any]) -> dict[str, Any]:
        asked_for(proposal["value"], "c.Site.batch")
        return dict(proposal["value"])

    @validate("batch_locations")
    def _check_batch_locations(self, proposal: dict[str, Any]) -> dict[str, Any]:
        for name, value in proposal["value"].items():
            place = f"c.Site.batch_locations[{name!r}]"
            if not isinstance(value, dict) or not isinstance(value.get("always", False), bool):
                raise TraitError(f"{place} is a dictionary, and “always” in it True or False.")
            asked_for({key: each for key, each in value.items() if key != "always"}, place)
        return dict(proposal["value"])


def profile_of(name: str, value: Any) -> KernelProfile:
    """Return one of `kernel_profiles`; raises TraitError that names it."""
    place = f"c.Site.kernel_profiles[{name!r}]"
    if not isinstance(name, str) or not _PROFILE.fullmatch(name) or not isinstance(value, dict):
        raise TraitError(f"{place} is a dictionary, under a name of letters, digits, “.”, “_” and “-”.")
    own = {key: each for key, each in value.items() if key in _OWN}
    request = asked_for({key: each for key, each in value.items() if key not in _OWN}, place, _OWN)
    try:
        profile = typed.of_value({**own, "name": name}, KernelProfile)
        check_display_name(profile.display_name)
    except (msgspec.ValidationError, InvalidRequest) as error:
        raise TraitError(f"{place}: {error}") from error
    for key in ("idle_minutes", "keep_minutes"):
        if getattr(profile, key) < 0:
            raise TraitError(f"{place}: “{key}” is a number from 0 on.")
    return msgspec.structs.replace(profile, request=request, display_name=profile.display_name or name)


def asked_for(value: Any, place: str, also: Sequence[str] = ()) -> BatchRequest:
    """Return what a dictionary of the configuration asks of the batch system; raises TraitError that names *place*.

    *also* are further words that may stand beside.
    """
    try:
        request = typed.of_value(value, BatchRequest)
        check_batch_words(msgspec.structs.asdict(request))
    except msgspec.ValidationError as error:
        raise TraitError(f"{place}: {error}. Known are {', '.join([*also, _FIELDS])}.") from error
    except InvalidRequest as error:
        raise TraitError(f"{place}: {error.message}") from error
    return request


def merged(*requests: BatchRequest) -> BatchRequest:
    """Return what all of them ask for together; what a later one says wins, options one by one."""
    found: dict[str, Any] = {}
    options: dict[str, str] = {}
    for request in requests:
        fields = msgspec.structs.asdict(request)
        options |= fields.pop("options")
        found |= {name: value for name, value in fields.items() if value}
    return BatchRequest(**found, options=options)
