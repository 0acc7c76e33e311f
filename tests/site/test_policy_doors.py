"""Each rule of the policy refuses at every door alike: REST, command line, client, manifest.

What the tests of the gate show of each rule's reach, these show of its doors. The rules that refuse nothing have tests
of their own: indexes and sources are forced (tests/integration/test_policy.py), scripts of conda packages are not run
(tests/unit/policy/test_gate.py). A manifest asks for no sharing, so that rule has three doors.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ..cli.conftest import Cli
from ..crowd.test_users import reachable
from ..modules import systems, trees
from ..serving import Server
from .building import Builder

#: Rule, what the policy says, and a request that breaks it.
RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "managers": ('managers = ["conda"]', {}),
    "installers": ('installers = ["pip"]', {"installer": "uv"}),
    "pythons": ('pythons = ["2.7"]', {}),
    "system_python": ("system_python = false", {"python": "/usr/bin/python3"}),
    "locations": ('locations = {venv = ["scratch"]}', {}),
    "modules": ('modules = ["intel/*"]', {"modules": ["gcc/12"]}),
    "channels": ('channels = ["conda-forge"]', {"manager": "conda", "channels": ["bioconda"]}),
    "editable": ("editable = false", {"packages": ["-e {project}"]}),
    "vcs": ("vcs = false", {"packages": ["six @ git+https://git.example.org/six"]}),
    "urls": ("urls = false", {"packages": ["six @ https://files.example.org/six-1.0-py3-none-any.whl"]}),
    "hashes": ("hashes = true", {"packages": ["six"]}),
    "denied": ('denied = {six = "Take the module."}', {"packages": ["six"]}),
    "environments": ("environments = 0", {}),
    "gigabytes": ("gigabytes = 0", {}),
    "hook": ("", {"packages": ["six"]}),
}

CLIENT = """
import json, sys
from jupyter_hpcenv import client
try:
    client.Client(sys.argv[1], sys.argv[2]).create("no", **json.loads(sys.argv[3]))
except client.HpcenvClientError as error:
    print(json.dumps([error.code, error.message.rpartition('\\n')[2], list(error.hints)]))
"""

OPTIONS = {"installer": "--installer", "python": "--python", "manager": "--manager"}
REPEATED = {"modules": "--module", "channels": "--channel"}


class Doors(NamedTuple):
    policy: Path
    user: Cli
    server: Server
    builder: Builder


@pytest.fixture(scope="module")
def doors(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    init = systems.need("lmod")
    with reachable("hpcenv-doors-") as folder:
        modulepath = trees.write_lmod(folder / "modules", os.path.realpath(sys.executable))
        shell = {"HOME": str(folder), "PATH": os.defpath, "MODULEPATH": modulepath}
        command = ["bash", "-c", f". {init}; env -0"]
        done = subprocess.run(command, env=shell, capture_output=True, timeout=60, check=True)
        loaded = dict(each.split("=", 1) for each in done.stdout.decode().split("\0") if "=" in each)
        lmod = {name: value for name, value in loaded.items() if name.startswith(("LMOD", "MODULE", "BASH_FUNC"))}
        policy = folder / "policy.toml"
        policy.write_text("version = 1\n")
        (folder / "hook.py").write_text("def look(asked):\n    return {'refuse': 'Not today.'}\n")
        (folder / "project").mkdir()
        (folder / "project" / "pyproject.toml").write_text('[project]\nname = "project"\nversion = "1"\n')
        user = Cli(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("cache"))
        user.env |= {**lmod, "HPCENV_POLICY": str(policy)}
        builder = Builder(folder / "builder", python)
        os.chmod(folder / "builder", 0o755)
        builder.env |= {**lmod, "HPCENV_POLICY": str(policy)}
        server = Server(user.home, variables=user.env)
        try:
            yield Doors(policy, user, server, builder)
        finally:
            server.stop()


def write(policy: Path, name: str) -> None:
    text = RULES[name][0]
    rule = f'[hook]\ncall = "{policy.with_name("hook.py")}:look"\n' if name == "hook" else f"[enforced]\n{text}\n"
    policy.write_text(f'version = 1\ncontact = "help@example.org"\n{rule}')


def words(request: dict[str, Any], written: Path) -> list[str]:
    """Return a request as the words of the command line."""
    found = [word for field, option in OPTIONS.items() if field in request for word in (option, request[field])]
    found += [word for field, option in REPEATED.items() for each in request.get(field, []) for word in (option, each)]
    packages = request.get("packages", [])
    if packages and packages[0].startswith("-"):  # what looks like an option is given in a file
        found += ["--file", str(written)]
        written.write_text("\n".join(packages))
        return found
    return [*found, *packages]


@pytest.mark.parametrize("name", RULES)
def test_a_rule_refuses_at_every_door_alike(doors: Doors, name: str, tmp_path: Path) -> None:
    policy, user, server, builder = doors
    request = json.loads(json.dumps(RULES[name][1]).replace("{project}", str(policy.with_name("project"))))
    write(policy, name)
    told = {}

    answer = server.ask("POST", "environments", {"name": "no", **request})
    assert answer.status == 403, answer
    told["REST"] = (answer.code, answer.body["reason"], answer.body["hints"])

    document = user.document("create", "no", "--no-kernel", *words(request, tmp_path / "requirements.txt"))["error"]
    told["command line"] = (document["code"], document["reason"], document["hints"])

    argv = [sys.executable, "-c", CLIENT, server.url, server.token, json.dumps(request)]
    done = subprocess.run(argv, env=user.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told["client"] = tuple(json.loads(done.stdout))

    fields = ", ".join(f"{field}: {json.dumps(value)}" for field, value in request.items())
    builder.write(", ".join(filter(None, ["name: no", "kernel: false", fields])))
    report = builder.apply(code=1)
    (step,) = report["steps"]
    *hints, reason = step["hints"]
    told["manifest"] = (step["code"], reason, hints)

    about = "the hook" if name == "hook" else f"rule “{name}”"
    for door, (code, reason, hints) in told.items():
        assert code == "forbidden_by_policy", (door, code, reason)
        assert reason == f"{about} of {policy}", door
        assert "help@example.org" in hints[-1], door
    assert server.ask("GET", "environments").body == []
    assert builder.built() == {}


def test_sharing_is_refused_by_the_three_doors_that_it_has(doors: Doors) -> None:
    policy, user, server, _ = doors
    policy.write_text("version = 1\n")
    there = server.created("there", kernel=False)
    try:
        policy.write_text("version = 1\n[enforced]\nsharing = false\n")
        assert (
            server.ask("POST", f"environments/{there['id']}/share", {"everybody": True}).code == "forbidden_by_policy"
        )
        assert user.error_of("share", "there", "--everybody")["code"] == "forbidden_by_policy"
        script = CLIENT.replace('.create("no", **json.loads(sys.argv[3]))', ".share(sys.argv[3], everybody=True)")
        argv = [sys.executable, "-c", script, server.url, server.token, "there"]
        done = subprocess.run(argv, env=user.env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)[0] == "forbidden_by_policy"
    finally:
        user("delete", "there", "--now")


def test_every_rule_that_refuses_is_here(doors: Doors) -> None:
    from jupyter_hpcenv.policy.reading import Enforced

    assert {*Enforced.__struct_fields__} == {*RULES} - {"hook"} | {"indexes", "sources", "link_scripts", "sharing"}
