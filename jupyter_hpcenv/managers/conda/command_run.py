"""Run conda, mamba or micromamba once: its options, its settings and its variables, from what was decided alone.

Nothing that a person typed can be an option: match specs and names stand behind ``--``, and are looked at once more;
exact packages go into a private file. Of the user's variables those stay that concern the network and the solver.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from ...errors import Refused
from ...files import write_atomic
from ...models import PinnedPackage, Reporter
from ...process import MARKER, Completed, run, thread_caps
from .command_jobs import Job, check
from .command_output import Said, documents
from .credentials import holds_secret, shown
from .find_command import Program
from .plan import Source

Mode = Literal["plan", "download", "apply"]

#: Below the package cache. rattler's cache is another one: each trusts what it finds in its own.
CACHE = "conda-pkgs"

#: What a program must not take from its surroundings: an activated environment, another prefix, another architecture.
_DROPPED = ("CONDA_", "_CONDA_", "MAMBA_", "_CE_", "PYTHON", "BASH_ENV", "BASH_FUNC_")
_KEPT = frozenset(
    {
        *("MAMBA_ROOT_PREFIX", "CONDA_SOLVER", "CONDA_ADD_ANACONDA_TOKEN", "CONDA_FETCH_THREADS"),
        *("CONDA_CLIENT_SSL_CERT", "CONDA_CLIENT_SSL_CERT_KEY", "CONDA_REMOTE_CONNECT_TIMEOUT_SECS"),
        *("CONDA_REMOTE_BACKOFF_FACTOR", "CONDA_REPODATA_THREADS", "CONDA_REPODATA_USE_SHARDS"),
    }
)

_SETTLED = 86_400  # seconds for which an index is not asked for again: what was planned is what is installed

#: The first conda that takes SHA-256 in an explicit list; earlier ones take such a line for a mistake.
_SHA256 = (24, 9)


def check_source(source: Source) -> None:
    """Raise `Refused` for credentials in the URL of a channel: a program would write them into every environment."""
    for url in source.channels:
        if holds_secret(url):
            raise Refused(
                f"The channel {shown(url)} has credentials in its address; they would stand in every environment.",
                hints=["Give them as the channel’s owner says: netrc, or the program’s own way to log in."],
            )


def arguments(program: Program, source: Source, job: Job, prefix: Path, folder: Path, mode: Mode) -> list[str]:
    """Return the argument list; files that it names are in *folder*."""
    argv = [program.path, job.verb, "--prefix", str(prefix), "--json", "--yes"]
    if (
        job.verb == "update"
        and program.name == "conda"
        and any(not re.fullmatch(r"[\w.-]+", word) for word in job.words)
    ):
        argv[1:2] = ["install", "--update-specs"]  # conda updates by bare names alone
    argv += {"plan": ["--dry-run"], "download": ["--download-only"], "apply": []}[mode]
    if source.offline:
        argv.append("--offline")
    if program.dialect == "libmamba":
        # --override-channels would make older ones ask conda.anaconda.org for a channel “nodefaults”
        argv += ["--rc-file", str(folder / "mambarc")]
        channels = [] if job.verb == "remove" else source.channels
    else:
        argv.append("--override-channels")
        channels = source.channels
        if job.verb != "remove":
            argv += {"strict": ["--strict-channel-priority"], "disabled": ["--no-channel-priority"]}.get(
                source.priority, []
            )
    for channel in channels:
        argv += ["-c", channel]
    if job.everything:
        argv.append("--all")
    if job.alone and job.verb == "remove":
        argv.append("--force" if program.dialect == "libmamba" else "--force-remove")
    elif job.alone:
        argv.append("--no-deps")
    if job.pinned:
        return [*argv, "--file", str(folder / "explicit.txt")]
    return [*argv, "--", *job.words] if job.words else argv


def write_files(program: Program, source: Source, job: Job, folder: Path, mode: Mode) -> None:
    """Write the files that `arguments` names: a list of exact packages, and for mamba its settings."""
    if job.pinned:
        lines = ["@EXPLICIT", *(explicit_line(program, each) for each in job.pinned)]
        write_atomic(folder / "explicit.txt", "".join(f"{line}\n" for line in lines).encode())
    if program.dialect == "libmamba":
        write_atomic(folder / "mambarc", json.dumps(_settings(source, job, mode), indent=1).encode())


def explicit_line(program: Program, package: PinnedPackage) -> str:
    """Return the line for a package, with the best digest that *program* understands."""
    if package.sha256 and takes_sha256(program):
        return f"{package.url}#sha256:{package.sha256}"
    return f"{package.url}#{package.md5}" if package.md5 else package.url


def takes_sha256(program: Program) -> bool:
    """Tell whether an explicit list for *program* may have SHA-256 in it."""
    number = tuple(map(int, re.findall(r"\d+", program.version)[:2]))
    return program.dialect == "libmamba" or (program.name == "conda" and number >= _SHA256)


def _checks(source: Source, job: Job) -> str:
    """Return how strict a program is to be; mamba refuses exact packages without a digest where it is strict."""
    return "enabled" if all(each.sha256 or each.md5 for each in job.pinned) else "warn"


def _settings(source: Source, job: Job, mode: Mode) -> dict[str, object]:
    """Return the settings for mamba; it reads no other file, so that what was decided is what counts."""
    settings: dict[str, object] = {
        "channel_priority": source.priority,
        "pinned_packages": source.constraints,
        "ssl_verify": {"true": True, "false": "<false>"}.get(source.ssl_verify, source.ssl_verify),
        "remote_max_retries": source.retries,
        "remote_connect_timeout_secs": source.connecting,
        "always_copy": source.copy,
        "allow_downgrade": True,
        "allow_softlinks": False,
        "safety_checks": _checks(source, job),
        "extra_safety_checks": source.verify,
    }
    if source.proxies:
        settings["proxy_servers"] = source.proxies
    if mode != "plan":
        settings["local_repodata_ttl"] = _SETTLED
    return settings


def environment(program: Program, source: Source, job: Job, mode: Mode, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a program; *inherited* has those of the modules already."""
    env = {k: v for k, v in inherited.items() if k in _KEPT or not k.startswith(_DROPPED)}
    if marker := os.environ.get(MARKER):
        env[MARKER] = marker
    env.update(CONDA_PKGS_DIRS=str(Path(source.cache) / CACHE), CONDA_ALWAYS_YES="true", MAMBA_NO_BANNER="1")
    env.update(PYTHONNOUSERSITE="1", NO_COLOR="1", PIP_REQUIRE_VIRTUALENV="0")
    env.update({f"CONDA_OVERRIDE_{name.upper()}": version for name, version in source.virtual_packages.items()})
    if program.dialect == "conda":
        env.update(_conda_variables(source, job, mode))
    else:
        env.pop("CONDARC", None)  # mamba would read it in place of the file that it is given
        env.pop("MAMBARC", None)
    threads = thread_caps(inherited).get("RAYON_NUM_THREADS") or inherited.get("RAYON_NUM_THREADS", "1")
    env.update(CONDA_DEFAULT_THREADS=threads, MAMBA_EXTRACT_THREADS=threads)
    return env


