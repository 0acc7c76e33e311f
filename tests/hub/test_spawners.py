"""A real Hub, its proxy, and both ways to start servers: environments are made through it, and rights hold.

The Hub reads the configuration that docs/how-to/admins shows, and has a prefix, so that every address has one.
"""

from __future__ import annotations

import getpass
import json
import os
import signal
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

from ..cli.conftest import SLOW_BACKEND
from ..conftest import require
from ..docs import printed
from ..slurm.cluster import PROGRAMS, Slurm, missing
from .running import EVERYTHING, Hub, require_hub

ME = getpass.getuser()  # jobs run as who submits them
DUMP = "import json, os; json.dump(dict(os.environ), open(str(HERE / 'environment'), 'w'))\n"
STEPS = {
    "read": [("GET", "hpcenv/environments"), ("GET", "hpcenv/site"), ("GET", "api/contents"), ("GET", "api/kernels")],
    "write": [("DELETE", f"hpcenv/trash/{'0' * 32}"), ("POST", "hpcenv/caches/clean"), ("PUT", "api/contents/a.txt")],
    "execute": [("POST", "hpcenv/environments"), ("POST", "hpcenv/plans"), ("POST", "hpcenv/modules/check")],
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    require_hub()
    running = Hub(tmp_path_factory.mktemp("hub"), base_url="/jupyter")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def alice(hub: Hub) -> str:
    """A token of a user whose server runs, with all rights on it."""
    hub.begin("alice")
    return hub.token_for("alice", *EVERYTHING)


@pytest.fixture
def project(hub: Hub) -> Iterator[Path]:
    """A project of alice whose build waits until the file “go” is there, and writes down what variables it sees."""
    yield from waiting(hub.home("alice"))


def waiting(home: Path) -> Iterator[Path]:
    folder = home / f"slow-{uuid.uuid4().hex}"
    folder.mkdir()
    text = SLOW_BACKEND.replace("def build_editable", f"{DUMP}def build_editable", 1)
    (folder / "backend.py").write_text(text)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "slow"\nversion = "1.0"\n'
    )
    yield folder
    (folder / "go").touch()


def ended(hub: Hub, server: str, operation: str, token: str) -> dict[str, Any]:
    """Wait until an operation is finished, asking through the proxy."""

    def look() -> dict[str, Any] | None:
        now = hub.call("GET", f"user/{server}/hpcenv/operations/{operation}", token=token)
        return now if now and now["finished"] else None

    return dict(hub.until(look))


def run_cell(hub: Hub, server: str, kernel: str, token: str, **expressions: str) -> dict[str, str]:
    """Start a kernel through the proxy and return what Python expressions are in it, as it prints them."""
    started = hub.ask("POST", f"user/{server}/api/kernels", {"name": kernel}, token)
    assert started.status == 201, started
    address = f"user/{server}/api/kernels/{started.body['id']}"
    url = f"{hub.url.replace('http', 'ws')}/{address}/channels"
    channel = websocket.create_connection(url, header=[f"Authorization: token {token}"], timeout=60)
    try:
        asked = {"code": "", "silent": False, "user_expressions": expressions}
        header = {"msg_id": "1", "msg_type": "execute_request", "session": "s", "username": "", "version": "5.3"}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": asked, "channel": "shell"}
        channel.send(json.dumps(message))
        while (said := json.loads(channel.recv()))["header"]["msg_type"] != "execute_reply":
            pass
    finally:
        channel.close()
        hub.ask("DELETE", address, token=token)
    told = said["content"]["user_expressions"]
    return {name: value["data"]["text/plain"] for name, value in told.items()}


def check_an_environment(hub: Hub, user: str, token: str) -> None:
    """Create an environment by REST through the proxy; a kernel of it then runs there in the right Python."""
    accepted = hub.ask("POST", f"user/{user}/hpcenv/environments", {"name": "climate"}, token)
    assert accepted.status == 202, accepted
    done = ended(hub, user, accepted.body["id"], token)
    assert done["state"] == "succeeded", done
    made = hub.call("GET", f"user/{user}/hpcenv/environments/{done['environment']['id']}", token=token)
    assert made["preflight"]["kind"] == "kernel"
    assert Path(made["prefix"]).is_relative_to(hub.home(user))
    (kernel,) = made["kernels"]
    specs = hub.call("GET", f"user/{user}/api/kernelspecs", token=token)["kernelspecs"]
    assert specs[kernel["name"]]["spec"]["display_name"] == kernel["display_name"]
    seen = run_cell(hub, user, kernel["name"], token, prefix="__import__('sys').prefix")
    assert seen["prefix"].strip("'") == made["prefix"]


