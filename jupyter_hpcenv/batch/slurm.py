"""Slurm, by its own programs: sbatch, srun, squeue, scancel and sinfo."""

from __future__ import annotations

import datetime
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from .. import typed
from ..errors import BatchRefused, BatchUnavailable, BuildFailed, HpcenvError
from ..models import BatchRequest, Job, JobState, Partition
from ..process import run
from .contract import PREFIX, BatchSystem

#: Seconds that one of Slurm's programs may take; they give up on their controller by themselves after some ten.
PATIENCE = 40.0

_PROGRAMS = ("sbatch", "squeue", "scancel", "scontrol")

_clusters: dict[str, str] = {}

_LONGEST = 64_000_000
_ID = re.compile(r"(\d+)(;.*)?")
#: What Slurm's programs say where it is not known whether the controller has heard.
_AWAY = re.compile(
    r"Unable to contact|Socket timed out|Connection (refused|timed out)|Zero Bytes were transmitted"
    r"|Communication connection failure|Protocol authentication error|Unexpected message received",
    re.IGNORECASE,
)
_STATES: dict[str, JobState] = {
    "PENDING": "pending",
    "CONFIGURING": "pending",
    "REQUEUED": "pending",
    "REQUEUE_FED": "pending",
    "REQUEUE_HOLD": "pending",
    "SPECIAL_EXIT": "pending",
    "RUNNING": "running",
    "COMPLETING": "running",
    "SIGNALING": "running",
    "STAGE_OUT": "running",
    "RESIZING": "running",
    "SUSPENDED": "suspended",
    "STOPPED": "suspended",
    "COMPLETED": "completed",
    "CANCELLED": "cancelled",
    "TIMEOUT": "timeout",
    "DEADLINE": "timeout",
    "NODE_FAIL": "node_fail",
    "BOOT_FAIL": "node_fail",
    "PREEMPTED": "preempted",
    "OUT_OF_MEMORY": "out_of_memory",
}


