"""Each act is seen by three who look: the site's audit log, who listens to events, and who scrapes the metrics page.

One real server is asked for every verb that there is, in the order in which a person might.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket
from traitlets.config import Config

from jupyter_hpcenv.admission import Admission, acting
from jupyter_hpcenv.errors import NotFound
from jupyter_hpcenv.models import CleanCaches, CleanedCache, Target, UseRequest

from ..cli.conftest import SLOW_BACKEND
from ..crowd.test_users import reachable
from ..layering.profiles import wheel
from ..serving import Server

TRIED = [("use", "nothing"), ("unuse", "nothing"), ("clean_caches", ""), ("put_back", "nothing")]
SYSTEM = "/usr/bin/python3"  # one that others may run, too

CONFIG = """
c = get_config()
c.Site.audit_log = "{log}"
c.Site.locations = {{"home": "{{data_dir}}/environments", "open": {{"root": "{open}", "sharing": True}}}}
c.Site.default_location = "open"
c.VenvManager.find_links = ["{wheels}"]
c.VenvManager.probe_index = False
"""


class Listener:
    """Keeps all events of a server."""

    def __init__(self, server: Server) -> None:
        self.told: list[dict[str, Any]] = []
        address = f"{server.url.replace('http', 'ws')}/api/events/subscribe"
        self._socket = websocket.create_connection(
            address, header=[f"Authorization: token {server.token}"], timeout=0.2
        )
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self.told.append(json.loads(self._socket.recv()))
            except websocket.WebSocketTimeoutException:
                continue

    def seen(self, **fields: Any) -> bool:
        return any(all(event.get(name) == value for name, value in fields.items()) for event in self.told)

    def wait(self, **fields: Any) -> None:
        while not self.seen(**fields):
            time.sleep(0.02)  # the test's own timeout bounds it

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with reachable("hpcenv-acts-") as home:
        (home / ".jupyter").mkdir()
        (home / "open").mkdir()
        wheel(home / "wheels", "hpcdemo", "1.0")
        (home / ".jupyter" / "jupyter_hpcenv_config.py").write_text(
            CONFIG.format(log=home / "audit.jsonl", open=home / "open", wheels=home / "wheels")
        )
        yield home


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    found = Server(home)
    yield found
    found.stop()


def audited(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home / "audit.jsonl").read_text().splitlines()]


def test_each_act_is_told_to_all_who_look(server: Server, home: Path) -> None:
    events = Listener(server)
    expected: list[tuple[str, str, str]] = []

    def at_once(verb: str, name: str, method: str, path: str, body: Any = None, **seen: str) -> Any:
        """Do something that is done at once and changes an environment; its event follows within seconds."""
        count = len(events.told)
        answer = server.ask(method, path, body)
        assert answer.status < 300, answer
        expected.append((verb, name, "succeeded"))
        while seen and not any(
            all(event.get(field) == value for field, value in seen.items()) for event in events.told[count:]
        ):
            time.sleep(0.02)
        return answer.body

    def operation(verb: str, name: str, path: str, body: Any = None) -> Any:
        """Start an operation, wait for its end and for the event that tells it."""
        accepted = server.ask("POST", path, body)
        assert accepted.status == 202, accepted
        done = server.ended(accepted.body["id"])
        events.wait(operation=done["id"], state=done["state"])
        expected.append((verb, name, done["state"]))
        return done

    try:
        asked = {"name": "it", "packages": ["hpcdemo"], "python": SYSTEM, "kernel": False}
        done = operation("create", "it", "environments", asked)
        identifier = done["environment"]["id"]
        here, changed = f"environments/{identifier}", {"environment_id": identifier, "action": "changed"}
        events.wait(environment_id=identifier, action="created")
        at_once("edit", "it", "PATCH", here, {"display_name": "It"}, **changed)
        at_once("refresh", "it", "POST", f"{here}/refresh")
        at_once("activation", "it", "POST", f"{here}/activation", {"dialect": "bash"}, **changed)
        assert operation("change", "it", f"{here}/changes", {"remove": ["hpcdemo"]})["state"] == "succeeded"
        assert operation("change", "it", f"{here}/undo")["state"] == "succeeded"
        assert operation("share", "it", f"{here}/share", {"everybody": True})["state"] == "succeeded"
        assert operation("unshare", "it", f"{here}/unshare")["state"] == "succeeded"
        assert operation("repair", "it", f"{here}/repair")["state"] == "succeeded"
        assert operation("move", "it", f"{here}/move", {"location": "home"})["state"] == "succeeded"
        gone = {"environment_id": identifier, "action": "deleted"}
        at_once("delete", "it", "DELETE", here, **gone)
        at_once("restore", "it", "POST", f"trash/{identifier}/restore", environment_id=identifier, action="restored")
        os.rename(server.ask("GET", here).body["prefix"], home / "purged")
        assert operation("rebuild", "it", f"{here}/rebuild")["state"] == "succeeded"
        at_once("delete", "it", "DELETE", here, **gone)
        trashed = [item for item in server.ask("GET", "trash").body if item["location"] == "home"]
        at_once("empty", "it", "DELETE", f"trash/{trashed[0]['id']}", environment_id=identifier, action="removed")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "foreign"], check=True)
        adopted = at_once(
            "adopt", "foreign", "POST", "adopted", {"prefix": str(home / "foreign"), "kernel": False}, action="created"
        )
        at_once("delete", "foreign", "DELETE", f"environments/{adopted['id']}", action="removed")

        # what fails is told, too; what only says what it would do is not, and neither is what reads
        failed = operation("create", "bad", "environments", {"name": "bad", "packages": ["hpcdemo==9"]})
        assert failed["state"] == "failed"
        kept = server.created("kept")
        expected.append(("create", "kept", "succeeded"))
        here, changed = f"environments/{kept['id']}", {"environment_id": kept["id"], "action": "changed"}
        events.wait(environment_id=kept["id"], action="created")
        (kernel,) = kept["kernels"]
        at_once("unpublish", "kept", "DELETE", f"{here}/kernels/{kernel['name']}", **changed)
        at_once("publish", "kept", "PUT", f"{here}/kernels/{kernel['name']}", {"display_name": "Again"}, **changed)
        late = server.ask("PATCH", here, {"display_name": "Late"}, If_Match='"99"')
        assert late.code == "precondition_failed"
        expected.append(("edit", "kept", "failed"))
        plan = server.ask("POST", f"{here}/changes", {"install": ["hpcdemo"], "dry_run": True})
        assert plan.status == 202, plan
        events.wait(operation=plan.body["id"], state="succeeded")
        server.ask("POST", "caches/clean", {"caches": ["pip"], "dry_run": True})  # that of this home
        server.ask("GET", "environments")
    finally:
        events.close()

    lines = audited(home)
    assert [(line["verb"], line["name"], line["result"]) for line in lines] == expected
    assert {line["uid"] for line in lines} == {os.geteuid()}
    assert [line["error"] for line in lines if line["result"] == "failed"] == [
        "package_not_found",
        "precondition_failed",
    ]
    by_operation = {"create", "change", "share", "unshare", "repair", "move", "rebuild"}
    assert all(bool(line["operation"]) is (line["verb"] in by_operation) for line in lines)
    assert acting.AT_ONCE - {verb for verb, _, _ in expected} == {"put_aside", *(verb for verb, _ in TRIED)}
    assert server.token not in (home / "audit.jsonl").read_text()
    assert {event["schema_id"] for event in events.told} == {
        "https://events.jupyter-hpcenv.org/environment/v1",
        "https://events.jupyter-hpcenv.org/operation/v1",
    }

    status, page = server.raw("GET", "metrics")
    assert status == 200
    figures = dict(re.findall(r"^(hpcenv_\S+) ([0-9.e+]+)$", page.decode(), re.MULTILINE))
    counted = {
        (verb, result): float(figures.get(f'hpcenv_operations_total{{result="{result}",verb="{verb}"}}', 0))
        for verb, _, result in expected
        if verb in by_operation
    }
    wanted = {key: sum(1.0 for verb, _, result in expected if (verb, result) == key) for key in counted}
    assert counted == wanted
    assert figures['hpcenv_operations_total{result="succeeded",verb="plan_change"}'] == "1.0"
    assert float(figures['hpcenv_operation_seconds_sum{verb="create"}']) > 0
    assert figures['hpcenv_environment_changes_total{action="restored"}'] == "1.0"
    ours = "\n".join(line for line in page.decode().splitlines() if "hpcenv_" in line)
    assert not re.search(r"\bit\b|hpcdemo|foreign|open|" + identifier, ours)


def test_only_what_was_done_is_told_of_many() -> None:
    left, gone = (CleanedCache(name=name, path=f"/{name}", done=name == "gone") for name in ("left", "gone"))
    before = Target(id="", name="", location="", prefix="")
    assert [target.name for target in acting._told([left, gone], before)] == ["gone"]


def test_what_can_not_be_done_is_told_with_its_reason(tmp_path: Path) -> None:
    desk = Admission(Config({"Site": {"audit_log": str(tmp_path / "audit.jsonl")}}))
    with pytest.raises(NotFound):
        desk.use("nothing", UseRequest())
    with pytest.raises(NotFound):
        desk.unuse("nothing")
    with pytest.raises(NotFound):
        desk.clean_caches(CleanCaches(caches=["nothing"]))
    with pytest.raises(NotFound):
        desk.put_back("nothing")
    desk.mend(dry_run=True)
    told = [(line["verb"], line["name"], line["result"], line["error"]) for line in audited(tmp_path)]
    assert told == [(verb, name, "failed", "not_found") for verb, name in TRIED]


def test_a_log_that_can_not_be_written_hinders_nothing_and_is_said(server: Server, home: Path) -> None:
    log = home / "audit.jsonl"
    log.unlink(missing_ok=True)
    log.mkdir()
    try:
        made = server.created("unseen", kernel=False)
        said = server.ask("GET", f"operations/{made['operation']}/log").body["lines"]
        warning = next(line["text"] for line in said if "audit" in line["text"])
        assert warning.startswith("What was done is missing in the site's audit log: ")
        assert server.ask("DELETE", f"environments/{made['id']}").status == 200
        assert "missing in the site's audit log" in server.log.read_text()
    finally:
        log.rmdir()


def test_who_closes_an_operation_for_its_dead_worker_says_so(server: Server, home: Path) -> None:
    project = home / "slow"
    project.mkdir()
    (project / "backend.py").write_text(SLOW_BACKEND)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "slow"\nversion = "1.0"\n'
    )
    accepted = server.ask("POST", "environments", {"name": "dead", "packages": [f"-e {project}"], "kernel": False})
    assert accepted.status == 202, accepted
    while not (project / "started").exists():
        time.sleep(0.02)
    status = home / ".local/share/jupyter/hpcenv/operations" / accepted.body["id"] / "status.json"
    os.kill(json.loads(status.read_text())["process"]["pid"], 9)
    (project / "go").touch()
    assert server.ended(accepted.body["id"])["state"] == "interrupted"
    while not (lines := [line for line in audited(home) if line["operation"] == accepted.body["id"]]):
        time.sleep(0.02)
    assert [(line["verb"], line["name"], line["result"]) for line in lines] == [("create", "dead", "interrupted")]
