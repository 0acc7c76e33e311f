"""What vsc-venv takes gives the same here: requirements.txt and modules.txt, and a build on each kind of computer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..cli.conftest import Cli
from ..integration.test_modules_road import environ
from ..layering.profiles import wheel
from ..modules import systems, trees

ARCHITECTURES = (
    {"VSC_OS_LOCAL": "RHEL8", "VSC_ARCH_LOCAL": "zen2"},
    {"VSC_OS_LOCAL": "RHEL9", "VSC_ARCH_LOCAL": "zen4"},
)
CODE = """
import importlib.metadata, json, os, sys
import hpcdemo, sitepkg
versions = [importlib.metadata.version(name) for name in ("hpcdemo", "numpy")]
print(json.dumps([sys.prefix, versions, sitepkg.__file__, os.environ["LOADEDMODULES"].split(":")]))
"""


def test_both_files_give_the_same_packages_and_modules_and_a_build_for_each(tmp_path: Path) -> None:
    init = systems.need("lmod")
    modulepath = trees.write_lmod(tmp_path / "site", os.path.realpath(sys.executable))
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel(wheels, "hpcdemo", "1.0")
    wheel(wheels, "hpcdemo", "2.0")
    (tmp_path / "modules.txt").write_text("# as for vsc-venv\ngcc/12\nopenmpi/4.1\nSciPy-bundle/2023.07\n")
    (tmp_path / "requirements.txt").write_text("hpcdemo==1.0\n")
    cli = Cli(tmp_path / "home", tmp_path / "cache")
    cli.home.mkdir()
    shell = {"HOME": str(cli.home), "PATH": cli.env["PATH"], "MODULEPATH": modulepath}
    cli.env.update(environ(["bash", "-c", f". {init}; env -0"], shell))
    site = ("-D", f"VenvManager.find_links=['{wheels}']", "-D", "VenvManager.probe_index=False")
    there, elsewhere = ARCHITECTURES
    files = ("--file", str(tmp_path / "requirements.txt"), "--modules-file", str(tmp_path / "modules.txt"))
    made = cli("create", "both", *files, "--target", "zen2-RHEL8", "--no-kernel", "--json", *site, **there)
    assert made.returncode == 0, made.stdout
    built = cli("build", "both", "--json", *site, **elsewhere)
    assert built.returncode == 0, built.stdout
    detail = json.loads(cli("show", "both", "--json", *site).stdout)["data"]
    assert (detail["target"], list(detail["builds"])) == ("zen2-RHEL8", ["zen4-RHEL9"])
    build = detail["builds"]["zen4-RHEL9"]
    assert build["modules"]["load"] == detail["modules"]["load"] == ["gcc/12", "openmpi/4.1", "SciPy-bundle/2023.07"]
    found = [started(detail["prefix"], shell, variables) for variables in ARCHITECTURES]
    assert [prefix for prefix, *_ in found] == [detail["prefix"], build["prefix"]]
    assert found[0][1:] == found[1][1:]
    versions, from_module, loaded = found[0][1:]
    assert versions == ["1.0", "1.25.1"]
    assert "/scipy/pylib/" in from_module
    assert {"gcc/12", "openmpi/4.1", "SciPy-bundle/2023.07"} <= set(loaded)


def started(prefix: str, shell: dict[str, str], variables: dict[str, str]) -> list[object]:
    env = {"HOME": shell["HOME"], "PATH": "/usr/local/bin:/usr/bin:/bin", **variables}
    argv = [f"{prefix}/.hpcenv/launch", "-c", CODE]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stderr)
    return list(json.loads(done.stdout))
