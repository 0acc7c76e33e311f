"""Conda environments come back, and move, with the very same packages; what a channel has no more is solved anew."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_hpcenv.managers.conda.installed import read

from ..cli.conftest import Cli

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def cli(home: Path, tmp_path_factory: pytest.TempPathFactory, channel: Path, cache: Path) -> Cli:
    """A user whose condarc names the test channel, and whose packages come from a cache that fills as tests go."""
    (home / ".condarc").write_text(f"channels:\n  - file://{channel}\npkgs_dirs:\n  - {cache}\n")
    return Cli(home, tmp_path_factory.mktemp("uv"))


def names(prefix: str) -> set[tuple[str, str, str]]:
    return {(each.name, each.version, each.build) for each in read(Path(prefix))}


def test_it_comes_back_with_the_same_builds(cli: Cli) -> None:
    made = cli.data_of("create", "tiny", "hpc-tiny=1.0", "--manager", "conda", "--no-kernel")
    there = names(made["prefix"])
    shutil.rmtree(made["prefix"])
    assert cli.data_of("list")[0]["state"] == "missing"
    done = cli.data_of("rebuild", "tiny")
    assert (done["environment"], done["differences"]) == (made["id"], [])
    assert names(made["prefix"]) == there
    after = cli.data_of("show", "tiny")
    assert (after["packages"], after["channels"]) == (made["packages"], made["channels"])
    planned = cli.data_of("update", "tiny", "--all", "--dry-run")
    assert planned["change"] == [], "what was asked for holds on"


def test_the_exact_packages_count_and_not_todays(cli: Cli) -> None:
    made = cli.data_of("create", "tiny", "hpc-tiny=1.0", "--manager", "conda", "--no-kernel")
    copy = cli.home / ".local/share/jupyter/hpcenv/environments" / f"{made['id']}.json"
    (asked,) = made["packages"]
    copy.write_text(copy.read_text().replace(f'"{asked}"', '"hpc-tiny"'))
    shutil.rmtree(made["prefix"])
    assert cli.data_of("rebuild", "tiny")["differences"] == []
    assert {version for name, version, _ in names(made["prefix"]) if name == "hpc-tiny"} == {"1.0"}


def test_what_the_channel_has_no_more_is_solved_anew(cli: Cli, tmp_path: Path, channel: Path) -> None:
    made = cli.data_of("create", "tiny", "hpc-tiny", "--manager", "conda", "--no-kernel")
    kept = cli.home / ".local/share/jupyter/hpcenv/lockfiles" / f"{made['id']}.json"
    (version,) = (version for name, version, _ in names(made["prefix"]) if name == "hpc-tiny")
    kept.write_text(kept.read_text().replace(f"hpc-tiny-{version}-", "hpc-tiny-0.5-").replace(version, "0.5"))
    shutil.rmtree(made["prefix"])
    done = cli.data_of("rebuild", "tiny")
    assert done["differences"] == [f"hpc-tiny was 0.5 and is {version} now."]


def test_it_moves(cli: Cli, tmp_path: Path) -> None:
    where = ("-D", f"Site.locations={{'home': '{{data_dir}}/environments', 'scratch': '{tmp_path}'}}")
    made = cli.data_of("create", "tiny", "hpc-tiny=1.0", "--manager", "conda", "--no-kernel", *where)
    there = names(made["prefix"])
    cli.data_of("move", "tiny", "scratch", *where)
    after = cli.data_of("show", "tiny", *where)
    assert (after["id"], after["prefix"], after["state"]) == (made["id"], str(tmp_path / "tiny"), "ready")
    assert names(after["prefix"]) == there
    listed = (cli.home / ".conda" / "environments.txt").read_text().split()
    assert listed == [after["prefix"]]


def test_a_fresh_one_is_whole_and_a_damaged_one_is_found(cli: Cli) -> None:
    made = cli.data_of("create", "tiny", "hpc-tiny=1.0", "numpy", "--manager", "conda", "--python", MINOR)
    found = cli.data_of("check", "tiny", "--hash")
    assert (found["healthy"], found["counts"]) == (True, {}), found["problems"][:5]
    assert found["files"] > 0
    victim = next(path for path in Path(made["prefix"]).rglob("*") if path.is_file() and "tiny" in path.name)
    if "conda-meta" in victim.parts:
        victim = next(path for path in Path(made["prefix"]).glob("share/**/*") if path.is_file())
    victim.unlink()
    assert cli.data_of("check", "tiny", "--files")["counts"] == {"missing": 1}


def test_it_has_a_build_for_another_kind_of_computer(cli: Cli) -> None:
    """Built inside the first prefix, of the same packages; neither takes the other's files for its own."""
    here, there = {"VSC_ARCH_LOCAL": "zen4"}, {"VSC_ARCH_LOCAL": "zen5"}
    asked = ("create", "tiny", "hpc-tiny=1.0", "--manager", "conda", "--no-kernel", "--target", "zen4", "--json")
    assert cli(*asked, **here).returncode == 0
    done = cli("build", "tiny", "--json", **there)
    assert done.returncode == 0, done.stdout
    made = cli.data_of("show", "tiny")
    build = made["builds"]["zen5"]["prefix"]
    assert names(build) == names(made["prefix"])
    assert json.loads(done.stdout)["data"]["differences"] == []
    for variables, wanted in ((here, made["prefix"]), (there, build)):
        env = {"PATH": "/usr/bin:/bin", "HOME": str(cli.home), **variables}
        launch = [f"{made['prefix']}/.hpcenv/launch"]
        said = subprocess.run(launch, env=env, capture_output=True, text=True, check=False).stderr
        assert f" {wanted}/bin/python: " in said, "there is no Python in it, and the shell says where it looked"
    assert cli("check", "tiny", "--files", **here).returncode == 0
