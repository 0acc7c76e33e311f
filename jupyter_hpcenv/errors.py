"""Say what went wrong in a form that every door can translate.

An error carries its fate: ``code`` for programs, ``http_status`` for REST, ``exit_code`` for the
command line, ``hints`` for people. Each door (server, cli, worker) has exactly one translator.
A docstring is what docs/reference/errors.md prints: first what the error means, then what to do about it.
The exit codes are listed in docs/reference/cli.md and pinned by tests/unit/test_errors.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar


class HpcenvError(Exception):
    """Base of every error that we raise on purpose.

    ``message`` says what happened and why in one or two sentences; ``hints`` say what to do now,
    one imperative sentence each; ``reason`` is an optional detail (a program's own words).
    """

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hints: Iterable[str] = (), reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hints = tuple(hints)
        self.reason = reason

    def body(self) -> dict[str, Any]:
        """Return the flat error body that REST, ``--json`` and status files share."""
        return {
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
            "hints": list(self.hints),
        }


class InvalidRequest(HpcenvError):
    """A request that can not mean anything: a wrong type, an unknown field, two excluding options.

    Correct what the message names; `--help`, or `openapi.json` for REST, says what may stand there.
    """

    code = "invalid_request"
    http_status = 400
    exit_code = 2


class InvalidName(InvalidRequest):
    """A name outside the grammar, or a reserved word.

    Choose a name of letters, digits, `.`, `_` and `-` that begins with a letter or digit; the message says what
    is in the way.
    """

    code = "invalid_name"


class InvalidRequirement(InvalidRequest):
    """A requirement line that is no requirement, is an option, or carries credentials.

    Write requirements alone, one a line, without options and passwords; indexes and their credentials belong to
    pip's or uv's configuration.
    """

    code = "invalid_requirement"


class InvalidVariable(InvalidRequest):
    """An environment variable whose name or value can not be exported safely.

    Choose another name or value; what steers shells and loaders (`LD_PRELOAD`, `BASH_ENV`) is the site's to
    set.
    """

    code = "invalid_variable"


class PathTooLong(InvalidRequest):
    """A prefix longer than tools and interpreters can carry.

    Choose a shorter name, or a location with a shorter path.
    """

    code = "path_too_long"


class PythonNotFound(InvalidRequest):
    """No interpreter answers to what was asked for.

    See `jupyter hpcenv pythons`, and name one of those by version or path; or load the module that brings the
    one you want.
    """

    code = "python_not_found"


class ManagerNotFound(InvalidRequest):
    """No environment manager, installer or creator of that name is installed.

    See the managers in `jupyter hpcenv create --help`, or ask your site's staff to install what is missing.
    """

    code = "manager_not_found"


class NoModuleSystem(InvalidRequest):
    """Modules are asked for, and there is no module system.

    Start where `module` works, or leave the modules out; staff can name the system by `c.Site.module_system`.
    """

    code = "no_module_system"


class ModuleNotFound(InvalidRequest):
    """The module system knows no module of that name, or not with what is loaded.

    Search with `jupyter hpcenv modules WORD`; under **load first** stands what has to be named before it.
    """

    code = "module_not_found"


class ModuleConflict(InvalidRequest):
    """Modules that exclude each other.

    Keep one of the two that the message names.
    """

    code = "module_conflict"


class ModuleFailed(HpcenvError):
    """A module that exists could not be loaded: it failed, ended its shell, or took too long.

    Load it by hand in a fresh shell (`module load NAME`) and read what it says; staff can raise
    `c.Site.module_timeout`.
    """

    code = "module_failed"
    http_status = 422
    exit_code = 6


class NotFound(HpcenvError):
    """Nothing has that name or id.

    See `jupyter hpcenv list` and `jupyter hpcenv trash`, and how it is spelt there.
    """

    code = "not_found"
    http_status = 404
    exit_code = 3


class Ambiguous(HpcenvError):
    """A bare name that means more than one environment.

    Say `LOCATION/NAME`, or the id that `jupyter hpcenv list --json` shows.
    """

    code = "ambiguous"
    http_status = 409
    exit_code = 4


class NameTaken(HpcenvError):
    """An environment, or a folder of somebody's, has that name already.

    Choose another name, or delete what has it.
    """

    code = "name_taken"
    http_status = 409
    exit_code = 4


class Busy(HpcenvError):
    """Another operation holds the claim.

    Wait until that operation is done (`jupyter hpcenv operations`), or cancel it.
    """

    code = "busy"
    http_status = 409
    exit_code = 4


class KernelRunning(HpcenvError):
    """A kernel of the environment is running.

    Shut the kernels down that are named, or add `--force` where the command has it.
    """

    code = "kernel_running"
    http_status = 409
    exit_code = 4


class WrongState(HpcenvError):
    """The thing exists, but what was asked for does not apply to it as it is.

    Do first what the hint says: restore, rebuild or repair it, for example.
    """

    code = "wrong_state"
    http_status = 409
    exit_code = 4


class PreconditionFailed(HpcenvError):
    """The resource changed since the caller read it (``If-Match``).

    Read the resource again, and decide anew.
    """

    code = "precondition_failed"
    http_status = 412
    exit_code = 4


class Refused(HpcenvError):
    """Policy, or the owner of the thing, does not allow it.

    Ask its owner or your site's staff; the message says who decides.
    """

    code = "refused"
    http_status = 403
    exit_code = 5


class Forbidden(Refused):
    """Something that a rule of the site's policy does not allow.

    The message names the rule and whom to ask; `jupyter hpcenv policy` shows what holds.
    """

    code = "forbidden_by_policy"


class LocationUnavailable(HpcenvError):
    """A location is missing, unreadable or not writable.

    See `jupyter hpcenv locations`; mount the filesystem, or take another location.
    """

    code = "location_unavailable"
    http_status = 409
    exit_code = 7


class DiskFull(HpcenvError):
    """No bytes or no files are left where they are needed.

    Make room (`jupyter hpcenv trash --empty`, `jupyter hpcenv caches --clean`), or take another location.
    """

    code = "disk_full"
    http_status = 507
    exit_code = 7


class DoesNotFit(DiskFull):
    """What is to be built is larger than what the filesystem or the quota has left; known before anything is built.

    Take one of the locations that are named, or make room as above.
    """

    code = "does_not_fit"


class IndexUnreachable(HpcenvError):
    """The package index does not answer.

    See whether this computer has internet: compute nodes often have none. Else it is the proxy's or mirror's
    turn.
    """

    code = "index_unreachable"
    http_status = 503
    exit_code = 7


class BatchRefused(HpcenvError):
    """The batch system does not take the job: an unknown partition, account or QOS, or more than is allowed.

    The message has its own words; ask for other resources. `jupyter hpcenv targets` shows the partitions.
    """

    code = "batch_refused"
    http_status = 403
    exit_code = 5


class BatchUnavailable(HpcenvError):
    """There is no batch system here, or it does not answer.

    Try again in a minute; what is queued or runs goes on by itself. Or build on this machine.
    """

    code = "batch_unavailable"
    http_status = 503
    exit_code = 7


class KernelNotStarted(HpcenvError):
    """A kernel that runs in a job of the batch system could not start, or waited too long for its job.

    The message has the batch system's reason. Nothing of it stays in the queue; start the kernel again, or choose
    another profile.
    """

    code = "kernel_not_started"
    http_status = 503
    exit_code = 7


class PackageNotFound(HpcenvError):
    """The package index has no such package, or no version that satisfies the requirement.

    Look for its name with `jupyter hpcenv search`: what you import is not always what you install.
    """

    code = "package_not_found"
    http_status = 422
    exit_code = 6


class RequirementsConflict(HpcenvError):
    """The requirements exclude each other.

    Loosen one of the requirements that are named.
    """

    code = "requirements_conflict"
    http_status = 422
    exit_code = 6


class BuildFailed(HpcenvError):
    """A program that builds the environment ended with an error that we can not name better.

    Read the log, `jupyter hpcenv log ID`; a compiler or header that is missing often comes from a module.
    """

    code = "build_failed"
    http_status = 500
    exit_code = 6


class PreflightFailed(BuildFailed):
    """The environment was built, but its kernel did not start or is not of this environment.

    The reason has the kernel's own words; often a package replaced a part of Jupyter.
    """

    code = "preflight_failed"


class BrokenRecord(HpcenvError):
    """A record, request or status file that can not be read as what it should be.

    Restore the file that is named from a backup, or remove it: no other environment needs it.
    """

    code = "broken_record"
    http_status = 500
    exit_code = 1


class NewerRecord(BrokenRecord):
    """A file written by a newer jupyter_hpcenv: read-only for this one.

    Use the newer jupyter_hpcenv for this environment.
    """

    code = "newer_record"
    http_status = 409
    exit_code = 4


class BrokenConfiguration(HpcenvError):
    """A configuration file that can not be read, or a value in it that can not be used: nothing is done without it.

    Correct the file and line that are named.
    """

    code = "broken_configuration"
    http_status = 503


class BrokenPolicy(HpcenvError):
    """A file of the site's policy that can not be read or understood; all changes are refused until it can.

    Have staff correct the file; `jupyter hpcenv policy --check FILE` says what is wrong with it.
    """

    code = "broken_policy"
    http_status = 503
    exit_code = 1


class Cancelled(HpcenvError):
    """Somebody asked for the operation to stop.

    Nothing is left of it; ask again when you want it.
    """

    code = "cancelled"
    http_status = 409
    exit_code = 130


class Interrupted(HpcenvError):
    """The worker went away before it was done.

    Ask again: what was downloaded is still in the cache. A change of packages is put right by itself.
    """

    code = "interrupted"
    http_status = 500
    exit_code = 6
