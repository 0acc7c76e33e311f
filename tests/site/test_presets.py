"""Presets by every door, with the modules of a real Lmod and a real build."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from traitlets.config import Config

from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.errors import Refused

from ..cli.conftest import Cli
from ..modules import systems, trees
from ..serving import Server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "admins" / "presets.md"

LAYERED = """
version: 1
title: SciPy of the site
order: 1
parameters:
  mpi: {title: With MPI, type: boolean, default: false}
  extra: {default: packaging}
request:
  modules: [gcc/12, {from: mpi, choose: {"true": openmpi/4.1, "false": }}]
  packages: [{from: extra}, six]
  variables: {FROM_PRESET: "{{7*7}} $(id)"}
"""


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    init = systems.need("lmod")
    root = tmp_path_factory.mktemp("site-lmod")
    modulepath = trees.write_lmod(root, os.path.realpath(sys.executable))
    cli = Cli(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("cache"))
    shell = {"HOME": str(cli.home), "PATH": cli.env["PATH"], "MODULEPATH": modulepath}
    done = subprocess.run(["bash", "-c", f". {init}; env -0"], env=shell, capture_output=True, timeout=60, check=True)
    cli.env.update(dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if "=" in line))
    (cli.home / "presets").mkdir()
    cli.config.mkdir(exist_ok=True)
    config = {"Site": {"preset_folders": [str(cli.home / "presets")]}}
    (cli.config / "jupyter_hpcenv_config.json").write_text(json.dumps(config))
    (cli.home / "presets" / "layered.yaml").write_text(LAYERED)
    return cli


def test_a_preset_is_built_with_its_modules_and_what_is_asked_for_besides(user: Cli) -> None:
    (listed,) = user.data_of("presets", "list")
    assert (listed["name"], listed["title"], listed["message"]) == ("layered", "SciPy of the site", "")
    shown = user.data_of("presets", "show", "layered", "--set", "mpi=true")
    assert shown["modules"] == ["gcc/12", "openmpi/4.1"]
    words = ("create", "mine", "--preset", "layered", "--set", "extra=attrs", "tomli", "--no-kernel")
    made = user.data_of(*words)
    assert made["modules"]["asked"][0] == "gcc/12"
    assert made["packages"] == ["attrs", "six", "tomli"]
    assert made["variables"] == {"FROM_PRESET": "{{7*7}} $(id)"}


def test_what_a_parameter_says_is_one_value(user: Cli) -> None:
    """An option, a second package or a template in a parameter is refused as what it would be in a request."""
    for hostile in ("six --index-url=http://192.0.2.1", "six\ntomli", "{{7*7}}", "-e ."):
        error = user.error_of("create", "no", "--preset", "layered", "--set", f"extra={hostile}", "--no-kernel")
        assert error["code"] in ("invalid_requirement", "invalid_request"), error
    assert user.error_of("create", "no", "--preset", "layered", "--set", "mpi=7")["code"] == "invalid_request"
    assert user.error_of("create", "no", "--preset", "nothing")["code"] == "not_found"
    assert user("create", "no", "--set", "mpi=true").returncode == 2


def test_check_tries_every_choice_and_names_what_is_wrong(user: Cli) -> None:
    assert user("presets", "check").returncode == 0
    tried = user.data_of("presets", "check")
    assert [each["parameters"]["mpi"] for each in tried] == [False, True]
    wrong = user.home / "wrong.yaml"
    wrong.write_text(LAYERED.replace("openmpi/4.1", "openmpi/9"))
    done = user("presets", "check", str(wrong))
    assert done.returncode == 1
    assert re.search(r"ok +wrong \(mpi=false.*\nWRONG +wrong \(mpi=true", done.stdout), done.stdout
    assert "openmpi/9" in done.stdout
    wrong.write_text("version: 1\ntitle: x\nrequest: {package: [six]}\n")
    done = user("presets", "check", str(wrong))
    assert (done.returncode, "Did you mean “packages”?" in done.stdout) == (1, True)


def test_the_policy_holds_for_presets(user: Cli) -> None:
    policy = user.home / "policy.toml"
    policy.write_text('version = 1\n[enforced]\ndenied = {six = "It is in the module."}\n')
    assert user("presets", "check", HPCENV_POLICY=str(policy)).returncode == 1
    error = user.error_of("create", "no", "--preset", "layered", HPCENV_POLICY=str(policy))
    assert error["code"] == "forbidden_by_policy"


def test_a_preset_that_others_can_write_is_shown_with_the_reason_and_not_used(user: Cli) -> None:
    path = user.home / "presets" / "layered.yaml"
    path.chmod(0o666)
    try:
        (listed,) = user.data_of("presets", "list")
        assert "others than its owner" in listed["message"]
        assert user.error_of("create", "no", "--preset", "layered")["code"] == "refused"
    finally:
        path.chmod(0o644)


def test_what_others_could_have_written_is_not_read(home: Path, tmp_path: Path) -> None:
    """Neither a preset nor the file beside it."""
    admission = Admission(Config({"Site": {"preset_folders": [str(tmp_path)]}}))
    preset, file = tmp_path / "own.yaml", tmp_path / "list.txt"
    preset.write_text("version: 1\ntitle: Own\nfile: list.txt\n")
    file.write_text("six\n")
    assert admission.fill_preset("own", {}).file == "six\n"
    for written in (preset, file):
        written.chmod(0o666)
        assert "others than its owner" in admission.presets()[0].message
        with pytest.raises(Refused, match="others than its owner"):
            admission.fill_preset("own", {})
        written.chmod(0o644)


def test_a_file_beside_a_preset(user: Cli) -> None:
    folder = user.home / "presets"
    (folder / "with-file.yaml").write_text("version: 1\ntitle: With a file\nfile: with-file/pyproject.toml\n")
    (folder / "with-file").mkdir()
    (folder / "with-file" / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["six"]\n')
    try:
        made = user.data_of("create", "filed", "--preset", "with-file", "--no-kernel")
        assert "six" in [each["name"] for each in user.data_of("packages", made["id"])]
    finally:
        (folder / "with-file.yaml").unlink()


def test_rest_and_the_client_fill_it(user: Cli) -> None:
    script = (
        "from jupyter_hpcenv import client\nimport json, sys\n"
        "c = client.Client(sys.argv[1], sys.argv[2])\n"
        "request = c.fill_preset('layered', extra='attrs')\n"
        "made = c.create('by-client', kernel=False, **request)\n"
        "print(json.dumps([c.presets()[0]['parameters'], made['packages']]))\n"
    )
    server = Server(user.home, variables=user.env)
    try:
        answer = server.ask("POST", "presets/layered", {"parameters": {"mpi": True}})
        assert (answer.status, answer.body["modules"], answer.body["name"]) == (200, ["gcc/12", "openmpi/4.1"], "")
        assert server.ask("POST", "presets/layered", {"parameters": {"mpi": "yes"}}).code == "invalid_request"
        assert server.ask("POST", "presets/..%2Flayered", {}).status == 404
        argv = [sys.executable, "-c", script, server.url, server.token]
        done = subprocess.run(argv, env=user.env, capture_output=True, text=True, timeout=240)
    finally:
        server.stop()
    assert done.returncode == 0, done.stderr
    schema, packages = json.loads(done.stdout)
    assert schema["properties"]["mpi"]["type"] == "boolean"
    assert packages == ["attrs", "six"]


def test_the_presets_of_the_page_are_understood(user: Cli) -> None:
    (first, second) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    folder = user.home / "page"
    folder.mkdir()
    (folder / "pytorch-gpu.yaml").write_text(first)
    (folder / "dask-mpi.yaml").write_text(second)
    (folder / "dask-mpi").mkdir()
    (folder / "dask-mpi" / "environment.yml").write_text("dependencies: [dask]\n")
    config = {"Site": {"preset_folders": [str(folder)]}}
    other = user.home / "other"
    other.mkdir()
    (other / "jupyter_hpcenv_config.json").write_text(json.dumps(config))
    variables = {"JUPYTER_CONFIG_DIR": str(other)}
    assert [each["name"] for each in user.data_of("presets", "list", **variables)] == ["pytorch-gpu", "dask-mpi"]
    shown = user.data_of("presets", "show", "pytorch-gpu", "--set", "cuda=12.1", "--set", "tests=true", **variables)
    assert shown["modules"] == ["GCCcore/12.3.0", "CUDA/12.1.1"]
    assert shown["packages"] == ["torch>=2.4", "pytest"]
    assert user.data_of("presets", "show", "dask-mpi", **variables)["file"] == "dependencies: [dask]\n"
