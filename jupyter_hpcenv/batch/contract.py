"""What a batch system must do for us: nine methods, which tests/slurm/conformance.py tries on any of them.

An implementation is a class with these methods, announced as an entry point in the group
``jupyter_hpcenv.batch_systems``. It starts programs through `process.run` alone, gives them no variable of ours,
and keeps no state: everything is found again by the job's name.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from ..errors import BatchRefused, HpcenvError
from ..models import BatchRequest, Job, Partition

#: Job names begin so; the rest is the id of an operation or of a kernel.
PREFIX = "hpcenv-"


class BatchSystem(abc.ABC):
    """A batch system, as far as builds and kernels need one. Each method blocks for as long as its program runs.

    All raise `BatchUnavailable` where the system does not answer (it may have heard us all the same), and
    `BatchRefused` where it says no, with its own words as the reason.
    """

    name: ClassVar[str]
    """How the site's configuration and the doors call it."""

    @abc.abstractmethod
    def is_there(self) -> bool:
        """Tell from files alone whether this machine has its programs."""

    @abc.abstractmethod
    def submit(self, script: Path, name: str, asked: BatchRequest, output: Path, *, again: bool = True) -> str:
        """Queue the program *script* under *name* and return the job's id.

        The job gets none of the caller's variables, writes both streams to the end of *output*, gets SIGTERM and
        some seconds when its time is up or it is cancelled, and is queued again when its node fails, unless *again* is
        off.
        """

    @abc.abstractmethod
    def beside(self, argv: Sequence[str], name: str, asked: BatchRequest) -> list[str]:
        """Return a local program that runs *argv* in a job and ends with it; killed, it takes the job along."""

    def complaint(self, said: Sequence[str]) -> HpcenvError:
        """Return what it means that the program of `beside` has ended at once, saying this; others may know better."""
        last = next((line for line in reversed(said) if line.strip()), "it said nothing")
        return BatchRefused(f"The job was not accepted: {last.strip()}", reason="\n".join(said)[-2_000:])

    @abc.abstractmethod
    def jobs(self) -> list[Job]:
        """Return this user's jobs whose name begins with `PREFIX`, lately ended ones too: one question for all."""

    @abc.abstractmethod
    def cancel(self, name: str, *, kill: bool = False) -> None:
        """End all jobs of that name, waiting or running, with *kill* at once; that there is none is fine."""

    @abc.abstractmethod
    def is_restart(self, variables: Mapping[str, str]) -> bool:
        """Tell from the *variables* of a job whether it began once before and was queued again."""

    @abc.abstractmethod
    def position(self, job: Job) -> tuple[int, int] | None:
        """Return the place of a waiting job among those that wait for its partition, from 1, and their number."""

    @abc.abstractmethod
    def cluster(self) -> str:
        """Return the name of the cluster whose queue this is; one home may be shared by several."""

    @abc.abstractmethod
    def partitions(self) -> list[Partition]:
        """Return the partitions (queues) that this user may name."""