class Slurm(BatchSystem):
    """Slurm 22.05 and later; older ones have no ``squeue --json``."""

    name: ClassVar[str] = "slurm"

    def is_there(self) -> bool:
        """Tell whether its programs are on PATH."""
        return all(shutil.which(program) for program in _PROGRAMS)

    def submit(self, script: Path, name: str, asked: BatchRequest, output: Path, *, again: bool = True) -> str:
        """Queue *script*; Slurm keeps no variable of ours (``--export=NIL``)."""
        requeue = "--requeue" if again else "--no-requeue"
        argv = ["sbatch", "--parsable", "--export=NIL", requeue, "--open-mode=append", "--input=/dev/null"]
        argv += [f"--output={_pattern(output)}", f"--chdir={output.parent}", *_options(name, asked)]
        said = self._ask([*argv, str(script)], "The job was not accepted")
        for line in reversed(said):
            if found := _ID.fullmatch(line.strip()):
                return found[1]
        raise BatchUnavailable("sbatch told no job's id.", reason="\n".join(said)[-2_000:])

    def beside(self, argv: Sequence[str], name: str, asked: BatchRequest) -> list[str]:
        """Return the srun that runs *argv* as its one task."""
        fixed = ["--ntasks=1", "--nodes=1", "--unbuffered", "--kill-on-bad-exit=1", "--input=none", "--export=ALL"]
        return [shutil.which("srun") or "srun", *fixed, *_options(name, asked), "--", *argv]

    def complaint(self, said: Sequence[str]) -> HpcenvError:
        """Return the same errors as for sbatch."""
        words = "\n".join(said)[-2_000:]
        if _AWAY.search(words):
            return BatchUnavailable(
                "Slurm's controller does not answer now.", hints=["Try again in a minute."], reason=words
            )
        if of_the_job := [line for line in said if not line.startswith("srun: ")]:
            return BatchRefused(f"The job ended at once, and said “{of_the_job[-1]}”.", reason=words)
        return BatchRefused(f"The job was not accepted: {_first(said)}", hints=[_advice(words)], reason=words)

    def jobs(self) -> list[Job]:
        """Ask squeue once."""
        said = self._ask(["squeue", "--json", "--me", "--states=all"], "The queue was not told")
        text = "\n".join(said)
        try:
            found = typed.of_json(text[text.index("{") :])["jobs"]
            return [_job(each) for each in found if _mine(each)]
        except (ValueError, KeyError, TypeError, AttributeError, msgspec.DecodeError) as error:
            raise BatchUnavailable(
                "squeue answered with something else than its JSON.",
                hints=["Slurm 22.05 or later is needed, with its JSON serializer."],
                reason=text[-2_000:],
            ) from error

    def cancel(self, name: str, *, kill: bool = False) -> None:
        """Ask scancel; with *kill* first with SIGKILL to everything in the job."""
        if kill:
            self._ask(["scancel", "--me", "--full", "--signal=KILL", f"--name={name}"], "The job was not cancelled")
        self._ask(["scancel", "--me", f"--name={name}"], "The job was not cancelled")

    def is_restart(self, variables: Mapping[str, str]) -> bool:
        """Look at the count that Slurm gives to each job that it has queued again."""
        return variables.get("SLURM_RESTART_COUNT", "0") not in ("", "0")

    def position(self, job: Job) -> tuple[int, int] | None:
        """Count by priority among the jobs that this user may see."""
        argv = [
            "squeue",
            "--noheader",
            "--states=PENDING",
            f"--partition={job.partition}",
            "--sort=-p,i",
            "--format=%i",
        ]
        waiting = [line.strip().partition("_")[0] for line in self._ask(argv, "The queue was not told")]
        return (waiting.index(job.id) + 1, len(waiting)) if job.id in waiting else None

    def cluster(self) -> str:
        """Ask scontrol, once for each configuration."""
        conf = os.environ.get("SLURM_CONF", "")
        if conf not in _clusters:
            lines = self._ask(["scontrol", "show", "config"], "The cluster was not told")
            named = [line.partition("=")[2].strip() for line in lines if line.startswith("ClusterName ")]
            _clusters[conf] = named[0] if named else ""
        return _clusters[conf]

    def partitions(self) -> list[Partition]:
        """Ask sinfo: a line for each, with its longest time, its features and whether it is the default."""
        lines = self._ask(["sinfo", "--noheader", "--format=%P|%a|%l|%D|%f"], "The partitions were not told")
        found: dict[str, Partition] = {}
        for line in lines:
            name, up, longest, nodes, features = [*line.strip().split("|"), "", "", "", ""][:5]
            if not name or "|" not in line:
                continue
            entry = found.setdefault(
                name.rstrip("*"),
                Partition(name=name.rstrip("*"), default=name.endswith("*"), up=up == "up", longest=longest),
            )
            entry.nodes += int(nodes) if nodes.isdigit() else 0
            entry.features = sorted({*entry.features, *(f for f in features.split(",") if f and f != "(null)")})
        return list(found.values())

    def _ask(self, argv: Sequence[str], what: str) -> list[str]:
        program = shutil.which(argv[0])
        if program is None:
            raise BatchUnavailable(
                f"There is no {argv[0]} on this machine's PATH.",
                hints=["Ask your site's staff where jobs are submitted."],
            )
        lines: list[str] = []
        try:
            done = run([program, *argv[1:]], env=_variables(), on_line=lines.append, timeout=PATIENCE, longest=_LONGEST)
        except BuildFailed as error:
            raise BatchUnavailable(f"{what}: {error.message}", hints=["Try again in a minute."]) from error
        words = "\n".join(lines)[-2_000:]
        if _AWAY.search(words) and (done.returncode or not lines):
            raise BatchUnavailable(
                f"{what}: Slurm's controller does not answer now.", hints=["Try again in a minute."], reason=words
            )
        if done.returncode:
            raise BatchRefused(f"{what}: {_first(lines)}", hints=[_advice(words)], reason=words)
        return lines


