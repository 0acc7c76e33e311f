"""The pages for users about packages and undoing say what works: each command is run as it is printed there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from ..cli.conftest import Cli
from ..layering.profiles import wheel

PAGES = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "users"


@pytest.fixture
def user(home: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Somebody with an environment “climate”, whose installer takes wheels from a folder alone."""
    cli = Cli(home, tmp_path_factory.mktemp("uv"))
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name, version in (("netCDF4", "1.7"), ("dask", "1.0"), ("dask", "2.0")):
        wheel(wheels, name, version)
    cli.env["UV_FIND_LINKS"], cli.env["UV_OFFLINE"] = str(wheels), "1"
    cli.data_of("create", "climate", "--no-kernel", "--installer", "uv")
    return cli


def run(user: Cli, text: str) -> dict[str, str]:
    """Run each command of a page, and return what it printed."""
    said = {}
    for command in re.findall(r"^\$ (.+)$", text, re.MULTILINE):
        done = subprocess.run(command, shell=True, env=user.env, cwd=user.home, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        said[command.partition(" #")[0].strip().removeprefix("jupyter hpcenv ")] = done.stdout
    return said


def test_the_page_about_packages(user: Cli) -> None:
    said = run(user, (PAGES / "packages.md").read_text().partition("## Write down")[0])
    assert len(said) == 10
    assert re.search(r"^netcdf4 +1\.7 ", said["search netCDF4 --environment climate"], re.MULTILINE)
    assert "Nothing was changed." in said["install climate 'netCDF4>=1.7' dask --dry-run"]
    assert "dask" in said["install climate 'netCDF4>=1.7' dask"]
    assert "netCDF4" in said["packages climate --own"]
    assert said["packages climate --inherited"] == ""
    assert "netcdf4" in said["search netcdf --manager venv"]
    user.env.pop("UV_OFFLINE")  # the copy gets a kernel, which comes from the index
    written = (PAGES / "packages.md").read_text().partition("## Write down")[2].partition("Of a conda environment")[0]
    assert list(run(user, written)) == [
        "export climate -o requirements-full.txt",
        "create again --file requirements-full.txt",
    ]
    assert user.data_of("export", "again", "--format", "requirements-full.txt")["text"].startswith("asttokens")
    refused = user("export", "climate", "-o", "requirements-full.txt")
    assert (refused.returncode, "--force" in refused.stderr) == (4, True)
    assert user("export", "climate", "-o", "requirements-full.txt", "--force").returncode == 0


def test_the_page_about_undoing(user: Cli) -> None:
    user.data_of("install", "climate", "dask")
    text = (PAGES / "undo.md").read_text()
    first, _, second = text.partition("## A deleted environment")
    said = run(user, first)
    assert list(said) == ["history climate", "undo climate --dry-run", "undo climate"]
    assert "+ dask 2.0" in said["history climate"]
    assert "1 package goes" in said["undo climate --dry-run"]
    assert "Undid the last change of climate." in said["undo climate"]
    assert "dask" not in {each["name"] for each in user.data_of("packages", "climate")}
    said = run(user, second)
    assert list(said) == ["delete climate", "undo climate"]
    assert said["undo climate"] == "climate is back.\n"
