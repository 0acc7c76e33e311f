"""The main road with conda: a request becomes an environment with a proven kernel, and the way back from files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from jupyter_hpcenv.formats.environment_yml import of_requests, write
from jupyter_hpcenv.managers.conda.installed import explicit, read
from jupyter_hpcenv.models import BY_PIP

from ..cli.conftest import Cli

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def cli(home: Path, tmp_path_factory: pytest.TempPathFactory, channel: Path, cache: Path) -> Cli:
    """A user whose condarc names the test channel, and whose packages come from a cache that fills as tests go."""
    (home / ".condarc").write_text(f"channels:\n  - file://{channel}\npkgs_dirs:\n  - {cache}\n")
    return Cli(home, tmp_path_factory.mktemp("uv"))


def names(prefix: str) -> set[tuple[str, str, str]]:
    return {(each.name, each.version, each.build) for each in read(Path(prefix))}


def run_notebook(cli: Cli, kernel: str, code: str) -> str:
    """Run one cell by nbconvert, outside any server, and return what it printed."""
    cell = {"cell_type": "code", "source": code, "metadata": {}, "outputs": [], "execution_count": None, "id": "a"}
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": kernel, "display_name": ""}}}
    path = cli.home / "book.ipynb"
    path.write_text(json.dumps({**book, "cells": [cell]}))
    argv = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", str(path)]
    done = subprocess.run(argv, env=cli.env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    outputs = json.loads(path.read_text())["cells"][0]["outputs"]
    return "".join(text for output in outputs for text in output.get("text", []))


def test_create_prove_and_run_a_notebook(cli: Cli) -> None:
    made = cli.data_of("create", "climate", "numpy", "--manager", "conda", "--python", MINOR)
    assert (made["manager"], made["state"], made["python"][: len(MINOR)]) == ("conda", "ready", MINOR)
    assert made["packages"] == [f"python {MINOR}.*", "numpy"]
    assert made["preflight"]["kind"] == "kernel"
    code = "import sys, os, numpy; print(sys.prefix); print(os.environ['CONDA_PREFIX']); print(numpy.__file__)"
    prefix, conda_prefix, numpy = run_notebook(cli, made["kernels"][0]["name"], code).split()
    assert prefix == conda_prefix == made["prefix"]
    assert numpy.startswith(made["prefix"])
    assert (cli.home / ".conda" / "environments.txt").read_text().split() == [made["prefix"]]
    found = {each["name"]: each for each in cli.data_of("packages", "climate")}
    assert found["numpy"]["source"].startswith("conda file://")


def test_deleted_and_restored_it_is_known_to_conda_as_it_stands(cli: Cli) -> None:
    made = cli.data_of("create", "tiny", "hpc-tiny", "--manager", "conda", "--no-kernel")
    listed = cli.home / ".conda" / "environments.txt"
    assert made["prefix"] in listed.read_text()
    cli.data_of("delete", "tiny")
    assert made["prefix"] not in listed.read_text()
    cli.data_of("restore", "tiny")
    assert made["prefix"] in listed.read_text()


def test_an_environment_without_python_is_one_too(cli: Cli) -> None:
    made = cli.data_of("create", "tools", "hpc-tiny=1.0", "--manager", "conda", "--no-kernel")
    assert (made["python"], made["state"], made["kernels"], made["preflight"]) == ("", "ready", [], None)
    assert names(made["prefix"]) == {("hpc-tiny", "1.0", names(made["prefix"]).pop()[2])}
    assert cli.data_of("list")[0]["state"] == "ready"


def test_from_environment_yml_with_pip_where_pip_is_told_to_refuse(cli: Cli, channel: Path) -> None:
    """PIP_REQUIRE_VIRTUALENV and PIP_USER are what sites export; neither keeps pip out of, or beside, the prefix."""
    text = {
        "name": "from-file",
        "channels": [f"file://{channel}", "nodefaults"],
        "dependencies": [f"python={MINOR}", "hpc-tiny<2", {"pip": ["iniconfig==2.0.0"]}],
        "variables": {"MY_DATA": "/data/it's mine"},
    }
    file = cli.home / "environment.yml"
    file.write_text(yaml.safe_dump(text))
    steered = {"PIP_REQUIRE_VIRTUALENV": "1", "PIP_USER": "1"}
    made = cli.data_of("create", "mine", "--manager", "conda", "--file", str(file), **steered)
    assert made["variables"] == {"MY_DATA": "/data/it's mine"}
    found = {each.name: each.version for each in read(Path(made["prefix"]))}
    assert found["hpc-tiny"] == "1.1"
    assert "iniconfig" not in found
    code = "import os, iniconfig; print(iniconfig.__file__); print(os.environ['MY_DATA'])"
    where, data = run_notebook(cli, made["kernels"][0]["name"], code).splitlines()
    assert where.startswith(made["prefix"])
    assert data == "/data/it's mine"
    assert not list(cli.home.glob(".local/lib/**/iniconfig"))


def test_what_pip_installed_stands_in_the_record_apart_and_comes_again(cli: Cli, channel: Path) -> None:
    text = f"channels: ['file://{channel}']\ndependencies: [python={MINOR}, hpc-tiny<2, pip: [iniconfig>=2]]\n"
    file = cli.home / "environment.yml"
    file.write_text(text)
    made = cli.data_of("create", "mine", "--manager", "conda", "--file", str(file), "--no-kernel")
    assert made["packages"] == [f"python {MINOR}.*", "hpc-tiny <2", f"{BY_PIP}iniconfig>=2"]
    sources = {each["name"]: each["source"] for each in cli.data_of("packages", "mine")}
    assert (sources["iniconfig"], sources["hpc-tiny"]) == ("index", f"conda file://{channel}")
    assert [name for name, source in sources.items() if not source.startswith("conda ")] == ["iniconfig"]
    asked = of_requests(made["packages"])
    asked.channels = made["channels"]
    file.write_text(write(asked))
    again = cli.data_of("create", "again", "--manager", "conda", "--file", str(file), "--no-kernel")
    assert again["packages"] == made["packages"]
    assert {each["name"]: each["source"] for each in cli.data_of("packages", "again")} == sources
    cli.data_of("install", "mine", "hpc-linked")  # a change keeps what is pip's
    assert f"{BY_PIP}iniconfig>=2" in cli.data_of("show", "mine")["packages"]


@pytest.mark.parametrize("form", ["explicit", "rattler-lock", "conda-lock"])
def test_recreated_from_a_file_it_has_the_very_same_packages(cli: Cli, channel: Path, form: str) -> None:
    made = cli.data_of("create", "first", "hpc-tiny=1.0", "numpy", "--manager", "conda", "--python", MINOR)
    prefix = Path(made["prefix"])
    if form == "explicit":
        text = explicit(prefix)
    elif form == "rattler-lock":
        code = (
            "import os, sys; from pathlib import Path; from jupyter_hpcenv.managers.conda import engine;"
            f"print(engine.lock(Path({str(prefix)!r}), ['file://{channel}'])); sys.stdout.flush(); os._exit(0)"
        )
        text = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    else:
        entries = [
            {
                "name": each.name,
                "version": each.version,
                "manager": "conda",
                "platform": "linux-64",
                "dependencies": {},
                "url": each.url,
                "hash": {"md5": each.md5, "sha256": each.sha256},
                "category": "main",
                "optional": False,
            }
            for each in read(prefix)
        ]
        about = {"platforms": ["linux-64"], "channels": [{"url": f"file://{channel}"}], "content_hash": {}}
        text = yaml.safe_dump({"version": 1, "metadata": about, "package": entries})
    file = cli.home / "described"
    file.write_text(text)
    again = cli.data_of("create", "second", "--manager", "conda", "--file", str(file))
    assert names(again["prefix"]) == names(made["prefix"])
    assert again["preflight"]["kind"] == "kernel"


def test_a_dry_run_says_what_would_come_and_leaves_nothing(cli: Cli) -> None:
    plan = cli.data_of("create", "maybe", "hpc-tiny=1.0", "--manager", "conda", "--no-kernel", "--dry-run")
    assert [(each["name"], each["version"]) for each in plan["install"]] == [("hpc-tiny", "1.0")]
    assert cli.data_of("list") == []
    assert "hpc-tiny" in cli("create", "maybe", "hpc-tiny", "--manager", "conda", "--no-kernel", "--dry-run").stdout
    assert not [path for path in cli.home.rglob("maybe") if "operations" not in path.parts]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["no-such-package-at-all"], "package_not_found"),
        (["hpc-tiny=77"], "package_not_found"),
        (["hpc-needs-old", "hpc-needs-new"], "requirements_conflict"),
        (["hpc-cuda", "--virtual-package", "cuda="], "requirements_conflict"),
        (["num py >="], "invalid_requirement"),
        (["numpy[extra]"], "invalid_requirement"),
        (["hpc-tiny", "--channel", "https://me:secret@example.org/channel"], "refused"),
        (["hpc-tiny", "--installer", "uv"], "invalid_request"),
        (["--python", "/usr/bin/python3"], "invalid_request"),
    ],
)
def test_what_can_not_be_is_refused_by_a_reason_and_nothing_is_left(cli: Cli, arguments: list[str], code: str) -> None:
    document = cli.document("create", "never", *arguments, "--manager", "conda", "--no-kernel")
    assert not document["ok"]
    assert (document["error"]["code"], bool(document["error"]["hints"])) == (code, True), document["error"]
    assert "secret" not in json.dumps(document)
    assert cli.data_of("list") == []


def test_built_for_a_computer_with_a_gpu(cli: Cli) -> None:
    made = cli.data_of(
        "create", "gpu", "hpc-cuda", "--virtual-package", "cuda=12.4", "--manager", "conda", "--no-kernel"
    )
    assert "hpc-cuda" in {name for name, _, _ in names(made["prefix"])}


def test_nothing_of_conda_is_imported_before_something_is_built(cli: Cli) -> None:
    code = (
        "import sys, jupyter_hpcenv.cli.app; from jupyter_hpcenv.admission import Admission;"
        "Admission().managers['conda'].probe(); print([m for m in ('rattler', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=cli.env, capture_output=True, text=True, check=True)
    assert "rattler" not in done.stdout
