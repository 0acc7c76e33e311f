"""Many at once: two servers and ten clients on one home, and two Unix users on one location.

HPCENV_CROWD_SECONDS says for how long the clients work (12 where it is not set).
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.models import FINISHED

from ..faults.invariant import violations
from ..serving import CHECKOUT, Answer, Documented, Server

SECONDS = float(os.environ.get("HPCENV_CROWD_SECONDS", "12"))
CLIENTS = 10
NAMES = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]
KERNELS = ["kept-one", "kept-two"]


class Tally:
    """Counts answers, and keeps what nobody has documented or what shows a mixed state."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._documented = Documented()
        self._guard = threading.Lock()

    def take(self, method: str, path: str, answer: Answer) -> Answer:
        complaint = self._documented.complaint(method, path, answer)
        with self._guard:
            self.answers[f"{method} {path}: {answer.status} {answer.code}".rstrip()] += 1
            if complaint or answer.status >= 500:
                self.wrong.append(complaint or f"{method} {path}: {answer}")
        return answer

    def say(self, what: str) -> None:
        with self._guard:
            self.wrong.append(what)

    def write(self, name: str) -> None:
        path = CHECKOUT / "artefacts" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(dict(sorted(self.answers.items())), indent=1) + "\n")
        print(f"{self.answers.total()} answers of {len(self.answers)} kinds, {len(self.wrong)} wrong ({path})")


class Client:
    """Somebody who does one thing after another, by chance, but the same chance every time."""

    def __init__(self, server: Server, tally: Tally, seed: int) -> None:
        self._server, self._tally, self._chance = server, tally, random.Random(seed)
        self._verbs: list[tuple[Callable[[], None], int]] = [
            (self._list, 6),
            (self._create, 8),
            (self._delete, 5),
            (self._restore, 4),
            (self._cancel, 3),
            (self._patch, 3),
            (self._publish, 2),
            (self._empty, 1),
            (self._forget, 1),
            (self._look, 3),
        ]

    def work(self, until: float) -> None:
        verbs, weights = zip(*self._verbs, strict=True)
        while time.monotonic() < until:
            try:
                self._chance.choices(verbs, weights)[0]()
            except (OSError, ValueError) as error:  # a connection that broke, a body that is no JSON
                self._tally.say(f"{type(error).__name__}: {error}")

    def _ask(self, method: str, route: str, body: Any = None, query: str = "", **words: str) -> Answer:
        answer = self._server.ask(method, route.format(**words) + query, body)
        return self._tally.take(method, route, answer)

    def _all(self, route: str) -> list[dict[str, Any]]:
        """Return a list, which must be there whatever others do."""
        answer = self._ask("GET", route)
        if answer.status != 200:
            self._tally.say(f"GET {route}: {answer}")
            return []
        return list(answer.body)

    def _rows(self) -> list[dict[str, Any]]:
        rows = self._all("environments")
        for row in rows:
            if row["state"] != "ready":
                self._tally.say(f"{row['name']} was listed as {row['state']}: {row['message']}")
        if len({row["name"] for row in rows}) != len(rows):
            self._tally.say(f"two environments of one name: {sorted(row['name'] for row in rows)}")
        return rows

    def _one(self, rows: Any) -> dict[str, Any] | None:
        return self._chance.choice(rows) if rows else None

    def _list(self) -> None:
        self._rows()

    def _create(self) -> None:
        self._ask("POST", "environments", {"name": self._chance.choice(NAMES), "kernel": False})

    def _delete(self) -> None:
        if row := self._one(self._rows()):
            query = "?now=1" if row["name"] in NAMES and self._chance.random() < 0.2 else ""
            self._ask("DELETE", "environments/{environment}", query=query, environment=row["id"])

    def _restore(self) -> None:
        if item := self._one(self._all("trash")):
            self._ask("POST", "trash/{environment}/restore", environment=item["id"])

    def _empty(self) -> None:
        items = [item for item in self._all("trash") if item["name"] in NAMES]
        if item := self._one(items):
            self._ask("DELETE", "trash/{environment}", environment=item["id"])

    def _operations(self, *, finished: bool) -> list[dict[str, Any]]:
        return [each for each in self._all("operations") if (each["state"] in FINISHED) is finished]

    def _cancel(self) -> None:
        if operation := self._one(self._operations(finished=False)):
            self._ask("POST", "operations/{operation}/cancel", operation=operation["id"])

    def _forget(self) -> None:
        if operation := self._one(self._operations(finished=True)):
            self._ask("DELETE", "operations/{operation}", operation=operation["id"])

    def _patch(self) -> None:
        if row := self._one(self._rows()):
            change = {"display_name": f"Called {self._chance.random()}", "variables": {"N": str(self._chance.random())}}
            self._ask("PATCH", "environments/{environment}", change, environment=row["id"])

    def _publish(self) -> None:
        row = self._one([row for row in self._rows() if row["name"] in KERNELS])
        if row:
            words = {"environment": row["id"], "kernel": f"hpcenv-home.{row['name']}"}
            self._ask(self._chance.choice(["PUT", "DELETE"]), "environments/{environment}/kernels/{kernel}", **words)

    def _look(self) -> None:
        if row := self._one(self._rows()):
            words = {"environment": row["id"]}
            for route in ("", "/packages", "/activation"):
                self._ask("GET", "environments/{environment}" + route, **words)
        if operation := self._one(self._all("operations")):
            self._ask("GET", "operations/{operation}/log", operation=operation["id"])
        self._all("kernels")
        if self._ask("GET", "site").status != 200:
            self._tally.say("GET site was refused")


@pytest.fixture
def servers(home: Path) -> Iterator[list[Server]]:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: Server(home), range(2)))
    yield found
    for server in found:
        server.stop()


@pytest.mark.timeout(SECONDS + 300)
def test_two_servers_and_ten_clients_on_one_home(servers: list[Server]) -> None:
    for name in KERNELS:
        servers[0].created(name)
    tally = Tally()
    clients = [Client(servers[number % 2], tally, number) for number in range(CLIENTS)]
    until = time.monotonic() + SECONDS
    with ThreadPoolExecutor(CLIENTS) as pool:
        for each in [pool.submit(client.work, until) for client in clients]:
            each.result()
    for server in servers:
        assert server.process.poll() is None, server.log.read_text()[-3000:]
    for operation in servers[0].ask("GET", "operations").body:
        ended = servers[1].ended(operation["id"])
        assert ended["state"] in ("succeeded", "cancelled"), ended
    tally.write("crowd")
    assert tally.wrong == []
    assert [server.log.read_text().count("unforeseen error") for server in servers] == [0, 0]

    admission = Admission()
    admission.reconcile()
    assert violations(admission) == []
    assert not list((admission.site.data_dir / "environments" / ".hpcenv" / "claims").iterdir())
    listed = [server.ask("GET", "environments").body for server in servers]
    assert listed[0] == listed[1]
    for row in listed[0]:
        assert servers[0].ask("DELETE", f"environments/{row['id']}").status == 200
    for name in NAMES:
        assert servers[1].created(name, kernel=False)["state"] == "ready"
    assert tally.answers["POST environments: 202"] > 0
    assert tally.answers["POST environments: 409 busy"] + tally.answers["POST environments: 409 name_taken"] > 0
