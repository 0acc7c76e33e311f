"""The list of 1,000 environments: over REST, and what it asks of the filesystem."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.site.locations import own_root

from ..measure import Row, in_turns, median, seconds
from ..served import serve
from ..synthetic import populate
from ..world import World, run

NAME = "list"
GOAL = "≤ 10 ms warm, ≤ 1 stat a record"
REFERENCE = "Jupyter's own GET /api/kernelspecs of the same kernels; os.scandir and a stat a record"
FEW, MANY = 10, 1_000
LIMIT = 0.010


def measure(world: World) -> list[Row]:
    """List synthetic environments through a real server, in process, and under strace."""
    with world.other_data("thousand") as admission:
        populate(admission, 0, FEW)
        few = _calls_a_list(world)
        populate(admission, FEW, MANY)
        rows = [_over_rest(world), _in_process(world, admission)]
        return [*rows, _stats(few, _calls_a_list(world))] if shutil.which("strace") else rows


def _over_rest(world: World) -> Row:
    folder = world.home / "listing"
    folder.mkdir()
    with serve(folder) as server:

        def ours() -> float:
            return seconds(lambda: server.ask("GET", "/hpcenv/environments"))

        size = len(server.ask("GET", "/hpcenv/environments"))
        found = len(json.loads(server.ask("GET", "/hpcenv/environments")))
        if found != MANY:
            raise RuntimeError(f"The list has {found} rows instead of {MANY}.")
        server.ask("GET", "/api/kernelspecs")
        before = server.processor_time()
        alone = [ours() for _ in range(60)]
        busy = (server.processor_time() - before) / len(alone)
        mine, other = in_turns(
            lambda: median([ours() for _ in range(5)]),
            lambda: seconds(lambda: server.ask("GET", "/api/kernelspecs")),
            world.samples(15, 7),
        )
    return Row(
        figure=NAME,
        what=f"list of {MANY:,} over REST",
        ours=median(mine),
        reference=median(other),
        unit="ms",
        goal="≤ 10 ms",
        met=median(mine) <= LIMIT,
        notes=[
            f"quickest {min(alone) * 1_000:.1f} ms; the server's processor time for one: {busy * 1_000:.1f} ms",
            f"the answer has {size / 1_000:.0f} kB",
        ],
        samples={"ours": mine, "reference": other},
    )


def _in_process(world: World, admission: Admission) -> Row:
    root = own_root(admission.site, "home")

    def scan() -> None:
        for entry in os.scandir(root):
            if entry.is_dir():
                os.stat(f"{entry.path}/.hpcenv/environment.json", follow_symlinks=False)  # noqa: PTH116  the cheapest

    admission.catalog.environments()
    mine, other = in_turns(
        lambda: seconds(admission.catalog.environments), lambda: seconds(scan), world.samples(30, 15)
    )
    cold = seconds(Admission().catalog.environments)
    return Row(
        figure=NAME,
        what=f"list of {MANY:,} in process",
        ours=median(mine),
        reference=median(other) if other else None,
        unit="ms",
        notes=[
            f"quickest {min(mine) * 1_000:.1f} ms, of the reference {min(other) * 1_000:.1f} ms",
            f"the first list of a process, which reads every record: {cold * 1_000:.0f} ms",
        ],
        samples={"ours": mine, "reference": other},
    )


def _stats(few: float, many: float) -> Row:
    """Say what each further record costs; the other calls belong to folders."""
    each = (many - few) / (MANY - FEW)
    return Row(
        figure=NAME,
        what="stat calls a record, warm",
        ours=each,
        reference=1.0,
        unit="",
        goal="≤ 1",
        met=each <= 1,
        notes=[f"{many:.0f} calls for {MANY:,} records, {few:.0f} for {FEW}"],
    )


def _calls_a_list(world: World) -> float:
    """Return the stat calls of one warm list as the kernel counts them: what scandir does in C, Python can not see."""
    if not shutil.which("strace"):
        return 0.0
    time.sleep(2.5)  # folders that changed just now are looked at more closely
    return (_calls(world, 6) - _calls(world, 1)) / 5


def _calls(world: World, lists: int) -> int:
    summary = world.home / "calls.txt"
    code = (
        "from jupyter_hpcenv.admission import Admission\ncatalog = Admission().catalog\n"
        f"for _ in range({lists}): catalog.environments()"
    )
    run(["strace", "-f", "-c", "-e", "trace=%%stat", "-o", str(summary), sys.executable, "-c", code])
    return sum(int(count) for count in re.findall(r"^ *\S+ +\S+ +\S+ +(\d+) .*stat", Path(summary).read_text(), re.M))
