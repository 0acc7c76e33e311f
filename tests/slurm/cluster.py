"""A real Slurm on 127.0.0.1, with the partitions that a test asks for, which is gone when the tests are over."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo", "srun", "scontrol")

#: Nodes by partition: one for the tests of JupyterHub, two architectures for those of the batch system.
ONE = {"interactive": ("node",)}
TWO = {"zen4": ("zen4-1", "zen4-2"), "zen5": ("zen5-1",)}

CONF = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={control}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket={base}/munge/socket
CredType=cred/munge
StateSaveLocation={base}/state
SlurmdSpoolDir={base}/spool/%n
SlurmctldPidFile={base}/slurmctld.pid
SlurmdPidFile={base}/slurmd-%n.pid
SlurmctldLogFile={base}/log/slurmctld.log
SlurmdLogFile={base}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
EnforcePartLimits=ALL
SlurmctldTimeout=30
SlurmdTimeout=30
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
DefMemPerCPU=100
PropagateResourceLimits=NONE
"""


def missing() -> list[str]:
    """Return which of its programs are not installed."""
    return [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


class Slurm:
    """The daemons are our children, so that none outlives us; munged wants a folder that only we can write."""

    def __init__(self, base: Path, partitions: dict[str, tuple[str, ...]] = ONE) -> None:
        self.base = base
        self.nodes = [node for nodes in partitions.values() for node in nodes]
        for folder in ("munge", "state", "spool", "log", *(f"spool/{node}" for node in self.nodes)):
            (base / folder).mkdir(mode=0o755)
        key = base / "munge" / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(1 + len(self.nodes))]
        control, *ports = (probe.getsockname()[1] for probe in probes)
        for probe in probes:
            probe.close()
        self.conf = base / "slurm.conf"
        host = socket.gethostname().partition(".")[0]
        lines = [
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=4 RealMemory=16000"
            f" Feature={node.partition('-')[0]} State=UNKNOWN"
            for node, port in zip(self.nodes, ports, strict=True)
        ]
        lines += [
            f"PartitionName={name} Nodes={','.join(nodes)} Default={'NO' if number else 'YES'} DefaultTime=60"
            f" MaxTime={'04:00:00' if number else 'INFINITE'} State=UP"
            for number, (name, nodes) in enumerate(partitions.items())
        ]
        text = CONF.format(base=base, host=host, user=getpass.getuser(), control=control)
        self.conf.write_text("\n".join([text, *lines, ""]))
        self.variables = {"SLURM_CONF": str(self.conf)}
        self.env = {**os.environ, **self.variables, "PATH": _path()}
        munge = base / "munge"
        files = {"key-file": key, "socket": munge / "socket", "pid-file": munge / "pid", "log-file": munge / "log"}
        options = [f"--{name}={path}" for name, path in {**files, "seed-file": munge / "seed"}.items()]
        self._children = [self._daemon("munged", "--foreground", "--force", *options)]
        self._wait((munge / "socket").exists)
        self._children += [self._daemon("slurmd", "-D", "-f", str(self.conf), "-N", node) for node in self.nodes]
        self.start_controller()
        self._wait(lambda: self.says("sinfo", "-h", "-N", "-t", "idle", "-o", "%N").split() == self.nodes)

    def start_controller(self) -> None:
        """Start slurmctld (again)."""
        self.controller = self._daemon("slurmctld", "-D", "-f", str(self.conf))
        self._wait(lambda: self.says("sinfo", "-h", "-o", "%P") != "")

    def stop_controller(self) -> None:
        """End slurmctld; jobs run on."""
        self.controller.terminate()
        self.controller.wait(20)

    def _daemon(self, *argv: str) -> subprocess.Popen[bytes]:
        with (self.base / "log" / f"{argv[0]}.out").open("w") as output:
            return subprocess.Popen(argv, env=self.env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def _wait(self, question: object) -> None:
        while not question():  # type: ignore[operator]
            for child in [*self._children, *([self.controller] if hasattr(self, "controller") else [])]:
                assert child.poll() is None, (child.args, self.logs())
            time.sleep(0.1)  # the test's own timeout bounds it

    def says(self, *argv: str) -> str:
        """Return what one of Slurm's commands prints; nothing where it fails."""
        done = subprocess.run(argv, env=self.env, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    def jobs(self) -> list[str]:
        """Return the ids of jobs that wait or run."""
        return self.says("squeue", "-h", "-o", "%A").split()

    def logs(self) -> str:
        """Return the ends of all logs."""
        return "\n".join(f"{path.name}: {path.read_text()[-1500:]}" for path in (self.base / "log").iterdir())

    def stop(self) -> None:
        """End all jobs, then the daemons."""
        self.says("scancel", "--signal=KILL", "--full", *self.jobs())
        self.says("scancel", *self.jobs())
        until = time.monotonic() + 20
        while self.jobs() and time.monotonic() < until:
            time.sleep(0.1)
        for child in [self.controller, *reversed(self._children)]:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(3)
            child.kill()
            child.wait()
