"""What the extension adds to the start of a Jupyter server, measured inside of that server.

``python -m benchmarks.figures.server_start 0|1`` starts one, without or with it, and prints seconds.
"""

from __future__ import annotations

import os
import sys
import time

from ..measure import Row, added, in_turns, median
from ..world import World, run

NAME = "server-start"
GOAL = "+ ≤ 20 ms"
REFERENCE = "the same server without the extension, and no other extension in both"
LIMIT = 0.020


def measure(world: World) -> list[Row]:
    """Start servers in turns with and without it, each a process of its own."""
    cpu: dict[str, list[float]] = {"0": [], "1": []}

    def start(enabled: str) -> float:
        wall, busy = run([sys.executable, "-m", __name__, enabled]).splitlines()[-1].split()
        cpu[enabled].append(float(busy))
        return float(wall)

    start("1")
    cpu["1"].clear()
    ours, without = in_turns(lambda: start("1"), lambda: start("0"), world.samples(15, 7))
    more = added(ours, without)
    row = Row(
        figure=NAME,
        what="server start",
        ours=median(ours),
        reference=median(without),
        unit="ms",
        goal=GOAL,
        met=more <= LIMIT,
        notes=[
            f"added, median of the pairs: {more * 1_000:+.1f} ms",
            f"added to the processor time of the main thread: {added(cpu['1'], cpu['0']) * 1_000:+.1f} ms",
        ],
        samples={"ours": ours, "reference": without},
    )
    return [row]


def main(enabled: str) -> None:
    """Start a server, print the seconds until its loop runs, and end."""
    from jupyter_server.serverapp import ServerApp

    began, busy = time.perf_counter(), time.thread_time()
    app = ServerApp()
    extensions = {"jupyter_hpcenv": enabled == "1"}
    app.initialize(
        ["--no-browser", "--allow-root", "--ServerApp.port=0", f"--ServerApp.jpserver_extensions={extensions}"],
        find_extensions=False,
    )

    def running() -> None:
        os.write(1, f"{time.perf_counter() - began:.6f} {time.thread_time() - busy:.6f}\n".encode())
        os._exit(0)

    app.io_loop.add_callback(running)
    app.start()


if __name__ == "__main__":
    main(sys.argv[1])