def test_an_environment_is_made_through_the_proxy(hub: Hub, alice: str) -> None:
    check_an_environment(hub, "alice", alice)


def test_addresses_have_the_prefix_of_hub_and_user(hub: Hub, alice: str, project: Path) -> None:
    asked = {"name": "prefixed", "packages": [f"-e {project}"], "kernel": False}
    operation = hub.ask("POST", "user/alice/hpcenv/environments", asked, alice).body["id"]
    told = hub.headers("POST", "user/alice/hpcenv/environments", {**asked, "name": "other"}, alice)
    assert told["Location"].startswith("/jupyter/user/alice/hpcenv/operations/")
    for each in (operation, told["Location"].rpartition("/")[2]):
        hub.ask("POST", f"user/alice/hpcenv/operations/{each}/cancel", token=alice)
        assert ended(hub, "alice", each, alice)["state"] == "cancelled"


def test_the_page_as_printed(hub: Hub, alice: str) -> None:
    """How a portal reads the environments of one user, as docs/how-to/admins/jupyterhub.md has it."""
    text = (printed.DOCS / "how-to" / "admins" / "jupyterhub.md").read_text()
    env = {"PATH": os.environ["PATH"], "HUB": hub.url, "PORTAL_TOKEN": hub.token}
    said = printed.run("\n".join(printed.commands(text)).replace("user1", "alice"), env, hub.folder)
    listed = hub.call("GET", "user/alice/hpcenv/environments", token=alice)
    assert [row["id"] for row in json.loads(said)] == [row["id"] for row in listed]


@pytest.mark.parametrize("allowed", [(), ("read",), ("write",), ("execute",), ("read", "write")])
def test_a_token_may_what_its_scopes_say_and_nothing_else(hub: Hub, alice: str, allowed: tuple[str, ...]) -> None:
    scopes = [f"custom:jupyter_server:{action}" for action in allowed]
    token = hub.token_for("alice", "access:servers", *scopes)
    for action, requests in STEPS.items():
        for method, path in requests:
            status = hub.ask(method, f"user/alice/{path}", {"unknown": 1}, token).status
            assert (status != 403) is (action in allowed), (method, path, status)
    assert hub.ask("GET", "user/alice/hpcenv/environments", token=alice).status == 200


def test_without_access_to_a_server_other_scopes_open_nothing(hub: Hub, alice: str) -> None:
    token = hub.token_for("alice", "custom:jupyter_server:read", "custom:jupyter_server:execute")
    assert hub.ask("GET", "user/alice/hpcenv/environments", token=token).status == 403
    assert hub.ask("POST", "user/alice/hpcenv/environments", {"name": "x"}, token).status == 403


def test_what_is_sent_to_one_server_opens_no_other_and_not_for_long(hub: Hub, alice: str) -> None:
    """A portal's own token enters no server; what it makes for one user is good there alone, until it expires."""
    hub.begin("bob")
    assert hub.ask("GET", "user/alice/hpcenv/site").status == 403, "the portal's token is worth nothing to a server"
    assert not [scope for scope in hub.call("GET", "hub/api/user")["scopes"] if scope.startswith("access:")]
    assert hub.ask("GET", "user/alice/hpcenv/site", token=alice).status == 200
    assert hub.ask("GET", "user/bob/hpcenv/site", token=alice).status == 403
    assert hub.ask("GET", "hub/api/users", token=alice).status == 403
    stolen = hub.ask("POST", "hub/api/users/bob/tokens", {"scopes": ["access:servers!user=bob"]}, alice)
    assert stolen.status in (403, 404)
    short = hub.token_for("alice", *EVERYTHING, seconds=2)
    assert hub.ask("GET", "user/alice/hpcenv/site", token=short).status == 200
    hub.until(lambda: hub.ask("GET", "user/alice/hpcenv/site", token=short).status == 403)
    hub.end("bob")


def test_two_servers_of_one_user_share_a_home(hub: Hub, alice: str, project: Path) -> None:
    hub.begin("alice", "second")
    asked = {"name": "common", "packages": [f"-e {project}"], "kernel": False}
    accepted = hub.ask("POST", "user/alice/hpcenv/environments", asked, alice)
    assert accepted.status == 202, accepted
    hub.until((project / "started").exists)
    refused = hub.ask("POST", "user/alice/second/hpcenv/environments", asked, alice)
    assert (refused.status, refused.body["code"]) == (409, "busy")
    listed = hub.call("GET", "user/alice/second/hpcenv/operations", token=alice)
    assert accepted.body["id"] in {operation["id"] for operation in listed}
    (project / "go").touch()
    assert ended(hub, "alice/second", accepted.body["id"], alice)["state"] == "succeeded"
    names = {row["name"] for row in hub.call("GET", "user/alice/second/hpcenv/environments", token=alice)}
    assert "common" in names
    hub.end("alice", "second")


