"""How late the server's event loop is while four environments are built, and a panel follows them."""

from __future__ import annotations

import json
import threading
import time

from ..measure import Row, percentile
from ..served import TICK, Server, serve
from ..world import World

NAME = "lag"
GOAL = "p99 ≤ 20 ms"
REFERENCE = "the same server with nothing to do; and a thread beside it that only sleeps, during the builds"
LIMIT = 0.020
BUILDS = 4
_FOLLOW = 0.5  # seconds between looks of the panel


def measure(world: World) -> list[Row]:
    """Let a real server rest, then submit four creates over REST and follow them."""
    folder = world.home / "lag"
    folder.mkdir()
    with serve(folder) as server:
        time.sleep(2)  # its watchers have looked round
        begin = time.monotonic()
        time.sleep(world.samples(10, 5))
        rested = time.monotonic()
        beside = _Sleeper()
        beside.start()
        _build(server, [world.name() for _ in range(BUILDS)])
        built = time.monotonic()
        beside.stop()
        time.sleep(1.1)  # the probe has written what it has
        idle, busy = server.lags_between(begin, rested), server.lags_between(rested, built)
    p99 = percentile(busy, 0.99)
    row = Row(
        figure=NAME,
        what="event-loop lag, p99",
        ours=p99,
        reference=percentile(idle, 0.99),
        unit="ms",
        goal=GOAL,
        met=p99 <= LIMIT,
        notes=[
            f"{len(busy)} looks in {built - rested:.1f} s; median {percentile(busy, 0.5) * 1_000:.1f} ms, "
            f"largest {max(busy) * 1_000:.1f} ms",
            f"a thread that only sleeps, p99 meanwhile: {percentile(beside.lags, 0.99) * 1_000:.1f} ms",
        ],
        samples={"ours": busy, "reference": idle},
    )
    return [row]


def _build(server: Server, names: list[str]) -> None:
    waiting = {json.loads(server.ask("POST", "/hpcenv/environments", {"name": name}))["id"] for name in names}
    while waiting:
        time.sleep(_FOLLOW)
        for identifier in sorted(waiting):
            operation = json.loads(server.ask("GET", f"/hpcenv/operations/{identifier}"))
            server.ask("GET", f"/hpcenv/operations/{identifier}/log")
            if operation["state"] == "failed":
                raise RuntimeError(f"A build failed: {operation['error']}")
            if operation["state"] == "succeeded":
                waiting.discard(identifier)
        server.ask("GET", "/hpcenv/environments")


class _Sleeper:
    """What the machine itself makes of a short sleep while it is busy."""

    def __init__(self) -> None:
        self.lags: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            due = time.monotonic() + TICK
            time.sleep(TICK)
            self.lags.append(time.monotonic() - due)