def _conda_variables(source: Source, job: Job, mode: Mode) -> dict[str, str]:
    """Return conda's settings as variables: they beat its files, except what an administrator marked as final."""
    settings = {
        "CHANNEL_PRIORITY": source.priority,
        "OFFLINE": str(source.offline).lower(),
        "SSL_VERIFY": source.ssl_verify,
        "PINNED_PACKAGES": "&".join(source.constraints),
        "REMOTE_MAX_RETRIES": str(source.retries),
        "REMOTE_READ_TIMEOUT_SECS": str(source.patience),
        "REMOTE_CONNECT_TIMEOUT_SECS": str(source.connecting),
        "ALWAYS_COPY": str(source.copy).lower(),
        "ALWAYS_SOFTLINK": "false",
        "ALLOW_SOFTLINKS": "false",
        "ROLLBACK_ENABLED": "true",
        "SAFETY_CHECKS": _checks(source, job),
        "EXTRA_SAFETY_CHECKS": str(source.verify).lower(),
        "REPORT_ERRORS": "false",
        "NOTIFY_OUTDATED_CONDA": "false",
        "NUMBER_CHANNEL_NOTICES": "0",
        "AUTO_UPDATE_CONDA": "false",
        "SHORTCUTS": "false",
    }
    if mode != "plan":
        settings["LOCAL_REPODATA_TTL"] = str(_SETTLED)
    proxies = {f"{scheme}_proxy": url for scheme, url in source.proxies.items() if "://" not in scheme}
    return {f"CONDA_{name}": value for name, value in settings.items() if value} | proxies


def launch(
    program: Program,
    source: Source,
    job: Job,
    prefix: Path,
    folder: Path,
    mode: Mode,
    inherited: Mapping[str, str],
    report: Reporter,
    look: Callable[[], None] | None = None,
) -> tuple[Completed, Said]:
    """Run *program* to its end in the private *folder*; return how it ended, and what it said."""
    check(job)  # once more: these words are the last thing before a program
    write_files(program, source, job, folder, mode)
    said = Said(report)
    done = run(
        arguments(program, source, job, prefix, folder, mode),
        env=environment(program, source, job, mode, inherited),
        cwd=folder,
        on_line=said.line,
        check=look or report.check,
        longest=_LONGEST_LINE,
    )
    return done, said


_LONGEST_LINE = 4_000_000  # characters; conda writes a whole message, with hundreds of packages, on one line


def other_caches(
    program: Program, source: Source, folder: Path, inherited: Mapping[str, str], report: Reporter
) -> list[Path]:
    """Return the package caches that a program reads besides ours: its configuration may name some."""
    said: list[str] = []
    env = environment(program, source, Job(verb="install"), "plan", inherited)
    run([program.path, "info", "--json"], env=env, cwd=folder, on_line=said.append, check=report.check)
    listed = [
        found for each in documents("\n".join(said)) for found in (each.get("pkgs_dirs"), each.get("package cache"))
    ]
    return [Path(each) for found in listed if isinstance(found, list) for each in found if isinstance(each, str)]