def test_a_restart_of_hub_and_server_adopts_what_runs_and_no_token_reaches_a_build(
    hub: Hub, alice: str, project: Path
) -> None:
    asked = {"name": "adopted", "packages": [f"-e {project}"], "kernel": False}
    operation = hub.ask("POST", "user/alice/hpcenv/environments", asked, alice).body["id"]
    hub.until((project / "started").exists)

    hub.leave()
    hub.start()
    hub.until(lambda: hub.server("alice").get("ready"))
    now = hub.until(lambda: hub.call("GET", f"user/alice/hpcenv/operations/{operation}", token=alice))
    assert now["state"] == "running"
    hub.end("alice")
    hub.begin("alice")
    now = hub.until(lambda: hub.call("GET", f"user/alice/hpcenv/operations/{operation}", token=alice))
    assert now["state"] == "running"

    # What a server and its kernels hold is what to look for in everything that the build could see or leave.
    status = hub.home("alice") / ".local/share/jupyter/hpcenv/operations" / operation / "status.json"
    worker = json.loads(status.read_text())["process"]["pid"]
    seen = Path(f"/proc/{worker}/environ").read_text() + (project / "environment").read_text()
    tokens = {"key": "__import__('os').environ['JUPYTERHUB_API_TOKEN']"}
    of_hub = run_cell(hub, "alice", "python3", alice, **tokens)["key"].strip("'")
    assert len(of_hub) > 20
    (project / "go").touch()
    assert ended(hub, "alice", operation, alice)["state"] == "succeeded"
    assert not [name for name in ("JUPYTERHUB", "JPY_", "JUPYTER_TOKEN", "CONFIGPROXY") if name in seen]
    written = [path for path in hub.home("alice").rglob("*") if path.is_file() and not path.is_symlink()]
    written = [path for path in written if path.parent.name != "runtime"]  # Jupyter Server's own, for this user alone
    secrets = [token.encode() for token in (of_hub, alice, hub.token)]
    assert not [path for path in written if any(token in path.read_bytes() for token in secrets)]
    assert not [token for token in secrets if token.decode() in seen]


# -- Slurm ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    lacking = missing()
    require(f"{', '.join(lacking or PROGRAMS)} of Slurm and munge", not lacking)
    with tempfile.TemporaryDirectory(prefix="hpcenv-slurm-") as base:  # a short path: sockets allow 107 characters
        Path(base).chmod(0o755)
        running = Slurm(Path(base))
        yield running
        running.stop()


@pytest.fixture(scope="module")
def batch(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    require_hub()
    running = Hub(tmp_path_factory.mktemp("batch"), variables=slurm.variables, slurm=True)
    running.home(ME)
    yield running
    running.stop()


def test_an_environment_is_made_on_a_server_that_is_a_job(batch: Hub, slurm: Slurm) -> None:
    batch.begin(ME)
    (job,) = slurm.jobs()
    assert slurm.says("squeue", "-h", "-j", job, "-o", "%T %P") == "RUNNING interactive"
    token = batch.token_for(ME, *EVERYTHING)
    check_an_environment(batch, ME, token)


def test_the_end_of_the_job_ends_its_build_and_the_next_one_says_so(batch: Hub, slurm: Slurm) -> None:
    if not batch.server(ME).get("ready"):
        batch.begin(ME)
    token = batch.token_for(ME, *EVERYTHING)
    for project in waiting(batch.home(ME)):
        asked = {"name": "cut", "packages": [f"-e {project}"], "kernel": False}
        accepted = batch.ask("POST", f"user/{ME}/hpcenv/environments", asked, token)
        assert accepted.status == 202, accepted
        batch.until((project / "started").exists)
        status = batch.home(ME) / ".local/share/jupyter/hpcenv/operations" / accepted.body["id"] / "status.json"
        (job,) = slurm.jobs()
        worker = json.loads(status.read_text())["process"]["pid"]
        slurm.says("scancel", "--full", "--signal=KILL", job)
        os.kill(worker, signal.SIGKILL)  # what the node's cgroup does to all that a job has started
        batch.until(lambda: not slurm.jobs())
        batch.until(lambda: not batch.server(ME).get("ready"))
    batch.begin(ME)
    done = ended(batch, ME, accepted.body["id"], token)
    assert done["state"] == "interrupted"
    assert [row["name"] for row in batch.call("GET", f"user/{ME}/hpcenv/environments", token=token)] == ["climate"]
    again = {"name": "cut", "kernel": False}
    assert batch.ask("POST", f"user/{ME}/hpcenv/environments", again, token).status == 202