def _variables() -> dict[str, str]:
    """Return what Slurm's programs get: no ``SBATCH_*``, nor variables of a job around us, which would steer them."""
    kept = {
        name: os.environ[name]
        for name in ("HOME", "USER", "LOGNAME", "SLURM_CONF", "LD_LIBRARY_PATH")
        if name in os.environ
    }
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **kept}


def _options(name: str, asked: BatchRequest) -> list[str]:
    """Return options in the form ``--name=value``, so that no value is taken for an option."""
    values = {
        "job-name": name,
        "partition": asked.partition,
        "constraint": asked.constraint,
        "account": asked.account,
        "qos": asked.qos,
        "time": asked.time,
        "cpus-per-task": str(asked.cpus or ""),
        "mem": asked.memory,
        "gpus": asked.gpus,
        **asked.options,
    }
    return [f"--{option}={value}" for option, value in values.items() if value]


def _pattern(path: Path) -> str:
    """Return a path for ``--output``, in which ``%`` would begin a replacement."""
    return str(path).replace("%", "%%")


def _mine(job: dict[str, Any]) -> bool:
    return str(job["name"]).startswith(PREFIX) and job.get("user_id", os.getuid()) == os.getuid()


def _job(found: dict[str, Any]) -> Job:
    words = found["job_state"]
    words = [words] if isinstance(words, str) else list(words)  # a list since 23.11
    state: JobState = "failed"
    for word in reversed(words):  # “REQUEUED” beside “PENDING”, “COMPLETING” beside the end that it leads to
        state = _STATES.get(word, "failed")
    if "COMPLETING" in words and state not in ("running", "suspended"):
        state = "running"
    reason = str(found.get("state_reason") or "")
    return Job(
        system=Slurm.name,
        name=str(found["name"]),
        id=str(found["job_id"]),
        state=state,
        reason="" if reason == "None" else reason,
        partition=str(found.get("partition") or ""),
        nodes=str(found.get("nodes") or ""),
        submitted=_number(found.get("submit_time")) or 0,
        started=_moment(_number(found.get("start_time"))),
        ends=_moment(_number(found.get("end_time"))) if state == "running" else "",
        restarts=_number(found.get("restart_cnt")) or 0,
    )


def _number(value: Any) -> int | None:
    """Return a number as Slurm's JSON writes it: plain, or since 23.02 with “set” beside it."""
    if isinstance(value, dict):
        value = value.get("number") if value.get("set") else None
    return int(value) if isinstance(value, (int, float)) else None


def _moment(seconds: int | None) -> str:
    if not seconds:
        return ""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _first(lines: Sequence[str]) -> str:
    """Return Slurm's last complaint without the name of its program."""
    said = [
        re.sub(r"^(sbatch|srun|squeue|scancel|sinfo): (error: )?", "", line).strip() for line in lines if line.strip()
    ]
    text = re.sub(r"^(Batch job submission failed|Unable to allocate resources): ", "", said[-1]) if said else ""
    return f"Slurm says “{text.rstrip('.')}”." if text else "Slurm said no more."


def _advice(words: str) -> str:
    for pattern, advice in _ADVICE:
        if re.search(pattern, words, re.IGNORECASE):
            return advice
    return "Ask for other resources, or show these words to your site's staff."


_ADVICE = (
    (r"invalid partition|partition specified", "See “jupyter hpcenv targets” for the partitions that there are."),
    (r"feature", "See “jupyter hpcenv targets” for the features that nodes have."),
    (r"account|association", "Name an account (project) that you belong to: --account NAME."),
    (r"qos", "Name a QOS that your account may use, or none."),
    (r"time limit|timelimit", "Ask for less time: --time 30."),
    (
        r"QOSMaxSubmit|AssocMaxSubmit|MaxSubmit|job violates",
        "Wait until some of your jobs have ended, or ask for less.",
    ),
    (r"node count|configuration is not available|memory|cpu|processor", "Ask for fewer processors or less memory."),
    (r"access|permission|denied|allowed", "Ask your site's staff whether you may submit there."),
)
